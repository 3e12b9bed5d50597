"""A participant's audit trail: every act with who, in which role, when, what, the value before and after, and why.

ICH E6(R3) 4.2.2, 21 CFR 11.10(e): no change hides an earlier value, and what was refused is in it too. Nothing that
unblinds stands in it: of a randomisation the fact alone, no kit and no enrolment, so that everyone may read all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from salus.agreements.trials.acts import Act, Anchored, may, read_all
from salus.agreements.trials.conduct import ROLES, Conditions, State, conduct

BLIND: Final = frozenset(("kit", "enrolment"))
_TECHNICAL: Final = frozenset(("credential", "renewed"))
_KEPT: Final = frozenset(("form", "change", "visit", "screen", "consent", "reconsent"))


@dataclass(frozen=True, slots=True)
class TrailLine:
    """One line: one value that an act brought, or an act without any."""

    number: int
    """The act's place in the chain."""
    entered: int
    """Unix ms."""
    anchored: int
    """Block time of its anchor, ms; 0 before."""
    by: str
    """The person's key, hexadecimal, first 16 digits; `rule` and an id for what a rule raised."""
    role: str
    """The role in which they acted; empty if none fits."""
    kind: str
    item: str
    old: str
    new: str
    reason: str
    refused: str
    """The verdict of an act that was not taken, and changed nothing; else empty."""


def audit_trail(chain: Sequence[Anchored], under: Conditions) -> tuple[TrailLine, ...]:
    """Return the trail of a chain as it is judged under the conditions, in order; up to where the chain breaks."""
    state = conduct(chain, under)
    verdicts = {one.number: one.code for one in state.verdicts}
    before: dict[str, str] = {}
    lines: list[TrailLine] = []
    acts = read_all([one.signed for one in chain])
    for number, (one, act) in enumerate(zip(chain, acts, strict=True), 1):
        if act is None or verdicts.get(number) == "BROKEN":
            break
        refused = verdicts.get(number, "")
        role = next((role for role in ROLES.get(act.kind, ()) if may(under.given, act.by, (role,), act.entered)), "")
        reason = dict(act.fields).get("reason", "")
        for item, new in _values(act):
            old = before.get(item, "")
            told = (act.by.hex()[:16], role, act.kind, item, old, new, reason, refused)
            lines.append(TrailLine(number, act.entered, one.at, *told))
            if act.kind in _KEPT and not refused:
                before[item] = new
        lines += [] if refused else _raised(state, act, one.at)
    return tuple(lines)


def _values(act: Act) -> list[tuple[str, str]]:
    """Return (item, value) of what an act brought: an item of a form by its place, else kind and field."""
    told = dict(act.fields)
    if act.kind == "form":
        place = f"{told.get('visit', '')}/{told.get('activity', '')}/{told.get('repeat', '1')}"
        found = [(f"{place}/{name[5:]}", value) for name, value in told.items() if name.startswith("item.")]
    elif act.kind == "change":
        found = [(told.get("item", ""), told.get("value", ""))]
    elif act.kind == "visit":
        found = [(f"visit {told.get('visit', '')}", act.clinical)]
    else:
        hidden = BLIND | _TECHNICAL | {"reason"}
        found = [(f"{act.kind} {name}", value) for name, value in told.items() if name not in hidden]
    return found or [(act.kind, act.clinical)]


def _raised(state: State, act: Act, at: int) -> list[TrailLine]:
    return [
        TrailLine(act.number, act.entered, at, f"rule {one.rule}", "", "query", one.item, "", "open", "", "")
        for one in state.queries
        if one.rule and one.number == act.number
    ]
