"""Four members under faults, one running consortium for all of them: nothing acknowledged is lost, nothing forks.

`make soak` does the same for a quarter of an hour, in network namespaces where it may make them, and writes
docs/reference/reliability.md.
"""

from pathlib import Path

import pytest

from salus.node.errors import EdgeError
from tests.faults.fleet import NAMES, Fleet, until
from tests.needs import cometbft

SEED = 4


def others(name: str) -> list[str]:
    return [one for one in NAMES if one != name]


def killed(fleet: Fleet) -> None:
    """Kill -9 of an engine, and of a node with its engine, under load."""
    before = fleet.kill_engine("lab")
    until(lambda: fleet.engine("lab") not in {0, before}, "the engine is started again")
    fleet.progress()
    fleet.kill("payer")
    fleet.progress(*others("payer"))
    fleet.start("payer")
    fleet.progress()
    assert "engine.restarting" in {line["event"] for line in fleet.log("lab")}


def stopped(fleet: Fleet) -> None:
    """A node that stands still, and goes on."""
    fleet.stop("south")
    fleet.progress(*others("south"))
    fleet.go_on("south")
    fleet.progress()


def cut_off(fleet: Fleet) -> None:
    """One member cut off: the others go on, it cannot commit. Then two and two: nobody can."""
    fleet.relay.weather(delay=(0.005, 0.05), loss=0.02)
    fleet.relay.cut("north")
    fleet.progress(*others("north"))
    with pytest.raises(EdgeError):
        fleet.send("north")
    fleet.relay.heal()
    fleet.progress()
    fleet.relay.cut("north", "south")
    top = max(fleet.heights().values())
    for name in ("north", "lab"):
        with pytest.raises(EdgeError):
            fleet.send(name)
    assert max(fleet.heights().values()) <= top + 1  # a block that was decided already
    fleet.relay.heal()
    fleet.progress()
    fleet.relay.weather()


def test_faults_of_every_kind_lose_nothing_and_fork_nothing(tmp_path: Path) -> None:
    cometbft()
    with Fleet(tmp_path, SEED) as fleet:
        with fleet.load(*NAMES):
            killed(fleet)
            stopped(fleet)
            cut_off(fleet)
        for name in NAMES:
            fleet.end(name)
        found = fleet.audit()
    assert found["heights"] > 20
    assert found["acknowledged"] > 20
