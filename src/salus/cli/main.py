"""`salus`: parse, run one command, render. Exit codes: 0 done, 1 refused or found wanting, 2 usage, 70 a bug of ours, 130 interrupted."""

import os
import sys
from collections.abc import Sequence
from typing import Final

from salus.cli.commands import run
from salus.cli.derive import Usage
from salus.cli.loading import load
from salus.core.errors import SalusError
from salus.core.proof.errors import Unproven
from salus.node import log
from salus.node.errors import EdgeError
from salus.node.local import Opener

ENOUGH: Final = 141  # as a shell says of a program that SIGPIPE ended


def _said(code: int) -> int:
    """Return an exit code once everything that was printed has left."""
    sys.stdout.flush()
    return code


def _refusal(error: Exception) -> EdgeError | None:
    """Return what an error is to whoever asked, or None for a bug."""
    if not isinstance(error, SalusError | Unproven):
        return None
    told: EdgeError | None = load("salus.node.mapping:edge_error")(error)
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
