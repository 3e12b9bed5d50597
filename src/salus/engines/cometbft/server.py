"""The ABCI socket: length-prefixed messages on four connections, answered in the order in which they were asked.

Framing: unsigned varint length, then the message, both ways. CometBFT pipelines up to 256 requests and expects answers of
the matching type in order; none of its connections says what it is for, so each serves every request. One request at a
time runs over all connections, as in CometBFT's own server: the application needs no locks of its own.
"""

import asyncio
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

from google.protobuf.message import DecodeError

from salus.core.errors import SalusError
from salus.engines.cometbft.schema import MESSAGES, Request, Response

MAX_FRAME_BYTES: Final = 128 * 1024 * 1024  # a block is at most 100 MB, and its request carries little more
MAX_VARINT_BYTES: Final = 5
LAST_WORDS_SECONDS: Final = 1.0


class BadFrame(SalusError):
    """The peer does not speak ABCI: a length beyond the limit, or bytes that are no message."""


class Application(Protocol):
    """What answers requests. `answer(kind, request)` returns the response message of the same kind."""

    def answer(self, kind: str, request: Any) -> Any:
        """Carry out one request, e.g. kind `check_tx`. An exception stops the node: its state can't be vouched for."""
        ...


def frame(message: bytes) -> bytes:
    """Return `message` behind its length."""
    size, prefix = len(message), bytearray()
    while size >= 0x80:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    prefix.append(size)
    return bytes(prefix) + message


def unframe(buffer: bytearray) -> Iterator[bytes]:
    """Yield the whole messages at the start of `buffer` and remove them. Raises BadFrame."""
    start = 0
    while True:
        size = shift = 0
        position = start
        complete = False
        while position < len(buffer):
            byte = buffer[position]
            position += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                complete = True
                break
            if position - start >= MAX_VARINT_BYTES:
                raise BadFrame("length of more than five bytes")
        if size > MAX_FRAME_BYTES:
            raise BadFrame(f"message of {size} bytes, at most {MAX_FRAME_BYTES}")
        if not complete or position + size > len(buffer):
            del buffer[:start]
            return
        yield bytes(buffer[position : position + size])
        start = position + size


class _Connection(asyncio.Protocol):
    """One of the four connections."""

    def __init__(
        self,
        application: Application,
        transports: dict[asyncio.WriteTransport, asyncio.Future[None]],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._application = application
        self._transports = transports
        self._failed = failed
        self._buffer = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            self._transport = transport
            self._transports[transport] = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - a Protocol's signature
        if self._transport is not None:
            self._transports.pop(self._transport).set_result(None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answers = []
        try:
            for message in unframe(self._buffer):
                answers.append(frame(self._answer(message)))  # noqa: PERF401 - what is answered before a failure is sent
        except Exception as error:  # noqa: BLE001 - the ABCI loop: whatever went wrong, the engine must hear of it and stop
            told = MESSAGES["ResponseException"](error=type(error).__name__)
            answers.append(frame(Response(exception=told).SerializeToString()))
            self._failed(error)
        if self._transport is not None and answers:
            self._transport.write(b"".join(answers))

    def _answer(self, message: bytes) -> bytes:
        try:
            request = Request.FromString(message)
        except DecodeError as error:
            raise BadFrame("bytes that are no request") from error
        kind = request.WhichOneof("value")
        if kind is None:
            raise BadFrame("a request of no kind this server knows")
        if kind == "flush":
            response = MESSAGES["ResponseFlush"]()
        elif kind == "echo":
            response = MESSAGES["ResponseEcho"](message=request.echo.message)
        else:
            response = self._application.answer(kind, getattr(request, kind))
        return bytes(Response(**{kind: response}).SerializeToString())


class Server:
    """Serves an application on a unix socket until it is closed or fails."""

    def __init__(self, application: Application, socket: Path) -> None:
        self._application = application
        self.address = socket
        """Path of the unix socket, at most 107 bytes."""
        self.failure: BaseException | None = None
        """Why the server ended by itself, if it did."""
        self._ended: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until `close`, or until the application fails: `failure` says why."""
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self.address.unlink(missing_ok=True)
        transports: dict[asyncio.WriteTransport, asyncio.Future[None]] = {}
        server = await self._loop.create_unix_server(
            lambda: _Connection(self._application, transports, self._fail), path=str(self.address)
        )
        async with server:
            ready()
            await self._ended.wait()
            await self._let_go(transports)
        self.address.unlink(missing_ok=True)

    def close(self) -> None:
        """End `run`, from any thread."""
        if self._loop is not None and self._ended is not None:
            with suppress(RuntimeError):  # the loop is gone: it ended by a failure meanwhile
                self._loop.call_soon_threadsafe(self._ended.set)

    @staticmethod
    async def _let_go(transports: dict[asyncio.WriteTransport, asyncio.Future[None]]) -> None:
        """Close every connection, after what is left to send; a peer that takes nothing for a second is cut off."""
        for transport in transports:
            transport.close()
        if transports:
            await asyncio.wait(transports.values(), timeout=LAST_WORDS_SECONDS)
        for transport in tuple(transports):
            transport.abort()
        await asyncio.sleep(0)

    def _fail(self, error: BaseException) -> None:
        self.failure = error
        traceback.print_exception(error)
        if self._ended is not None:
            self._ended.set()
