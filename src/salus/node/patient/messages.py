"""What a wallet asks a member, and what it is told. Every question carries its own authority; no session is kept.

A link-signed instruction (see `salus.vault.enrolment`) authorises everything about one link, a signature by a grant's
one-time key everything about one grant, a wallet's write key its file.
"""

from typing import Annotated, Final

from msgspec import Meta

from salus.core.encoding import Value
from salus.node.exchange.pull import Rooted
from salus.node.patient.proof import MemberProof
from salus.vault.sealing import Link
from salus.vault.served import Served

ABOUT: Final = "/patient/about"
FIND: Final = "/patient/find"
ENROL: Final = "/patient/enrol"
CONFIRM: Final = "/patient/confirm"
INSTRUCT: Final = "/patient/instruct"
GRANT: Final = "/patient/grant"
KEEP: Final = "/patient/wallet/keep"
CERTIFICATE: Final = "/patient/certificate"
RETURN: Final = "/patient/wallet/return"

NEWS: Final = "/patient/news"

GRANT_LABEL: Final = "salus/v1/grant-instruction"
RECORDS_PURPOSE: Final = "own-records"
MAX_RECORDS: Final = 500
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""What the vault counts by: SQLite's integers."""


class About(Value, frozen=True):
    """Asks who a member is."""

    pin: Number
    """Log size that the wallet's trust is pinned to: a proof from before it would not hold there."""


class Member(Value, frozen=True):
    """Who a member says it is; the wallet checks the keys against its trust file (`proof`)."""

    network: bytes
    member: str
    name: str
    signing_key: bytes
    receive_key: bytes
    rounding: int
    """Grants end at multiples of this many ms (`Parameters.grant_rounding`)."""
    proof: MemberProof


class Find(Value, frozen=True):
    """Asks who another member is and where its node answers, as the ledger has it."""

    member: str
    pin: Number
    """Log size that the wallet's trust is pinned to."""


class AskNews(Value, frozen=True):
    """Asks what leads from a pinned log to the newest checkpoint, over every change of the cosigners since."""

    size: int
    """Log size that the wallet's trust is pinned to."""
    number: int
    """Number of the cosigner set that it knows."""


class Step(Value, frozen=True):
    """A step forward: a newer checkpoint, or the next cosigner set (the other is empty)."""

    checkpoint: bytes
    change: bytes
    path: tuple[bytes, ...]
    """From the pinned size to the checkpoint's, or from the change's size to the pinned one."""


class News(Value, frozen=True):
    """Steps in order: the wallet takes each under what it believed before it."""

    steps: tuple[Step, ...]


class Enrol(Value, frozen=True):
    """A wallet's claim (step 2 of enrolment)."""

    claim: bytes


class Welcomed(Value, frozen=True):
    """The member's welcome (step 3)."""

    welcome: bytes


class Confirm(Value, frozen=True):
    """The link key's signature over the transcript (step 4)."""

    link: bytes
    signature: bytes


class Done(Value, frozen=True):
    """It is done and durable."""


class Instruct(Value, frozen=True):
    """A link-signed instruction."""

    signed: bytes


class AskSealed(Value, frozen=True):
    """Asks for what only the wallet may open."""

    receive: bytes
    """X-Wing public key, fresh."""


class SealedAnswer(Value, frozen=True):
    """An answer on its way: an envelope under the id."""

    id: bytes
    envelope: bytes


class Refusing(Value, frozen=True):
    """An instruction's counter was used: sign again above this one."""

    counter: int


class BuildBody(Value, frozen=True):
    """Action `body`: asks for a transaction body that this member will submit, for an author to sign."""

    message: bytes
    author_key: bytes


class Built(Value, frozen=True):
    """A body, to be signed by its author within minutes."""

    body: bytes


class Carry(Value, frozen=True):
    """Action `carry`: submit a body with its author's signature."""

    body: bytes
    signature: bytes


class Carried(Value, frozen=True):
    """What became of it."""

    tx_id: bytes
    height: int
    code: int
    data: bytes
    receipt: bytes
    """COSE receipt of the transaction: what the wallet believes, under its trust file. Empty: not cosigned yet."""


class Send(Value, frozen=True):
    """Action `send`: deliver a sealed document to a member."""

    receiver: str
    kind: str
    body: bytes


class After(Value, frozen=True):
    """Action `chain`: asks for what lies behind a number."""

    after: Number


class AskLog(Value, frozen=True):
    """Action `log`: asks for the lines behind a number, proven at the size that the wallet is pinned to or later."""

    after: Number
    pin: Number


class LogLine(Value, frozen=True):
    """A line of a disclosure journal with its proof."""

    number: int
    line: bytes
    salt: bytes
    root: bytes
    tx_id: bytes
    """Empty while the line waits for its batch."""
    size: int
    index: int
    path: tuple[bytes, ...]


class Log(Value, frozen=True):
    """The lines of one link, or of one grant at its grantee."""

    member: str
    lines: tuple[LogLine, ...]
    receipts: tuple[tuple[bytes, bytes], ...]
    """(transaction id, receipt) of every anchor that the lines name: COSE receipts, for whoever checks offline."""


class Chain(Value, frozen=True):
    """The chain of a link behind a sequence."""

    links: tuple[Link, ...]


class Records(Value, frozen=True):
    """Action `records`: asks for the own records behind a sequence, keys sealed to a fresh receive key."""

    after: Number
    receive: bytes


class OwnRecords(Value, frozen=True):
    """The own records: sealed, and what opens them."""

    id: bytes
    records: tuple[Served, ...]
    roots: tuple[Rooted, ...]
    envelope: bytes
    after: int
    """Sequence of the last one; equal to what was asked when there is no more."""


class StopHere(Value, frozen=True):
    """Action `revoke`: this custodian is to serve nothing more of this link under a grant."""

    grant: bytes
    """Grant id, 32 bytes."""


class Publish(Value, frozen=True):
    """Publishes a link's revocation certificate: from then its key is obeyed in revocation only."""

    link: bytes
    certificate: bytes


class Preview(Value, frozen=True):
    """Action `preview`: which records a slip of these terms would open, to people of a member for a purpose."""

    grantee: str
    roles: tuple[str, ...]
    purpose: str
    classes: tuple[str, ...]
    since: int
    until: int


class Previewed(Value, frozen=True):
    """Type, id and version of each record that would be served now, in the order of writing."""

    records: tuple[tuple[str, str, int], ...]
    more: bool
    """Whether there are more than one answer holds."""


class Correct(Value, frozen=True):
    """Action `correct`: the patient says that a record is wrong, and how it should read."""

    id: bytes
    """16 random bytes: sent twice, it is one request."""
    type: str
    record: str
    text: str


class AskCorrections(Value, frozen=True):
    """Action `corrections`: what became of them."""


class Corrected(Value, frozen=True):
    """One request to correct, and its answer."""

    id: bytes
    type: str
    record: str
    text: str
    made: int
    due: int
    answered: int
    """Unix ms; 0: not yet."""
    outcome: str
    """`amended`, `declined`, or empty."""
    reason: str


class Corrections(Value, frozen=True):
    """All requests to correct of a link, oldest first."""

    requests: tuple[Corrected, ...]


class Erase(Value, frozen=True):
    """Action `erase`: asks the member to erase the link; for a grantee, signed by the grant's key, its lease."""

    case: bytes


class ErasureOpened(Value, frozen=True):
    """The record is closed to every grant and the case is open. A duty in law may keep what is there until it ends."""

    duty: str
    """For which it is retained, as a trial's signed terms name it; empty: it is deleted after the wait."""
    until: int
    """Unix ms; 0: the duty's end is not fixed yet, or there is no duty."""


class AskGrantRow(Value, frozen=True):
    """Action `grant-row`: what the ledger holds of a grant, proven."""

    grant: bytes


class GrantRowShown(Value, frozen=True):
    """The row of a grant, or that there is none, with its proof."""

    row: bytes
    """A `GrantRow` as the ledger holds it; empty: there is none."""
    proof: bytes
    """A state proof (`salus.core.proof.receipt.StateProof`)."""


class AskErasureStanding(Value, frozen=True):
    """Action `erasure-standing`: how far the erasure of the link has come."""


class ErasureStanding(Value, frozen=True):
    """The newest case of the link. What has been deleted tells nothing any more: the link is gone."""

    status: str
    """`requested`, `cancelled`, `retained`, or empty: none was asked for."""
    opened: int
    """Unix ms; 0: none was asked for."""
    earliest: int
    """Unix ms: nothing is deleted before; 0: none was asked for."""
    due: int
    """Unix ms: by when the member takes the next step (of what is retained: looks at the reason again); 0: none remains."""
    reason: str
    """Class of the reason in law while retained (`legal-obligation`, ...), else empty."""
    duty: str
    """The trial's duty for which it is retained, as the signed terms name it; empty: none."""
    until: int
    """Unix ms: when that duty ends; 0: not fixed yet, or no duty."""


class GrantSigned(Value, frozen=True):
    """An instruction about one grant to its grantee, signed by the grant's one-time key."""

    author: bytes
    """The one-time public key; its digest is the grant id."""
    member: str
    time: int
    """Unix ms; within a minute of the member's clock."""
    action: str
    """`log`, `erase`."""
    argument: bytes


class AskGrantee(Value, frozen=True):
    """Carries `GrantSigned` as signed bytes."""

    data: bytes
    signature: bytes


class Keep(Value, frozen=True):
    """Stores a wallet's sealed file under its locator, as its next version."""

    locator: bytes
    write_key: bytes
    version: Number
    file: bytes
    signature: bytes
    enrolled: bytes
    """A link-signed instruction `keep`: who has no link here stores nothing here."""


class Return(Value, frozen=True):
    """Asks for the file under a locator."""

    locator: bytes


class Returned(Value, frozen=True):
    """A wallet's file; version 0 for none."""

    version: Number
    file: bytes
