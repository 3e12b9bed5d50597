"""276 claim status request and 277 response (X212), 277CA claim acknowledgment (X214)."""

from typing import Final

from salus.interop.x12.tables import Guide, guide

REQUEST: Final[Guide] = guide(
    "276",
    "276",
    "005010X212",
    "HR",
    """
ST R1 01~276 03!
BHT R1 01~0010 02~13 03! 04! 05!
@2000A R*
  HL R1 03=20 04~1 04!
  @2100A R1
    NM1 R1 01~PR 08! 09!
  @2000B R*
    HL R1 03=21 02! 04~1 04!
    @2100B R1
      NM1 R1 01~41 08! 09!
    @2000C R*
      HL R1 03=19 02! 04~1 04!
      @2100C R2
        NM1 R1 01~1P 08! 09!
      @2000D R*
        HL R1 03=22 02! 04~0|1 04!
        DMG S1
        @2100D R1
          NM1 R1 01~IL
        @2200D S*
          TRN R1 01~1
          REF S9
          AMT S1 01~T3
          DTP S2 01~472
          @2210D S*
            SVC R1
            REF S1
            DTP R1 01~472
        @2000E S*
          HL R1 03=23 02!
          DMG R1
          @2100E R1
            NM1 R1 01~QC
          @2200E R*
            TRN R1 01~1
            REF S9
            AMT S1 01~T3
            DTP S2 01~472
            @2210E S*
              SVC R1
              REF S1
              DTP R1 01~472
SE R1
""",
)

RESPONSE: Final[Guide] = guide(
    "277",
    "277",
    "005010X212",
    "HN",
    """
ST R1 01~277 03!
BHT R1 01~0010 02~08 03! 04! 05! 06~DG 06!
@2000A R*
  HL R1 03=20 04~0|1 04!
  @2100A R1
    NM1 R1 01~PR 08! 09!
    PER S1
  @2000B R*
    HL R1 03=21 02! 04~0|1 04!
    @2100B R1
      NM1 R1 01~41 08! 09!
    @2200B S1
      TRN R1 01~1|2
      STC R* 02!
    @2000C S*
      HL R1 03=19 02! 04~0|1 04!
      @2100C R2
        NM1 R1 01~1P 08! 09!
      @2200C S1
        TRN R1 01~1|2
        STC R* 02!
      @2000D S*
        HL R1 03=22 02! 04~0|1 04!
        @2100D R1
          NM1 R1 01~IL
        @2200D S*
          TRN R1 01~2
          STC R* 02!
          REF S9
          DTP S2 01~472
          @2220D S*
            SVC R1
            STC R*
            REF S1
            DTP R1 01~472
        @2000E S*
          HL R1 03=23 02!
          @2100E R1
            NM1 R1 01~QC
          @2200E R*
            TRN R1 01~2
            STC R* 02!
            REF S9
            DTP S2 01~472
            @2220E S*
              SVC R1
              STC R*
              REF S1
              DTP R1 01~472
SE R1
""",
)

CLAIM_ACKNOWLEDGMENT: Final[Guide] = guide(
    "277CA",
    "277",
    "005010X214",
    "HN",
    """
ST R1 01~277 03!
BHT R1 01~0085 02~08 03! 04! 05! 06~TH 06!
@2000A R1
  HL R1 03=20 04~1 04!
  @2100A R1
    NM1 R1 01~AY|PR 08! 09!
  @2200A R1
    TRN R1 01~1
    DTP R1 01=050
    DTP R1 01=009
  @2000B R1
    HL R1 03=21 02! 04~0|1 04!
    @2100B R1
      NM1 R1 01~41 08! 09!
    @2200B R1
      TRN R1 01~2
      STC R* 02! 03! 04!
      QTY S1 01=90
      QTY S1 01=AA
      AMT S1 01=YU
      AMT S1 01=YY
    @2000C S*
      HL R1 03=19 02! 04~0|1 04!
      @2100C R1
        NM1 R1 01~85
      @2200C S1
        TRN R1 01~1
        STC S*
        REF S3
        QTY S1 01=QA
        QTY S1 01=QC
        AMT S1 01=YU
        AMT S1 01=YY
      @2000D S*
        HL R1 03=PT 02!
        @2100D R1
          NM1 R1 01~QC
        @2200D R*
          TRN R1 01~2
          STC R* 02! 03! 04!
          REF S1 01=1K 02!
          REF S1 01=D9 02!
          REF S1 01=BLT 02!
          DTP R1 01~472
          @2220D S*
            SVC R1
            STC R*
            REF S1 01=FJ 02!
            REF S1 01=XZ 02!
            DTP S1 01~472
SE R1
""",
)
