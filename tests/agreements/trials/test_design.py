"""How often an arm is guessed, and what a protocol alone leaves open."""

import json
from fractions import Fraction

import pytest

from salus.agreements.trials.compile import compile_plan
from salus.agreements.trials.design import blind_share, guess_share
from salus.agreements.trials.draft import draft
from salus.agreements.trials.draws import BigStick, Blocks, Simple
from salus.agreements.trials.terms import analyses_of, check_terms, read_terms
from salus.interop.cdisc.usdm import read_usdm
from tests.interop.cdisc.protocols import protocol, written

BLOCKS = Blocks((1, 1), (4, 6, 8), bytes(range(32)))


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("scheme", "share"),
    [
        (Simple((1, 1)), 0.50),
        (Blocks((1, 1), (2,), bytes(32)), 0.751),
        (Blocks((1, 1), (4,), bytes(32)), 0.708),
        (Blocks((1, 1), (6,), bytes(32)), 0.683),
        (BLOCKS, 0.681),
        (BigStick(3), 0.581),
        (BigStick(4), 0.561),
    ],
)
def test_how_often_the_next_arm_can_be_guessed(scheme, share):
    assert abs(guess_share(scheme, 240) - share) < 0.01


def test_more_than_two_arms_and_unequal_ones_can_be_guessed():
    assert guess_share(Blocks((1, 1, 1), (3,), bytes(32)), 90, 20) > Fraction(6, 10)
    assert abs(guess_share(Simple((2, 1)), 240, 20) - Fraction(1, 2)) < Fraction(1, 20)
    assert blind_share((2, 1)) == Fraction(2, 3)


def test_a_draft_names_what_the_protocol_names_and_is_refused_until_its_gaps_are_filled():
    plan = compile_plan(read_usdm(written(protocol())))
    drafted = draft(plan)
    terms = read_terms(json.dumps(drafted.terms).encode())
    analyses = analyses_of(json.dumps(drafted.analysis).encode())
    assert {each.id for each in terms.criteria} == {each.id for each in plan.criteria}
    wrong = {each.path for each in check_terms(plan, terms, analyses)}
    told = {each.path for each in drafted.gaps}
    assert {"/consent_form", "/outcomes/0/time_frame", "/randomisation/size_commitment"} <= wrong
    assert wrong <= told
    filled = json.loads(json.dumps(drafted.terms))
    filled["consent_form"] = "ab" * 32
    filled["randomisation"]["size_commitment"] = "cd" * 32
    for outcome in filled["outcomes"]:
        outcome |= {"measure": "Pain", "time_frame": "4 weeks"}
    assert check_terms(plan, read_terms(json.dumps(filled).encode()), analyses) == ()


def test_a_design_without_arms_draws_nothing():
    document = protocol()
    design = document["study"]["versions"][0]["studyDesigns"][0]
    if len(design["arms"]) > 1:
        kept = design["arms"][:1]
        gone = {each["id"] for each in design["arms"][1:]}
        design["arms"] = kept
        design["studyCells"] = [each for each in design.get("studyCells", []) if each["armId"] not in gone]
    plan = compile_plan(read_usdm(written(document)))
    assert draft(plan).terms["randomisation"] == {"method": "external", "arms": [plan.arms[0].id]}
