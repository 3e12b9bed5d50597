"""What members of a trial send each other and keep: values with the place on the desk where each lies.

definition   sponsor → parties, sites            protocol, terms and analysis plan of one version
key words    trustee → trustee                   what trustees said while they make the key, and the sender's share of it
supply       dispenser → dispenser               block sizes, keys, kits
stratum key  dispenser → site                    what stratum tags are made with
evidence     site → dispensers                   consent and eligibility behind an enrolment
partials     trustee → dispensers                signatures for one draw and its seal
kit          dispenser → site                    the kit of an enrolment, not its arm
opening      who asks → trustees                 which allocation is to be opened
partial      trustee → who asked                 its signature of that one seal
envelope     dispenser → emergency service       what opens one allocation
acts         site → sponsor, statistician        anchored acts of a participant
rows         statistician → sponsor, coordinator what is locked
draws        dispenser → statistician            all signatures, after the unblinding
statement    site → sponsor                      what the site is to be paid
"""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from salus.agreements.key_words import Exclusion, Word
from salus.agreements.trials.acts import SignedAct
from salus.agreements.trials.consenting import ConsentProof
from salus.agreements.trials.payments import Statement
from salus.contracts.trials import port
from salus.core.encoding import Value, decode, encode
from salus.node.errors import NotFound
from salus.node.member import MemberNode
from salus.vault.served import Served

V = TypeVar("V", bound=Value)


class Definition(Value, frozen=True):
    """A study definition. Key: study 16 | version u16."""

    study: bytes
    number: int
    height: int
    """Height at which the sender's ledger holds its commitment."""
    protocol: bytes
    terms: bytes
    analysis: bytes
    forms: bytes = b""
    """ODM; empty: forms are those of the protocol's concepts."""
    findings: bytes = b""
    """What rules of others found in the protocol; empty: none judged it."""


class KeyAsked(Value, frozen=True):
    """A key that this trustee makes with others. Key: study 16."""

    trustees: tuple[str, ...]
    threshold: int
    patience: int
    """How long another is waited for before it is complained of, ms."""


class OwnDealing(Value, frozen=True):
    """What this trustee dealt in one run. Key: key's id 32 | run u64."""

    commitments: tuple[bytes, ...]
    shares: tuple[bytes, ...]
    """Trustee 1 first."""
    at: int
    """When it was dealt, ms."""


class ReceivedShare(Value, frozen=True):
    """A share as its dealer sent it. Key: key's id 32 | run u64 | dealer u8."""

    share: bytes


class KeyWord(Value, frozen=True):
    """What a trustee said. Key: key's id 32 | run u64 | digest 32."""

    word: Word
    at: int
    """When it came here, ms."""


class DealerExcluded(Value, frozen=True):
    """Why a run is repeated without a dealer. Key: key's id 32 | dealer u8."""

    exclusion: Exclusion
    told: str


class ToldWords(Value, frozen=True):
    """What another trustee was told last. Key: key's id 32 | trustee u8."""

    digest: bytes


class KeyWords(Value, frozen=True):
    """What one trustee tells another of a key: all that it knows of the newest run."""

    study: bytes
    trustees: tuple[str, ...]
    threshold: int
    excluded: tuple[Exclusion, ...]
    """What shows that the run is without its dealers."""
    words: tuple[Word, ...]
    share: bytes
    """The sender's, as dealer, for the receiver; empty where the receiver has it."""


class Dealing(Value, frozen=True):
    """One dealer's part of a finished threshold key, as one trustee holds it. Key: study 16 | dealer's number u8."""

    study: bytes
    trustees: tuple[str, ...]
    """Member ids, trustee 1 first."""
    threshold: int
    dealer: int
    commitments: tuple[bytes, ...]
    share: bytes


class Supply(Value, frozen=True):
    """What dispensers alone know. Key: study 16."""

    study: bytes
    sizes: tuple[int, ...]
    size_key: bytes
    kit_key: bytes
    stratum_key: bytes
    kits: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    """By site (kit, arm)."""


class StratumKey(Value, frozen=True):
    """What a site makes stratum tags with. Key: study 16."""

    study: bytes
    key: bytes


class Subject(Value, frozen=True):
    """A participant at a site. Key: study 16 | subject 16."""

    link: bytes
    seed: bytes
    """Of the one-time key that authored consent; empty where the participant's wallet holds it."""
    proof: ConsentProof
    way: str
    enrolment: bytes = b""
    """Empty before the enrolment."""
    enrolment_seed: bytes = b""
    """Of the one-time key that authors the enrolment: kept first, so that a crash repeats it and draws nothing twice."""
    sent: int = 0
    """Acts sent so far."""
    withdrawn: str = ""
    """From what the wallet said it withdraws; empty if it did not."""
    evidenced: bool = False
    """Whether the evidence behind the enrolment is on its way to every dispenser: before, a repeated enrolment sends it."""


class Superseded(Value, frozen=True):
    """A consent that a later one took the place of. Key: study 16 | subject 16 | grant 32."""

    proof: ConsentProof
    way: str


class Evidence(Value, frozen=True):
    """Consent and eligibility behind an enrolment. Key: enrolment 32."""

    study: bytes
    enrolment: bytes
    height: int
    consent: ConsentProof
    consent_salt: bytes
    eligibility_salt: bytes
    eligible: SignedAct
    """The investigator's signature."""
    investigator: bytes
    """The principal investigator's key."""
    delegated: tuple[SignedAct, ...]


class SentPartials(Value, frozen=True):
    """A trustee's signatures for one enrolment. Key: enrolment 32 | trustee u8."""

    enrolment: bytes
    trustee: int
    draw: bytes
    seal: bytes


class PartialsBatch(Value, frozen=True):
    """A trustee's signatures for several enrolments of a study."""

    study: bytes
    height: int
    """Height at which the trustee's ledger holds the enrolments."""
    partials: tuple[SentPartials, ...]


class AskedOpening(Value, frozen=True):
    """An opening as who asks tells the trustees, and as both keep it. Key: case 16."""

    study: bytes
    case: bytes
    enrolment: bytes
    salt: bytes
    """Of the register's commitment."""
    kind: int
    requester: str
    height: int
    """Height at which the requester's ledger holds the case; 0 before."""


class OpeningPartial(Value, frozen=True):
    """A trustee's signature of the seal of one allocation, for who asked. Key: case 16 | trustee u8."""

    case: bytes
    trustee: int
    height: int
    """Height at which the trustee's ledger holds that it agreed."""
    seal: bytes


class Envelope(Value, frozen=True):
    """One allocation with what opens it. Key: enrolment 32."""

    study: bytes
    enrolment: bytes
    draw: bytes
    """The draw's signature; empty for the emergency service."""
    seal: bytes
    ciphertext: bytes
    arm: int
    kit: str


class EnvelopeBatch(Value, frozen=True):
    """Envelopes for the emergency service."""

    study: bytes
    envelopes: tuple[Envelope, ...]


class KitGiven(Value, frozen=True):
    """The kit of an enrolment. Key: enrolment 32."""

    enrolment: bytes
    kit: str


class KitBatch(Value, frozen=True):
    """Kits for a site."""

    study: bytes
    kits: tuple[KitGiven, ...]


class Rooted(Value, frozen=True):
    """A root and the transaction that anchored it."""

    root: bytes
    tx_id: bytes


class SentActs(Value, frozen=True):
    """Acts of one participant, sealed records with what opens and proves them."""

    study: bytes
    subject: bytes
    height: int
    investigator: bytes
    delegated: tuple[SignedAct, ...]
    records: tuple[Served, ...]
    roots: tuple[Rooted, ...]


class KeptAct(Value, frozen=True):
    """An act of another member's site. Key: study 16 | site, padded to 32 | subject 16 | number u32."""

    act: bytes
    signature: bytes
    at: int
    """Block time of its anchor, ms."""


class ActProof(Value, frozen=True):
    """What shows when an act of another member's site was anchored. Key: as the act's; the last of what one signature covers."""

    link: bytes
    """The site's link id, in the record's header."""
    data_key: bytes
    salt: bytes
    chain: bytes
    version: int
    recorded: int
    root: bytes
    size: int
    index: int
    path: tuple[bytes, ...]
    tx_id: bytes
    """Of the transaction that anchored the root."""


class ErasedAct(Value, frozen=True):
    """An act of the own site that is erased: where its leaf lies."""

    leaf: bytes
    batch: int
    index: int


class ErasedSubject(Value, frozen=True):
    """A participant of the own site whose record is deleted: no person can be told from it. Key: study 16 | 16 random bytes."""

    acts: tuple[ErasedAct, ...]


class Delegated(Value, frozen=True):
    """A site's investigator and delegations. Key: study 16 | site, padded to 32."""

    investigator: bytes
    acts: tuple[SignedAct, ...]


class Rows(Value, frozen=True):
    """What is locked. Key: study 16."""

    study: bytes
    height: int
    rows: tuple[bytes, ...]
    tables: tuple[bytes, ...]
    """Columns and rows of the SDTM tables, canonical, ascending."""


class Draws(Value, frozen=True):
    """Every draw of a study with the dispensers' secrets, published after the unblinding. Key: study 16 | dispenser."""

    study: bytes
    height: int
    supply: Supply
    draws: tuple[Envelope, ...]


class SentStatement(Value, frozen=True):
    """What a site is to be paid, with what opens its commitment. Key: study 16 | number u16 | site."""

    statement: Statement
    salt: bytes
    height: int
    """Height at which the site's ledger holds the commitment; 0 before."""


class EventJudged(Value, frozen=True):
    """A SUSAR whose deadline the sponsor started. Key: study 16 | subject 16 | number of the act u32."""

    case: bytes
    """Of the deadline."""
    salt: bytes
    """Of the commitment to the event."""
    told: str
    """Why it is one."""


KINDS: Final = {
    "definition": Definition,
    "key-asked": KeyAsked,
    "own-dealing": OwnDealing,
    "share": ReceivedShare,
    "key-word": KeyWord,
    "dealer-excluded": DealerExcluded,
    "told-words": ToldWords,
    "dealing": Dealing,
    "supply": Supply,
    "stratum-key": StratumKey,
    "subject": Subject,
    "superseded": Superseded,
    "evidence": Evidence,
    "partials": SentPartials,
    "asked": AskedOpening,
    "opening": OpeningPartial,
    "envelope": Envelope,
    "kit": KitGiven,
    "act": KeptAct,
    "proof": ActProof,
    "erased": ErasedSubject,
    "delegated": Delegated,
    "rows": Rows,
    "draws": Draws,
    "event": EventJudged,
    "statement": SentStatement,
}
_NAMES: Final = {type_: name for name, type_ in KINDS.items()}


def statement_key(statement: Statement) -> bytes:
    """Return the key of a site's statement."""
    return port.payment_key(statement.study, statement.site, statement.number)


def keep(node: MemberNode, key: bytes, value: Value) -> None:
    """Keep a value under its kind and key."""
    node.desk.keep_trial(_NAMES[type(value)], key, encode(value))


def keep_all(node: MemberNode, values: Sequence[tuple[bytes, Value]]) -> None:
    """Keep several values under their kinds and keys, all or none."""
    node.desk.keep_trials([(_NAMES[type(value)], key, encode(value)) for key, value in values])


def replace_all(
    node: MemberNode, gone: Sequence[tuple[type[Value], bytes]], values: Sequence[tuple[bytes, Value]]
) -> None:
    """Drop values by kind and key for good, and keep others in their place, all or none."""
    node.desk.replace_trials(
        [(_NAMES[type_], key) for type_, key in gone],
        [(_NAMES[type(value)], key, encode(value)) for key, value in values],
    )


def kept(node: MemberNode, type_: type[V], prefix: bytes = b"") -> Iterator[tuple[bytes, V]]:
    """Yield (key, value) of a kind under a prefix, ascending by key."""
    for key, body in node.desk.trials(_NAMES[type_], prefix):
        yield key, decode(body, type_)


def one(node: MemberNode, type_: type[V], key: bytes) -> V:
    """Return what is kept under a key. Raises NotFound."""
    found = next((value for at, value in kept(node, type_, key) if at == key), None)
    if found is None:
        raise NotFound(
            "trials.unknown",
            f"no {_NAMES[type_]} is kept here",
            got=key.hex()[:32],
            todo="wait for its sender",
        )
    return found


def site_key(study: bytes, site: str) -> bytes:
    """Return the key under which a site's acts begin."""
    return study + site.encode("ascii").ljust(32, b"\0")
