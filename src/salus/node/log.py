"""The node's log: one JSON line per event, on standard error, with an allow-list of keys.

An event is a name (`claim.submitted`) and facts about members, transactions and durations. A key that is not on the
list loses its value, so that nothing personal can slip in by a new call; a test walks canary strings through.
"""

import contextlib
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO, cast

import structlog

ALLOWED: Final = frozenset(
    {
        "code",  # of a refusal
        "event",
        "height",
        "level",
        "member",
        "milliseconds",
        "network",
        "peer",  # a member's id
        "port",
        "size",
        "status",  # of HTTP
        "timestamp",
        "tx",  # a transaction's id, in hex
        "type",  # of an exception
        "use_case",
        "version",
        "where",  # module and line of an exception
    }
)


def allowed_only(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank the value of every key that is not on the list."""
    return {key: value if key in ALLOWED else "withheld" for key, value in event.items()}


class Unfailing:
    """A stream that loses what it cannot write: a full disk under the log must not end the thread that logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what can be handed on."""
        with contextlib.suppress(OSError):
            self._stream.flush()


def configure(stream: TextIO = sys.stderr) -> None:
    """Set the process's log up. Called once by the command line."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            allowed_only,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", Unfailing(stream))),
    )


def place(error: BaseException) -> str:
    """Return the module and line where an exception was raised: what a bug report needs and no value of any variable."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}" if trace is not None else "?"
