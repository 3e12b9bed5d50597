"""Four members under faults, one running consortium for all of them: nothing acknowledged is lost, nothing forks.

`make soak` does the same for a quarter of an hour, in network namespaces where it may make them, and writes
docs/reference/reliability.md.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from salus.node.errors import EdgeError
from salus.node.records.charts import FindPatients, find_patients
from tests.faults.fleet import NAMES, Fleet, until
from tests.faults.relay import Relay
from tests.faults.sharing import LIAR, LIES, READER, Lying, Sharing
from tests.linting import problems
from tests.needs import cometbft
from tests.processes.members import certificate

pytestmark = pytest.mark.unmeasured

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
    # Its own records answer all the same; the disclosure is on the ledger once there is one again.
    assert len(fleet.ask("south", find_patients, FindPatients(identifier="urn:mrn:south|4711")).patients) == 1
    until(lambda: unanchored(fleet, "south") > 0, "the disclosure waits")
    assert max(fleet.heights().values()) <= top + 1  # a block that was decided already
    fleet.relay.heal()
    fleet.progress()
    until(lambda: unanchored(fleet, "south") == 0, "what was read during the halt is on the ledger")
    fleet.relay.weather()


def unanchored(fleet: Fleet, name: str) -> int:
    (line,) = [line for line in fleet.metrics(name).splitlines() if line.startswith("salus_batches_unanchored ")]
    return int(line.split()[1])


def lied_to(fleet: Fleet, sharing: Sharing, lying: Lying) -> None:
    """A custodian whose answers are forged, replayed, stale or withheld: nothing of it is kept, and it is named."""
    first = sharing.granted()
    assert sharing.pull(first).failures == ()
    grant = sharing.granted()
    codes = {}
    for lying.mode in LIES:
        told = sharing.pull(grant)
        (failure,) = told.failures
        assert failure.custodian == LIAR
        codes[lying.mode] = failure.code
    lying.mode = ""
    assert sharing.pull(grant).custodians == (LIAR,) or sharing.pull(grant).failures == ()
    named = {line["code"] for line in fleet.log(READER) if line["event"] == "peer.fault" and line["peer"] == LIAR}
    assert set(codes.values()) <= named
    measured = fleet.metrics(READER)
    assert all(family.documentation for family in text_string_to_metric_families(measured))
    assert problems(fleet.metrics(READER, "text/plain")) == (0, "")
    assert all(f'salus_peer_faults_total{{member="{LIAR}",code="{code}"}}' in measured for code in codes.values())


def revoked_while_cut_off(fleet: Fleet, sharing: Sharing) -> None:
    """A grant is revoked while a custodian is cut off, who has not heard of it: it cannot serve, then or later."""
    grant = sharing.granted()
    assert sharing.pull(grant).failures == ()
    fleet.relay.cut(LIAR)
    height = sharing.revoked(grant)
    with pytest.raises(EdgeError, match=r"ledger|exchange"):  # who cannot commit cannot serve
        sharing.asked_again()
    fleet.relay.heal()
    until(lambda: min(fleet.heights().values()) >= height, "everybody has the revocation")
    with pytest.raises(EdgeError, match=r"pull\.ended"):
        sharing.asked_again()
    until(lambda: sharing.standing()[grant] == "ended", "the reader's copy is purged")


@pytest.fixture
def lying(tmp_path: Path) -> Iterator[Lying]:
    with closing(Lying(certificate(tmp_path))) as one:
        yield one


def test_faults_of_every_kind_lose_nothing_and_fork_nothing(tmp_path: Path, lying: Lying) -> None:
    cometbft()
    with closing(Relay(SEED)) as relay, Fleet(tmp_path, relay, {LIAR: lying.url}) as fleet:
        lying.target = fleet.urls[LIAR]
        with closing(Sharing(fleet, lying)) as sharing, fleet.load(*NAMES):
            lied_to(fleet, sharing, lying)
            killed(fleet)
            stopped(fleet)
            revoked_while_cut_off(fleet, sharing)
            cut_off(fleet)
        for name in NAMES:
            fleet.end(name)
        found = fleet.audit()
    assert found["heights"] > 20
    assert found["acknowledged"] > 20
