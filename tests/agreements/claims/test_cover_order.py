"""Which payer comes first: the birthday rule and the others, each by a case of its own, and decided so by `decide`."""

from itertools import permutations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.agreements.claims.cover_order import CUSTODY, order
from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import Cover, Ruling
from salus.agreements.claims.history import History
from salus.agreements.claims.members import Holders, Member, Members, OtherCover
from salus.interop.x12.claim import Adjustment, LineDecision, OtherPayer

from .cases import JOHN, MEMBERS, PLAN, RATES, claim, facts, line, reasons

RULES = PLAN.cover_order


def cover(payer: str, relationship: str = "18", **more: object) -> Cover:
    return msgspec.structs.replace(Cover(payer=payer, relationship=relationship), **more)


def mother(payer: str = "MUM", birthday: str = "0305", **more: object) -> Cover:
    return cover(payer, "19", birthday=birthday, **more)


def father(payer: str = "DAD", birthday: str = "0304", **more: object) -> Cover:
    return cover(payer, "19", birthday=birthday, **more)


AGED = cover("MEDICARE", medicare="age")
DISABLED = cover("MEDICARE", medicare="disability")
CASES = [
    ("own before a spouse's", (cover("B", "01"), cover("A")), "AB", "rule 1"),
    ("birthday earlier in the year", (mother(), father()), ("DAD", "MUM"), "2(a)"),
    (
        "the year of birth does not count, one birthday: covered longer",
        (mother(birthday="0304", holder_since="20200101"), father(holder_since="20200102")),
        ("MUM", "DAD"),
        "2(a)",
    ),
    ("29 February before 1 March", (mother(birthday="0301"), father(birthday="0229")), ("DAD", "MUM"), "2(a)"),
    ("decree", (mother(custody="custodial"), father(custody="decree")), ("DAD", "MUM"), "2(b)"),
    ("custody", (father(custody="other"), mother(custody="custodial")), ("MUM", "DAD"), "2(b)"),
    (
        "custodial parent's spouse before the other parent",
        (father(custody="other"), mother("STEP", custody="custodial-spouse")),
        ("STEP", "DAD"),
        "2(b)",
    ),
    ("active before retired", (cover("R", status="retired"), cover("A")), "AR", "rule 3"),
    ("before COBRA", (cover("C", status="continued"), cover("R", status="retired")), "RC", "rule 4"),
    ("covered longer", (cover("N", since="20240102"), cover("O", since="20240101")), "ON", "rule 5"),
    ("working aged, 20 employees", (AGED, cover("G", employees=20)), ("G", "MEDICARE"), "411.172"),
    ("working aged, 19 employees", (cover("G", employees=19), AGED), ("MEDICARE", "G"), "411.172"),
    ("disabled, 100 employees", (DISABLED, cover("G", "01", employees=100)), ("G", "MEDICARE"), "411.206"),
    ("disabled, 99 employees", (DISABLED, cover("G", employees=99)), ("MEDICARE", "G"), "411.206"),
    ("retired and aged", (cover("G", status="retired", employees=500), AGED), ("MEDICARE", "G"), "411.172"),
]


@pytest.mark.parametrize(("covers", "payers", "rule"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_rule_orders_two_covers_however_they_come(covers: tuple, payers: tuple, rule: str) -> None:
    for some in permutations(covers):
        found = order(some, RULES)
        assert found.payers == tuple(payers)
        assert rule in found.reasons[0].rule


def test_medicare_between_two_turns_the_first_rule_round() -> None:
    retired, dependent = cover("OWN", status="retired"), cover("SPOUSE", "01", employees=50)
    for some in permutations((retired, dependent, AGED)):
        assert order(some, RULES).payers == ("SPOUSE", "MEDICARE", "OWN")


UNDECIDED = [
    (mother(), father(birthday="")),
    (mother(custody="custodial"), father()),
    (mother(birthday="0304"), father()),
    (cover("A", since="20240101"), cover("B", since="20240101")),
    (cover("K", medicare="kidney"), cover("G", employees=500)),
    (AGED, cover("G")),
]


@pytest.mark.parametrize("covers", UNDECIDED)
def test_what_no_rule_decides_is_said(covers: tuple) -> None:
    found = order(covers, RULES)
    assert (found.payers, found.undecided.startswith("no rule says who of")) == ((), True)


def test_a_circle_is_said_and_not_broken_by_the_order_of_the_covers() -> None:
    one = cover("A", "G8", since="20240103", status="retired")
    two = cover("B", "G8", since="20240102", status="active", custody="")
    three = cover("C", "G8", since="20240101", status="continued")
    shuffled = ("continuation", "longer", "active")
    assert order((one, two, three), RULES).payers == ("B", "A", "C")
    assert order((one, two, three), shuffled).payers == ("B", "A", "C")
    own, spouse = cover("OWN", status="retired", since="20240101"), cover("SPOUSE", "01", employees=50)
    rules = tuple(rule for rule in RULES if rule != "dependent")
    circle = order((own, spouse, AGED), ("longer", *rules))
    assert circle.payers == ("SPOUSE", "MEDICARE", "OWN")
    old = msgspec.structs.replace(spouse, since="20240102")
    assert order((own, old, AGED), ("longer", *rules)).undecided == "the rules put these covers in a circle"


COVERS = st.builds(
    Cover,
    payer=st.just(""),
    relationship=st.sampled_from(["18", "01", "19", "G8"]),
    birthday=st.sampled_from(["", "0229", "0301", "1231"]),
    status=st.sampled_from(["active", "retired", "continued"]),
    since=st.sampled_from(["", "20200101", "20240101"]),
    holder_since=st.sampled_from(["", "20100101", "20150101"]),
    custody=st.sampled_from(["", *CUSTODY]),
    medicare=st.sampled_from(["", "", "age", "disability", "kidney"]),
    employees=st.sampled_from([0, 19, 20, 99, 100]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(COVERS, min_size=2, max_size=3), st.data())
def test_payer_and_provider_come_to_one_order_from_any_order_of_the_facts(some: list, data: st.DataObject) -> None:
    covers = [msgspec.structs.replace(one, payer=f"P{place}") for place, one in enumerate(some)]
    found, again = order(covers, RULES), order(data.draw(st.permutations(covers)), RULES)
    assert found.payers == again.payers
    assert bool(found.undecided) == bool(again.undecided) == (not found.payers)


def second(payer: str, paid: int = 8000) -> dict[str, object]:
    other = OtherPayer("P", payer, payer, "X1", "DOE", paid, (), "CI", "18", "20250305")
    told = (Adjustment("CO", "45", 5000), Adjustment("PR", "2", 10000 - paid))
    return {"rank": "S", "others": (other,), "lines": (line(decisions=(LineDecision(payer, paid, "20250305", told),)),)}


OURS = cover("HARBOR1", "01")
THEIRS = cover("FIRST1")


def test_the_first_payers_decision_must_come_and_the_trace_says_why() -> None:
    known = facts(covers=(OURS, THEIRS))
    denied = decide(claim(), PLAN, RATES, known)
    assert reasons(denied) == [(1, "OA-22", 15000)]
    assert "FIRST1 before HARBOR1: own cover before a dependent's, NAIC 120 rule 1" in [
        one.rule for one in denied.trace
    ]
    after = decide(claim(**second("FIRST1")), PLAN, RATES, known)
    assert (after.status, after.secondary) == ("paid", True)


def test_the_first_payer_pays_as_the_first() -> None:
    own, spouse = cover("HARBOR1"), cover("FIRST1", "01")
    assert decide(claim(), PLAN, RATES, facts(covers=(own, spouse))).status == "paid"
    turned = decide(claim(**second("FIRST1")), PLAN, RATES, facts(covers=(own, spouse)))
    assert turned.pends == ("payer-order: FIRST1 decided first, though it comes after HARBOR1",)


def test_what_is_undecided_waits_and_a_person_rules() -> None:
    unknown = facts(covers=(cover("HARBOR1"), cover("FIRST1")))
    waiting = decide(claim(line(), line(2)), PLAN, RATES, unknown)
    assert waiting.pends == ("payer-order: no rule says who of HARBOR1 and FIRST1 comes first",)
    for verdict, status in (("allow", "paid"), ("deny", "denied")):
        ruled = msgspec.structs.replace(unknown, rulings=(Ruling("payer-order", 0, verdict, "by telephone"),))
        assert decide(claim(), PLAN, RATES, ruled).status == status
    assert reasons(decide(claim(), PLAN, RATES, ruled)) == [(1, "OA-22", 15000)]


def test_a_plan_names_its_rules_and_their_order() -> None:
    covers = (cover("HARBOR1", status="retired", since="20200101"), cover("FIRST1", since="20240101"))
    assert decide(claim(), PLAN, RATES, facts(covers=covers)).status == "denied"
    plan = msgspec.structs.replace(PLAN, cover_order=("longer", "active"))
    assert decide(claim(), plan, RATES, facts(covers=covers)).status == "paid"


def test_facts_hold_the_covers_of_the_day_with_birthdays_and_no_year() -> None:
    jane, john = MEMBERS.members
    other = OtherCover(
        payer="FIRST1", name="FIRST PLAN", number="X1", relationship="19", birthday="1231", since="20240101"
    )
    ended = msgspec.structs.replace(other, payer="OLD1", until="20241231")
    members = Members(payer="HARBOR1", members=(jane, msgspec.structs.replace(john, others=(other, ended))))
    child = claim(patient=JOHN, relationship="19")
    drawn = History(members).draw(child, PLAN, RATES, received="20250310", decided="20250315", control="H1")
    assert [(one.payer, one.birthday) for one in drawn.covers] == [("HARBOR1", "0101"), ("FIRST1", "1231")]
    assert decide(child, PLAN, RATES, drawn).status == "paid"
    alone = History(members).draw(claim(), PLAN, RATES, received="20250310", decided="20250315", control="H1")
    assert alone.covers == ()


def test_a_member_has_no_cover_twice_at_one_payer() -> None:
    twice = (OtherCover(payer="A", name="A", number="1", since="20240101"),) * 2
    jane = Member(subscriber="M1", last="DOE", since="20240101", others=twice)
    known = Holders(Members(payer="HARBOR1", members=(jane,)))
    assert [one.payer for one in known.covers(jane, "20250301")] == ["HARBOR1", "A"]
