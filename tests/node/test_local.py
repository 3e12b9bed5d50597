"""One process owns a data folder; commands find the one that does."""

import os
import socket
import threading
from pathlib import Path

import pytest

from salus.node import local
from salus.node.config import Config
from salus.node.errors import Forbidden, Malformed, NotFound, Unavailable
from tests.sample_cases import Nothing, SampleNode, Shape, find, make


@pytest.fixture
def config(tmp_path):
    return Config(data=str(tmp_path / "data"), runtime=str(tmp_path / "run"))


def opener(opened):
    def open_(config):
        opened.append(SampleNode(config))
        return opened[-1]

    return open_


def test_without_a_running_node_a_command_owns_the_folder_and_lets_go(config):
    nodes = []
    for _ in range(2):
        answer = local.call(make, Shape(patient="p", kind="round"), config=config, opener=opener(nodes), environment={})
        assert answer.echo.startswith("p round")
    with pytest.raises(NotFound):
        local.call(find, Nothing(), config=config, opener=opener(nodes), environment={})
    assert [node.closed for node in nodes] == [True, True, True]
    assert not Path(config.data).exists()  # nothing was put there: nothing is left


def test_a_folder_in_which_something_was_put_stays_with_its_lock(config):
    data = Path(config.data)
    with local.opened(config, local.Bare):
        (data / "keys.salus").write_bytes(b"")
    assert data.stat().st_mode & 0o777 == 0o700
    assert sorted(one.name for one in data.iterdir()) == ["keys.salus", "owner.lock"]


def test_a_folder_that_was_there_before_stays(config):
    Path(config.data).mkdir(parents=True)
    with local.opened(config, local.Bare):
        pass
    assert list(Path(config.data).iterdir()) == []


def test_a_lock_that_its_owner_takes_away_meanwhile_is_taken_anew(config, monkeypatch):
    data, took, gone = Path(config.data), local.fcntl.flock, []

    def late(lock, how):
        if not gone:  # the owner lets go between our opening of the file and our locking of it
            gone.append(lock)
            (data / "owner.lock").unlink()
            data.rmdir()
        return took(lock, how)

    monkeypatch.setattr(local.fcntl, "flock", late)
    with local.owned(data) as ours:
        assert ours
        assert (data / "owner.lock").exists()
        with local.owned(data) as theirs:
            assert not theirs
    assert not data.exists()


def test_a_folder_has_one_owner(config):
    with (
        local.opened(config, local.Bare),
        pytest.raises(Unavailable, match=r"node\.owned"),
        local.opened(config, local.Bare),
    ):
        pass
    with local.opened(config, local.Bare) as node:
        assert node.config is config


def test_an_owner_that_does_not_answer_is_told(config):
    with local.opened(config, local.Bare), pytest.raises(Unavailable, match=r"node\.silent"):
        local.call(find, Nothing(), config=config, opener=local.Bare, environment={})


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", b"HTTP/1.1 500 Gone\r\n\r\n"])
def test_an_owner_that_ends_amid_its_answer_is_told(config, said):
    def end(listening):
        line, _ = listening.accept()
        with line:
            line.recv(1 << 16)
            line.sendall(said)

    with local.opened(config, local.Bare), socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(local.socket_path(config, {})))
        listening.listen()
        owner = threading.Thread(target=end, args=(listening,))
        owner.start()
        with pytest.raises(Unavailable, match=r"node\.silent"):
            local.call(find, Nothing(), config=config, opener=local.Bare, environment={})
        owner.join()


def test_the_socket_lies_where_the_system_wants_it(config, tmp_path, monkeypatch):
    bare = Config(data=config.data)
    assert local.socket_path(config, {}).parent == tmp_path / "run" / "salus"
    assert local.socket_path(bare, {"RUNTIME_DIRECTORY": str(tmp_path / "a")}).parent == tmp_path / "a" / "salus"
    assert local.socket_path(bare, {"XDG_RUNTIME_DIR": str(tmp_path / "b")}).parent == tmp_path / "b" / "salus"
    monkeypatch.setattr(local.tempfile, "gettempdir", lambda: str(tmp_path))
    path = local.socket_path(bare, {})
    assert path.parent == tmp_path / f"salus-{os.getuid()}"
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))


def test_two_data_folders_have_two_sockets(config, tmp_path):
    other = Config(data=str(tmp_path / "other"), runtime=config.runtime)
    assert local.socket_path(config, {}) != local.socket_path(other, {})


def test_a_path_too_long_for_a_socket_is_refused_before_it_is_made(tmp_path):
    long = tmp_path / ("x" * 100)
    with pytest.raises(Malformed, match=r"node\.socket-path"):
        local.socket_path(Config(runtime=str(long)), {})
    assert not long.exists()


def test_a_folder_open_to_others_is_refused(config, tmp_path):
    (tmp_path / "run" / "salus").mkdir(parents=True, mode=0o700)
    (tmp_path / "run" / "salus").chmod(0o755)
    with pytest.raises(Forbidden, match=r"node\.runtime-folder"):
        local.socket_path(config, {})


def test_a_bare_node_keeps_nothing():
    node = local.Bare(Config())
    assert (node.signing_keys("solo"), node.trouble(), node.measures(), node.close()) == ((), "", {}, None)
    assert node.now() > 1_600_000_000_000
