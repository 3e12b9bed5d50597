"""Rounds of a model opened to an auditor: honest custodians hold, and whoever sent or opens something else is named."""

import json

import msgspec
import numpy as np
import pytest

from salus.agreements.research import masks
from salus.node.errors import Conflict
from salus.node.exchange.wire import RemoteRefusal
from salus.node.research import open_rounds, publish_result, run_model
from salus.node.research.bundle import PublishResult
from salus.node.research.judging import Judge
from salus.node.research.relaying import Round, RunModel
from salus.node.research.relaying import Rounds as Shown
from salus.node.research.rounds import Signed, unmasked_commitment
from salus.node.research.unmasking import PATH, OpenRounds, Site, Unmask, Unmasked

from .hospitals import LOGISTIC, answer, ask, fill, found, level, offer, permit

HOSPITALS = ("north", "south", "east")
PERSONS = 40


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A published model of three hospitals: network, query, data sets and the bundle's file."""
    folder = tmp_path_factory.mktemp("opened")
    together = found(folder, *HOSPITALS, others=("body", "company"))
    for name in HOSPITALS:
        fill(together.nodes[name], PERSONS)
    data_sets = {name: offer(together, name, smallest=3) for name in HOSPITALS}
    granted = permit(together, data_sets)
    query = ask(together, granted, LOGISTIC, tuple(data_sets.values()))
    answer(together, query, *HOSPITALS)
    run_model(together.nodes["university"], RunModel(query=query))
    question = Unmask(
        bytes.fromhex(query), bytes.fromhex(data_sets["north"]), 1, 0, together.owner.ledger.head().height
    )
    with pytest.raises(RemoteRefusal, match=r"research\.unopened"):
        together.nodes["body"].peers.ask("north", PATH, question, Unmasked)
    file = folder / "model.bundle"
    publish_result(together.nodes["university"], PublishResult(query=query, file=str(file)))
    level(together)
    yield together, question, file.read_bytes()
    together.close()


def test_honest_custodians_open_sums_that_add_up_to_the_published_ones(published, tmp_path):
    together, _, bundle = published
    file = tmp_path / "sums.ndjson"
    told = open_rounds(together.nodes["body"], OpenRounds(bundle=bundle, output=str(file)))
    assert (told.sound, told.faults) == (True, ())
    assert {*told.custodians} == {*HOSPITALS}
    assert told.vectors == 3 * told.turns
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    first = [line for line in lines if line["turn"] == 0]
    assert [line["likelihood"] for line in first] == pytest.approx([PERSONS * np.log(0.5)] * 3)
    last = np.sum([line["gradient"] for line in lines if line["turn"] == told.turns - 1], axis=0)
    assert last == pytest.approx(np.zeros(len(last)), abs=1e-6)
    with pytest.raises(Conflict, match=r"research\.file"):
        open_rounds(together.nodes["body"], OpenRounds(bundle=bundle, output=str(file)))


def test_nobody_else_has_a_vector_opened_and_no_other_bundle_is_taken(published):
    together, question, bundle = published
    for stranger in ("university", "company", "south"):
        with pytest.raises(RemoteRefusal, match=r"research\.auditor"):
            together.nodes[stranger].peers.ask("north", PATH, question, Unmasked)
    told = open_rounds(together.nodes["company"], OpenRounds(bundle=bundle))
    assert (told.sound, told.vectors) == (False, 0)
    assert told.faults[0].endswith("opens nothing: research.auditor")
    for wrong in ({"attempt": 2}, {"turn": 99}, {"turn": -1}):
        with pytest.raises(RemoteRefusal, match=r"research\.unopened"):
            together.nodes["body"].peers.ask("north", PATH, msgspec.structs.replace(question, **wrong), Unmasked)
    with pytest.raises(Conflict, match=r"research\.bundle"):
        open_rounds(together.nodes["body"], OpenRounds(bundle=bundle[:-1] + bytes((bundle[-1] ^ 1,))))


QUERY = bytes(16)
SITES = tuple(Site(bytes((number,)) * 16, name) for number, name in enumerate(HOSPITALS, 1))
SEEDS = {(a, b): bytes((a + b,)) * 32 for a in (1, 2, 3) for b in (1, 2, 3) if a != b}
GOOD = (1.0, 2.0, -3.0)  # gradient, information, likelihood of a model of one term


def openings(vectors, seeds=SEEDS):
    """Return one turn as it was sent, and what each custodian opens."""
    sent, told = [], []
    for number, (site, vector) in enumerate(zip(SITES, vectors, strict=True), 1):
        plain = masks.fixed(np.array(vector))
        own = {SITES[peer - 1].data_set: seed for (me, peer), seed in seeds.items() if me == number}
        known = {peer.hex(): seed for peer, seed in own.items()}
        ring = masks.masked(site.data_set.hex(), known, plain, query=QUERY, attempt=1, turn=0)
        body, salt = plain.astype("<u8").tobytes(), bytes((number,)) * 32
        sent.append(Signed(site.data_set, ring.astype("<u8").tobytes(), unmasked_commitment(salt, body), b""))
        told.append(Unmasked(body, salt, tuple(own.items())))
    return sent, told


def judged(sent, told):
    judge = Judge(QUERY, Shown(1, tuple(one.data_set for one in SITES), (Round(tuple(sent)),)), SITES, 1)
    for place, one in enumerate(told):
        judge.hear(place, 0, one)
    judge.end()
    return judge.faults, judge.held


def test_whoever_sent_or_opens_something_else_is_named():
    sent, told = openings([GOOD] * 3)
    assert judged(sent, told) == ([], 3)
    other = np.frombuffer(sent[1].vector, dtype="<u8") + np.uint64(1)
    altered = msgspec.structs.replace(sent[1], vector=other.astype("<u8").tobytes())
    assert judged([sent[0], altered, sent[2]], told)[0] == [
        "south, turn 0: the vector that was sent is not the committed one under its masks"
    ]
    for lie, fault in (
        ({"vector": told[0].vector}, ""),
        ({"vector": bytes(24)}, "what was opened is not what was committed"),
        ({"salt": bytes(32)}, "what was opened is not what was committed"),
        ({"seeds": told[1].seeds[:1]}, "the seeds are not those of the others"),
        ({"seeds": tuple((peer, b"") for peer, _ in told[1].seeds)}, "the seeds are not those of the others"),
        (
            {"seeds": tuple((peer, bytes(32)) for peer, _ in told[1].seeds)},
            "the vector that was sent is not the committed one under its masks",
        ),
    ):
        faults, held = judged(sent, [told[0], msgspec.structs.replace(told[1], **lie), told[2]])
        assert faults == ([f"south, turn 0: {fault}"] if fault else [])
        assert held == (2 if fault else 3)


def test_sums_that_no_data_have_and_masks_that_do_not_cancel_are_named():
    assert judged(*openings([GOOD, GOOD, (1.0, -2.0, -3.0)]))[0] == ["east, turn 0: no data have such sums"]
    assert judged(*openings([GOOD, (1.0, 2.0), GOOD]))[0] == [
        "south, turn 0: a vector of another length than the model was committed"
    ]
    faults, _ = judged(*openings([GOOD] * 3, SEEDS | {(2, 3): bytes(32)}))
    assert faults == ["east and south: the seeds of their masks differ"]
