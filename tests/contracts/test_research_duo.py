"""The matcher: every class of the ontology has its rule, and the traps are told apart."""

import pytest

from salus.contracts.research.port import (
    CLASSES,
    Applicant,
    Kind,
    Policy,
    Purpose,
    UnknownClass,
    faults,
    match,
    name_of,
    number,
    purpose_faults,
)
from tests import duo_write
from tests.needs import shared

WHO = Applicant("university", "DE-BY", bytes(16), approved=True)
HEALTH = Purpose((37,), non_profit=True, commercial=False)
CODES = ["MONDO:0005148"]
NEEDS = {
    7: {"diseases": tuple(CODES)},
    12: {"research": (37,)},
    22: {"regions": ("DE",)},
    24: {"moratorium": 100},
    25: {"months": 12},
    27: {"projects": (bytes(16),)},
    28: {"institutions": ("university",)},
}
OF_KIND = {kind: [code for code, row in CLASSES.items() if row.kind is kind] for kind in Kind}


def policy(permission, *modifiers, **changes):
    needs = {name: value for code in (permission, *modifiers) for name, value in NEEDS.get(code, {}).items()}
    return Policy(permission, modifiers, **(needs | changes))


def refused_by(asked, purpose=HEALTH, who=WHO):
    return [misfit.code for misfit in match(asked, purpose, who).misfits]


def test_the_ontology_has_39_classes():
    assert len(CLASSES) == 39
    counted = {kind.value: len(codes) for kind, codes in OF_KIND.items()}
    assert counted == {"root": 2, "permission": 5, "modifier": 18, "investigation": 10, "obsolete": 4}


def test_the_table_is_what_the_ontology_says():
    owl = shared("data/duo/duo.owl").read_bytes()
    assert duo_write.table(owl) == duo_write.TABLE.read_text()


@pytest.mark.parametrize(
    "name", ["DUO:0000044", "DUO_0000044", "DUO_00000044", "http://purl.obolibrary.org/obo/DUO_00000044"]
)
def test_one_class_is_spelt_in_two_ways(name):
    assert number(name) == 44
    assert name_of(44) == "DUO:0000044"


@pytest.mark.parametrize("name", ["DUO:0000047", "DUO:44", "HP:0000044", "", "XDUO:0000044"])
def test_an_unknown_class_is_refused(name):
    with pytest.raises(UnknownClass):
        number(name)


@pytest.mark.parametrize("code", sorted(CLASSES))
def test_every_class_has_its_place(code):
    kind = CLASSES[code].kind
    assert (faults(policy(code)) == ()) is (kind is Kind.PERMISSION)
    assert (faults(policy(4, code)) == ()) is (kind is Kind.MODIFIER)
    assert (purpose_faults(Purpose((code,))) == ()) is (kind is Kind.INVESTIGATION)


FULL = Purpose((31, 33, 37), duties=(19, 20, 26, 29), publishes=100, non_profit=True, commercial=False)
CASES = [
    (7, {"diseases": ()}, {}),
    (7, {"diseases": (*CODES, "MONDO:0004992")}, {}),
    (7, {"diseases": tuple(CODES), "investigations": (33, 37)}, {}),
    (6, {"investigations": (33, 38)}, {}),
    (6, {"investigations": (31,)}, {}),
    (11, {"investigations": (32,)}, {}),
    (11, {"investigations": (33, 37)}, {}),
    (12, {"investigations": (31, 38)}, {}),
    (15, {"investigations": (31, 37)}, {}),
    (16, {"investigations": (37,)}, {}),
    (18, {"non_profit": False}, {}),
    (18, {"commercial": True}, {}),
    (19, {"duties": ()}, {}),
    (20, {"duties": (19,)}, {}),
    (21, {}, {"approved": False}),
    (22, {}, {"jurisdiction": "FR"}),
    (24, {"publishes": 99}, {}),
    (25, {"months": 13}, {}),
    (26, {"duties": ()}, {}),
    (27, {}, {"permit": bytes([1]) * 16}),
    (28, {}, {"member": "company"}),
    (29, {"duties": ()}, {}),
    (44, {"investigations": (32, 37)}, {}),
    (44, {"investigations": (33, 37)}, {}),
    (45, {"non_profit": False}, {}),
    (46, {"commercial": True}, {}),
]
GOOD = {
    "investigations": (38,),
    "duties": (19, 20, 26, 29),
    "publishes": 100,
    "non_profit": True,
    "commercial": False,
    "diseases": tuple(CODES),
}


@pytest.mark.parametrize(("code", "purpose", "who"), CASES)
def test_a_misfit_names_its_class_and_a_fit_is_none(code, purpose, who):
    asked = policy(code) if CLASSES[code].kind is Kind.PERMISSION else policy(42, code)
    good = GOOD | ({"investigations": (32, 33)} if code == 11 else {})
    assert refused_by(asked, Purpose(**good)) == []
    assert refused_by(asked, Purpose(**(good | purpose)), WHO._replace(**who)) == [code]


def test_every_permission_and_modifier_can_refuse_or_never_does():
    assert {code for code, _, _ in CASES} == {*OF_KIND[Kind.PERMISSION], *OF_KIND[Kind.MODIFIER]} - {4, 42, 43}


def test_class_order_is_not_permission_order():
    general = Purpose((34,), commercial=False)
    assert refused_by(policy(42), general) == []
    assert refused_by(policy(6), general) == [6]  # although health research stands under general research


def test_clinical_care_is_allowed_where_it_is_said():
    care = Purpose((37,), clinical_care=True)
    assert [refused_by(policy(*codes), care) for codes in ((42,), (42, 43), (4,), (6, 43))] == [[43], [], [], []]


def test_duties_are_returned_with_a_fit():
    found = match(policy(42, 19, 21, 29), Purpose(**GOOD), WHO)
    assert (found.fits, found.duties) == (True, (19, 29))


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        (Policy(42, (22,)), 22),
        (Policy(42, (), ("MONDO:1",)), 7),
        (Policy(42, (46, 21)), 46),
        (Policy(42, (21, 21)), 21),
        (policy(42, 12, research=(42,)), 42),
    ],
)
def test_a_policy_that_is_not_well_formed_matches_nothing(asked, wrong):
    found = match(asked, HEALTH, WHO)
    assert (found.fits, found.misfits[0].code, found.duties) == (False, wrong, ())


@pytest.mark.parametrize(("purpose", "wrong"), [(Purpose((38, 37)), 38), (Purpose((37,), duties=(21,)), 21)])
def test_a_purpose_that_is_not_well_formed_matches_nothing(purpose, wrong):
    assert refused_by(policy(4), purpose) == [wrong]
