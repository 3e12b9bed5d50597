"""Documents about patients that are sent without their disclosure on the ledger, or under another's: none is taken."""

import pytest
from msgspec import structs

from salus.core.encoding import Value
from salus.node.anchoring import anchor
from salus.node.errors import Unavailable
from salus.node.exchange import documents
from salus.node.exchange.delivery import PATH, Delivery, Disclosing, Taken, take
from salus.node.exchange.documents import Telling, disclose, open_document, owed, seal_and_deliver, seal_document
from salus.node.exchange.wire import RemoteRefusal
from salus.vault.journal import NO_ANSWER, Disclosure, Side
from tests.attacks.scene import SECRET, scene

CODE = "note.envelope"


class Note(Value, frozen=True):
    patients: tuple[str, ...]


class Street:
    """The scene, with a clinic that takes notes about patients, and a wire that keeps what crosses it."""

    def __init__(self, folder):
        self.town, self.took, self.crossed = scene(folder), [], []
        clinic = self.town.clinic

        def note(node, sender, envelope):
            self.took.append(open_document(node, sender, "note", envelope, Note, code=CODE).patients)

        takers = {"note": Disclosing(note, owed("note", Note, lambda told: len(told.patients), code=CODE))}
        clinic.handlers[PATH] = lambda sender, body: take(clinic, takers, sender, body)
        asked = self.town.north.peers.ask

        def ask(member, path, question, type_):
            self.crossed.append(question)
            return asked(member, path, question, type_)

        self.town.north.peers.ask = ask

    def lines(self, count):
        link = self.town.links["north"]
        return [Disclosure(Side.CUSTODIAN, link, "clinic", "", "", "HPAYMT", "note", ("Note 1",)) for _ in range(count)]

    def told(self):
        return [one for one in self.crossed if isinstance(one, Delivery)]

    def journal(self):
        found = self.town.north.vault.lines(Side.CUSTODIAN, self.town.links["north"])
        return [(one.disclosure.action, one.disclosure.what) for one in found]

    def sends(self, delivery, by="north"):
        return self.town.together.nodes[by].peers.ask("clinic", PATH, delivery, Taken)


@pytest.fixture
def street(tmp_path):
    found = Street(tmp_path)
    yield found
    found.town.together.close()


def test_what_is_disclosed_is_taken_and_every_patient_s_line_opens_to_it(street):
    disclose(street.town.north, Telling("clinic", "note", Note((SECRET, "b")), street.lines(2)))
    assert street.took == [(SECRET, "b")]
    assert street.journal() == [("note", ("Note 1",))] * 2
    (delivery,) = street.told()
    assert len(delivery.lines) == 2
    assert SECRET.encode() not in delivery.body


def test_nothing_is_taken_without_a_line_of_its_own_for_each_patient(street):
    north = street.town.north
    disclose(north, Telling("clinic", "note", Note(("a",)), street.lines(1)))
    (good,) = street.told()
    street.took.clear()
    fresh = structs.replace(good, id=bytes(16))
    two = seal_document(north, "clinic", "note", Note(("a", "b")))
    for forged, code in (
        (structs.replace(fresh, lines=()), "delivery.undisclosed"),
        (fresh, "delivery.disclosure"),  # the same document again: its line opens to the first
        (structs.replace(fresh, body=two), "delivery.undisclosed"),
        (structs.replace(fresh, body=two, lines=good.lines * 2), "delivery.undisclosed"),
        (structs.replace(fresh, body=seal_document(north, "clinic", "note", Note(("z",)))), "delivery.disclosure"),
        (structs.replace(fresh, body=b"junk"), CODE),
    ):
        with pytest.raises(RemoteRefusal, match=code.replace(".", r"\.")):
            street.sends(forged)
    seal_and_deliver(north, "clinic", "note", Note(("a",)))
    assert street.took == []
    assert {code for _, code in north.desk.waiting()} == {"delivery.undisclosed"}


def test_a_line_that_the_ledger_does_not_hold_or_another_member_anchored_is_none(street):
    north, south = street.town.north, street.town.south
    disclose(south, Telling("clinic", "note", Note(()), []))
    theirs = anchor_of(south, street.town.links["south"])
    disclose(north, Telling("clinic", "note", Note(("a",)), street.lines(1)))
    good = street.told()[-1]
    street.took.clear()
    (line,) = good.lines
    for wrong in (
        structs.replace(line, tx_id=bytes(32)),
        structs.replace(line, tx_id=theirs),
        structs.replace(line, tag=bytes(32)),
        structs.replace(line, index=line.size),
        structs.replace(line, path=(*line.path, bytes(32))),
    ):
        with pytest.raises(RemoteRefusal, match=r"delivery\.disclosure"):
            street.sends(structs.replace(good, id=bytes(16), lines=(wrong,)))
    with pytest.raises(RemoteRefusal, match=r"ledger\.ahead"):
        street.sends(structs.replace(good, id=bytes(16), lines=(structs.replace(line, height=1 << 40),)))
    assert street.took == []


def anchor_of(node, link):
    """Return the transaction of a batch that a member has anchored itself."""
    node.vault.journal([Disclosure(Side.CUSTODIAN, link, "clinic", "", "", "TREAT", "read", ("Note 1",))])
    return anchor(node).tx_id


def test_who_cannot_commit_sends_nothing_and_says_so(street, monkeypatch):
    north = street.town.north

    def away(*_):
        raise Unavailable("ledger.timeout", "the ledger did not answer")

    with monkeypatch.context() as cut:
        cut.setattr(north.submitter, "submit", away)
        with pytest.raises(Unavailable, match=r"ledger\.timeout"):
            disclose(north, Telling("clinic", "note", Note((SECRET,)), street.lines(2)))
    with monkeypatch.context() as cut:
        cut.setattr(documents, "commit", lambda *_: None)  # as if it had not waited for the ledger
        with pytest.raises(Unavailable, match=r"delivery\.uncommitted"):
            disclose(north, Telling("clinic", "note", Note((SECRET,)), street.lines(1)))
    assert (street.told(), street.took, north.desk.waiting()) == ([], [], [])
    assert street.journal() == [
        *[("note", ("Note 1",))] * 2,
        ("not-served", ("line 1",)),
        ("not-served", ("line 2",)),
        ("note", ("Note 1",)),
        ("not-served", ("line 5",)),
    ]
    last = north.vault.lines(Side.CUSTODIAN, street.town.links["north"])[-1]
    assert last.disclosure.answer == NO_ANSWER
