"""One organisation alone: documents checked, figures against planted effects, hostile documents refused by place."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import jsonschema_rs
import numpy as np
import pytest

from salus.agreements.research import models
from salus.agreements.research.document import QueryRefused, read, schema
from salus.node.config import Config
from salus.node.errors import Conflict, Malformed, NotFound, Unavailable
from salus.node.local import Bare
from salus.node.research import alone, check_query, figures, run_alone, show_query_schema
from salus.node.research.alone import CheckQuery, RunQuery, ShowQuerySchema

SAMPLES = Path(__file__).parents[3] / "samples" / "research"
QUERY = json.loads((SAMPLES / "query.json").read_text())
BINNED = {
    "kind": "derive",
    "name": "age_group",
    "op": "bins",
    "of": ["age_days"],
    "edges": [14610, 21915],
    "levels": ["under 40", "40 to 59", "60 and over"],
}


@pytest.fixture
def node(tmp_path):
    return Bare(Config(data=str(tmp_path / "data")))


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "fhir"
    folder.mkdir()
    (folder / "people.ndjson.gz").write_bytes((SAMPLES / "north.ndjson.gz").read_bytes())
    return folder


def asked(statistic=None, columns=(), **changes):
    document = QUERY | changes | {"columns": [*QUERY["columns"], *columns]}
    return json.dumps(document | ({"statistic": statistic} if statistic else {})).encode()


def own(statistic=None, columns=(), **changes):
    resources = map(json.loads, gzip.decompress((SAMPLES / "north.ndjson.gz").read_bytes()).splitlines())
    return figures.frame(read(asked(statistic, columns, **changes)), resources)


def run(node, files, query, name="out.csv"):
    return run_alone(node, RunQuery(query=query, input=str(files), output=str(files.parent / name)))


@pytest.mark.parametrize("name", ["out.csv", "out.ndjson", "out.parquet"])
def test_the_planted_effects_are_found_and_written(node, files, name):
    done = run(node, files, asked(), name)
    assert (done.persons, done.lines) == (400, 3)
    with duckdb.connect() as database:
        told = database.execute(f"SELECT term, estimate, standard_error FROM '{files.parent / name}'").fetchall()
    planted = {"constant": -5, "age_days": 0.08 / 365.25, "smoker=1": 0.7}
    assert {term: abs(estimate - planted[term]) < 3 * error for term, estimate, error in told} == dict.fromkeys(
        planted, True
    )


def test_a_table_holds_every_declared_cell_and_all_persons():
    lines = figures.figures(own({"kind": "table", "by": ["gender", "age_group"]}, [BINNED]))
    assert len(lines) == 6
    assert sum(line["count"] for line in lines) == 400
    assert {line["age_group"] for line in lines} == set(BINNED["levels"])


def test_counts_means_and_cohorts_agree():
    (everyone,) = figures.figures(own({"kind": "count"}))
    (smokers,) = figures.figures(own({"kind": "count"}, cohort="smoker"))
    not_smoking = {"kind": "derive", "name": "clean", "op": "not", "of": ["smoker"], "levels": ["0", "1"]}
    (others,) = figures.figures(own({"kind": "count"}, [not_smoking], cohort="clean"))
    assert smokers["count"] + others["count"] == everyone["count"] == 400
    (mean,) = figures.figures(own({"kind": "mean", "of": "age_days"}))
    assert mean["sum"] == pytest.approx(mean["mean"] * mean["count"])
    assert 40 < mean["mean"] / 365.25 < 65


def test_least_squares_and_cox_run_on_a_frame():
    fit = figures.figures(own({"kind": "ols", "outcome": "age_days", "on": ["gender", "smoker"]}))
    assert [line["term"] for line in fit] == ["constant", "gender=male", "smoker=1"]
    hazard = figures.figures(own({"kind": "cox", "time": "age_days", "event": "hypertension", "on": ["smoker"]}))
    assert [line["term"] for line in hazard] == ["smoker=1"]


def column(name, by, **more):
    return {"kind": "reduce", "name": name, "view": "pressures", "by": by, "bounds": [0, 100]} | more


PRESSURES = {
    "resourceType": "ViewDefinition",
    "name": "pressures",
    "resource": "Observation",
    "status": "active",
    "select": [
        {
            "column": [
                {"name": "patient", "path": "subject.getReferenceKey(Patient)"},
                {"name": "value", "path": "value.ofType(Quantity).value"},
                {"name": "at", "path": "effective.ofType(dateTime)"},
            ]
        }
    ],
}


def observed(patient, value, at):
    quantity = {"value": value} if value is not None else {}
    subject = {"reference": f"Patient/{patient}"}
    return {"resourceType": "Observation", "subject": subject, "effectiveDateTime": at, "valueQuantity": quantity}


def test_every_reduction_is_what_its_name_says():
    people = [{"resourceType": "Patient", "id": each} for each in ("a", "b")]
    seen = [observed("a", 30, "2024-01-02"), observed("a", 10, "2024-01-01"), observed("a", 500, "2024-01-03")]
    reductions = [
        column(by, by, column="value", **({"order": "at"} if by in ("first", "last") else {}))
        for by in ("first", "last", "min", "max", "mean", "sum")
    ]
    late = column("late", "count", where=[{"column": "at", "since": "2024-01-02", "before": "2024-01-03"}])
    high = column("high", "count", where=[{"column": "value", "at_least": 30, "at_most": 400}])
    filled = column("filled", "min", column="value", missing=7)
    columns = [*reductions, late, high, filled]
    views = [QUERY["views"][0], PRESSURES]
    found = {}
    for each in columns:
        document = {"format": 1, "title": "t", "persons": "persons", "views": views, "columns": [each]}
        query = json.dumps(document | {"statistic": {"kind": "mean", "of": each["name"]}}).encode()
        found[each["name"]] = list(figures.frame(read(query), people + seen).numbers(each["name"]))
    assert found == {
        "first": [10],
        "last": [100],  # moved to its bound
        "min": [10],
        "max": [100],
        "mean": [100],
        "sum": [100],
        "late": [1, 0],
        "high": [1, 0],
        "filled": [10, 7],
    }


def change(place, **fields):
    columns = [dict(each) for each in QUERY["columns"]]
    columns[place] |= fields
    return QUERY | {"columns": columns}


def added(**fields):
    base = {"kind": "derive", "name": "new", "op": "not", "of": ["smoker"], "levels": ["0", "1"]}
    return QUERY | {"columns": [*QUERY["columns"], base | fields]}


HOSTILE = [
    (QUERY | {"sql": "DROP TABLE x"}, "unknown field"),
    (QUERY | {"persons": "nobody"}, "views"),
    (QUERY | {"views": [QUERY["views"][0] | {"name": 'a"; DROP'}], "persons": "persons"}, "views[0].name"),
    (change(0, name='x" FROM y'), "name"),
    (change(1, name="gender"), "columns[1].name"),
    (change(0, levels=None), "columns[0]: exactly one"),
    (change(0, levels=["a", "a"]), "columns[0].levels"),
    (change(2, bounds=[5, 5]), "columns[2].bounds"),
    (change(2, missing="drop it"), "columns[2].missing"),
    (change(0, view="none"), "columns[0].view"),
    (change(0, column=""), "columns[0].column"),
    (change(0, order="born"), "columns[0].order"),
    (change(0, by="sum"), "columns[0].bounds"),
    (change(3, levels=["no", "yes"]), "columns[3].levels"),
    (added(of=["nothing"]), "columns[5].of"),
    (added(of=[]), "columns[5].of"),
    (added(of=["gender"]), "columns[5].of"),
    (added(op="days", of=["age_days", "born"]), "columns[5].of: days"),
    (added(op="minus", of=["age_days", "gender"]), "columns[5].of: minus"),
    (added(op="minus", of=["age_days", "age_days"]), "columns[5].bounds"),
    (added(op="bins", of=["age_days"], edges=[2, 1]), "columns[5].edges"),
    (added(op="at-most", of=["age_days"], levels=["x"]), "columns[5].levels"),
    (QUERY | {"cohort": "gender"}, "cohort"),
    (QUERY | {"statistic": {"kind": "table", "by": ["age_days"]}}, "statistic.by"),
    (QUERY | {"statistic": {"kind": "mean", "of": "gender"}}, "statistic.of"),
    (QUERY | {"statistic": {"kind": "logistic", "outcome": "gender", "on": ["smoker"]}}, "statistic.outcome"),
    (QUERY | {"statistic": {"kind": "ols", "outcome": "gender", "on": ["smoker"]}}, "statistic.outcome"),
    (QUERY | {"statistic": {"kind": "ols", "outcome": "age_days", "on": ["born"]}}, "statistic.on"),
    (QUERY | {"statistic": {"kind": "cox", "time": "gender", "event": "smoker", "on": ["smoker"]}}, "statistic.time"),
    (change(0, column="nowhere"), "columns[0]: view persons has no column"),
    (
        QUERY
        | {
            "views": [QUERY["views"][0] | {"select": [{"column": [{"name": "id", "path": "id"}]}]}, *QUERY["views"][1:]]
        },
        "no column patient",
    ),
    (
        QUERY
        | {
            "views": [
                QUERY["views"][0] | {"select": [{"column": [{"name": "id", "path": "a.b("}]}]},
                *QUERY["views"][1:],
            ]
        },
        "views[0]",
    ),
]


@pytest.mark.parametrize(("document", "place"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_document_is_refused_with_its_place(node, files, document, place):
    found = check_query(node, CheckQuery(query=json.dumps(document).encode()))
    assert not found.sound
    assert place in found.faults[0]
    with pytest.raises(Malformed, match=r"research\.query"):
        run(node, files, json.dumps(document).encode())
    assert not (files.parent / "out.csv").exists()


def test_a_literal_cannot_leave_its_quotes():
    wild = "x') OR 1=1 --"
    filtered = {"kind": "reduce", "name": "wild", "view": "conditions", "by": "exists", "levels": ["0", "1"]}
    frame = own({"kind": "count"}, [filtered | {"where": [{"column": "code", "codes": [wild]}]}], cohort="wild")
    assert frame.count == 0


def test_a_sound_document_is_tried_on_the_sample(node):
    found = check_query(node, CheckQuery(query=asked()))
    assert (found.sound, found.columns, found.lines) == (True, ("hypertension", "age_days", "smoker"), 3)
    no_fit = check_query(node, CheckQuery(query=asked(cohort="hypertension")))
    assert (no_fit.sound, no_fit.lines) == (True, 0)
    assert "sample" in no_fit.faults[0]


def test_an_extract_is_checked_by_what_may_leave(node):
    found = check_query(node, CheckQuery(query=asked({"kind": "extract", "views": ["conditions"]})))
    leaving = ("persons.patient", "persons.gender", "persons.born", "conditions.patient", "conditions.code")
    assert (found.sound, found.columns, found.lines) == (True, leaving, 400)
    women = {"kind": "reduce", "name": "women", "view": "persons", "by": "exists", "levels": ["0", "1"]}
    women["where"] = [{"column": "gender", "codes": ["female"]}]
    older = {
        "kind": "derive",
        "name": "older",
        "op": "bins",
        "of": ["age_days"],
        "edges": [14610],
        "levels": ["0", "1"],
    }
    tried = {
        one["name"]: check_query(node, CheckQuery(query=asked({"kind": "extract"}, [one], cohort=one["name"]))).lines
        for one in (women, older)
    }
    assert 0 < tried["women"] < 400
    assert own({"kind": "count"}, [older], cohort="older").count > 0
    assert tried["older"] == 0  # of what may leave, no record tells a day of birth
    named = {**QUERY["views"][0], "select": [{"column": [
        {"name": "patient", "path": "getResourceKey()"}, {"name": "name", "path": "name.family.first()"}
    ]}]}  # fmt: skip
    refused = check_query(node, CheckQuery(query=json.dumps(
        QUERY | {"views": [named, *QUERY["views"][1:]], "columns": [], "statistic": {"kind": "extract"}}
    ).encode()))  # fmt: skip
    assert not refused.sound
    assert "views[0].select[0].column[1].path" in refused.faults[0]


def test_what_cannot_be_run_says_why(node, files, tmp_path, monkeypatch):
    with pytest.raises(Malformed, match=r"research\.output"):
        run(node, files, asked(), "out.xlsx")
    (tmp_path / "out.csv").write_text("mine")
    with pytest.raises(Conflict):
        run(node, files, asked())
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NotFound):
        run(node, empty, asked(), "e.csv")
    with pytest.raises(NotFound):
        run(node, tmp_path / "nowhere", asked(), "e.csv")
    with pytest.raises(Malformed, match=r"research\.figures"):
        run(node, files, asked(cohort="hypertension"), "e.csv")
    (files / "broken.ndjson").write_text("{")
    with pytest.raises(Malformed, match=r"file 1 of 2"):
        run(node, files, asked(), "e.csv")
    monkeypatch.setattr(alone, "NEEDED", ("no_such_library",))
    with pytest.raises(Unavailable, match=r"salus-health\[research\]"):
        run(node, files, asked(), "e.csv")


def test_json_files_and_bundles_are_read(node, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps({"resourceType": "Patient", "id": "a"}))
    bundle = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "id": "b"}}, {}]}
    (folder / "two.json").write_text(json.dumps(bundle))
    done = run(node, folder, asked({"kind": "count"}))
    assert done.figures == ({"count": 2},)


def test_an_oversized_or_broken_document_is_refused():
    for data in (b" " * (1 << 18) + b" ", b"\xff", b"[" * 5000):
        with pytest.raises(QueryRefused):
            read(data)


def test_the_schema_takes_what_is_read_and_refuses_what_is_not(node):
    shown = json.loads(show_query_schema(node, ShowQuerySchema()).query)
    assert shown == json.loads(json.dumps(schema()))
    jsonschema_rs.meta.validate(shown)
    valid = jsonschema_rs.validator_for(shown)
    sound = json.loads(asked({"kind": "count"}, [BINNED]))
    assert valid.is_valid(sound)
    assert valid.is_valid(QUERY)
    first, *rest = sound["columns"]
    for change in (
        {"extra": 1},
        {"format": 2},
        {"persons": "Not A Name"},
        {"persons": "name\n"},
        {"index_date": "yesterday"},
        {"views": []},
        {"statistic": {"kind": "sql", "text": "SELECT 1"}},
        {"statistic": {"kind": "mean"}},
        {"columns": [first | {"bounds": [0, 1e16]}, *rest]},
        {"columns": [first | {"kind": "code"}, *rest]},
    ):
        wrong = sound | change
        assert not valid.is_valid(wrong), change
        with pytest.raises(QueryRefused):
            read(json.dumps(wrong).encode())


def test_sql_that_takes_too_long_is_ended():
    with duckdb.connect(":memory:") as database:
        long = "SELECT sum(a.range * b.range) AS n FROM range(300000) a, range(100000) b"
        with pytest.raises(QueryRefused, match="longer than"):
            figures.fetched(database, long, seconds=0.05)
        assert figures.fetched(database, "SELECT 7 AS n")["n"].tolist() == [7]
        with pytest.raises(QueryRefused, match="CatalogException"):
            figures.fetched(database, "SELECT * FROM nothing")


def test_the_database_reaches_no_file(tmp_path):
    """What the frame's SQL could name: external access is off and stays off."""
    with figures.private_tables() as database:
        with pytest.raises(duckdb.PermissionException):
            database.execute(f"COPY (SELECT 1) TO '{tmp_path}/x.csv'")
        with pytest.raises(duckdb.InvalidInputException):
            database.execute("SET enable_external_access = true")
        # two threads would add fractions in the order in which they come, and a question could have two answers
        assert database.execute("SELECT current_setting('threads')").fetchone() == (1,)


def test_frames_at_the_same_time_see_nothing_of_each_other():
    with figures.private_tables() as one, figures.private_tables() as other:
        one.execute("CREATE TEMP TABLE view_persons AS SELECT 'a' AS patient")
        with pytest.raises(duckdb.CatalogException):
            other.execute("SELECT * FROM view_persons")
        other.interrupt()
        assert one.execute("SELECT patient FROM view_persons").fetchall() == [("a",)]
    with figures.private_tables() as later, pytest.raises(duckdb.CatalogException):
        later.execute("SELECT * FROM view_persons")
    document = read(asked({"kind": "count"}))
    rows = [[{"resourceType": "Patient", "id": f"p{n}"} for n in range(each)] for each in (3, 50, 700)]
    with ThreadPoolExecutor(3) as pool:
        assert [one.count for one in pool.map(lambda each: figures.frame(document, each), rows)] == [3, 50, 700]


def test_a_frame_agrees_with_a_model_by_hand():
    frame = own()
    design = np.column_stack([np.ones(400), frame.numbers("age_days"), frame.numbers("smoker")])
    fit = models.newton(models.logistic(design, frame.numbers("hypertension")), 3)
    told = figures.figures(frame)
    assert [line["estimate"] for line in told] == pytest.approx(list(fit.coefficients))


FOLLOWED = {
    "resourceType": "ViewDefinition",
    "name": "followed",
    "resource": "Observation",
    "status": "active",
    "where": [{"path": "code.coding.exists(code = 'follow-up-years')"}],
    "select": [
        {
            "column": [
                {"name": "patient", "path": "subject.getReferenceKey(Patient)"},
                {"name": "years", "path": "value.ofType(integer)"},
            ]
        }
    ],
}
YEARS = {"kind": "reduce", "name": "years", "view": "followed", "by": "max", "column": "years", "bounds": [0, 3]}
YEAR = {"kind": "derive", "name": "year", "op": "bins", "of": ["years"], "edges": [1.5, 2.5], "levels": ["1", "2", "3"]}
STROKE = {
    "kind": "reduce",
    "name": "stroke",
    "view": "conditions",
    "by": "exists",
    "where": [{"column": "code", "codes": ["230690007"]}],
    "levels": ["0", "1"],
}


def test_a_histogram_tells_its_quartiles_and_is_written(node, files):
    lines = figures.figures(own({"kind": "histogram", "of": "age_group"}, [BINNED]))
    assert sum(line["count"] for line in lines if "count" in line) == 400
    assert [line["quantile"] for line in lines if "quantile" in line] == [0.25, 0.5, 0.75]
    assert {line["age_group"] for line in lines} <= set(BINNED["levels"])
    done = run(node, files, asked({"kind": "histogram", "of": "age_group"}, [BINNED]))
    assert done.lines == len(lines)


def test_a_survival_curve_is_that_of_its_table():
    statistic = {"kind": "survival", "time": "year", "event": "stroke"}
    views = [*QUERY["views"], FOLLOWED]
    lines = figures.figures(own(statistic, [YEARS, YEAR, STROKE], views=views))
    frame = own({"kind": "table", "by": ["year", "stroke"]}, [YEARS, YEAR, STROKE], views=views)
    counts = {(line["year"], line["stroke"]): line["count"] for line in figures.figures(frame)}
    at_risk, expected = 400, 1.0
    for line in lines:
        died, left = counts[line["year"], "1"], counts[line["year"], "0"]
        expected *= 1 - died / at_risk
        assert (line["at_risk"], line["survival"]) == (at_risk, pytest.approx(expected))
        at_risk -= died + left
    assert [line["survival"] for line in lines] == pytest.approx([0.7, 0.49, 0.34], abs=0.1)
