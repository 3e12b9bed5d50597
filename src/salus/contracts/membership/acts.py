"""How an act of the constitution is carried out: what must hold, then what is written.

Every act is checked twice by the same code: when it is proposed, so that nobody votes on the impossible, and when the
count decides, because the state has moved on.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, assert_never

from msgspec import structs

from salus.contracts.membership.constitution import (
    MAX_MEMBERS,
    Act,
    ActivateRules,
    Admit,
    Amend,
    Candidate,
    Parameters,
    Reinstate,
    Remove,
    ReplaceKeys,
    Role,
    SetParameters,
    SetValidators,
    Suspend,
    Threshold,
    Thresholds,
    ValidatorChange,
)
from salus.contracts.membership.reasons import MembershipReason
from salus.contracts.membership.state import (
    COSIGNERS,
    KEY_USES,
    KEYS,
    MEMBERS,
    PARAMETERS,
    SCHEDULE,
    SINGLE,
    STANDING,
    VALIDATORS,
    Cosigner,
    Cosigners,
    Keys,
    KeyUse,
    Member,
    Scheduled,
    Standing,
    Validator,
    height_key,
    keys_key,
    member_key,
)
from salus.core.errors import InvariantBroken, Rejected
from salus.core.proof.digest import framed
from salus.core.proof.ed25519 import verify
from salus.core.rules import Context
from salus.core.tables import View

POSSESSION_LABEL: Final = "salus/v1/membership/possession"


def possession_bytes(member: str, signing_key: bytes, receive_key: bytes) -> bytes:
    """Return what the new signing key signs to show that `member` holds it and stands by the receive key."""
    return framed(POSSESSION_LABEL, (member.encode("ascii"), signing_key, receive_key))


# Reading ------------------------------------------------------------------------------------------------------------


def parameters(state: View) -> Parameters:
    """Return the network's parameters in force."""
    row = state.get(PARAMETERS, SINGLE)
    if row is None:
        raise InvariantBroken("a ledger without parameters")
    return row


def active(state: View) -> Iterator[tuple[str, Member]]:
    """Yield (id, member) of the active members, ascending by id."""
    for key, member in state.range(MEMBERS):
        if member.standing is Standing.ACTIVE:
            yield key.decode("ascii"), member


def keys_of(state: View, member: str, serial: int) -> Keys:
    """Return one of a member's pairs of keys."""
    row = state.get(KEYS, keys_key(member, serial))
    if row is None:
        raise InvariantBroken(f"{member} has no keys {serial}")
    return row


def subject(state: View, member: str) -> Member:
    """Return the member that an act names. Raises Rejected(NO_SUCH_MEMBER)."""
    row = state.get(MEMBERS, member_key(member))
    if row is None:
        raise Rejected(MembershipReason.NO_SUCH_MEMBER, member=member)
    return row


def threshold(thresholds: Thresholds, act: Act) -> Threshold:
    """Return the threshold of an act: the field named by its tag."""
    found: Threshold = getattr(thresholds, tag(act).replace("-", "_"))
    return found


def tag(act: Act) -> str:
    """Return an act's tag, such as `replace-keys`."""
    return str(type(act).__struct_config__.tag)


# Checking -----------------------------------------------------------------------------------------------------------


def check(ctx: Context, act: Act) -> None:
    """Check that `act` could be carried out now. Raises Rejected."""
    match act:
        case Admit():
            if act.agreement != parameters(ctx.state).agreement:
                raise Rejected(MembershipReason.OTHER_AGREEMENT, got=act.agreement.hex()[:16])
            check_candidate(ctx, act.candidate)
        case Suspend() | Reinstate() | Remove():
            next_standing(subject(ctx.state, act.member), act)
            if not isinstance(act, Reinstate):
                check_not_last(ctx, act.member)
        case ReplaceKeys():
            check_not_removed(act.member, subject(ctx.state, act.member))
            check_keys(ctx, act.member, act.signing_key, act.receive_key, act.possession)
        case Amend():
            check_not_removed(act.member, subject(ctx.state, act.member))
            check_roles(act.roles)
        case SetValidators():
            check_validators(ctx, act.changes)
        case ActivateRules():
            check_schedule(ctx, act)
        case SetParameters():
            pass  # their limits are in their types, and every value within them can be lived with
        case _:
            assert_never(act)


def check_candidate(ctx: Context, candidate: Candidate) -> None:
    """Check a founder or a candidate. Raises Rejected."""
    if ctx.get(MEMBERS, member_key(candidate.id)) is not None:
        raise Rejected(MembershipReason.ID_TAKEN, member=candidate.id)
    if sum(1 for _, member in ctx.range(MEMBERS) if member.standing is not Standing.REMOVED) >= MAX_MEMBERS:
        raise Rejected(MembershipReason.TOO_MANY_MEMBERS, most=MAX_MEMBERS)
    check_roles(candidate.roles)
    check_keys(ctx, candidate.id, candidate.signing_key, candidate.receive_key, candidate.possession)


def check_roles(roles: tuple[Role, ...]) -> None:
    """Check that a set of roles is written in its one way. Raises Rejected(UNORDERED)."""
    if any(first >= second for first, second in pairwise(roles)):
        raise Rejected(MembershipReason.UNORDERED, what="roles")


def check_keys(ctx: Context, member: str, signing_key: bytes, receive_key: bytes, possession: bytes) -> None:
    """Check new keys: never used, and held. Raises Rejected(KEY_USED or NO_POSSESSION)."""
    if ctx.get(KEY_USES, signing_key) is not None:
        raise Rejected(MembershipReason.KEY_USED, member=member)
    if not verify(signing_key, possession_bytes(member, signing_key, receive_key), possession):
        raise Rejected(MembershipReason.NO_POSSESSION, member=member)


def next_standing(member: Member, act: Suspend | Reinstate | Remove) -> Standing:
    """Return the standing that the life cycle gives after `act`. Raises Rejected(WRONG_STANDING)."""
    standing = STANDING.get((member.standing, tag(act)))
    if standing is None:
        raise Rejected(MembershipReason.WRONG_STANDING, member=act.member, standing=member.standing.value)
    return standing


def check_not_removed(id_: str, member: Member) -> None:
    """Check that a member may come back at all. Raises Rejected(WRONG_STANDING)."""
    if member.standing is Standing.REMOVED:
        raise Rejected(MembershipReason.WRONG_STANDING, member=id_, standing=member.standing.value)


def check_not_last(ctx: Context, leaving: str) -> None:
    """Check that somebody submits and orders when `leaving` no longer does. Raises Rejected."""
    if all(member == leaving for member, _ in active(ctx.state)):
        raise Rejected(MembershipReason.LAST_MEMBER, member=leaving)
    powers = {key: row.power for key, row in ctx.range(VALIDATORS)}
    if powers.pop(member_key(leaving), 0) and not any(powers.values()):
        raise Rejected(MembershipReason.LAST_VALIDATOR, member=leaving)


def check_validators(ctx: Context, changes: tuple[ValidatorChange, ...]) -> None:
    """Check a change of validators: active members, each once, each with a key of its own, power left. Raises Rejected."""
    names = [change.member for change in changes]
    if any(first >= second for first, second in pairwise(names)):
        raise Rejected(MembershipReason.UNORDERED, what="validators")
    after = {key.decode("ascii"): row for key, row in ctx.range(VALIDATORS)}
    for change in changes:
        member = subject(ctx.state, change.member)
        if change.power and member.standing is not Standing.ACTIVE:
            raise Rejected(MembershipReason.WRONG_STANDING, member=change.member, standing=member.standing.value)
        after[change.member] = Validator(change.consensus_key, change.power)
    owners: dict[bytes, str] = {}
    for name, row in after.items():
        if owners.setdefault(row.consensus_key, name) != name:
            raise Rejected(MembershipReason.CONSENSUS_KEY_TAKEN, member=name, by=owners[row.consensus_key])
    if not any(row.power for row in after.values()):
        raise Rejected(MembershipReason.LAST_VALIDATOR)


def check_schedule(ctx: Context, act: ActivateRules) -> None:
    """Check that versions and heights only rise, and that the height is still to come. Raises Rejected(NOT_NEWER)."""
    *_, (last_key, last) = ctx.range(SCHEDULE)
    last_height = int.from_bytes(last_key, "big")
    if act.version <= last.version or act.height <= max(last_height, ctx.height):
        raise Rejected(MembershipReason.NOT_NEWER, version=last.version, height=max(last_height, ctx.height))


# Writing ------------------------------------------------------------------------------------------------------------


def carry_out(ctx: Context, act: Act) -> None:
    """Write what `act`, which has been checked, changes."""
    match act:
        case Admit():
            admit(ctx, act.candidate)
        case Suspend() | Reinstate() | Remove():
            member = subject(ctx.state, act.member)
            standing = next_standing(member, act)
            put_member(ctx, act.member, structs.replace(member, standing=standing, since=ctx.height))
            validator = ctx.get(VALIDATORS, member_key(act.member))
            if validator is not None:
                # A reinstated member has no power until a proposal gives it some: its node may be far behind.
                ctx.put(VALIDATORS, member_key(act.member), structs.replace(validator, power=0))
        case ReplaceKeys():
            give_keys(ctx, act.member, act.signing_key, act.receive_key)
        case Amend():
            member = subject(ctx.state, act.member)
            changed = structs.replace(member, name=act.name, roles=act.roles, jurisdiction=act.jurisdiction)
            put_member(ctx, act.member, changed)
        case SetValidators():
            for change in act.changes:
                ctx.put(VALIDATORS, member_key(change.member), Validator(change.consensus_key, change.power))
        case SetParameters():
            ctx.put(PARAMETERS, SINGLE, act.parameters)
        case ActivateRules():
            ctx.insert(SCHEDULE, height_key(act.height), Scheduled(act.version))
        case _:
            assert_never(act)
    settle(ctx)


def admit(ctx: Context, candidate: Candidate) -> None:
    """Write a checked founder or candidate."""
    put_keys(ctx, candidate.id, 1, candidate.signing_key, candidate.receive_key)
    put_member(
        ctx,
        candidate.id,
        Member(
            name=candidate.name,
            roles=candidate.roles,
            jurisdiction=candidate.jurisdiction,
            endpoint=candidate.endpoint,
            standing=STANDING[None, "admit"],
            serial=1,
            since=ctx.height,
        ),
    )


def give_keys(ctx: Context, member: str, signing_key: bytes, receive_key: bytes) -> int:
    """Write checked new keys of a member and return their serial."""
    row = subject(ctx.state, member)
    put_keys(ctx, member, row.serial + 1, signing_key, receive_key)
    put_member(ctx, member, structs.replace(row, serial=row.serial + 1))
    return row.serial + 1


def put_keys(ctx: Context, member: str, serial: int, signing_key: bytes, receive_key: bytes) -> None:
    """Write a pair of keys into the history."""
    ctx.insert(KEYS, keys_key(member, serial), Keys(signing_key, receive_key, ctx.height, ctx.time))
    ctx.insert(KEY_USES, signing_key, KeyUse(member, serial))


def put_member(ctx: Context, member: str, row: Member) -> None:
    """Write a member's row."""
    ctx.put(MEMBERS, member_key(member), row)


def settle(ctx: Context) -> None:
    """Write the cosigners anew if they have changed: the validators, or all active members while there are none."""
    members = dict(active(ctx.state))
    powered = [key.decode("ascii") for key, row in ctx.range(VALIDATORS) if row.power]
    cosigners = tuple(
        Cosigner(name, keys_of(ctx.state, name, members[name].serial).signing_key) for name in powered or members
    )
    before = ctx.get(COSIGNERS, SINGLE)
    if before is None or before.cosigners != cosigners:
        ctx.put(COSIGNERS, SINGLE, Cosigners(ctx.height, cosigners))
