"""Whatever comes: what goes back is X12 that its receiver can read, and says of every claim one thing."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.agreements.claims.alone import Outcome, adjudicate, sound_claims
from salus.interop.x12.examine import InterchangeSeen, SetSeen, UnitSeen, examine
from salus.interop.x12.tokens import Unreadable
from tests.agreements.claims.cases import ENDS, MEMBERS, PLAN, RATES, SETTINGS, STAMP, claim, file_of, line, stay

FILE = file_of(claim(line(1, "S9129", 9000)), claim(line(1, "S9129", 9000, "20250302"), identifier="A2"), stamp=STAMP)
STAY = file_of(stay(line(), line(2, "J0696", 9000)), stamp=STAMP)
OTHER = FILE.translate(bytes.maketrans(b"*:~^", b"|>!&")).replace(b"\n", b"")
"""The same under separators that are data where we write."""

ECHOES = {"AK1", "AK2"}
"""Segments that tell a sender its own numbers back, sound or not."""


def answered(data: bytes) -> Outcome:
    """Decide a file and hold every answer against levels 1 to 3."""
    outcome = adjudicate([data], PLAN, [RATES], MEMBERS, SETTINGS)
    answers = (*outcome.envelopes, *outcome.acknowledgments, *outcome.claim_acknowledgments, outcome.remittance)
    for text in filter(None, answers):
        assert text.isascii()
        for event in examine([text]):
            if isinstance(event, UnitSeen | SetSeen):
                assert [one for one in event.findings if one.level < 4 and one.tag not in ECHOES] == []
            if isinstance(event, SetSeen):
                assert event.envelope == ()
            if isinstance(event, InterchangeSeen):
                assert event.code == "000"
    return outcome


def test_other_separators_are_as_good() -> None:
    assert [one.paid for one in answered(OTHER).decisions] == [one.paid for one in answered(FILE).decisions]


@pytest.mark.parametrize("sign", ["*", "~", ":", "^", "~SE*3*1~ST*835*9~"])
@pytest.mark.parametrize("place", ["CLM|A1", "BHT|0019|00|0001", "MI|M1", "REF|6R|L1", "46|1234567893", "ST|837|0001"])
def test_a_value_with_a_sign_that_parts_our_answers_is_refused_and_never_written(place: str, sign: str) -> None:
    data = OTHER.replace(place.encode(), place.encode() + sign.encode(), 1)
    assert data != OTHER
    outcome = answered(data)
    assert outcome.decisions == ()
    assert b"IK5*R" in outcome.acknowledgments[0]


def test_an_address_may_hold_any_sign() -> None:
    assert len(answered(OTHER.replace(b"N3|2 OAK AVE", b"N3|2 OAK: *AVE^~", 1)).decisions) == 2


@settings(max_examples=150)
@given(
    st.sampled_from([FILE, OTHER, STAY]),
    st.lists(st.tuples(st.integers(3, 3000), st.binary(max_size=6)), min_size=1, max_size=3),
)
def test_any_damage_is_answered_in_sound_x12_or_by_the_named_refusal(
    data: bytes, damage: list[tuple[int, bytes]]
) -> None:
    for place, new in damage:
        at = place % len(data)
        data = data[:at] + new + data[at + len(new) :]
    with contextlib.suppress(Unreadable):
        answered(data)


@pytest.mark.parametrize("tag", ["\u00e9TE", "N\u00a5", "\u00ff"])
def test_a_tag_of_foreign_letters_is_told_back_in_ascii(tag: str) -> None:
    outcome = answered(FILE.replace(b"~\nHI*", b"~\n" + tag.encode("latin-1") + b"*1~\nHI*", 1))
    assert outcome.decisions == ()


@pytest.mark.parametrize(
    ("old", "new"), [("GE*1*1", "GE*1*2"), ("GE*1*1", "GE*2*1"), ("IEA*1*000000001", "IEA*2*000000001"), ("IEA*1*", "")]
)
def test_no_claim_of_a_refused_group_or_envelope_is_decided_or_told_accepted(old: str, new: str) -> None:
    data = FILE.replace(old.encode(), new.encode())
    assert data != FILE
    outcome = answered(data)
    assert (outcome.decisions, outcome.claim_acknowledgments, outcome.remittance) == ((), (), b"")
    assert bool(outcome.envelopes) == old.startswith("IEA") != bool(outcome.acknowledgments)
    assert sound_claims([data], "20250310") == ()
    assert "0 claims decided, 2 refused at the door" in outcome.page


def test_a_refused_group_leaves_the_other_groups_and_interchanges_alone() -> None:
    group = FILE[FILE.index(b"GS*") : FILE.index(b"IEA*")]
    second = group.replace(b"*1200*1*X*", b"*1200*2*X*").replace(b"CLM*A", b"CLM*B").replace(b"GE*1*1~", b"GE*1*2~")
    wrong = group.replace(b"GE*1*1~", b"GE*9*1~")
    head = FILE[: FILE.index(b"GS*")]
    for groups in ((wrong, second), (second, wrong)):
        data = head + b"".join(groups) + b"IEA*2*000000001~\n"
        outcome = answered(data + FILE.replace(b"IEA*1", b"IEA*7").replace(b"000000001", b"000000002"))
        assert [one.claim.identifier for one in outcome.decisions] == ["B1", "B2"] or [
            one.claim.identifier for one in outcome.decisions
        ] == ["BA1", "BA2"]
        assert b"AK9*R*9*1*0*5" in outcome.acknowledgments[0]
        assert b"AK9*A*1*1*1" in outcome.acknowledgments[0]
        assert len(outcome.claim_acknowledgments) == 1


def test_the_ends_of_an_answer_are_written_as_far_as_they_can_be() -> None:
    data = FILE.replace(ENDS[0].identifier.encode().ljust(15), b"CED\xc9R          ", 1)
    assert b"*ZZ*CED R          *" in answered(data).acknowledgments[0]
