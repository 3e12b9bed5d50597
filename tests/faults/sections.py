"""Sections of docs/reference/reliability.md that runs of their own write: each replaces its own and leaves the others."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "reliability.md"
JOINING = "## How long a new organisation takes"
PLANTED = {part: f"## How many faults planted in {part} the tests find" for part in ("core", "contracts")}
LAST = "## What is not tested"


def section(head: str) -> str:
    """Return a section of the page as it stands, with its head and an empty line behind it; nothing if there is none."""
    found = re.search(rf"^{re.escape(head)}\n.*?(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return found.group() if found else ""


def write(head: str, text: str) -> None:
    """Put a section in its place, or before the last one."""
    page, made = PAGE.read_text(), f"{head}\n\n{text}\n\n"
    before = section(head)
    PAGE.write_text(page.replace(before, made) if before else page.replace(LAST, made + LAST))
