"""Derivations that terms declare, and analysis of covariance: by hand, against `statsmodels`, and what is refused."""

import copy
import datetime as dt
import json
import math
import random
from decimal import Decimal

import numpy as np
import pytest
from statsmodels.regression.linear_model import OLS

from salus.agreements.trials.analysis import NotAnalysed, Table, run
from salus.agreements.trials.covariance import Model, Observed
from salus.agreements.trials.locked import tables_of
from salus.agreements.trials.terms import analyses_of, analysis_digest, check_terms, read_terms
from salus.interop.cdisc.ars import read_event

from . import sample

DECLARED = {
    "reference": "base",
    "populations": [
        {"name": "SAFFL", "all": [{"item": "ENROLMENT"}, {"item": "DOSE", "first": 1}]},
        {"name": "EFFFL", "all": [{"item": "PAIN", "last": 1}, {"item": "PAIN", "first": 2}]},
        {
            "name": "EARLYFL",
            "all": [{"item": "ENDED", "values": ["adverse event"]}],
            "none": [{"item": "VISIT", "visit": "week4"}],
        },
    ],
    "pool_sites_below": 1,
    "items": ["PAIN"],
    "windows": [
        {"name": "Week 2", "first": 2, "last": 21, "target": 15},
        {"name": "Week 4", "first": 22, "last": 60, "target": 29},
    ],
    "carry_forward": True,
}


def terms(**changes):
    told = json.loads(sample.part("terms-1")) | {"derivations": DECLARED | changes}
    return read_terms(json.dumps(told).encode())


def locked(values, arms, **changes):
    """Return tables of (site, subject, visit, item, value, day of the trial) each; the reference is 1 January."""
    rows = [
        [
            site,
            subject,
            visit,
            "measure",
            "1",
            item,
            value,
            1,
            (dt.date(2025, 12, 31) + dt.timedelta(days=day)).isoformat(),
        ]
        for site, subject, visit, item, value, day in values
    ]
    rows += [
        [site, subject, "base", "", "", "VISIT", "2026-01-01", 1, "2026-01-01"]
        for site, subject in {one[:2] for one in values}
    ]
    return tables_of(sorted(json.dumps(row).encode() for row in rows), arms, "base", terms(**changes).derivations)


def test_the_value_nearest_to_the_target_counts_and_an_empty_window_takes_the_one_before():
    told = locked(
        [
            ("north", "01", "screen", "PAIN", "9", -6),
            ("north", "01", "base", "PAIN", "8", 1),
            ("north", "01", "week2", "PAIN", "5", 14),
            ("north", "01", "u-1", "PAIN", "4", 16),
            ("north", "02", "base", "PAIN", "7", 1),
            ("north", "02", "week4", "PAIN", "6.5", 22),
            ("north", "03", "week2", "PAIN", "ND", 14),
            ("north", "03", "week2", "PULSE", "70", 14),
        ],
        {},
    )
    found = [
        [row[name] for name in ("USUBJID", "AVISIT", "AVAL", "BASE", "CHG", "DTYPE", "ADAY")]
        for row in told.tables["WINDOWS"].rows
    ]
    written = [[str(each) if not isinstance(each, int) else each for each in row] for row in found]
    assert written == [
        ["north.01", "Week 2", "5", "8", "-3", "", 14],
        ["north.01", "Week 4", "5", "8", "-3", "LOCF", 14],
        ["north.02", "Week 2", "7", "7", "0", "LOCF", 1],
        ["north.02", "Week 4", "6.5", "7", "-0.5", "", 22],
    ]
    assert all(len(each) >= 2 for each in told.places["WINDOWS"])  # the reference, the value, the baseline


def test_without_carry_forward_an_empty_window_has_no_row():
    told = locked(
        [("north", "01", "base", "PAIN", "8", 1), ("north", "01", "week4", "PAIN", "2", 30)], {}, carry_forward=False
    )
    assert [row["AVISIT"] for row in told.tables["WINDOWS"].rows] == ["Week 4"]


def test_populations_and_small_sites_are_columns_of_the_subjects():
    told = locked(
        [
            ("north", "01", "", "ENROLMENT", "aa", 1),
            ("north", "01", "base", "DOSE", "50", 1),
            ("north", "01", "base", "PAIN", "8", 1),
            ("north", "01", "week2", "PAIN", "5", 14),
            ("north", "02", "base", "PAIN", "5", 1),
            ("north", "02", "", "ENDED", "adverse event", 9),
            ("south", "03", "", "ENDED", "adverse event", 40),
            ("south", "03", "week4", "VISIT", "2026-01-29", 29),
        ],
        {("north", "01"): "arm-active", ("north", "02"): "arm-placebo", ("south", "03"): "arm-active"},
    )
    found = {
        row["USUBJID"]: [row[name] for name in ("SITEGR", "SAFFL", "EFFFL", "EARLYFL")]
        for row in told.tables["DM"].rows
    }
    assert found == {
        "north.01": ["north", "Y", "Y", "N"],
        "north.02": ["north", "N", "N", "Y"],
        "south.03": ["POOLED", "N", "N", "N"],
    }


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"reference": "nowhere"}, "no-such-visit"),
        ({"reference": ""}, "no-reference"),
        ({"items": []}, "windows"),
        ({"windows": [{"name": "a", "first": 1, "last": 9, "target": 5}]}, "window"),
        ({"windows": [{"name": "a", "first": 2, "last": 9, "target": 10}]}, "window"),
        (
            {"windows": [DECLARED["windows"][0], DECLARED["windows"][0] | {"first": 22, "last": 30, "target": 25}]},
            "window-twice",
        ),
        ({"populations": [DECLARED["populations"][0]] * 2}, "population-twice"),
        ({"populations": [{"name": "ARM"}]}, "population-twice"),
        ({"populations": [{"name": "A", "none": [{"item": "PAIN", "visit": "nowhere"}]}]}, "no-such-visit"),
    ],
)
def test_derivations_that_cannot_be_run_are_refused_by_path(changes, rule):
    plan, _ = sample.ONE
    found = check_terms(plan, terms(**changes), analyses_of(sample.part("analysis")))
    assert rule in {each.rule for each in found}
    assert all(each.path.startswith("/derivations") for each in found)
    assert check_terms(plan, terms(), analyses_of(sample.part("analysis"))) == ()


def test_what_is_derived_is_part_of_what_the_ledger_holds_of_the_analysis():
    plan = sample.part("analysis")
    one, other = terms(), terms(carry_forward=False)
    assert analysis_digest(plan, one, b"") == analysis_digest(plan, terms(), b"")
    assert analysis_digest(plan, one, b"") != analysis_digest(plan, other, b"")
    assert analysis_digest(plan, read_terms(sample.part("terms-1")), b"") != analysis_digest(plan, one, b"")


# Analysis of covariance --------------------------------------------------------------------------------------------

GROUPS = ("placebo", "low", "high")


def subjects(count=90):
    """Return made-up subjects: group, site, baseline, change."""
    chance = random.Random(7)
    return [
        (at % 3, f"site-{chance.randrange(5)}", round(chance.gauss(20, 5), 1), round(chance.gauss(at % 3, 2), 1))
        for at in range(count)
    ]


def plan_of(parameters, operations, **changes):
    names = [{"id": f"op-{at}", "name": name, "order": at} for at, name in enumerate(operations)]
    analysis = {
        "id": "an",
        "dataset": "ADX",
        "variable": "CHG",
        "methodId": "ancova",
        "orderedGroupings": [
            {"order": 1, "groupingId": "arm", "resultsByGroup": False},
            {"order": 2, "groupingId": "site", "resultsByGroup": False},
        ],
        "programmingCode": {
            "context": "Salus",
            "parameters": [{"name": name, "value": [value]} for name, value in parameters.items()],
        },
    }
    arms = [
        {"id": name, "condition": {"dataset": "ADX", "variable": "ARM", "comparator": "EQ", "value": [name]}}
        for name in GROUPS
    ]
    return read_event(
        json.dumps(
            {
                "analyses": [analysis | changes],
                "methods": [{"id": "ancova", "name": "Analysis of covariance", "operations": names}],
                "analysisGroupings": [
                    {"id": "arm", "groups": arms},
                    {"id": "site", "dataDriven": True, "groupingDataset": "ADX", "groupingVariable": "SITEGR"},
                ],
            }
        ).encode()
    )


def table(told):
    rows = [
        {"USUBJID": str(at), "ARM": GROUPS[group], "SITEGR": site, "BASE": base, "CHG": change}
        for at, (group, site, base, change) in enumerate(told)
    ]
    return {"ADX": Table(tuple({name: number(value) for name, value in row.items()} for row in rows))}


def number(value):
    return Decimal(str(value)) if isinstance(value, float) else value


NUMBERS = (
    "difference of least squares means",
    "standard error",
    "lower confidence limit",
    "upper confidence limit",
    "p-value",
)


def computed(parameters, operations=NUMBERS, told=None, **changes):
    event = plan_of(parameters, operations, **changes)
    return [each.value for each in run(event, event.analyses[0], table(subjects() if told is None else told))]


def reference(told, treatment):
    """Return the fit of `statsmodels`: constant, treatment, sites, baseline."""
    sites = sorted({row[1] for row in told})[1:]
    design = np.array([[1.0, *treatment(row), *[float(row[1] == site) for site in sites], row[2]] for row in told])
    return OLS(np.array([row[3] for row in told]), design).fit()


def test_a_comparison_adjusted_for_site_and_baseline_is_statsmodels():
    fit = reference(subjects(), lambda row: [float(row[0] == 1), float(row[0] == 2)])
    for pair, weights in (
        ({"group": "low", "against": "placebo"}, [0, 1]),
        ({"group": "high", "against": "low"}, [0, -1, 1]),
    ):
        told = fit.t_test(weights + [0] * (len(fit.params) - len(weights)))
        expected = [told.effect[0], told.sd.item(), *told.conf_int()[0], float(told.pvalue)]
        assert computed(pair | {"covariates": "BASE"}) == pytest.approx(expected, rel=1e-9)
    whole = fit.f_test(np.eye(len(fit.params))[1:3])
    assert computed({"covariates": "BASE"}, ["p-value"]) == pytest.approx([float(whole.pvalue)], rel=1e-9)


def test_the_slope_over_doses_is_statsmodels():
    fit = reference(subjects(), lambda row: [(0.0, 54.0, 81.0)[row[0]]])
    told = computed({"covariates": "BASE", "doses": "0, 54, 81"}, ["slope", "standard error", "p-value"])
    assert told == pytest.approx([fit.params[1], fit.bse[1], fit.pvalues[1]], rel=1e-9)


def test_what_the_data_does_not_determine_is_not_estimated():
    confounded = [(group, f"site-{group}", base, change) for group, _, base, change in subjects()]
    assert all(map(math.isnan, computed({"group": "low", "against": "placebo"}, told=confounded)))
    assert math.isnan(computed({}, ["p-value"], told=confounded)[0])
    nobody = [row for row in subjects() if row[0] != 1]
    assert math.isnan(computed({"group": "low", "against": "placebo"}, told=nobody)[0])
    assert not math.isnan(computed({"group": "high", "against": "placebo"}, told=nobody)[0])
    assert math.isnan(computed({"group": "high", "against": "placebo"}, told=[])[0])
    alike = [Observed(1.0, at % 2, (), ()) for at in range(6)]
    assert math.isnan(Model(alike[:2], 2).treatment())


@pytest.mark.parametrize(
    ("parameters", "operations", "changes", "told"),
    [
        ({"group": "low", "against": "nobody"}, NUMBERS, {}, "two groups"),
        ({"group": "low"}, NUMBERS, {}, "two groups"),
        ({"group": "low", "against": "placebo", "doses": "0,1,2"}, NUMBERS, {}, "two groups"),
        ({"doses": "0,1"}, ["slope"], {}, "a number for each group"),
        ({"doses": "0,1,NaN"}, ["slope"], {}, "a number for each group"),
        ({"covariates": "WEIGHT"}, ["p-value"], {}, "no variable WEIGHT"),
        ({}, ["slope"], {}, "needs a comparison"),
        ({"group": "low", "against": "placebo"}, ["mean"], {}, "is not known"),
        (
            {},
            ["p-value"],
            {"orderedGroupings": [{"order": 1, "groupingId": "arm", "resultsByGroup": True}]},
            "in one model",
        ),
    ],
)
def test_a_model_that_is_not_understood_is_refused(parameters, operations, changes, told):
    with pytest.raises(NotAnalysed, match=told):
        computed(parameters, operations, **changes)


def test_two_rows_of_a_subject_are_refused():
    event = plan_of({}, ["p-value"])
    told = table(subjects())
    twice = Table((*told["ADX"].rows, copy.copy(told["ADX"].rows[0])))
    with pytest.raises(NotAnalysed, match="more than one row"):
        run(event, event.analyses[0], {"ADX": twice})
