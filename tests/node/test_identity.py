"""Who is who: links of one patient found, decided by people, in force in chart and consent, undone without a trace."""

import json

import pytest

from salus.contracts.membership.port import Role
from salus.contracts.records.port import Rank
from salus.node import erasing
from salus.node.errors import Conflict, Forbidden, NotFound
from salus.node.identity import compare, decide, list_pairs, match, show, undo
from salus.node.identity.comparing import Match
from salus.node.identity.reviewing import Compare, Decide, ListPairs, ShowPair, Undo
from salus.node.pairs import in_standing, parties
from salus.node.records.charts import ShowChart, show_chart
from salus.node.records.intake import Intake
from salus.node.together import Clock, Founder, found_together
from salus.node.usecase import LOCAL_OPERATOR, Caller, Kind
from salus.node.worklist import AskWorklist, worklist

REGISTRAR = Caller(Kind.PERSON, "north", "s-7", "registrar", ("HOPERAT",))
DOCTOR = Caller(Kind.PERSON, "north", "s-1", "physician", ("TREAT",))
DAY = 24 * 3600 * 1000


def patient(own, given, family="Muster", born="1970-05-04", number="", **more):
    told = {"resourceType": "Patient", "id": own, "name": [{"family": family, "given": [given]}], "birthDate": born}
    identifier = [{"system": "urn:national", "value": number}] if number else None
    told = {**told, "gender": "female", "identifier": identifier, **more}
    return {name: value for name, value in told.items() if value}


def observation(who):
    subject = {"reference": f"Patient/{who}"}
    return {
        "resourceType": "Observation",
        "id": f"o-{who}",
        "status": "final",
        "subject": subject,
        "code": {"text": "x"},
    }


def deny_all(who):
    scope = {"coding": [{"code": "patient-privacy"}]}
    told = {"resourceType": "Consent", "id": f"k-{who}", "status": "active", "scope": scope}
    return {**told, "patient": {"reference": f"Patient/{who}"}, "provision": {"type": "deny"}}


def permit_all(who):
    return {**deny_all(who), "provision": {"type": "permit"}}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def together(tmp_path, clock):
    found = found_together(tmp_path / "members", (Founder("north", "North", (Role.PROVIDER,)),), clock=clock)
    yield found
    found.close()


@pytest.fixture
def node(together):
    return together.nodes["north"]


@pytest.fixture
def take(node, tmp_path):
    def taken(*trees, source="urn:ehr"):
        file = tmp_path / "taken.ndjson"
        file.write_text("\n".join(map(json.dumps, trees)))
        Intake(node, source).run([file])
        return match(node, Match())

    return taken


def link(node, own, source="urn:ehr"):
    return node.vault.find_link(source, own)


def chart(node, own, source="urn:ehr"):
    asked = ShowChart(link=link(node, own, source).hex(), purpose="TREAT")
    return sorted(line.type for line in show_chart(node, asked, caller=DOCTOR).lines)


def waiting(node):
    return list_pairs(node, ListPairs(), caller=REGISTRAR).pairs


def test_a_doubtful_match_waits_and_changes_nothing(node, take):
    take(patient("a", "Ada"), observation("a"))
    told = take(patient("b", "Adah"), observation("b"), source="urn:lab")
    assert (told.joined, told.waiting, told.compared) == (0, 1, 1)
    (pair,) = waiting(node)
    assert [(one.field, one.says) for one in pair.evidence] == [
        ("family", "same"), ("given", "near"), ("birth date", "same"), ("gender", "same"),
    ]  # fmt: skip
    assert pair.score == sum(one.weight for one in pair.evidence)
    assert chart(node, "a") == ["Observation", "Patient"]
    assert [one.kind for one in worklist(node, AskWorklist()).tasks] == ["identity"]


def test_joined_links_are_one_chart_until_it_is_undone(node, take):
    take(patient("a", "Ada"), observation("a"))
    take(patient("b", "Adah"), observation("b"), source="urn:lab")
    (pair,) = waiting(node)
    told = decide(node, Decide(pair=pair.pair, standing="same", reason="passport"), caller=REGISTRAR)
    assert told.standing == "same"
    assert chart(node, "a") == chart(node, "b", "urn:lab") == ["Observation", "Observation", "Patient", "Patient"]
    assert waiting(node) == ()
    undo(node, Undo(pair=pair.pair, reason="another passport"), caller=REGISTRAR)
    assert chart(node, "a") == ["Observation", "Patient"]
    shown = show(node, ShowPair(pair=pair.pair), caller=REGISTRAR)
    assert [(one.standing, one.by, one.reason) for one in shown.decisions] == [
        ("same", "s-7", "passport"), ("waiting", "s-7", "another passport"),
    ]  # fmt: skip


def test_one_assigners_identifier_joins_where_nothing_speaks_against_it(node, take):
    take(patient("a", "Ada", number="77"))
    told = take(patient("b", "Ada", number="77"), source="urn:lab")
    assert (told.joined, told.waiting) == (1, 0)
    (pair,) = list_pairs(node, ListPairs(standing="same"), caller=REGISTRAR).pairs
    (turn,) = show(node, ShowPair(pair=pair.pair), caller=REGISTRAR).decisions
    assert (turn.standing, turn.by) == ("same", "rule")


@pytest.mark.parametrize(
    "against",
    [{"born": "1981-01-01"}, {"given": "Berta"}, {"family": "Other"}, {"gender": "male"}, {"born": ""}],
    ids=["birth date", "given name", "family name", "gender", "no birth date"],
)
def test_an_identifier_that_something_speaks_against_waits_for_a_person(node, take, against):
    take(patient("a", "Ada", number="77"))
    told = take(patient("b", number="77", **{"given": "Ada", **against}), source="urn:lab")
    assert (told.joined, told.waiting) == (0, 1)
    assert chart(node, "a") == ["Patient"]


def test_strangers_are_never_kept(node, take):
    take(patient("a", "Ada"), patient("b", "Berta", family="Beispiel", born="1970-05-04"))
    take(patient("c", "Cora", family="Muster", born="1999-01-01"))
    assert waiting(node) == ()


def test_a_rule_that_no_longer_holds_gives_the_pair_to_a_person(node, take):
    take(patient("a", "Ada", number="77"))
    take(patient("b", "Ada", number="77"), source="urn:lab")
    take(patient("b", "Ada", number="77", born="2001-01-01"), source="urn:lab")
    (pair,) = waiting(node)
    assert chart(node, "a") == ["Patient"]
    assert [one.standing for one in show(node, ShowPair(pair=pair.pair), caller=REGISTRAR).decisions] == [
        "same",
        "waiting",
    ]


def test_what_a_person_undid_no_rule_does_again(node, take):
    take(patient("a", "Ada", number="77"))
    take(patient("b", "Ada", number="77"), source="urn:lab")
    (pair,) = list_pairs(node, ListPairs(standing="same"), caller=REGISTRAR).pairs
    undo(node, Undo(pair=pair.pair, reason="twins with one card"), caller=REGISTRAR)
    match(node, Match(anew=True))
    assert [one.pair for one in waiting(node)] == [pair.pair]


def three(node, take):
    for own in ("a", "b", "c"):
        take(patient(own, "Ada"), source=f"urn:{own}")
    found = {}
    for line in waiting(node):
        sides = {node.index.likely.of_link(bytes.fromhex(one)).number: one for one in (line.one, line.other)}
        names = "".join(sorted(own for own in "abc" if link(node, own, f"urn:{own}").hex() in sides.values()))
        found[names] = line.pair
    return found


def test_a_same_that_would_join_a_different_is_refused(node, take):
    pairs = three(node, take)
    assert set(pairs) == {"ab", "ac", "bc"}
    decide(node, Decide(pair=pairs["ab"], standing="same", reason="1"), caller=REGISTRAR)
    decide(node, Decide(pair=pairs["ac"], standing="different", reason="2"), caller=REGISTRAR)
    with pytest.raises(Conflict) as refused:
        decide(node, Decide(pair=pairs["bc"], standing="same", reason="3"), caller=REGISTRAR)
    assert (refused.value.code, refused.value.got) == ("identity.apart", pairs["ac"])
    assert [len(one) for one in parties(in_standing(node, "same"))] == [2]


def test_a_different_within_one_party_is_refused(node, take):
    pairs = three(node, take)
    for one in ("ab", "bc"):
        decide(node, Decide(pair=pairs[one], standing="same", reason="1"), caller=REGISTRAR)
    with pytest.raises(Conflict) as refused:
        decide(node, Decide(pair=pairs["ac"], standing="different", reason="2"), caller=REGISTRAR)
    assert refused.value.code == "identity.together"
    undo(node, Undo(pair=pairs["bc"], reason="3"), caller=REGISTRAR)
    decide(node, Decide(pair=pairs["ac"], standing="different", reason="4"), caller=REGISTRAR)


def test_a_denial_under_one_link_rules_its_joined_links(node, take):
    take(patient("a", "Ada", number="77"), observation("a"))
    take(patient("b", "Ada", number="77"), observation("b"), source="urn:lab")
    assert len(chart(node, "a")) == 4
    take(deny_all("b"), source="urn:lab")
    assert chart(node, "a") == chart(node, "b", "urn:lab") == []
    node.index.rebuild(_source(node))
    assert chart(node, "a") == []
    asked = ListPairs(standing="same", purpose="HSYSADMIN")
    (pair,) = list_pairs(node, asked, caller=LOCAL_OPERATOR).pairs
    undo(node, Undo(pair=pair.pair, reason="not her", purpose="HSYSADMIN"), caller=LOCAL_OPERATOR)
    assert chart(node, "a") == ["Observation", "Patient"]
    assert chart(node, "b", "urn:lab") == []


def test_a_permit_under_one_link_opens_nothing_under_another(node, take):
    take(patient("a", "Ada", number="77"), observation("a"), deny_all("a"))
    take(patient("b", "Ada", number="77"), observation("b"), permit_all("b"), source="urn:lab")
    assert chart(node, "a") == []
    assert chart(node, "b", "urn:lab") == []


def test_who_may_not_see_a_patient_learns_of_no_pair(node, take):
    take(patient("a", "Ada"))
    take(patient("b", "Adah"), source="urn:lab")
    (pair,) = waiting(node)
    take(deny_all("b"), source="urn:lab")
    assert waiting(node) == ()
    for asked in (
        lambda: show(node, ShowPair(pair=pair.pair), caller=REGISTRAR),
        lambda: show(node, ShowPair(pair="0" * 32), caller=REGISTRAR),
        lambda: decide(node, Decide(pair=pair.pair, standing="same", reason="x"), caller=REGISTRAR),
    ):
        with pytest.raises(NotFound) as refused:
            asked()
        assert (refused.value.code, str(refused.value.got)) == ("identity.unknown", "")
    assert [one.standing for one in in_standing(node, "waiting")] == ["waiting"]
    with pytest.raises(Forbidden):
        list_pairs(node, ListPairs(purpose="TREAT"), caller=REGISTRAR)


def test_showing_a_pair_is_in_both_patients_logs(node, take):
    take(patient("a", "Ada"))
    take(patient("b", "Adah"), source="urn:lab")
    (pair,) = waiting(node)
    before = [node.vault.link_info(bytes.fromhex(one)).lines for one in (pair.one, pair.other)]
    show(node, ShowPair(pair=pair.pair), caller=REGISTRAR)
    assert [node.vault.link_info(bytes.fromhex(one)).lines for one in (pair.one, pair.other)] == [n + 1 for n in before]


def test_links_that_no_match_found_are_compared_on_request(node, take):
    take(patient("a", "Ada"), observation("a"))
    take(patient("b", "Berta", family="Beispiel", born="1999-09-09"), observation("b"))
    asked = Compare(one=link(node, "a").hex(), other=link(node, "b").hex())
    shown = compare(node, asked, caller=REGISTRAR)
    assert shown.line.score < 0
    decide(node, Decide(pair=shown.line.pair, standing="same", reason="changed both names"), caller=REGISTRAR)
    assert len(chart(node, "a")) == 4
    match(node, Match(anew=True))
    assert len(chart(node, "a")) == 4


def test_a_pair_goes_with_the_erasure_of_a_link(node, take, clock):
    take(patient("a", "Ada", number="77"), observation("a"), deny_all("a"))
    take(patient("b", "Ada", number="77"), observation("b"), source="urn:lab")
    assert chart(node, "b", "urn:lab") == []
    erasing.begin(node, link(node, "a"), b"c" * 16, Rank.IN_PERSON)
    clock.advance(8 * DAY)
    erasing.advance(node)
    assert in_standing(node, "same") == []
    assert chart(node, "b", "urn:lab") == ["Observation", "Patient"]


def _source(node):
    from salus.index.source import VaultSource  # noqa: PLC0415 -- one use

    return VaultSource(node.vault, node.writers.rename)
