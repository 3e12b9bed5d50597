"""Derivations that terms declare: days, populations, pooled sites, analysis windows, carry-forward. No program, data alone.

    day           date of the value - date of the reference visit + 1: the reference is day 1, the day before it day 0
    population    Y where every condition of `all` holds for some value of the subject and none of `none` does
    pooled site   a site with fewer than so many allocated subjects in any arm is POOLED
    baseline      the newest number of the item up to the day `baseline_last`
    window        the number of the item nearest to the window's target, of two alike the earlier; an empty window takes,
                  where `carry_forward`, what the window before it has, the first the baseline; CHG = AVAL - BASE

Nothing here rounds: values are the decimals that were written.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from salus.agreements.trials.analysis import Row
from salus.interop.cdisc.findings import Finding
from salus.interop.cdisc.times import moment

POOLED: Final = "POOLED"
CARRIED: Final = "LOCF"
RESERVED: Final = frozenset(("USUBJID", "SITEID", "ARM", "SITEGR"))  # columns of DM
MOST_DAYS: Final = 100_000
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Day = Annotated[int, Meta(ge=-MOST_DAYS, le=MOST_DAYS)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Common to all parts: named fields only, unknown ones refused."""


class Window(Part, frozen=True, kw_only=True):
    """An analysis window, in days of the trial; both bounds are in it."""

    name: Name
    first: Day
    last: Day
    target: Day


class Having(Part, frozen=True, kw_only=True):
    """That a subject has a value."""

    item: Name
    """Id of the item; VISIT is a visit, ENROLMENT and ENDED are of the disposition."""
    visit: Annotated[str, Meta(max_length=200)] = ""
    """Id of the visit; empty: any."""
    values: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    """One of these; none named: any that is not empty."""
    first: Day | None = None
    """Not before this day."""
    last: Day | None = None
    """Not after this day."""


class Population(Part, frozen=True, kw_only=True):
    """Who belongs to a population."""

    name: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]{0,7}$")]
    """Column of DM."""
    all: Annotated[tuple[Having, ...], Meta(max_length=16)] = ()
    none: Annotated[tuple[Having, ...], Meta(max_length=16)] = ()


class Derivations(Part, frozen=True, kw_only=True):
    """What is derived from locked rows before an analysis."""

    reference: Annotated[str, Meta(max_length=200)] = ""
    """Id of the visit whose date is day 1; empty: nothing has a day."""
    populations: Annotated[tuple[Population, ...], Meta(max_length=32)] = ()
    pool_sites_below: Annotated[int, Meta(ge=0, le=10_000)] = 0
    """0: no site is pooled."""
    items: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    """Ids of the items that windows are computed for."""
    windows: Annotated[tuple[Window, ...], Meta(max_length=64)] = ()
    """In the order in which a value is carried forward."""
    baseline_last: Day = 1
    carry_forward: bool = False


def check(declared: Derivations, visits: Sequence[str], path: str) -> Iterator[Finding]:
    """Yield what keeps derivations from being run; `visits` are the ids that the plan has."""
    named = [declared.reference, *(one.visit for each in declared.populations for one in (*each.all, *each.none))]
    for visit in dict.fromkeys(named):
        if visit and visit not in visits:
            yield Finding("no-such-visit", path, f"not {visit}")
    names = [each.name for each in declared.populations]
    for name in dict.fromkeys(names):
        if names.count(name) > 1 or name in RESERVED:
            yield Finding("population-twice", f"{path}/populations", f"a name of its own, not {name}")
    days = any(
        one.first is not None or one.last is not None
        for each in declared.populations
        for one in (*each.all, *each.none)
    )
    if (days or declared.windows) and not declared.reference:
        yield Finding("no-reference", f"{path}/reference", "the visit that days are counted from")
    if bool(declared.windows) is not bool(declared.items):
        yield Finding("windows", f"{path}/windows", "windows and items, or neither")
    before = declared.baseline_last
    titles: set[str] = set()
    for place, each in enumerate(declared.windows):
        if not before < each.first <= each.target <= each.last:
            expected = "after the baseline and the window before, its target in it"
            yield Finding("window", f"{path}/windows/{place}", expected)
        if each.name in titles:
            yield Finding("window-twice", f"{path}/windows/{place}/name", "a name of its own", each.name)
        titles.add(each.name)
        before = each.last


@dataclass(frozen=True, slots=True)
class Value:
    """A locked value."""

    place: int
    person: tuple[str, str]
    visit: str
    item: str
    text: str
    number: Decimal | None
    day: str


@dataclass(frozen=True, slots=True)
class Windowed:
    """A row of an analysis window."""

    person: tuple[str, str]
    row: Row
    places: tuple[int, ...]


class Derivation:
    """Declared derivations over locked values."""

    def __init__(self, values: Sequence[Value], arms: Mapping[tuple[str, str], str], declared: Derivations) -> None:
        self._declared = declared
        self._values: dict[tuple[str, str], list[Value]] = {}
        for each in values:
            self._values.setdefault(each.person, []).append(each)
        self._began: dict[tuple[str, str], tuple[int, int]] = {}
        for each in values:
            began = moment(each.text) if each.item == "VISIT" and each.visit == declared.reference else None
            if began is not None:
                self._began[each.person] = began.day, each.place
        counts = Counter((person[0], arm) for person, arm in arms.items() if arm)
        every = sorted({arm for arm in arms.values() if arm})
        self._small = {
            site for site, _ in counts if min(counts[site, arm] for arm in every) < declared.pool_sites_below
        }

    def day(self, person: tuple[str, str], date: str) -> int | None:
        """Return the day of the trial that a date is for a subject, or None."""
        began, when = self._began.get(person), moment(date)
        return None if began is None or when is None else when.day - began[0] + 1

    def site(self, person: tuple[str, str]) -> str:
        """Return a subject's site, or POOLED."""
        return POOLED if person[0] in self._small else person[0]

    def populations(self, person: tuple[str, str]) -> dict[str, str]:
        """Return Y or N by population."""
        return {
            each.name: "Y"
            if all(self._has(person, one) for one in each.all) and not any(self._has(person, one) for one in each.none)
            else "N"
            for each in self._declared.populations
        }

    def _has(self, person: tuple[str, str], asked: Having) -> bool:
        return any(self._is(each, asked) for each in self._values.get(person, ()))

    def _is(self, each: Value, asked: Having) -> bool:
        if each.item != asked.item or asked.visit not in {"", each.visit}:
            return False
        if each.text not in asked.values if asked.values else not each.text:
            return False
        if asked.first is None and asked.last is None:
            return True
        day = self.day(each.person, each.day)
        first, last = (-MOST_DAYS if asked.first is None else asked.first), asked.last
        return day is not None and first <= day and (last is None or day <= last)

    def windows(self) -> Iterator[Windowed]:
        """Yield the rows of the table WINDOWS: subjects in their order, items and windows as declared."""
        for person in self._values:
            for item in self._declared.items:
                yield from self._windows(person, item)

    def _windows(self, person: tuple[str, str], item: str) -> Iterator[Windowed]:
        dated: list[tuple[int, Value, Decimal]] = []
        for each in self._values[person]:
            day = self.day(person, each.day) if each.item == item else None
            if day is not None and each.number is not None:
                dated.append((day, each, each.number))
        before = [(day, each.place, number) for day, each, number in dated if day <= self._declared.baseline_last]
        base = max(before, default=None)
        carried = base
        for window in self._declared.windows:
            within = [
                (abs(day - window.target), day, each.place, number)
                for day, each, number in dated
                if window.first <= day <= window.last
            ]
            found = min(within)[1:] if within else carried if self._declared.carry_forward else None
            if found is None:
                continue
            carried = found
            day, place, number = found
            change = None if base is None else number - base[2]
            row: Row = {
                "SITEGR": self.site(person),
                "ITEM": item,
                "AVISIT": window.name,
                "ADAY": day,
                "AVAL": number,
                "BASE": None if base is None else base[2],
                "CHG": change,
                "PCHG": 100 * change / base[2] if change is not None and base is not None and base[2] else None,
                "DTYPE": "" if within else CARRIED,
            }
            reference = self._began[person][1]
            yield Windowed(person, row, tuple(sorted({reference, place, *(() if base is None else (base[1],))})))
