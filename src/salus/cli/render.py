"""Responses and refusals on a terminal."""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from salus.cli.derive import shown
from salus.node.fields import fields
from salus.node.usecase import Progress

ID: Final = re.compile("[0-9a-f]{32}")
"""An id that the next command takes: it must not break over two lines where it is copied from."""

QUIET_SECONDS: Final = 1.0
"""A command that takes longer shows that it is at work, also when a running node does the work."""


def response(answer: msgspec.Struct, console: Console) -> None:
    """Print a response: one line per field, a table for a list of structs."""
    tables: list[tuple[str, list[Any]]] = []
    for field in fields(type(answer)):
        value = getattr(answer, field.name)
        if isinstance(value, list | tuple) and value and isinstance(value[0], msgspec.Struct):
            tables.append((field.name, list(value)))
        elif isinstance(value, msgspec.Struct):
            console.print(Text(f"{field.name}:"))
            response(value, console)
        else:
            console.print(Text(f"{field.name.replace('_', ' ')}: {cell(value)}"), soft_wrap=True)
    for name, rows in tables:
        table = Table(title=name.replace("_", " "), title_justify="left")
        columns = [field.name for field in fields(type(rows[0]))]
        cells = [[cell(getattr(row, column)) for column in columns] for row in rows]
        for at, column in enumerate(columns):
            ids = max((len(row[at]) for row in cells if ID.fullmatch(row[at])), default=0)
            table.add_column(column.replace("_", " "), overflow="fold", min_width=ids or None)
        for row in cells:
            table.add_row(*map(Text, row))
        console.print(table)


def alone(value: Any) -> None:
    """Write one value of a response to standard output as it stands: bytes as bytes, a text with a newline."""
    if isinstance(value, bytes):
        sys.stdout.buffer.write(value)
        sys.stdout.flush()
    else:
        print(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def cell(value: Any) -> str:
    """Return a value as one line; bytes in hexadecimal, nothing as a dash."""
    if value is None or value == "":
        return "-"
    return value.hex() if isinstance(value, bytes) else shown(value)


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
