"""278 request for review of health care services and the response to it (X217)."""

from typing import Final

from salus.interop.x12.tables import Guide, guide

_PERSON: Final = """
@2010{c} R1
  NM1 R1 01={who}
  REF S9
  N3 S1
  N4 S1
  AAA S9
  DMG S1
  INS S1
"""

_EVENT: Final = """
  TRN S3
  AAA S9
  UM R1 01~AR|HS|IN|SC
  HCR S1 01~A1|A2|A3|A4|A6|C|CT|NA
  REF S2
  DTP S9
  HI S1
  HSD S1
  CL1 S1
  CR1 S1
  CR5 S1
  CR6 S1
  PWK S10
  MSG S1
  @2010EA S14
    NM1 R1
    REF S8
    N3 S1
    N4 S1
    PER S1
    AAA S9
    PRV S1
  @2000F S*
    HL R1 03=SS 02!
    TRN S3
    AAA S9
    UM S1
    HCR S1 01~A1|A2|A3|A4|A6|C|CT|NA
    REF S2
    DTP S1 01~472
    SV1 S1
    SV2 S1
    HSD S1
    PWK S10
    MSG S1
    @2010F S12
      NM1 R1
      REF S8
      N3 S1
      N4 S1
      PER S1
      AAA S9
      PRV S1
"""


def _deeper(table: str, levels: int) -> str:
    return "\n".join("  " * levels + line for line in table.splitlines() if line.strip())


def _whole(head: str) -> str:
    event = "@2000E S*\n  HL R1 03=EV 02!" + _EVENT
    dependent = "@2000D S1\n  HL R1 03=23 02!\n" + _deeper(_PERSON.format(c="D", who="QC"), 1)
    dependent += "\n" + _deeper(event, 1)
    subscriber = "@2000C S1\n  HL R1 03=22 02!\n" + _deeper(_PERSON.format(c="C", who="IL"), 1)
    subscriber += "\n" + _deeper(event, 1) + "\n" + _deeper(dependent, 1)
    return f"""
ST R1 01~278 03!
{head}
@2000A R1
  HL R1 03=20 04~0|1 04!
  AAA S9
  @2010A R1
    NM1 R1 01~2B|36|PR|X3 08! 09!
    PER S1
    AAA S9
  @2000B S1
    HL R1 03=21 02! 04~0|1 04!
    @2010B R2
      NM1 R1 01~1P|FA 08! 09!
      REF S8
      N3 S1
      N4 S1
      PER S1
      AAA S9
      PRV S1
{_deeper(subscriber, 2)}
SE R1
"""


REQUEST: Final[Guide] = guide(
    "278 request", "278", "005010X217", "HI", _whole("BHT R1 01~0007 02~01|13|36 03! 04! 05!"), functions="01 13 36"
)
RESPONSE: Final[Guide] = guide(
    "278 response", "278", "005010X217", "HI", _whole("BHT R1 01~0007 02~11 03! 04! 05!"), functions="11"
)
