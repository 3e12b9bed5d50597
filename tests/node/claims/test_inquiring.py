"""Eligibility and status answered from the payer's own books, and a file checked before it is sent."""

from collections.abc import Iterator

import pytest

from salus.contracts.membership.port import Role
from salus.interop.x12.envelope import Stamp, interchange
from salus.interop.x12.examine import SetSeen, UnitSeen, examine
from salus.interop.x12.findings import refused
from salus.interop.x12.tokens import Segment, segment, tokenize
from salus.node.claims import check_claims, decide_claims, submit_claims, tell_eligibility, tell_status
from salus.node.claims.inquiring import AskClaimStatus, AskEligibility, CheckClaims
from salus.node.claims.submitting import SubmitClaims
from salus.node.errors import Malformed
from salus.node.together import Clock, Founder, Together, found_together
from tests.agreements.claims.cases import CLINIC, ENDS, HOSPITAL, claim, file_of, line
from tests.node.claims.test_cases import REQUEST, START

PAYER = segment("NM1", "PR", "2", "HARBOR HEALTH", "", "", "", "", "PI", "HARBOR1")


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    founders = (Founder("cedar", "Cedar", (Role.PROVIDER,)), Founder("harbor", "Harbor", (Role.PAYER,)))
    found = found_together(tmp_path_factory.mktemp("inquiring"), founders, clock=Clock(lambda: START))
    made = [claim(line(1, "G0404", 25000)), claim(line(1, "R0070", 20000, "20250302"), identifier="A2")]
    submit_claims(found.nodes["cedar"], SubmitClaims(payer="harbor", file=file_of(*made)))
    found.abreast()
    decide_claims(found.nodes["harbor"], REQUEST)
    again = claim(line(1, "G0402", 15000, "20250304"), line(2, "G0402", 16000, "20250304"), identifier="A3")
    submit_claims(found.nodes["cedar"], SubmitClaims(payer="harbor", file=file_of(again)))
    found.abreast()
    decide_claims(found.nodes["harbor"], REQUEST)
    yield found
    found.close()


def inquiry(*people: list[Segment]) -> bytes:
    body = [
        segment("ST", "270", "0001", "005010X279A1"),
        segment("BHT", "0022", "13", "Q1", "20250310", "1200"),
        segment("HL", "1", "", "20", "1"),
        PAYER,
        segment("HL", "2", "1", "21", "1"),
        segment("NM1", "1P", "2", "CEDAR CLINIC", "", "", "", "", "XX", CLINIC.identifier),
        *[part for person in people for part in person],
    ]
    return interchange(ENDS, Stamp("20250310", "1200", 1), "HS", "005010X279A1", [body])


def jane(number: str = "M1", level: str = "3", *, ask: bool = True, day: str = "20250310") -> list[Segment]:
    return [
        segment("HL", level, "2", "22", "0" if ask else "1"),
        *([segment("TRN", "1", f"T{level}", "9123456789")] if ask else []),
        segment("NM1", "IL", "1", "DOE", "JANE", "", "", "", "MI", number),
        *([segment("DMG", "D8", "19800101"), segment("DTP", "291", "D8", day), segment("EQ", "30")] if ask else []),
    ]


def john(birth: str = "20100505") -> list[Segment]:
    return [
        segment("HL", "4", "3", "23", "0"),
        segment("TRN", "1", "T4", "9123456789"),
        segment("NM1", "03", "1", "DOE", "JOHN"),
        segment("DMG", "D8", birth),
        segment("DTP", "291", "D8", "20250310"),
        segment("EQ", "30"),
    ]


def sound(data: bytes) -> list[str]:
    for event in examine([data]):
        if isinstance(event, UnitSeen | SetSeen):
            assert not refused(event.findings), event.findings
            assert not (isinstance(event, SetSeen) and (event.envelope or event.head.guide is None))
    return [part.text for part, _ in tokenize([data])]


def eligibility(together: Together, file: bytes) -> list[str]:
    ask = AskEligibility(file=file, plan=REQUEST.plan, members=REQUEST.members)
    return sound(tell_eligibility(together.nodes["harbor"], ask).file)


def test_a_covered_person_gets_what_is_left_of_deductible_and_maximum(together: Together) -> None:
    told = eligibility(together, inquiry(jane()))
    assert "TRN*2*T3*9123456789" in told
    assert "EB*1**30**HARBOR FAMILY" in [text.upper() for text in told]
    assert "EB*C*IND*30***23*500*****Y" in told
    assert "EB*C*IND*30***29*320*****Y" in told  # G0404 at 200.00 less the copay of 20.00 went to the deductible
    assert "EB*C*FAM*30***29*620*****Y" in told
    assert "EB*G*IND*30***29*1800*****Y" in told


def test_a_dependent_is_known_by_birth_and_a_stranger_is_not(together: Together) -> None:
    told = eligibility(together, inquiry([*jane(ask=False), *john()]))
    assert "EB*C*IND*30***29*500*****Y" in told
    assert "EB*C*FAM*30***29*620*****Y" in told
    assert "AAA*N**67*C" in eligibility(together, inquiry([*jane(ask=False), *john("20100506")]))
    unknown = eligibility(together, inquiry(jane("M9")))
    assert "AAA*N**75*C" in unknown
    assert not [text for text in unknown if text.startswith("EB*")]
    assert "EB*6**30**HARBOR FAMILY" in [text.upper() for text in eligibility(together, inquiry(jane(day="20230101")))]


def status_file(*claims: tuple[str, str], member: str = "M1", provider: str = CLINIC.identifier) -> bytes:
    body = [
        segment("ST", "276", "0001", "005010X212"),
        segment("BHT", "0010", "13", "S1", "20250310", "1200"),
        segment("HL", "1", "", "20", "1"),
        PAYER,
        segment("HL", "2", "1", "21", "1"),
        segment("NM1", "41", "2", "CEDAR CLINIC", "", "", "", "", "46", "CEDAR"),
        segment("HL", "3", "2", "19", "1"),
        segment("NM1", "1P", "2", "CEDAR CLINIC", "", "", "", "", "XX", provider),
        segment("HL", "4", "3", "22", "0"),
        segment("DMG", "D8", "19800101", "F"),
        segment("NM1", "IL", "1", "DOE", "JANE", "", "", "", "MI", member),
    ]
    for qualifier, value in claims:
        body += [segment("TRN", "1", f"T{value}"), segment("REF", qualifier, value)]
        body.append(segment("DTP", "472", "D8", "20250301"))
    return interchange(ENDS, Stamp("20250310", "1200", 1), "HR", "005010X212", [body])


def status(together: Together, file: bytes) -> list[str]:
    return [
        text for text in sound(tell_status(together.nodes["harbor"], AskClaimStatus(file=file)).file) if "STC" in text
    ]


def test_status_says_paid_denied_waiting_and_not_found(together: Together) -> None:
    told = status(together, status_file(("EJ", "A1"), ("1K", "C00000002"), ("EJ", "A3"), ("EJ", "A9")))
    assert told == ["STC*F1:65*20250310**250*0", "STC*F2:585*20250310**200*0", "STC*P2:20*20250310**310*0", told[3]]
    assert told[3].startswith("STC*A4:35*")


def test_a_claim_of_another_provider_or_person_is_not_found(together: Together) -> None:
    for file in (
        status_file(("1K", "C00000001"), provider=HOSPITAL.identifier),
        status_file(("1K", "C00000001"), member="M2"),
    ):
        (told,) = status(together, file)
        assert told.startswith("STC*A4:35*")


def test_what_is_no_inquiry_is_refused(together: Together) -> None:
    for file in (b"not X12", file_of(claim()), inquiry(jane())[:-40], inquiry(jane()).replace(b"NM1*IL", b"NM1*QQ")):
        with pytest.raises(Malformed, match=r"claims\.(inquiry|unreadable)"):
            eligibility(together, file)


def test_a_file_is_checked_before_it_is_sent(together: Together) -> None:
    node = together.nodes["cedar"]
    assert check_claims(node, CheckClaims(file=file_of(claim()), received="20250310")).sound
    with pytest.raises(Malformed, match="not one of the calendar"):
        check_claims(node, CheckClaims(file=file_of(claim()), received="2025-03-10"))
    told = check_claims(node, CheckClaims(file=file_of(claim()).replace(b"CLM*A1*150", b"CLM*A1*151")))
    assert not told.sound
    assert told.faults[0].startswith("claim A1, level 3, 2300 CLM02, segment ")
    read = check_claims(node, CheckClaims(file=file_of(claim()).replace(b"X222A1", b"X222A2"), received="20250310"))
    assert read.sound
    assert read.notes


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (b"X222A1", b"X098A1", "set 0001: a set or version that is not taken here"),
        (b"SE*", b"SE*9", "set 0001: SE01 is not the number of its segments"),
        (b"GE*1*", b"GE*2*", ": GE01 is not the number of its sets"),
    ],
)
def test_a_file_that_the_999_would_refuse_whole_is_not_sound(
    together: Together, right: bytes, wrong: bytes, told: str
) -> None:
    file = file_of(claim()).replace(right, wrong)
    found = check_claims(together.nodes["cedar"], CheckClaims(file=file, received="20250310"))
    assert not found.sound
    assert any(one.startswith("level 1, ") and told in one for one in found.faults)
