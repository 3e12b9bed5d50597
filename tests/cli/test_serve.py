"""`salus serve`: two doors, one owner, a clean end."""

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from salus.cli import main as program
from salus.cli.serve import listen
from salus.node.config import Config, Http
from salus.node.errors import Unavailable


@pytest.fixture
def environment(tmp_path):
    return {
        **os.environ,
        "SALUS_DATA": str(tmp_path / "data"),
        "SALUS_RUNTIME": str(tmp_path / "run"),
        "SALUS_HTTP_PORT": "0",
        "SALUS_MEMBER": "st-anna",
    }


COMMAND = [sys.executable, "-c", "import sys; from salus.cli.main import main; sys.exit(main())"]


@pytest.fixture
def served(environment):
    process = subprocess.Popen(
        [*COMMAND, "serve"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert select.select([process.stdout], [], [], 60)[0], "the node did not start"
        yield process, int(process.stdout.readline().split("port ")[1].split(";")[0])
    finally:
        process.kill()
        process.communicate()


def test_a_command_asks_the_running_node_and_the_world_its_port(served, environment, monkeypatch, capfd):
    process, port = served
    assert httpx.get(f"http://127.0.0.1:{port}/health").json() == {"status": "ok"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def never(config):
        raise AssertionError("the folder has an owner")

    assert program.main(["about"], never) == 0
    assert "member: st-anna" in capfd.readouterr().out
    assert program.main(["serve"], never) == 1
    assert "node.owned" in capfd.readouterr().err
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert not list(Path(environment["SALUS_RUNTIME"]).rglob("*.sock"))


def test_after_a_kill_the_next_node_takes_the_socket_over(served, environment):
    process, _ = served
    process.kill()
    process.wait()
    second = subprocess.Popen(
        [*COMMAND, "serve"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert select.select([second.stdout], [], [], 60)[0]
        assert "serving st-anna" in second.stdout.readline()
    finally:
        second.kill()
        second.communicate()


def test_an_address_that_is_taken_is_told():
    with listen(Config(http=Http(port=0))) as taken, pytest.raises(Unavailable, match=r"node\.address"):
        listen(Config(http=Http(port=taken.getsockname()[1])))


def test_a_connection_sends_at_once():
    """An answer of two parts does not wait for what its caller's system delays."""
    with listen(Config(http=Http(port=0))) as listening, socket.create_connection(listening.getsockname()[:2]):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
