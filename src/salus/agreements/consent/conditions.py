"""Conditions on rows: what a decision leaves to be tested on each row (its residual), as a small expression.

Evaluated here on one row, and compiled to SQL by the index; one meaning, tested to be the same.
"""

from typing import Final, assert_never

import msgspec


class Row(msgspec.Struct, frozen=True):
    """What a residual may ask of a row. lo, hi: its time, [lo, hi) Unix ms. codes: (system, code).

    instance: "Type/id" of the row itself. encounter: id of its Encounter, "" without. refers: "Type/id" that it refers
    to. referred: "Type/id" of the same patient's rows that refer to it. made: "Type/id" of its authors.
    """

    lo: int
    hi: int
    codes: frozenset[tuple[str, str]]
    instance: str
    encounter: str
    refers: frozenset[str] = frozenset()
    referred: frozenset[str] = frozenset()
    made: frozenset[str] = frozenset()


class Always(msgspec.Struct, frozen=True, tag="always"):
    """Holds for every row."""


class Never(msgspec.Struct, frozen=True, tag="never"):
    """Holds for no row."""


class During(msgspec.Struct, frozen=True, tag="during"):
    """The row's time overlaps [lo, hi). A row without time (lo = hi) overlaps nothing."""

    lo: int
    hi: int


class Undated(msgspec.Struct, frozen=True, tag="undated"):
    """The row is an event without time."""


class Coded(msgspec.Struct, frozen=True, tag="coded"):
    """The row has one of the codes (system, code); the system "*" stands for any."""

    codes: tuple[tuple[str, str], ...]


class Instance(msgspec.Struct, frozen=True, tag="instance"):
    """The row is one of the instances ("Type/id")."""

    instances: tuple[str, ...]


class Within(msgspec.Struct, frozen=True, tag="within"):
    """The row belongs to one of the encounters (ids)."""

    encounters: tuple[str, ...]


class Refers(msgspec.Struct, frozen=True, tag="refers"):
    """The row refers to one of the resources ("Type/id")."""

    names: tuple[str, ...]


class Referred(msgspec.Struct, frozen=True, tag="referred"):
    """One of the resources ("Type/id"), of the same patient, refers to the row; never of the Patient, whom all refer to."""

    names: tuple[str, ...]


class Authored(msgspec.Struct, frozen=True, tag="authored"):
    """One of the resources ("Type/id") stands among the row's authors."""

    names: tuple[str, ...]


class All(msgspec.Struct, frozen=True, tag="all"):
    """Every part holds."""

    parts: tuple["Condition", ...]


class Some(msgspec.Struct, frozen=True, tag="some"):
    """At least one part holds."""

    parts: tuple["Condition", ...]


class Not(msgspec.Struct, frozen=True, tag="not"):
    """The part does not hold."""

    part: "Condition"


Leaf = Always | Never | During | Undated | Coded | Instance | Within | Refers | Referred | Authored
Condition = Leaf | All | Some | Not

ALWAYS: Final = Always()
NEVER: Final = Never()


def every(*parts: Condition) -> Condition:
    """Return the conjunction, simplified: Always drops out, Never wins."""
    kept = tuple(dict.fromkeys(part for part in parts if part != ALWAYS))
    if NEVER in kept:
        return NEVER
    return ALWAYS if not kept else kept[0] if len(kept) == 1 else All(kept)


def either(*parts: Condition) -> Condition:
    """Return the disjunction, simplified: Never drops out, Always wins."""
    kept = tuple(dict.fromkeys(part for part in parts if part != NEVER))
    if ALWAYS in kept:
        return ALWAYS
    return NEVER if not kept else kept[0] if len(kept) == 1 else Some(kept)


def negated(part: Condition) -> Condition:
    """Return the negation, simplified."""
    if part == ALWAYS:
        return NEVER
    if part == NEVER:
        return ALWAYS
    return part.part if isinstance(part, Not) else Not(part)


def holds(condition: Condition, row: Row) -> bool:
    """Tell whether a row meets a condition."""
    match condition:
        case All(parts):
            return all(holds(part, row) for part in parts)
        case Some(parts):
            return any(holds(part, row) for part in parts)
        case Not(part):
            return not holds(part, row)
    return _leaf_holds(condition, row)


def _leaf_holds(leaf: Leaf, row: Row) -> bool:
    told = False
    match leaf:
        case Always():
            told = True
        case Never():
            told = False
        case During(lo, hi):
            told = row.lo < row.hi and row.lo < hi and lo < row.hi
        case Undated():
            told = row.lo == row.hi
        case Coded(codes):
            plain = {code for _, code in row.codes}
            told = any(code in plain if system == "*" else (system, code) in row.codes for system, code in codes)
        case Instance(names) | Within(names):
            told = (row.instance if isinstance(leaf, Instance) else row.encounter) in names
        case Refers(names) | Referred(names) | Authored(names):
            told = not _told(row, leaf).isdisjoint(names)
        case _ as never:
            assert_never(never)
    return told


def _told(row: Row, leaf: Refers | Referred | Authored) -> frozenset[str]:
    if isinstance(leaf, Referred):
        return frozenset() if row.instance.startswith("Patient/") else row.referred
    return row.refers if isinstance(leaf, Refers) else row.made
