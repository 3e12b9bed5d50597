"""What custodians, researchers and those who sign with them say of research."""

from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.fields import CaseId, Digest, Time
from salus.contracts.research.duo import Policy, Purpose
from salus.contracts.research.state import Basis, DataSets, Members, Rho, Square, Way
from salus.core.encoding import Message


class Offer(Message, frozen=True, tag="research.offer"):
    """Offer a data set to research. What it may be used for never changes: other terms are another data set."""

    data_set: CaseId
    """16 random bytes."""
    terms: Digest
    """SHA-256 of the data-use agreement."""
    policy: Policy
    """What the data may be used for, in DUO's terms."""
    basis: Basis
    """1 persons are counted by consent, 2 unless they object."""
    ways: Annotated[tuple[Way, ...], Meta(min_length=1, max_length=3)]
    """The ways out, ascending: exact, extract, noisy."""
    smallest: Annotated[int, Meta(ge=3, le=1000)] = 10
    """k: no exact result rests on fewer persons."""
    permit_rho: Rho = 1_000_000
    """What one permit may spend, micro-ρ."""
    co_signers: Members = ()
    """Members that must sign a permit too, ascending."""


class Apply(Message, frozen=True, tag="research.apply"):
    """Ask for a permit. Refused by every node alike if the study does not fit one of the data sets."""

    permit: CaseId
    """16 random bytes."""
    data_sets: DataSets
    """The data sets asked for, ascending."""
    purpose: Purpose
    """What the study is, in DUO's terms."""
    summary: Annotated[str, Meta(min_length=1, max_length=1000)]
    """The study in plain words, as patients read it."""
    ends: Time
    """Until when, ms."""
    ethics: Annotated[bytes, Meta(max_length=32)] = b""
    """SHA-256 of the ethics approval, or empty."""
    records: bool = False
    """Whether extracts of persons' rows are asked for: whoever signs the permit agrees to them."""


class Sign(Message, frozen=True, tag="research.sign"):
    """Agree to a permit at a data set."""

    permit: CaseId
    """The permit."""
    data_set: CaseId
    """The data set."""


class Refuse(Message, frozen=True, tag="research.refuse"):
    """Refuse a permit at a data set, or end it."""

    permit: CaseId
    """The permit."""
    data_set: CaseId
    """The data set."""


class Register(Message, frozen=True, tag="research.register"):
    """Put a question on record before it runs, and reserve its charge in all data sets or none."""

    query: CaseId
    """16 random bytes."""
    permit: CaseId
    """The permit."""
    data_sets: DataSets
    """Who is asked, ascending."""
    commitment: Digest
    """Over the query document, salted."""
    way: Way
    """How the answer leaves."""
    sensitivity: Square = 0
    """Δ²: the square of how far one person can move the answer; 0 for exact."""
    variance: Square = 0
    """σ² of the noise that each custodian adds, in the same unit; 0 for exact."""


class Begin(Message, frozen=True, tag="research.begin"):
    """Begin a question: its charge is spent."""

    query: CaseId
    """The query."""
    data_set: CaseId
    """The data set."""
    population: Digest
    """Root of the sparse Merkle map of those counted. Says nothing of how many."""


class Answer(Message, frozen=True, tag="research.answer"):
    """Commit to an answer before it leaves."""

    query: CaseId
    """The query."""
    data_set: CaseId
    """The data set."""
    answer: Digest
    """Salted commitment to the answer."""


class Withhold(Message, frozen=True, tag="research.withhold"):
    """Say that no answer leaves. The reason stays with the output checker."""

    query: CaseId
    """The query."""
    data_set: CaseId
    """The data set."""


class Fail(Message, frozen=True, tag="research.fail"):
    """Say that a question that was begun could not be answered."""

    query: CaseId
    """The query."""
    data_set: CaseId
    """The data set."""


class Retry(Message, frozen=True, tag="research.retry"):
    """Go on with an exact question without custodians that dropped out: a new attempt, fresh seeds, at most three."""

    query: CaseId
    """The query."""
    dropped: DataSets
    """The data sets that dropped out, ascending: begun, and now failed; or withheld or failed on their own word."""


class Release(Message, frozen=True, tag="research.release"):
    """Return the charge of a part that was not begun in time. Any member may say so."""

    query: CaseId
    """The query."""
    data_set: CaseId
    """The data set."""


class Attest(Message, frozen=True, tag="research.attest"):
    """Attest that every copy of an extract is deleted. Due when the permit ends; from then on whoever lacks it is overdue."""

    query: CaseId
    """The query."""
    data_set: CaseId
    """The data set."""


class Publish(Message, frozen=True, tag="research.publish"):
    """Publish the result once every part has ended."""

    query: CaseId
    """The query."""
    result: Digest
    """SHA-256 of the bundle."""


_A, _B, _C, _D = (bytes([n]) * 16 for n in (1, 2, 3, 4))
EXAMPLES: Final[tuple[Message, ...]] = (
    Offer(_A, bytes(range(32)), Policy(6, (21, 46)), Basis.CONSENT, (Way.EXACT, Way.NOISY)),
    Apply(
        _B, (_A,), Purpose((37,), commercial=False), "Does exercise lower blood pressure?", 1_800_000_000_000, bytes(32)
    ),
    Sign(_B, _A),
    Refuse(_B, _A),
    Register(_C, _B, (_A,), bytes(range(32)), Way.NOISY, 1, 2500),
    Begin(_C, _A, bytes(range(32))),
    Answer(_C, _A, bytes(range(32))),
    Withhold(_C, _A),
    Fail(_C, _A),
    Retry(_C, (_A,)),
    Release(_C, _A),
    Attest(_C, _A),
    Publish(_C, bytes(range(32))),
)
"""One example of each message, for the reference, `salus tx` and the tests."""
