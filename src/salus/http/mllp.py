"""MLLP over TCP: connections of the member's own systems, one message at a time each, answered when it is durable."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from salus.interop.hl7v2.mllp import Frames, FrameTooLarge, framed

_log = structlog.get_logger()
CONNECTIONS: Final = 32
IDLE_SECONDS: Final = 600.0
FRAME_SECONDS: Final = 60.0
"""From a frame's first byte to its last: a connection that drips holds its place no longer."""
PIECE: Final = 65_536


class MllpServer:
    """The listener. `take` answers one message; it runs on a thread of its own, in order per connection."""

    def __init__(self, take: Callable[[bytes], bytes], *, frame_seconds: float = FRAME_SECONDS) -> None:
        self._take = take
        self._frame_seconds = frame_seconds
        self._open: set[asyncio.Task[None]] = set()

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Start listening. Raises OSError when the address is taken or not ours."""
        return await asyncio.start_server(self._accepted, host, port)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS:
            writer.close()
            return
        task = asyncio.ensure_future(self._connected(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Let a connection go. What a bug says may hold a message's text: only its kind is logged."""
        self._open.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            _log.error("mllp.fault", kind=type(fault).__name__)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames()
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            while True:
                left = begun + self._frame_seconds - clock() if frames.inside else IDLE_SECONDS
                piece = await asyncio.wait_for(reader.read(PIECE), left)
                if not piece:
                    return
                if not frames.inside:
                    begun = clock()
                for frame in frames.feed(piece):
                    writer.write(framed(await asyncio.to_thread(self._take, frame)))
                    await writer.drain()
                    begun = clock()
        except (FrameTooLarge, TimeoutError, ConnectionError) as error:
            _log.info("mllp.closed", reason=type(error).__name__)
        finally:
            writer.close()
