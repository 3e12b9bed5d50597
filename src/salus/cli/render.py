"""Responses and refusals on a terminal."""

import argparse
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.measure import Measurement
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from salus.cli.derive import shown
from salus.interop.x12.money import dollars
from salus.node.fields import Field, fields
from salus.node.usecase import Progress, Verdict

QUIET_SECONDS: Final = 1.0
"""A command that takes longer shows that it is at work, also when a running node does the work."""


CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What moves the cursor, breaks a line or turns the direction of writing: others write what is shown here."""

WIDE: Final = 240
"""Columns of an output that is no terminal: nobody asked it how wide it is."""

LONG: Final = 400
"""Characters shown of one value of a row; ids and digests are shorter, and `--json` gives everything."""


def output() -> Console:
    """Return standard output, as wide as its terminal is."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)


def answer(told: msgspec.Struct, given: argparse.Namespace) -> int:
    """Show a use case's response as the command line asks for it; return the exit code."""
    if given.only:
        alone(getattr(told, given.only))
    elif given.as_json:
        print(msgspec.json.encode(told).decode())
    else:
        response(told, output())
    return 1 if isinstance(told, Verdict) and not told.sound else 0


def response(answer: msgspec.Struct, console: Console) -> None:
    """Print a response: one line per field, a table for a list of structs or of figures by name."""
    tables: list[tuple[str, list[Any]]] = []
    for field in fields(type(answer)):
        value = read(answer, field)
        if isinstance(value, list | tuple) and value and isinstance(value[0], msgspec.Struct | dict):
            tables.append((field.name, list(value)))
        elif isinstance(value, list | tuple) and any(isinstance(each, str) and " " in each for each in value):
            sentences(field.name, value, console)
        elif isinstance(value, msgspec.Struct):
            console.print(Text(f"{field.name}:"))
            response(value, console)
        else:
            single(field.name, value, console)
    for name, rows in tables:
        table = Table(title=name.replace("_", " "), title_justify="left")
        columns, cells = laid_out(rows)
        for column in columns:
            table.add_column(column.replace("_", " "))
        for row in cells:
            table.add_row(*map(Text, row))
        if (
            Measurement.get(console, console.options.update(max_width=LONG * len(columns)), table).maximum
            <= console.width
        ):
            console.print(table)
        else:
            listed(name, columns, cells, console)


def read(told: msgspec.Struct, field: Field) -> Any:
    """Return the value of a field as a person reads it: money in dollars. `--json` and `--only` give it as it is."""
    value = getattr(told, field.name)
    return dollars(value) if field.cents else value


def single(name: str, value: Any, console: Console) -> None:
    """Print one value; a text of several lines indented, so that no line of it passes for a field."""
    head = name.replace("_", " ")
    if isinstance(value, str) and "\n" in value.strip():
        console.print(Text(f"{head}:"))
        for line in value.strip().split("\n"):
            console.print(Text(f"  {cell(line) if line else ''}".rstrip()), soft_wrap=True)
        return
    told = cell(value)
    if isinstance(value, bytes) and len(told) > LONG:
        told = f"{len(value)} bytes: write them to a file with --only {name} > FILE"
    console.print(Text(f"{head}: {told}"), soft_wrap=True)


def laid_out(rows: list[Any]) -> tuple[list[str], list[list[str]]]:
    """Return the columns of some rows, all structs of one kind or all figures by name, and their cells as a reader follows them."""
    if not isinstance(rows[0], dict):
        columns = list(fields(type(rows[0])))
        cells = [[short(cell(read(row, column))) for column in columns] for row in rows]
        return [column.name for column in columns], cells
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return [cell(one) for one in columns], [[short(cell(rounded(row.get(one)))) for one in columns] for row in rows]


def rounded(value: Any) -> Any:
    """Return a figure as one reads it, to six digits; a file or --json has all of them."""
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return f"{value:.6g}" if isinstance(value, float) else value


def sentences(name: str, told: Sequence[Any], console: Console) -> None:
    """Print a list of texts one under the other: joined, nobody sees where one ends."""
    console.print(Text(f"{name.replace('_', ' ')}:"))
    for each in told:
        console.print(Text(f"- {cell(each)}"), soft_wrap=True)


def listed(name: str, columns: list[str], cells: list[list[str]], console: Console) -> None:
    """Print rows one under the other, a line for each value: a table cut at the edge breaks ids that a command takes."""
    console.print(Text(f"{name.replace('_', ' ')}:"))
    for row in cells:
        marks = ["-", *" " * len(row)]
        told = [
            f"{column.replace('_', ' ')}: {value}" for column, value in zip(columns, row, strict=True) if value != "-"
        ]
        for mark, line in zip(marks, told or ["-"], strict=False):
            console.print(Text(f"{mark} {line}"), soft_wrap=True)


def alone(value: Any) -> None:
    """Write one value of a response to standard output as it stands: bytes as bytes, a text with a newline."""
    if isinstance(value, bytes):
        sys.stdout.buffer.write(value)
        sys.stdout.flush()
    else:
        print(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def short(text: str) -> str:
    """Return a value of a row as far as a reader follows it."""
    return text if len(text) <= LONG else f"{text[:LONG]}… ({len(text) - LONG} more characters with --json)"


def cell(value: Any) -> str:
    """Return a value as one line; bytes in hexadecimal, nothing as a dash, no character that steers a terminal."""
    if value is None or value == "":
        return "-"
    if isinstance(value, list | tuple) and any(isinstance(each, str) and " " in each for each in value):
        value = "; ".join(map(shown, value))  # of texts joined by a space nobody sees where one ends
    text = value.hex() if isinstance(value, bytes) else shown(value)
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@contextmanager
def progress(console: Console) -> Iterator[Progress]:
    """Draw a bar for long work while the block runs; nothing where the output is no terminal."""
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def told(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=None)
            bar.update(tasks[what], completed=done, total=total or None)

        yield told


@contextmanager
def working(told: Progress, quiet: float = QUIET_SECONDS) -> Iterator[Progress]:
    """Draw a bar without an end once work has taken `quiet` seconds without telling how far it is."""
    timer = threading.Timer(quiet, told, (0, 0, "working"))

    def heard(done: int, total: int, what: str) -> None:
        timer.cancel()
        told(done, total, what)

    timer.daemon = True
    timer.start()
    try:
        yield heard
    finally:
        timer.cancel()
