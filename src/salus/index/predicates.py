"""Conditions of a consent decision as SQL over `entry e`: the query's half of `agreements.consent.conditions.holds`."""

from typing import Any, assert_never

from salus.agreements.consent.conditions import (
    All,
    Always,
    Authored,
    Coded,
    Condition,
    During,
    Instance,
    Leaf,
    Never,
    Not,
    Referred,
    Refers,
    Some,
    Undated,
    Within,
)

Sql = tuple[str, list[Any]]


def sql_of(condition: Condition) -> Sql:
    """Return a condition as SQL text and its values in order."""
    match condition:
        case All(parts):
            return _joined(parts, " AND ")
        case Some(parts):
            return _joined(parts, " OR ")
        case Not(part):
            text, values = sql_of(part)
            return f"NOT {text}", values
    return _leaf(condition)


def _joined(parts: tuple[Condition, ...], word: str) -> Sql:
    told = [sql_of(part) for part in parts]
    return "(" + word.join(text for text, _ in told) + ")", [value for _, values in told for value in values]


def _leaf(leaf: Leaf) -> Sql:
    told: Sql = ("(1 = 0)", [])
    match leaf:
        case Always() | Never():
            told = f"(1 = {int(isinstance(leaf, Always))})", []
        case During(lo, hi):
            told = "(e.lo < e.hi AND e.lo < ? AND e.hi > ?)", [hi, lo]
        case Undated():
            told = "(e.lo = e.hi)", []
        case Coded(codes):
            one = "c.code = ? AND c.system = ?"
            any_system = "c.code = ?"
            tests = " OR ".join(any_system if system == "*" else one for system, _ in codes)
            values = [value for system, code in codes for value in ((code,) if system == "*" else (code, system))]
            told = f"EXISTS (SELECT 1 FROM code c WHERE c.entry = e.number AND ({tests}))", values  # noqa: S608 -- only marks
        case Instance(names) | Within(names):
            column = "e.name" if isinstance(leaf, Instance) else "e.encounter"
            told = f"({column} IN ({marks(len(names))}))", list(names)
        case Refers(names) | Authored(names):
            made = " AND r.made = 1" * isinstance(leaf, Authored)
            text = f"SELECT 1 FROM reference r WHERE r.entry = e.number{made} AND r.target IN ({marks(len(names))})"  # noqa: S608 -- only marks
            told = f"EXISTS ({text})", list(names)
        case Referred(names):
            text = (
                "SELECT r.target FROM entry s JOIN reference r ON r.entry = s.number "  # noqa: S608 -- only marks
                f"WHERE s.name IN ({marks(len(names))}) AND s.link = e.link"
            )
            told = f"(e.type <> 'Patient' AND e.name IN ({text}))", list(names)
        case _ as never:
            assert_never(never)
    return told


def marks(count: int) -> str:
    """Return `count` placeholders."""
    return ",".join("?" * count)
