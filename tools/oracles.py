# ruff: noqa: INP001 -- a script, not a package
"""Write what independent programs say, for tests to hold Salus's figures to: `python tools/oracles.py WHICH > FILE`.

lifelines, dp-accounting and Spark bring some hundred MB of libraries that nothing else here uses, so the tests keep their figures.
Each in a place of its own: `pip install --target DIR lifelines==0.30.3`, then `PYTHONPATH=DIR python tools/oracles.py cox`.
"""

import json
import math
import random
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final

import numpy as np

SETS, CUSTODIANS, ROWS, WIDTH = 6, 4, 20, 3
RHOS: Final = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
DELTAS: Final = (1e-5, 1e-6, 1e-9)


def cox() -> dict[str, Any]:
    """Return data sets with ties and strata, and lifelines' stratified fits, run until a step changes nothing (its default stops at 1e-5)."""
    from lifelines import CoxPHFitter  # noqa: PLC0415 -- only where it was installed
    from pandas import DataFrame  # noqa: PLC0415

    sets = []
    for seed in range(SETS):
        rng = np.random.default_rng(seed)
        rows = CUSTODIANS * ROWS
        design = np.round(rng.uniform(-1, 1, (rows, WIDTH)), 3)
        time = np.ceil(rng.exponential(np.exp(-design @ np.linspace(-0.5, 0.8, WIDTH))) * 5)
        event = rng.uniform(size=rows) < 0.7
        names = [f"x{place}" for place in range(WIDTH)]
        data = DataFrame(design, columns=names).assign(time=time, event=event, site=np.repeat(range(CUSTODIANS), ROWS))
        fit = CoxPHFitter().fit(
            data, "time", "event", strata=["site"], fit_options={"precision": 1e-20, "r_precision": 1e-20}
        )
        sets.append(
            {
                "design": design.tolist(),
                "time": time.astype(int).tolist(),
                "event": event.astype(int).tolist(),
                "coefficients": fit.params_.tolist(),
                "covariance": fit.variance_matrix_.to_numpy().tolist(),
                "likelihood": float(fit.log_likelihood_),
            }
        )
    return {"made_by": f"lifelines {version('lifelines')}", "custodians": CUSTODIANS, "sets": sets}


def privacy() -> dict[str, Any]:
    """Return epsilon of Gaussian noise by privacy loss distributions: of one answer, and of many discrete ones."""
    from dp_accounting.pld import privacy_loss_distribution as pld  # noqa: PLC0415 -- only where it was installed

    one = [
        [rho, delta, pld.from_gaussian_mechanism(math.sqrt(0.5 / rho)).get_epsilon_for_delta(delta)]
        for rho in RHOS
        for delta in DELTAS
    ]
    many = []
    for variance, questions in ((100, 2), (100, 50), (25, 10), (4, 8)):
        answers = pld.from_discrete_gaussian_mechanism(math.sqrt(variance)).self_compose(questions)
        many += [[variance, questions, delta, answers.get_epsilon_for_delta(delta)] for delta in DELTAS]
    return {"made_by": f"dp-accounting {version('dp-accounting')}", "one": one, "many": many}


TEXTS: Final = (
    "7", "-2.5", "1.0E2", "1e-1", "12", "3", "3.0", "+4", " 5", "6d", "0x1p3", "nan", "inf", "1e999", "1_000", "", "other", "it's", "a\\b", "\\'", '"q"', None,
)  # fmt: skip
DAYS: Final = (
    "2024-02-29", "2024-03-01", "1899-12-31", "2000-01-01T10:00:00Z", "2023-07-09T23:59:59.5+02:00", "2024-02", "1970", "2024-13-01",
    "2023-02-29", "2024-2-9", "0001-01-01", "9999-12-31", "", None,
)  # fmt: skip
_B: Final = ["0", "1"]
QUESTIONS: Final = (
    *({"kind": "reduce", "name": by, "view": "events", "by": by, "column": "value", "bounds": [-50, 50]} for by in ("min", "max", "mean", "sum")),
    {"kind": "reduce", "name": "count", "view": "events", "by": "count", "bounds": [0, 4]},
    {"kind": "reduce", "name": "none", "view": "events", "by": "max", "column": "value", "bounds": [-50, 50], "missing": 3.25,
     "where": [{"column": "code", "codes": ["nobody's"]}]},
    *({"kind": "reduce", "name": f"{by}_number", "view": "events", "by": by, "column": "value", "order": "at", "bounds": [-9, 1000]} for by in ("first", "last")),
    *({"kind": "reduce", "name": f"{by}_text", "view": "events", "by": by, "column": "code", "order": "at",
       "levels": ["it's", "a\\b", "\\'", '"q"', "12"], "missing": "12"} for by in ("first", "last")),
    *({"kind": "reduce", "name": f"{by}_day", "view": "events", "by": by, "column": "at", "date": True} for by in ("min", "max")),
    {"kind": "reduce", "name": "quoted", "view": "events", "by": "exists", "levels": _B, "where": [{"column": "code", "codes": ["it's", "\\'"]}]},
    {"kind": "reduce", "name": "backslash", "view": "events", "by": "exists", "levels": _B, "where": [{"column": "code", "codes": ["a\\b"]}]},
    {"kind": "reduce", "name": "between", "view": "events", "by": "exists", "levels": _B, "where": [{"column": "value", "at_least": 3, "at_most": 12.0}]},
    {"kind": "reduce", "name": "lately", "view": "events", "by": "count", "bounds": [0, 9], "where": [{"column": "at", "since": "2000-01-01", "before": "2024-03"}]},
    {"kind": "reduce", "name": "select", "view": "persons", "by": "max", "column": "group", "levels": ["a", "b"]},
    {"kind": "derive", "name": "days", "op": "days", "of": ["min_day", "max_day"], "bounds": [-4000000, 4000000]},
    {"kind": "derive", "name": "age", "op": "days", "of": ["max_day", "index_date"], "bounds": [-4000000, 4000000]},
    {"kind": "derive", "name": "minus", "op": "minus", "of": ["max", "min"], "bounds": [0, 60]},
    {"kind": "derive", "name": "bins", "op": "bins", "of": ["mean"], "edges": [-1, 0.5, 7], "levels": ["low", "some", "more", "it's much"]},
    {"kind": "derive", "name": "codes", "op": "codes", "of": ["last_text"], "codes": ["it's", "a\\b"], "levels": _B},
    {"kind": "derive", "name": "least", "op": "at-least", "of": ["max"], "value": 7, "levels": _B},
    {"kind": "derive", "name": "most", "op": "at-most", "of": ["min"], "value": -2.5, "levels": _B, "missing": "0"},
    {"kind": "derive", "name": "and", "op": "and", "of": ["least", "quoted"], "levels": _B},
    {"kind": "derive", "name": "or", "op": "or", "of": ["least", "most", "backslash"], "levels": _B},
    {"kind": "derive", "name": "not", "op": "not", "of": ["least"], "levels": _B},
)  # fmt: skip
"""Columns of every kind, under names that are words of SQL."""


def spark() -> dict[str, Any]:
    """Return tables with texts that engines read differently, and the frames that Spark makes of them, one for each column."""
    from pyspark.sql import SparkSession, types  # noqa: PLC0415 -- only where it was installed

    from salus.agreements.research.document import read  # noqa: PLC0415 -- for this alone
    from salus.agreements.research.frame import column_of, compile_frame, table  # noqa: PLC0415 -- the same

    rng = random.Random(1)  # noqa: S311 -- the same tables each time
    persons = [[f"p{number:02}", rng.choice(["a", "b", "c", None])] for number in range(40)]
    events = [[f"p{rng.randrange(50):02}", rng.choice(TEXTS), rng.choice(TEXTS), rng.choice(DAYS)] for _ in range(400)]
    tables = {
        "persons": {"columns": ["patient", "group"], "rows": persons},
        "events": {"columns": ["patient", "code", "value", "at"], "rows": events},
    }
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "America/New_York",
    }
    made = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        made = made.config(name, value)
    session = made.getOrCreate()
    for name, told in tables.items():
        typed = types.StructType([types.StructField(column_of(one), types.StringType()) for one in told["columns"]])
        session.createDataFrame(told["rows"], typed).createOrReplaceTempView(table(name))
    views = [
        {"resourceType": "ViewDefinition", "name": name, "resource": "Basic", "status": "active",
         "select": [{"column": [{"name": one, "path": "id"} for one in told["columns"]]}]}
        for name, told in tables.items()
    ]  # fmt: skip
    document = {
        "format": 1,
        "title": "All",
        "index_date": "2024-07-01",
        "persons": "persons",
        "views": views,
        "columns": QUESTIONS,
    }
    frames = []
    for one in QUESTIONS:
        if "date" not in one:
            name = one["name"]
            statistic = {"kind": "mean", "of": name} if "bounds" in one else {"kind": "table", "by": [name]}
            query = read(json.dumps(document | {"statistic": statistic}).encode())
            sql = compile_frame(query, {each: tuple(told["columns"]) for each, told in tables.items()})
            frames.append({"statistic": statistic, "rows": [list(row) for row in session.sql(sql).collect()]})
    return {"made_by": f"Spark {session.version}", "tables": tables, "document": document, "frames": frames}


PATHS: Final = (
    "id", "gender", "active", "birthDate", "name.family", "name.given", "telecom.value", "identifier.value", "name.first().family",
    "contact.relationship.coding.code", "maritalStatus.coding.first().code", "name.where(use = 'official').given.first()",
    "telecom.where(system = 'phone').exists()", "address.line.first()", "name.count()", "deceased.ofType(boolean)",
)  # fmt: skip
LISTS: Final = {
    "name": ("family", "given", "use", "given.first()", "given.count()"),
    "telecom": ("system", "value", "use", "rank"),
    "identifier": ("system", "value"),
    "contact": ("relationship.coding.code", "name.family", "gender"),
    "address": ("city", "line", "postalCode"),
    "communication": ("language.coding.code", "preferred"),
}
CONDITIONS: Final = (
    "active", "gender = %sex", "name.exists()", "birthDate < @1980-01-01", "telecom.count() > 1", "contact.empty()", "active = true",
)  # fmt: skip
PEOPLE: Final = (
    {
        "resourceType": "Patient", "id": "a", "active": True, "gender": "female", "birthDate": "1974-12-25",
        "name": [{"use": "official", "family": "Weber", "given": ["Anna", "Maria"]}, {"use": "usual", "given": ["Anni"]}],
        "telecom": [{"system": "phone", "value": "030 1", "use": "home", "rank": 1}, {"system": "email", "value": "a@example.org"}],
        "identifier": [{"system": "urn:mrn", "value": "1"}, {"system": "urn:card", "value": "X1"}],
        "contact": [{"relationship": [{"coding": [{"code": "N"}]}], "name": {"family": "Weber"}, "gender": "male"}],
        "maritalStatus": {"coding": [{"code": "M"}]},
    },
    {
        "resourceType": "Patient", "id": "b", "active": False, "gender": "male", "birthDate": "1990-02",
        "name": [{"use": "official", "family": "Kaya", "given": ["Deniz"]}], "deceasedBoolean": False,
        "address": [{"city": "Berlin", "line": ["Hof 1", "Haus 2"], "postalCode": "10115"}, {"city": "Bonn"}],
        "communication": [{"language": {"coding": [{"code": "tr"}, {"code": "TUR"}]}, "preferred": True}],
    },
    {"resourceType": "Patient", "id": "c", "gender": "male", "name": [{"given": ["Jo"]}]},
)  # fmt: skip


def views() -> dict[str, Any]:
    """Return random views over a few persons, and the rows that sqlonfhir gives; none where it refuses the view."""
    import sqlonfhir  # noqa: PLC0415 -- only where it was installed

    rng, cases = random.Random(1), []  # noqa: S311 -- the same views each time
    for _ in range(150):
        view = _view(rng)
        try:
            rows = sqlonfhir.evaluate(json.loads(json.dumps(PEOPLE)), json.loads(json.dumps(view)))
        except Exception:  # noqa: BLE001 -- it raises what it meets
            rows = None
        cases.append({"view": view, "rows": rows})
    return {"made_by": f"sqlonfhir {version('sqlonfhir')}", "resources": PEOPLE, "cases": cases}


def _view(rng: random.Random) -> dict[str, Any]:
    names = (f"c{number}" for number in range(99))
    select = [{"column": _columns(rng, names, PATHS)}]
    for _ in range(rng.randint(0, 2)):
        path = rng.choice([*LISTS])
        part: dict[str, Any] = {
            rng.choice(["forEach", "forEachOrNull"]): path,
            "column": _columns(rng, names, LISTS[path]),
        }
        if path == "name" and rng.random() < 0.5:
            part["select"] = [{"forEach": "given", "column": [{"name": next(names), "path": "$this"}]}]
        select.append(part)
    if rng.random() < 0.3:
        same = next(names)
        branches = [{"forEach": path, "column": [{"name": same, "path": LISTS[path][0], "collection": True}]}
                    for path in rng.sample([*LISTS], 2)]  # fmt: skip
        select.append({"unionAll": branches})
    view: dict[str, Any] = {"resource": "Patient", "status": "active", "select": select}
    if rng.random() < 0.4:
        view["where"] = [{"path": rng.choice(CONDITIONS)}]
    return view | {"constant": [{"name": "sex", "valueCode": "male"}]}


def _columns(rng: random.Random, names: Iterator[str], paths: tuple[str, ...]) -> list[dict[str, Any]]:
    some = rng.sample(paths, rng.randint(1, 2))
    return [{"name": next(names), "path": path, "collection": rng.random() < 0.6} for path in some]


if __name__ == "__main__":
    json.dump(
        {"cox": cox, "privacy": privacy, "spark": spark, "views": views}[sys.argv[1]](),
        sys.stdout,
        separators=(",", ":"),
    )
    sys.stdout.write("\n")
