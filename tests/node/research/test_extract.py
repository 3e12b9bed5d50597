"""An extract between a custodian, a university and patients: who is in it, what leaves, who leaves it, and how it ends."""

import json
from typing import NamedTuple

import pytest

from salus.agreements.research import extract
from salus.agreements.research.document import QueryRefused, read
from salus.contracts.research import port
from salus.core.encoding import encode
from salus.node.errors import Conflict, Forbidden, Malformed, Refused
from salus.node.exchange.documents import seal_document
from salus.node.research import (
    attest_deletion,
    publish_result,
    rerun_question,
    show_result,
    wire,
    write_extract,
)
from salus.node.research.answering import RerunQuestion
from salus.node.research.asking import ShowResult
from salus.node.research.bundle import PublishResult
from salus.node.research.extracting import take_back
from salus.node.research.receiving import AttestDeletion, WriteExtract, end_leases, take_extract
from salus.node.together import Together
from salus.node.wallet import studying
from salus.node.wallet.holder import DAY_MS, Holder
from salus.node.worklist import AskWorklist, worklist
from salus.vault.journal import Side

from .hospitals import CONDITIONS, PERSONS, TABLE, answer, ask, choose, fill, found, level, offer, permit, wallet_at

ROWS = TABLE | {"columns": [], "statistic": {"kind": "extract", "views": ["conditions", "years"], "k": 3}}
CHOSEN = 7
DAYS = 6


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Seven of twelve choose that their rows may leave: four women, three men. A permit says so too."""
    town = found(tmp_path_factory.mktemp("extract"), "north")
    links = fill(town.nodes["north"], 12)
    wallets = [wallet_at(town, "north", link) for link in links[: CHOSEN + 1]]
    for wallet in wallets[:CHOSEN]:
        choose(wallet, "north", ways=("extract",))
    choose(wallets[CHOSEN], "north", ways=("noisy", "exact"))
    data_sets = {"north": offer(town, "north", ways=("extract", "noisy"), smallest=3)}
    yield Scene(town, wallets, links, data_sets["north"], permit(town, data_sets, records=True, days=DAYS))
    town.close()


class Scene(NamedTuple):
    town: Together
    wallets: list[Holder]
    links: list[bytes]
    data_set: str
    permit: str

    @property
    def north(self):
        return self.town.nodes["north"]

    @property
    def university(self):
        return self.town.nodes["university"]

    def ask(self, **statistic):
        level(self.town)
        document = ROWS | {"statistic": ROWS["statistic"] | statistic}
        return ask(self.town, self.permit, document, (self.data_set,))

    def object(self, place, *, objecting):
        studying.object_(self.wallets[place], "north", objecting=objecting)

    def kept(self, query):
        return wire.held(self.north, bytes.fromhex(query), bytes.fromhex(self.data_set))

    def status(self, query):
        part = port.query_part(self.north.ledger.read(), bytes.fromhex(query), bytes.fromhex(self.data_set))
        return part.status

    def persons(self, query):
        return sum(bool(one.body) for one in wire.chunks(self.university, bytes.fromhex(query)))

    def tasks(self, node):
        return [one for one in worklist(node, AskWorklist()).tasks if one.kind == "extract"]


def written(scene, query, folder, kind="ndjson"):
    return write_extract(scene.university, WriteExtract(query=query, output=str(folder), format=kind))


def lines(folder, name):
    return [json.loads(one) for one in (folder / f"{name}.ndjson").read_text().splitlines()]


def test_rows_of_those_who_chose_so_leave_without_their_names(scene, tmp_path):
    query, out = scene.ask(), tmp_path / "out"
    assert answer(scene.town, query, "north") == ["answered"]
    assert answer(scene.town, query, "north") == ["answered"]  # asked again: nothing is sent or written down anew

    told = written(scene, query, out)
    assert (told.persons, told.withdrawn) == (CHOSEN, 0)
    persons = lines(out, "persons")
    assert sorted(one["gender"] for one in persons) == ["female"] * 4 + ["male"] * 3
    keys = {one["patient"] for one in persons}
    assert len(keys) == CHOSEN
    assert {one["patient"] for one in lines(out, "conditions")} <= keys
    assert {type(one["value"]) for one in lines(out, "years")} == {int}
    whole = "".join(path.read_text() for path in out.iterdir())
    assert not any(f'"p{number}"' in whole or scene.links[number].hex() in whole for number in range(12))

    method = json.loads((out / "method.json").read_text())
    assert (method["smallest_class_here"], method["quasi_identifiers"]) == (3, ["gender"])
    assert (method["risk_of_one_person"], method["dates_moved_by_at_most_days"]) == (0.3333, 365)
    assert 1 < method["l_distinct_rows_in_a_class"] <= 4  # of three men and four women, whose records differ
    (code,) = [one for one in json.loads((out / "dictionary.json").read_text()) if one["name"] == "code"]
    assert (code["table"], code["source"], code["missing"]) == ("conditions", "code.coding.first().code", 0)
    assert "90560007" in code["codes"]

    for place, wallet in enumerate(scene.wallets):
        (seen,) = [one for one in studying.where_was_i(wallet) if one.part.query.hex() == query]
        assert (seen.counted, seen.part.way) == (place < CHOSEN, "extract")
    answered = port.query_part(scene.north.ledger.read(), bytes.fromhex(query), bytes.fromhex(scene.data_set)).answer
    for place, wallet in enumerate((scene.wallets[0], scene.wallets[CHOSEN])):
        told_of = [one.disclosure for one in wallet.access_log().lines if one.disclosure.answer == answered]
        assert [(one.member, one.action) for one in told_of] == [("university", "extract")][place:]
    assert rerun_question(scene.north, RerunQuestion(query=query)).same
    with pytest.raises(Conflict, match=r"research\.rows"):
        publish_result(scene.university, PublishResult(query=query, file=str(tmp_path / "bundle")))


def test_parquet_holds_numbers_as_numbers(scene, tmp_path):
    import duckdb  # noqa: PLC0415 -- as the library is loaded by the product

    query = scene.ask()
    answer(scene.town, query, "north")
    written(scene, query, tmp_path / "out", "parquet")
    ((count, total),) = duckdb.sql(f"SELECT count(*), sum(value) FROM '{tmp_path}/out/years.parquet'").fetchall()
    assert (count, total) == (CHOSEN, 10)
    with pytest.raises(Conflict):
        written(scene, query, tmp_path / "out")


def test_few_of_a_kind_are_left_out(scene):
    """Three men chose; with k = 4 none of them leaves, and who is left out is not in the population."""
    query = scene.ask(k=4)
    answer(scene.town, query, "north")
    assert show_result(scene.university, ShowResult(query=query)).lines[0]["persons"] == 4
    assert len(scene.kept(query).counted) == 4
    nobody = scene.ask(k=8)
    with pytest.raises(Conflict, match=r"research\.nobody"):
        answer(scene.town, nobody, "north")
    assert scene.status(nobody) is port.PartStatus.REGISTERED


def test_who_withdraws_leaves_the_extract_and_the_institution_is_told(scene, tmp_path):
    query = scene.ask()
    answer(scene.town, query, "north")
    written(scene, query, tmp_path / "out")
    before = wire.chunks(scene.university, bytes.fromhex(query))
    scene.object(0, objecting=True)
    assert take_back(scene.north) >= 1  # of each extract that the person is in
    assert take_back(scene.north) == 0
    scene.object(0, objecting=False)

    (stands,) = show_result(scene.university, ShowResult(query=query)).lines
    assert (stands["persons"], stands["withdrawn"]) == (CHOSEN - 1, 1)
    assert [one.what for one in scene.tasks(scene.university) if one.subject == query and "anew" in one.what]
    told = written(scene, query, tmp_path / "anew")
    assert (told.persons, told.withdrawn) == (CHOSEN - 1, 1)
    gone = extract.pseudonym_of(scene.kept(query).salt, scene.links[0]).hex()
    assert gone not in {one["patient"] for one in lines(tmp_path / "anew", "persons")}
    assert not [one.what for one in scene.tasks(scene.university) if one.subject == query and "anew" in one.what]

    take(scene, query, chunks=tuple(before))  # a late copy does not bring back who left
    assert scene.persons(query) == CHOSEN - 1


def test_who_leaves_between_commitment_and_sending_is_sent_as_a_digest(scene, monkeypatch):
    query, submit = scene.ask(), scene.north.submitter.submit

    def late(message):
        outcome = submit(message)
        if isinstance(message, port.Answer):
            scene.object(1, objecting=True)
        return outcome

    monkeypatch.setattr(scene.north.submitter, "submit", late)
    assert answer(scene.town, query, "north") == ["answered"]
    scene.object(1, objecting=False)
    assert scene.kept(query).gone == (scene.links[1],)
    assert scene.persons(query) == CHOSEN - 1
    answered = port.query_part(scene.north.ledger.read(), bytes.fromhex(query), bytes.fromhex(scene.data_set)).answer
    journal = scene.north.vault.lines(Side.CUSTODIAN, scene.links[1])
    assert answered not in {one.disclosure.answer for one in journal}


def take(scene, query, **changes):
    digests = scene.kept(query).chunks
    fields = {"query": bytes.fromhex(query), "data_set": bytes.fromhex(scene.data_set), "height": 1, "digests": digests}
    sent = wire.SentExtract(**(fields | {"chunks": ()} | changes))
    take_extract(scene.university, "north", seal_document(scene.north, "university", wire.EXTRACT, sent))


def test_rows_that_were_not_committed_are_not_taken(scene):
    query = scene.ask()
    answer(scene.town, query, "north")
    chunk, *_ = wire.chunks(scene.university, bytes.fromhex(query))
    digests = scene.kept(query).chunks
    forged = extract.Chunk(chunk.place, chunk.pseudonym, chunk.salt, encode(extract.Rows((((None, "other"),), (), ()))))
    for lie, refusal in (
        ({"digests": digests[1:]}, Conflict),
        ({"chunks": (forged,)}, Conflict),
        ({"chunks": (extract.Chunk(len(digests), b"", b"", b""),)}, Malformed),
        ({"chunks": (extract.Chunk(-1, b"", b"", b""),)}, Malformed),
        ({"data_set": bytes(16)}, Forbidden),
    ):
        with pytest.raises(refusal):
            take(scene, query, **lie)
    assert scene.persons(query) == CHOSEN


def test_without_the_permits_word_no_rows(scene):
    granted = permit(scene.town, {"north": scene.data_set})
    with pytest.raises(Refused, match=r"research\.NOT_OFFERED"):
        ask(scene.town, granted, ROWS, (scene.data_set,))


def test_a_lease_ends_with_its_permit_and_is_attested(scene, tmp_path):
    query = scene.ask()
    answer(scene.town, query, "north")
    assert end_leases(scene.university) == 0
    scene.town.clock.advance((DAYS + 1) * DAY_MS)
    with pytest.raises(Forbidden, match=r"research\.over"):
        written(scene, query, tmp_path / "late")
    assert end_leases(scene.university) >= 1
    assert scene.university.desk.research("extract") == []
    (task,) = [one for one in scene.tasks(scene.north) if one.subject == query]
    assert task.overdue
    assert attest_deletion(scene.university, AttestDeletion(query=query)).data_sets == 1
    level(scene.town)
    assert scene.status(query) is port.PartStatus.DELETED
    assert not [one for node in (scene.north, scene.university) for one in scene.tasks(node) if one.subject == query]
    with pytest.raises(Conflict):
        attest_deletion(scene.university, AttestDeletion(query=query))


def view(name, resource, *columns):
    listed = [{"name": "patient", "path": "getResourceKey()"}]
    listed += [{"name": f"c{place}", "path": path} for place, path in enumerate(columns)]
    return {
        "resourceType": "ViewDefinition",
        "name": name,
        "resource": resource,
        "status": "active",
        "select": [{"column": listed}],
    }


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("name.family.first()", "Patient"),
        ("identifier.first().value", "Patient"),
        ("telecom.first().value", "Patient"),
        ("address.first().city", "Patient"),
        ("text", "Patient"),
        ("photo.first()", "Patient"),
        ("note.first().text", "Condition"),
        ("code.text", "Condition"),
        ("code.coding.first().display", "Condition"),
    ],
)
def test_identifiers_and_free_text_are_refused_by_path(path, resource):
    views = [PERSONS, view("rows", "Condition", path)] if resource == "Condition" else [view("rows", "Patient", path)]
    statistic = {"kind": "extract", "views": ["rows"] if resource == "Condition" else []}
    persons = "persons" if resource == "Condition" else "rows"
    query = read(
        json.dumps(
            {"format": 1, "title": "t", "persons": persons, "views": views, "columns": [], "statistic": statistic}
        ).encode()
    )
    with pytest.raises(QueryRefused, match=rf"views\[{len(views) - 1}\]\.select\[0\]\.column\[1\]\.path"):
        extract.views_of(query)


def test_who_a_person_is_leaves_in_one_view_alone():
    views = [PERSONS, view("again", "Patient", "birthDate"), CONDITIONS]
    statistic = {"kind": "extract", "views": ["again"]}
    query = read(
        json.dumps(
            {"format": 1, "title": "t", "persons": "persons", "views": views, "columns": [], "statistic": statistic}
        ).encode()
    )
    with pytest.raises(QueryRefused, match=r"views\[1\]\.resource"):
        extract.views_of(query)
