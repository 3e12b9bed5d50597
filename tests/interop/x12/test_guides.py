"""Every guide that Salus reads has a message of ours that passes it and is written back as it came."""

import pytest

from salus.interop.x12.envelope import Stamp, interchange
from salus.interop.x12.examine import SetSeen, examine
from salus.interop.x12.guides import GUIDES, guide_for
from salus.interop.x12.tables import guide
from salus.interop.x12.tokens import Segment, segment, tokenize, write
from tests.agreements.claims.cases import CLINIC, ENDS

NPI = CLINIC.identifier
STAMP = Stamp("20250310", "1200", 7)
PAYER = "NM1*PR*2*HARBOR*****PI*HARBOR1"
PROVIDER = f"NM1*1P*2*CEDAR CLINIC*****XX*{NPI}"
MESSAGES = {
    "270": (
        "HS",
        f"""ST*270*0001*005010X279A1
BHT*0022*13*1*20250310*1200
HL*1**20*1
{PAYER}
HL*2*1*21*1
{PROVIDER}
HL*3*2*22*1
TRN*1*93175*9877281234
NM1*IL*1*DOE*JANE****MI*M1
DMG*D8*19800101
DTP*291*D8*20250310
EQ*30
HL*4*3*23*0
NM1*03*1*DOE*JOHN
DTP*291*D8*20250310
EQ*30^98""",
    ),
    "271": (
        "HB",
        f"""ST*271*0001*005010X279A1
BHT*0022*11*1*20250310*1200
HL*1**20*1
{PAYER}
HL*2*1*21*1
{PROVIDER}
HL*3*2*22*0
TRN*2*93175*9877281234
NM1*IL*1*DOE*JANE****MI*M1
DTP*346*D8*20250101
EB*1**30**HARBOR FAMILY
EB*B**98^UC*HM*HARBOR FAMILY*27*20*****Y
EB*L
LS*2120
NM1*P3*1*ROE*RICHARD
LE*2120
EB*C**30***29*120""",
    ),
    "276": (
        "HR",
        f"""ST*276*0001*005010X212
BHT*0010*13*1*20250310*1200
HL*1**20*1
{PAYER}
HL*2*1*21*1
NM1*41*2*CEDAR*****46*C1
HL*3*2*19*1
{PROVIDER}
HL*4*3*22*0
DMG*D8*19800101*F
NM1*IL*1*DOE*JANE****MI*M1
TRN*1*A1
AMT*T3*150
DTP*472*D8*20250301""",
    ),
    "277": (
        "HN",
        f"""ST*277*0001*005010X212
BHT*0010*08*1*20250310*1200*DG
HL*1**20*1
{PAYER}
HL*2*1*21*1
NM1*41*2*CEDAR*****46*C1
HL*3*2*19*1
{PROVIDER}
HL*4*3*22*0
NM1*IL*1*DOE*JANE****MI*M1
TRN*2*A1
STC*F1:65*20250310**150*64
REF*1K*H1
DTP*472*D8*20250301
SVC*HC:G0402*150*64****1
STC*F1:65*20250310
DTP*472*D8*20250301""",
    ),
    "278 request": (
        "HI",
        f"""ST*278*0001*005010X217
BHT*0007*13*1*20250310*1200
HL*1**20*1
NM1*X3*2*HARBOR*****PI*HARBOR1
HL*2*1*21*1
{PROVIDER}
HL*3*2*22*1
NM1*IL*1*DOE*JANE****MI*M1
DMG*D8*19800101*F
HL*4*3*EV*1
UM*HS*I*3*11:B
DTP*472*RD8*20250301-20250331
HI*ABK:M545
NM1*SJ*1*ROE*RICHARD****XX*{NPI}
HL*5*4*SS*0
DTP*472*D8*20250301
SV1*HC:R0070*200*UN*2""",
    ),
    "278 response": (
        "HI",
        f"""ST*278*0001*005010X217
BHT*0007*11*1*20250310*1201
HL*1**20*1
NM1*X3*2*HARBOR*****PI*HARBOR1
HL*2*1*21*1
{PROVIDER}
HL*3*2*22*1
NM1*IL*1*DOE*JANE****MI*M1
HL*4*3*EV*1
UM*HS*I*3*11:B
HCR*A1*PA1
HL*5*4*SS*0
HCR*A3**0F
SV1*HC:R0070*200*UN*2""",
    ),
    "834": (
        "BE",
        """ST*834*0001*005010X220A1
BGN*00*1*20250101*0900****2
N1*P5*WIDGET*FI*234567891
N1*IN*HARBOR*FI*876543219
INS*Y*18*021*XN*A*C**FT
REF*0F*M1
DTP*356*D8*20250101
NM1*IL*1*DOE*JANE
DMG*D8*19800101*F
HD*021**PPO**FAM
DTP*348*D8*20250101""",
    ),
}


def body(text: str) -> list[Segment]:
    return [segment(*line.split("*")) for line in text.splitlines()]


def message(name: str) -> bytes:
    function, text = MESSAGES[name]
    parts = body(text)
    return interchange(ENDS, STAMP, function, parts[0].get(3), [parts])


def seen(data: bytes) -> SetSeen:
    (event,) = [event for event in examine([data], keep=True) if isinstance(event, SetSeen)]
    return event


@pytest.mark.parametrize("name", MESSAGES)
def test_a_sound_message_passes_its_guide_and_survives(name: str) -> None:
    data = message(name)
    event = seen(data)
    assert event.head.guide is not None
    assert event.head.guide.name == name
    assert (event.findings, event.envelope) == ((), ())
    assert b"".join(write(tokenize([data]))) == data


@pytest.mark.parametrize("name", MESSAGES)
def test_each_segment_left_out_or_doubled_is_judged_not_crashed_on(name: str) -> None:
    function, text = MESSAGES[name]
    lines = text.splitlines()
    required = 0
    for place in range(1, len(lines)):
        for changed in (lines[:place] + lines[place + 1 :], lines[: place + 1] + lines[place:]):
            parts = body("\n".join(changed))
            event = seen(interchange(ENDS, STAMP, function, parts[0].get(3), [parts]))
            required += bool(event.findings)
    assert required >= len(lines) // 2


def test_every_guide_is_found_by_set_version_and_function() -> None:
    for one in GUIDES:
        for function in one.functions or {""}:
            assert guide_for(one.set_id, one.version, function) is one
    assert guide_for("837", "005010X222", "") is GUIDES[0]
    assert guide_for("837", "005010X223A3", "") is GUIDES[1]
    assert guide_for("837", "005010X224A2", "") is None


def test_loops_are_placed_where_the_guide_has_them() -> None:
    root = seen(message("278 request")).root
    assert root is not None
    assert [loop.name for loop in root.walk()] == [
        "ST_LOOP",
        "2000A",
        "2010A",
        "2000B",
        "2010B",
        "2000C",
        "2010C",
        "2000E",
        "2010EA",
        "2000F",
    ]


def test_a_table_with_a_wrong_indent_is_refused() -> None:
    with pytest.raises(ValueError, match="no segment opens the loop"):
        guide("x", "1", "v", "f", "  ST R1\n")
    with pytest.raises(ValueError, match="after the end"):
        guide("x", "1", "v", "f", "ST R1\n  @2000 R1\n")
