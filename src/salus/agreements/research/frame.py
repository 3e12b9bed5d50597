"""A query document as SQL over its views' tables: one row for each person. DuckDB and Spark both run it, to the same rows.

Every table has text columns, one of them `patient`, all under names of `column_of`. Names are of [a-z0-9_], values are
literals written here: nothing of a document reaches the SQL as it stands. Where the two differ (quotes, casts of text, the
distance of two dates, rows that tie), what both take alike is written: ADR 336.
"""

import re
from typing import Final

from salus.agreements.research.document import (
    INDEX_DATE,
    PATIENT,
    Column,
    Derived,
    Filter,
    Query,
    QueryRefused,
    Reduced,
    used,
)

AGGREGATES: Final = {"min": "min", "max": "max", "mean": "avg", "sum": "sum"}
PREFIX: Final = "c_"
NUMBER: Final = "^-?[0-9]{1,30}([.][0-9]{1,30})?([eE][-+]?[0-9]{1,2})?$"
"""What is read as a number; other text is a missing one, also `nan` and `inf`."""
DATE: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T.*)?$"
"""What is read as a date: to the day at least."""


def compile_frame(query: Query, tables: dict[str, tuple[str, ...]]) -> str:
    """Return the SQL of the frame: column `patient`, then those that the statistic takes.

    `tables` names each view's columns. Raises QueryRefused for a column that its view does not have.
    """
    for view, columns in tables.items():
        if PATIENT not in columns:
            raise QueryRefused("views", f"{view} has no column {PATIENT}")
    parts = [f"f AS (SELECT DISTINCT {_name(PATIENT)} FROM {table(query.persons)} WHERE {_name(PATIENT)} IS NOT NULL)"]
    last = "f"
    wanted_columns = needed(query)
    for place, column in enumerate(query.columns):
        if isinstance(column, Reduced):
            _known(f"columns[{place}]", column, tables[column.view])
        if column.name not in wanted_columns:
            continue
        step = f"f{place}"
        if isinstance(column, Reduced):
            parts.append(f"r{place} AS ({_reduction(column)})")
            value = _settled(column, _reduced_value(column, f"r{place}.v"))
            join = f"LEFT JOIN r{place} ON {last}.{_name(PATIENT)} = r{place}.{_name(PATIENT)}"
        else:
            value, join = _settled(column, _derived_value(column, query)), ""
        parts.append(f"{step} AS (SELECT {last}.*, {value} AS {_name(column.name)} FROM {last} {join})")
        last = step
    wanted = used(query.statistic)
    conditions = [f"{_name(name)} IS NOT NULL" for name in wanted]
    conditions += [f"{_name(query.cohort)} = '1'"] if query.cohort else []
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    listed = ", ".join(_name(name) for name in (PATIENT, *wanted))
    return f"WITH {', '.join(parts)} SELECT {listed} FROM {last}{where} ORDER BY {_name(PATIENT)}"


def needed(query: Query) -> set[str]:
    """Return the columns that statistic and cohort rest on, directly or through others."""
    found = {*used(query.statistic), query.cohort}
    for column in reversed(query.columns):
        if isinstance(column, Derived) and column.name in found:
            found |= {*column.of}
    return found


def views_needed(query: Query) -> set[str]:
    """Return the views whose rows the frame rests on."""
    found = needed(query)
    return {query.persons} | {c.view for c in query.columns if isinstance(c, Reduced) and c.name in found}


def columns_needed(query: Query, view: str) -> set[str]:
    """Return the columns of a view that the frame rests on, its persons' among them."""
    found = needed(query)
    reduced = [c for c in query.columns if isinstance(c, Reduced) and c.name in found and c.view == view]
    named = {name for c in reduced for name in (c.column, c.order, *(each.column for each in c.where))}
    return {PATIENT} | named - {""}


def table(view: str) -> str:
    """Return the name of a view's table: no name of the frame's own steps, and no word of SQL."""
    return f"view_{view}"


def column_of(name: str) -> str:
    """Return the name of a column in tables and frame: no word of SQL, so that it needs no quotes."""
    return PREFIX + name


_name = column_of


def _text(value: str) -> str:
    """Return a literal. Quotes and backslashes are what SQL dialects read differently within one."""
    parts = re.split(r"(['\\])", value)
    told = " || ".join(f"chr({ord(one)})" if place % 2 else f"'{one}'" for place, one in enumerate(parts))
    return told if len(parts) == 1 else f"({told})"


def _read_number(text: str) -> str:
    return f"CASE WHEN regexp_replace({text}, '{NUMBER}', '') = '' THEN TRY_CAST({text} AS DOUBLE) END"


def _day(text: str) -> str:
    """Return the number of a date's day, counted from the first of a calendar without gaps."""
    date = f"CASE WHEN regexp_replace({text}, '{DATE}', '') = '' THEN TRY_CAST(substr({text}, 1, 10) AS DATE) END"
    past = f"(year({date}) - 1)"
    leap = f"floor({past} / 4) - floor({past} / 100) + floor({past} / 400)"
    return f"(365 * {past} + {leap} + dayofyear({date}))"


def _number(value: float) -> str:
    return f"CAST({value!r} AS DOUBLE)"


def _known(path: str, column: Reduced, columns: tuple[str, ...]) -> None:
    named = [column.column, column.order, *(each.column for each in column.where)]
    for name in named:
        if name and name not in columns:
            raise QueryRefused(path, f"view {column.view} has no column {name}, but {', '.join(columns)}")


def _reduction(column: Reduced) -> str:
    source = _name(column.column) if column.column else ""
    if column.bounds is not None and source:
        source = _read_number(source)
    conditions = ["TRUE", *(each for one in column.where for each in _filter(one))]
    if column.by in ("count", "exists"):
        value = "count(*)"
    elif column.by in ("first", "last"):
        order = _name(column.order)
        value = f"{'min_by' if column.by == 'first' else 'max_by'}({source}, ({order}, {source}))"  # of two at once the value decides
        conditions += [f"{order} IS NOT NULL", f"({source}) IS NOT NULL"]
    else:
        value = f"{AGGREGATES[column.by]}({source})"
    patient = _name(PATIENT)
    where = " AND ".join(conditions)
    return f"SELECT {patient}, {value} AS v FROM {table(column.view)} WHERE {where} GROUP BY {patient}"


def _filter(one: Filter) -> list[str]:
    name = _name(one.column)
    found = []
    if one.codes is not None:
        found.append(f"{name} IN ({', '.join(map(_text, one.codes))})")
    if one.at_least is not None:
        found.append(f"{_read_number(name)} >= {_number(one.at_least)}")
    if one.at_most is not None:
        found.append(f"{_read_number(name)} <= {_number(one.at_most)}")
    if one.since is not None:
        found.append(f"{name} >= {_text(one.since)}")
    if one.before is not None:
        found.append(f"{name} < {_text(one.before)}")
    return found


def _reduced_value(column: Reduced, value: str) -> str:
    if column.by == "exists":
        return f"CASE WHEN coalesce({value}, 0) > 0 THEN '1' ELSE '0' END"
    if column.by == "count":
        return f"CAST(coalesce({value}, 0) AS DOUBLE)"
    return value


def _derived_value(column: Derived, query: Query) -> str:
    names = [_text(query.index_date) if each == INDEX_DATE else _name(each) for each in column.of]
    first = names[0]
    if column.op == "days":
        return f"CAST({_day(names[1])} - {_day(names[0])} AS DOUBLE)"
    if column.op == "minus":
        return f"{first} - {names[1]}"
    if column.op == "bins":
        levels = column.levels or ()
        cases = "".join(
            f" WHEN {first} < {_number(edge)} THEN {_text(level)}"
            for edge, level in zip(column.edges, levels, strict=False)
        )
        return f"CASE WHEN {first} IS NULL THEN NULL{cases} ELSE {_text(levels[-1])} END"
    return _test(_condition(column, names), names)


def _condition(column: Derived, names: list[str]) -> str:
    if column.op == "codes":
        return f"{names[0]} IN ({', '.join(map(_text, column.codes or ('',)))})"
    if column.op == "at-least":
        return f"{names[0]} >= {_number(column.value)}"
    if column.op == "at-most":
        return f"{names[0]} <= {_number(column.value)}"
    if column.op == "not":
        return f"{names[0]} = '0'"
    return f" {column.op.upper()} ".join(f"{each} = '1'" for each in names)


def _test(condition: str, names: list[str]) -> str:
    missing = " OR ".join(f"{each} IS NULL" for each in names)
    return f"CASE WHEN {missing} THEN NULL WHEN {condition} THEN '1' ELSE '0' END"


def _settled(column: Column, value: str) -> str:
    """Return a column's value within what was declared, missing values put."""
    if column.bounds is not None:
        low, high = map(_number, column.bounds)
        value = f"CASE WHEN ({value}) IS NULL THEN NULL ELSE least(greatest({value}, {low}), {high}) END"
    elif column.levels is not None:
        value = f"CASE WHEN ({value}) IN ({', '.join(map(_text, column.levels))}) THEN ({value}) END"
    if column.missing == "drop":
        return value
    filled = _text(column.missing) if isinstance(column.missing, str) else _number(column.missing)
    return f"coalesce({value}, {filled})"
