"""What providers, payers and patients say of claims, and keepers of accumulators."""

from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.claims.state import MAX_CASES, Clock, Kind, Salt
from salus.contracts.fields import CaseId, Digest, MemberId
from salus.core.encoding import Message, Value

Cases = Annotated[tuple[CaseId, ...], Meta(min_length=1, max_length=MAX_CASES)]
"""1 to 1,000 case ids, ascending."""


class Submission(Value, frozen=True):
    """One claim or request on its way to a payer."""

    case: CaseId
    """16 random bytes, chosen by the provider."""
    payer: Digest
    """Salted digest of the payer's member id."""
    commitment: Digest
    """Commitment to the claim's sealed bytes."""


class Crossing(Value, frozen=True):
    """One claim that its first payer hands on to the payer that comes after."""

    case: CaseId
    """16 random bytes, chosen by the first payer: nothing ties the case to the one that it follows."""
    provider: MemberId
    """Whose claim it is."""
    payer: Digest
    """Salted digest of the member id of the payer that comes after."""
    commitment: Digest
    """Commitment to the claim with the first payer's decision."""


class Opening(Value, frozen=True):
    """Shows that a case is addressed to the payer that acts."""

    case: CaseId
    """The case."""
    salt: Salt
    """The salt of the payer's digest, which came sealed with the claim."""


class Statement(Value, frozen=True):
    """Something said in a case, by commitment."""

    case: CaseId
    """The case."""
    commitment: Digest
    """Commitment to the sealed document that says it."""


class Decided(Value, frozen=True):
    """One decision."""

    case: CaseId
    """The case."""
    commitment: Digest
    """Commitment over plan, rates, input, facts, output and rules version."""
    appeal_key: Digest
    """Digest of the one-time key that may appeal this decision: `port.appeal_key_digest`."""


class Submit(Message, frozen=True, tag="claims.submit"):
    """Commit claims before their first byte leaves, and start the clock of the answer. Sent by the provider."""

    kind: Kind
    """1 claim, 2 prior authorisation."""
    answer: Clock
    """Days to accept or refuse, from this block."""
    decide: Clock
    """Days to decide, from acceptance, information or reopening."""
    cases: Annotated[tuple[Submission, ...], Meta(min_length=1, max_length=MAX_CASES)]
    """The cases, ascending by id."""


class Cross(Message, frozen=True, tag="claims.cross"):
    """Hand claims on to the payer that comes after, as if their providers had submitted them. Sent by the first payer."""

    answer: Clock
    """Days to accept or refuse, from this block."""
    decide: Clock
    """Days to decide, from acceptance, information or reopening."""
    cases: Annotated[tuple[Crossing, ...], Meta(min_length=1, max_length=MAX_CASES)]
    """The cases, ascending by id."""


class Accept(Message, frozen=True, tag="claims.accept"):
    """Take cases for decision, and start the clock of the decision. Sent by the payer."""

    cases: Annotated[tuple[Opening, ...], Meta(min_length=1, max_length=MAX_CASES)]
    """The cases, ascending by id."""


class Refuse(Message, frozen=True, tag="claims.refuse"):
    """Refuse cases at the door, with a 277CA sealed to the provider. Sent by the payer."""

    cases: Annotated[tuple[Opening, ...], Meta(min_length=1, max_length=MAX_CASES)]
    """The cases, ascending by id."""


class Ask(Message, frozen=True, tag="claims.ask"):
    """Stop the clock of the decision and ask for information. Sent by the payer."""

    clock: Clock
    """Days to answer, from this block."""
    cases: Cases
    """The cases, ascending."""


class Inform(Message, frozen=True, tag="claims.inform"):
    """Answer what was asked; the clock of the decision starts anew. Sent by the provider."""

    cases: Annotated[tuple[Statement, ...], Meta(min_length=1, max_length=MAX_CASES)]
    """The cases, ascending by id, each with a commitment to the claim as completed."""


class Withdraw(Message, frozen=True, tag="claims.withdraw"):
    """Take back cases that are not decided. Sent by the provider."""

    cases: Cases
    """The cases, ascending."""


class Decide(Message, frozen=True, tag="claims.decide"):
    """Commit decisions, whatever they say. Sent by the payer."""

    cases: Annotated[tuple[Decided, ...], Meta(min_length=1, max_length=MAX_CASES)]
    """The cases, ascending by id."""


class Remit(Message, frozen=True, tag="claims.remit"):
    """Say that the remittance of decided cases was sent. Sent by the payer."""

    cases: Cases
    """The cases, ascending."""


class Reopen(Message, frozen=True, tag="claims.reopen"):
    """Have decided cases decided again: replacement, void, dispute, or the payer's correction. Sent by either party."""

    cases: Annotated[tuple[Statement, ...], Meta(min_length=1, max_length=MAX_CASES)]
    """The cases, ascending by id, each with a commitment to what is to be decided now."""


class Appeal(Message, frozen=True, tag="claims.appeal"):
    """Contest the latest decision of a case. Authored by its appeal key, through any member."""

    case: CaseId
    """The case."""
    commitment: Digest
    """Commitment to the sealed statement of the appeal."""


class OpenPlanYear(Message, frozen=True, tag="claims.open-plan-year"):
    """Say that the submitter keeps the accumulators of one plan and year. Sent by a payer."""

    year: CaseId
    """16 random bytes."""
    root: Digest
    """Root of the map of cells at the start."""


class AdvancePlanYear(Message, frozen=True, tag="claims.advance-plan-year"):
    """Commit a batch of moves by one root. Sent by the keeper."""

    year: CaseId
    """The plan year."""
    before: Digest
    """Root that the batch starts from."""
    root: Digest
    """Root that it ends in."""


_CASE: Final = bytes(range(16))
_DIGEST: Final = bytes(range(32))
_OPENING: Final = Opening(_CASE, bytes(16))
EXAMPLES: Final[tuple[Message, ...]] = (
    Submit(Kind.CLAIM, Clock.DAYS_3, Clock.DAYS_30, (Submission(_CASE, _DIGEST, _DIGEST),)),
    Cross(Clock.DAYS_3, Clock.DAYS_30, (Crossing(_CASE, "clinic-a", _DIGEST, _DIGEST),)),
    Accept((_OPENING,)),
    Refuse((_OPENING,)),
    Ask(Clock.DAYS_45, (_CASE,)),
    Inform((Statement(_CASE, _DIGEST),)),
    Withdraw((_CASE,)),
    Decide((Decided(_CASE, _DIGEST, _DIGEST),)),
    Remit((_CASE,)),
    Reopen((Statement(_CASE, _DIGEST),)),
    Appeal(_CASE, _DIGEST),
    OpenPlanYear(_CASE, _DIGEST),
    AdvancePlanYear(_CASE, _DIGEST, bytes(32)),
)
"""One example of each message, for the reference, `salus tx` and the tests."""
