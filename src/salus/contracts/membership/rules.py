"""The membership contract, rule version 1: who may submit, and the messages of the constitution."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from msgspec import structs

from salus.contracts.contract import Contract
from salus.contracts.membership.acts import (
    active,
    carry_out,
    check,
    check_keys,
    give_keys,
    keys_of,
    parameters,
    put_member,
    settle,
    subject,
    tag,
    threshold,
)
from salus.contracts.membership.constitution import Act, ActivateRules, Admit, SetParameters, SetValidators
from salus.contracts.membership.messages import EXAMPLES, Certify, Move, Propose, RotateKeys, Vote
from salus.contracts.membership.reasons import MembershipReason
from salus.contracts.membership.state import (
    BALLOTS,
    CERTIFIED,
    COSIGNERS,
    KEY_USES,
    KEYS,
    MEMBERS,
    NUMBER,
    PARAMETERS,
    PROPOSAL,
    PROPOSALS,
    SCHEDULE,
    VALIDATORS,
    Ballot,
    Certified,
    Proposal,
    ProposalStatus,
    Standing,
    member_key,
)
from salus.core.encoding import Message
from salus.core.errors import Rejected
from salus.core.rules import Context, Rule
from salus.core.tables import View

STATUS_NUMBER: Final[Mapping[ProposalStatus, int]] = {
    ProposalStatus.OPEN: 0,
    ProposalStatus.PASSED: 1,
    ProposalStatus.FAILED: 2,
}
"""A proposal's status as it stands in result data."""


def authorise(state: View, member: str, signing_key: bytes) -> None:
    """Let an active member submit with its key in force. Raises Rejected."""
    row = state.get(MEMBERS, member_key(member))
    if row is None:
        raise Rejected(MembershipReason.UNKNOWN_MEMBER, member=member)
    if row.standing is not Standing.ACTIVE:
        raise Rejected(MembershipReason.NOT_ACTIVE, member=member, standing=row.standing.value)
    if keys_of(state, member, row.serial).signing_key != signing_key:
        raise Rejected(MembershipReason.NOT_CURRENT_KEY, member=member)


def version_at(state: View, height: int) -> int:
    """Return the rule version in force at `height`; 1 on a ledger that is only being founded."""
    version = 1
    for key, scheduled in state.range(SCHEDULE):
        if int.from_bytes(key, "big") <= height:
            version = scheduled.version
    return version


def propose(ctx: Context, message: Propose) -> bytes:
    """Open a proposal with its proposer's ballot; alone in the network, that decides. Returns as `vote`."""
    check(ctx, message.act)

    proposal = Proposal(
        proposer=ctx.submitter,
        act=message.act,
        status=ProposalStatus.OPEN,
        opened=ctx.time,
        closes=ctx.time + parameters(ctx.state).proposal_period,
        changed=ctx.height,
    )
    return _count(ctx, ctx.tx_id, proposal, {ctx.submitter: True})


def vote(ctx: Context, message: Vote) -> bytes:
    """Cast a ballot and, if the count now decides, carry out the act.

    Returns proposal id 32 | status u8 (0 open, 1 passed, 2 failed) | ballots for u16 | against u16 | active members
    u16 | the act's tag, and `:` with the member it names, ASCII. The act itself is in the body that the id names.
    """
    proposal = ctx.get(PROPOSALS, message.proposal)
    if proposal is None:
        raise Rejected(MembershipReason.NO_SUCH_PROPOSAL, proposal=message.proposal.hex())
    if proposal.status is not ProposalStatus.OPEN or ctx.time > proposal.closes:
        raise Rejected(MembershipReason.PROPOSAL_CLOSED, status=proposal.status.value, closes=proposal.closes)
    cast = {key[32:].decode("ascii"): ballot.approve for key, ballot in ctx.range(BALLOTS, message.proposal)}
    if ctx.submitter in cast:
        raise Rejected(MembershipReason.ALREADY_VOTED, member=ctx.submitter)

    return _count(ctx, message.proposal, proposal, {**cast, ctx.submitter: message.approve})


def _count(ctx: Context, number: bytes, proposal: Proposal, cast: dict[str, bool]) -> bytes:
    """Count the ballots of those who are active now, with the submitter's, which is new."""
    electorate = [member for member, _ in active(ctx.state)]
    approve = sum(1 for member in electorate if cast.get(member) is True)
    oppose = sum(1 for member in electorate if cast.get(member) is False)
    needed = threshold(parameters(ctx.state).thresholds, proposal.act).needed(len(electorate))
    verdict = "undecided"
    if approve >= needed:
        check(ctx, proposal.act)
        verdict = "enough for"
    elif len(electorate) - oppose < needed:
        verdict = "enough against"

    status = PROPOSAL[proposal.status, verdict]
    ballot = Ballot(cast[ctx.submitter], ctx.height)
    ctx.insert(BALLOTS, number + member_key(ctx.submitter), ballot)
    ctx.put(PROPOSALS, number, structs.replace(proposal, status=status, changed=ctx.height))
    if status is ProposalStatus.PASSED:
        carry_out(ctx, proposal.act)
    counts = b"".join(count.to_bytes(2, "big") for count in (approve, oppose, len(electorate)))
    return number + STATUS_NUMBER[status].to_bytes(1, "big") + counts + _named(proposal.act)


def _named(act: Act) -> bytes:
    """Return an act's tag and the member it names, if it names one."""
    match act:
        case Admit():
            return f"{tag(act)}:{act.candidate.id}".encode("ascii")
        case SetValidators() | SetParameters() | ActivateRules():
            return tag(act).encode("ascii")
        case _:
            return f"{tag(act)}:{act.member}".encode("ascii")


def rotate_keys(ctx: Context, message: RotateKeys) -> bytes:
    """Give the submitter new keys. Returns serial u32 | new signing key 32 | member id, ASCII."""
    check_keys(ctx, ctx.submitter, message.signing_key, message.receive_key, message.possession)

    serial = give_keys(ctx, ctx.submitter, message.signing_key, message.receive_key)
    settle(ctx)
    return serial.to_bytes(4, "big") + message.signing_key + ctx.submitter.encode("ascii")


def move(ctx: Context, message: Move) -> bytes:
    """Give the submitter's node a new address. Returns the address, ASCII."""
    member = subject(ctx.state, ctx.submitter)

    put_member(ctx, ctx.submitter, structs.replace(member, endpoint=message.endpoint))
    return message.endpoint.encode("ascii")


def certify(ctx: Context, message: Certify) -> bytes:
    """Tie the submitter's node to TLS keys. Returns the keys, 32 bytes each | member id, ASCII."""
    if any(first >= second for first, second in pairwise(message.keys)):
        raise Rejected(MembershipReason.UNORDERED, what="keys")

    ctx.put(CERTIFIED, member_key(ctx.submitter), Certified(message.keys, ctx.height))
    return b"".join(message.keys) + ctx.submitter.encode("ascii")


RULES: Final[Mapping[type[Message], Rule]] = {
    Propose: Rule(propose, authored=False),
    Vote: Rule(vote, authored=False),
    RotateKeys: Rule(rotate_keys, authored=False),
    Move: Rule(move, authored=False),
    Certify: Rule(certify, authored=False),
}
CONTRACT: Final = Contract(
    number=NUMBER,
    name="membership",
    rules=RULES,
    tables=(MEMBERS, KEYS, KEY_USES, VALIDATORS, COSIGNERS, PROPOSALS, BALLOTS, PARAMETERS, SCHEDULE, CERTIFIED),
    reasons=MembershipReason,
    examples=EXAMPLES,
)
