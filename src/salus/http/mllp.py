"""MLLP over TCP: connections of the member's own systems, one message at a time each, answered when it is durable."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from salus.interop.hl7v2.mllp import Frames, FrameTooLarge, framed

_log = structlog.get_logger()
CONNECTIONS: Final = 64
IDLE_SECONDS: Final = 600.0
PIECE: Final = 65_536


class MllpServer:
    """The listener. `take` answers one message; it runs on a thread of its own, in order per connection."""

    def __init__(self, take: Callable[[bytes], bytes]) -> None:
        self._take = take
        self._open = 0

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Start listening. Raises OSError when the address is taken or not ours."""
        return await asyncio.start_server(self._connected, host, port)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= CONNECTIONS:
            writer.close()
            return
        self._open += 1
        frames = Frames()
        try:
            while piece := await asyncio.wait_for(reader.read(PIECE), IDLE_SECONDS):
                for frame in frames.feed(piece):
                    writer.write(framed(await asyncio.to_thread(self._take, frame)))
                    await writer.drain()
        except (FrameTooLarge, TimeoutError, ConnectionError) as error:
            _log.info("mllp.closed", reason=type(error).__name__)
        except asyncio.CancelledError:  # the node ends; what was acknowledged is durable
            pass
        finally:
            self._open -= 1
            writer.close()
