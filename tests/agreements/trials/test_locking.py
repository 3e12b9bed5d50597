"""What a lock commits to: every value and every cell of a table, by chains alone, whoever holds which of them."""

import json
from dataclasses import replace

import pytest

from salus.agreements.trials.locked import rows_root
from salus.agreements.trials.locking import LockedData, differing, locked_data
from salus.agreements.trials.participants import participant
from salus.agreements.trials.plan import Form, Item
from salus.agreements.trials.tabulate import subject_tables
from salus.core.proof.batch import batch_path, batch_root, root_from_batch
from salus.core.proof.digest import digest
from salus.interop.cdisc.dataset_json import canonical_rows

from . import sample
from .sample import ONE, Chain, under

FORMS = (
    Form(
        "measure",
        (
            Item("Age", "Age", "integer", needed=False, codes=(), alias="AGE"),
            Item("Pulse", "Pulse", "integer", needed=False, codes=(), alias="VSSTRESN where VSTESTCD=PULSE"),
            Item("Weight", "Weight", "decimal", needed=False, codes=(), alias="EXDOSE"),
        ),
    ),
)
PLAN, TERMS = replace(ONE[0], forms=FORMS), ONE[1]
FIRST, SECOND = b"subject-00000001", b"subject-00000002"


def person(subject, *, age="71", pulse="72", weight="81.0", now=0):
    chain = Chain()
    chain.add("consent", day=-14, subject=subject, form=sample.FORM, grant="aa")
    chain.add("visit", day=-14, subject=subject, visit="screen")
    chain.add("screen", subject=subject, adult="yes", pain="yes", allergy="no", **{"other-trial": "no"})
    chain.add("eligible", "investigator", subject=subject)
    chain.add("randomised", subject=subject, enrolment=subject[-1:].hex(), kit="K-7")
    chain.add("visit", day=0, subject=subject, visit="base")
    told = {"item.Age": age, "item.Pulse": pulse, "item.Weight": weight}
    chain.add("form", day=0, subject=subject, visit="base", activity="measure", **told)
    one = participant("north", subject, chain.acts, under(plans={1: (PLAN, TERMS)}, now=now))
    assert not one.state.verdicts
    return one


def data(*people):
    return locked_data(PLAN, TERMS, people)


def test_a_row_of_either_kind_is_proven_to_be_of_the_lock():
    told = data(person(FIRST), person(SECOND))
    leaves = [digest("salus/v1/trial-table-row", row) for row in told.tables]
    halves = [rows_root(told.rows), batch_root(leaves)]
    place = next(at for at, row in enumerate(told.tables) if row.startswith(b'["VS","row"'))
    half = root_from_batch(leaves[place], place, len(leaves), batch_path(leaves, place))
    assert root_from_batch(half, 1, 2, batch_path(halves, 1)) == told.root
    own = [digest("salus/v1/trial-row", row) for row in told.rows]
    half = root_from_batch(own[3], 3, len(own), batch_path(own, 3))
    assert root_from_batch(half, 0, 2, batch_path(halves, 0)) == told.root


def test_any_other_cell_column_or_row_is_another_lock():
    told = data(person(FIRST))
    cells = 0
    for at, row in enumerate(told.tables):
        name, kind, values = json.loads(row)
        for place in range(len(values)):
            changed = [*values[:place], "altered", *values[place + 1 :]]
            altered = json.dumps([name, kind, changed], separators=(",", ":"), ensure_ascii=False).encode()
            tables = (*told.tables[:at], altered, *told.tables[at + 1 :])
            assert LockedData(told.rows, tables).root != told.root
            cells += 1
    assert cells > 80
    assert LockedData(told.rows, told.tables[:-1]).root != told.root
    assert LockedData(told.rows[:-1], told.tables).root != told.root
    assert {json.loads(row)[0] for row in told.tables} == {"DM", "DS", "SV", "AE", "DV", "IE", "EX", "VS"}


def test_neither_the_clock_nor_an_opened_arm_nor_who_holds_them_in_what_order_changes_it():
    first, second = person(FIRST), person(SECOND)
    told = data(first, second)
    assert data(second, first) == told
    late = person(FIRST, now=sample.START + 300 * sample.DAY)
    assert [each.code for each in late.state.deviations] == ["MISSED"] * len(late.state.deviations) != []
    assert not first.state.deviations
    arms = {"31": PLAN.arms[0].id, "32": PLAN.arms[1].id}
    opened = subject_tables(PLAN, (first, second), arms, "2026-03-01T00:00:00Z")
    rows = {row for table in opened for row in canonical_rows(table)}
    assert {json.loads(row)[0] for row in rows - {*told.tables}} == {"DM"}
    assert all(arm.name.encode() not in row for arm in PLAN.arms for row in told.tables)


@pytest.mark.parametrize("other", ["not done", "072", "72.5", "-0", "00", "7e1"])
def test_what_others_entered_changes_no_row_of_a_participant(other):
    """A column that holds one word is text for everybody: the rows of the others stay as they are."""
    first = person(FIRST, age="071", pulse="-0")
    alone, both = data(first), data(first, person(SECOND, age=other, pulse=other, weight=other))
    assert {*alone.rows} < {*both.rows}
    assert {*alone.tables} < {*both.tables}
    assert b'"071"' in b"".join(alone.tables)


def test_a_signer_finds_what_is_told_otherwise_of_those_known_to_him_alone():
    first, second = person(FIRST), person(SECOND)
    told, mine = data(first, second), data(first)
    assert differing(PLAN, told, mine, [first]) == 0
    assert differing(PLAN, told, data(first, second), [first, second]) == 0
    for other in (person(FIRST, pulse="73"), person(FIRST, weight="81.1")):
        assert differing(PLAN, data(other, second), mine, [first]) == 4  # a value and the row that it stands in, twice
    invented = b'["VS","row",["SALUS-1","VS","' + f"{PLAN.study}.north.{FIRST.hex()}".encode() + b'","9"]]'
    assert differing(PLAN, LockedData(told.rows, (*told.tables, invented)), mine, [first]) == 1
    assert differing(PLAN, LockedData(told.rows, told.tables[1:]), mine, [first]) == 1
    renamed = tuple(row.replace(b'"VSSTRESN"', b'"VSORRES"') for row in told.tables)
    assert differing(PLAN, LockedData(told.rows, renamed), mine, [first]) == 2
    for strange in (LockedData((b"x",), ()), LockedData((), (b"x",)), LockedData((), (b'["VS","row",[]]',))):
        with pytest.raises(ValueError, match="no rows of a lock"):
            differing(PLAN, strange, mine, [first])
