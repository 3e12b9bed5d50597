"""Forms from ODM in a plan: what activities collect, and edit checks that raise queries."""

import gzip
from dataclasses import replace

import pytest
from lxml import etree
from msgspec import structs

from salus.agreements.trials.compile import compile_plan
from salus.agreements.trials.conduct import conduct
from salus.agreements.trials.forms import with_forms
from salus.agreements.trials.forms_out import forms_document
from salus.agreements.trials.plan import ItemCheck
from salus.interop.cdisc.findings import DocumentRefused
from salus.interop.cdisc.usdm import read_usdm
from tests.agreements.trials import sample
from tests.interop.cdisc.odm_files import CHOSEN, form_1, form_2
from tests.needs import shared

PLAN, TERMS = sample.version(1)
CREATED = "2026-01-01T00:00:00Z"


def test_a_form_says_what_its_activity_collects():
    plan = with_forms(PLAN, form_2().encode())
    assert plan == with_forms(PLAN, form_1().encode())
    (form,) = plan.forms
    assert [(each.name, each.datatype, each.needed, each.codes) for each in form.items] == [
        ("PULSE", "integer", True, ()),
        ("PAIN", "decimal", False, ()),
        ("SMOKES", "text", False, ("Y", "N")),
    ]
    assert form.activity == "measure"


@pytest.mark.parametrize("oid", ["measure", "IG.measure", "other"])
def test_a_form_is_an_activitys_by_id_or_name(oid):
    text = form_2().replace('OID="measure"', f'OID="{oid}"')
    if oid == "other":
        text = text.replace('Name="Measurements"', 'Name="Measure"')
    assert with_forms(PLAN, text.encode()).forms[0].activity == "measure"


def test_an_edit_check_raises_a_query_for_what_it_does_not_hold_for():
    plan = with_forms(PLAN, form_2().encode())
    chain = sample.Chain().enrolled()
    chain.add("form", visit="base", activity="measure", item__PAIN="10.5", item__PULSE="999", item__SMOKES="?")
    chain.add("form", visit="base", activity="another", item__PAIN="10.5")
    chain.add("change", "nurse", item="base/measure/1/PAIN", value="many", reason="misread")
    state = conduct(chain.acts, sample.under(plans={1: (plan, TERMS)}))
    assert not state.verdicts
    assert [(one.item, one.rule, one.number, one.place) for one in state.queries] == [
        ("base/measure/1/PAIN", "pain-range", 7, 1),
        ("base/measure/1/PAIN", "IT.PAIN.2", 7, 2),
        ("base/measure/1/PULSE", "pulse-range", 7, 3),
        ("base/measure/1/PULSE", "IT.PULSE.1", 7, 4),
        ("base/measure/1/SMOKES", "IT.SMOKES.codes", 7, 5),
        ("base/another/1/PAIN", "pain-range", 8, 1),
        ("base/measure/1/PAIN", "pain-range", 9, 1),
        ("base/measure/1/PAIN", "IT.PAIN.1", 9, 2),
        ("base/measure/1/PAIN", "IT.PAIN.2", 9, 3),
    ]


CHOOSING = (
    form_2().replace('<CodeListRef CodeListOID="CL.YN"/>', CHOSEN[0], 1).replace("</MetaData", CHOSEN[1]).encode()
)


@pytest.mark.parametrize(
    ("pain", "pulse", "smokes", "rules"),
    [
        ("9", "70", "SOME", {"IT.YN.codes"}),
        ("9", "70", "Y", set()),
        ("9", "70", "N", {"IT.OFTEN.codes"}),
        ("1", "55", "N", {"IT.OFTEN.codes"}),
        ("1", "60", "N", set()),
        ("1", "", "N", set()),
    ],
)
def test_what_an_item_may_say_follows_from_another(pain, pulse, smokes, rules):
    """The first definition while pain is 9 or the pulse in the fifties, the second always."""
    plan = with_forms(PLAN, CHOOSING)
    chain = sample.Chain().enrolled()
    given = {"item__PULSE": pulse} if pulse else {}
    chain.add("form", visit="base", activity="measure", item__PAIN=pain, item__SMOKES=smokes, **given)
    chain.add("form", visit="base", activity="measure", repeat="2", item__PULSE="55")
    state = conduct(chain.acts, sample.under(plans={1: (plan, structs.replace(TERMS, checks=()))}))
    told = [(one.item, one.rule) for one in state.queries]
    assert sorted(told) == sorted({("base/measure/1/SMOKES", rule) for rule in rules})


def test_a_change_of_what_chooses_asks_anew():
    plan = with_forms(PLAN, CHOOSING)
    chain = sample.Chain().enrolled()
    chain.add("form", visit="base", activity="measure", item__PAIN="1", item__SMOKES="N")
    chain.add("change", "nurse", item="base/measure/1/PAIN", value="9", reason="misread")
    state = conduct(chain.acts, sample.under(plans={1: (plan, structs.replace(TERMS, checks=()))}))
    assert [(one.number, one.item, one.rule) for one in state.queries] == [
        (8, "base/measure/1/SMOKES", "IT.OFTEN.codes")
    ]


def test_a_choice_by_an_item_of_another_form_is_refused():
    other = '<ItemDef OID="IT.ELSE" Name="ELSE" DataType="text"/></MetaData'
    text = (
        CHOOSING.decode().replace('ItemOID="IT.PAIN"><Check', 'ItemOID="IT.ELSE"><Check').replace("</MetaData", other)
    )
    with pytest.raises(DocumentRefused, match="where-of-no-item"):
        with_forms(PLAN, text.encode())


@pytest.mark.parametrize(
    ("comparator", "values", "holds", "fails"),
    [
        ("LT", ("5",), ("4.9", "-1e3"), ("5", "5.0", "", "NaN", "Infinity")),
        ("LE", ("5",), ("5.00",), ("5.01",)),
        ("GT", ("5",), ("5.01",), ("5",)),
        ("GE", ("5",), ("5",), ("4.99",)),
        ("EQ", ("5",), ("5.0",), ("6",)),
        ("NE", ("5",), ("6",), ("5.0",)),
        ("IN", ("1", "2"), ("2.0",), ("3",)),
        ("NOTIN", ("1", "2"), ("3",), ("1",)),
    ],
)
def test_numbers_are_compared_as_numbers(comparator, values, holds, fails):
    check = ItemCheck("c", "a", "i", comparator, values, numeric=True)
    assert [check.holds(each) for each in (*holds, *fails)] == [True] * len(holds) + [False] * len(fails)


def test_days_and_texts_are_compared_as_they_are_written():
    assert ItemCheck("c", "a", "i", "GE", ("2026-01-31",), numeric=False).holds("2026-02-01")
    assert not ItemCheck("c", "a", "i", "IN", ("5",), numeric=False).holds("5.0")


@pytest.mark.parametrize(
    ("old", "new", "rule", "path"),
    [
        ('Name="Measurements"', 'Name="Others"', "form-of-no-activity", "ItemGroupDef[1]"),
        ('Name="PULSE"', 'Name="PAIN"', "item-name-twice", "ItemDef[1]/@Name"),
        ('Name="PULSE"', 'Name=""', "item-name-twice", "ItemDef[2]/@Name"),
        ("<CheckValue>0</CheckValue></", "<CheckValue>none</CheckValue></", "edit-check-value", "ItemDef[1]/RangeCheck[1]/CheckValue[1]"),
        ("<CheckValue>0</CheckValue></", "<CheckValue>NaN</CheckValue></", "edit-check-value", "ItemDef[1]/RangeCheck[1]/CheckValue[1]"),
        ("<CheckValue>0</CheckValue></", "<CheckValue>0</CheckValue><CheckValue>1</CheckValue></", "edit-check-value", "ItemDef[1]/RangeCheck[1]/CheckValue[2]"),
        ('DataType="decimal"', 'DataType="text"', "edit-check-order", "ItemDef[1]/RangeCheck[1]/@Comparator"),
    ],
)  # fmt: skip
def test_a_form_that_the_plan_cannot_run_is_refused(old, new, rule, path):
    text = form_2().replace(old, new)
    if rule == "form-of-no-activity":
        text = text.replace('"measure"', '"others"')
    with pytest.raises(DocumentRefused) as refusal:
        with_forms(PLAN, text.encode())
    first = refusal.value.findings[0]
    assert (first.rule, first.path) == (rule, f"/ODM[1]/Study[1]/MetaDataVersion[1]/{path}")


def test_two_forms_of_one_activity_are_refused():
    second = '<ItemGroupDef OID="IG.measure" Name="M" Repeating="No" Type="Form"/>'
    with pytest.raises(DocumentRefused, match="form-twice"):
        with_forms(PLAN, form_2(second).encode())


def collected(plan):
    return [(form.activity, [(each.datatype, each.needed, each.codes) for each in form.items]) for form in plan.forms]


def test_forms_that_are_written_read_back_as_the_same():
    for plan in (PLAN, with_forms(PLAN, form_2().encode())):
        assert collected(with_forms(PLAN, forms_document(plan, CREATED))) == collected(plan)


def test_items_of_one_name_are_told_apart_by_their_concepts():
    pulse, pain = (replace(each, name="RESULT") for each in PLAN.forms[0].items)
    plan = replace(PLAN, forms=(replace(PLAN.forms[0], items=(pulse, pain, pain)),))
    names = [each.name for each in with_forms(plan, forms_document(plan, CREATED)).forms[0].items]
    assert names == [f"{pulse.group} RESULT", f"{pain.group} RESULT", f"{pain.group} RESULT (2)"]


def test_forms_of_the_pilots_concepts_are_valid_odm_and_read_back():
    schema = etree.XMLSchema(etree.parse(str(shared("data/trials/odm/schema/ODM.xsd"))))
    protocol = gzip.decompress(shared("data/trials/usdm/CDISC_Pilot_Study.json.gz").read_bytes())
    plan = compile_plan(read_usdm(protocol))
    written = forms_document(plan, CREATED)
    schema.assertValid(etree.fromstring(written))
    back = with_forms(plan, written)
    assert [(activity, len(items)) for activity, items in collected(back)] == [
        (activity, len(items)) for activity, items in collected(plan)
    ]
