"""A network of our own: each member in a network namespace, and between them a switch that delays, drops and cuts frames.

It needs a privilege that a machine may refuse; `possible` tells. One seed drives it.
"""

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import selectors
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

NETWORK = "10.77.0"
OBSERVER = "observer"
"""The test's own place: it sees everybody, whatever the weather."""
SIOCETHTOOL = 0x8946
# Whole frames with right checksums, none that only the card would have finished: receive and send checksums, scatter, TSO, GSO, GRO.
OFFLOADS = (0x15, 0x17, 0x19, 0x1F, 0x24, 0x2C)
OUTGOING = 4
FRAME_BYTES = 2048
CLEAR = (0.0, 0.0)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def possible() -> bool:
    """Say whether network namespaces can be made here."""
    name = f"salus-probe-{os.getpid()}"
    try:
        _ip("netns", "add", name)
        _ip("netns", "del", name)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@dataclass
class Weather:
    """What one pair has between them, in both directions."""

    delay: tuple[float, float] = CLEAR
    loss: float = 0.0
    cut: bool = False


@dataclass(order=True)
class _Frame:
    due: float
    number: int
    port: str = field(compare=False)
    data: bytes = field(compare=False)


class Namespaces:
    """The members' namespaces and the switch between them. Close it to remove them."""

    kind = "network namespaces, a relay of Ethernet frames between them"

    def __init__(self, names: Sequence[str], seed: int) -> None:
        self._chance = random.Random(seed)
        self._tag = f"{os.getpid():x}"[-5:]
        self._places = {name: at + 1 for at, name in enumerate([*names, OBSERVER])}
        self._weather = {frozenset((one, other)): Weather() for one in names for other in names if one < other}
        self._ports: dict[str, socket.socket] = {}
        self._over = threading.Event()
        try:
            for name in self._places:
                self._plug(name)
        except subprocess.CalledProcessError:
            self._remove()
            raise
        self._thread = threading.Thread(target=self._switch, name="switch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._remove()

    def host(self, name: str) -> str:
        return f"{NETWORK}.{self._places[name]}"

    def prefix(self, name: str) -> list[str]:
        """Return what a member's program is started with."""
        return ["ip", "netns", "exec", self._namespace(name)]

    def peers(self, engines: dict[str, tuple[str, str]]) -> dict[str, str]:  # noqa: ARG002 - a ground's signature
        """Return by member the engines' addresses, where they are not those that the members told each other."""
        return {}

    def weather(self, *members: str, delay: tuple[float, float] = CLEAR, loss: float = 0.0) -> None:
        for pair, weather in self._weather.items():
            if not members or pair & {*members}:
                weather.delay, weather.loss = delay, loss

    def cut(self, *members: str) -> None:
        for pair, weather in self._weather.items():
            if len(pair & {*members}) == 1:
                weather.cut = True

    def heal(self) -> None:
        for weather in self._weather.values():
            weather.cut = False

    # Inside -----------------------------------------------------------------------------------------------------

    def _namespace(self, name: str) -> str:
        return f"salus-{self._tag}-{name}"

    def _plug(self, name: str) -> None:
        """Lay a cable from the switch to a member, whose end is alone in its namespace."""
        at = self._places[name]
        near, far = f"s{self._tag}n{at}", f"s{self._tag}f{at}"
        _ip("link", "add", near, "type", "veth", "peer", "name", far)
        _ip("link", "set", far, "address", f"02:00:00:00:00:{at:02x}")
        for end in (near, far):
            _whole_frames(end)
        inside: list[str] = []
        if name != OBSERVER:
            _ip("netns", "add", self._namespace(name))
            _ip("link", "set", far, "netns", self._namespace(name))
            inside = ["-n", self._namespace(name)]
            _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "addr", "add", f"{NETWORK}.{at}/24", "dev", far)
        _ip(*inside, "link", "set", far, "up")
        _ip("link", "set", near, "up")
        port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        port.bind((near, 0))
        port.setblocking(False)
        self._ports[name] = port

    def _remove(self) -> None:
        for name, port in self._ports.items():
            port.close()
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("link", "del", f"s{self._tag}n{self._places[name]}")
            if name != OBSERVER:
                with contextlib.suppress(subprocess.CalledProcessError):
                    _ip("netns", "del", self._namespace(name))

    def _switch(self) -> None:
        """Hand frames on when they are due."""
        by_address = {bytes((2, 0, 0, 0, 0, at)): name for name, at in self._places.items()}
        waiting: list[_Frame] = []
        number = 0
        with selectors.DefaultSelector() as arrivals:
            for name, port in self._ports.items():
                arrivals.register(port, selectors.EVENT_READ, name)
            while not self._over.is_set():
                rest = waiting[0].due - time.monotonic() if waiting else 0.1
                for key, _ in arrivals.select(max(0.0, min(rest, 0.1))):
                    for data in _arrived(self._ports[key.data]):
                        target = by_address.get(data[:6])
                        for to in [target] if target else [one for one in self._ports if one != key.data]:
                            due = self._due(key.data, to)
                            if due is not None:
                                number += 1
                                heapq.heappush(waiting, _Frame(due, number, to, data))
                now = time.monotonic()
                while waiting and waiting[0].due <= now:
                    frame = heapq.heappop(waiting)
                    with contextlib.suppress(OSError):  # a full queue drops, as switches do
                        self._ports[frame.port].send(frame.data)

    def _due(self, sender: str, receiver: str) -> float | None:
        """Return when a frame arrives, or None if it never does."""
        weather = self._weather.get(frozenset((sender, receiver)))
        if weather is None:
            return time.monotonic()
        if weather.cut or self._chance.random() < weather.loss:
            return None
        return time.monotonic() + self._chance.uniform(*weather.delay)


def _arrived(port: socket.socket) -> list[bytes]:
    found = []
    with contextlib.suppress(BlockingIOError):
        while len(found) < 64:
            data, address = port.recvfrom(FRAME_BYTES)
            if address[2] != OUTGOING:
                found.append(data)
    return found


def _whole_frames(interface: str) -> None:
    """Have an interface hand over frames as they are on a wire."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for what in OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("II", what, 0))
            with contextlib.suppress(OSError):  # not every kind of interface has every kind
                request = struct.pack("16sP", interface.encode(), ctypes.addressof(value)).ljust(40, b"\0")
                fcntl.ioctl(control, SIOCETHTOOL, request)
