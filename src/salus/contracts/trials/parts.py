"""Who plays which part: the checks that several rules share, and those of a study's founding."""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

from salus.contracts.membership.port import Role, Standing, member
from salus.contracts.trials.messages import Commit, Definition
from salus.contracts.trials.reasons import TrialsReason
from salus.contracts.trials.state import (
    APART,
    ROSTERS,
    SITES,
    STUDIES,
    Method,
    Part,
    Roster,
    Site,
    Study,
)
from salus.core.encoding import Value
from salus.core.errors import Rejected
from salus.core.rules import Context
from salus.core.tables import Table

R = TypeVar("R", bound=Value)
ONCE = (Part.SPONSOR, Part.COORDINATOR, Part.STATISTICIAN)
NEEDED = (*ONCE, Part.ETHICS, Part.REGULATOR, Part.DISPENSER, Part.EMERGENCY)


def study_of(ctx: Context, id_: bytes) -> tuple[Study, Roster]:
    """Return a study and its roster. Raises Rejected(NO_SUCH_STUDY)."""
    study, roster = ctx.get(STUDIES, id_), ctx.get(ROSTERS, id_)
    if study is None or roster is None:
        raise Rejected(TrialsReason.NO_SUCH_STUDY, study=id_.hex())
    return study, roster


def row_of(ctx: Context, table: Table[R], key: bytes) -> R:
    """Return a row that a message names. Raises Rejected(NO_SUCH_CASE)."""
    row = ctx.get(table, key)
    if row is None:
        raise Rejected(TrialsReason.NO_SUCH_CASE, key=key.hex())
    return row


def stepped(table: Any, status: Any, step: str) -> Any:
    """Return the status after a step. Raises Rejected(WRONG_STATUS)."""
    after = table.get((status, step))
    if after is None:
        raise Rejected(TrialsReason.WRONG_STATUS, status="none" if status is None else status.name, step=step)
    return after


def plays(roster: Roster, member_id: str, *parts: Part) -> bool:
    """Return whether a member plays one of some parts."""
    return any(party.member == member_id and party.part in parts for party in roster.parties)


def require(ctx: Context, roster: Roster, *parts: Part) -> None:
    """Check that the submitter plays one of some parts. Raises Rejected(NOT_PARTY)."""
    if not plays(roster, ctx.submitter, *parts):
        raise Rejected(TrialsReason.NOT_PARTY, needed=parts[0].name)


def own_site(ctx: Context, study: bytes) -> Site | None:
    """Return the submitter's site in a study, or None."""
    return ctx.get(SITES, study + ctx.submitter.encode("ascii"))


def active(ctx: Context, member_id: str, *roles: Role) -> None:
    """Check that a party is an active member, in one of some roles if given. Raises Rejected(UNKNOWN_PARTY)."""
    row = member(ctx.state, member_id)
    if row is None or row.standing is not Standing.ACTIVE or (roles and not set(roles) & set(row.roles)):
        raise Rejected(TrialsReason.UNKNOWN_PARTY, member=member_id)


def ascending(values: Sequence[Any]) -> None:
    """Check that values ascend, each once. Raises Rejected(UNORDERED)."""
    for place, (one, following) in enumerate(itertools.pairwise(values), 1):
        if one >= following:
            raise Rejected(TrialsReason.UNORDERED, place=place)


def check_definition(definition: Definition) -> None:
    """Check the order of looks and outcomes. Raises Rejected(UNORDERED)."""
    ascending([look.permille for look in definition.looks])
    ascending([outcome.definition for outcome in definition.outcomes])


def members_of(message: Commit) -> set[str]:
    """Return every member that plays a part or holds a share."""
    return {party.member for party in message.parties} | {trustee.member for trustee in message.trustees}


def is_alone(message: Commit) -> bool:
    """Return whether one member plays every part and holds every share."""
    return len(members_of(message)) == 1


def check_parts(ctx: Context, message: Commit) -> None:
    """Check the parties of a study: known, all there, none in two parts that must not meet. Raises Rejected."""
    ascending([(party.part, party.member) for party in message.parties])
    for name in sorted(members_of(message)):
        active(ctx, name)
    counts = Counter(party.part for party in message.parties)
    alone = is_alone(message)
    missing = next(
        (
            part
            for part in NEEDED
            if not counts[part]
            or (part in ONCE and counts[part] > 1)
            or (part is Part.DISPENSER and counts[part] != (1 if alone else 2))
        ),
        None,
    )
    if missing is not None:
        raise Rejected(TrialsReason.PARTS_MISSING, part=missing.name)
    roster = roster_of(message)
    if not plays(roster, ctx.submitter, Part.SPONSOR):
        raise Rejected(TrialsReason.NOT_SPONSOR, submitter=ctx.submitter)
    if not alone:
        _check_apart(roster)
    _check_threshold(message)


def _check_apart(roster: Roster) -> None:
    for party in roster.parties:
        for one, other in APART:
            if party.part is one and plays(roster, party.member, other):
                raise Rejected(TrialsReason.PARTS_MEET, member=party.member, parts=f"{one.name}, {other.name}")
    seats = Counter(trustee.member for trustee in roster.trustees)
    for name in sorted(seats):
        steers = plays(roster, name, Part.SPONSOR, Part.COORDINATOR)
        if seats[name] >= roster.threshold and (steers or roster.threshold > 1):
            raise Rejected(TrialsReason.PARTS_MEET, member=name, parts="TRUSTEES")


def _check_threshold(message: Commit) -> None:
    if message.method is Method.EXTERNAL:
        sound = not message.threshold and not message.trustees and not message.group_key
    else:
        sound = 1 <= message.threshold <= len(message.trustees) and len(message.group_key) == 96
    if not sound:
        raise Rejected(TrialsReason.NO_THRESHOLD, threshold=message.threshold, trustees=len(message.trustees))


def roster_of(message: Commit) -> Roster:
    """Return the roster that a commitment founds."""
    return Roster(message.parties, message.method, message.threshold, message.group_key, message.trustees)
