# ruff: noqa: INP001 -- a script, not a package
"""Generate `salus/interop/gs1/dictionary.py` from the GS1 Barcode Syntax Dictionary (Apache-2.0).

python tools/make_gs1_dictionary.py gs1-syntax-dictionary.txt > src/salus/interop/gs1/dictionary.py
"""

import re
import sys
from pathlib import Path

LINE = re.compile(r"^(\d{2,4})(?:-(\d{2,4}))?\s+([*?]*)\s*(.*?)\s*(?:#\s*(.*))?$")
COMPONENT = re.compile(r"^(\[)?([NXYZ])(\.\.)?(\d+)(\])?(?:,([\w,]+))?$")
HEAD = '''"""The GS1 application identifiers. Generated from the GS1 Barcode Syntax Dictionary by `tools/make_gs1_dictionary.py`.

Copyright (c) 2020-2021 BWIPP project, 2020-2021 Zint Project, 2021-2025 GS1 AISBL; Apache-2.0.
A row: identifier, whether its length is predefined (no FNC1 after it), components (character set, fewest, most
characters, lints), needed identifiers (any one group), excluded identifiers, Digital Link qualifier sequences (None: no
primary key), whether it may be a Digital Link attribute, title.
"""

from typing import Final

Component = tuple[str, int, int, tuple[str, ...]]
Row = tuple[
    str,
    bool,
    tuple[Component, ...],
    tuple[tuple[tuple[str, ...], ...], ...],
    tuple[str, ...],
    tuple[tuple[str, ...], ...] | None,
    bool,
    str,
]

# fmt: off
ROWS: Final[tuple[Row, ...]] = (
'''


def component(text: str) -> tuple[str, int, int, tuple[str, ...]]:
    """Return (character set, fewest, most, lints) of one component."""
    found = COMPONENT.match(text)
    if found is None:
        raise SystemExit(f"not a component: {text}")
    optional, kind, up_to, size, _, lints = found.groups()
    fewest = 0 if optional else 1 if up_to else int(size)
    return kind, fewest, int(size), tuple(lints.split(",")) if lints else ()


def rows(text: str) -> list[tuple[object, ...]]:
    """Return a row for each application identifier, ranges spelled out."""
    found = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = LINE.match(line)
        if match is None:
            raise SystemExit(f"not an entry: {line}")
        first, last, flags, rest, title = match.groups()
        words = rest.split()
        parts = tuple(component(word) for word in words if COMPONENT.match(word))
        attributes = [word for word in words if not COMPONENT.match(word)]
        needs = tuple(
            tuple(tuple(group.split("+")) for group in word[4:].split(","))
            for word in attributes
            if word.startswith("req=")
        )
        excludes = tuple(ai for word in attributes if word.startswith("ex=") for ai in word[3:].split(","))
        key: tuple[tuple[str, ...], ...] | None = None
        for word in attributes:
            if word == "dlpkey":
                key = ((),)
            elif word.startswith("dlpkey="):
                key = tuple(tuple(way.split(",")) for way in word[7:].split("|"))
        for number in range(int(first), int(last or first) + 1):
            ai = str(number).zfill(len(first))
            found.append((ai, "*" in flags, parts, needs, excludes, key, "?" in flags, title or ""))
    return found


def main() -> None:
    """Write the module to standard output."""
    table = rows(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.stdout.write(HEAD + "".join(f"    {row!r},\n".replace("'", '"') for row in table) + ")\n# fmt: on\n")


if __name__ == "__main__":
    main()
