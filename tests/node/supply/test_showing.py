"""A captured event shown in part: what it proves, what it hides, and that a stop in the middle of anchoring loses nothing."""

import json

import pytest

from salus.contracts.membership.port import Role
from salus.core.proof.cli import main as verify
from salus.node.errors import NotFound, Unavailable
from salus.node.network.directory import AskTrust, trust_file
from salus.node.supply import repository, showing
from salus.node.supply.showing import ShowEvent, anchor_events, show_event
from salus.node.together import Clock, Founder, found_together
from tests.interop.epcis.documents import commissioning, document, packing, shipping

SENT = "urn:uuid:00000000-0000-4000-8000-000000000007"
LATER = "urn:uuid:00000000-0000-4000-8000-0000000000ff"
FIELDS = ("bizStep", "eventTime")


def started(folder):
    together = found_together(
        folder,
        (Founder("north", "North", (Role.DISTRIBUTOR,)), Founder("south", "South", (Role.DISTRIBUTOR,))),
        clock=Clock(lambda: 1_772_400_000_000),
    )
    repository.capture(
        together.nodes["north"], document(commissioning(3), packing(3), shipping(eventID=SENT)), proceed=False
    )
    return together


@pytest.fixture
def node(tmp_path):
    together = started(tmp_path)
    yield together.nodes["north"]
    together.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Return a node, and an event that it shows in part."""
    together = started(tmp_path_factory.mktemp("kept"))
    node = together.nodes["north"]
    yield node, show_event(node, ShowEvent(event=SENT, fields=FIELDS))
    together.close()


@pytest.fixture
def told(tmp_path, capsys):
    """Return what `salus verify` says of an event shown in part, under the trust file of a node."""

    def told(node, shown):
        (tmp_path / "trust.json").write_text(trust_file(node, AskTrust()).trust)
        (tmp_path / "shown.json").write_text(shown)
        code = verify([str(tmp_path / "shown.json"), "--trust", str(tmp_path / "trust.json"), "--json"])
        return code, json.loads(capsys.readouterr().out)["files"][0]

    return told


def test_what_is_shown_is_proven_and_the_rest_is_not_there(kept, told):
    node, answer = kept
    code, verdict = told(node, answer.shown)
    assert (code, verdict["kind"], verdict["submitter"]) == (0, "event shown in part", "north")
    assert {name: verdict[f"field {name}"] for name in FIELDS} == {
        "bizStep": '"shipping"',
        "eventTime": "1772359200000",
    }
    assert verdict["withheld"] == answer.withheld == len(json.loads(answer.shown)["fields"]) - 2
    for hidden in ("epcList", "sourceList", "bizTransaction", "0614141", SENT):
        assert hidden not in answer.shown


@pytest.mark.parametrize(
    "change",
    [
        lambda event: event["fields"].pop(0),
        lambda event: event["fields"].reverse(),
        lambda event: next(one for one in event["fields"] if "value" in one).update(value="receiving"),
        lambda event: next(one for one in event["fields"] if "value" in one).update(salt="00" * 32),
        lambda event: next(one for one in event["fields"] if "leaf" in one).update(name="x", value="y", salt="00" * 32),
        lambda event: next(one for one in event["fields"] if "value" in one).update(name="\x1b[2J"),
        lambda event: event.update(index=0),
        lambda event: event.update(path=""),
        lambda event: event.update(path="0"),
        lambda event: event.update(receipt=event["receipt"][:-2]),
        lambda event: event.update(fields=[]),
        lambda event: event.update(more=1),
    ],
)
def test_no_change_of_it_holds(kept, told, change):
    event = json.loads(kept[1].shown)
    change(event)
    assert told(kept[0], json.dumps(event))[0] == 1


def test_only_what_there_is_can_be_shown(kept):
    node = kept[0]
    with pytest.raises(NotFound) as unknown:
        show_event(node, ShowEvent(event="urn:uuid:none", fields=FIELDS))
    assert unknown.value.code == "supply.no-event"
    with pytest.raises(NotFound) as field:
        show_event(node, ShowEvent(event=SENT, fields=("bizStep", "price")))
    assert (field.value.code, field.value.got) == ("supply.no-field", "price")


def test_each_event_is_anchored_once_and_a_stop_on_the_way_is_made_good(node, told, monkeypatch):
    class Away:
        def submit(self, message):
            raise Unavailable("ledger.away", "the ledger is away")

    before = node.submitter
    monkeypatch.setattr(node, "submitter", Away())
    with pytest.raises(Unavailable):
        anchor_events(node)
    (late,) = repository.rows_named(node, SENT)
    assert repository.capture(node, document(shipping(eventID=LATER)), proceed=False).success
    monkeypatch.setattr(node, "submitter", before)
    anchor_events(node)
    height = node.ledger.head().height
    anchor_events(node)
    assert node.ledger.head().height == height
    batches = [showing.decode(body, showing.EventBatch) for _, body in node.desk.epcis_after(showing.BATCH, "", 10)]
    assert [batch.numbers for batch in batches] == [(1, 2, 3), (4,)]
    assert late.number == 3
    for name in (SENT, LATER):
        assert told(node, show_event(node, ShowEvent(event=name, fields=("bizStep",))).shown)[0] == 0
