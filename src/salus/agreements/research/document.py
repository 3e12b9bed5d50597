"""The query document: views, one row for each person, columns declared beforehand, one statistic. JSON, never code.

`read` refuses unknown fields, names and shapes; `schema` is the JSON Schema. What a column may hold is declared, never
discovered: a number has bounds (values beyond are moved to the bound), a level is one of a list (others are missing).
"""

import re
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from salus.core.errors import SalusError

LIMIT: Final = 1 << 18  # bytes; a query of 64 columns over 8 views has some 30 KB
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")]
Text = Annotated[str, Meta(max_length=256)]
Number = Annotated[float, Meta(ge=-1e15, le=1e15)]
Names = Annotated[tuple[Name, ...], Meta(max_length=32)]
Texts = Annotated[tuple[Text, ...], Meta(min_length=1, max_length=1000)]
INDEX_DATE: Final = "index_date"
PATIENT: Final = "patient"


class QueryRefused(SalusError):
    """A query document that cannot be asked: `path` says where, as `columns[2].bounds`."""

    def __init__(self, path: str, what: str) -> None:
        self.path = path
        super().__init__(f"{path or 'the document'}: {what}")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Common to all parts: named fields only."""


class Filter(Part, frozen=True, kw_only=True):
    """A condition on one column of a view: any of `codes`, at least, at most. Several hold together."""

    column: Name
    codes: Texts | None = None
    at_least: Number | None = None
    at_most: Number | None = None
    since: Text | None = None
    """Dates from this one on, as text of the same precision."""
    before: Text | None = None


class Declared(Part, frozen=True, kw_only=True):
    """What every column says: exactly one of bounds, levels and date; and what becomes of missing values."""

    name: Name
    bounds: tuple[Number, Number] | None = None
    levels: Texts | None = None
    date: bool = False
    """A date serves differences only; no statistic takes it."""
    missing: Literal["drop"] | Number | Text = "drop"
    """`drop` leaves the person out of the statistic; else the value to put."""


class Reduced(Declared, frozen=True, kw_only=True, tag="reduce", tag_field="kind"):
    """A column made of a view's rows of one person."""

    view: Name
    by: Literal["first", "last", "min", "max", "mean", "sum", "count", "exists"]
    column: Name = ""
    order: Name = ""
    """With first and last: the column that orders; of rows that tie, the value does."""
    where: Annotated[tuple[Filter, ...], Meta(max_length=8)] = ()


class Derived(Declared, frozen=True, kw_only=True, tag="derive", tag_field="kind"):
    """A column made of columns above it: `days` from the first date to the second, a difference, a test, logic."""

    op: Literal["days", "minus", "codes", "at-least", "at-most", "and", "or", "not", "bins"]
    of: Names
    value: Number = 0
    codes: Annotated[tuple[Text, ...], Meta(max_length=1000)] = ()
    edges: Annotated[tuple[Number, ...], Meta(max_length=64)] = ()
    """With `bins`: ascending edges; the levels name the bins, one more than the edges."""


Column: TypeAlias = Reduced | Derived


class Count(Part, frozen=True, kw_only=True, tag="count", tag_field="kind"):
    """How many persons."""


class Tabulate(Part, frozen=True, kw_only=True, tag="table", tag_field="kind"):
    """How many persons in each combination of levels, empty ones too."""

    by: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=3)]


class Mean(Part, frozen=True, kw_only=True, tag="mean", tag_field="kind"):
    """Count, sum and mean of a number."""

    of: Name


class Linear(Part, frozen=True, kw_only=True, tag="ols", tag_field="kind"):
    """Ordinary least squares."""

    outcome: Name
    on: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=32)]


class Logistic(Part, frozen=True, kw_only=True, tag="logistic", tag_field="kind"):
    """Logistic regression of a column with levels 0 and 1."""

    outcome: Name
    on: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=32)]


class Cox(Part, frozen=True, kw_only=True, tag="cox", tag_field="kind"):
    """Proportional hazards, Efron's ties: a time, and an event with levels 0 and 1."""

    time: Name
    event: Name
    on: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=32)]


class Histogram(Part, frozen=True, kw_only=True, tag="histogram", tag_field="kind"):
    """How many persons in each level of a column made of bins, and the quartiles' bins."""

    of: Name


class Survival(Part, frozen=True, kw_only=True, tag="survival", tag_field="kind"):
    """A survival curve over intervals: a time in bins, and an event with levels 0 and 1."""

    time: Name
    event: Name


class Extract(Part, frozen=True, kw_only=True, tag="extract", tag_field="kind"):
    """Persons' rows, without what names them, to the institution of the permit: a lease, not a figure.

    The rows of `persons` leave too; each of its columns counts as a quasi-identifier.
    """

    views: Names = ()
    """Views whose rows leave besides."""
    k: Annotated[int, Meta(ge=3, le=1000)] = 10
    """Persons whose row of `persons` fewer than k share are left out."""
    shift_days: Annotated[int, Meta(ge=30, le=3650)] = 365
    """Dates move by at most so many days, each person's by the same number."""
    units: Annotated[dict[Text, Text], Meta(max_length=256)] = {}
    """UCUM unit by `view.column`, for the data dictionary."""


Statistic: TypeAlias = Count | Tabulate | Histogram | Survival | Mean | Linear | Logistic | Cox | Extract


class Query(Part, frozen=True, kw_only=True):
    """A question."""

    format: Literal[1]
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    views: Annotated[tuple[dict[str, Any], ...], Meta(min_length=1, max_length=8)]
    """ViewDefinitions of SQL on FHIR v2, each with a name and a column `patient`: the key of the person."""
    persons: Name
    """The view whose rows are the persons, one each."""
    columns: Annotated[tuple[Column, ...], Meta(max_length=64)]
    statistic: Statistic
    index_date: Annotated[str, Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?\Z")] = ""
    """A day that derived columns may name as `index_date`."""
    cohort: Name | Literal[""] = ""
    """A column with levels 0 and 1: persons with 1 are counted. Default: all."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a query document, made from the types that read it.

    Its patterns are of ECMA-262, as JSON Schema has them: there `$` is the end of a text alone.
    """
    made: dict[str, Any] = _portable(msgspec.json.schema(Query))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Query document", **made}


def _portable(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            name: value.replace("\\Z", "$") if name == "pattern" and isinstance(value, str) else _portable(value)
            for name, value in part.items()
        }
    return [_portable(one) for one in part] if isinstance(part, list | tuple) else part


def read(data: bytes) -> Query:
    """Return the query of a document. Raises QueryRefused, naming the place."""
    if len(data) > LIMIT:
        raise QueryRefused("", f"{len(data)} bytes, at most {LIMIT}")
    try:
        query = msgspec.json.decode(data, type=Query)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        # what stands in the document is not repeated: a refusal reaches logs
        told = re.sub(r"unknown field `.*?`(?= - at |$)|(?<=Invalid value ).*?(?= - at |$)", _hidden, str(wrong))
        raise QueryRefused("", told) from None
    _check(query)
    return query


def _hidden(found: re.Match[str]) -> str:
    return "unknown field" if found[0].startswith("unknown") else "(not repeated)"


def _check(query: Query) -> None:
    names = [view.get("name") for view in query.views]
    for place, name in enumerate(names):
        if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name):
            raise QueryRefused(f"views[{place}].name", "expected a letter, then at most 31 of a-z, 0-9 and _")
    if query.persons not in names or len({*map(str, names)}) != len(names):
        raise QueryRefused("views", "every view has a name of its own, and `persons` is one of them")
    known: dict[str, Declared] = {}
    for place, column in enumerate(query.columns):
        path = f"columns[{place}]"
        if column.name in known or column.name in (INDEX_DATE, PATIENT):
            raise QueryRefused(f"{path}.name", "the name is taken")
        _declared(path, column)
        if isinstance(column, Reduced):
            _reduced(path, column, names)
        else:
            _derived(path, column, known, query)
        known[column.name] = column
    if query.cohort:
        _binary("cohort", known, query.cohort)
    _statistic(query, known)


def _declared(path: str, column: Declared) -> None:
    if (column.bounds is not None) + (column.levels is not None) + column.date != 1:
        raise QueryRefused(path, "exactly one of bounds, levels and date")
    if column.bounds is not None and not column.bounds[0] < column.bounds[1]:
        raise QueryRefused(f"{path}.bounds", "the lower bound is below the upper")
    if column.levels is not None and len({*column.levels}) != len(column.levels):
        raise QueryRefused(f"{path}.levels", "a level stands twice")
    filled = column.missing != "drop"
    number, level = isinstance(column.missing, int | float), column.levels is not None
    if filled and (column.date or number == level or (level and column.missing not in (column.levels or ()))):
        raise QueryRefused(f"{path}.missing", "drop, a number within bounds, or one of the levels")


def _reduced(path: str, column: Reduced, names: list[Any]) -> None:
    if column.view not in names:
        raise QueryRefused(f"{path}.view", "no view has this name")
    if (column.by in ("count", "exists")) == bool(column.column):
        raise QueryRefused(f"{path}.column", "count and exists take none, the others one")
    if (column.by in ("first", "last")) != bool(column.order):
        raise QueryRefused(f"{path}.order", "first and last are ordered by a column, the others not")
    if column.by in ("mean", "sum", "count") and column.bounds is None:
        raise QueryRefused(f"{path}.bounds", "a count, sum or mean is a number")
    if column.by == "exists" and column.levels != ("0", "1"):
        raise QueryRefused(f"{path}.levels", "exists has the levels 0 and 1")


_TAKES: Final = {"days": 2, "minus": 2, "codes": 1, "at-least": 1, "at-most": 1, "not": 1, "bins": 1}


def _derived(path: str, column: Derived, known: dict[str, Declared], query: Query) -> None:
    for name in column.of:
        if name not in known and not (name == INDEX_DATE and query.index_date and column.op == "days"):
            raise QueryRefused(f"{path}.of", f"no column {name} stands above")
    if len(column.of) != _TAKES.get(column.op, len(column.of)) or not column.of:
        raise QueryRefused(f"{path}.of", f"{column.op} takes {_TAKES.get(column.op, 'some')}")
    _sources(f"{path}.of", column, known)
    _shape(path, column)


def _sources(path: str, column: Derived, known: dict[str, Declared]) -> None:
    sources = [known.get(name) for name in column.of]
    if column.op == "days" and any(source is not None and not source.date for source in sources):
        raise QueryRefused(path, "days lie between dates")
    if column.op in ("minus", "at-least", "at-most", "bins") and any(s is None or s.bounds is None for s in sources):
        raise QueryRefused(path, f"{column.op} takes numbers")
    if column.op in ("and", "or", "not"):
        for name in column.of:
            _binary(path, known, name)


def _shape(path: str, column: Derived) -> None:
    if column.op in ("days", "minus"):
        if column.bounds is None:
            raise QueryRefused(f"{path}.bounds", "a difference is a number")
    elif column.op == "bins":
        rising = list(column.edges) == sorted({*column.edges})
        if column.levels is None or len(column.levels) != len(column.edges) + 1 or not rising:
            raise QueryRefused(f"{path}.edges", "ascending, one fewer than the levels")
    elif column.levels != ("0", "1"):
        raise QueryRefused(f"{path}.levels", "a test has the levels 0 and 1")


def _binary(path: str, known: dict[str, Declared], name: str) -> None:
    if name not in known or known[name].levels != ("0", "1"):
        raise QueryRefused(path, f"{name} is no column with the levels 0 and 1")


def _levels(path: str, known: dict[str, Declared], name: str) -> None:
    if name not in known or known[name].levels is None:
        raise QueryRefused(path, f"{name} is no column with levels")


def _number(path: str, known: dict[str, Declared], name: str) -> None:
    if name not in known or known[name].bounds is None:
        raise QueryRefused(path, f"{name} is no column with bounds")


def _leaving(statistic: Extract, query: Query) -> None:
    names = [view.get("name") for view in query.views]
    for place, name in enumerate(statistic.views):
        if name not in names or name == query.persons or name in statistic.views[:place]:
            raise QueryRefused(f"statistic.views[{place}]", "a view besides `persons`, named once")


def _statistic(query: Query, known: dict[str, Declared]) -> None:
    statistic = query.statistic
    if isinstance(statistic, Tabulate):
        for name in statistic.by:
            _levels("statistic.by", known, name)
    elif isinstance(statistic, Extract):
        _leaving(statistic, query)
    elif isinstance(statistic, Histogram):
        _levels("statistic.of", known, statistic.of)
    elif isinstance(statistic, Survival):
        _levels("statistic.time", known, statistic.time)
        _binary("statistic.event", known, statistic.event)
    elif isinstance(statistic, Mean):
        _number("statistic.of", known, statistic.of)
    elif not isinstance(statistic, Count):
        _model(statistic, known)


def _model(statistic: Linear | Logistic | Cox, known: dict[str, Declared]) -> None:
    if isinstance(statistic, Cox):
        _number("statistic.time", known, statistic.time)
        _binary("statistic.event", known, statistic.event)
    elif isinstance(statistic, Logistic):
        _binary("statistic.outcome", known, statistic.outcome)
    else:
        _number("statistic.outcome", known, statistic.outcome)
    for name in statistic.on:
        if name not in known or known[name].date:
            raise QueryRefused("statistic.on", f"{name} is no column with bounds or levels")


def used(statistic: Statistic) -> tuple[str, ...]:
    """Return the columns that a statistic takes, each once, in order."""
    if isinstance(statistic, Count | Extract):
        return ()
    if isinstance(statistic, Tabulate):
        names: tuple[str, ...] = statistic.by
    elif isinstance(statistic, Mean | Histogram):
        names = (statistic.of,)
    elif isinstance(statistic, Survival):
        names = (statistic.time, statistic.event)
    elif isinstance(statistic, Cox):
        names = (statistic.time, statistic.event, *statistic.on)
    else:
        names = (statistic.outcome, *statistic.on)
    return tuple(dict.fromkeys(names))
