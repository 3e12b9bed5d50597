"""The document that founds a ledger. Its digest is the network's id, so founders agree on it byte for byte."""

from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.fields import Time
from salus.contracts.membership.acts import admit, check_candidate, check_validators, settle
from salus.contracts.membership.constitution import MAX_MEMBERS, Candidate, Parameters, ValidatorChange
from salus.contracts.membership.state import (
    PARAMETERS,
    SCHEDULE,
    SINGLE,
    VALIDATORS,
    Scheduled,
    Validator,
    height_key,
    member_key,
)
from salus.core.encoding import MalformedBytes, Value, decode
from salus.core.rules import Context

FORMAT: Final = 1


class Genesis(Value, frozen=True):
    """What the founders agree on."""

    format: int
    """Format of this document, 1."""
    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,49}\Z")]
    """The network's name, for people; with CometBFT its chain id, hence at most 50 characters."""
    time: Time
    """Time of the founding, Unix ms."""
    rules: Annotated[int, Meta(ge=1, le=1_000_000)]
    """Rule version from the first block on."""
    parameters: Parameters
    """The network's parameters; `agreement` is the digest of what the founders signed on paper."""
    members: Annotated[tuple[Candidate, ...], Meta(min_length=1, max_length=MAX_MEMBERS)]
    """The founders, ascending by id."""
    validators: Annotated[tuple[ValidatorChange, ...], Meta(max_length=MAX_MEMBERS)] = ()
    """Who orders transactions, ascending by member; empty on an embedded ledger, where the owner does and all cosign."""
    origin: bytes = b""
    """Where a ledger that went on from another engine came from, encoded; empty for one that starts here."""


def found(ctx: Context, document: bytes) -> None:
    """Write the first rows from an encoded `Genesis`.

    Raises MalformedBytes for a document that is not one, or not of this time, and Rejected, with the reasons of an
    admission, for founders or validators that could not be admitted either.
    """
    genesis = decode(document, Genesis)
    if genesis.format != FORMAT:
        raise MalformedBytes(f"genesis format {genesis.format}, expected {FORMAT}")
    if genesis.origin:
        raise MalformedBytes("this genesis goes on from another ledger; its state comes as a snapshot")
    if genesis.time != ctx.time:
        raise MalformedBytes(f"genesis of {genesis.time} founded at {ctx.time}")
    names = [member.id for member in genesis.members]
    if names != sorted(names):
        raise MalformedBytes("the founders are not ascending by id")
    ctx.put(PARAMETERS, SINGLE, genesis.parameters)
    ctx.put(SCHEDULE, height_key(0), Scheduled(genesis.rules))
    for candidate in genesis.members:
        check_candidate(ctx, candidate)
        admit(ctx, candidate)
    if genesis.validators:
        check_validators(ctx, genesis.validators)
    for validator in genesis.validators:
        ctx.put(VALIDATORS, member_key(validator.member), Validator(validator.consensus_key, validator.power))
    settle(ctx)
