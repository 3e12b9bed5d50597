"""`salus`: parse, run one command, render. Exit codes: 0 done, 1 refused or found wanting, 2 usage, 70 a bug of ours, 130 interrupted."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from rich.console import Console

from salus.cli import render
from salus.cli.derive import AnyCase, Usage, add_commands, configuration, request_of, top_parser
from salus.core.errors import SalusError
from salus.core.proof.errors import Unproven
from salus.node import log
from salus.node.errors import EdgeError
from salus.node.local import Bare, Opener, call

ENOUGH: Final = 141  # as a shell says of a program that SIGPIPE ended
ON_FILES: Final[dict[tuple[str, ...], str]] = {
    ("claims", "adjudicate"): "salus.node.claims.alone:adjudicate_claims",
    ("claims", "audit"): "salus.node.claims.alone:audit_remittance",
}
"""Commands that read files, write files and need no node, by the words that they begin with: they import none."""


def run(arguments: Sequence[str], opener: Opener | None) -> int:
    """Run one command line, opening a node by `opener` where one is needed. Raises what the command raises."""
    place = ON_FILES.get(tuple(arguments[:2]))
    if place is None:
        return int(importlib.import_module("salus.cli.commands").run(arguments, opener))
    module, name = place.split(":")
    case: AnyCase = getattr(importlib.import_module(module), name)
    top = top_parser()
    add_commands(top, [case])
    given = top.parse_args(arguments)
    request = request_of(case, given)
    with render.progress(Console(stderr=True)) as progress, render.working(progress) as told:
        config = configuration(given)
        answer = call(case, request, config=config, opener=opener or Bare, environment=os.environ, progress=told)
    return render.answer(answer, given)


def _said(code: int) -> int:
    """Return an exit code once everything that was printed has left."""
    sys.stdout.flush()
    return code


def _refusal(error: Exception) -> EdgeError | None:
    """Return what an error is to whoever asked, or None for a bug."""
    if not isinstance(error, SalusError | Unproven):
        return None
    told: EdgeError | None = importlib.import_module("salus.node.mapping").edge_error(error)
    return told


def main(arguments: Sequence[str] | None = None, opener: Opener | None = None) -> int:
    """Run the command line of this process and return its exit code."""
    log.configure()
    try:
        return _said(run(sys.argv[1:] if arguments is None else arguments, opener))
    except BrokenPipeError:  # who read the output has enough: `salus config | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing more is said at the end of the process either
        return ENOUGH
    except Usage as error:
        print(error.told(), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 -- the command line answers for the whole process
        refusal = _refusal(error)
        if refusal is not None:
            print(refusal.told(), file=sys.stderr)
            return 1
        print(f"node.bug: {type(error).__name__} at {log.place(error)}; please report this line", file=sys.stderr)
        return 70
