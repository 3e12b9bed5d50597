"""The CDISC pilot's subject-level domains, entered as acts and tabulated by the aliases of their forms, equal cell by cell (`pilot`)."""

import collections

import pytest

from salus.agreements.trials.conduct import Adoption
from salus.agreements.trials.participants import participant
from salus.agreements.trials.tabulate import subject_tables

from . import pilot_domains as domains
from .pilot import FLAGS, by_subject, noon, visit_ids
from .sample import GIVEN, under

pytestmark = pytest.mark.soak
TABLES = ("dm", "ds", "sv", "ae", *domains.TESTED, *domains.LISTED)


@pytest.fixture(scope="module")
def tables():
    return {name: by_subject(name) for name in TABLES}


@pytest.fixture(scope="module")
def made(tables):
    """Return our rows, as mappings, by table and subject."""
    forms, entered = domains.forms_of(tables)
    plan, terms = domains.plan_with(forms)
    conditions = under(
        plans={1: (plan, terms)}, adopted=(Adoption(0, 1),), registered=1, now=noon("2016-01-01"), given=GIVEN
    )
    ids, arms = visit_ids(plan), {arm.name: arm.id for arm in plan.arms}
    people, drawn = [], {}
    for subject, (dm,) in tables["dm"].items():
        chain = domains.chain_of({name: each[subject] for name, each in tables.items()}, ids, entered)
        one = participant(subject[3:6], subject[7:].encode(), chain, conditions)
        assert one.state.verdicts == []
        people.append(one)
        if one.state.enrolment:
            drawn[one.state.enrolment] = arms[dm["ARM"]]
    found = {}
    for each in subject_tables(plan, people, drawn, "2026-01-01T00:00:00", visit_ids(plan)["BASELINE"]):
        names, rows = [column.name for column in each.columns], collections.defaultdict(list)
        for row in each.rows:
            fields = dict(zip(names, row, strict=True))
            site, subject = fields["USUBJID"].rsplit(".", 2)[1:]
            rows[f"01-{site}-{bytes.fromhex(subject).decode()}"].append(fields)
        found[each.name] = rows
    return found


def compared(name, rows, left=()):
    """Return the columns of a table that are compared; that each other has its cause is what it asserts."""
    domain = domains.domain_of(name)
    numbered = {f"{domain}SEQ"} if "SEQ" in domains.DERIVED else set()
    return [each for each in rows[0] if each not in domains.DERIVED and each not in numbered and each not in left]


def counted(rows, columns, empty=()):
    """Return rows as they are compared: a cell as its text, nothing as empty."""
    return collections.Counter(
        tuple("" if each in empty else domains.text(row.get(each)) for each in columns) for row in rows
    )


@pytest.mark.parametrize("name", [*domains.TESTED, *domains.LISTED])
def test_a_domain_is_equal_cell_by_cell(tables, made, name):
    domain = domains.domain_of(name)
    rows = [row for each in tables[name].values() for row in each]
    columns = [each for each in compared(name, rows) if each != "VISIT"]
    category = {row[f"{domain}CAT"] for row in rows} if domain == "QS" else set()
    cells = 0
    for subject in tables["dm"]:
        ours = [row for row in made[domain][subject] if not category or row["QSCAT"] in category]
        assert counted(ours, columns) == counted(tables[name][subject], columns)
        cells += sum(row[each] is not None for row in tables[name][subject] for each in columns)
    assert cells > len(rows) * 4
    planned = {name_.upper() for name_ in visit_ids(domains.plan_and_terms()[0])}
    assert sum(row.get("VISIT") in planned for row in rows) == sum(
        row["VISIT"] != "UNSCHEDULED"
        for each in made[domain].values()
        for row in each
        if not category or row["QSCAT"] in category
    ) - sum("VISIT" not in row for row in rows)


def test_demographics_are_equal_but_for_what_is_named(tables, made):
    rows = [row for each in tables["dm"].values() for row in each]
    columns = [each for each in compared("dm", rows, domains.LEFT["DM"]) if each not in {"SUBJID", "ARM"}]
    for subject, (row,) in tables["dm"].items():
        (ours,) = made["DM"][subject]
        assert counted([ours], columns) == counted([row], columns)
        assert bytes.fromhex(ours["SUBJID"]).decode() == row["SUBJID"]
        assert (ours["ARM"] or "Screen Failure") == row["ARM"]
    assert {"RFSTDTC", "AGE", "SEX", "RACE", "ETHNIC", "COUNTRY", "SITEID", "DTHFL"} <= set(columns)


def test_events_are_equal_but_for_what_is_named(tables, made):
    rows = [row for each in tables["ae"].values() for row in each]
    empty = {each for each in rows[0] if all(row[each] is None for row in rows)}
    columns = [each for each in compared("ae", rows, domains.LEFT["AE"]) if each not in empty]
    for subject in tables["dm"]:
        assert counted(made["AE"][subject], columns) == counted(tables["ae"][subject], columns)
    assert {"AETERM", "AEDECOD", "AESEV", "AEOUT", "AEENDTC", *filter(None, FLAGS.values())} <= set(columns)


def test_dispositions_and_visits_are_equal_but_for_what_is_named(tables, made):
    """Other events of DS are visits of SV; a screening failure ends on the day it was said."""
    for subject in tables["dm"]:
        ours = [row for row in made["DS"][subject] if row["DSDECOD"] == "RANDOMIZED" or "EVENT" in row["DSCAT"]]
        theirs = [row for row in tables["ds"][subject] if row["DSCAT"] != "OTHER EVENT"]
        columns = ["DSDECOD", "DSCAT", "DSSTDTC"]
        assert counted(ours, columns) == counted(theirs, columns)
        days = ["SVSTDTC", "SVENDTC"]
        assert counted(made["SV"][subject], days) == counted(tables["sv"][subject], days)
