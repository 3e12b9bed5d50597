"""Faults for a quarter of an hour, drawn by a seed, and the page that says what came of it: docs/reference/reliability.md."""

import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from salus.engines.cometbft.binary import VERSION
from salus.node.errors import EdgeError
from salus.node.records.charts import FindPatients, find_patients
from tests.faults.fleet import NAMES, Fleet, Ground, until
from tests.faults.namespaces import OBSERVER, Namespaces, possible
from tests.faults.relay import Relay
from tests.faults.sections import JOINING, PAGE, PLANTED, section
from tests.faults.sharing import KEEPERS, LIAR, LIES, READER, Lying, Sharing
from tests.faults.test_faults import others, unanchored
from tests.needs import cometbft
from tests.processes.members import certificate

SECONDS = float(os.environ.get("SALUS_FAULT_SECONDS", "900"))
SEED = int(os.environ.get("SALUS_FAULT_SEED", "1"))
DISK_MB = 160
FULL = "lab"
"""Whose folder is a small file system of its own, where that can be made."""
FALSE_CLOCK = """
import sys, time
real = time.time_ns
time.time_ns = lambda: real() + {offset} * 10**9
from salus.cli.main import main
sys.exit(main())
"""
FALSE_PROPOSALS = """
import sys
from salus.engines.cometbft.application import Application
honest = Application.answer
def answer(self, kind, request):
    told = honest(self, kind, request)
    if kind == "prepare_proposal":
        del told.txs[:]
        told.txs.append(b"junk")
    return told
Application.answer = answer
from salus.cli.main import main
sys.exit(main())
"""
UNTESTED = """\
- Power loss of a machine: `tests/engines/test_power.py` and `tests/vault/test_powerloss.py` try it on the stores alone.
- That the node with a wrong clock refuses or proposes anything in particular: only that the others go on, and it returns.
- The clock of CometBFT itself: a wrong clock here is that of the node and its application, which share a machine's in life.
- More than one machine, a wide-area network, more than four members, days of running.
- An altered digest: `tests/engines/cometbft/test_network.py` tries it, with the same engines and an application in the
  test's process.
- Two members that lie together: a third of the validators and more are beyond what consensus tolerates.
"""


class Long:
    """One long run: each method is a fault, and returns the seconds from its end until every member commits again."""

    def __init__(self, fleet: Fleet, sharing: Sharing, lying: Lying, *, disk: bool) -> None:
        self.fleet, self.sharing, self.lying = fleet, sharing, lying
        self.chance = random.Random(SEED)
        self.grant = sharing.granted()
        self.disk = disk
        self.deferred: list[float] = []
        """Seconds from the healing of a halt until what was read during it stood on the ledger."""

    def faults(self) -> dict[str, Callable[[], float]]:
        """Return the faults by what the page calls them."""
        found = {
            "kill -9 of an engine": self.kill_engine,
            "kill -9 of a node, with its engine": self.kill_node,
            "a node and its engine stand still": self.stand_still,
            "one member cut off": lambda: self.cut(1),
            "two against two: nobody can commit": lambda: self.cut(2),
            "one member slow: 300 ms and 5 % loss": self.slow,
            "bad weather for all: 5 to 300 ms, up to 5 % loss": self.weather,
            "all other validators down": self.alone,
            "a node's clock an hour or a day off": self.clock,
            "invalid proposals": self.proposals,
            "forged, replayed, stale, withheld answers to a pull": self.lies,
            "a grant revoked while a custodian is cut off": self.revoked,
        }
        return found | ({"a full disk": self.full} if self.disk else {})

    def any(self) -> str:
        return self.chance.choice(NAMES)

    def while_it_lasts(self, *names: str) -> None:
        """Others go on meanwhile."""
        self.fleet.progress(*names)
        time.sleep(self.chance.uniform(0, 5))

    def kill_engine(self) -> float:
        self.fleet.kill_engine(self.any())
        return self.fleet.progress()

    def kill_node(self) -> float:
        name = self.any()
        self.fleet.kill(name)
        self.while_it_lasts(*others(name))
        return self.started(name)

    def started(self, *names: str) -> float:
        for name in names:
            self.fleet.start(name)
        return self.fleet.progress()

    def stand_still(self) -> float:
        name = self.any()
        self.fleet.stop(name)
        self.while_it_lasts(*others(name))
        self.fleet.go_on(name)
        return self.fleet.progress()

    def cut(self, count: int) -> float:
        gone = self.chance.sample(NAMES, count)
        self.fleet.relay.cut(*gone)
        if count == 1:
            self.while_it_lasts(*others(gone[0]))
        for name in gone:
            with pytest.raises(EdgeError):
                self.fleet.send(name)
        if count > 1:  # care goes on: the disclosure of what is read waits for the ledger
            keeper = KEEPERS[0]
            self.fleet.ask(keeper, find_patients, FindPatients(identifier=f"urn:mrn:{keeper}|4711"))
            until(lambda: unanchored(self.fleet, keeper) > 0, "the disclosure waits")
        self.fleet.relay.heal()
        took = self.fleet.progress()
        if count > 1:
            more = until(lambda: unanchored(self.fleet, keeper) == 0, "the disclosure is on the ledger")
            self.deferred.append(took + more)
        return took

    def slow(self) -> float:
        name = self.any()
        self.fleet.relay.weather(name, delay=(0.2, 0.3), loss=0.05)
        self.while_it_lasts(*others(name))
        self.fleet.relay.weather()
        return self.fleet.progress()

    def weather(self) -> float:
        self.fleet.relay.weather(delay=(0.005, self.chance.uniform(0.05, 0.3)), loss=self.chance.uniform(0, 0.05))
        self.while_it_lasts(*NAMES)
        self.fleet.relay.weather()
        return self.fleet.progress()

    def alone(self) -> float:
        left = self.any()
        for name in others(left):
            self.fleet.kill(name)
        with pytest.raises(EdgeError):
            self.fleet.send(left)
        return self.started(*others(left))

    def altered(self, program: str) -> str:
        name = self.chance.choice([one for one in NAMES if one != READER])
        self.fleet.end(name)
        ordinary = self.fleet.members[name].program
        self.fleet.members[name].program = [*self.fleet.relay.prefix(name), sys.executable, "-c", program]
        self.fleet.start(name)
        self.fleet.members[name].program = ordinary
        return name

    def clock(self) -> float:
        name = self.altered(FALSE_CLOCK.format(offset=self.chance.choice((-86400, -3600, 3600, 86400))))
        self.while_it_lasts(*others(name))
        self.fleet.end(name)
        return self.started(name)

    def proposals(self) -> float:
        name = self.altered(FALSE_PROPOSALS)
        told = f'salus_validator_faults_total{{member="{name}",fault="proposal"}}'
        for honest in others(name):
            until(
                lambda at=honest: self.fleet.progress(*others(name)) and told in self.fleet.metrics(at), "it is named"
            )
            assert any(one["event"] == "validator.proposal" and one["peer"] == name for one in self.fleet.log(honest))
        self.fleet.end(name)
        return self.started(name)

    def lies(self) -> float:
        grant = self.sharing.granted()
        for self.lying.mode in LIES:
            failures = self.sharing.pull(grant).failures
            assert [one.custodian for one in failures] == [LIAR]
            assert f'salus_peer_faults_total{{member="{LIAR}",code="{failures[0].code}"}}' in self.fleet.metrics(READER)
        self.lying.mode = ""
        assert self.sharing.pull(grant).failures == ()
        return self.fleet.progress()

    def revoked(self) -> float:
        grant = self.sharing.granted()
        until(lambda: self.sharing.pull(grant).failures == (), "it is pulled")
        self.fleet.relay.cut(LIAR)
        height = self.sharing.revoked(grant)
        with pytest.raises(EdgeError):
            self.sharing.asked_again()
        self.fleet.relay.heal()
        took = self.fleet.progress()
        assert min(self.fleet.heights().values()) >= height
        with pytest.raises(EdgeError, match=r"pull\.ended"):
            self.sharing.asked_again()
        return took

    def full(self) -> float:
        filler = Path(self.fleet.config(FULL).data) / "filler"
        with pytest.raises(OSError, match="No space"):
            _filled(filler)
        self.while_it_lasts(*others(FULL))
        time.sleep(10)
        filler.unlink()
        if self.fleet.status(FULL).stopped:
            self.fleet.end(FULL)
            self.fleet.start(FULL)
        return self.fleet.progress()


def _filled(file: Path) -> None:
    """Write until there is no room. Raises OSError."""
    with file.open("wb", buffering=0) as out:
        while True:
            out.write(bytes(1 << 12))


@pytest.fixture
def ground() -> Iterator[Ground]:
    made: Namespaces | Relay = Namespaces(NAMES, SEED) if possible() else Relay(SEED)
    with closing(made):
        yield made


@pytest.mark.soak
def test_a_quarter_of_an_hour_of_faults(tmp_path: Path, ground: Namespaces | Relay) -> None:
    cometbft()
    spaces = isinstance(ground, Namespaces)
    here = ground.host(OBSERVER) if isinstance(ground, Namespaces) else "127.0.0.1"
    tls = certificate(tmp_path, "127.0.0.1", here, *(ground.host(name) for name in NAMES))
    with ExitStack() as ends:
        lying = ends.enter_context(closing(Lying(tls, here)))
        fleet = Fleet(tmp_path, ground, {LIAR: lying.url})
        disk = spaces and mounted(fleet.members[FULL].home / "data", ends)
        ends.enter_context(fleet)
        lying.target = fleet.urls[LIAR]
        sharing = ends.enter_context(closing(Sharing(fleet, lying)))
        long, began = Long(fleet, sharing, lying, disk=disk), time.monotonic()
        faults = long.faults()
        took: dict[str, list[float]] = {name: [] for name in faults}
        with fleet.load(*NAMES):
            while time.monotonic() - began < SECONDS or not all(took.values()):
                rarest = min(len(took[name]) for name in faults)
                name = long.chance.choice([one for one in faults if len(took[one]) == rarest])
                took[name].append(faults[name]())
        seconds = time.monotonic() - began
        for name in NAMES:
            fleet.end(name)
        found = fleet.audit()
        refused = dict(sorted(fleet.acknowledged.refused.items()))
    PAGE.write_text(page(ground.kind, seconds, took, found | {"deferred": max(long.deferred)}, refused))


def mounted(folder: Path, ends: ExitStack) -> bool:
    """Make a folder a small file system of its own; say whether that could be done."""
    folder.mkdir(mode=0o700)
    options = ["-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700", "tmpfs", str(folder)]
    try:
        subprocess.run(["mount", *options], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    ends.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)
    return True


def page(
    kind: str, seconds: float, took: dict[str, list[float]], found: dict[str, float], refused: dict[str, int]
) -> str:
    """Return the page of a run in which everything held; one that did not hold writes none."""
    rows = "\n".join(
        f"| {name} | {len(times)} | {statistics.median(times):.1f} s | {max(times):.1f} s |"
        for name, times in sorted(took.items())
    )
    over = sum(one > 10 for times in took.values() for one in times)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"""# Reliability

Written by the long run of faults (`make soak`, `tests/faults/test_long.py`) when everything held. Four members, each with
its node, its CometBFT {VERSION} and its folder, all on one machine; every member sends all the time.

| run | |
|---|---|
| date | {datetime.now(UTC):%Y-%m-%d} |
| machine | {machine} |
| network | {kind} |
| seed | {SEED} |
| duration | {seconds / 60:.0f} min |
| faults | {sum(map(len, took.values()))} |

## What was done, and how soon every member committed again

The time runs from the end of the fault (healed, gone on, room made) until each of the four has committed a transaction of
its own and all four have all of them. Where nodes were started anew it runs from the moment that they answer: their
starts are not part of it. For the kill of an engine it runs from the kill.
{over} of {sum(map(len, took.values()))} took more than 10 s.

| fault | times | median | worst |
|---|---|---|---|
{rows}

## What held

- One digest at each of {found["heights"]:,} heights, at every member that has come so far.
- {found["acknowledged"]:,} transactions were acknowledged: each stands at the height that was told, at every
  member that has come so far. {found["transactions"]:,} stand on the ledger, none twice.
- {found["refused"]:,} were not acknowledged ({", ".join(f"`{code}` {count}" for code, count in refused.items())}): of these
  nobody promised anything.
- Whoever proposed what is refused was named in the log and the metrics of each of the three others, and whoever answered a
  pull with what does not hold in the metrics of the member that asked, the reader.
- What was read while nobody could commit stood on the ledger {found["deferred"]:.1f} s after the healing at worst (60 s are owed).
- A grant revoked while a custodian was cut off opened nothing at it: not during the cut, and not after.

{section(JOINING)}{"".join(map(section, PLANTED.values()))}## What is not tested

{UNTESTED}"""
