"""Sealed documents that wait: they arrive once, signed with the key that the receiver believes."""

import pytest

from salus.core.encoding import Value
from salus.node.errors import Malformed
from salus.node.exchange.delivery import PATH, deliver, deliver_due, failing, take
from salus.node.exchange.documents import open_document, seal_document
from tests.attacks.scene import scene
from tests.node.test_following_trust import take_new_keys


class Note(Value, frozen=True):
    text: str


@pytest.fixture
def town(tmp_path):
    """Return the scene, its clinic taking notes, and what it took."""
    found, took = scene(tmp_path), []

    def note(node, sender, envelope):
        took.append((sender, open_document(node, sender, "note", envelope, Note, code="note.envelope").text))

    found.clinic.handlers[PATH] = lambda sender, body: take(found.clinic, {"note": note}, sender, body)
    yield found, took
    found.together.close()


def waiting(town, text, body=None):
    """Let north send the clinic a note while the clinic's node is down."""
    down = town.together.transport.down
    down.add("https://clinic.example")
    deliver(town.north, "clinic", "note", body or seal_document(town.north, "clinic", "note", Note(text)))
    down.clear()
    town.together.clock.advance(10_000)


def known(town):
    """Wait until the clinic's replica knows what north's knows."""
    town.clinic.wait_for(town.north.ledger.head().height)


def test_a_document_that_waits_while_both_rotate_their_keys_twice_arrives_once(town):
    town, took = town
    waiting(town, "before")
    for member in ("north", "clinic", "north", "clinic"):
        take_new_keys(town, member)
    known(town)
    assert (deliver_due(town.north), deliver_due(town.north)) == (1, 0)
    assert took == [("north", "before")]
    waiting(town, "after")
    assert deliver_due(town.north) == 1
    assert took[1:] == [("north", "after")]


def test_what_an_earlier_key_of_the_sender_signed_is_refused(town):
    town, took = town
    old = town.north.signing_key
    take_new_keys(town, "north")
    new, town.north.signing_key = town.north.signing_key, old
    known(town)
    forged = seal_document(town.north, "clinic", "note", Note("forged"))
    town.north.signing_key = new
    with pytest.raises(Malformed, match=r"note\.envelope"):
        open_document(town.clinic, "north", "note", forged, Note, code="note.envelope")
    assert took == []


def test_what_is_no_envelope_or_was_signed_by_none_of_the_own_keys_goes_as_it_is_and_is_refused(town):
    town, took = town
    foreign = seal_document(town.south, "clinic", "note", Note("foreign"))
    take_new_keys(town, "north")
    known(town)
    for body in (b"junk", foreign, foreign.replace(b"south", b"north")):
        waiting(town, "", body)
    assert deliver_due(town.north) == 0
    assert {code for _, code in failing(town.north)} == {"note.envelope"}
    assert took == []
