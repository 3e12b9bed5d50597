"""Networks whose members are processes of their own: created, started, killed, started again, stopped."""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path

import pytest

from salus.cli.main import main
from salus.node.config import Config
from salus.node.errors import Conflict, Malformed, NotFound, Unavailable
from salus.node.local import Bare, Told, call
from salus.node.network import ports, supervising
from salus.node.network.directory import AskStatus, ListMembers, list_members, status
from salus.node.network.supervising import (
    AskLogs,
    AskNetwork,
    CreateNetwork,
    create,
    logs,
    members_in,
    nodes,
    start,
    stop,
)
from salus.node.network.transacting import SendTransaction, send
from tests.needs import cometbft


@pytest.fixture
def folder():
    folder = Path(tempfile.mkdtemp(prefix="salus-"))
    yield str(folder / "net")
    if (folder / "net").exists():
        for _, home in members_in(str(folder / "net")):
            if (home / "node.pid").exists():
                stop(BARE, AskNetwork(folder=str(folder / "net")))
                break
    shutil.rmtree(folder)


BARE = Bare(Config())


def never(config):
    raise AssertionError("the node runs")


def config_of(folder, member):
    return next(config for config, _ in members_in(folder) if config.member == member)


def asked(folder, member, case, request):
    return call(case, request, config=config_of(folder, member), opener=never, environment=os.environ)


def anchored(folder, member):
    """Send a transaction at a member's node; while its engine starts, the node says to try again."""
    content = {"root": os.urandom(32).hex(), "count_bucket": 1, "deferred": False}
    request = SendTransaction(message="records.anchor", content=content)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(Unavailable, Told):
            return asked(folder, member, send, request)
        time.sleep(0.2)
    return asked(folder, member, send, request)


def until_all(folder, condition):
    """Return what every node says of itself, once it holds for all."""
    deadline = time.monotonic() + 120
    while True:
        told = [asked(folder, name, status, AskStatus()) for name in names(folder)]
        if all(map(condition, told)):
            return told
        assert time.monotonic() < deadline, told
        time.sleep(0.2)


def names(folder):
    return [config.member for config, _ in members_in(folder)]


def test_four_processes_tell_the_story_while_one_is_killed_and_returns(tmp_path, capfd):
    cometbft()
    code = main(["network", "demo", "--report", str(tmp_path / "told.html")])
    told = capfd.readouterr().out
    assert code == 0, told
    assert "Everything held: 11 steps" in told
    assert "killed: lake-clinic" in told
    assert "lake-clinic" in (tmp_path / "told.html").read_text()


def test_a_story_that_cannot_be_told_ends_with_1(monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(supervising, "find", lambda _: None)
    assert main(["network", "demo", "--report", str(tmp_path / "told.html")]) == 1
    assert "CometBFT is not here" in capfd.readouterr().out


def test_of_two_one_orders_and_both_cosign(folder):
    created = create(BARE, CreateNetwork(network="lake-county", members=("south", "north"), folder=folder))
    assert created.tolerated == 0
    start(BARE, AskNetwork(folder=folder))
    told = asked(folder, "south", list_members, ListMembers()).members
    assert [len(bytes.fromhex(one.tls_keys)) for one in told] == [32, 32]
    sent = anchored(folder, "north")
    told = until_all(folder, lambda one: one.height >= sent.height and len(one.cosigned_by) == 2)
    assert {one.orders for one in told} == {"south"}
    home = next(home for config, home in members_in(folder) if config.member == "north")
    process = int((home / "node.pid").read_text())
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    states = nodes(BARE, AskNetwork(folder=folder)).members
    assert {one.member: one.running for one in states} == {"north": False, "south": True}
    assert any("node.serving" in line for line in logs(BARE, AskLogs(member="north", folder=folder)).lines)
    assert not any(one.running for one in stop(BARE, AskNetwork(folder=folder)).members)


def test_what_cannot_be_is_said(folder):
    with pytest.raises(NotFound, match="no network here"):
        nodes(BARE, AskNetwork(folder=folder))
    with pytest.raises(Malformed, match="twice"):
        create(BARE, CreateNetwork(network="lake-county", members=("north", "north"), folder=folder))
    create(BARE, CreateNetwork(network="lake-county", members=("north",), folder=folder))
    with pytest.raises(Conflict, match="not empty"):
        create(BARE, CreateNetwork(network="lake-county", members=("north",), folder=folder))
    with pytest.raises(NotFound, match="no such member"):
        logs(BARE, AskLogs(member="nobody", folder=folder))
    home = Path(folder) / "north"
    (home / "salus.toml").write_text((home / "salus.toml").read_text() + 'tls_cert = "x"\n')
    with pytest.raises(Malformed, match="tls_cert"):
        start(BARE, AskNetwork(folder=folder))
    (home / "salus.toml").write_text((home / "salus.toml").read_text().replace('tls_cert = "x"\n', ""))
    (home / "data" / "passphrase").unlink()
    with pytest.raises(Unavailable, match=r"ended at its start, saying: .*passphrase"):
        start(BARE, AskNetwork(folder=folder))


def test_ports_are_none_that_the_system_hands_out(monkeypatch, tmp_path):
    """A port of the system's own range may belong to any outgoing connection by the time its node starts again."""
    told = tmp_path / "range"
    monkeypatch.setattr(ports, "EPHEMERAL", told)
    for text, last in (("32768\t60999\n", 32_767), ("24000\t60999\n", 23_999), ("1024\t65535\n", 32_767), ("", 32_767)):
        told.write_text(text)
        given = ports.free_ports(16)
        assert len(set(given)) == 16
        assert all(20_000 <= port <= last for port in given)
    monkeypatch.setattr(ports, "FIRST", given[0])
    told.write_text("")
    monkeypatch.setattr(ports, "LAST", given[0])
    with socket.create_server(("127.0.0.1", given[0])), pytest.raises(Unavailable, match="no port"):
        ports.free_ports(1)
