"""The program `salus`: what needs no node answers at once; everything else is `salus.cli.main`'s.

`salus --help` lists every command of every domain; to import them all takes seconds on a slow machine. The list is
generated (`make docs`) and stands beside this module; a test compares it with the commands.
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from salus import __version__

HELP: Final = Path(__file__).with_name("help.txt")
HELPS: Final = (["--help"], ["-h"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line of this process and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given in HELPS:
        print(HELP.read_text(encoding="utf-8"), end="")
        return 0
    if given == ["--version"]:
        print(f"salus {__version__}")
        return 0
    if given[:1] == ["verify"]:  # no part of Salus but the verifier: it must run where no node does
        return int(importlib.import_module("salus.core.proof.cli").main(given[1:]))
    return int(importlib.import_module("salus.cli.main").main(given))
