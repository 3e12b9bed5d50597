"""Dataset-JSON in and out, and the form that a lock covers."""

import gzip
import json

import jsonschema_rs
import pytest

from salus.interop.cdisc.dataset_json import canonical_rows, read_dataset, write_dataset
from salus.interop.cdisc.findings import DocumentRefused
from tests.needs import shared


def table(**changes):
    document = {
        "datasetJSONCreationDateTime": "2026-01-01T00:00:00Z",
        "datasetJSONVersion": "1.1.0",
        "itemGroupOID": "IG.VS",
        "records": 2,
        "name": "VS",
        "label": "Vital Signs",
        "columns": [
            {"itemOID": "IT.ID", "name": "USUBJID", "label": "Subject", "dataType": "string", "keySequence": 1},
            {"itemOID": "IT.V", "name": "VSSTRESN", "label": "Value", "dataType": "float"},
        ],
        "rows": [["1", 1.10], ["2", None]],
    }
    return json.dumps(document | changes).encode()


def refused(data):
    with pytest.raises(DocumentRefused) as refusal:
        read_dataset(data)
    return [(each.rule, each.path) for each in refusal.value.findings]


def test_what_is_written_reads_the_same():
    dataset = read_dataset(table())
    assert read_dataset(write_dataset(dataset)) == dataset


def test_one_line_a_row_reads_the_same():
    document = json.loads(table())
    rows = document.pop("rows")
    lines = "\n".join(json.dumps(each) for each in (document, *rows)).encode() + b"\n"
    assert read_dataset(lines) == read_dataset(table())


def test_the_lock_covers_values_alone():
    locked = canonical_rows(read_dataset(table()))
    assert locked == [
        b'["VS","columns",["USUBJID","VSSTRESN"]]',
        b'["VS","row",["1","1.1"]]',
        b'["VS","row",["2",null]]',
    ]
    assert locked == canonical_rows(read_dataset(table(datasetJSONCreationDateTime="2027-02-03T04:05", label="Vitals")))
    assert canonical_rows(read_dataset(table(rows=[["1", 1.10], ["2", 0]])))[2] == b'["VS","row",["2","0"]]'


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"records": 3}, ("records", "/records")),
        ({"rows": [["1", 1.1], ["2"]]}, ("row-length", "/rows/1")),
        ({"rows": [["1", "1.1"], ["2", None]]}, ("cell-type", "/rows/0/1")),
        ({"datasetJSONVersion": "1.0.0"}, ("shape", "/datasetJSONVersion")),
        ({"extra": 1}, ("shape", "")),
        (
            {"columns": [{"itemOID": "I", "name": "N", "label": "L", "dataType": "number"}]},
            ("shape", "/columns/0/dataType"),
        ),
    ],
)
def test_a_faulty_table_is_refused_by_place(changes, found):
    assert refused(table(**changes)) == [found]


@pytest.mark.parametrize("number", [b"1e999999999", b"-1e-500"])
def test_a_number_that_cannot_be_written_out_is_refused(number):
    assert refused(table().replace(b"1.1]", number + b"]")) == [("cell-type", "/rows/0/1")]
    assert (
        canonical_rows(read_dataset(table().replace(b"1.1]", b"1e20]")))[1]
        == b'["VS","row",["1","100000000000000000000"]]'
    )


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"rows": ' + b"[" * 100_000])
def test_hostile_input_has_a_reason(data):
    assert [rule for rule, _ in refused(data)] in (["shape"], ["depth"])


def altered(document):
    """Yield a document with each of its members, and of those within, left out or of another kind."""
    for place in document if isinstance(document, dict) else range(len(document)):
        for value in (None, 1, "x", [], {}, True, ...):
            copy = dict(document) if isinstance(document, dict) else list(document)
            if value is ...:
                del copy[place]
            else:
                copy[place] = value
            yield copy
        if isinstance(document[place], dict | list):
            for within in altered(document[place]):
                copy = document.copy()
                copy[place] = within
                yield copy


def test_what_is_taken_is_valid_by_cdiscs_schema():
    """What is not given may be null on the way in; it is left out on the way out."""
    schema = json.loads(shared("data/trials/dataset-json/schema/dataset.schema.json").read_bytes())
    valid = jsonschema_rs.validator_for(schema)
    taken = 0
    for document in altered(json.loads(table())):
        try:
            dataset = read_dataset(json.dumps(document).encode())
        except DocumentRefused:
            continue
        taken += 1
        assert valid.is_valid(json.loads(write_dataset(dataset))), document
        assert valid.is_valid(document) or "null" in json.dumps(document), document
    assert taken > 10


@pytest.mark.parametrize("name", ["adsl", "adae", "adtte", "adadas"])
def test_cdiscs_tables_go_in_and_out(name):
    data = gzip.decompress(shared(f"data/trials/dataset-json/adam/{name}.json.gz").read_bytes())
    dataset = read_dataset(data)
    again = read_dataset(write_dataset(dataset))
    assert again == dataset
    assert canonical_rows(again) == canonical_rows(dataset)
