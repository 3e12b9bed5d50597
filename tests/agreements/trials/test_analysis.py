"""Planned analyses over tables: CDISC's published cells, statistics against other programs, and the rows behind a number."""

import gzip
import json
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import Table as Contingency

from salus.agreements.trials.analysis import (
    NotAnalysed,
    Table,
    anova,
    chi_squared,
    fisher,
    printed,
    quantile,
    run,
)
from salus.agreements.trials.locked import number_of, tables_of
from salus.interop.cdisc.ars import read_event
from salus.interop.cdisc.dataset_json import read_dataset
from salus.interop.cdisc.findings import DocumentRefused
from tests.needs import shared

from . import sample

SWAPPED = "low and high dose are exchanged in what is published; the data have them the other way round"
PATTERN = "published with a decimal that the operation's own pattern (XX) does not have"
QUARTILE = "the published quartile lies at one of the two values that SAS averages"
MEDIAN = "the published median is no quantile of this group by any usual definition"
DISAGREEMENTS = {
    ("An03_04_Ethnic_Summ_ByTrt", ""): (8, SWAPPED),
    ("An03_05_Race_Summ_ByTrt", ""): (12, SWAPPED),
    ("An03_06_Height_Summ_ByTrt", "2_Mean"): (2, SWAPPED),
    ("An03_06_Height_Summ_ByTrt", "7_Min"): (3, PATTERN),
    ("An03_06_Height_Summ_ByTrt", "8_Max"): (3, PATTERN),
    ("An03_06_Height_Summ_ByTrt", "4_Median"): (1, MEDIAN),
    ("An03_01_Age_Summ_ByTrt", "5_Q1"): (1, QUARTILE),
}
"""Cells that differ from what is published, by (analysis, end of the operation's id): how many, and why. None is tuned away."""


def cells():
    data = gzip.decompress(shared("data/trials/ars/common-safety-displays.json.gz").read_bytes())
    event = read_event(data)
    tables = {
        name.upper(): Table.of(
            read_dataset(gzip.decompress(shared(f"data/trials/dataset-json/adam/{name}.json.gz").read_bytes()))
        )
        for name in ("adsl", "adae")
    }
    for told in json.loads(data)["analyses"]:
        if told.get("results"):
            analysis = event.analysis(told["id"])
            found = {(each.operation, each.groups): each for each in run(event, analysis, tables)}
            for cell in told["results"]:
                groups = tuple((each["groupingId"], each.get("groupId", "")) for each in cell["resultGroups"])
                yield told["id"], cell, found[cell["operationId"], groups]


def test_every_published_cell_is_equal_or_named_with_its_cause():
    different = {}
    count = 0
    for analysis, cell, ours in cells():
        count += 1
        same = cell["formattedValue"] == ours.formatted and math.isclose(
            float(cell["rawValue"]), ours.value, rel_tol=1e-6
        )
        if not same:
            key = next(
                (each for each in DISAGREEMENTS if each[0] == analysis and ours.operation.endswith(each[1])),
                (analysis, ours.operation),
            )
            different[key] = different.get(key, 0) + 1
        assert ours.rows or ours.value == 0 or ours.formatted.startswith("0."), "a number without rows"
    assert count == 197
    assert different == {key: number for key, (number, _) in DISAGREEMENTS.items()}


@pytest.mark.parametrize("counts", [[[3, 1], [1, 3]], [[0, 7], [5, 2]], [[12, 30], [40, 3]], [[9, 0], [0, 9]]])
def test_fisher_two_by_two_is_scipys(counts):
    assert fisher(counts) == pytest.approx(stats.fisher_exact(counts).pvalue, abs=1e-12)


def brute(counts):
    """Return Fisher's p-value of a table of three columns by fractions, every table written out."""
    rows, columns = [sum(row) for row in counts], [sum(column) for column in zip(*counts, strict=True)]
    whole = math.prod(map(math.factorial, (*rows, *columns)))

    def weight(table):
        cells = math.prod(math.factorial(cell) for row in table for cell in row)
        return Fraction(whole, cells * math.factorial(sum(rows)))

    ours, total = weight(counts), Fraction(0)
    for a in range(rows[0] + 1):
        for b in range(rows[0] + 1 - a):
            first = (a, b, rows[0] - a - b)
            second = tuple(have - taken for have, taken in zip(columns, first, strict=True))
            if min(second) >= 0 and weight((first, second)) <= ours:
                total += weight((first, second))
    return float(total)


@given(st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=2, max_size=2))
def test_fisher_of_more_columns_is_the_sum_written_out(counts):
    if all(map(any, counts)) and all(map(any, zip(*counts, strict=True))):
        assert fisher(counts) == pytest.approx(brute(counts), abs=1e-9)


def test_a_table_with_too_many_others_is_refused():
    with pytest.raises(NotAnalysed, match="more than"):
        fisher([[40, 41, 42, 43, 44]] * 5)


def test_chi_squared_and_anova_are_statsmodels_and_scipys():
    counts = [[8, 30, 2], [40, 44, 9], [39, 45, 20]]
    assert chi_squared(counts) == pytest.approx(
        Contingency(counts, shift_zeros=False).test_nominal_association().pvalue
    )
    assert chi_squared([[3, 0, 5], [4, 0, 9]]) == pytest.approx(chi_squared([[3, 5], [4, 9]]))
    groups = [[1.0, 2.5, 3.0], [2.0, 4.0, 4.5, 6.0], [9.0, 7.5]]
    assert anova(groups) == pytest.approx(stats.f_oneway(*groups).pvalue)
    assert math.isnan(anova([[1.0], [2.0]]))
    assert math.isnan(anova([[1.0, 1.0], [1.0, 1.0]]))
    assert anova([[1.0, 1.0], [2.0, 2.0]]) == 0.0
    assert math.isnan(chi_squared([[1, 2], [0, 0]]))
    assert fisher([[1, 2], [0, 0]]) == 1.0


def test_numbers_are_printed_by_the_pattern():
    assert printed(8.59017, "(XX.XX)") == "( 8.59)"
    assert printed(86, "(N=XX)") == "(N=86)"
    assert printed(3.0, "XXX") == "3"
    assert printed(0.25, "X.X") == "0.3"
    assert printed(-0.25, "X.X") == "-0.3"
    assert printed(100.0, "( XX.X)") == "( 100.0)"
    assert printed(math.nan, "X.X") == "NE"
    assert printed(1.5, None) == "1.5"
    assert quantile([1, 2, 3, 4], 0.5) == 2.5
    assert quantile([1, 2, 3], 0.25) == 1
    assert math.isnan(quantile([], 0.5))


# Locked rows -------------------------------------------------------------------------------------------------------


def rows():
    """Four subjects, two arms: pain at baseline and week 4, one value that is no number."""
    told = []
    for number, (base, week4) in enumerate([("8", "2"), ("7", "3"), ("6", "6"), ("9", "ND")]):
        for visit, value in (("base", base), ("week4", week4)):
            told.append(["north", f"{number:02d}", visit, "measure", "1", "PAIN", value, 1, "2026-01-01"])
            told.append(["north", f"{number:02d}", visit, "", "", "VISIT", "2026-01-01", 1, "2026-01-01"])
    return tuple(sorted(json.dumps(each).encode() for each in told))


ARMS = {("north", f"{number:02d}"): arm for number, arm in enumerate(["arm-active"] * 2 + ["arm-placebo"] * 2)}


def results(analysis, told=None):
    event, locked = read_event(sample.part("analysis")), tables_of(told or rows(), ARMS, "base")
    planned = event.analysis(analysis)
    return locked, {
        (each.operation, *(group for _, group in each.groups if group)): each
        for each in run(event, planned, locked.tables)
    }


def test_changes_are_computed_from_locked_rows_and_traced_to_them():
    locked, found = results("an-pain-arms")
    assert found["summary-mean", "arm-active"].formatted == "-5.00"
    assert found["summary-n", "arm-placebo"].formatted == "1"
    behind = [locked.places["ITEMS"][at] for at in found["summary-mean", "arm-active"].rows]
    values = [[json.loads(rows()[number])[6] for number in each] for each in behind]
    assert values == [["8", "2"], ["7", "3"]]


def test_a_value_that_changes_changes_its_number():
    changed = tuple(sorted(row.replace(b'"2", 1,', b'"1", 1,') for row in rows()))
    assert results("an-pain-arms", changed)[1]["summary-mean", "arm-active"].formatted == "-5.50"


def test_who_responded_is_counted_and_compared():
    assert results("an-response-arms")[1]["count-n", "arm-active"].formatted == "2"
    assert results("an-response-arms")[1]["count-n", "arm-placebo"].formatted == "0"
    assert results("an-response")[1]["fisher-p",].value == pytest.approx(1 / 3)
    assert math.isnan(results("an-pain")[1]["anova-p",].value) is False


def test_numbers_of_items_are_exact_or_none():
    assert [number_of(each) for each in ("ND", "NaN", "Infinity", "1" * 41, "1e999999999", "1e-99")] == [None] * 6
    assert str(number_of("0.10")) == "0.10"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"methodId": ""}, "has no operations"),
        ({"dataset": "ADSL"}, "no table"),
        ({"methodId": "odd"}, "is not known"),
        ({"methodId": "odd-test", "orderedGroupings": []}, "compares the groups"),
        ({"methodId": "odd-test"}, "is not known"),
        ({"methodId": "share"}, "no denominator"),
        ({"dataSubsetId": "elsewhere"}, "no variable"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(change, told):
    plan = json.loads(sample.part("analysis"))
    plan["methods"] += [
        {"id": "odd", "operations": [{"id": "odd-1", "name": "Geometric mean"}]},
        {"id": "odd-test", "name": "Log-rank", "operations": [{"id": "odd-p", "name": "P-value"}]},
        {"id": "share", "name": "", "operations": [{"id": "share-1", "name": "Percent of subjects"}]},
    ]
    wrong = {"dataset": "ITEMS", "variable": "NOTHING", "comparator": "EQ", "value": [1]}
    plan["dataSubsets"].append({"id": "elsewhere", "condition": wrong})
    plan["analyses"][0] |= change
    event = read_event(json.dumps(plan).encode())
    with pytest.raises(NotAnalysed, match=told):
        run(event, event.analyses[0], tables_of(rows(), ARMS, "base").tables)


@pytest.mark.parametrize(
    ("path", "value", "at"),
    [
        (("analyses", 0, "methodId"), "nothing", "/analyses/0/methodId"),
        (("analyses", 0, "analysisSetId"), "nothing", "/analyses/0/analysisSetId"),
        (("analyses", 0, "orderedGroupings", 0, "groupingId"), "no", "/analyses/0/orderedGroupings/0/groupingId"),
        (("analyses", 1, "id"), "an-pain", "/analyses/1/id"),
        (("dataSubsets", 0, "compoundExpression", "logicalOperator"), "NOT", "/dataSubsets/0/compoundExpression"),
        (
            ("dataSubsets", 0, "compoundExpression", "logicalOperator"),
            "XOR",
            "/dataSubsets/0/compoundExpression/logicalOperator",
        ),
        (("analysisGroupings", 0, "dataDriven"), "maybe", "/analysisGroupings/0/dataDriven"),
    ],
)
def test_a_plan_that_does_not_hold_together_is_refused_by_path(path, value, at):
    plan = json.loads(sample.part("analysis"))
    place = plan
    for each in path[:-1]:
        place = place[each]
    place[path[-1]] = value
    with pytest.raises(DocumentRefused) as refused:
        read_event(json.dumps(plan).encode())
    assert refused.value.findings[0].path.startswith(at)


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{}", b"[" * 100_000])
def test_what_is_no_plan_is_refused(data):
    with pytest.raises(DocumentRefused):
        read_event(data)
