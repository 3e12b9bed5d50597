"""A regulator, a maker and a pharmacy in one process, whose folders are opened again after it was killed.

The keys follow from the names, so that any process opens the folders. One stands ready for every step: a lot of three cases of
four packs, one case received, two packs on their way, the rest at its maker.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

from salus.agreements.supply.packing import Box
from salus.contracts.membership.port import Genesis, Parameters, Role
from salus.contracts.supply import port
from salus.core.encoding import encode
from salus.core.proof.digest import digest
from salus.engines.book import lmdb_book
from salus.engines.checkpoints import Cosigner, Cosigning
from salus.engines.embedded import Embedded, found
from salus.engines.follower import Follower, LedgerSource, join
from salus.engines.store import lmdb_store
from salus.node.config import Config, Http
from salus.node.exchange.delivery import deliver_due
from salus.node.exchange.wire import InProcess
from salus.node.member import Ports
from salus.node.opening import KERNEL, OnLedger, assemble
from salus.node.supply import answering, exchange, moving
from salus.node.supply.stock import product_of
from salus.node.supply.trading import GiveLicence, give_licence
from salus.node.together import Clock, Founder, Together, candidate
from salus.vault.keystore import Keys, new_keys
from tests.node.supply.members import GTIN, case_label, label, sscc

FOUNDERS: Final = (
    Founder("board", "State Board", (Role.REGULATOR,)),
    Founder("maker", "Maker", (Role.MANUFACTURER,)),
    Founder("corner", "Corner Pharmacy", (Role.DISPENSER,)),
)
LOT: Final = Box("", tuple(Box(sscc(n), (), tuple(b"S%06d" % (4 * n + k) for k in range(4))) for n in range(3)))
SECOND: Final = Box("", (), (b"N1", b"N2"))
EXPIRY: Final = "491231"
HAD: Final = case_label(0)
COMING: Final = tuple(label(serial, expiry=EXPIRY) for serial in ("S000004", "S000005"))
LEAVING: Final = tuple(label(serial, expiry=EXPIRY) for serial in ("S000008", "S000009"))
DISPENSED: Final = label("S000001", expiry=EXPIRY)


def keys_of(member: str) -> Keys:
    numbers = count()

    def entropy(size: int) -> bytes:
        return hashlib.shake_256(f"{member}/{next(numbers)}".encode()).digest(size)

    return new_keys(member, entropy)


@contextlib.contextmanager
def opened(folder: Path, founders: tuple[Founder, ...] = FOUNDERS, clock: Clock | None = None) -> Iterator[Together]:
    """Open every member's folder; the first time, found the ledger."""
    together, source = Together(clock or Clock(), InProcess()), None
    for one in founders:
        home, keys = folder / one.id, keys_of(one.id)
        new = not home.exists()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = lmdb_store(home / "ledger")
        if new and source is None:
            genesis = Genesis(
                format=1,
                name="lake-county",
                time=together.clock(),
                rules=1,
                parameters=Parameters(agreement=digest("salus/v1/agreement", b"lake-county")),
                members=tuple(candidate(each, keys_of(each.id)) for each in sorted(founders, key=lambda each: each.id)),
            )
            found(store, KERNEL, encode(genesis), genesis.time)
        elif new:
            join(store, KERNEL, source, together.owner.network)
        signing = keys.signing_key()
        if source is None:
            ledger = Embedded(store, KERNEL, together.clock)
        network = ledger.network
        own = {signing.public_key().public_bytes_raw(): signing.sign}
        cosigning = Cosigning(store, lmdb_book(home / "checkpoints", network), keys=own)
        if source is None:
            on, source = OnLedger(ledger, cosigning, Cosigner(ledger, cosigning)), LedgerSource(ledger, cosigning)
        else:
            follower = Follower(store, KERNEL, source, cosigning, together.clock)
            follower.start()
            together.followers[one.id] = follower
            on = OnLedger(follower, cosigning)
        http = Http(public_url=f"https://{one.id}.example")
        ports = Ports(together.clock, os.urandom, together.transport)
        together.nodes[one.id] = assemble(Config(member=one.id, data=str(home), http=http), keys, on, ports, home)
        together.transport.doors[f"https://{one.id}.example"] = together.nodes[one.id].door
    try:
        yield together
    finally:
        together.close()


def prepare(folder: Path) -> None:
    """Found the ledger and bring goods to every place where a step may take them up."""
    with opened(folder) as together:
        board, maker, corner = together.nodes.values()
        give_licence(board, GiveLicence(member="maker", kinds=("maker",)))
        give_licence(board, GiveLicence(member="corner", kinds=("dispenser",)))
        together.abreast()
        exchange.offer_addresses(corner, "maker", 4)
        moving.bring(maker, product_of(GTIN, "A1", EXPIRY), LOT)
        sent = moving.ship(maker, (HAD,), "corner", ("po 1",))
        together.abreast()
        moving.receive(corner, sent.hop.holding, None)
        moving.ship(maker, COMING, "corner", ("po 2",))
        together.abreast()


def commission(together: Together) -> None:
    moving.bring(together.nodes["maker"], product_of(GTIN, "B2", EXPIRY), SECOND)


def ship(together: Together) -> None:
    moving.ship(together.nodes["maker"], LEAVING, "corner", ("po 3",))


def receive(together: Together) -> None:
    """Receive what is on its way, of which one pack did not come."""
    corner = together.nodes["corner"]
    for one in moving.inbound(corner):
        moving.receive(corner, one.hop.holding, COMING[:1])


def end(together: Together) -> None:
    moving.end(together.nodes["corner"], (DISPENSED,), port.Reason.DISPENSED)


def recall(together: Together) -> None:
    answering.recall(together.nodes["maker"], GTIN, "A1", 1)


def acknowledge(together: Together) -> None:
    recall(together)
    together.abreast()
    answering.acknowledge(together.nodes["corner"])


TASKS: Final[dict[str, Callable[[Together], None]]] = {
    one.__name__: one for one in (commission, ship, receive, end, recall, acknowledge)
}


def do(task: str, folder: Path) -> int:
    """Do a step in this process; it may not come to its end."""
    with opened(folder) as together:
        TASKS[task](together)
    return 0


def settled(together: Together) -> None:
    """Bring every replica and every delivery up to date, whenever it would be tried again."""
    together.abreast()
    together.clock.advance(3_600_000)
    for node in together.nodes.values():
        deliver_due(node)
    together.abreast()
