"""The coverage that each part of the house owes, checked against coverage's JSON report."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Percent of lines and branches together. The longest matching prefix counts.
FLOORS = {
    "src/salus/": 90,
    "src/salus/core/": 100,
    "src/salus/contracts/": 100,
}


def floor_of(name: str) -> str:
    return max((prefix for prefix in FLOORS if name.startswith(prefix)), key=len)


def missed(report: dict[str, Any]) -> list[str]:
    """Return a line for each part below its floor, naming the files that lack most."""
    parts: dict[str, list[tuple[int, int, str]]] = {}
    for name, file in report["files"].items():
        summary = file["summary"]
        owed = summary["num_statements"] + summary.get("num_branches", 0)
        have = summary["covered_lines"] + summary.get("covered_branches", 0)
        parts.setdefault(floor_of(name.replace("\\", "/")), []).append((owed - have, owed, name))
    lines = []
    for prefix, files in sorted(parts.items()):
        lacking, owed = sum(f[0] for f in files), sum(f[1] for f in files)
        if owed and 100 * (owed - lacking) < FLOORS[prefix] * owed:
            worst = ", ".join(f"{name} lacks {lack}" for lack, _, name in sorted(files, reverse=True)[:8] if lack)
            lines.append(f"{prefix} {100 * (owed - lacking) / owed:.1f} % < {FLOORS[prefix]} %: {worst}")
    return lines


def reported(sources: Sequence[Path]) -> dict[str, Any]:
    """Return coverage's report on these files from `.coverage` in the present folder, made by a process for each processor.

    To read the source of the whole house takes as long as a minute's tests, and nothing else is left to do then.
    """
    by_size = sorted(sources, key=lambda path: path.stat().st_size)
    count = min(os.cpu_count() or 1, len(by_size))
    with tempfile.TemporaryDirectory() as folder:
        outs = [Path(folder) / f"{place}.json" for place in range(count)]
        asked = [f"--include={','.join(map(str, by_size[place::count]))}" for place in range(count)]
        command = [sys.executable, "-m", "coverage", "json", "-q"]
        running = [subprocess.Popen([*command, "-o", str(out), one]) for out, one in zip(outs, asked, strict=True)]
        codes = [one.wait() for one in running]
        if any(codes):
            raise RuntimeError("coverage makes no report")
        return {"files": {name: file for out in outs for name, file in json.loads(out.read_text())["files"].items()}}
