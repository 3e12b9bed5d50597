"""Run the contract vectors through anything that executes blocks: the kernel, the embedded engine, the ABCI application.

A vector is `tests/vectors/<contract>/<message>/<case>.json`:

    about        what it shows, one sentence
    genesis      name of a document in `tests/vectors/genesis/`
    pre          blocks before: [{time, transactions: [wire bytes, hex]}], heights 1, 2, ...
    message      the message under test, in readable form; `submitter` and `authored` say who speaks
    time         time of the block that holds it, alone
    transaction  its wire bytes, hex
    post         if it is applied: {data: result data, rows: {state key: row} that the block wrote}
    reason       if it is refused: {code, name}
    app_hash     after the block

and a genesis file: {document: readable form, bytes: its encoding, network: its digest, app_hash: at height 0}.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

VECTORS = Path(__file__).parent / "vectors"
CONTRACTS = ("membership", "records", "consent", "claims", "trials", "research", "supply")


class Machine(Protocol):
    """What executes blocks."""

    app_hash: bytes

    def block(self, time: int, wires: Sequence[bytes]) -> list[tuple[int, bytes]]:
        """Execute the next block and return (code, result data) of each transaction."""
        ...

    def row(self, state_key: bytes) -> bytes | None:
        """Return the row under a state key in the newest state."""
        ...


Start = Callable[[bytes, int], Machine]
"""(genesis document, its time) → a machine at height 0."""


def cases() -> Iterator[Path]:
    """Yield the file of every vector."""
    for contract in CONTRACTS:
        yield from sorted((VECTORS / contract).glob("*/*.json"))


def read(path: Path) -> dict[str, Any]:
    """Return what a vector says."""
    return json.loads(path.read_text())


def founded(name: str, start: Start) -> Machine:
    """Return a machine founded by a genesis vector, which must give the digest it states."""
    genesis = read(VECTORS / "genesis" / f"{name}.json")
    machine = start(bytes.fromhex(genesis["bytes"]), genesis["document"]["time"])
    assert machine.app_hash.hex() == genesis["app_hash"]
    return machine


def prepared(vector: dict[str, Any], start: Start) -> Machine:
    """Return a machine that has executed the blocks before the message under test."""
    machine = founded(vector["genesis"], start)
    for block in vector["pre"]:
        results = machine.block(block["time"], [bytes.fromhex(wire) for wire in block["transactions"]])
        assert [code for code, _ in results] == [0] * len(results)
    return machine


def run(vector: dict[str, Any], start: Start) -> None:
    """Run one vector; an AssertionError says what differs."""
    machine = prepared(vector, start)
    ((code, data),) = machine.block(vector["time"], [bytes.fromhex(vector["transaction"])])
    if "reason" in vector:
        assert (code, data) == (vector["reason"]["code"], b"")
    else:
        assert (code, data.hex()) == (0, vector["post"]["data"])
        for state_key, row in vector["post"]["rows"].items():
            assert machine.row(bytes.fromhex(state_key)) == bytes.fromhex(row)
    assert machine.app_hash.hex() == vector["app_hash"]
