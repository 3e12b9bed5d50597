"""TA1, 999 and 277CA say what was found, are sound themselves, and let the sound claims go on."""

import pytest

from salus.interop.x12.answers import acknowledgment, claim_acknowledgment, envelope_answer, ta1, verdict
from salus.interop.x12.claim import Party, read_claim
from salus.interop.x12.envelope import Stamp
from salus.interop.x12.examine import SetSeen, UnitSeen, examine
from salus.interop.x12.findings import refused
from salus.interop.x12.remittance import read_remittance, set_of
from salus.interop.x12.tokens import tokenize
from tests.agreements.claims.cases import CLINIC, JOHN, PAYER, STAMP, claim, file_of, line, stay
from tests.interop.x12.test_examine import PAID, REMITTANCE

ROE = Party("ROE", CLINIC.identifier, "RICHARD")
BACK = Stamp("20250311", "0900", 77)
TWO = file_of(claim(), claim(identifier="A2", patient=JOHN, relationship="19"), stamp=STAMP)


def texts(data: bytes | None) -> list[str]:
    assert data is not None
    return [part.text for part, _ in tokenize([data])]


def sound(data: bytes | None) -> bool:
    assert data is not None
    events = list(examine([data]))
    return all(not event.findings and not event.envelope for event in events if isinstance(event, SetSeen))


def test_a_sound_file_is_accepted_at_every_level() -> None:
    seen = verdict(examine([TWO]))
    header = seen.interchanges[0].header
    assert ta1(seen.interchanges[0]).text == "TA1*000000001*250310*1200*A*000"
    answer = acknowledgment(seen.groups, header, BACK)
    assert sound(answer)
    assert [text for text in texts(answer) if text[:3] in {"AK1", "AK2", "IK5", "AK9"}] == [
        "AK1*HC*1*005010X222A1",
        "AK2*837*0001*005010X222A1",
        "IK5*A",
        "AK9*A*1*1*1",
    ]
    told = claim_acknowledgment(seen.groups[0].sets, header, PAYER, BACK)
    assert sound(told)
    assert [text for text in texts(told) if text.startswith("STC*A2")] == ["STC*A2:20*20250311*WQ*150"] * 2


def test_a_guide_fault_refuses_the_set_with_its_place() -> None:
    data = TWO.replace(b"SBR*P*18", b"SBR*X*18").replace(b"N3*1 MAIN ST", b"N3*" + b"1" * 60)
    seen = verdict(examine([data]))
    header = seen.interchanges[0].header
    answer = acknowledgment(seen.groups, header, BACK)
    assert sound(answer)
    told = texts(answer)
    assert "IK3*N3*9*2010*8" in told
    assert "IK4*1**5*" + "1" * 60 in told
    assert "IK3*SBR*13*2000*8" in told
    assert "IK4*1**7*X" in told
    assert "IK5*R*5" in told
    assert "AK9*R*1*1*0" in told
    assert claim_acknowledgment(seen.groups[0].sets, header, PAYER, BACK) is None


def test_a_bad_claim_is_refused_with_the_277ca_and_the_other_taken() -> None:
    seen = verdict(examine([TWO.replace(b"CLM*A1*150", b"CLM*A1*151")]))
    header = seen.interchanges[0].header
    assert "IK5*A" in texts(acknowledgment(seen.groups, header, BACK))
    told = claim_acknowledgment(seen.groups[0].sets, header, PAYER, BACK)
    assert sound(told)
    statuses = [text for text in texts(told) if text.startswith("STC*A")]
    assert statuses[2].startswith("STC*A7:178*20250311*U*151")
    assert "CLM02, segment" in statuses[2]
    assert statuses[3] == "STC*A2:20*20250311*WQ*150"
    assert [text for text in texts(told) if text[:3] in {"QTY", "AMT"}] == [
        "QTY*90*1",
        "QTY*AA*1",
        "AMT*YU*150",
        "AMT*YY*151",
        "QTY*QA*1",
        "QTY*QC*1",
        "AMT*YU*150",
        "AMT*YY*151",
    ]


def test_an_acknowledgment_that_repeats_a_wrong_number_is_sound() -> None:
    wrong = b"NM1*85*2*CEDAR CLINIC*****XX*1234567890"
    seen = verdict(examine([TWO.replace(b"NM1*85*2*CEDAR CLINIC*****XX*1234567893", wrong)]))
    told = claim_acknowledgment(seen.groups[0].sets, seen.interchanges[0].header, PAYER, BACK)
    assert wrong.decode() in texts(told)
    assert sound(told)


def test_a_broken_envelope_gets_a_ta1_back_to_its_sender() -> None:
    seen = verdict(examine([TWO.replace(b"IEA*1*000000001", b"IEA*1*000000009")]))
    answer = texts(envelope_answer(seen.interchanges[0], BACK))
    assert answer[1] == "TA1*000000001*250310*1200*R*001"
    assert answer[0][35:50].strip() == "HARBOR"
    assert answer[2] == "IEA*0*000000077"


@pytest.mark.parametrize(
    "made", [claim(), claim(line(modifiers=("25", "59"), rendering=ROE), rendering=ROE), stay(line(), drg="")]
)
def test_a_claim_survives_being_written_and_read(made: object) -> None:
    events = examine([file_of(made)])
    read = [read_claim(event.loop, ":") for event in events if isinstance(event, UnitSeen)]
    assert read == [made]


@pytest.mark.parametrize("data", [PAID, REMITTANCE])
def test_a_remittance_survives_being_read_and_written(data: bytes) -> None:
    (seen,) = [event for event in examine([data], keep=True) if isinstance(event, SetSeen)]
    assert seen.root is not None
    assert not refused(seen.findings)
    read = read_remittance(seen.root, ":")
    again = [part.text for part in set_of(read, "0001")]
    assert [text for text in again if not text.startswith("PER")] == [
        text for text in texts(data)[2:-4] if not text.startswith("PER")
    ]
