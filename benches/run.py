"""Run the benches, print and store what they measured, and fail on a missed budget that no page explains.

A bench is a module `benches/bench_*.py` with `run() -> list[dict]`; each figure is a dict

    name    what is measured, unique
    value   the figure, in `unit`
    limit   the limit measured in the same run that the figure is compared with, in `unit`, or None
    ratio   value over limit as the budget states it, or None
    budget  the budget as text ("<= 4 x the hashing floor"), or "" for a figure without one
    met     whether the budget is met; True without one

A missed budget is explained by a line that names it in backquotes in docs/reference/missed-budgets.md.
"""

import importlib
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

BENCHES = Path(__file__).parent
ROOT = BENCHES.parent
RESULT = ROOT / "bench.json"
EXPLAINED = ROOT / "docs" / "reference" / "missed-budgets.md"
KEYS = {"name", "value", "unit", "limit", "ratio", "budget", "met"}

Figure = dict[str, Any]


def discovered(only: str = "") -> list[str]:
    """Return the names of the benches, or of those that have a word in their name."""
    return sorted(path.stem for path in BENCHES.glob("bench_*.py") if only in path.stem)


def measured(names: list[str]) -> list[Figure]:
    """Run benches and return their figures. Raises ValueError for a figure of another shape."""
    figures: list[Figure] = []
    for name in names:
        for figure in importlib.import_module(f"benches.{name}").run():
            if set(figure) != KEYS:
                raise ValueError(f"{name}: a figure has {sorted(KEYS)}, not {sorted(figure)}")
            figures.append({"bench": name, **figure})
    return figures


def unexplained(figures: list[Figure], explanations: str) -> list[str]:
    """Return the names of the missed budgets that the page of explanations does not name."""
    return [figure["name"] for figure in figures if not figure["met"] and f"`{figure['name']}`" not in explanations]


def machine() -> dict[str, Any]:
    """Return what a reader needs to judge the figures."""
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def shown(figures: list[Figure]) -> Table:
    """Return the figures as a table."""
    table = Table("figure", "value", "unit", "limit", "ratio", "budget", "met")
    for figure in figures:
        numbers = [("-" if figure[key] is None else f"{figure[key]:,.4g}") for key in ("value", "limit", "ratio")]
        table.add_row(
            figure["name"],
            numbers[0],
            figure["unit"],
            numbers[1],
            numbers[2],
            figure["budget"],
            "yes" if figure["met"] else "NO",
        )
    return table


def main(arguments: list[str]) -> int:
    """Run the benches and return the exit code."""
    figures = measured(discovered(*arguments[:1]))
    missed = unexplained(figures, EXPLAINED.read_text(encoding="utf-8") if EXPLAINED.exists() else "")
    document = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "figures": figures}
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    Console(width=160).print(shown(figures))
    for name in missed:
        print(f"missed and not explained in {EXPLAINED.relative_to(ROOT)}: {name}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
