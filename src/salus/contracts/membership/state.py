"""What the ledger knows of its members: rows, tables and the two life cycles.

`STANDING` (a member's) and `PROPOSAL` are tables of transitions, used by the rules and walked by the tests.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, TypeVar

from msgspec import Meta

from salus.contracts.fields import Height, MemberId, ReceiveKey, SigningKey, Time
from salus.contracts.membership.constitution import (
    Act,
    Endpoint,
    Jurisdiction,
    Name,
    Parameters,
    Power,
    Roles,
    TlsKeys,
)
from salus.core.encoding import Value
from salus.core.tables import Invariant, Table, View

NUMBER: Final = 1
MAX_SERIAL: Final = 65_535  # pairs of keys of one member: a new one every hour for seven years
R = TypeVar("R", bound=Value)
SINGLE: Final = b""  # the key of a table with one row


class Standing(StrEnum):
    """Whether a member may act."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REMOVED = "removed"


STANDING: Final[Mapping[tuple[Standing | None, str], Standing]] = {
    (None, "admit"): Standing.ACTIVE,
    (Standing.ACTIVE, "suspend"): Standing.SUSPENDED,
    (Standing.SUSPENDED, "reinstate"): Standing.ACTIVE,
    (Standing.ACTIVE, "remove"): Standing.REMOVED,
    (Standing.SUSPENDED, "remove"): Standing.REMOVED,
}
"""A member's life cycle: (standing, act) → standing. Removal is final; who returns is admitted under a new id."""


class Member(Value, frozen=True):
    """A member as it stands. Key: its id in ASCII."""

    name: Name
    """Its legal name."""
    roles: Roles
    """Its roles, ascending, each once."""
    jurisdiction: Jurisdiction
    """Whose law it is under: ISO 3166-1 alpha-2, or 3166-2."""
    endpoint: Endpoint
    """Where its node answers others: an https URL, or empty."""
    standing: Standing
    """Whether it may act."""
    serial: Annotated[int, Meta(ge=1, le=MAX_SERIAL)]
    """Serial of its keys in force, see `KEYS`; the first is 1."""
    since: Height
    """Height at which it got its standing."""


class Keys(Value, frozen=True):
    """One pair of keys that a member had. Key: id, `/`, serial as u32. Written once: the history is the proof."""

    signing_key: SigningKey
    """Ed25519, 32 bytes."""
    receive_key: ReceiveKey
    """X-Wing, 1,216 bytes."""
    height: Height
    """From this height, until that of the next serial."""
    time: Time
    """Time of that block."""


class KeyUse(Value, frozen=True):
    """Whose a signing key is or was. Key: the signing key. No key serves twice, not even the same member."""

    member: MemberId
    """Whose it is or was."""
    serial: Annotated[int, Meta(ge=1, le=MAX_SERIAL)]
    """Which of the member's keys, see `KEYS`."""


class Certified(Value, frozen=True):
    """With which TLS keys a member's node answers. Key: its id in ASCII."""

    keys: TlsKeys
    """The keys, ascending, each once; none any longer when empty."""
    height: Height
    """Height from which they are the ones."""


class Validator(Value, frozen=True):
    """A member's part in ordering transactions. Key: its id in ASCII."""

    consensus_key: SigningKey
    """Its Ed25519 key in the consensus engine."""
    power: Power
    """Its weight; 0 for none any longer."""


class Cosigner(Value, frozen=True):
    """A member whose cosignature counts on a checkpoint."""

    member: MemberId
    """Who cosigns."""
    signing_key: SigningKey
    """With which Ed25519 key."""


class Cosigners(Value, frozen=True):
    """All cosigners, ascending by id, in one row, so that one proof shows the whole set. Key: empty."""

    height: Height
    """Height from which they are the cosigners."""
    cosigners: tuple[Cosigner, ...]
    """All of them."""


class Scheduled(Value, frozen=True):
    """A rule version that holds from a height on. Key: that height as u64."""

    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    """The rule version."""


class ProposalStatus(StrEnum):
    """Where a proposal stands. That its time is over is computed when it is read."""

    OPEN = "open"
    PASSED = "passed"
    FAILED = "failed"


PROPOSAL: Final[Mapping[tuple[ProposalStatus, str], ProposalStatus]] = {
    (ProposalStatus.OPEN, "enough for"): ProposalStatus.PASSED,
    (ProposalStatus.OPEN, "enough against"): ProposalStatus.FAILED,
    (ProposalStatus.OPEN, "undecided"): ProposalStatus.OPEN,
}
"""A proposal's life cycle: (status, what the count says) → status."""


class Proposal(Value, frozen=True):
    """An act that members vote on. Key: id of the transaction that proposed it."""

    proposer: MemberId
    """Who proposed it. Proposing is voting for it."""
    act: Act
    """What happens when it passes."""
    status: ProposalStatus
    """Where it stands."""
    opened: Time
    """Time of the block that proposed it, ms."""
    closes: Time
    """The last block time at which a ballot counts, ms."""
    changed: Height
    """Height at which it got its status."""


class Ballot(Value, frozen=True):
    """One member's vote. Key: proposal id, member id. Written once."""

    approve: bool
    """Whether the member wants the act."""
    height: Height
    """Height of the block that holds the vote."""


def member_key(member: str) -> bytes:
    """Return the key of a member's row."""
    return member.encode("ascii")


def keys_key(member: str, serial: int) -> bytes:
    """Return the key of one of a member's pairs of keys."""
    return member.encode("ascii") + b"/" + serial.to_bytes(4, "big")


def height_key(height: int) -> bytes:
    """Return the key of a row of the schedule."""
    return height.to_bytes(8, "big")


def _never_changes(_view: View, _key: bytes, before: R | None, after: R) -> bool:
    return before is None or before == after


def _has_keys(view: View, key: bytes, _before: Member | None, after: Member) -> bool:
    return view.get(KEYS, keys_key(key.decode("ascii"), after.serial)) is not None


def _moves_by_the_table(_view: View, _key: bytes, before: Member | None, after: Member) -> bool:
    standing = None if before is None else before.standing
    return standing == after.standing or (standing, after.standing) in _MOVES


def _decided_once(_view: View, _key: bytes, before: Proposal | None, after: Proposal) -> bool:
    return before is None or (before.status, after.status) in _DECISIONS


_DECISIONS: Final = frozenset((start, end) for (start, _), end in PROPOSAL.items())
_MOVES: Final = frozenset((start, end) for (start, _), end in STANDING.items())

KEYS: Final[Table[Keys]] = Table(
    NUMBER * 256 + 2, "membership.keys", Keys, (Invariant("a key stays as it was", _never_changes),)
)
MEMBERS: Final[Table[Member]] = Table(
    NUMBER * 256 + 1,
    "membership.members",
    Member,
    (
        Invariant("a member has keys", _has_keys),
        Invariant("a member's standing changes as its life cycle says", _moves_by_the_table),
    ),
)
KEY_USES: Final[Table[KeyUse]] = Table(
    NUMBER * 256 + 3, "membership.key-uses", KeyUse, (Invariant("a key serves once", _never_changes),)
)
VALIDATORS: Final[Table[Validator]] = Table(NUMBER * 256 + 4, "membership.validators", Validator)
COSIGNERS: Final[Table[Cosigners]] = Table(
    NUMBER * 256 + 5,
    "membership.cosigners",
    Cosigners,
    (Invariant("somebody cosigns", lambda _view, _key, _before, after: bool(after.cosigners)),),
)
PROPOSALS: Final[Table[Proposal]] = Table(
    NUMBER * 256 + 6, "membership.proposals", Proposal, (Invariant("a proposal is decided once", _decided_once),)
)
BALLOTS: Final[Table[Ballot]] = Table(
    NUMBER * 256 + 7, "membership.ballots", Ballot, (Invariant("a ballot stays as it was", _never_changes),)
)
PARAMETERS: Final[Table[Parameters]] = Table(NUMBER * 256 + 8, "membership.parameters", Parameters)
SCHEDULE: Final[Table[Scheduled]] = Table(
    NUMBER * 256 + 9, "membership.schedule", Scheduled, (Invariant("a schedule stays as it was", _never_changes),)
)
CERTIFIED: Final[Table[Certified]] = Table(NUMBER * 256 + 10, "membership.certified", Certified)
