"""Functions over collections: existence, filtering, subsetting, combining, aggregates (FHIRPath N1 5.1 to 5.4, 7)."""

import functools
from typing import Any

from salus.interop.fhir.fhirpath.environment import Frame
from salus.interop.fhir.fhirpath.errors import EvaluationFailed, LimitExceeded
from salus.interop.fhir.fhirpath.model import Node, all_children, system_value
from salus.interop.fhir.fhirpath.operators import distinct, equal_items, integer, key, order_values, single, truth
from salus.interop.fhir.fhirpath.registry import Run, function

MAX_ROUNDS = 20_000  # items that repeat() may visit: the largest published questionnaires have some thousands


@function("empty")
def empty(items: list[Any], _: Frame) -> list[Any]:
    """5.1.1."""
    return [not items]


@function("exists", 0, 1, lazy=True)
def exists(items: list[Any], frame: Frame, criteria: Run | None = None) -> list[Any]:
    """5.1.2."""
    return [bool(items)] if criteria is None else [any(True for _ in _chosen(items, frame, criteria))]


@function("all", 1, lazy=True)
def every(items: list[Any], frame: Frame, criteria: Run) -> list[Any]:
    """5.1.3."""
    inner = frame.inner()
    for index, item in enumerate(items):
        inner.this, inner.index = [item], index
        if not truth(criteria(inner), "all()"):
            return [False]
    return [True]


def _booleans(items: list[Any], what: str) -> list[bool]:
    values = [system_value(item) for item in items]
    if any(value.__class__ is not bool for value in values):
        raise EvaluationFailed(f"{what} takes Booleans")
    return values


@function("allTrue")
def all_true(items: list[Any], _: Frame) -> list[Any]:
    """5.1.4."""
    return [all(_booleans(items, "allTrue()"))]


@function("anyTrue")
def any_true(items: list[Any], _: Frame) -> list[Any]:
    """5.1.5."""
    return [any(_booleans(items, "anyTrue()"))]


@function("allFalse")
def all_false(items: list[Any], _: Frame) -> list[Any]:
    """5.1.6."""
    return [not any(_booleans(items, "allFalse()"))]


@function("anyFalse")
def any_false(items: list[Any], _: Frame) -> list[Any]:
    """5.1.7."""
    return [not all(_booleans(items, "anyFalse()"))]


@function("subsetOf", 1)
def subset_of(items: list[Any], _: Frame, other: list[Any]) -> list[Any]:
    """5.1.8."""
    return [{key(item) for item in items} <= {key(item) for item in other}]


@function("supersetOf", 1)
def superset_of(items: list[Any], _: Frame, other: list[Any]) -> list[Any]:
    """5.1.9."""
    return [{key(item) for item in items} >= {key(item) for item in other}]


@function("count")
def count(items: list[Any], _: Frame) -> list[Any]:
    """5.1.10."""
    return [len(items)]


@function("distinct")
def distinct_items(items: list[Any], _: Frame) -> list[Any]:
    """5.1.11."""
    return distinct(items)


@function("isDistinct")
def is_distinct(items: list[Any], _: Frame) -> list[Any]:
    """5.1.12."""
    return [len(distinct(items)) == len(items)]


def _chosen(items: list[Any], frame: Frame, criteria: Run) -> Any:
    inner = frame.inner()
    for index, item in enumerate(items):
        inner.this, inner.index = [item], index
        found = criteria(inner)
        if found and truth(found, "where()"):
            yield item


@function("where", 1, lazy=True)
def where(items: list[Any], frame: Frame, criteria: Run) -> list[Any]:
    """5.2.1."""
    return list(_chosen(items, frame, criteria))


@function("select", 1, lazy=True)
def select(items: list[Any], frame: Frame, projection: Run) -> list[Any]:
    """5.2.2."""
    inner = frame.inner()
    out: list[Any] = []
    for index, item in enumerate(items):
        inner.this, inner.index = [item], index
        out.extend(projection(inner))
    frame.spend(len(out))
    return out


@function("repeat", 1, lazy=True)
def repeat(items: list[Any], frame: Frame, projection: Run) -> list[Any]:
    """5.2.3: items that are equal to one found before are not visited again, so that a cycle ends."""
    return list(_repeated(items, frame, projection, {}))


@function("repeatAll", 1, lazy=True)
def repeat_all(items: list[Any], frame: Frame, projection: Run) -> list[Any]:
    """Return what repeat() returns with duplicates kept; a cycle meets MAX_ROUNDS."""
    return list(_repeated(items, frame, projection, None))


def _repeated(items: list[Any], frame: Frame, projection: Run, seen: dict[Any, None] | None) -> list[Any]:
    inner = frame.inner()
    out: list[Any] = []
    queue = items
    rounds = 0
    while queue:
        following: list[Any] = []
        for index, item in enumerate(queue):
            rounds += 1
            if rounds > MAX_ROUNDS:
                raise LimitExceeded(f"repeat() visits more than {MAX_ROUNDS} items")
            inner.this, inner.index = [item], index
            for found in projection(inner):
                mark = key(found) if seen is not None else None
                if seen is None or mark not in seen:
                    following.append(found)
                    if seen is not None:
                        seen[mark] = None
        frame.spend(len(following))
        out.extend(following)
        queue = following
    return out


@function("single")
def single_item(items: list[Any], _: Frame) -> list[Any]:
    """5.3.2."""
    if len(items) > 1:
        raise EvaluationFailed(f"single() takes one item, found {len(items)}")
    return items


@function("first")
def first(items: list[Any], _: Frame) -> list[Any]:
    """5.3.3."""
    return items[:1]


@function("last")
def last(items: list[Any], _: Frame) -> list[Any]:
    """5.3.4."""
    return items[-1:]


@function("tail")
def tail(items: list[Any], _: Frame) -> list[Any]:
    """5.3.5."""
    return items[1:]


@function("skip", 1)
def skip(items: list[Any], _: Frame, number: list[Any]) -> list[Any]:
    """5.3.6."""
    amount = integer(number, "skip()")
    return [] if amount is None else items[max(amount, 0) :]


@function("take", 1)
def take(items: list[Any], _: Frame, number: list[Any]) -> list[Any]:
    """5.3.7."""
    amount = integer(number, "take()")
    return [] if amount is None else items[: max(amount, 0)]


@function("intersect", 1)
def intersect(items: list[Any], _: Frame, other: list[Any]) -> list[Any]:
    """5.3.8."""
    kept = {key(item) for item in other}
    return distinct([item for item in items if key(item) in kept])


@function("exclude", 1)
def exclude(items: list[Any], _: Frame, other: list[Any]) -> list[Any]:
    """5.3.9."""
    dropped = {key(item) for item in other}
    return [item for item in items if key(item) not in dropped]


@function("union", 1)
def union(items: list[Any], frame: Frame, other: list[Any]) -> list[Any]:
    """5.4.1."""
    frame.spend(len(items) + len(other))
    return distinct(items + other)


@function("combine", 1)
def combine(items: list[Any], frame: Frame, other: list[Any]) -> list[Any]:
    """5.4.2."""
    frame.spend(len(items) + len(other))
    return items + other


@function("iif", 2, 3, lazy=True)
def iif(items: list[Any], frame: Frame, criterion: Run, then: Run, otherwise: Run | None = None) -> list[Any]:
    """5.5.1: only the chosen branch is evaluated."""
    if len(items) > 1:
        raise EvaluationFailed(f"iif() takes one item, found {len(items)}")
    inner = frame.inner()
    if items:
        inner.this = items
    found = criterion(inner)
    value = single(found, "iif()")
    if value is not None and value.__class__ is not bool:
        raise EvaluationFailed("iif() takes a Boolean criterion")
    if value:
        return then(inner)
    return [] if otherwise is None else otherwise(inner)


@function("aggregate", 1, 2, lazy=True)
def aggregate(items: list[Any], frame: Frame, aggregator: Run, start: Run | None = None) -> list[Any]:
    """7.1."""
    inner = frame.inner()
    inner.total = start(frame) if start else []
    for index, item in enumerate(items):
        inner.this, inner.index = [item], index
        inner.total = aggregator(inner)
        frame.spend(len(inner.total))
    return inner.total


def sort(items: list[Any], frame: Frame, keys: list[tuple[Run, bool]]) -> list[Any]:
    """Sort by the items themselves, or by keys each ascending or descending; empty keys come first."""
    inner = frame.inner()
    rows = []
    for index, item in enumerate(items):
        inner.this, inner.index = [item], index
        rows.append(([single(run(inner), "sort()") for run, _ in keys] if keys else [system_value(item)], item))
    descending = [down for _, down in keys] or [False]

    def before(left: Any, right: Any) -> int:
        for one, two, down in zip(left[0], right[0], descending, strict=True):
            if one is None or two is None:
                found = (one is not None) - (two is not None)
            else:
                found = (order_values(one, two, "sort()") or 0) * (-1 if down else 1)
            if found:
                return found
        return 0

    return [item for _, item in sorted(rows, key=functools.cmp_to_key(before))]


@function("children")
def children(items: list[Any], frame: Frame) -> list[Any]:
    """5.8.1."""
    out: list[Any] = []
    for item in items:
        if item.__class__ is Node:
            out.extend(all_children(item, frame.model))
    frame.spend(len(out))
    return out


@function("descendants")
def descendants(items: list[Any], frame: Frame) -> list[Any]:
    """5.8.2."""
    out: list[Any] = []
    level = children(items, frame)
    while level:
        out.extend(level)
        level = children(level, frame)
    return out


@function("trace", 1, 2, lazy=True)
def trace(items: list[Any], frame: Frame, name: Run, projection: Run | None = None) -> list[Any]:
    """5.9.1: to the given sink, or nowhere."""
    label = single(name(frame), "trace()")
    sink = frame.environment.trace
    if sink is not None:
        sink(str(label), items if projection is None else select(items, frame, projection))
    return items


@function("defineVariable", 1, 2, lazy=True)
def define_variable(items: list[Any], frame: Frame, name: Run, value: Run | None = None) -> list[Any]:
    """Bind `%name` for what follows in this scope to the value, or to the input. A name is bound once."""
    label = single(name(frame), "defineVariable()")
    if not isinstance(label, str):
        raise EvaluationFailed("defineVariable() takes a name")
    if label in frame.defined or label in RESERVED or label in frame.environment.constants:
        raise EvaluationFailed(f"%{label} is bound already")
    if value is None:
        bound = items
    else:
        inner = frame.inner()
        inner.this = items
        bound = value(inner)
    frame.defined = {**frame.defined, label: bound}
    return items


RESERVED = frozenset({"context", "resource", "rootResource", "ucum", "sct", "loinc"})


def member(items: list[Any], item: Any) -> bool:
    """Tell whether an item is in a collection by equality."""
    return any(equal_items(one, item) is True for one in items)
