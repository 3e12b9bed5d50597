"""Models over four custodians' own nodes: masked sums over the exchange, a custodian that dies, the gate, a relay that cheats."""

import numpy as np
import pytest
import statsmodels.api as sm

from salus.contracts.research import port
from salus.core.encoding import decode
from salus.node.errors import Conflict
from salus.node.exchange.wire import RemoteRefusal
from salus.node.research import (
    apply_for_permit,
    decide_permit,
    publish_result,
    replay_bundle,
    review,
    run_model,
    show_result,
    withhold_question,
)
from salus.node.research.answering import ReviewQuestions, WithholdQuestion, frame_of, persons_of
from salus.node.research.asking import ShowResult
from salus.node.research.bundle import PublishResult
from salus.node.research.permits import ApplyForPermit, DecidePermit
from salus.node.research.relaying import RunModel
from salus.node.research.replaying import ReplayBundle
from salus.node.research.rounds import (
    PATH,
    Join,
    Joined,
    Signed,
    Taken,
    Turn,
    answer_commitment,
    signed_bytes,
    unmasked_commitment,
    vector_salt,
)
from salus.node.research.wire import checked, held, query_row

from .hospitals import COX, HOSPITALS, LINEAR, LOGISTIC, TABLE, answer, ask, fill, found, level, offer, permit

PERSONS = 96


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Four custodians with a permit. Tests share them: each asks questions of its own."""
    yield from permitted(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def unasked(tmp_path_factory):
    """As `asked`, for models that need more of a period's leverage than the others leave."""
    yield from permitted(tmp_path_factory.mktemp("more"))


def permitted(folder):
    together = found(folder, *HOSPITALS)
    for name in HOSPITALS:
        fill(together.nodes[name], PERSONS)
    data_sets = {name: offer(together, name, smallest=3) for name in HOSPITALS}
    granted = permit(together, data_sets)
    yield together, granted, data_sets
    together.close()


def frames(together, query, names):
    """Each custodian's own rows: what no other ever sees."""
    told = []
    for name in names:
        node = together.nodes[name]
        row = query_row(node, query)
        (data_set,) = [one for one in row.data_sets if port.data_set(node.ledger.read(), one).custodian == name]
        kept = held(node, query, data_set)
        told.append(frame_of(node, checked(kept.question.document, row), kept, persons_of(node, kept)))
    return told


def run(together, query):
    level(together)
    return run_model(together.nodes["university"], RunModel(query=query))


def pooled(own, constant=True):
    designs = [one.design(one.query.statistic.on, constant=constant)[1] for one in own]
    return np.concatenate(designs)


def close(lines, values, errors):
    assert [one["estimate"] for one in lines] == pytest.approx(list(values), abs=1e-9)
    assert [one["standard_error"] for one in lines] == pytest.approx(list(errors), abs=1e-9)


def test_a_logistic_model_is_the_pooled_one_when_a_hospital_dies_on_the_way(asked, monkeypatch, tmp_path):
    together, granted, data_sets = asked
    believed = together.trust().to_json().encode()
    query = ask(together, granted, LOGISTIC, tuple(data_sets.values()))
    with pytest.raises(Conflict, match=r"research\.waiting"):
        run(together, query)
    assert answer(together, query, *HOSPITALS) == ["begun"] * 4
    send, turns = together.transport.send, []

    def dying(address, request):
        if "west" in address.url and request.target_uri.endswith(PATH):
            turns.append(1)
            if len(turns) > 2:
                together.transport.down.add("https://west.example")
        return send(address, request)

    monkeypatch.setattr(together.transport, "send", dying)
    told = run(together, query)
    together.transport.down.clear()
    assert (told.attempts, {*told.custodians}) == (2, {"east", "north", "south"})
    own = frames(together, bytes.fromhex(query), ("east", "north", "south"))
    fit = sm.Logit(np.concatenate([one.numbers("gout") for one in own]), pooled(own)).fit(disp=0, tol=1e-12)
    close(told.lines, fit.params, fit.bse)
    level(together)
    shown = show_result(together.nodes["university"], ShowResult(query=query))
    file = tmp_path / "model.bundle"
    published = publish_result(together.nodes["university"], PublishResult(query=query, file=str(file)))
    again = replay_bundle(together.nodes["university"], ReplayBundle(bundle=file.read_bytes(), trust=believed))
    assert (again.citation, again.way, again.charge) == (published.citation, "exact", 0)
    assert {*again.custodians} == {"east", "north", "south"}
    close(again.lines, fit.params, fit.bse)
    assert shown.complete
    assert sorted(one.status for one in shown.parts) == ["answered"] * 3 + ["failed"]
    assert "differential privacy" in shown.notes[0]


@pytest.mark.soak
def test_least_squares_is_the_pooled_one(unasked):
    together, granted, data_sets = unasked
    query = ask(together, granted, LINEAR, tuple(data_sets.values()))
    answer(together, query, *HOSPITALS)
    told = run(together, query)
    own = frames(together, bytes.fromhex(query), HOSPITALS)
    fit = sm.OLS(np.concatenate([one.numbers("years") for one in own]), pooled(own)).fit()
    close(told.lines, fit.params, fit.bse)


@pytest.mark.soak  # the demo runs one too
def test_cox_is_the_pooled_one_stratified_by_custodian(unasked):
    together, granted, data_sets = unasked
    query = ask(together, granted, COX, tuple(data_sets.values()))
    answer(together, query, *HOSPITALS)
    told = run(together, query)
    own = frames(together, bytes.fromhex(query), HOSPITALS)
    strata = np.concatenate([np.full(one.count, place) for place, one in enumerate(own)])
    times, events = (np.concatenate([one.numbers(name) for one in own]) for name in ("years", "relapse"))
    fit = sm.PHReg(times, pooled(own, constant=False), status=events, strata=strata, ties="efron").fit(tol=1e-12)
    close(told.lines, fit.params, fit.bse)


def test_the_same_model_over_other_custodians_needs_each_checkers_word(asked):
    together, granted, data_sets = asked
    model = LINEAR | {"statistic": {"kind": "ols", "outcome": "years", "on": ["gender"]}}
    first = ask(together, granted, model, tuple(data_sets.values()))
    again = ask(together, granted, model, tuple(data_sets.values()))
    fewer = tuple(id_ for name, id_ in data_sets.items() if name != "west")
    without = ask(together, granted, model | {"title": "Renamed"}, fewer)
    assert answer(together, first, "north") == ["begun"]
    assert answer(together, again, "north") == ["begun"]
    with pytest.raises(Conflict, match=r"research\.differing.*got east north south"):
        answer(together, without, "north")
    part = port.query_part(
        together.nodes["north"].ledger.read(), bytes.fromhex(without), bytes.fromhex(data_sets["north"])
    )
    assert part.status is port.PartStatus.REGISTERED
    assert answer(together, without, "east") == ["begun"]  # to whom nothing is known of the first
    assert answer(together, without, "north", differing=True) == ["begun"]


def test_who_withholds_after_others_have_joined_is_left_out(asked):
    """The analyst's process died between joining and the first turn."""
    together, granted, data_sets = asked
    query = ask(together, granted, LOGISTIC, tuple(data_sets.values()))
    answer(together, query, *HOSPITALS, differing=True)
    university = together.nodes["university"]
    height, east = university.ledger.head().height, bytes.fromhex(data_sets["east"])
    joined = university.peers.ask("east", PATH, Join(bytes.fromhex(query), east, 1, height), Joined)
    assert len(joined.peers) == 4
    withhold_question(together.nodes["west"], WithholdQuestion(query=query))
    told = run(together, query)
    assert (told.attempts, {*told.custodians}) == (2, {"east", "north", "south"})
    assert run(together, query).lines == told.lines  # led again: every custodian repeats what it sent


def test_a_model_that_rests_on_few_is_withheld_and_the_reason_stays_with_the_checker(asked):
    together, granted, data_sets = asked
    one_person = TABLE | {
        "columns": [
            *TABLE["columns"],
            {
                "kind": "reduce",
                "name": "only",
                "view": "persons",
                "by": "exists",
                "where": [{"column": "id", "codes": ["p7"]}],
                "levels": ["0", "1"],
            },
        ],
        "views": [
            {
                **TABLE["views"][0],
                "select": [{"column": [*TABLE["views"][0]["select"][0]["column"], {"name": "id", "path": "id"}]}],
            },
            *TABLE["views"][1:],
        ],
        "statistic": {"kind": "ols", "outcome": "years", "on": ["only", "obese"]},
    }
    query = ask(together, granted, one_person, tuple(data_sets.values()))
    answer(together, query, *HOSPITALS)
    with pytest.raises((Conflict, RemoteRefusal)) as refused:
        run(together, query)
    assert "leverage" not in str(refused.value)
    lines = [
        one
        for name in HOSPITALS
        for one in review(together.nodes[name], ReviewQuestions()).questions
        if (one.query, one.status) == (query, "withheld")
    ]
    assert lines
    assert all("leverage 1.000 where 1/3 is the most" in one.reason for one in lines)


def test_a_relay_may_withhold_and_not_choose(asked):
    together, granted, data_sets = asked
    query = ask(together, granted, LOGISTIC, tuple(data_sets.values()))
    answer(together, query, *HOSPITALS)
    university = together.nodes["university"]
    ask_peer, seen = university.peers.ask, []

    def cheating(member, path, question, kind):
        if path == PATH and isinstance(question, Turn) and question.turn == 1 and not seen:
            seen.append(question)
            for lie in lies(question, university):
                with pytest.raises(RemoteRefusal, match=r"research\.(off-path|attempt|no-query)"):
                    ask_peer(member, path, lie, Taken)
        return ask_peer(member, path, question, kind)

    university.peers.ask = cheating
    try:
        told = run(together, query)
    finally:
        university.peers.ask = ask_peer
    assert seen
    assert told.attempts == 1
    repeated = ask_peer("east", PATH, turn_of(seen[0], data_sets["east"]), Taken)
    assert repeated == ask_peer("east", PATH, turn_of(seen[0], data_sets["east"]), Taken)


def turn_of(question, data_set):
    fields = {name: getattr(question, name) for name in question.__struct_fields__}
    return Turn(**(fields | {"data_set": bytes.fromhex(data_set)}))


def lies(question, university):
    """What a relay might send instead of the turn that comes next."""
    first, *rest = question.vectors
    altered = Signed(first.data_set, bytes(len(first.vector)), first.unmasked, first.signature)
    own = university.signing_key.sign(b"as good as any")
    changes = (
        {"beta": (9.0, 9.0, 9.0)},
        {"beta": tuple(one + 2e-9 for one in question.beta)},
        {"beta": question.beta[:-1]},
        {"beta": (float("nan"),) * len(question.beta)},
        {"turn": 2},
        {"attempt": 2},
        {"query": bytes(16)},
        {"vectors": (altered, *rest)},
        {"vectors": (Signed(first.data_set, first.vector, first.unmasked, own), *rest)},
        {"vectors": tuple(rest)},
        {"vectors": (*rest, first)},
    )
    fields = {name: getattr(question, name) for name in question.__struct_fields__}
    # a lie about the vectors goes first: once they are heard, they are not heard again
    return [Turn(**(fields | change)) for change in sorted(changes, key=lambda one: "vectors" not in one)]


def test_who_sends_no_vector_is_left_out_and_the_others_go_on(asked):
    """Colluding custodians sign too short a vector, or send none: the run neither stops nor blames who refuses them."""
    together, granted, data_sets = asked
    query = ask(together, granted, LOGISTIC, tuple(data_sets.values()))
    answer(together, query, *HOSPITALS, few=True, differing=True)
    university = together.nodes["university"]
    ask_peer, west = university.peers.ask, together.nodes["west"]

    def lying(member, path, question, kind):
        told = ask_peer(member, path, question, kind)
        if kind is Taken and question.turn == 1 and member == "west" and question.attempt == 1:
            one = Signed(told.vector[0].data_set, told.vector[0].vector[:-3], told.vector[0].unmasked, b"")
            signature = west.signing_key.sign(signed_bytes(question.query, 1, 1, one))
            return Taken((Signed(one.data_set, one.vector, one.unmasked, signature),), 0)
        return Taken((), 0) if kind is Taken and member == "south" and question.attempt == 2 else told

    university.peers.ask = lying
    try:
        told = run(together, query)
    finally:
        university.peers.ask = ask_peer
    assert (told.attempts, {*told.custodians}) == (3, {"east", "north"})


def test_two_custodians_answer_only_if_their_checkers_allow_it(asked):
    together, granted, data_sets = asked
    two = tuple(data_sets[name] for name in ("east", "north"))
    query = ask(together, granted, LOGISTIC, two)
    answer(together, query, "east", "north", differing=True)
    with pytest.raises(RemoteRefusal, match=r"research\.few"):
        run(together, query)
    assert answer(together, query, "east", "north", few=True) == ["begun"] * 2
    assert run(together, query).attempts == 1


def test_two_data_sets_of_one_member_are_one_custodian(asked):
    together, _, _ = asked
    sets = [(name, offer(together, name, smallest=3)) for name in ("east", "east", "north")]
    level(together)
    ids = tuple(data_set for _, data_set in sets)
    request = ApplyForPermit(data_sets=ids, investigations=("DUO:0000037",), summary="A.", days=9, ethics=b"Approved")
    granted = apply_for_permit(together.nodes["university"], request).permit
    level(together)
    for name, data_set in sets:
        decide_permit(together.nodes[name], DecidePermit(permit=granted, data_set=data_set))
    level(together)
    query = ask(together, granted, LOGISTIC, ids)
    answer(together, query, "east", "north", differing=True)
    with pytest.raises(RemoteRefusal, match=r"research\.few"):
        run(together, query)


def test_a_vector_can_be_opened_to_an_auditor(asked):
    together, granted, data_sets = asked
    query = ask(together, granted, LOGISTIC, tuple(data_sets.values()))
    answer(together, query, *HOSPITALS, differing=True)
    run(together, query)
    told, unmasked = [], []
    for name in HOSPITALS:
        node, id_ = together.nodes[name], bytes.fromhex(query) + bytes.fromhex(data_sets[name]) + bytes((1,))
        sent = [decode(body, Taken) for _, body in node.desk.research("sent", id_)]
        plain = [body for _, body in node.desk.research("plain", id_)]
        for turn, body in enumerate(plain):
            assert unmasked_commitment(vector_salt(node, id_, turn), body) == sent[turn].vector[0].unmasked
        part = port.query_part(together.owner.ledger.read(), bytes.fromhex(query), bytes.fromhex(data_sets[name]))
        assert part.answer == answer_commitment([one.vector[0].unmasked for one in sent[:-1]])
        told.append(np.frombuffer(sent[0].vector[0].vector, dtype="<u8"))
        unmasked.append(np.frombuffer(plain[0], dtype="<u8"))
    assert np.array_equal(sum(told[1:], told[0]), sum(unmasked[1:], unmasked[0]))
    assert not any(np.any(one == two) for one, two in zip(told, unmasked, strict=True))
