"""One process owns a data folder; commands talk to it over its unix socket, or own the folder while no node runs.

The lock decides which: who gets it owns the folder until it lets go, everyone else asks at the socket. The socket lies
in a short folder that only its user may enter, because the path of a unix socket has at most 107 bytes, and because
who may open it is the operator: nothing else authenticates there.
"""

import fcntl
import hashlib
import os
import socket as unix
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from salus.node.config import Config
from salus.node.errors import EdgeError, Forbidden, Malformed, Unavailable
from salus.node.usecase import Node, Progress, UseCase, unheard

# sockaddr_un has 108 bytes on Linux, the last one for the terminator (104 on macOS: its temporary folders are refused).
SOCKET_PATH_BYTES: Final = 107
LOCK: Final = "owner.lock"
# A command waits this long for a running node; long work is the node's own to do in steps.
ANSWER_SECONDS: Final = 600.0


class Opener(Protocol):
    """How a node is opened on a data folder that this process owns."""

    def __call__(self, config: Config) -> Node:
        """Open the node."""


def now_ms() -> int:
    """Return the machine's clock, Unix milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Bare:
    """A node that keeps nothing: what stands when only the program is asked about."""

    config: Config

    def now(self) -> int:
        """Return the machine's clock, in Unix milliseconds."""
        return now_ms()

    def entropy(self, count: int) -> bytes:
        """Return random bytes."""
        return os.urandom(count)

    def signing_keys(self, member: str) -> Sequence[bytes]:  # noqa: ARG002 -- a Node
        """Know no member."""
        return ()

    def trouble(self) -> str:
        """Have none."""
        return ""

    def withheld(self, *, ask: bool) -> EdgeError | None:  # noqa: ARG002 -- a Node
        """Know no patients."""
        return None

    def measures(self) -> Mapping[str, int | float]:
        """Measure nothing."""
        return {}

    def close(self) -> None:
        """Have nothing to let go."""


def socket_path(config: Config, environment: Mapping[str, str]) -> Path:
    """Return where the node of this data folder listens. Creates the folder, for its user alone.

    Raises Malformed when the path is too long for a socket, Forbidden when the folder is another user's.
    """
    given = config.runtime or environment.get("RUNTIME_DIRECTORY") or environment.get("XDG_RUNTIME_DIR")
    folder = Path(given) / "salus" if given else Path(tempfile.gettempdir()) / f"salus-{os.getuid()}"
    name = hashlib.sha256(str(Path(config.data).resolve()).encode()).hexdigest()[:16]
    path = folder / f"{name}.sock"
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
        raise Malformed(
            "node.socket-path",
            "the socket's path is too long",
            expected=f"at most {SOCKET_PATH_BYTES} bytes",
            got=str(len(os.fsencode(path))),
            todo="set `runtime` to a short folder",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stat = folder.stat()
    if stat.st_uid != os.getuid() or stat.st_mode & 0o077:
        raise Forbidden(
            "node.runtime-folder",
            "the socket's folder is open to others",
            expected="a folder of this user with mode 700",
            todo="set `runtime` to one",
        )
    return path


@contextmanager
def owned(data: Path) -> Iterator[bool]:
    """Try to own a data folder while the block runs; yield whether it worked. Creates the folder, for its user alone.

    A folder in which nothing was put goes again: a command that is refused leaves nothing behind.
    """
    lock, made = _lock(data)
    try:
        if lock is None:
            yield False
            return
        yield True
    finally:
        if lock is not None:
            _let_go(data, made=made)
            os.close(lock)


def _lock(data: Path) -> tuple[int | None, bool]:
    """Return the lock of a folder, None while another process holds it, and whether the folder was made for it."""
    made = False
    while True:
        made = made or not data.exists()
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            lock = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # its owner has just taken the folder away
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None, made
        if os.fstat(lock).st_nlink:
            return lock, made
        os.close(lock)  # its owner has just taken this file away: another one counts


def _let_go(data: Path, *, made: bool) -> None:
    """Take the lock's file away, and the folder if it was made for it, while nothing else lies there."""
    if [one.name for one in data.iterdir()] == [LOCK]:
        (data / LOCK).unlink()
        if made:
            with suppress(OSError):  # somebody else begins here at this moment
                data.rmdir()


@contextmanager
def opened(config: Config, opener: Opener) -> Iterator[Node]:
    """Own the data folder and open its node while the block runs. Raises Unavailable when another process owns it."""
    with owned(Path(config.data)) as ours:
        if not ours:
            raise Unavailable("node.owned", "another process owns the data folder", todo="stop it first")
        node = opener(config)
        try:
            yield node
        finally:
            node.close()


def call(  # a command's way to a use case
    case: UseCase[Any, Any, Any],
    request: msgspec.Struct,
    *,
    config: Config,
    opener: Opener,
    environment: Mapping[str, str],
    progress: Progress = unheard,
) -> msgspec.Struct:
    """Run a use case as the operator: at the running node if there is one, else on the data folder itself.

    Raises what the use case raises, and Unavailable when the folder's owner does not answer.
    """
    with owned(Path(config.data)) as ours:
        if ours:
            node = opener(config)
            try:
                answer: msgspec.Struct = case(node, request, progress=progress)
            finally:
                node.close()
            return answer
    return _asked(case, request, socket_path(config, environment))


class Told(EdgeError):
    """A refusal by the running node, as it said it."""


def _asked(case: UseCase[Any, Any, Any], request: msgspec.Struct, socket: Path) -> msgspec.Struct:
    """Ask the running node at its socket."""
    silent = Unavailable(
        "node.silent", "the process that owns the data folder does not answer", todo="wait for its start, or stop it"
    )
    try:
        status, answer = _posted(socket, case.path, msgspec.json.encode(request))
    except (HTTPException, OSError) as error:
        raise silent from error
    if status == HTTPStatus.OK:
        told: msgspec.Struct = msgspec.json.decode(answer, type=case.response)
        return told
    try:
        problem = msgspec.json.decode(answer)
    except msgspec.DecodeError as error:  # it ended amid the answer
        raise silent from error
    raise Told(
        problem["code"],
        problem["title"],
        expected=problem.get("expected", ""),
        got=problem.get("got", ""),
        todo=problem.get("todo", ""),
    )


def _posted(socket: Path, path: str, body: bytes) -> tuple[int, bytes]:
    """Post JSON over a unix socket; return status and body. Raises HTTPException, OSError.

    By the standard library: `httpx` leaves its socket open when a node ends while it connects.
    """
    connection = HTTPConnection("node")
    with closing(connection), unix.socket(unix.AF_UNIX) as line:
        line.settimeout(ANSWER_SECONDS)
        line.connect(os.fspath(socket))
        connection.sock = line
        connection.request("POST", path, body, {"content-type": "application/json", "connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read()
