"""A member that starts again on a ledger of 10,000 blocks: node and engine, from nothing to its first commit."""

import hashlib
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benches.bench_consortium import Figure, Home, figure
from benches.consortium_member import serve
from benches.ledger_load import now
from salus.contracts.membership.port import Genesis, Parameters, ValidatorChange
from salus.core.encoding import encode
from salus.engines.cometbft.binary import find
from salus.engines.cometbft.home import EMPTY_BLOCK_INTERVAL, genesis_json
from salus.engines.errors import EngineError

BLOCKS = 10_000
FEW = 50
"""The same member's restart on so few is what the figure is compared with."""
LIMIT_SECONDS = 5.0
TRANSACTIONS = 2_000
OUTSTANDING = 20
NAME = "hospital-a"


def run() -> list[Figure]:
    binary = find(os.environ)
    if binary is None:
        raise EngineError("CometBFT is not here: `salus engine install`")
    root = Path(tempfile.mkdtemp(prefix="salus-"))  # short: a unix socket's path has at most 107 bytes
    try:
        home = Home(root, NAME)
        founded = now() - 1000
        parameters = Parameters(agreement=hashlib.sha256(b"agreement").digest())
        alone = ValidatorChange(NAME, home.vote_key, 10)
        document = encode(Genesis(1, "bench", founded, 1, parameters, (home.candidate(),), (alone,)))
        home.write([home], genesis_json(document, chain_id="bench", time=founded + 1, validators=[]))
        told = {"home": home.folder, "binary": binary, "document": document, "founded": founded}
        grow(home, told, FEW)
        few, _ = restarted(home, told)
        grow(home, told, BLOCKS)
        many, height = restarted(home, told)
    finally:
        shutil.rmtree(root)
    if height <= BLOCKS:
        raise RuntimeError(f"it went on from block {height}")
    met = many < LIMIT_SECONDS
    return [figure("restart with 10,000 blocks, to the first commit", many, "s", few, budget="< 5 s", met=met)]


def grow(home: Home, told: dict[str, Any], blocks: int) -> None:
    """Order so many blocks: some with transactions, the others as fast as the engine makes empty ones."""
    settings = home.folder / "config" / "config.toml"
    usual = settings.read_text()
    at_once = usual.replace("create_empty_blocks = false", "create_empty_blocks = true")
    settings.write_text(at_once.replace(f'interval = "{EMPTY_BLOCK_INTERVAL}"', 'interval = "0s"'))
    with member(home, told) as ask:
        ask("begin")
        if blocks == BLOCKS:
            ask("load", TRANSACTIONS)
            ask("run", 600.0, OUTSTANDING)
        ask("seen", blocks)
    settings.write_text(usual)


def restarted(home: Home, told: dict[str, Any]) -> tuple[float, int]:
    """Return the seconds from nothing to the first commit, and its height."""
    start = time.perf_counter()
    with member(home, told) as ask:
        height = int(ask("begin"))
        return time.perf_counter() - start, height


@contextmanager
def member(home: Home, told: dict[str, Any]) -> Iterator[Callable[..., Any]]:
    """Run the member in a process of its own; yield what asks it."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(theirs, home.name, home.key.private_bytes_raw(), told))
    process.start()

    def ask(*words: Any) -> Any:
        ours.send(words)
        answer = ours.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    try:
        yield ask
    finally:
        ask("close")
        process.join()
