"""The unit of engine and application, with a program in the engine's place that does nothing."""

import itertools
import threading

import pytest

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
            assert self.changed.wait_for(lambda: (event, why) in self.events, 30), self.events


@pytest.fixture
def running(tmp_path):
    """Return a function that starts a unit over an engine that lives and does nothing."""
    program = tmp_path / "engine"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o700)
    units = []

    def start(told, **options):
        sockets = {"socket": tmp_path / "app", "rpc": tmp_path / "rpc"}
        units.append(Unit(Idle, binary=program, home=tmp_path, report=told, **sockets, **options))
        return units[-1]

    yield start
    for unit in units:
        unit.close()


def test_an_engine_that_lives_and_commits_nothing_is_started_anew(running):
    told = Told()
    unit = running(told, height=lambda: 7, stalled_seconds=0.1)
    told.wait("engine.restarting", "EngineStalled")
    assert unit.restarts >= 1


def test_an_engine_that_adds_blocks_is_left_alone(running):
    told, blocks, enough = Told(), itertools.count(1), threading.Event()

    def height():
        newest = next(blocks)
        if newest == 20:
            enough.set()
        return newest

    unit = running(told, height=height, stalled_seconds=1.0)
    assert enough.wait(30)
    assert (unit.restarts, [event for event, _ in told.events]) == (0, ["engine.started"])
