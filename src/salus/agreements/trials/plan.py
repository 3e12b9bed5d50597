"""The plan that a protocol becomes: what is to be done, when, by which path; frozen, and alike for all who compile it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final

from salus.interop.cdisc.times import Duration


class Anchoring(Enum):
    """How a visit's target follows from its anchor (USDM `Timing.type`)."""

    BEFORE = "Before"
    AFTER = "After"
    FIXED = "Fixed Reference"


@dataclass(frozen=True, slots=True)
class Window:
    """How far from its target a visit may lie; both bounds are included and unsigned."""

    lower: Duration
    upper: Duration

    @property
    def clock(self) -> bool:
        """Whether it is judged on the time of day, so that a date alone decides nothing."""
        return self.lower.clock or self.upper.clock


@dataclass(frozen=True, slots=True)
class Placement:
    """When a visit is due."""

    anchoring: Anchoring
    anchor: str
    """Id of the visit it is counted from; its own for a fixed reference."""
    offset: Duration
    from_end: bool
    """Whether the end of the visit being placed is meant, not its start."""
    to_end: bool
    """Whether it is counted from the anchor's end, not its start."""
    window: Window | None
    """None where the protocol gives none: then no day is a deviation."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One instance of a timeline at which activities are done."""

    id: str
    name: str
    label: str
    encounter: str
    """Id of its encounter, or ""."""
    epoch: str
    """Id of its epoch, or ""."""
    activities: tuple[str, ...]
    placement: Placement | None
    following: str
    """Id of the visit or decision that comes next by default, or ""."""
    sub_timeline: str
    """Id of the timeline that it opens, or ""."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A fork of a timeline. Its conditions are text: a person attests which one holds."""

    id: str
    name: str
    branches: tuple[tuple[str, str], ...]
    """(condition, id of what follows)."""
    following: str
    """What follows where no condition holds, or ""."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """One timeline, in the order in which its instances follow each other by default."""

    id: str
    name: str
    entry_condition: str
    visits: tuple[Visit, ...]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """An arm, epoch, encounter or activity."""

    id: str
    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion of eligibility."""

    id: str
    name: str
    inclusion: bool
    text: str
    """Its text, tags of the protocol's dictionary resolved."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint."""

    id: str
    name: str
    level: str
    """Decode of its level: `Primary Endpoint`."""
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """One property of a biomedical concept that an activity collects."""

    concept: str
    name: str
    datatype: str
    needed: bool
    codes: tuple[str, ...]
    """Codes that may be answered; empty: any value of the type."""
    group: str = ""
    """Name of its concept."""
    alias: str = ""
    """Where its value stands in SDTM, as its form says (`domains`)."""


@dataclass(frozen=True, slots=True)
class Form:
    """What one activity collects."""

    activity: str
    items: tuple[Item, ...]


_COMPARED: Final[Mapping[str, Callable[[Any, Sequence[Any]], bool]]] = {
    "LT": lambda value, bounds: bool(value < bounds[0]),
    "LE": lambda value, bounds: bool(value <= bounds[0]),
    "GT": lambda value, bounds: bool(value > bounds[0]),
    "GE": lambda value, bounds: bool(value >= bounds[0]),
    "EQ": lambda value, bounds: bool(value == bounds[0]),
    "NE": lambda value, bounds: bool(value != bounds[0]),
    "IN": lambda value, bounds: value in bounds,
    "NOTIN": lambda value, bounds: value not in bounds,
}


@dataclass(frozen=True, slots=True)
class Compared:
    """What another item of the same form has to say for an edit check to be one."""

    item: str
    comparator: str
    values: tuple[str, ...]
    numeric: bool


@dataclass(frozen=True, slots=True)
class ItemCheck:
    """An edit check of a form (ODM `RangeCheck`): a value that it does not hold for raises a query."""

    id: str
    activity: str
    item: str
    comparator: str
    """LT, LE, GT, GE, EQ, NE, IN, NOTIN."""
    values: tuple[str, ...]
    numeric: bool
    """Whether values are compared as numbers; else as text, ISO 8601 dates included."""
    when: tuple[tuple[Compared, ...], ...] = ()
    """Clauses: it is a check while all of one hold; none: always."""

    def holds(self, value: str) -> bool:
        """Tell whether it holds for a value. What should be a number and is none holds for nothing."""
        return _holds(self, value)

    def applies(self, values: Mapping[str, str]) -> bool:
        """Tell whether it is a check beside the form's values by item's name; one that is not there yet holds for nothing."""
        return not self.when or any(
            all(each.item in values and _holds(each, values[each.item]) for each in clause) for clause in self.when
        )


def _holds(check: ItemCheck | Compared, value: str) -> bool:
    if not check.numeric:
        return _COMPARED[check.comparator](value, check.values)
    try:
        given = Decimal(value)
    except InvalidOperation:
        return False
    return given.is_finite() and _COMPARED[check.comparator](given, [Decimal(each) for each in check.values])


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled protocol."""

    study: str
    """Name of the study."""
    blinded: bool
    """Whether the protocol names a blinding other than open label."""
    arms: tuple[Named, ...]
    epochs: tuple[Named, ...]
    encounters: tuple[Named, ...]
    activities: tuple[Named, ...]
    main: Timeline
    side: tuple[Timeline, ...]
    """Timelines that an event or a visit opens."""
    criteria: tuple[Criterion, ...]
    endpoints: tuple[Endpoint, ...]
    forms: tuple[Form, ...]
    checks: tuple[ItemCheck, ...] = ()
    """Edit checks of forms that were read from ODM; those of the terms stand there."""
    aims: bytes = b""
    """What the protocol sets out to show (`difference.aims`): a change of it after an opening is marked for ever."""

    def visit(self, id_: str) -> Visit | None:
        """Return a visit of any timeline by its id, or None."""
        return next((each for line in (self.main, *self.side) for each in line.visits if each.id == id_), None)
