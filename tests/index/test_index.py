"""The index answers for what is there, permits what the terms permit, and forgets what it must."""

import itertools
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.agreements.consent.conditions import Row, holds
from salus.agreements.consent.decide import Asker, PolicyClass, Provision, decide
from salus.agreements.consent.slip import SlipTerms, provisions
from salus.index.errors import BadQuestion, TimedOut, Unusable
from salus.index.index import Choice, Index, shipped_rules
from salus.index.source import Entry, VaultSource
from salus.interop.fhir.facts import facts
from salus.interop.fhir.gate import read_resource
from salus.vault.sealing import Content, Kind
from salus.vault.vault import Vault

RULES = shipped_rules()
KEY = bytes(32)
ANNA, BERT, HOUSE, LEASE = (bytes([n]) * 16 for n in (1, 2, 3, 4))
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
ASKER = Asker("clinic", "physician", "TREAT", 500)
DAY = 86_400_000


class Listed:
    """A source in memory."""

    def __init__(self, entries):
        self.entries = entries

    def after(self, number, limit):
        return [entry for entry in self.entries if entry.number > number][:limit]


def concept(code: str, system: str = ICD, display: str = "d") -> dict:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def to(target: str) -> dict:
    return {"reference": target}


def entry(number: int, link: bytes, kind: str, own: str, *, version: int = 1, lease: bool = False, **tree) -> Entry:
    body = msgspec.json.encode({"resourceType": kind, "id": own, **tree})
    return Entry(number, link, lease, kind, own, version, body)


def patient(number: int, link: bytes, own: str, family: str, *, given: str, born: str, **tree) -> Entry:
    name = [{"family": family, "given": [given]}]
    return entry(number, link, "Patient", own, name=name, birthDate=born, gender="female", **tree)


ENTRIES = [
    patient(1, ANNA, "a", "Müller-Lüdenscheidt", given="Anna Maria", born="1980-02-03", identifier=[{"system": "mrn", "value": "7"}]),
    patient(2, BERT, "b", "Muller", given="Bert", born="1980"),
    entry(3, HOUSE, "Organization", "h", name="House", identifier=[{"system": "npi", "value": "1"}]),
    entry(4, HOUSE, "Practitioner", "d", name=[{"family": "Doc"}]),
    entry(5, HOUSE, "PractitionerRole", "r", practitioner=to("Practitioner/d"), organization=to("Organization/h")),
    entry(6, ANNA, "ExplanationOfBenefit", "eob", patient=to("Patient/a"), item=[{"encounter": [to("Encounter/e")]}], created="2024-01-02"),
    entry(7, ANNA, "Encounter", "e", subject=to("Patient/a"), diagnosis=[{"condition": to("Condition/c")}], period={"start": "2024-01-01", "end": "2024-01-02"}),
    entry(8, ANNA, "Condition", "c", subject=to("Patient/a"), code=concept("F32.1"), encounter=to("Encounter/e"), onsetDateTime="2023"),
    entry(9, ANNA, "Observation", "o", subject=to("Patient/a"), code=concept("bp", "s"), encounter=to("Encounter/e"), effectiveDateTime="2024-01-01", performer=[to("PractitionerRole/r")]),
    entry(10, ANNA, "Observation", "undated", subject=to("Patient/a"), code=concept("bp", "s")),
    entry(11, BERT, "Observation", "o", subject=to("Patient/b"), code=concept("bp", "s"), effectiveDateTime="2020"),
    entry(12, LEASE, "Observation", "far", lease=True, subject=to("Patient/a"), effectiveDateTime="2021"),
]  # fmt: skip


@pytest.fixture
def index():
    with Index(None, key=KEY, rules=RULES) as made:
        made.catch_up(Listed(ENTRIES))
        yield made


def names(page) -> list[str]:
    return [f"{line.type}/{line.id}" for line in page.lines]


def classes(index, link=ANNA) -> dict[str, str]:
    return {f"{line.type}/{line.id}": line.sensitivity.code for line in index.chart([link]).lines}


def test_finding_patients(index):
    assert [found.id for found in index.find_patients(name="muller")] == ["a", "b"]
    assert [found.id for found in index.find_patients(name="LÜD ann")] == ["a"]
    assert [found.id for found in index.find_patients(name="uller")] == []
    assert [found.id for found in index.find_patients(birth_date="1980-02")] == ["a"]
    assert [found.id for found in index.find_patients(name="m", birth_date="1980")] == ["a", "b"]
    assert [found.link for found in index.find_by_identifier("mrn", "7")] == [ANNA]
    assert index.find_by_identifier("", "7") == []
    assert [found.link for found in index.find_by_identifier(None, "7")] == [ANNA]
    for question in ({}, {"name": " ,- "}, {"birth_date": "1980-13"}, {"name": "a", "limit": 0}):
        with pytest.raises(BadQuestion):
            index.find_patients(**question)


def test_what_intake_asks(index):
    assert index.ids_of("Organization", "npi", "1") == ["h"]
    assert index.ids_of("Practitioner", "npi", "1") == []
    assert index.patient_of("Condition/c") == "a"
    assert index.patient_of("Organization/h") == ""
    assert index.patient_of("Observation/o") == "", "one name under two links is nobody's"


def test_a_chart_pages_newest_first_and_counts(index):
    whole = index.chart([ANNA])
    assert whole.total == 6
    assert [line.lo for line in whole.lines] == sorted((line.lo for line in whole.lines), reverse=True)
    cursor, seen = None, []
    for _ in range(3):
        page = index.chart([ANNA], Choice(limit=2, cursor=cursor))
        assert page.total == 6
        seen += names(page)
        cursor = page.cursor
    assert cursor is None
    assert seen == names(whole)
    assert index.count_by_type([ANNA])["Observation"] == 2


def test_a_chart_chooses(index):
    assert names(index.chart([ANNA], Choice(types=("Encounter",)))) == ["Encounter/e"]
    assert names(index.chart([ANNA], Choice(codes=(("s", "bp"),)))) == ["Observation/o", "Observation/undated"]
    since = 1_704_067_200_000
    assert "Observation/undated" not in names(index.chart([ANNA], Choice(since=since)))
    assert names(index.chart([ANNA, BERT], Choice(types=("Observation",), until=since))) == ["Observation/o"]
    with pytest.raises(BadQuestion):
        index.chart([ANNA], Choice(limit=0))


def test_a_claim_of_a_psychiatric_stay_is_mental_health_and_a_blood_pressure_is_not(index):
    found = classes(index)
    assert found["ExplanationOfBenefit/eob"] == "mental-health"
    assert found["Encounter/e"] == "mental-health"
    assert found["Observation/o"] == "general"


@pytest.mark.parametrize("seed", range(8))
def test_classes_do_not_depend_on_the_order_or_size_of_batches(index, seed, monkeypatch):
    monkeypatch.setattr("salus.index.writing.BATCH", 1 + seed % 3)
    shuffled = random.Random(seed).sample(ENTRIES, len(ENTRIES))
    renumbered = [msgspec.structs.replace(one, number=number) for number, one in enumerate(shuffled, 1)]
    with Index(None, key=KEY, rules=RULES) as other:
        other.catch_up(Listed(renumbered))
        assert classes(other) == classes(index)


def test_new_versions_replace_and_tombstones_end(index):
    newer = entry(13, ANNA, "Observation", "o", version=2, subject=to("Patient/a"), status="amended")
    ended = Entry(14, ANNA, lease=False, type="Condition", id="c", version=2, body=b"", tombstone=True)
    again = entry(15, ANNA, "Observation", "o", version=3, subject=to("Patient/a"), status="final")
    index.catch_up(Listed([*ENTRIES, newer, ended, again]))
    lines = {f"{line.type}/{line.id}": line for line in index.chart([ANNA]).lines}
    assert (lines["Observation/o"].version, lines["Observation/o"].status) == (3, "final")
    assert "Condition/c" not in lines
    assert index.position() == 15


def test_leases_are_hidden_until_shown_and_again_when_forgotten(index):
    assert index.chart([ANNA, LEASE]).total == 6
    index.hide(LEASE, hidden=False)
    page = index.chart([ANNA, LEASE])
    assert page.total == 7
    assert [line.lease for line in page.lines if line.id == "far"] == [True]
    index.hide_leases()
    assert index.chart([LEASE]).total == 0
    index.hide(LEASE, hidden=False)
    index.hide(ANNA, hidden=True)
    assert index.chart([ANNA, LEASE]).total == 7, "only leases can be hidden"
    assert index.forget(LEASE) == 1
    assert index.chart([LEASE]).total == 0


def test_house_resources_follow_what_refers_to_them(index):
    assert index.house_of(ANNA, [9], HOUSE) == [3, 4, 5]
    assert index.house_of(ANNA, [10], HOUSE) == []
    assert index.house_of(BERT, [9], HOUSE) == [], "a row of another link opens nothing"


def test_what_is_no_fhir_is_counted_not_indexed():
    odd = [
        Entry(1, ANNA, lease=False, type="X", id="x", version=1, body=b"not json"),
        Entry(2, ANNA, lease=False, type="claim", id="y", version=1, body=b"...", fhir=False),
    ]
    with Index(None, key=KEY, rules=RULES) as index:
        done = index.catch_up(Listed(odd))
        assert (done.records, done.unread) == (2, 1)
        assert index.chart([ANNA]).total == 0


def test_new_rules_start_over(tmp_path):
    path = tmp_path / "index.db"
    with Index(path, key=KEY, rules=RULES) as index:
        assert index.catch_up(Listed(ENTRIES)).records == 12
        assert index.catch_up(Listed(ENTRIES)).records == 0
    with Index(path, key=KEY, rules=msgspec.structs.replace(RULES, version="x")) as index:
        assert index.catch_up(Listed(ENTRIES)).records == 12
        assert index.chart([ANNA]).total == 6
        assert index.rebuild(Listed(ENTRIES[:6])).records == 6


def test_a_wrong_key_and_damage_are_named(tmp_path):
    path = tmp_path / "index.db"
    with Index(path, key=KEY, rules=RULES) as index:
        index.catch_up(Listed(ENTRIES))
    assert b"ller" not in path.read_bytes()
    with pytest.raises(Unusable):
        Index(path, key=bytes([1]) * 32, rules=RULES)
    path.write_bytes(b"x" * 8192)
    with pytest.raises(Unusable):
        Index(path, key=KEY, rules=RULES)


def test_a_long_question_is_cut_off():
    moments = itertools.count()
    many = [entry(n, ANNA, "Observation", f"o{n}", subject=to("Patient/a"), code=concept("x")) for n in range(1, 1000)]
    with Index(None, key=KEY, rules=RULES, time_limit=1, clock=lambda: next(moments)) as index:
        index.catch_up(Listed(many))
        with pytest.raises(TimedOut):
            index.chart([ANNA], Choice(codes=(("s", "y"),)))
        assert index.find_patients(name="x") == [], "the next question is not cut off"


def test_forgetting_leaves_no_row_behind(tmp_path):
    path = tmp_path / "index.db"
    with Index(path, key=KEY, rules=RULES) as index:
        index.catch_up(Listed(ENTRIES))
        assert index.forget(ANNA) == 6
        assert index.find_patients(name="anna") == []
        assert index.find_by_identifier("mrn", "7") == []
        assert index.chart([ANNA]).total == 0
        assert index.chart([BERT]).total == 2
        store = index._store
        for table in ("code", "identifier", "reference", "person", "name_word"):
            orphans = f"SELECT count(*) FROM {table} WHERE entry NOT IN (SELECT number FROM entry)"
            assert store.ask(orphans) == [(0,)]
    assert path.with_name("index.db-wal").exists() is False or path.with_name("index.db-wal").stat().st_size == 0


def test_a_vault_is_a_source(tmp_path):
    count = itertools.count(1)
    vault = Vault(
        tmp_path, member="north", key=KEY, clock=lambda: 1_800_000_000_000, entropy=lambda n: next(count).to_bytes(8, "big").rjust(n, b"\7")
    )  # fmt: skip
    with vault, Index(None, key=KEY, rules=RULES) as index:
        anna, lease = vault.open_link("mrn", "7"), vault.open_lease(bytes(32))
        vault.write(anna, [Content(one.type, one.id, one.body) for one in ENTRIES if one.link == ANNA])
        vault.write(lease, [Content(one.type, one.id, one.body) for one in ENTRIES if one.link == LEASE])
        vault.write(
            anna,
            [
                Content("Condition", "c", b"", kind=Kind.TOMBSTONE),
                Content("scan", "s", b"x", media="image/png", kind=Kind.DOCUMENT),
            ],
        )
        done = index.catch_up(VaultSource(vault))
        assert (done.records, done.unread) == (9, 0)
        assert index.chart([anna]).total == 5
        assert index.chart([lease]).total == 0
        index.hide(lease, hidden=False)
        assert index.chart([lease]).total == 1


# -- the query against the function ------------------------------------------------------------------------------


def subset(*values):
    return st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


def provision_of(inner):
    return st.builds(
        Provision,
        path=st.just("p"),
        effect=st.sampled_from(["permit", "deny"]),
        types=subset("Observation", "Condition", "Encounter"),
        sensitivities=subset(0, 9, 10),
        periods=subset((1_700_000_000_000, 1_704_100_000_000), (-1, 1_650_000_000_000)),
        codes=subset(("s", "bp"), ("*", "F32.1")),
        instances=subset("Observation/o", "Condition/c"),
        encounters=subset("e"),
        exceptions=inner,
    )


TERMS = st.lists(
    st.recursive(provision_of(st.just(())), lambda inner: provision_of(st.lists(inner, max_size=2).map(tuple)), max_leaves=3), max_size=3
).map(tuple)  # fmt: skip


@pytest.fixture(scope="module")
def filled():
    with Index(None, key=KEY, rules=RULES) as made:
        made.catch_up(Listed(ENTRIES))
        yield made


@settings(max_examples=80, deadline=None)
@given(TERMS)
def test_the_query_permits_exactly_what_the_function_permits(filled, terms):
    page = filled.permitted(ANNA, terms, ASKER).page
    sensitivity = {f"{line.type}/{line.id}": line.sensitivity for line in filled.chart([ANNA]).lines}
    want = set()
    for one in ENTRIES:
        if one.link == ANNA:
            found = facts(read_resource(one.body), {})
            name = f"{one.type}/{one.id}"
            row = Row(found.lo, found.hi, frozenset((c.system, c.code) for c in found.codes), name, found.encounter)
            if holds(decide(terms, ASKER, PolicyClass(one.type, sensitivity[name], found.author, ())).residual, row):
                want.add(name)
    assert set(names(page)) == want
    assert page.total == len(want)


def test_totals_and_pages_tell_nothing_of_what_is_denied(index):
    terms = provisions(SlipTerms("clinic", (), ("TREAT",), 0, 1000, ("general",)))
    answer = index.permitted(ANNA, terms, ASKER, Choice(limit=2))
    assert answer.page.total == 3
    rest = index.permitted(ANNA, terms, ASKER, Choice(limit=2, cursor=answer.page.cursor))
    assert rest.page.cursor is None
    assert not {"ExplanationOfBenefit/eob", "Encounter/e", "Condition/c"} & {*names(answer.page), *names(rest.page)}
    denied = {row_class.type for row_class, decision in answer.decisions if decision.effect == "deny"}
    assert denied == {"ExplanationOfBenefit", "Encounter", "Condition"}
    assert all(decision.explanation for _, decision in answer.decisions)
    assert index.permitted(ANNA, (), ASKER).page.total == 0


def test_a_hidden_lease_is_not_served(index):
    terms = provisions(SlipTerms("clinic", (), ("TREAT",), 0, 1000, ("general",)))
    answer = index.permitted(LEASE, terms, ASKER)
    assert (answer.page.total, answer.decisions) == (0, ())


def test_an_undated_event_is_in_no_permitted_period_of_the_query(index):
    terms = (Provision("p", "permit", periods=((-(10**15), 10**15),)),)
    found = names(index.permitted(ANNA, terms, ASKER).page)
    assert "Observation/o" in found
    assert "Observation/undated" not in found


def test_a_pull_goes_through_permitted_numbers_in_pieces(index):
    terms = provisions(SlipTerms("clinic", (), ("TREAT",), 0, 1000, ("general",)))
    whole = sorted(line.number for line in index.permitted(ANNA, terms, ASKER).page.lines)
    first = index.permitted_numbers(ANNA, terms, ASKER, after=0, limit=2)
    assert first == whole[:2]
    assert index.permitted_numbers(ANNA, terms, ASKER, after=first[-1], limit=100) == whole[2:]
    assert index.permitted_numbers(LEASE, terms, ASKER, after=0, limit=100) == []


def test_words_of_an_erased_or_changed_record_stay_in_no_page():
    source = Listed(
        [
            entry(1, ANNA, "Basic", "a", code={"text": "zanzibar"}),
            entry(2, BERT, "Basic", "b", code={"text": "madagascar"}),
        ]
    )
    with Index(None, key=bytes(32), rules=RULES) as index:

        def pages():
            with index._store.transaction() as db:
                return db.serialize("main")

        index.catch_up(source)
        assert b"nzibar" in pages()
        assert b"dagascar" in pages()
        index.forget(ANNA)
        assert b"nzibar" not in pages()
        source.entries.append(entry(3, BERT, "Basic", "b", version=2, code={"text": "comoros"}))
        index.catch_up(source)
        index.withdraw([2])  # words of what was changed go with the next that are settled
        assert b"dagascar" not in pages()
        assert b"omoros" in pages()
