"""A ledger that one member ordered goes on as a network of four, ordered by CometBFT; what was proven stays proven."""

import json
import shutil
import time
from base64 import b64decode
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from salus.core.proof.cli import main as verify
from tests.needs import cometbft
from tests.ports import free_port
from tests.processes.members import Member, certificate, member
from tests.processes.test_three_members import FHIR

pytestmark = pytest.mark.unmeasured

LATEST_SECONDS = 180
NAMES = ("north", "south", "lab", "payer")


def until(holds: Callable[[], bool]) -> None:
    """Wait for what running nodes do by themselves; on a busy machine an engine takes its time."""
    end = time.monotonic() + LATEST_SECONDS
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.3)


def founded(folder: Path) -> dict[str, Member]:
    """Four members on a ledger that the first orders; only it serves yet."""
    tls = certificate(folder)
    first = member(folder, NAMES[0], tls=tls)
    members = {first.id: first, **{name: member(folder, name, first, tls) for name in NAMES[1:]}}
    for one in members.values():
        one.environment["SALUS_CONSENSUS_LISTEN"] = f"127.0.0.1:{free_port()}"
        one.environment["SALUS_ERASURES_FILE"] = str(folder / f"{one.id}.erasures")  # nobody else answers yet
    cards = [
        one.told(
            *("network", "card", "--name", one.id, "--roles", "provider", "--jurisdiction", "DE"),
            *("--endpoint", f"https://127.0.0.1:{one.port}"),
        )["card"]
        for one in members.values()
    ]
    others = [part for card in cards[1:] for part in ("--others", card)]
    network = first.told("network", "found", "--network", "lake-county", "--card", cards[0], *others)["network"]
    first.serve()
    for one in list(members.values())[1:]:
        one.told("network", "join", "--network", network)
    return members


def shares(members: dict[str, Member]) -> dict[str, Any]:
    return {
        one.id: one.told("network", "share", "--address", one.environment["SALUS_CONSENSUS_LISTEN"])
        for one in members.values()
    }


def listed(made: dict[str, Any]) -> list[str]:
    return [part for one in made.values() for part in ("--shares", one["share"])]


def elected(members: dict[str, Member], made: dict[str, Any]) -> None:
    """Vote all four into the validators; each opens its node for its ballot, and cosigns by that."""
    first, *others = members.values()
    changes = [{"member": name, "consensus_key": one["consensus_key"], "power": 10} for name, one in made.items()]
    proposal = first.told("network", "propose-validators", "--changes", json.dumps(changes))["proposal"]
    said = [one.told("network", "vote", proposal, "--approve")["status"] for one in others[:2]]
    assert said == ["open", "passed"]


def receipt(at: Member, transaction: str, file: Path) -> Path:
    def told() -> bool:
        answer = at.run("network", "receipt", transaction, "--json")
        if answer.returncode == 0:
            file.write_bytes(b64decode(json.loads(answer.stdout)["receipt"]))
        return answer.returncode == 0

    until(told)
    return file


def heads(members: dict[str, Member]) -> list[int]:
    return [int(one.told("network", "status")["height"]) for one in members.values()]


def one_history(members: Iterable[Member], top: int) -> dict[int, Any]:
    """Return the digest of each height up to `top`, the same at all members."""
    told = [one.told("ledger", "blocks", "--before", str(top + 1), "--limit", "200")["blocks"] for one in members]
    digests = [{line["height"]: line["app_hash"] for line in blocks} for blocks in told]
    assert all(one == digests[0] for one in digests[1:])
    return digests[0]


def applied(at: Member, holds: Callable[[Any], bool] = bool) -> Any:
    """Send a transaction, again while the engine starts."""
    found: list[Any] = []

    def told() -> bool:
        answer = at.run(
            "tx", "membership.move", "--content", f'{{"endpoint": "https://127.0.0.1:{at.port}"}}', "--json"
        )
        found.append(json.loads(answer.stdout) if answer.returncode == 0 else None)
        return holds(found[-1])

    until(told)
    return found[-1]


def test_an_embedded_ledger_goes_on_as_a_network_and_old_receipts_hold(tmp_path: Path) -> None:
    cometbft()
    with ExitStack() as ends:
        members = founded(tmp_path)
        first, *others = members.values()
        for one in members.values():
            ends.callback(one.end)
        (first.home / "in.ndjson").write_text(FHIR % first.id)
        first.told("records", "import", "in.ndjson", "--source", "urn:ehr")
        before = applied(first)
        made = shares(members)
        elected(members, made)
        old = receipt(first, before["transaction"], tmp_path / "old.cbor")
        (tmp_path / "trust.json").write_text(first.told("network", "trust")["trust"])

        ran = first.run("network", "hand-over", *listed(made))
        assert (ran.returncode, ran.stderr.partition(":")[0]) == (1, "network.running")
        first.end()
        lacking = {name: one for name, one in made.items() if name != "lab"}
        ran = first.run("network", "hand-over", *listed(lacking))
        assert (ran.returncode, ran.stderr.partition(":")[0]) == (1, "network.few")
        told = first.told("network", "hand-over", *listed(made))
        (tmp_path / "founding.json").write_bytes(b64decode(told["founding"]))
        (tmp_path / "forged.json").write_bytes(b64decode(told["founding"]).replace(told["digest"].encode(), b"00" * 32))
        first.serve()  # so that a replica which is behind can follow up to the end
        for one in others:
            ran = one.run("network", "begin", "--founding", str(tmp_path / "forged.json"))
            assert (ran.returncode, ran.stderr.partition(":")[0]) == (1, "network.other-ledger"), ran.stderr
            begun = one.told("network", "begin", "--founding", str(tmp_path / "founding.json"))
            assert (begun["height"], begun["validates"]) == (told["height"], True)
            one.serve()

        after = applied(others[2])
        assert after["height"] > told["height"]
        until(lambda: min(heads(members)) >= after["height"])
        by_height = one_history(members.values(), after["height"])
        assert by_height[told["height"]] == told["digest"]

        new = receipt(others[1], after["transaction"], tmp_path / "new.cbor")
        again = receipt(others[0], before["transaction"], tmp_path / "again.cbor")
        trust = ["--trust", str(tmp_path / "trust.json")]
        assert [verify([*trust, str(file)]) for file in (old, again, new)] == [0, 0, 0]
        assert first.told("network", "status")["orders"] == ""
        joined(ends, tmp_path, members)


def joined(ends: ExitStack, folder: Path, members: dict[str, Member]) -> None:
    """A fifth organisation: voted in, a proven snapshot taken, serving, and given a vote and a cosignature."""
    first, *others = members.values()
    new = member(folder, "newcomer", tls=(folder / "tls.pem", folder / "tls.key"))
    new.environment["SALUS_CONSENSUS_LISTEN"] = f"127.0.0.1:{free_port()}"
    ends.callback(new.end)

    def passed(act: str, *arguments: str) -> None:
        proposal = first.told("network", act, *arguments)["proposal"]
        said = (one.told("network", "vote", proposal, "--approve")["status"] for one in others)
        assert "passed" in said  # and nobody votes on what is decided

    about = ("--name", "Newcomer", "--roles", "provider", "--jurisdiction", "DE")
    card = new.told("network", "card", *about, "--endpoint", f"https://127.0.0.1:{new.port}")["card"]
    invitation = folder / "invitation.json"
    invitation.write_bytes(b64decode(first.told("network", "invite")["invitation"]))
    ran = new.run("join", str(invitation))
    assert (ran.returncode, ran.stderr.partition(":")[0]) == (1, "join.not-admitted"), ran.stderr
    assert not (new.home / "data" / "ledger").exists()
    passed("propose-admit", card)
    invitation.write_bytes(b64decode(first.told("network", "invite")["invitation"]))
    told = new.told("join", str(invitation))
    assert 0 < told["snapshot"] <= told["height"]
    new.serve()
    sent = applied(new)
    everyone = {**members, new.id: new}
    until(lambda: min(heads(everyone)) >= sent["height"])
    one_history((first, new), sent["height"])
    assert new.told("replay")["digest"]

    def given_a_vote() -> None:
        share = new.told("network", "share", "--address", new.environment["SALUS_CONSENSUS_LISTEN"])
        change = [{"member": new.id, "consensus_key": share["consensus_key"], "power": 10}]
        passed("propose-validators", "--changes", json.dumps(change))

    given_a_vote()
    after = applied(new)

    def signed_by_five() -> bool:
        statuses = [one.told("network", "status") for one in everyone.values()]
        return all(new.id in one["cosigned_by"] and one["cosigners"] == 5 for one in statuses)

    until(signed_by_five)
    newest = receipt(first, after["transaction"], folder / "newest.cbor")
    (folder / "trust-of-five.json").write_text(new.told("network", "trust")["trust"])
    assert verify(["--trust", str(folder / "trust-of-five.json"), str(newest)]) == 0
    lost_and_found(folder, first, new)
    given_a_vote()  # its engine's keys were lost with the rest: without it, one more that is down would halt all
    burnt_and_restored(folder, first, new)


def lost_and_found(folder: Path, first: Member, new: Member) -> None:
    """A member that lost ledger and engine gets the ledger back from its peers, and then exchanges its keys."""
    new.end()
    data = new.home / "data"
    for name in ("ledger", "checkpoints", "cometbft"):
        shutil.rmtree(data / name)
    invitation = folder / "back.json"
    invitation.write_bytes(b64decode(first.told("network", "invite")["invitation"]))
    assert new.told("join", str(invitation))["snapshot"] > 0
    rotated = new.told("network", "rotate-keys")
    until(lambda: rotated["signing_key"] in {one["signing_key"] for one in first.told("network", "members")["members"]})
    new.serve()
    assert applied(new)["height"] > rotated["height"]


def burnt_and_restored(folder: Path, lost: Member, inviting: Member) -> None:
    """A machine is lost: the backup brings the records back onto an empty one, the peers bring the ledger."""
    data, safe = lost.home / "data", folder / "safe"
    lost.told("backup", "make", str(folder / "backup"))
    safe.mkdir()
    for name in ("keys.salus", "passphrase", "backup.keys"):
        shutil.copy(data / name, safe / name)
    lost.end()
    shutil.rmtree(data)
    data.mkdir(mode=0o700)
    for file in safe.iterdir():
        shutil.copy(file, data / file.name)
    lost.told("backup", "restore", str(folder / "backup"))
    shutil.rmtree(data / "ledger")  # as old as the backup: the peers have a newer one
    invitation = folder / "after-the-fire.json"
    invitation.write_bytes(b64decode(inviting.told("network", "invite")["invitation"]))
    told = lost.told("join", str(invitation))
    lost.serve()
    assert applied(lost)["height"] > told["height"]
    found = lost.told("records", "find", "--identifier", f"urn:mrn:{lost.id}|4711")["patients"]
    assert [one["name"] for one in found] == ["Ada Marigold"]
