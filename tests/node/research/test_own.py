"""A member's own records, asked under its policy and its patients' consents: each reading in the patient's log."""

import json

import pytest

from salus.core.proof.cli import main as verify
from salus.core.proof.receipt import Receipt
from salus.node.anchoring import anchor
from salus.node.errors import Conflict, Forbidden, Malformed
from salus.node.network.directory import AskTrust, trust_file
from salus.node.research import run_on_own
from salus.node.research.own import RunOnOwn
from salus.node.usecase import Caller, Kind
from salus.vault.journal import Side

from .hospitals import COUNT, TABLE, coded, fill, found

PERSONS = 24
HIV = "86406008"


@pytest.fixture(scope="module")
def north(tmp_path_factory):
    together = found(tmp_path_factory.mktemp("own"), "north")
    node = together.nodes["north"]
    links = fill(node, PERSONS)
    node.vault.write_all(
        [(links[0], coded("Condition", "h0", HIV, "p0")), (links[1], coded("Condition", "h1", HIV, "p1"))]
    )
    anchor(node)
    yield node
    together.close()


def asked(folder, document, name="out.ndjson", **changes):
    return RunOnOwn(query=json.dumps(document).encode(), output=str(folder / name), **changes)


def patients(node):
    return [link for link in node.vault.links() if link != node.vault.house_link()]


def lines_of(node, action="research"):
    told = [one for link in node.vault.links() for one in node.vault.lines(Side.CUSTODIAN, link)]
    return [one.disclosure for one in told if one.disclosure.action == action]


def test_what_was_read_stands_in_each_patients_log_before_figures_are_shown(north, tmp_path):
    height = north.ledger.head().height
    told = run_on_own(north, asked(tmp_path, TABLE))
    assert told.persons == PERSONS
    rows = [json.loads(line) for line in (tmp_path / "out.ndjson").read_text().splitlines()]
    assert sum(row["count"] for row in rows) == PERSONS
    assert (told.height, told.until) == (height, north.index.position())
    lines = lines_of(north)
    assert len({one.subject for one in lines}) == PERSONS == len(lines)
    assert {(one.purpose, one.role) for one in lines} == {("HOPERAT", "operator")}
    read = [int(what.split()[1]) for one in lines for what in one.what]
    assert sum(read) == told.records
    assert {what.split()[0] for one in lines for what in one.what} == {"Patient", "Condition"}


def test_receipts_say_that_the_ledger_holds_what_the_logs_say(north, tmp_path):
    folder, trust = tmp_path / "receipts", tmp_path / "trust.json"
    told = run_on_own(north, asked(tmp_path, COUNT, receipts=str(folder)))
    files = sorted(folder.iterdir())
    assert len(files) == told.receipts == 1
    trust.write_text(trust_file(north, AskTrust()).trust)
    assert verify(["--trust", str(trust), *map(str, files)]) == 0
    leaf = Receipt.decode(files[0].read_bytes()).leaf()
    newest = [north.vault.lines(Side.CUSTODIAN, link)[-1] for link in patients(north)]
    assert {one.anchoring.tx_id for one in newest} == {leaf.tx_id}
    before = len(lines_of(north))
    with pytest.raises(Conflict, match=r"research\.receipts"):
        run_on_own(north, asked(tmp_path, COUNT, "more.csv", receipts=str(folder)))
    assert len(lines_of(north)) == before
    assert not (tmp_path / "more.csv").exists()


def test_a_purpose_reads_what_the_policy_lets_it(north, tmp_path):
    with_hiv = TABLE | {
        "columns": [
            {"kind": "reduce", "name": "hiv", "view": "conditions", "by": "exists", "levels": ["0", "1"],
             "where": [{"column": "code", "codes": [HIV]}]},
        ],
        "cohort": "hiv", "statistic": {"kind": "count"},
    }  # fmt: skip
    assert run_on_own(north, asked(tmp_path, with_hiv)).persons == 0
    assert run_on_own(north, asked(tmp_path, with_hiv, "care.csv", purpose="TREAT")).persons == 2
    assert run_on_own(north, asked(tmp_path, COUNT, "other.csv", purpose="HMARKT")).records == 0


def test_a_person_needs_a_credential_for_the_purpose(north, tmp_path):
    nurse = Caller(Kind.PERSON, "north", "nurse-1", "nurse", ("TREAT",))
    before = len(lines_of(north))
    with pytest.raises(Forbidden, match=r"person\.purpose"):
        run_on_own(north, asked(tmp_path, COUNT), caller=nurse)
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(Conflict):
        run_on_own(north, asked(tmp_path, COUNT, "there.csv"))
    with pytest.raises(Malformed, match=r"research\.query"):
        run_on_own(north, asked(tmp_path, COUNT | {"statistic": {"kind": "extract"}}))
    assert len(lines_of(north)) == before
    assert (tmp_path / "there.csv").read_text() == "mine"
