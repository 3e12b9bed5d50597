"""What we write passes two foreign readers; what they pass of the public samples we do not refuse."""

import pytest

from salus.agreements.claims.alone import adjudicate
from tests.agreements.claims.cases import MEMBERS, PLAN, RATES, SETTINGS, claim, file_of, line
from tests.agreements.claims.test_reckoner import World
from tests.interop.x12.oracles import PAGE, ours, oxedi_accepts, page, pyx12_accepts
from tests.interop.x12.test_examine import INSTITUTIONAL, PAID, PROFESSIONAL, REMITTANCE
from tests.needs import shared

VOID = claim(line(1, "S9129", 9000), frequency="8", original="H00000001")
ANSWERS = adjudicate([file_of(claim(line(1, "S9129", 9000)), VOID)], PLAN, [RATES], MEMBERS, SETTINGS)
REFUSING = adjudicate([PROFESSIONAL.replace(b"CLM*A2*1", b"CLM*A2*2")], PLAN, [RATES], MEMBERS, SETTINGS)


@pytest.mark.parametrize(
    "data",
    [
        PROFESSIONAL,
        INSTITUTIONAL,
        PAID,
        REMITTANCE,
        ANSWERS.remittance,
        ANSWERS.acknowledgments[0],
        REFUSING.claim_acknowledgments[0],
    ],
)
def test_pyx12_finds_nothing_in_what_we_write(data: bytes) -> None:
    assert pyx12_accepts(data) is True


@pytest.mark.parametrize("data", [PAID, REMITTANCE, ANSWERS.remittance])
def test_oxedi_finds_nothing_in_what_we_write(data: bytes) -> None:
    assert oxedi_accepts(data) is True


def test_both_find_nothing_in_worlds_of_claims_and_their_answers() -> None:
    """Secondary claims, replacements, voids, stays with and without a group; refused sets and claims; what is paid of them."""
    world = World(2, 12)
    whole = adjudicate(world.files(), world.plan, world.contracts, world.members(), SETTINGS)
    assert {one.status for one in whole.decisions} >= {"paid", "denied", "voided"}
    assert any(one.secondary for one in whole.decisions)
    refused = adjudicate([PROFESSIONAL.replace(b"SBR*P*18", b"SBR*Q*18", 1)], PLAN, [RATES], MEMBERS, SETTINGS)
    assert b"IK4" in refused.acknowledgments[0]
    answers = (*whole.acknowledgments, *whole.claim_acknowledgments, *refused.acknowledgments, whole.remittance)
    assert [pyx12_accepts(text) for text in (*world.files(), *answers)] == [True] * (2 + len(answers))
    assert oxedi_accepts(whole.remittance) is True


def test_the_remittance_that_both_read_holds_a_reversal() -> None:
    assert b"*22*-90*-64**" in ANSWERS.remittance


def test_no_public_sample_that_pyx12_accepts_is_refused_and_a_refusal_quotes_the_defect() -> None:
    files = [path for path in shared("data/claims/x12").rglob("*") if path.is_file()]
    for path in files:
        data = path.read_bytes()
        found = ours(data, received="")
        if found:
            assert pyx12_accepts(data) is not True, path.name
        assert all(one.got.encode() in data for one in found), path.name


@pytest.mark.soak
def test_the_page_of_differences_is_current() -> None:
    assert PAGE.read_text() == page()
