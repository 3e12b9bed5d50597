"""Four custodians, a data-access body and a university: a table with noise, from the offer to the figures."""

import json

import pytest

from salus.contracts.membership.port import Role
from salus.contracts.research import port
from salus.core.encoding import decode, encode
from salus.node.errors import Conflict, Forbidden, NotFound, Refused
from salus.node.exchange.wire import RemoteRefusal
from salus.node.notices import ToFolder, send_due, set_contact
from salus.node.research import (
    answering,
    apply_for_permit,
    list_offers,
    list_permits,
    rerun_question,
    review,
    run_model,
    show_budget,
    show_result,
    telling,
    wire,
    withhold_question,
)
from salus.node.research.answering import RerunQuestion, ReviewQuestions, WithholdQuestion
from salus.node.research.asking import ShowResult
from salus.node.research.permits import ApplyForPermit, ListOffers, ListPermits, ShowBudget
from salus.node.research.relaying import RunModel
from salus.node.together import Clock, Founder, found_together
from salus.node.wallet import studying
from salus.vault.envelope import seal_envelope

from .hospitals import (
    COUNT,
    HOSPITALS,
    LOGISTIC,
    TABLE,
    answer,
    ask,
    choose,
    fill,
    found,
    level,
    offer,
    permit,
    wallet_at,
)


@pytest.fixture
def together(tmp_path):
    made = found(tmp_path, "north")
    yield made
    made.close()


@pytest.fixture
def wide(tmp_path):
    made = found(tmp_path, *HOSPITALS, others=("body", "company"))
    yield made
    made.close()


def result(together, query):
    level(together)
    return show_result(together.nodes["university"], ShowResult(query=query))


def budget(together, member):
    return show_budget(together.nodes[member], ShowBudget())


def test_a_table_from_offer_to_figures(wide):
    together = wide
    for number, name in enumerate(HOSPITALS):
        fill(together.nodes[name], 60 + 12 * number)
    data_sets = {name: offer(together, name) for name in HOSPITALS}
    level(together)
    assert {one.custodian for one in list_offers(together.nodes["university"], ListOffers()).offers} == {*HOSPITALS}
    granted = permit(together, data_sets)
    (line, *_) = list_permits(together.nodes["body"], ListPermits()).permits
    assert (line.status, line.institution, line.study, line.waiting) == ("agreed", "university", "Who has gout?", "")

    query = ask(together, granted, TABLE, tuple(data_sets.values()), variance=4)
    assert [budget(together, name).reserved for name in HOSPITALS] == [125_000] * 4
    assert {one.status for one in review(together.nodes["north"], ReviewQuestions()).questions} == {"registered"}
    assert answer(together, query, *HOSPITALS) == ["answered"] * 4

    told = result(together, query)
    assert told.complete
    truth = {("female", "0"): 0, ("female", "1"): 0, ("male", "0"): 0, ("male", "1"): 0}
    for name in HOSPITALS:
        for (gender, gout), count in exact(together.nodes[name], query).items():
            truth[gender, gout] += count
    for one in told.lines:
        assert abs(one["count"] - truth[one["gender"], one["gout"]]) < 6 * 4
    pools = [budget(together, name) for name in HOSPITALS]
    assert [(pool.reserved, pool.spent, pool.free) for pool in pools] == [(0, 125_000, 9_875_000)] * 4
    assert pools[0].permits[0].left == 2_000_000 - 125_000
    rerun = rerun_question(together.nodes["north"], RerunQuestion(query=query))
    assert (rerun.same, rerun.why) == (True, "")


def exact(node, query):
    """What a custodian keeps of the figures before noise."""
    ((_, body),) = node.desk.research("part", bytes.fromhex(query))
    values = decode(body, wire.Held).exact
    return dict(zip([("female", "0"), ("female", "1"), ("male", "0"), ("male", "1")], values, strict=True))


def test_the_same_question_has_the_same_answer_whatever_it_is_called(together):
    fill(together.nodes["north"], 60)
    data_sets = {"north": offer(together, "north")}
    granted = permit(together, data_sets)
    queries = [ask(together, granted, TABLE, tuple(data_sets.values())) for _ in range(2)]
    for query in queries:
        answer(together, query, "north")
        answer(together, query, "north")  # asked again: nothing is drawn, charged or committed anew
    assert result(together, queries[0]).lines == result(together, queries[1]).lines
    assert budget(together, "north").spent == 10_000


def test_a_member_asks_its_own_records_without_a_network(tmp_path):
    """A hospital that is a university too, whose node has no address that anybody reaches."""
    roles = (Role.PROVIDER, Role.RESEARCHER)
    together = found_together(tmp_path, (Founder("university", "A University Hospital", roles),), clock=Clock())
    together.transport.down.add("https://university.example")
    node = together.nodes["university"]
    fill(node, 96)
    data_set = offer(together, "university", smallest=3)
    granted = permit(together, {"university": data_set})
    query = ask(together, granted, TABLE, (data_set,))
    (line,) = review(node, ReviewQuestions()).questions
    assert (line.study, line.statistic) == ("Who has gout?", "table: gender gout")
    assert json.loads(review(node, ReviewQuestions(query=query)).document) == TABLE
    with pytest.raises(NotFound, match=r"research\.not-here"):
        review(node, ReviewQuestions(query="00" * 16))
    assert answer(together, query, "university") == ["answered"]
    assert result(together, query).complete
    model = ask(together, granted, LOGISTIC, (data_set,))
    answer(together, model, "university", few=True)
    assert run_model(node, RunModel(query=model)).custodians == ("university",)
    together.close()


def test_choices_and_objections_decide_who_is_counted(together):
    north = together.nodes["north"]
    links = fill(north, 12)
    wallets = [wallet_at(together, "north", link) for link in links[:6]]
    chosen = [choose(wallet, "north") for wallet in wallets[:4]]
    choose(wallets[4], "north", policy=("DUO:0000006", "DUO:0000016"))  # genetic studies alone
    data_sets = {"north": offer(together, "north", by_consent=True)}
    granted = permit(together, data_sets)
    level(together)

    first = ask(together, granted, COUNT, tuple(data_sets.values()))
    studying.object_(wallets[1], "north", objecting=True)  # between registration and begin
    answer(together, first, "north")
    assert people(north, first) == {links[0], links[2], links[3]}

    wallets[2].stop(chosen[2], through="north")
    level(together)
    second = ask(together, granted, COUNT, tuple(data_sets.values()))
    studying.object_(wallets[1], "north", objecting=False)  # objected at the registration: not counted
    answer(together, second, "north")
    assert people(north, second) == {links[0], links[3]}
    third = ask(together, granted, COUNT, tuple(data_sets.values()))
    answer(together, third, "north")
    assert people(north, third) == {links[0], links[1], links[3]}

    seen = {one.part.query.hex(): one.counted for one in studying.where_was_i(wallets[2])}
    assert seen == {first: True, second: False, third: False}
    seen = {one.part.query.hex(): one.counted for one in studying.where_was_i(wallets[1])}
    assert seen == {first: False, second: False, third: True}
    (line, *_) = studying.where_was_i(wallets[0])
    assert (line.part.institution, line.part.summary, line.part.way) == ("university", "Who has gout?", "noisy")
    assert line.part.investigations == (37,)
    assert line.part.time in {block.time for block in north.ledger.blocks(1)}
    log = wallets[0].access_log()
    assert (log.lines, log.gaps) == ((), ())
    rerun = rerun_question(north, RerunQuestion(query=first))
    assert (rerun.same, rerun.why) == (False, "people have left since")


def test_a_person_is_told_of_each_study_once_until_they_say_no(together, tmp_path):
    north = together.nodes["north"]
    links = fill(north, 3)
    for number, link in enumerate(links[:2]):
        set_contact(north, link, f"p{number}@example.org")
    wallet = wallet_at(together, "north", links[1])
    data_set = offer(together, "north")
    granted = permit(together, {"north": data_set})
    post = ToFolder(tmp_path / "post")

    def told():
        assert send_due(north, post) == len(list((tmp_path / "post").glob("*.eml")))
        texts = [one.read_text() for one in (tmp_path / "post").glob("*.eml")]
        for file in (tmp_path / "post").glob("*.eml"):
            file.unlink()
        assert all("where-was-i" in one and "gout" not in one.lower() for one in texts)
        return sorted(word for one in texts for word in one.split() if word.endswith("@example.org"))

    query = ask(together, granted, COUNT, (data_set,))
    answer(together, query, "north")
    assert told() == ["p0@example.org", "p1@example.org"]
    kept = wire.held(north, bytes.fromhex(query), bytes.fromhex(data_set))
    telling.tell(north, port.Begin(kept.question.query, bytes.fromhex(data_set), b""), kept)  # as after a crash
    assert told() == []
    studying.notices(wallet, "north", wanted=False)
    answer(together, ask(together, granted, COUNT, (data_set,)), "north")
    assert told() == ["p0@example.org"]
    studying.notices(wallet, "north", wanted=True)
    answer(together, ask(together, granted, COUNT, (data_set,)), "north")
    assert told() == ["p0@example.org", "p1@example.org"]


def people(node, query):
    ((_, body),) = node.desk.research("part", bytes.fromhex(query))
    return {one.link for one in decode(body, wire.Held).counted}


def test_a_member_cannot_tell_another_root_or_another_begin(together):
    north = together.nodes["north"]
    links = fill(north, 12)
    wallet = wallet_at(together, "north", links[0])
    data_sets = {"north": offer(together, "north")}
    granted = permit(together, data_sets)
    query = ask(together, granted, COUNT, tuple(data_sets.values()))
    answer(together, query, "north")
    ((id_, body),) = north.desk.research("part", bytes.fromhex(query))
    kept = decode(body, wire.Held)
    hidden = kept.leaves[: (own := [one.link for one in kept.counted].index(links[0]))] + kept.leaves[own + 1 :]
    other = tuple((path, bytes(31) + b"x") for path, _ in kept.leaves)
    for lie in ({"leaves": hidden}, {"begun": bytes(32)}, {"leaves": other}):
        north.desk.keep_research("part", id_, encode(replaced(kept, **lie)))
        with pytest.raises((Forbidden, RemoteRefusal)):
            studying.where_was_i(wallet)


def replaced(kept, **changes):
    fields = {name: getattr(kept, name) for name in kept.__struct_fields__}
    return type(kept)(**(fields | changes))


def test_a_person_who_leaves_between_counting_and_the_begin_stops_the_answer(together, monkeypatch):
    north = together.nodes["north"]
    links = fill(north, 12)
    wallet = wallet_at(together, "north", links[0])
    chosen = choose(wallet, "north")
    data_sets = {"north": offer(together, "north", by_consent=True)}
    granted = permit(together, data_sets)
    query = ask(together, granted, COUNT, tuple(data_sets.values()))
    submit = north.submitter.submit

    def late(message):
        if isinstance(message, port.Begin):
            wallet.stop(chosen, through="north")
        return submit(message)

    monkeypatch.setattr(north.submitter, "submit", late)
    assert answer(together, query, "north") == ["failed"]
    assert budget(together, "north").spent == 5_000
    assert result(together, query).lines == ()
    assert "left" in review(north, ReviewQuestions()).questions[0].reason


def test_a_process_that_died_goes_on_where_it_stopped(together, monkeypatch):
    north = together.nodes["north"]
    fill(north, 60)
    data_sets = {"north": offer(together, "north")}
    granted = permit(together, data_sets)
    query = ask(together, granted, TABLE, tuple(data_sets.values()))
    submit = north.submitter.submit

    class Died(BaseException):
        pass

    draws = []
    for point in (("before", port.Begin), ("after", port.Begin), ("before", port.Answer), ("after", port.Answer)):

        def dying(message, point=point):
            if isinstance(message, point[1]) and point[0] == "before":
                raise Died
            outcome = submit(message)
            if isinstance(message, point[1]):
                raise Died
            return outcome

        with monkeypatch.context() as patch:
            patch.setattr(north.submitter, "submit", dying)
            with pytest.raises(Died):
                answer(together, query, "north")
        draws.append(north.desk.research("draw"))
    assert answer(together, query, "north") == ["answered"]
    assert [len(one) for one in draws] == [1] * 4
    assert all(one == draws[0] for one in draws)
    assert result(together, query).complete
    assert budget(together, "north").spent == 5_000


def test_what_is_refused(wide):
    together = wide
    fill(together.nodes["north"], 30)
    data_sets = {name: offer(together, name) for name in ("north", "south")}
    level(together)
    company, both = together.nodes["company"], tuple(data_sets.values())
    with pytest.raises(Refused, match="DUO:0000046"):
        apply_for_permit(
            company,
            ApplyForPermit(
                data_sets=both, investigations=("DUO:0000037",), summary="A product.", days=9, commercial=True
            ),
        )
    granted = permit(together, data_sets)
    for _ in range(4):
        ask(together, granted, COUNT, both, variance=1)
    with pytest.raises(Refused, match="PERMIT_SPENT"):
        ask(together, granted, COUNT, both, variance=1)
    assert budget(together, "south").reserved == budget(together, "north").reserved == 2_000_000
    assert (
        withhold_question(
            together.nodes["north"],
            WithholdQuestion(query=review(together.nodes["north"], ReviewQuestions()).questions[0].query, reason="No."),
        ).status
        == "withheld"
    )
    assert budget(together, "north").reserved == 1_500_000


def test_a_question_other_than_the_one_registered_is_not_taken(together):
    fill(together.nodes["north"], 30)
    data_sets = {"north": offer(together, "north")}
    granted = permit(together, data_sets)
    query = ask(together, granted, COUNT, tuple(data_sets.values()))
    north, university = together.nodes["north"], together.nodes["university"]
    ((_, body),) = north.desk.research("part", bytes.fromhex(query))
    sent = decode(body, wire.Held).question

    def sealed(value, by=university):
        context = by.context(wire.QUESTION, bytes(16))
        return seal_envelope(encode(value), context, recipient=north.keys_of("north").receive_key, sign=by.signing_key)

    other = replaced(sent, document=json.dumps(TABLE).encode())
    with pytest.raises(Conflict, match=r"research\.commitment"):
        wire.take_question(north, "university", sealed(other))
    with pytest.raises(Forbidden, match=r"research\.analyst"):
        wire.take_question(north, "north", sealed(sent, north))


def test_an_answer_of_another_length_is_refused_and_hides_no_other(wide, monkeypatch):
    for name in HOSPITALS[:3]:
        fill(wide.nodes[name], 30)
    data_sets = {name: offer(wide, name) for name in HOSPITALS[:3]}
    granted = permit(wide, data_sets)
    query = ask(wide, granted, COUNT, tuple(data_sets.values()))
    with monkeypatch.context() as patch:
        patch.setattr(answering, "_drawn", lambda *_: ((1, 2, 3), bytes(32)))
        answer(wide, query, "south")
    answer(wide, query, "north")
    answer(wide, query, "east")
    university, shown = wide.nodes["university"], result(wide, query)
    assert [code for _, code in wide.nodes["south"].desk.waiting()] == ["research.figures"]
    assert len(university.desk.research("answer", bytes.fromhex(query))) == 2
    assert {part.custodian: part.answered for part in shown.parts} == {"east": True, "north": True, "south": False}
    assert shown.lines
    assert not shown.complete


def test_a_sensitivity_that_is_not_the_documents_is_not_taken(together, monkeypatch):
    north, university = together.nodes["north"], together.nodes["university"]
    fill(north, 30)
    data_sets = {"north": offer(together, "north")}
    granted = permit(together, data_sets)
    submit = university.submitter.submit

    def dearer(message):
        return submit(replaced(message, sensitivity=4) if isinstance(message, port.Register) else message)

    with monkeypatch.context() as patch:
        patch.setattr(university.submitter, "submit", dearer)
        query = ask(together, granted, COUNT, tuple(data_sets.values()))
    assert north.desk.research("part", bytes.fromhex(query)) == []
    assert [code for _, code in university.desk.waiting()] == ["research.noise"]
    assert result(together, query).parts[0].status == "registered"
