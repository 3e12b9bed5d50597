"""A record filed under the wrong patient: moved, ended, said to both; nobody who pulled it goes on showing it."""

import pytest

from salus.index.source import VaultSource
from salus.node.errors import EdgeError
from salus.node.exchange import grantee
from salus.node.exchange.documents import seal_and_deliver
from salus.node.exchange.withdrawal import WITHDRAWAL_KIND, Withdrawal
from salus.node.records import refiling
from salus.node.records.refiling import Refile, refile
from salus.node.usecase import Caller, Kind
from salus.vault.drill import drill
from salus.vault.errors import Erased, UnknownRecord
from salus.vault.journal import Side
from salus.vault.sealing import Content
from tests.attacks.scene import patient, scene, taken_in, vitals

OFFICER = Caller(Kind.PERSON, subject="officer-1", role="privacy-officer", purposes=("HOPERAT",))


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    found = scene(tmp_path_factory.mktemp("town"))
    yield found
    found.together.close()


def opened(node, ref):
    return node.vault.open(ref.number).content.body


def numbers(node, link, type_="Observation"):
    return [ref.number for ref in node.vault.of_link(link) if ref.type == type_]


def test_a_misfiled_record_moves_and_both_logs_say_so(town):
    node, wrong = town.north, town.links["north"]
    right = taken_in(node, "right", [patient("p-right")])
    grant = town.grant("north")
    assert grantee.fetch(town.clinic, grant, "TREAT").records == 3
    first = numbers(node, wrong)[0]

    told = refile(node, Refile(number=first, to=right.hex()), caller=OFFICER)

    moved = node.vault.open(told.number)
    assert moved.ref.link == right
    assert b"Patient/p-right" in moved.content.body
    assert b"Patient/p1" not in moved.content.body
    assert node.index.count_by_type([wrong]) == {"Observation": 1, "Patient": 1}
    assert node.index.count_by_type([right]) == {"Observation": 1, "Patient": 1}
    for link, action in ((wrong, "refiled-away"), (right, "refiled-here")):
        (line,) = [one for one in node.vault.lines(Side.CUSTODIAN, link) if one.disclosure.action == action]
        assert (line.disclosure.person, line.disclosure.what) == ("officer-1", ("Observation 1",))
        assert line.anchoring
        assert line.anchoring.tx_id
    assert node.vault.check().damage == ()
    assert town.holder.check_record("north") == 4

    lease = town.clinic.vault.open_lease(grant)
    assert town.clinic.index.count_by_type([lease]) == {"Observation": 1, "Patient": 1}  # told, without another pull
    assert grantee.fetch(town.clinic, grant, "TREAT").records == 1
    assert town.clinic.index.count_by_type([lease]) == {"Observation": 1, "Patient": 1}
    assert town.clinic.vault.check().damage == ()


def test_nobody_opens_the_misfiled_bytes_any_longer(town):
    """Every version moves; under the wrong link, in its wallet and in the leases none of them opens."""
    node, wrong = town.north, town.links["north"]
    right = taken_in(node, "moved", [patient("p-moved")])
    for text in ("Canary-Ninety", "Canary-Hundred"):
        body = vitals("o-mine", "p1").body.replace(b'"final"', b'"final","note":[{"text":"%s"}]' % text.encode())
        taken_in(node, "1", [Content("Observation", "o-mine", body)])
    grant = town.grant("north")
    grantee.fetch(town.clinic, grant, "TREAT")
    before = node.vault.versions(wrong, "Observation", "o-mine")
    lease = town.clinic.vault.open_lease(grant)
    pulled = [ref for ref in town.clinic.vault.of_link(lease) if b"Canary-Hundred" in opened(town.clinic, ref)]
    assert (len(before), len(pulled)) == (2, 1)
    needles = [b"Canary-Ninety", b"Canary-Hundred"]

    told = refile(node, Refile(number=before[-1].number, to=right.hex()), caller=OFFICER)

    assert [b"Canary-Ninety" in opened(node, one) for one in node.vault.versions(right, "Observation", "o-mine")] == [
        True,
        False,
    ]
    for owner, ref in ((node, before[0]), (node, before[1]), (town.clinic, pulled[0])):
        with pytest.raises(Erased, match="withdrawn"):
            owner.vault.open(ref.number)
        owner.index.rebuild(VaultSource(owner.vault, owner.writers.rename))
    assert drill(town.clinic.vault.store, town.clinic.keys.vault, needles).found == ()
    there = drill(node.vault.store, node.keys.vault, needles).found
    assert there == tuple(f"record {one.number}" for one in node.vault.versions(right, "Observation", "o-mine"))
    shown = town.holder.records("north")
    assert not any(needle in one.content.body for one in shown for needle in needles)
    assert {"o2", "p1"} <= {one.content.id for one in shown}  # what is the patient's own goes on being shown
    town.holder.check_record("north")  # the chain that the wallet was shown holds
    assert node.vault.check().damage == ()
    with pytest.raises(Erased, match="withdrawn"):
        refile(node, Refile(number=before[-1].number, to=right.hex()), caller=OFFICER)
    assert node.vault.newest(right, "Observation", "o-mine").number == told.number


def test_a_move_that_a_crash_cut_short_is_finished_by_the_same_command(town, monkeypatch):
    node, wrong = town.north, town.links["north"]
    right = taken_in(node, "cut", [patient("p-cut")])
    taken_in(node, "1", [vitals("o-cut", "p1")])
    (number,) = [ref.number for ref in node.vault.versions(wrong, "Observation", "o-cut")]
    with monkeypatch.context() as cut:
        cut.setattr(refiling, "withdraw", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            refile(node, Refile(number=number, to=right.hex()), caller=OFFICER)
    assert node.vault.open(number)

    told = refile(node, Refile(number=number, to=right.hex()), caller=OFFICER)

    assert [ref.number for ref in node.vault.versions(right, "Observation", "o-cut")] == [told.number]
    with pytest.raises(Erased, match="withdrawn"):
        node.vault.open(number)


def test_a_member_withdraws_nothing_but_its_own(town):
    grant = town.grant("north", "south")
    grantee.fetch(town.clinic, grant, "TREAT")
    lease = town.clinic.vault.open_lease(grant)
    before = town.clinic.index.count_by_type([lease])
    own = next(ref.id for ref in town.north.vault.of_link(town.links["north"]) if ref.type == "Patient")
    for sender, id_, under in (("south", "o-none", grant), ("north", own, bytes(32)), ("south", own + "x", grant)):
        told = Withdrawal(under, "Patient", id_)
        seal_and_deliver(town.together.nodes[sender], "clinic", WITHDRAWAL_KIND, told)
    assert town.clinic.index.count_by_type([lease]) == before
    seal_and_deliver(town.north, "clinic", WITHDRAWAL_KIND, Withdrawal(grant, "Patient", own))
    assert town.clinic.index.count_by_type([lease])["Patient"] == before["Patient"] - 1


def test_what_must_not_move_does_not(town):
    node, wrong = town.north, town.links["north"]
    right = taken_in(node, "else", [patient("p-else"), vitals("o2", "p-else")])
    empty = taken_in(node, "empty", [vitals("o-empty", "nobody")])
    closed = taken_in(node, "closed", [patient("p-closed")])
    node.vault.close_link(closed)
    observation, before = numbers(node, wrong)[1], len(node.vault.since(0, 10_000))

    for number, to, code in (
        (observation, wrong, "refile.record"),
        (numbers(node, wrong, "Patient")[0], right, "refile.record"),
        (observation, right, "refile.there"),
        (observation, empty, "refile.patient"),
        (observation, closed, "refile.link"),
        (observation, node.vault.house_link(), "refile.link"),
    ):
        with pytest.raises(EdgeError, match=code):
            refile(node, Refile(number=number, to=to.hex()), caller=OFFICER)
    with pytest.raises(UnknownRecord):
        refile(node, Refile(number=10**6, to=right.hex()), caller=OFFICER)
    assert len(node.vault.since(0, 10_000)) == before
