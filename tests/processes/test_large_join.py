"""A new organisation joins a consortium of 10,000 blocks and 100,000 keys, by the commands that its operator types."""

import os
import shutil
import time
from base64 import b64decode
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from salus.contracts.records.port import OpenErasure, Rank
from salus.core.transaction import build_body, sign_body
from salus.engines.embedded import Embedded
from salus.engines.store import lmdb_store
from salus.node.config import read
from salus.node.opening import KERNEL, keys_of, now_ms
from tests.faults.sections import JOINING, write
from tests.needs import cometbft
from tests.ports import free_port
from tests.processes.members import Member, member
from tests.processes.test_one_door import applied, elected, founded, heads, listed, shares, until

BLOCKS = int(os.environ.get("SALUS_JOIN_BLOCKS", "10000"))
KEYS_A_BLOCK = 10
ABOUT = ("--name", "Newcomer", "--roles", "provider", "--jurisdiction", "DE")


def grown(at: Member) -> None:
    """Let a member that does not serve order so many blocks of one row each ten times."""
    config = read(None, {key: value for key, value in at.environment.items() if key.startswith("SALUS_")})
    signing = keys_of(config).signing_key()
    public = signing.public_key().public_bytes_raw()
    with closing(Embedded(lmdb_store(at.home / "data" / "ledger"), KERNEL, now_ms)) as ledger:
        for _ in range(BLOCKS):
            sent = []
            for _ in range(KEYS_A_BLOCK):
                body = build_body(
                    OpenErasure(os.urandom(16), Rank.LINK_KEY),
                    network=ledger.network,
                    submitter=at.id,
                    submitter_key=public,
                    expiry=now_ms() + 300_000,
                    nonce=os.urandom(16),
                    author_key=b"",
                )
                sent.append(ledger.submit(sign_body(body, signing)))
            assert all(one.result(60).applied for one in sent)


def consortium(folder: Path, ends: ExitStack) -> dict[str, Member]:
    """Found an embedded ledger, let it grow, and let it go on under CometBFT."""
    members = founded(folder)
    first, *others = members.values()
    for one in members.values():
        ends.callback(one.end)
    first.end()
    grown(first)
    for one in others:  # as if they had followed: the same blocks
        shutil.rmtree(one.home / "data" / "ledger")
        shutil.copytree(first.home / "data" / "ledger", one.home / "data" / "ledger")
    for one in members.values():
        one.serve()
    until(lambda: min(heads(members)) >= BLOCKS)
    made = shares(members)
    elected(members, made)
    until(lambda: len({*heads(members)}) == 1)
    for one in members.values():
        one.end()
    founding = folder / "founding.json"
    founding.write_bytes(b64decode(first.told("network", "hand-over", *listed(made))["founding"]))
    first.serve()  # so that a replica which is behind can follow up to the end
    for one in others:
        one.told("network", "begin", "--founding", str(founding))
        one.serve()
    top = applied(first)["height"]
    until(lambda: min(heads(members)) >= top)
    return members


@pytest.mark.soak
def test_a_new_organisation_serves_soon_after_it_asked(tmp_path: Path) -> None:
    cometbft()
    with ExitStack() as ends:
        members = consortium(tmp_path, ends)
        first, *others = members.values()
        new = member(tmp_path, "newcomer", tls=(tmp_path / "tls.pem", tmp_path / "tls.key"))
        new.environment["SALUS_CONSENSUS_LISTEN"] = f"127.0.0.1:{free_port()}"
        new.environment["SALUS_ERASURES_FILE"] = str(tmp_path / "newcomer.erasures")
        ends.callback(new.end)
        began = time.monotonic()

        card = new.told("network", "card", *ABOUT, "--endpoint", f"https://127.0.0.1:{new.port}")["card"]
        proposal = first.told("network", "propose-admit", card)["proposal"]
        said = [one.told("network", "vote", proposal, "--approve")["status"] for one in others[:2]]
        assert said == ["open", "passed"]
        invitation = tmp_path / "invitation.json"
        invitation.write_bytes(b64decode(first.told("network", "invite")["invitation"]))
        invited = time.monotonic()
        told = new.told("join", str(invitation))
        joined = time.monotonic()
        new.serve()
        sent = applied(new)
        seconds = time.monotonic() - began

        assert told["snapshot"] > BLOCKS
        until(lambda: min(heads({**members, new.id: new})) >= sent["height"])
        keys, size = rows(new)
        assert keys > BLOCKS * KEYS_A_BLOCK
    text = (
        f"Written by `tests/processes/test_large_join.py` on {datetime.now(UTC):%Y-%m-%d}. A ledger of {BLOCKS:,} blocks and\n"
        f"{keys:,} keys of state goes on under CometBFT; a fifth organisation joins it. It types three commands\n"
        "(`network card`, `join`, `serve`), the members four (`propose-admit`, two `vote`, `invite`), all on one machine:\n"
        f"{seconds:.0f} s from the first command to its first own transaction on the ledger, of these {joined - invited:.0f} s in `join`.\n"
        f"Its replica takes {size >> 20:,} MiB."
    )
    write(JOINING, text)


def rows(at: Member) -> tuple[int, int]:
    """End a member; return how many rows its ledger's state has, and how many bytes its ledger takes on the disk."""
    at.end()
    at.process = None
    with closing(lmdb_store(at.home / "data" / "ledger")) as store:
        keys = sum(1 for _ in store.state(store.head().height))
    files = (at.home / "data" / "ledger").rglob("*")
    return keys, sum(file.stat().st_blocks * 512 for file in files if file.is_file())
