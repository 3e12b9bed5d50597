"""The unit of engine and application, with a program in the engine's place that does nothing."""

import itertools
import threading
from types import SimpleNamespace

import pytest

from salus.engines.cometbft import unit
from salus.engines.cometbft.unit import Unit


class Idle:
    """An application that nobody asks."""

    def answer(self, kind, request):
        raise AssertionError(kind, request)

    def close(self):
        pass


class Told:
    """What the unit reports, to be waited for."""

    def __init__(self):
        self.events = []
        self.changed = threading.Condition()

    def __call__(self, event, facts):
        with self.changed:
            self.events.append((event, facts.get("why", "")))
            self.changed.notify_all()

    def wait(self, event, why):
        with self.changed:
            assert self.changed.wait_for(lambda: (event, why) in self.events, 120), self.events


@pytest.fixture
def running(tmp_path):
    """Return a function that starts a unit over an engine that lives and does nothing."""
    program = tmp_path / "engine"
    units = []

    def start(told, script="exec sleep 600", **options):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)
        sockets = {"socket": tmp_path / "app", "rpc": tmp_path / "rpc"}
        units.append(Unit(Idle, binary=program, home=tmp_path, report=told, **sockets, **options))
        return units[-1]

    yield start
    for one in units:
        one.close()


def test_an_engine_that_lives_and_commits_nothing_is_started_anew(running):
    told = Told()
    life = running(told, height=lambda: 7, stalled_seconds=0.1)
    told.wait("engine.restarting", "EngineStalled")
    assert life.restarts >= 1


def test_an_engine_that_adds_blocks_is_left_alone(running):
    told, blocks, enough = Told(), itertools.count(1), threading.Event()

    def height():
        newest = next(blocks)
        if newest == 20:
            enough.set()
        return newest

    life = running(told, height=height, stalled_seconds=1.0)
    assert enough.wait(120)
    assert (life.restarts, [event for event, _ in told.events]) == (0, ["engine.started"])


def test_an_engine_that_says_that_its_consensus_has_failed_is_started_anew_at_once(running, tmp_path):
    told = Told()
    running(told, script='echo "E[2026] CONSENSUS FAILURE!!! err=..."\nexec sleep 600')
    told.wait("engine.restarting", "EngineStalled")
    assert b"CONSENSUS FAILURE" in (tmp_path / "cometbft.log").read_bytes()


def test_on_a_full_disk_it_waits_for_room(running, monkeypatch):
    told, free = Told(), [0]
    monkeypatch.setattr(unit.shutil, "disk_usage", lambda _: SimpleNamespace(free=free[0]))
    monkeypatch.setattr(unit, "ROOM_POLL_SECONDS", 0.01)
    started = running(told, script="exit 1")
    told.wait("engine.waiting", "StoreFull")
    assert (started.restarts, started.process_id) == (1, 0)
    free[0] = unit.ROOM_BYTES
    with told.changed:
        assert told.changed.wait_for(lambda: started.restarts >= 2, 120)
