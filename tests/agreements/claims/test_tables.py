"""Official CMS tables: read from text, searched by procedure, and what they decide. Codes are HCPCS II or fictional."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.agreements.claims.alone import adjudicate
from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import TableEdits
from salus.agreements.claims.history import History
from salus.agreements.claims.plan import Coding, DocumentRefused, PairEdit, TableReference, UnitEdit
from salus.agreements.claims.plan_check import check_plan
from salus.agreements.claims.plan_compare import compare, replayed
from salus.agreements.claims.tables import Table, edits_of, joined, read_indices, read_rows, scaled
from salus.core.errors import InvariantBroken
from tests.agreements.claims.cases import MEMBERS, PLAN, RATES, SETTINGS, claim, file_of, line

PAIRS = """CPT only copyright. All rights reserved.\t\t\t\t\t\t
\t\t\t\t\t\t
Column 1\tColumn 2\t*=in existence\tEffective Date\tDeletion Date *=no data\tModifier\tPTP Edit Rationale
G0402\tG0403\t\t20200101\t*\t1\tStandards of practice
G0404\tG0405\t*\t20200101\t20250228\t0\tMisuse of column two code
G0404\tG0406\t \t20200101\t\t9\tMutually exclusive
"""
UNITS = """"HCPCS/
CPT Code",Practitioner Services MUE Values,MUE Adjudication Indicator,MUE Rationale
J0696,8,1 Line Edit,Clinical: Data
G0402,1,"2 Date of Service Edit: Policy","CMS Policy, of 2020"
,,,
"""


def rows(kind: str, text: str) -> list[bytes]:
    return list(joined(kind, sorted(read_rows(kind, text.splitlines(keepends=True)))))


def reference(kind: str, digit: str = "a", **more: object) -> TableReference:
    start = TableReference(
        kind=kind, name="NCCI", version="2025Q1", source="cms.gov", date="20250101", digest=digit * 64
    )
    return msgspec.structs.replace(start, **more)


WITH_TABLES = msgspec.structs.replace(PLAN, coding=Coding(), tables=(reference("pairs"), reference("units", "b")))
TABLES = {
    "a" * 64: Table("pairs", b"".join(rows("pairs", PAIRS))),
    "b" * 64: Table("units", b"".join(rows("units", UNITS))),
}


def test_official_texts_are_read_below_their_headings() -> None:
    assert rows("pairs", PAIRS) == [
        b"G0402G040320200101299912311\n",
        b"G0404G040520200101202502280\n",
        b"G0404G040620200101299912319\n",
    ]
    commas = PAIRS.replace("\t", ",").replace("\n", "\r\n")
    assert rows("pairs", commas) == rows("pairs", PAIRS)
    assert rows("units", UNITS) == [b"G040200000012\n", b"J069600000081\n"]


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("pairs", PAIRS.replace("20250228", "20250231"), "line 5 of the table is no row of pairs"),
        ("pairs", PAIRS.replace("\t0\t", "\t2\t"), "line 5"),
        ("pairs", PAIRS.replace("G0405", "G04"), "line 5"),
        ("pairs", PAIRS + "and so on", "line 7"),
        ("pairs", PAIRS + "G0402\tG0403\t\t20200101\t20240101\t1\t\n", "contradicts itself: G0402 G0403 stands"),
        ("pairs", "nothing\n", "no row of pairs; expected two codes of five characters"),
        ("pairs", UNITS, "no row of pairs"),
        ("units", UNITS.replace(",8,", ",some,"), "line 3 of the table is no row of units"),
        ("units", UNITS + "G0402,2,3 Clinical,\n", "contradicts itself: G0402 stands"),
        ("units", PAIRS, "no row of units"),
    ],
)
def test_what_is_no_official_text_is_refused_by_its_line(kind: str, text: str, told: str) -> None:
    with pytest.raises(DocumentRefused, match=told):
        rows(kind, text)


def test_a_row_that_two_files_have_counts_once() -> None:
    assert rows("pairs", PAIRS + PAIRS.splitlines()[3] + "\n") == rows("pairs", PAIRS)


@given(
    st.sets(st.tuples(st.sampled_from("ABCD"), st.sampled_from("ABCDE")), max_size=20),
    st.lists(st.sampled_from("ABCDEF"), max_size=6, unique=True),
)
def test_a_search_finds_what_a_walk_finds(pairs: set[tuple[str, str]], asked: list[str]) -> None:
    made = "".join(f"0000{one}\t0000{two}\t\t20200101\t*\t1\t\n" for one, two in pairs)
    table = Table("pairs", b"".join(rows("pairs", made)) if made else b"")
    found, _ = table.touching(tuple(f"0000{one}" for one in asked))
    codes = {(edit.first[-1], edit.second[-1]) for edit in found}
    assert codes == {(one, two) for one, two in pairs if len(asked) > 1 and {one, two} <= set(asked)}


def decided(*lines: object, plan: object = WITH_TABLES) -> list[tuple[str, ...]]:
    made = adjudicate([file_of(claim(*lines))], plan, [RATES], MEMBERS, SETTINGS, tables=TABLES)
    return [
        tuple(f"{one.group}-{one.code}" for one in each.reasons if one.step == "coding")
        for each in made.decisions[0].lines
    ]


def test_a_table_decides_as_the_same_edits_in_the_plan_do() -> None:
    own = Coding(
        pairs=(PairEdit(first="G0402", second="G0403", indicator=1),), units=(UnitEdit(procedure="J0696", most=8000),)
    )
    for lines in (
        (line(), line(2, "G0403")),
        (line(), line(2, "G0403", modifiers=("59",))),
        (line(1, "J0696", units=9000),),
    ):
        assert decided(*lines) == decided(*lines, plan=msgspec.structs.replace(PLAN, coding=own))
    assert decided(line(), line(2, "G0403")) == [(), ("CO-97",)]


def test_a_row_decides_from_its_first_to_its_last_day() -> None:
    lines = [(line(1, "G0404", day=day), line(2, "G0405", day=day)) for day in ("20250228", "20250301")]
    assert [decided(*both)[1] for both in lines] == [("CO-236",), ()]
    assert decided(line(1, "G0404"), line(2, "G0406"))[1] == ()  # indicator 9


def test_a_table_decides_only_its_own_days_of_service() -> None:
    past = msgspec.structs.replace(
        WITH_TABLES, tables=tuple(msgspec.structs.replace(one, until="20250228") for one in WITH_TABLES.tables)
    )
    assert decided(line(), line(2, "G0403"), plan=past) == [(), ()]
    assert decided(line(1, "J0696", units=9000), plan=past) == [()]
    assert decided(line(1, "J0696", units=9000)) == [("CO-151",)]


@pytest.mark.parametrize(
    ("form", "bills", "kind", "bill", "denied"),
    [
        ("P", (), "P", "11", True),
        ("I", (), "P", "11", False),
        ("P", (), "I", "13", False),
        ("I", ("13",), "I", "13", True),
        ("I", ("13",), "I", "11", False),
        ("", ("13",), "P", "11", True),
    ],
)
def test_a_table_decides_claims_of_its_form_and_type_of_bill(
    form: str, bills: tuple[str, ...], kind: str, bill: str, denied: bool
) -> None:
    plan = msgspec.structs.replace(
        WITH_TABLES, tables=(msgspec.structs.replace(WITH_TABLES.tables[0], form=form, bills=bills),)
    )
    made = claim(line(revenue="0510"), line(2, "G0403", revenue="0510"), kind=kind, facility=bill)
    history = History(MEMBERS, tables=TABLES)
    drawn = history.draw(made, plan, RATES, received="20250310", decided="20250315", control="H1")
    told = msgspec.structs.replace(
        drawn, edits=edits_of(WITH_TABLES, made, TABLES)[:1]
    )  # a payer that sends them anyway
    codes = [{one.code for one in decide(made, plan, RATES, facts).lines[1].reasons} for facts in (drawn, told)]
    assert ["97" in one for one in codes] == [denied, denied]


def test_the_reason_cites_the_table_and_the_facts_hold_its_rows_alone() -> None:
    made = adjudicate(
        [file_of(claim(line(), line(2, "G0403")))], WITH_TABLES, [RATES], MEMBERS, SETTINGS, tables=TABLES
    )
    (reason,) = made.decisions[0].lines[1].reasons
    assert reason.clause == "NCCI 2025Q1"
    facts = History(MEMBERS, tables=TABLES).draw(
        claim(line(), line(2, "G0403")), WITH_TABLES, RATES, received="20250310", decided="20250315", control="H1"
    )
    assert facts.edits == (
        TableEdits("a" * 64, (PairEdit(first="G0402", second="G0403", since="20200101", indicator=1),), ()),
        TableEdits("b" * 64, (), (UnitEdit(procedure="G0402", most=1000, per="day"),)),
    )


def test_no_claim_is_decided_without_a_table_that_the_plan_names() -> None:
    with pytest.raises(InvariantBroken):
        adjudicate([file_of(claim())], WITH_TABLES, [RATES], MEMBERS, SETTINGS)


def test_a_new_quarter_lists_what_it_changes() -> None:
    later = rows("pairs", PAIRS + "G0402\tS9129\t\t20250101\t*\t0\t\n")
    new = msgspec.structs.replace(WITH_TABLES, tables=(reference("pairs", "c"), WITH_TABLES.tables[1]))
    cases = replayed(
        [claim(line(), line(2, "S9129", 9000)), claim(line(1, "J0696"), identifier="A2")],
        WITH_TABLES,
        [RATES],
        History(MEMBERS, tables=TABLES),
        "20250315",
    )
    (change,) = compare(WITH_TABLES, new, cases, {**TABLES, "c" * 64: Table("pairs", b"".join(later))})
    assert change.lines == (2,)


def test_a_plan_names_each_table_once_and_for_days_that_exist() -> None:
    twice = msgspec.structs.replace(PLAN, tables=(reference("pairs"), reference("pairs", until="09990101")))
    assert [(one.pointer, one.rule) for one in check_plan(twice)] == [
        ("/tables/1/until", "period"),
        ("/tables/1", "overlap"),
    ]


def test_indices_and_numbers_are_read_or_refused() -> None:
    with pytest.raises(DocumentRefused):
        read_indices("a,b,c")
    with pytest.raises(DocumentRefused):
        scaled("1.2345", 3)
