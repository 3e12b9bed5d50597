"""835 remittance advice (X221A1) and 999 acknowledgment (X231A1)."""

from typing import Final

from salus.interop.x12.tables import Guide, guide

REMITTANCE: Final[Guide] = guide(
    "835",
    "835",
    "005010X221A1",
    "HP",
    """
ST R1 01~835
BPR R1 01~C|D|H|I|P|U|X 03~C|D 04~ACH|BOP|CHK|FWT|NON 16!
TRN R1 01~1 03!
CUR S1
REF S1 01=EV 02!
REF S1 01=F2 02!
DTM S1 01=405
@1000A R1
  N1 R1 01=PR 02!
  N3 R1
  N4 R1 01!
  REF S4 01~2U|EO|HI|NF 02!
  PER S1 01=CX
  PER S* 01=BL
  PER S1 01=IC
@1000B R1
  N1 R1 01=PE 03~FI|XV|XX 03! 04!
  N3 S1
  N4 S1
  REF S* 01~0B|D3|PQ|TJ 02!
  RDM S1
@2000 S*
  LX R1
  TS3 S1
  TS2 S1
  @2100 R* unit
    CLP R1 02~1|2|3|4|19|20|21|22|23|25 06! 07!
    CAS S99 01~CO|OA|PI|PR
    NM1 R1 01=QC 02~1
    NM1 S1 01=IL
    NM1 S1 01=74
    NM1 S1 01=82
    NM1 S1 01=TT
    NM1 S1 01=PR
    NM1 S1 01=GB
    MIA S1
    MOA S1
    REF S5 01=1L|1W|28|6P|9A|9C|BB|CE|EA|F8|G1|G3|IG|SY 02!
    REF S10 01=0B|1A|1B|1C|1D|1G|1H|1J|D3|G2|LU 02!
    DTM S1 01=036
    DTM S1 01=050
    DTM S2 01=232|233
    PER S2
    AMT S13 01~AU|D8|DY|F5|I|NL|T|T2|ZK|ZL|ZM|ZN|ZO
    QTY S14
    @2110 S999
      SVC R1 03!
      DTM S3 01~150|151|472
      CAS S99 01~CO|OA|PI|PR
      REF S8 01=1S|APC|BB|E9|G1|G3|LU|RB 02!
      REF S1 01=6R 02!
      REF S10 01=0B|1A|1B|1C|1D|1G|1H|1J|D3|G2|HPI|SY|TJ 02!
      REF S5 01=0K 02!
      AMT S9 01~B6|KH|T|T2|ZK|ZL|ZM|ZN|ZO
      QTY S6
      LQ S99 01~HE|RX 02!
PLB S*
SE R1
""",
)

ACKNOWLEDGMENT: Final[Guide] = guide(
    "999",
    "999",
    "005010X231A1",
    "FA",
    """
ST R1 01~999 03!
AK1 R1
@2000 S*
  AK2 R1
  @2100 S*
    IK3 R1 04!
    CTX S10
    @2110 S*
      IK4 R1
      CTX S10
  IK5 R1 01~A|E|M|R|W|X
AK9 R1 01~A|E|M|P|R|W|X
SE R1
""",
)
