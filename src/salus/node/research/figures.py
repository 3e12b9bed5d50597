"""A query document over a member's own resources: views in memory, the frame by DuckDB, exact figures. Needs the extra `research`."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import duckdb
import msgspec
import numpy as np

from salus.agreements.research import models, noisy
from salus.agreements.research.document import (
    PATIENT,
    Count,
    Cox,
    Declared,
    Extract,
    Histogram,
    Linear,
    Logistic,
    Mean,
    Query,
    QueryRefused,
    Survival,
    Tabulate,
)
from salus.agreements.research.extract import Field
from salus.agreements.research.frame import PREFIX, column_of, columns_needed, compile_frame, table, views_needed
from salus.interop.fhir.view import View, ViewMalformed

MAX_ROWS: Final = 5_000_000  # rows of one view, in memory
MEMORY: Final = "2GB"
"""Of all frames at a time."""
SECONDS: Final = 120.0
"""Of a frame's SQL."""
_OPENING: Final = threading.Lock()
Line: TypeAlias = dict[str, str | int | float | None]


class Frame:
    """One row for each person: the columns that the statistic takes, by name, in the order of the persons' keys."""

    def __init__(self, query: Query, columns: dict[str, Any], patients: tuple[str, ...]) -> None:
        self.query = query
        self.columns = columns
        self.patients = patients
        self.count = len(patients)
        self.declared: dict[str, Declared] = {column.name: column for column in query.columns}

    def numbers(self, name: str) -> models.Matrix:
        """Return a column as numbers; of levels 0 and 1 their values."""
        return np.asarray(self.columns[name], dtype=np.float64)

    def design(self, names: tuple[str, ...], *, constant: bool) -> tuple[list[str], models.Matrix]:
        """Return terms and matrix of a model: numbers as they are, of levels one column for each but the first."""
        terms, columns = (["constant"], [np.ones(self.count)]) if constant else ([], [])
        for name in names:
            levels = self.declared[name].levels
            if levels is None:
                terms.append(name)
                columns.append(self.numbers(name))
                continue
            for level in levels[1:]:
                terms.append(f"{name}={level}")
                columns.append(np.asarray(self.columns[name] == level, dtype=np.float64))
        return terms, np.column_stack(columns) if columns else np.empty((self.count, 0))


def frame(query: Query, resources: Iterable[Any]) -> Frame:
    """Run the views and the frame. Raises QueryRefused; ViewFailed for a resource that does not fit a view."""
    return owned_frame(query, (("", resource) for resource in resources))


def owned_frame(query: Query, owned: Iterable[tuple[str, Any]]) -> Frame:
    """As `frame` over (owner, resource): where an owner is named, the rows are the owner's, whatever a reference says."""
    views = compiled(query)
    rows: dict[str, list[tuple[str | None, ...]]] = {name: [] for name, _ in views}
    places = {name: view.names.index(PATIENT) if PATIENT in view.names else -1 for name, view in views}
    wanted = views_needed(query)
    running = [(name, view) for name, view in views if name in wanted]
    for owner, resource in owned:
        for name, view in running:
            rows[name].extend(_owned(row, places[name], owner) for row in texts(view, resource))
            if len(rows[name]) > MAX_ROWS:
                raise QueryRefused("views", f"{name} gives more than {MAX_ROWS} rows")
    return framed(query, views, {name: _by_column(view.names, rows[name]) for name, view in running})


def compiled(query: Query) -> list[tuple[str, View]]:
    """Return the views of a document, by name. Raises QueryRefused, naming the place."""
    views = []
    for place, given in enumerate(query.views):
        try:
            views.append((str(given["name"]), View(given)))
        except ViewMalformed as wrong:
            raise QueryRefused(f"views[{place}].{wrong.path}", wrong.what) from None
    return views


def texts(view: View, resource: Any) -> Iterator[tuple[str | None, ...]]:
    """Yield a view's rows of one resource as tables carry them: text, or None. Raises ViewFailed."""
    return (tuple(map(_text, row)) for row in view.rows([resource]))


def _by_column(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> dict[str, list[str | None]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def framed(
    query: Query, views: Sequence[tuple[str, View]], rows: Mapping[str, Mapping[str, Sequence[str | None]]]
) -> Frame:
    """Return the frame over views' rows, given by view and column, those of a view without any left out. Raises QueryRefused."""
    sql = compile_frame(query, {name: tuple(view.names) for name, view in views})
    with private_tables() as database:
        for name, view in views:
            wanted = columns_needed(query, name)
            listed = [column for column in view.names if column in wanted]
            typed = ", ".join(f"{column_of(one)} VARCHAR" for one in listed)
            database.execute(f"CREATE TEMP TABLE {table(name)} ({typed})")
            _fill(database, table(name), [rows[name][one] for one in listed] if name in rows else [])
        columns = {name.removeprefix(PREFIX): values for name, values in fetched(database, sql).items()}
    patients = tuple(map(str, columns.pop(PATIENT)))
    return Frame(query, {name: np.asarray(values) for name, values in columns.items()}, patients)


@cache
def _memory() -> duckdb.DuckDBPyConnection:
    """Return the database in memory that every frame shares: to make one takes longer than a small frame."""
    database = duckdb.connect(":memory:", config={"memory_limit": MEMORY, "threads": 1})  # sums in one order
    database.execute("SET temp_directory = ''; SET enable_external_access = false; SET lock_configuration = true")
    return database


@contextmanager
def private_tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection whose temporary tables no other sees, and which go with it."""
    with _OPENING:
        connection = _memory().cursor()
    with connection:
        yield connection


def fetched(database: duckdb.DuckDBPyConnection, sql: str, *, seconds: float = SECONDS) -> dict[str, Any]:
    """Return the columns of a query by name. Raises QueryRefused where the database refuses it, or it takes too long."""
    ending = threading.Timer(seconds, database.interrupt)
    ending.daemon = True
    ending.start()
    try:
        return dict(database.execute(sql).fetchnumpy())
    except duckdb.InterruptException:
        raise QueryRefused("columns", f"they take longer than {seconds:g} seconds") from None
    except duckdb.Error as refused:
        raise QueryRefused("columns", type(refused).__name__) from None
    finally:
        ending.cancel()
        ending.join()  # it may be at its interrupt: the connection stays open so long


def _owned(row: tuple[str | None, ...], place: int, owner: str) -> tuple[str | None, ...]:
    return (*row[:place], owner, *row[place + 1 :]) if owner and place >= 0 else row


def _fill(database: duckdb.DuckDBPyConnection, name: str, columns: Sequence[Sequence[str | None]]) -> None:
    """Insert columns of text, each in one value: JSON, which DuckDB reads faster than lists, unless a text holds a NUL."""
    if not columns or not columns[0]:
        return
    told = [msgspec.json.encode(column).decode() for column in columns]
    numbered = range(1, len(columns) + 1)
    if any("\\u0000" in one for one in told):
        asked = ", ".join(f"unnest(${place}::VARCHAR[])" for place in numbered)
        database.execute(f"INSERT INTO {name} SELECT {asked}", columns)
        return
    asked = ", ".join(f"unnest(from_json(${place}, '[\"VARCHAR\"]'))" for place in numbered)
    database.execute(f"INSERT INTO {name} SELECT {asked}", told)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, list | dict):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def figures(own: Frame) -> list[Line]:
    """Return the statistic's exact figures, a line for each cell or term. Raises NoFit for a model without estimate."""
    statistic = own.query.statistic
    if isinstance(statistic, Extract):
        raise QueryRefused("statistic", "an extract is asked of members, not run on one's own files")
    if isinstance(statistic, Count):
        return [{"count": own.count}]
    if isinstance(statistic, Tabulate):
        return [{**cell, "count": count} for cell, count in zip(noisy.cells(own.query), cells(own), strict=True)]
    if isinstance(statistic, Histogram | Survival):
        return noisy.lines(own.query, cells(own), variance=0, custodians=1, smallest=0)
    if isinstance(statistic, Mean):
        values = own.numbers(statistic.of)
        return [{"count": own.count, "sum": float(values.sum()), "mean": float(values.mean()) if own.count else None}]
    terms, fit = _fit(own, statistic)
    spread = np.sqrt(np.diag(fit.covariance))
    return [
        {
            "term": term,
            "estimate": float(value),
            "standard_error": float(error),
            "low": float(value - 1.959964 * error),
            "high": float(value + 1.959964 * error),
            "persons": own.count,
        }
        for term, value, error in zip(terms, fit.coefficients, spread, strict=True)
    ]


def cells(own: Frame) -> list[int]:
    """Return the whole numbers that the noisy way sends, without noise (`agreements.research.noisy`)."""
    statistic = own.query.statistic
    if isinstance(statistic, Mean):
        centre, half = noisy.middle(own.declared[statistic.of].bounds or (0.0, 1.0))
        moved = np.rint((own.numbers(statistic.of) - centre) / half * noisy.GRID)
        return [own.count * noisy.GRID, int(moved.sum())]
    found = []
    for cell in noisy.cells(own.query):
        inside = np.ones(own.count, dtype=bool)
        for name, level in cell.items():
            inside &= own.columns[name] == level
        found.append(int(inside.sum()))
    return found


def _fit(own: Frame, statistic: Linear | Logistic | Cox) -> tuple[list[str], models.Fit]:
    terms, design = own.design(statistic.on, constant=not isinstance(statistic, Cox))
    if isinstance(statistic, Linear):
        return terms, models.solve_linear(*models.linear(design, own.numbers(statistic.outcome)))
    if isinstance(statistic, Cox):
        sums = models.cox(design, own.numbers(statistic.time), own.numbers(statistic.event))
    else:
        sums = models.logistic(design, own.numbers(statistic.outcome))
    return terms, models.newton(sums, len(terms))


_TABLE_TYPES: Final = {
    "boolean": "BOOLEAN", "decimal": "DOUBLE", "integer": "BIGINT", "positiveInt": "BIGINT", "unsignedInt": "BIGINT",
}  # fmt: skip


def write_table(rows: list[tuple[str | None, ...]], fields: list[Field], file: Path) -> None:
    """Write an extract's table as Parquet or NDJSON, by the file's ending; columns of no number or truth value are text."""
    kinds = {".parquet": "PARQUET", ".ndjson": "JSON"}
    listed = ", ".join(f'"{one.name}" VARCHAR' for one in fields)
    typed = ", ".join(
        f'CAST("{one.name}" AS {_TABLE_TYPES.get(one.type, "VARCHAR")}) AS "{one.name}"' for one in fields
    )
    with duckdb.connect(":memory:") as database:
        database.execute(f"CREATE TABLE rows ({listed})")
        _fill(database, "rows", [[row[place] for row in rows] for place in range(len(fields))])
        target = str(file).replace("'", "''")
        database.execute(f"COPY (SELECT {typed} FROM rows) TO '{target}' (FORMAT {kinds[file.suffix]})")  # noqa: S608 -- names


def write(lines: list[Line], file: Path) -> None:
    """Write figures as Parquet, NDJSON or CSV, by the file's ending."""
    kinds = {".parquet": "PARQUET", ".ndjson": "JSON", ".csv": "CSV, HEADER"}
    types = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", type(None): "DOUBLE"}
    names = list(dict.fromkeys(name for line in lines for name in line))
    first = {name: next((line[name] for line in lines if line.get(name) is not None), None) for name in names}
    with duckdb.connect(":memory:") as database:
        listed = ", ".join(f'"{name}" {types[type(first[name])]}' for name in names)
        database.execute(f"CREATE TABLE figures ({listed})")
        places = ", ".join("?" for _ in names)
        insert = f"INSERT INTO figures VALUES ({places})"  # noqa: S608 -- places only
        database.executemany(insert, [[line.get(name) for name in names] for line in lines])
        target = str(file).replace("'", "''")
        database.execute(f"COPY figures TO '{target}' (FORMAT {kinds[file.suffix]})")
