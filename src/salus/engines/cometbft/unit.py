"""The engine and its application as one unit: started, watched, restarted and stopped together, in the right order.

CometBFT ends when its application does, and shakes hands only when it starts. So the application comes first and goes
last: start it, then the engine; end the engine and wait, then the application. If either ends by itself, both are
started anew, after a pause that grows; unless the application failed in a way that a restart does not mend. So is an
engine that commits nothing. CometBFT lives on when its consensus has failed, on a full disk for one, and says so in its
log: then it is started anew at once, and on a full disk as soon as there is room.
"""

import asyncio
import contextlib
import shutil
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from salus.core.errors import InvariantBroken, SalusError
from salus.core.rules import UnsupportedRules
from salus.engines.cometbft.server import Application, Server
from salus.engines.errors import EngineError, OtherLedger, StoreDamaged, StoreFailed

READY_SECONDS: Final = 10.0
END_SECONDS: Final = 10.0  # CometBFT takes up to a few seconds to let go of its databases
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 10.0
STEADY_SECONDS: Final = 60.0  # a life of this length forgives the pauses before it
STALLED_SECONDS: Final = 60.0  # six empty blocks; nobody else may be up, so that it doubles until a block comes
LONGEST_STALL: Final = 960.0
LOG_BYTES: Final = 16 * 1024 * 1024
LOG: Final = "cometbft.log"
FAILED: Final = b"CONSENSUS FAILURE!!!"  # what CometBFT logs when its consensus has ended and its process has not
ROOM_BYTES: Final = 1 << 20  # an engine starts on less, and fails at its first block
ROOM_POLL_SECONDS: Final = 0.5
_LETHAL: Final = (InvariantBroken, UnsupportedRules, StoreFailed, StoreDamaged, OtherLedger)


def verdict(failure: BaseException | None) -> SalusError | None:
    """Return why a failure of the application is the end, or None if starting anew may mend it.

    An exception that nobody named is a bug: the same block would raise it again at every start, for ever.
    """
    if isinstance(failure, _LETHAL):
        return failure
    if failure is None or isinstance(failure, (SalusError, OSError, MemoryError)):
        return None
    *_, last = traceback.extract_tb(failure.__traceback__)
    return InvariantBroken(f"the application ended by a bug: {type(failure).__name__} at {last.name}:{last.lineno}")


class EngineEnded(EngineError):
    """The engine ended by itself."""


class EngineStalled(EngineError):
    """The engine runs and commits nothing."""


class Life(Application, Protocol):
    """An application for one life of the engine."""

    def close(self) -> None:
        """Let go of its threads."""
        ...


Report = Callable[[str, Mapping[str, str | int]], None]
"""Told what happened: an event's name (`engine.ended`) and its facts, without personal data."""


class Unit:
    """Runs `binary` on `home` beside an application at `socket` until closed. Every callback is called on its thread."""

    def __init__(
        self,
        application: Callable[[], Life],
        *,
        binary: Path,
        home: Path,
        socket: Path,
        rpc: Path,
        report: Report = lambda _event, _facts: None,
        halted: Callable[[SalusError], None] = lambda _: None,
        height: Callable[[], int] | None = None,
        stalled_seconds: float = STALLED_SECONDS,
    ) -> None:
        """`rpc` is the engine's own socket. `halted` hears why the unit ended for good, if it did by itself.

        `height` tells the newest block: an engine that adds none for `stalled_seconds` is started anew; without it, none is.
        """
        self._application = application
        self._binary = binary
        self._home = home
        self._socket = socket
        self._rpc = rpc
        self._report = report
        self._halted = halted
        self._height = height
        self._stalled_seconds = self._stall = stalled_seconds
        self._changed = threading.Condition()
        self._closing = False
        self._process: subprocess.Popen[bytes] | None = None
        self._failed = False
        """Whether this life's engine said that its consensus has ended."""
        self.restarts = 0
        """How often it was started anew."""
        self._thread = threading.Thread(target=self._run, name="engine-unit", daemon=True)
        self._thread.start()

    @property
    def process_id(self) -> int:
        """The engine's process id while it runs, else 0."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else 0

    def close(self) -> None:
        """End the engine, then the application."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            failure = self._live()
            if self._closing:
                return
            end = verdict(failure)
            if end is not None:
                self._report("engine.halted", {"why": type(end).__name__})
                self._halted(end)
                return
            self._report("engine.restarting", {"why": type(failure).__name__})
            self.restarts += 1
            steady = time.monotonic() - began > STEADY_SECONDS
            full = shutil.disk_usage(self._home).free < ROOM_BYTES
            pause = FIRST_PAUSE if steady or full else min(2 * pause, LONGEST_PAUSE)
            if self._closed_within(pause) or self._closed_before_room():
                return

    def _closed_within(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._closing, seconds)

    def _closed_before_room(self) -> bool:
        """Wait for room on the disk; return whether the unit was closed meanwhile."""
        if shutil.disk_usage(self._home).free < ROOM_BYTES:
            self._report("engine.waiting", {"why": "StoreFull"})
            while shutil.disk_usage(self._home).free < ROOM_BYTES:
                if self._closed_within(ROOM_POLL_SECONDS):
                    return True
        return False

    def _live(self) -> BaseException | None:
        """Run application and engine until either ends or the unit is closed. Returns why, if neither was asked to."""
        application = self._application()
        server = Server(application, self._socket)
        ready = threading.Event()
        serving = threading.Thread(target=self._serve, args=(server, ready), name="engine-application", daemon=True)
        serving.start()
        try:
            if not ready.wait(READY_SECONDS):
                return EngineEnded("the application does not serve")
            process = self._spawn()
            watching = threading.Thread(target=self._watch, args=(process,), name="engine-watch", daemon=True)
            watching.start()
            over = self._stalled(
                lambda: self._closing or self._failed or process.poll() is not None or not serving.is_alive()
            )
            stalled = over or (self._failed and process.poll() is None)
            self._end(process)
            watching.join()
        finally:
            server.close()
            serving.join()
            application.close()
        if server.failure is not None:
            return server.failure
        if stalled:
            return EngineStalled("the engine commits nothing")
        return None if self._closing else EngineEnded(f"the engine ended with code {process.returncode}")

    def _stalled(self, over: Callable[[], bool]) -> bool:
        """Wait until it is over, or until the engine has added no block for too long: then return True."""
        height, since = -1, time.monotonic()
        with self._changed:
            while not self._changed.wait_for(over, self._stall / 8 if self._height else None):
                now = time.monotonic()
                if self._height is not None and (newest := self._height()) != height:
                    if height >= 0:
                        self._stall = self._stalled_seconds
                    height, since = newest, now
                elif now - since > self._stall:
                    self._stall = min(2 * self._stall, LONGEST_STALL)
                    return True
        return False

    def _serve(self, server: Server, ready: threading.Event) -> None:
        try:
            asyncio.run(server.run(ready.set))
        finally:
            self._tell()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Keep what the engine says until it ends; what finds no room is heard all the same."""
        if process.stdout is not None:
            with process.stdout as said:
                for line in said:
                    with contextlib.suppress(OSError), (self._home / LOG).open("ab") as log:
                        log.write(line)
                    if FAILED in line:
                        self._failed = True
                        self._tell()
        process.wait()
        self._tell()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _spawn(self) -> subprocess.Popen[bytes]:
        log = self._home / LOG
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        self._rpc.unlink(missing_ok=True)  # a killed engine leaves it, and the next would refuse to start over it
        self._failed = False
        self._process = subprocess.Popen(  # noqa: S603 - the binary that was found and checked
            [self._binary, "start", "--home", self._home],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupt at the terminal is ours to pass on, in order
        )
        self._report("engine.started", {"process": self._process.pid})
        return self._process

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
