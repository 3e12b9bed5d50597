"""837 health care claims: professional (X222A1) and institutional (X223A2)."""

from typing import Final

from salus.interop.x12.tables import Guide, guide

_HEAD: Final = """
ST R1 01~837 03!
BHT R1 01~0019 02~00|18 03! 04! 05! 06~31|CH|RP 06!
@1000A R1
  NM1 R1 01=41 02~1|2 03! 08~46 09!
  PER R2 01~IC 03! 04!
@1000B R1
  NM1 R1 01=40 02~2 03! 08~46 09!
@2000A R*
  HL R1 03=20 04~1 04!
  PRV S1 01=BI 02~PXC 03!
  CUR S1 01~85
  @2010AA R1
    NM1 R1 01=85 02~1|2 03!
    N3 R1
    N4 R1 01!
    REF S1 01=EI 02!
    REF S1 01=SY 02!
    REF S4 01=0B|1G|G2|LU 02!
    PER S2 01~IC
  @2010AB S1
    NM1 R1 01=87 02~1|2
    N3 R1
    N4 R1 01!
  @2010AC S1
    NM1 R1 01=PE 02~2 03!
    N3 R1
    N4 R1 01!
    REF S1 01=2U|FY|NF 02!
    REF S1 01=EI 02!
  @2000B R*
    HL R1 03=22 02! 04~0|1 04!
    SBR R1 01~A|B|C|D|E|F|G|H|P|S|T|U 02~18
    PAT S1
    @2010BA R1
      NM1 R1 01=IL 02~1|2 03!
      N3 S1
      N4 S1 01!
      DMG S1 01~D8 02! 03~F|M|U 03!
      REF S1 01=SY 02!
      REF S1 01=Y4 02!
      PER S1 01~IC
    @2010BB R1
      NM1 R1 01=PR 02~2 03! 08~PI|XV 08! 09!
      N3 S1
      N4 S1 01!
      REF S3 01=2U|EI|FY|NF 02!
      REF S2 01=G2|LU 02!
{claims2}
    @2000C S*
      HL R1 03=23 02! 04~0
      PAT R1 01!
      @2010CA R1
        NM1 R1 01=QC 02~1 03!
        N3 R1
        N4 R1 01!
        DMG R1 01~D8 02! 03~F|M|U 03!
        REF S1 01=Y4 02!
        REF S2 01=1W|SY 02!
        PER S1 01~IC
{claims3}
SE R1
"""

_OTHER_PAYER: Final = """
@2320 S10
  SBR R1 01~A|B|C|D|E|F|G|H|P|S|T|U 02!
  CAS S5 01~CO|CR|OA|PI|PR
  AMT S1 01=D 02!
  AMT S1 01=A8 02!
  AMT S1 01=EAF 02!
  AMT S9 01=AAE|B1|F2|F4|F5|N1|T|T2|T3|YU 02!
  DMG S1
  OI R1 03! 06!
  MIA S1
  MOA S1
  @2330A R1
    NM1 R1 01=IL 02~1|2 03!
    N3 S1
    N4 S1
    REF S2 01=SY|G2 02!
  @2330B R1
    NM1 R1 01=PR 02~2 03!
    N3 S1
    N4 S1
    DTP S1 01=573
    REF S3 01=2U|EI|FY|NF 02!
    REF S2 01=9F|G1 02!
    REF S1 01=T4 02!
    REF S1 01=F8 02!
  @2330X S9
    NM1 R1 01=71|72|77|82|85|DK|DN|DQ|P3|ZZ
    REF S3
"""

_PROFESSIONAL_CLAIM: Final = """
@2300 R100 unit
  CLM R1 02! 05! 05.2~B 06~N|Y 06! 07~A|B|C|D|P 07! 08~N|W|Y 08! 09~I|Y 09!
  DTP S1 01=431
  DTP S1 01=454
  DTP S1 01=304
  DTP S1 01=453
  DTP S1 01=439
  DTP S1 01=484
  DTP S1 01=455
  DTP S1 01=471
  DTP S1 01=314|360|361
  DTP S1 01=297
  DTP S1 01=296
  DTP S1 01=435
  DTP S1 01=096
  DTP S2 01=090|091
  DTP S1 01=444
  DTP S1 01=050
  PWK S10
  CN1 S1
  AMT S1 01=F5 02!
  REF S1 01=4N 02!
  REF S1 01=F5 02!
  REF S1 01=EW 02!
  REF S1 01=9F 02!
  REF S1 01=G1 02!
  REF S1 01=F8 02!
  REF S1 01=X4 02!
  REF S1 01=9A 02!
  REF S1 01=9C 02!
  REF S1 01=LX 02!
  REF S1 01=D9 02!
  REF S1 01=EA 02!
  REF S1 01=P4 02!
  REF S1 01=1J 02!
  K3 S10
  NTE S1 01~ADD|CER|DCP|DGN|TPO
  CR1 S1
  CR2 S1
  CRC S8
  HI R1 01.1=ABK|BK
  HI S1 01.1=BP
  HI S2 01.1=BG
  HCP S1
  @2310A S2
    NM1 R1 01=DN|P3 02~1
    REF S3
  @2310B S1
    NM1 R1 01=82 02~1|2
    PRV S1 01~PE
    REF S4
  @2310C S1
    NM1 R1 01=77 02~2
    N3 R1
    N4 R1
    REF S3
    PER S1
  @2310D S1
    NM1 R1 01=DQ 02~1
    REF S4
  @2310E S1
    NM1 R1 01=PW 02~2
    N3 R1
    N4 R1
  @2310F S1
    NM1 R1 01=45 02~2
    N3 R1
    N4 R1
{other}
  @2400 R50
    LX R1
    SV1 R1 01.1~ER|HC|IV|WK 02! 03~MJ|UN 03! 04! 07!
    SV5 S1
    PWK S10
    CR1 S1
    CR3 S1
    CRC S5
    DTP R1 01=472 02~D8|RD8
    DTP S9 01=304|455|461|463|471|481|607|738|739
    DTP S3 01=011|196|359
    QTY S2 01~PT|FL
    MEA S5
    CN1 S1
    REF S1 01=9B 02!
    REF S1 01=9D 02!
    REF S5 01=G1 02!
    REF S1 01=6R 02!
    REF S1 01=EW 02!
    REF S1 01=X4 02!
    REF S1 01=F4 02!
    REF S1 01=BT 02!
    REF S5 01=9F 02!
    AMT S1 01=T 02!
    AMT S1 01=F4 02!
    K3 S10
    NTE S1 01~ADD|DCP
    NTE S1 01~TPO
    PS1 S1
    HCP S1
    @2410 S1
      LIN R1 02! 03!
      CTP S1
      REF S1 01~VY|XZ 02!
    @2420A S1
      NM1 R1 01=82
      PRV S1
      REF S20
    @2420B S1
      NM1 R1 01=QB
      REF S20
    @2420C S1
      NM1 R1 01=77
      N3 R1
      N4 R1
      REF S3
    @2420D S1
      NM1 R1 01=DQ
      REF S20
    @2420E S1
      NM1 R1 01=DK
      N3 S1
      N4 S1
      REF S20
      PER S1
    @2420F S2
      NM1 R1 01=DN|P3
      REF S20
    @2420G S1
      NM1 R1 01=PW
      N3 R1
      N4 R1
    @2420H S1
      NM1 R1 01=45
      N3 R1
      N4 R1
    @2430 S15
      SVD R1 03!
      CAS S5 01~CO|CR|OA|PI|PR
      DTP R1 01~573
      AMT S1 01~EAF
    @2440 S*
      LQ R1 01! 02!
      FRM S99
"""

_INSTITUTIONAL_CLAIM: Final = """
@2300 R100 unit
  CLM R1 02! 05! 05.2~A 05.3! 07~A|B|C 07! 08~N|W|Y 08! 09~I|Y 09!
  DTP S1 01=096
  DTP R1 01=434 02~RD8|D8
  DTP S1 01=435
  DTP S1 01=050
  CL1 R1 03!
  PWK S10
  CN1 S1
  AMT S1 01=F3 02!
  AMT S1 01=F5 02!
  REF S1 01=4N 02!
  REF S1 01=9F 02!
  REF S1 01=G1 02!
  REF S1 01=F8 02!
  REF S1 01=9A 02!
  REF S1 01=9C 02!
  REF S5 01=LX 02!
  REF S1 01=D9 02!
  REF S1 01=LU 02!
  REF S1 01=EA 02!
  REF S1 01=P4 02!
  REF S1 01=G4 02!
  K3 S10
  NTE S10
  CRC S3
  HI R1 01.1=ABK|BK
  HI S1 01.1=ABJ|BJ
  HI S1 01.1=APR|PR
  HI S1 01.1=ABN|BN
  HI S1 01.1=DR
  HI S2 01.1=ABF|BF
  HI S1 01.1=BBR|BR|CAH
  HI S2 01.1=BBQ|BQ
  HI S2 01.1=BI
  HI S2 01.1=BH
  HI S2 01.1=BE
  HI S2 01.1=BG
  HI S2 01.1=TC
  QTY S4
  HCP S1
  @2310A S1
    NM1 R1 01=71 02~1
    PRV S1 01~AT
    REF S4
  @2310B S1
    NM1 R1 01=72 02~1
    REF S4
  @2310C S1
    NM1 R1 01=ZZ 02~1
    REF S4
  @2310D S1
    NM1 R1 01=82 02~1
    REF S4
  @2310E S1
    NM1 R1 01=77 02~2
    N3 R1
    N4 R1
    REF S3
  @2310F S1
    NM1 R1 01=DN 02~1
    REF S3
{other}
  @2400 R999
    LX R1
    SV2 R1 01! 03! 04~DA|UN 04! 05!
    PWK S10
    DTP S1 01=472 02~D8|RD8
    REF S1 01=6R 02!
    REF S1 01=9B 02!
    REF S1 01=9D 02!
    AMT S1 01=GT 02!
    AMT S1 01=N8 02!
    NTE S1
    HCP S1
    @2410 S1
      LIN R1 02! 03!
      CTP S1
      REF S1 01~VY|XZ 02!
    @2420A S1
      NM1 R1 01=72
      REF S20
    @2420B S1
      NM1 R1 01=ZZ
      REF S20
    @2420C S1
      NM1 R1 01=82
      REF S20
    @2420D S1
      NM1 R1 01=DN
      REF S20
    @2430 S15
      SVD R1 04!
      CAS S5 01~CO|CR|OA|PI|PR
      DTP R1 01~573
      AMT S1 01~EAF
"""


def _deeper(table: str, levels: int) -> str:
    return "\n".join("  " * levels + line for line in table.splitlines() if line.strip())


def _whole(claim: str) -> str:
    body = claim.replace("{other}", _deeper(_OTHER_PAYER, 1)).replace("R100", "S100")
    return _HEAD.format(claims2=_deeper(body, 2), claims3=_deeper(body, 3))


PROFESSIONAL: Final[Guide] = guide("837P", "837", "005010X222A1", "HC", _whole(_PROFESSIONAL_CLAIM))
INSTITUTIONAL: Final[Guide] = guide("837I", "837", "005010X223A2", "HC", _whole(_INSTITUTIONAL_CLAIM))
