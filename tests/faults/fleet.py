"""A consortium of four as its members run it: a process and an engine each, a relay between the engines.

What is done to it is done from outside, as the world does it; what holds is read from the nodes and, once they have
ended, from their folders.
"""

import contextlib
import json
import os
import resource
import signal
import ssl
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Protocol, Self

import httpx
import msgspec

from salus.contracts.registry import REGISTRY
from salus.core.transaction import decode_transaction
from salus.engines.store import lmdb_store
from salus.node.config import Config, read
from salus.node.errors import EdgeError
from salus.node.network.directory import AskStatus, Status, status
from salus.node.network.supervising import ask_node
from salus.node.network.transacting import SendTransaction, send
from tests.ports import free_port
from tests.processes.members import COMMAND, certificate, member

NAMES = ("north", "south", "lab", "payer")
PATIENCE = 180.0
PAUSE = 0.3
"""Seconds between two transactions of one member under load: the faults are the work, not the load."""


def until(holds: Callable[[], Any], what: str = "it", seconds: float = PATIENCE) -> float:
    """Wait for what must come by itself, and return the seconds it took; refusals on the way count as not yet."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(EdgeError):
            if holds():
                return time.monotonic() - began
        assert time.monotonic() - began < seconds, f"{what} did not happen"
        time.sleep(0.1)


@dataclass
class Acknowledged:
    """What nodes said that it stands on the ledger: transaction id → height."""

    told: dict[str, int] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    """Codes of refusals: of these nobody promised anything."""
    lock: Lock = field(default_factory=Lock)


class Ground(Protocol):
    """What lies between the members."""

    def host(self, name: str) -> str: ...
    def prefix(self, name: str) -> list[str]: ...
    def peers(self, engines: dict[str, tuple[str, str]]) -> dict[str, str]: ...
    def weather(self, *members: str, delay: tuple[float, float] = ..., loss: float = ...) -> None: ...
    def cut(self, *members: str) -> None: ...
    def heal(self) -> None: ...


class Fleet:
    """The members by name, their relay, and what was acknowledged. Use as a context: everything ends with it."""

    def __init__(self, folder: Path, ground: Ground, endpoints: dict[str, str] | None = None) -> None:
        """`endpoints` are where the network finds a member's node, if not at its own port."""
        self.folder, self.relay = folder, ground
        self.tls = folder / "tls.pem", folder / "tls.key"
        if not self.tls[0].exists():
            certificate(folder, "127.0.0.1", *(ground.host(name) for name in NAMES))
        self.members = {name: member(folder, name, tls=self.tls) for name in NAMES}
        self.urls = {name: f"https://{ground.host(name)}:{one.port}" for name, one in self.members.items()}
        self.endpoints = {**self.urls, **(endpoints or {})}
        for name, one in self.members.items():
            one.environment["SALUS_HTTP_HOST"] = ground.host(name)
            one.environment["SALUS_HTTP_PUBLIC_URL"] = self.endpoints[name]
            one.program = [*ground.prefix(name), *COMMAND]
        self.acknowledged = Acknowledged()
        self.ends = ExitStack()

    def __enter__(self) -> Self:
        with self.ends:
            self._found()
            for name in NAMES:
                self.ends.callback(self.end, name)
                self.start(name)
            for name in NAMES:
                until(lambda name=name: self.status(name).reachable, f"{name} hears blocks")
            self.ends = self.ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.close()

    def _found(self) -> None:
        """Found the consortium as a deployment does: cards and shares from everybody, one founding file to everybody."""
        cards, shares = [], []
        for name, one in self.members.items():
            listen = f"{self.relay.host(name)}:{free_port()}"
            one.environment["SALUS_CONSENSUS_LISTEN"] = listen
            about = ("--name", name, "--roles", "provider", "--jurisdiction", "DE", "--endpoint", self.endpoints[name])
            cards += ["--cards", one.told("network", "card", *about)["card"]]
            shares += ["--shares", one.told("network", "share", "--address", listen)["share"]]
        founding = self.folder / "founding.json"
        made = self.members[NAMES[0]].told("network", "assemble", "--network", "lake-county", *cards, *shares)
        founding.write_bytes(b64decode(made["founding"]))
        engines = {
            name: (text.partition("@")[0], text.partition("@")[2])
            for name, text in json.loads(founding.read_bytes())["peers"].items()
        }
        for one in self.members.values():
            one.told("network", "begin", "--founding", str(founding))
        for name, peers in self.relay.peers(engines).items():
            self.members[name].environment["SALUS_CONSENSUS_PEERS"] = peers

    # What is asked ----------------------------------------------------------------------------------------------

    def config(self, name: str) -> Config:
        told = {key: value for key, value in self.members[name].environment.items() if key.startswith("SALUS_")}
        return read(None, told)

    def ask(self, name: str, case: Any, request: msgspec.Struct) -> Any:
        """Ask a member's node as its operator. Raises EdgeError."""
        return ask_node(self.config(name), case, request)

    def status(self, name: str) -> Status:
        told: Status = self.ask(name, status, AskStatus())
        return told

    def heights(self, names: Iterable[str] = NAMES) -> dict[str, int]:
        return {name: self.status(name).height for name in names}

    def send(self, name: str) -> int:
        """Have a member send a transaction; return the height at which it was acknowledged. Raises EdgeError."""
        try:
            content = {"endpoint": self.endpoints[name]}
            told = self.ask(name, send, SendTransaction("membership.move", content))
        except EdgeError as error:
            with self.acknowledged.lock:
                self.acknowledged.refused[error.code] += 1
            raise
        with self.acknowledged.lock:
            self.acknowledged.told[told.transaction] = told.height
        return int(told.height)

    def progress(self, *names: str) -> float:
        """Wait until each of these members commits something that all of them have; return the seconds it took."""
        began, names, top = time.monotonic(), names or NAMES, [0]
        for name in names:
            until(lambda name=name: top.append(self.send(name)) or True, f"a commit by {name}")
        until(lambda: min(self.heights(names).values()) >= max(top), "everybody has it")
        return time.monotonic() - began

    @contextlib.contextmanager
    def load(self, *names: str) -> Iterator[None]:
        """Let these members send all the time while the block runs."""
        over = Event()

        def work(name: str) -> None:
            while not over.is_set():
                with contextlib.suppress(EdgeError):
                    self.send(name)
                over.wait(PAUSE)

        threads = [Thread(target=work, args=(name,), daemon=True) for name in names or NAMES]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    # What is done -----------------------------------------------------------------------------------------------

    def process(self, name: str) -> int:
        process = self.members[name].process
        assert process is not None
        return process.pid

    def engine(self, name: str) -> int:
        """Return the process id of a member's engine, or 0."""
        children = Path(f"/proc/{self.process(name)}/task").glob("*/children")
        found = [int(one) for file in children for one in file.read_text().split()]
        return found[0] if found else 0

    def kill_engine(self, name: str) -> int:
        """Kill a member's engine (signal 9); return the process id that it had."""
        until(lambda: self.engine(name), f"{name} has an engine")
        killed = self.engine(name)
        os.kill(killed, signal.SIGKILL)
        return killed

    def kill(self, name: str) -> None:
        """Kill a member's node (signal 9). Its engine ends with its application."""
        engine, process = self.engine(name), self.members[name].process
        assert process is not None
        process.kill()
        process.communicate()
        self.members[name].process = None
        until(lambda: not engine or not Path(f"/proc/{engine}").exists() or _zombie(engine), "its engine ends")

    def start(self, name: str) -> None:
        self.members[name].serve()

    def end(self, name: str) -> None:
        """End a member's node in order, if it runs."""
        self.go_on(name)
        if self.members[name].process is not None:
            self.members[name].end()
            self.members[name].process = None

    def stop(self, name: str) -> None:
        """Stop a member's node and engine in their tracks."""
        for one in filter(None, (self.engine(name), self.process(name))):
            os.kill(one, signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        if self.members[name].process is not None:
            for one in filter(None, (self.engine(name), self.process(name))):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGCONT)

    def room(self, name: str, *, full: bool) -> None:
        """Let no file of a member's node and engine take a byte beyond its first 4,096; or all, as before."""
        for one in filter(None, (self.process(name), self.engine(name))):
            resource.prlimit(one, resource.RLIMIT_FSIZE, (4096 if full else -1, -1))

    # What holds -------------------------------------------------------------------------------------------------

    def log(self, name: str) -> list[dict[str, Any]]:
        """Return the events that a member's node has logged."""
        lines = self.members[name].log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def metrics(self, name: str, accept: str = "*/*") -> str:
        """Return what a member's node tells at /metrics."""
        trust = ssl.create_default_context(cafile=str(self.tls[0]))
        asked = httpx.get(f"{self.urls[name]}/metrics", verify=trust, headers={"accept": accept})
        return asked.raise_for_status().text

    def audit(self, names: Iterable[str] = NAMES) -> dict[str, int]:
        """Compare the folders of members that have ended; return what was compared.

        One digest at every height; every acknowledged transaction stands where it was acknowledged; none stands twice.
        """
        hashes: dict[int, set[bytes]] = {}
        transactions = 0
        for name in names:
            store = lmdb_store(Path(self.config(name).data) / "ledger")
            with contextlib.closing(store):
                places: dict[str, int] = {}
                for height in range(store.base, store.head().height + 1):
                    hashes.setdefault(height, set()).add(store.header(height).app_hash)
                    for wire in store.block(height).transactions if height > store.base else ():
                        id_ = decode_transaction(wire, REGISTRY.messages).id.hex()
                        assert id_ not in places, f"{name} applied a transaction twice"
                        places[id_] = height
                head = store.head().height
                lost = {
                    id_
                    for id_, height in self.acknowledged.told.items()
                    if height <= head and places.get(id_) != height
                }
                assert not lost, f"{name} lost {len(lost)} of what was acknowledged"
                transactions = max(transactions, len(places))
        assert max(self.acknowledged.told.values(), default=0) <= max(hashes)
        assert all(len(found) == 1 for found in hashes.values()), "two digests at one height"
        return {
            "heights": len(hashes),
            "transactions": transactions,
            "acknowledged": len(self.acknowledged.told),
            "refused": sum(self.acknowledged.refused.values()),
        }


def _zombie(process: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


__all__ = ("NAMES", "Fleet", "until")
