"""The main story: records of two hospitals, a patient who decides, a clinic that reads, and what each can prove."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from salus.agreements.grants import Document, present
from salus.contracts.membership.port import Role
from salus.node.anchoring import anchor
from salus.node.errors import EdgeError, Forbidden
from salus.node.exchange import grantee
from salus.node.exchange.pull import PATH, Pull, Pulled
from salus.node.records.intake import Intake
from salus.node.together import Clock, Founder, Together, found_together
from salus.node.wallet.holder import Holder
from salus.vault.errors import SealBroken
from salus.vault.wallet import Share

DAY = 24 * 3600 * 1000
PATIENT = '{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn:%s","value":"%s-1"}],"name":[{"family":"Canary","given":["Ada"]}],"birthDate":"1970-05-05"}'
VITALS = '{"resourceType":"Observation","id":"o%d","status":"final","subject":{"reference":"Patient/p1"},"effectiveDateTime":"2026-0%d-02","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"valueQuantity":{"value":7%d.50,"unit":"/min"}}'


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    founders = (
        Founder("north", "North Hospital", (Role.PROVIDER,)),
        Founder("south", "South Hospital", (Role.PROVIDER,)),
        Founder("clinic", "Lake Clinic", (Role.PROVIDER,)),
    )
    found = found_together(tmp_path, founders, clock=Clock())
    yield found
    found.close()


def taken_in(together: Together, member: str, folder: Path, count: int) -> bytes:
    """Put a patient with `count` observations into a member's vault; return the link."""
    node = together.nodes[member]
    file = folder / f"{member}.ndjson"
    lines = [PATIENT % (member, member)] + [VITALS % (n, n, n) for n in range(1, count + 1)]
    file.write_text("\n".join(lines))
    report = Intake(node, f"urn:source:{member}").run([file])
    assert (report.stored, sum(report.refused.values())) == (count + 1, 0)
    link = node.vault.find_link(f"urn:mrn:{member}", f"{member}-1")
    assert link is not None
    return link


def enrolled(together: Together, links: dict[str, bytes]) -> Holder:
    holder = together.holder()
    for member, link in links.items():
        holder.join(member, together.nodes[member].vault.invite(link))
    return holder


def document(together: Together, **changes: object) -> Document:
    now = together.clock()
    told = {
        "format": 1,
        "network": together.owner.network,
        "grantee": "clinic",
        "roles": (),
        "purposes": ("TREAT",),
        "not_before": now,
        "expiry": now + 30 * DAY,
        "obligations": (),
    }
    return Document(**{**told, **changes})  # type: ignore[arg-type]


EVERYTHING = ("general", "medication", "laboratory", "imaging")


def shared(together: Together, tmp_path: Path) -> tuple[Holder, bytes]:
    links = {"north": taken_in(together, "north", tmp_path, 3), "south": taken_in(together, "south", tmp_path, 2)}
    holder = enrolled(together, links)
    shares = [Share("north", EVERYTHING), Share("south", EVERYTHING)]
    return holder, holder.grant(document(together), shares, through="north")


def test_a_patient_shares_what_two_hospitals_hold_and_sees_who_read(together: Together, tmp_path: Path) -> None:
    holder, grant = shared(together, tmp_path)
    clinic = together.nodes["clinic"]

    heard: list[int] = []
    fetched = grantee.fetch(clinic, grant, "TREAT", told=heard.append)

    assert heard[-1] == 7
    assert heard == sorted(heard)
    assert (fetched.records, fetched.custodians, fetched.failures) == (7, ("north", "south"), ())
    anchor(clinic)
    log = holder.access_log().lines
    assert [(one.told_by, one.side, one.disclosure.member) for one in log] == [
        ("north", "custodian", "clinic"),
        ("clinic", "grantee", "north"),
        ("south", "custodian", "clinic"),
        ("clinic", "grantee", "south"),
    ]
    assert all(one.proven for one in log)
    lease = clinic.vault.open_lease(grant)
    assert clinic.index.count_by_type([lease]) == {"Observation": 5, "Patient": 2}


def test_what_the_patient_stops_is_refused_everywhere_and_purged(together: Together, tmp_path: Path) -> None:
    holder, grant = shared(together, tmp_path)
    clinic = together.nodes["clinic"]
    grantee.fetch(clinic, grant, "TREAT")

    holder.stop(grant, through="south")

    together.settle()
    with pytest.raises(Forbidden, match=r"lease\.ended"):
        grantee.fetch(clinic, grant, "TREAT")
    assert grantee.confirm_and_purge(clinic) == 1
    assert clinic.index.count_by_type([clinic.vault.open_lease(grant)]) == {}


def test_nothing_is_served_for_another_purpose_role_or_class(together: Together, tmp_path: Path) -> None:
    links = {"north": taken_in(together, "north", tmp_path, 3)}
    holder = enrolled(together, links)
    clinic = together.nodes["clinic"]
    narrow = holder.grant(document(together, roles=("physician",)), [Share("north", EVERYTHING)], through="north")
    dated = holder.grant(
        document(together),
        [Share("north", EVERYTHING, filters=("Observation",), since=1_769_990_400_000)],
        through="north",
    )

    assert grantee.fetch(clinic, narrow, "TREAT").failures == (("north", "pull.roles"),)
    assert grantee.fetch(clinic, dated, "HPAYMT").failures == (("north", "pull.purposes"),)
    assert grantee.fetch(clinic, dated, "TREAT").records == 2


def test_the_wallet_finds_what_is_rolled_back(together: Together, tmp_path: Path) -> None:
    links = {"north": taken_in(together, "north", tmp_path, 3)}
    holder = enrolled(together, links)

    assert holder.check_record("north") == 4
    assert holder.check_record("north") == 0
    together.nodes["north"].vault.store.db.execute("DELETE FROM record WHERE sequence = 4")
    with pytest.raises(SealBroken):
        holder.check_record("north")


def test_a_wallet_comes_back_from_any_member(together: Together, tmp_path: Path) -> None:
    holder, grant = shared(together, tmp_path)
    assert holder.keep() == {"north": True, "south": True}

    fresh = together.holder()
    fresh.wallet._root = holder.wallet._root
    fresh.bring_back("south")

    assert [one.id for one in fresh.permissions()] == [grant]
    fresh.stop(grant, through="south")


def test_a_stranger_learns_nothing_from_a_refusal(together: Together, tmp_path: Path) -> None:
    _, grant = shared(together, tmp_path)
    clinic, south = together.nodes["clinic"], together.nodes["south"]
    _, held, _ = grantee.held_grant(clinic, grant)
    south.desk.hold(grant, b"", 0)
    pull = Pull(1, bytes(16), present(held, "north"), "TREAT", "", b"", 0)
    with pytest.raises(EdgeError, match=r"pull\.refused"):
        south.peers.ask("north", PATH, pull, Pulled)
