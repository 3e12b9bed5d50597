"""What forms collect leaves as SDTM tables by the aliases of its items, values as entered."""

from dataclasses import replace

import pytest

from salus.agreements.trials.domains import Placed, day_of_study, placed
from salus.agreements.trials.participants import participant
from salus.agreements.trials.plan import Form, Item
from salus.agreements.trials.tabulate import subject_tables
from salus.interop.cdisc.dataset_json import read_dataset, write_dataset

from . import sample
from .sample import ONE, START, Chain, under


def item(name, alias, datatype="text"):
    return Item(name, name, datatype, False, (), alias=alias)


FORMS = (
    Form(
        "measure",
        (
            item("Pulse", "VSORRES where VSTESTCD=PULSE", "integer"),
            item("Weight", "VSORRES where VSTESTCD=WEIGHT", "decimal"),
            item("Weight unit", "VS.VSORRESU where VSTESTCD=WEIGHT"),
            item("Position", "VSPOS"),
        ),
    ),
    Form(
        "person",
        (
            item("Age", "AGE", "integer"),
            item("Sex", "DM.SEX"),
            item("Country", "COUNTRY"),
            item("Dose", "EXDOSE", "decimal"),
            item("Begun", "EXSTDTC", "date"),
            item("Grade", "AESEV"),
            item("Free", "whatever they said"),
        ),
    ),
)
PLAN = replace(ONE[0], forms=FORMS)


def tables(reference="base", *, sex="F"):
    chain = Chain().enrolled()
    given = {"item__Age": "71", "item__Sex": "M", "item__Country": "USA", "item__Dose": "54.50", "item__Free": "x"}
    chain.add("form", day=0, visit="base", activity="person", item__Grade="MILD", item__Begun=sample.date(-2), **given)
    chain.add("change", item="base/person/1/Sex", value=sex, reason="mistyped")
    vital = {"item__Pulse": "72", "item__Weight": "81.0", "item__Weight unit": "kg", "item__Position": "SITTING"}
    chain.add("form", day=0, visit="base", activity="measure", **vital)
    chain.add("form", day=0, visit="base", activity="measure", repeat="2", item__Pulse="70")
    one = participant("north", sample.SUBJECT, chain.acts, under(plans={1: (PLAN, ONE[1])}, now=START + sample.DAY))
    assert not one.state.verdicts
    made = subject_tables(PLAN, [one], {}, "2026-03-01T00:00:00Z", reference)
    assert [read_dataset(write_dataset(each)) for each in made] == list(made)
    return {
        each.name: [dict(zip([c.name for c in each.columns], row, strict=True)) for row in each.rows] for each in made
    }


def test_a_subject_is_described_by_what_forms_know_newest_value_first():
    (row,) = tables()["DM"]
    assert [row[name] for name in ("AGE", "SEX", "COUNTRY")] == [71, "F", "USA"]
    assert (row["RFSTDTC"], row["ARMNRS"]) == (sample.date(0), "BLINDED")
    assert list(row)[7:11] == ["SITEID", "AGE", "SEX", "COUNTRY"]
    (row,) = tables("")["DM"]
    assert row["RFSTDTC"] == sample.date(-14)


def test_a_test_has_a_row_of_its_own_and_shares_what_names_none():
    rows = tables()["VS"]
    shown = ("VSSEQ", "VSTESTCD", "VSORRES", "VSORRESU", "VSPOS", "VISIT", "VSDTC", "VSDY")
    assert [tuple(row[name] for name in shown) for row in rows] == [
        (1, "PULSE", "72", None, "SITTING", "BASELINE", sample.date(0), 1),
        (2, "WEIGHT", "81.0", "kg", "SITTING", "BASELINE", sample.date(0), 1),
        (3, "PULSE", "70", None, None, "BASELINE", sample.date(0), 1),
    ]


def test_a_form_is_a_row_and_dates_are_counted_in_study_days():
    made = tables()
    (row,) = made["EX"]
    assert (row["EXDOSE"], row["EXSTDTC"], row["EXSTDY"], row["EXDTC"], row["EXDY"]) == (
        "54.50",
        sample.date(-2),
        -2,
        sample.date(0),
        1,
    )
    assert "EXSTDY" not in tables("")["EX"][0]
    assert made["AE"] == []  # events come from acts alone
    assert not {"WH", "PL"} & set(made)


def test_numbers_that_are_none_are_text():
    assert tables(sex="unknown")["DM"][0]["SEX"] == "unknown"
    chain = Chain().enrolled()
    chain.add("form", day=0, visit="base", activity="person", item__Age="about 70")
    one = participant("north", sample.SUBJECT, chain.acts, under(plans={1: (PLAN, ONE[1])}, now=START + sample.DAY))
    table = subject_tables(PLAN, [one], {}, "2026-03-01T00:00:00Z")[0]
    assert table.rows[0][table.place("AGE")] == "about 70"
    assert table.columns[table.place("AGE")].type == "string"


@pytest.mark.parametrize(
    ("alias", "where"),
    [
        ("VSORRES", Placed("VS", "VSORRES")),
        ("DM.SEX", Placed("DM", "SEX")),
        ("SEX", Placed("DM", "SEX")),
        ("LBORRES where LBTESTCD=ALB", Placed("LB", "LBORRES", "LBTESTCD", "ALB")),
        ("RSSTRESN/RSSTRESC", None),
        ("DM.SEX=M", None),
        ("USUBJID", None),
        ("VS.VSSEQ", None),
        ("vsorres", None),
    ],
)
def test_an_alias_says_where_a_value_stands_or_nothing(alias, where):
    assert placed(alias) == where


def test_study_days_have_no_day_nought():
    days = ("2026-01-03", "2026-01-02T10:30", "2026-01-01", "2026-01", "")
    assert [day_of_study(day, "2026-01-02") for day in days] == [2, 1, -1, None, None]
    assert day_of_study("2026-01-02", "") is None
