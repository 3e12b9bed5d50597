"""Who is in a team: the members that a CareTeam, Group or PractitionerRole names, each with the time it is in."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from salus.interop.fhir.times import EARLIEST, LATEST, interval
from salus.interop.fhir.tokens import Tree

TEAMS: Final = frozenset({"CareTeam", "Group", "PractitionerRole"})


class Membership(msgspec.Struct, frozen=True):
    """member: a reference, renamed. [lo, hi): when it is in, Unix ms."""

    member: str
    lo: int
    hi: int


def members_of(tree: Tree, rename: Callable[[str], str]) -> Iterator[Membership]:
    """Yield who is in a team (R4 CareTeam.participant, Group.member, PractitionerRole.practitioner).

    A CareTeam that is not active, a Group or role marked inactive and a Group that only describes have nobody.
    """
    for member, lo, hi in _members(tree):
        yield Membership(rename(member), lo, hi)


def _members(tree: Tree) -> Iterator[tuple[str, int, int]]:
    kind = tree.get("resourceType")
    if kind == "PractitionerRole" and tree.get("active") is not False:
        yield from _of(tree.get("practitioner"), tree.get("period"))
    elif kind == "Group" and tree.get("active") is not False and tree.get("actual") is True:
        for one in _dicts(tree.get("member")):
            if one.get("inactive") is not True:
                yield from _of(one.get("entity"), one.get("period"))
    elif kind == "CareTeam" and tree.get("status", "active") == "active":
        for one in _dicts(tree.get("participant")):
            yield from _of(one.get("member"), tree.get("period"), one.get("period"))


def _of(reference: Any, *periods: Any) -> Iterator[tuple[str, int, int]]:
    text = reference.get("reference") if isinstance(reference, dict) else None
    if not isinstance(text, str):
        return
    lo, hi = EARLIEST, LATEST
    for period in periods:
        told = period if isinstance(period, dict) else {}
        lo = max(lo, (_interval(told.get("start")) or (lo, lo))[0])
        hi = min(hi, (_interval(told.get("end")) or (hi, hi))[1])
    yield text, lo, hi


def _interval(value: Any) -> tuple[int, int] | None:
    return interval(value) if isinstance(value, str) else None


def _dicts(value: Any) -> list[Tree]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
