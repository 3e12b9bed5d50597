"""A network that is as bad as it is told to be: a relay on loopback between the engines of a consortium.

It carries streams, so that a lost segment is what the far side's TCP makes of it: everything behind waits until it was
sent again. A cut holds what is under way back, as a network does that drops all packets; healed, it goes on.
"""

import asyncio
import random
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

SEGMENT_BYTES = 1460
RESEND_SECONDS = 0.2  # the least that Linux waits before it sends a segment again
READ_BYTES = 64 * 1024
UNDER_WAY = 64  # reads; more and the sender is held up
CLEAR = (0.0, 0.0)


@dataclass
class Weather:
    """What one pair of members has between them, in both directions."""

    delay: tuple[float, float] = CLEAR
    """Seconds one way: least and most."""
    loss: float = 0.0
    """Share of segments that are lost."""
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def late(self, size: int, chance: random.Random) -> float:
        """Return by how many seconds these bytes come later."""
        seconds = chance.uniform(*self.delay)
        for _ in range(-(-size // SEGMENT_BYTES)):
            wait = RESEND_SECONDS
            while chance.random() < self.loss:
                seconds += wait + self.delay[1]
                wait *= 2
        return seconds


class Relay:
    """Carries streams between named members; each pair has its weather. Close it to end everything."""

    kind = "one machine's loopback, a relay of the streams between the engines"

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._weather: dict[frozenset[str], Weather] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def host(self, name: str) -> str:  # noqa: ARG002 - a ground's signature
        return "127.0.0.1"

    def prefix(self, name: str) -> list[str]:  # noqa: ARG002 - a ground's signature
        """Return what a member's program is started with."""
        return []

    def peers(self, engines: dict[str, tuple[str, str]]) -> dict[str, str]:
        """Return by member where it meets the others' engines; `engines` has (node id, host:port) by member."""
        return {
            name: ",".join(
                f"{id_}@127.0.0.1:{self.between(name, other, int(address.rpartition(':')[2]))}"
                for other, (id_, address) in engines.items()
                if other != name
            )
            for name in engines
        }

    def between(self, one: str, other: str, target: int) -> int:
        """Return a port on loopback through which `one` reaches the port `target` of `other`."""
        return self._run(self._listen(frozenset((one, other)), target))

    def weather(self, *members: str, delay: tuple[float, float] = CLEAR, loss: float = 0.0) -> None:
        """Set the weather of every pair; with members, of every pair with one of them in it."""
        for pair, weather in self._weather.items():
            if not members or pair & {*members}:
                weather.delay, weather.loss = delay, loss

    def cut(self, *members: str) -> None:
        """Let nothing through between these members and the others."""
        for pair, weather in self._weather.items():
            if len(pair & {*members}) == 1:
                self._loop.call_soon_threadsafe(weather.open.clear)

    def heal(self) -> None:
        """Let everything through again."""
        for weather in self._weather.values():
            self._loop.call_soon_threadsafe(weather.open.set)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self, pair: frozenset[str], target: int) -> int:
        if pair not in self._weather:
            self._weather[pair] = Weather()
            self._weather[pair].open.set()
        weather = self._weather[pair]

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            writers = [writer]
            try:
                await weather.open.wait()
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
                writers.append(far_writer)
                async with asyncio.TaskGroup() as both:
                    self._one_way(both, reader, far_writer, weather)
                    self._one_way(both, far_reader, writer, weather)
            except* (OSError, asyncio.CancelledError):
                pass  # an engine that was killed; its peers dial again
            finally:
                for one in writers:
                    one.close()
                self._tasks.discard(task)

        server = await asyncio.start_server(carry, "127.0.0.1", 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def _one_way(
        self, both: asyncio.TaskGroup, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, weather: Weather
    ) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(UNDER_WAY)

        async def take() -> None:
            due, data = 0.0, b"-"
            while data:
                data = await reader.read(READ_BYTES)
                due = max(due, self._loop.time() + weather.late(len(data), self._chance))
                await under_way.put((due, data))

        async def deliver() -> None:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                await weather.open.wait()
                if not data:
                    writer.close()
                    return
                writer.write(data)
                await writer.drain()

        both.create_task(take())
        both.create_task(deliver())

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
