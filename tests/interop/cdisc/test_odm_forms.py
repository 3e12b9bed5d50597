"""Forms from ODM: alike from both versions, and what dangles, is not understood or is hostile has a reason with its path."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.interop.cdisc import odm_xml
from salus.interop.cdisc.findings import DocumentRefused
from salus.interop.cdisc.odm_forms import Forms, forms, read_odm
from tests.interop.cdisc.odm_files import CHOSEN, form_1, form_2
from tests.needs import shared

VERSION = "/ODM[1]/Study[1]/MetaDataVersion[1]"


def compiled(text: str) -> Forms:
    return forms(read_odm(text.encode()))


def refused(text: str | bytes) -> list[tuple[str, str]]:
    with pytest.raises(DocumentRefused) as refusal:
        forms(read_odm(text if isinstance(text, bytes) else text.encode()))
    return [(each.rule, each.path) for each in refusal.value.findings]


def test_both_versions_compile_to_the_same_form():
    read = read_odm(form_1().encode())
    assert forms(read) == compiled(form_2())
    assert (read.version, read.units) == ("1.3.2", (("IT.PAIN", "pts"),))
    (form,) = forms(read).forms
    assert [(item.name, needed) for item, needed in form.items()] == [
        ("PULSE", True),
        ("PAIN", False),
        ("SMOKES", False),
    ]
    pulse, pain, smokes = (item for item, _ in form.items())
    assert (pain.question, pain.alias, pain.length) == ("Pain?", "QSORRES", "4")
    assert [(each.comparator, each.values, each.soft) for each in pain.checks] == [
        ("GE", ("0",), False),
        ("LT", ("10.5",), True),
    ]
    assert pain.checks[1].message == "Pain is at most 10."
    assert pulse.method.description == "After five minutes of rest"
    assert smokes.codes == (("Y", "Yes"), ("N", "No"))
    assert smokes.condition.expressions == (("XPath", "age < 12"),)


@pytest.mark.parametrize("use", ['Mandatory="No"', 'Mandatory="Yes" CollectionExceptionConditionOID="C.CHILD"'])
def test_what_a_section_does_not_need_is_not_needed(use):
    text = form_2().replace('ItemGroupOID="IG.VITALS" Mandatory="Yes"', f'ItemGroupOID="IG.VITALS" {use}')
    (form,) = compiled(text).forms
    assert [needed for _, needed in form.items()] == [False, False, False]


def test_what_no_form_uses_is_compiled_too():
    assert [each.oid for each in compiled(form_2('<ItemDef OID="X" Name="X" DataType="text"/>')).spare] == ["X"]
    spare = '<ItemGroupDef OID="G" Name="G" Repeating="No" Type="Section"><ItemRef ItemOID="GONE" Mandatory="No"/></ItemGroupDef>'
    assert refused(form_2(spare)) == [("dangling-reference", f"{VERSION}/ItemGroupDef[3]/ItemRef[1]/@ItemOID")]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('CodeListRef CodeListOID="CL.YN"', 'CodeListRef CodeListOID="CL"', [("dangling-reference", "ItemDef[3]/CodeListRef[1]/@CodeListOID")]),
        ('ItemOID="IT.PAIN"', 'ItemOID="IT"', [("dangling-reference", "ItemGroupDef[2]/ItemRef[1]/@ItemOID")]),
        ('"C.CHILD" Name', '"C" Name', [("dangling-reference", "ItemGroupDef[2]/ItemRef[3]/@CollectionExceptionConditionOID")]),
        ('"M.PULSE" Name', '"M" Name', [("dangling-reference", "ItemGroupDef[2]/ItemRef[2]/@MethodOID")]),
        ('ItemGroupRef ItemGroupOID="measure"', 'ItemGroupRef ItemGroupOID="other"', [("dangling-reference", "StudyEventDef[1]/ItemGroupRef[1]/@ItemGroupOID")]),
        ('ItemGroupRef ItemGroupOID="IG.VITALS"', 'ItemGroupRef ItemGroupOID="measure"', [("cycle-of-groups", "ItemGroupDef[1]/ItemGroupRef[1]/@ItemGroupOID")]),
        ('Comparator="GE"', 'Comparator="ABOUT"', [("comparator", "ItemDef[1]/RangeCheck[1]/@Comparator")]),
        ("<CheckValue>0</CheckValue></RangeCheck>", "</RangeCheck>", [("missing", "ItemDef[1]/RangeCheck[1]/CheckValue")]),
        (
            '<RangeCheck Comparator="GE" SoftHard="Hard"><CheckValue>0</CheckValue>',
            '<RangeCheck SoftHard="Hard"><FormalExpression Context="Python 3.7"><Code>x</Code></FormalExpression>',
            [("edit-check-language", "ItemDef[1]/RangeCheck[1]/FormalExpression[1]/@Context")],
        ),
        ('<CodeListRef CodeListOID="CL.YN"/>', '<ValueListRef ValueListOID="VL"/>', [("dangling-reference", "ItemDef[3]/ValueListRef[1]/@ValueListOID")]),
        ('<CodeListRef CodeListOID="CL.YN"/>', '<v:Widget xmlns:v="urn:vendor"/>', [("not-understood", "ItemDef[3]/Widget[1]")]),
        (' DataType="integer"', "", [("missing", "ItemDef[2]/@DataType")]),
        (' CodedValue="Y"', "", [("missing", "CodeList[1]/CodeListItem[1]/@CodedValue")]),
        ('ItemDef OID="IT.PULSE"', 'ItemDef OID="IT.PAIN"', [("id-twice", "ItemDef[2]/@OID")]),
        ('OID="CL.YN" Name', "Name", [("missing", "CodeList[1]/@OID")]),
        ("<StudyEventDef", '<Include StudyOID="S" MetaDataVersionOID="V0"/><StudyEventDef', [("include", "Include[1]")]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_rule_and_path(old, new, found):
    text = form_2()
    assert old in text
    expected = [(rule, f"{VERSION}/{path}") for rule, path in found]
    assert refused(text.replace(old, new, 1)) == expected


def test_what_an_item_is_may_depend_on_another():
    (form,) = compiled(
        form_2().replace('<CodeListRef CodeListOID="CL.YN"/>', CHOSEN[0], 1).replace("</MetaData", CHOSEN[1])
    ).forms
    smokes = next(item for item, _ in form.items() if item.oid == "IT.SMOKES")
    assert (smokes.codes, [each.item.oid for each in smokes.choices]) == ((), ["IT.OFTEN", "IT.YN"])
    ((often,), (low, high)) = smokes.choices[0].when
    assert [(each.item, each.check.comparator, each.check.values) for each in (often, low, high)] == [
        ("IT.PAIN", "EQ", ("9",)),
        ("IT.PULSE", "GE", ("50",)),
        ("IT.PULSE", "LT", ("60",)),
    ]
    assert (smokes.choices[1].when, smokes.choices[1].item.codes[0]) == ((), ("Y", "Yes"))


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('ItemRef ItemOID="IT.OFTEN"', 'ItemRef ItemOID="IT"', [("dangling-reference", "ValueListDef[1]/ItemRef[1]/@ItemOID")]),
        ('WhereClauseOID="WC.NINE"', 'WhereClauseOID="WC"', [("dangling-reference", "ValueListDef[1]/ItemRef[1]/WhereClauseRef[1]/@WhereClauseOID")]),
        ('SoftHard="Soft" ItemOID="IT.PAIN"', 'SoftHard="Soft"', [("dangling-reference", "WhereClauseDef[1]/RangeCheck[1]/@ItemOID")]),
        ('Comparator="EQ"', 'Comparator="ABOUT"', [("comparator", "WhereClauseDef[1]/RangeCheck[1]/@Comparator")]),
        ('<CodeListRef CodeListOID="CL.OFTEN"/>', '<ValueListRef ValueListOID="VL"/>', [("not-understood", "ItemDef[4]/ValueListRef[1]")]),
    ],
)  # fmt: skip
def test_a_list_of_values_that_does_not_hold_is_refused(old, new, found):
    text = form_2().replace('<CodeListRef CodeListOID="CL.YN"/>', CHOSEN[0], 1).replace("</MetaData", CHOSEN[1])
    assert old in text
    told = refused(text.replace(old, new, 1))
    assert told == [(rule, f"{VERSION}/{path}") for rule, path in found]


def test_everything_wrong_is_told_at_once():
    text = form_2().replace('CodeListOID="CL.YN"', 'CodeListOID="CL"').replace('Comparator="GE"', 'Comparator="?"')
    assert [rule for rule, _ in refused(text)] == ["comparator", "dangling-reference"]


def test_groups_within_groups_have_an_end():
    chain = "".join(
        f'<ItemGroupDef OID="G{n}" Name="G" Repeating="No" Type="Section"><ItemGroupRef ItemGroupOID="G{n + 1}" Mandatory="No"/></ItemGroupDef>'
        for n in range(12)
    )
    last = '<ItemGroupDef OID="G12" Name="G" Repeating="No" Type="Section"/>'
    assert {rule for rule, _ in refused(form_2(chain + last))} == {"cycle-of-groups"}


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE ODM [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    '<ODM xmlns="http://www.cdisc.org/ns/odm/v2.0">&b;</ODM>'
)
SECRET = '<?xml version="1.0"?><!DOCTYPE ODM [<!ENTITY x SYSTEM "file:///etc/hostname">]><ODM>&x;</ODM>'


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (BOMB, "declaration"),
        (SECRET, "declaration"),
        ('<!DOCTYPE ODM><ODM xmlns="http://www.cdisc.org/ns/odm/v2.0"/>', "declaration"),
        ("<ODM>" * 50 + "</ODM>" * 50, "depth"),
        ("", "xml"),
        ("<ODM", "xml"),
        ('<?xml version="1.0" encoding="none"?><ODM/>', "xml"),
        ("<ODM/>", "wrapper"),
        ('<Study xmlns="http://www.cdisc.org/ns/odm/v2.0"/>', "wrapper"),
        ('<ODM xmlns="http://www.cdisc.org/ns/odm/v2.0"/>', "not-one"),
        ('<ODM xmlns="http://www.cdisc.org/ns/odm/v2.0" ODMVersion="1.3.2"/>', "version"),
    ],
)
def test_hostile_input_has_a_reason(data, rule):
    assert [found for found, _ in refused(data)] == [rule]


def test_attack_groups_that_multiply_are_refused():
    """Eight groups that each use the next eight times would be two million."""
    uses = [f'<ItemGroupRef ItemGroupOID="G{at}" Mandatory="No" OrderNumber="{"9" * 5000}"/>' * 8 for at in range(1, 8)]
    groups = "".join(
        f'<ItemGroupDef OID="G{at}" Name="g" Repeating="No" Type="{"Section" if at else "Form"}">{use}</ItemGroupDef>'
        for at, use in enumerate([*uses, '<ItemRef ItemOID="IT.PAIN" Mandatory="No"/>'])
    )
    with pytest.raises(DocumentRefused) as refused:
        forms(read_odm(form_2().replace("<ItemGroupDef", f"{groups}<ItemGroupDef", 1).encode()))
    assert refused.value.findings[-1].rule == "too-many-parts"


def test_a_document_has_a_size(monkeypatch):
    monkeypatch.setattr(odm_xml, "MOST_ELEMENTS", 20)
    assert [rule for rule, _ in refused(form_2())] == ["size"]
    monkeypatch.setattr(odm_xml, "MOST_BYTES", 1000)
    assert refused(form_2()) == [("size", "")]


@settings(max_examples=40)
@given(st.integers(0, len(form_2())), st.text(max_size=6))
def test_anything_else_is_forms_or_a_named_refusal(at, text):
    whole = form_2()
    try:
        found = compiled(whole[:at] + text + whole[at + len(text) :]).forms
    except DocumentRefused as refusal:
        found = refusal.findings
    assert found


FOLDER = "data/trials/odm/examples"
INVALID = {
    "Data_Retrieval_From_FHIR_in_ODM.xml",
    "Hypercholesterolemia_CV_Risk_factors_FH_CRF_1_3_2.xml",
    "MetaData_Dave_1_3_2_new_2006_01_26_extra_languages.xml",
}
NOT_WHOLE = {
    "Columbia-Suicide_Severity_Scale_ODMv2.xml": {"dangling-reference"},
    "fhir-example.xml": {"dangling-reference"},
}
"""Valid examples that do not compile: references that lead nowhere."""


def test_cdiscs_pair_compiles_to_equal_forms():
    older = read_odm(shared(f"{FOLDER}/MetaData_Dave_1_3_2_new_2006_01_26_extra_languages.xml").read_bytes())
    newer = read_odm(shared(f"{FOLDER}/Result_ODMv2.xml").read_bytes())
    assert (older.version, newer.version) == ("1.3.2", "2.0")
    assert forms(older) == forms(newer)
    told = forms(newer)
    items = {item.oid for form in told.forms for item, _ in form.items()} | {each.oid for each in told.spare}
    assert (len(told.forms), len(items), len(older.units)) == (7, 63, 4)


def test_every_valid_example_is_read_and_compiles_or_says_why_not():
    files = [each for each in sorted(shared(FOLDER).iterdir()) if each.name not in INVALID]
    refusals = {}
    for each in files:
        read = read_odm(each.read_bytes())
        assert read.version == "2.0"
        try:
            forms(read)
        except DocumentRefused as refusal:
            refusals[each.name] = {found.rule for found in refusal.findings}
    assert len(files) == 16
    assert refusals == NOT_WHOLE
