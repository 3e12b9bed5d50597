"""A record filed under the wrong patient: moved, ended, said to both; nobody who pulled it goes on showing it."""

import pytest

from salus.node.errors import EdgeError
from salus.node.exchange import grantee
from salus.node.records.refiling import Refile, refile
from salus.node.usecase import Caller, Kind
from salus.vault.errors import UnknownRecord
from salus.vault.journal import Side
from tests.attacks.scene import patient, scene, taken_in, vitals

OFFICER = Caller(Kind.PERSON, subject="officer-1", role="privacy-officer", purposes=("HOPERAT",))


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    found = scene(tmp_path_factory.mktemp("town"))
    yield found
    found.together.close()


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

    grantee.fetch(town.clinic, grant, "TREAT")
    lease = town.clinic.vault.open_lease(grant)
    assert town.clinic.index.count_by_type([lease]) == {"Observation": 1, "Patient": 1}


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
