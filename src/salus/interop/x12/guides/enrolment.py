"""834 benefit enrolment and maintenance (X220A1), read only."""

from typing import Final

from salus.interop.x12.tables import Guide, guide

ENROLMENT: Final[Guide] = guide(
    "834",
    "834",
    "005010X220A1",
    "BE",
    """
ST R1 01~834 03!
BGN R1 01~00|15|22 04! 08~2|4|RX
REF S1 01~38 02!
DTP S* 01~007|090|091|303|382|388
QTY S3 01~DT|ET|TO
@1000A R1
  N1 R1 01=P5
@1000B R1
  N1 R1 01=IN
@1000C S2
  N1 R1 01=BO|TV
  @1100C S1
    ACT R1
@2000 S* unit
  INS R1 01~N|Y 03! 05~A|C|S|T
  REF R1 01=0F 02!
  REF S1 01=1L 02!
  REF S13 01=17|23|3H|4A|60|6O|ABB|D3|DX|F6|P5|Q4|QQ|ZZ 02!
  DTP S24 01~050|056|057|286|296|297|300|301|303|336|337|338|339|340|341|350|351|356|357|360|361|383|385|386|393|394|473|474|358|543
  @2100A R1
    NM1 R1 01=74|IL 02~1
    PER S1
    N3 S1
    N4 S1
    DMG S1
    EC S*
    ICM S1
    AMT S7
    HLH S1
    LUI S*
  @2100B S1
    NM1 R1 01=70
    DMG S1
  @2100C S1
    NM1 R1 01=31
    N3 R1
    N4 R1
  @2100D S3
    NM1 R1 01=36
    PER S1
    N3 S1
    N4 S1
  @2100E S3
    NM1 R1 01=M8
    PER S1
    N3 S1
    N4 S1
  @2100F S1
    NM1 R1 01=S3
    PER S1
    N3 S1
    N4 S1
  @2100G S13
    NM1 R1 01=6Y|9K|E1|EI|EXS|GB|GD|J6|LR|QD|S1|TZ|X4
    PER S1
    N3 S1
    N4 S1
  @2100H S1
    NM1 R1 01=45
    N3 S1
    N4 S1
  @2200 S4
    DSB R1
    DTP S10
  @2300 S99
    HD R1 03!
    DTP R6 01~300|303|343|348|349|543|695
    AMT S9
    REF S12 01~17|1L|9V|CE|E8|M7|PID|QQ|RB|X9|XM|XX1|XX2|ZX|ZZ
    IDC S3
    @2310 S30
      LX R1
      NM1 R1
      N3 S2
      N4 S1
      PER S2
    @2320 S5
      COB R1
      REF S4
      DTP S2
      @2330 S3
        NM1 R1
        N3 S1
        N4 S1
        PER S1
  LS S1
  @2710 S*
    LX R1
    @2750 S1
      N1 R1 01=75
      REF S1
      DTP S1
  LE S1
SE R1
""",
)
