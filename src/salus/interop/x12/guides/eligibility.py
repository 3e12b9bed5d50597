"""270 eligibility inquiry and 271 answer (X279A1)."""

from typing import Final

from salus.interop.x12.tables import Guide, guide

_PERSON_INQUIRY: Final = """
  TRN S2
  @2100{c} R1
    NM1 R1 01={who}
    REF S9
    N3 S1
    N4 S1
    PRV S1
    DMG S1
    INS S1
    HI S1
    DTP S2 01~291|096|102|152|307
    @2110{c} S99
      EQ R1
      AMT S2
      III S10
      REF S1
      DTP S1
"""

_PERSON_ANSWER: Final = """
  TRN S3
  @2100{c} S1
    NM1 R1 01={who}
    REF S9
    N3 S1
    N4 S1
    AAA S9 01~N|Y 03! 04!
    PRV S1
    DMG S1
    INS S1
    HI S1
    DTP S9
    MPI S1
    @2110{c} S*
      EB R1
      HSD S9
      REF S9
      DTP S20
      AAA S9
      MSG S10
      @2115{c} S10
        III R1
      LS S1
      @2120{c} S23
        NM1 R1
        N3 S1
        N4 S1
        PER S3
        PRV S1
      LE S1
"""


def _people(table: str, person: str, last: str) -> str:
    def deeper(text: str, levels: int) -> str:
        return "\n".join("  " * levels + line for line in text.splitlines() if line.strip())

    subscriber = deeper("@2000C R*\n  HL R1 03=22 02! 04!" + person.format(c="C", who="IL"), 2)
    dependent = deeper("@2000D S*\n  HL R1 03=23 02!" + person.format(c="D", who="03"), 3)
    return table.replace("{people}", subscriber + "\n" + dependent) + last


INQUIRY: Final[Guide] = guide(
    "270",
    "270",
    "005010X279A1",
    "HS",
    _people(
        """
ST R1 01~270 03!
BHT R1 01~0022 02~01|13 04! 05!
@2000A R*
  HL R1 03=20 04~1 04!
  @2100A R1
    NM1 R1 01~2B|36|GP|P5|PR 08! 09!
  @2000B R*
    HL R1 03=21 02! 04~1 04!
    @2100B R1
      NM1 R1 01~1P|2B|36|80|FA|GP|P5|PR 08! 09!
      REF S9
      N3 S1
      N4 S1
      PRV S1
{people}
""",
        _PERSON_INQUIRY,
        "\nSE R1\n",
    ),
)

ANSWER: Final[Guide] = guide(
    "271",
    "271",
    "005010X279A1",
    "HB",
    _people(
        """
ST R1 01~271 03!
BHT R1 01~0022 02~06|11 04! 05!
@2000A R*
  HL R1 03=20 04~0|1 04!
  AAA S9 01~N|Y 03! 04!
  @2100A R1
    NM1 R1 01~2B|36|GP|P5|PR 08! 09!
    PER S3
    AAA S9 01~N|Y 03! 04!
  @2000B S*
    HL R1 03=21 02! 04~0|1 04!
    @2100B R1
      NM1 R1 01~1P|2B|36|80|FA|GP|P5|PR 08! 09!
      REF S9
      N3 S1
      N4 S1
      AAA S9 01~N|Y 03! 04!
      PRV S1
{people}
""",
        _PERSON_ANSWER,
        "\nSE R1\n",
    ).replace("@2000C R*", "@2000C S*"),
)
