"""Dataset-JSON in and out, and the form that a lock covers."""

import gzip
import json

import pytest

from salus.interop.cdisc.dataset_json import lock_digest, read_dataset, write_dataset
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
    locked = lock_digest(read_dataset(table()))
    assert locked == lock_digest(read_dataset(table(datasetJSONCreationDateTime="2027-02-03T04:05", label="Vitals")))
    assert locked == lock_digest(read_dataset(table(rows=[["2", None], ["1", 1.1]])))
    assert locked != lock_digest(read_dataset(table(rows=[["1", 1.2], ["2", None]])))
    assert locked != lock_digest(read_dataset(table(rows=[["1", 1.1], ["2", 0]])))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"records": 3}, ("records", "/records")),
        ({"rows": [["1", 1.1], ["2"]]}, ("row-length", "/rows/1")),
        ({"rows": [["1", "1.1"], ["2", None]]}, ("cell-type", "/rows/0/1")),
        ({"datasetJSONVersion": "1.0.0"}, ("shape", "$.datasetJSONVersion")),
        ({"extra": 1}, ("shape", "")),
    ],
)
def test_a_faulty_table_is_refused_by_place(changes, found):
    assert refused(table(**changes)) == [found]


@pytest.mark.parametrize("name", ["adsl", "adae", "adtte", "adadas"])
def test_cdiscs_tables_go_in_and_out(name):
    data = gzip.decompress(shared(f"data/trials/dataset-json/adam/{name}.json.gz").read_bytes())
    dataset = read_dataset(data)
    again = read_dataset(write_dataset(dataset))
    assert again == dataset
    assert lock_digest(again) == lock_digest(dataset)
