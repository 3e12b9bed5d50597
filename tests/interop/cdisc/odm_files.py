"""The same small form in ODM 2.0 and in 1.3.2, of our own making."""

DEFINITIONS = """
<ItemGroupDef OID="IG.VITALS" Name="Vital signs" Repeating="No"{section}>
  <ItemRef ItemOID="IT.PAIN" Mandatory="No" OrderNumber="2"/>
  <ItemRef ItemOID="IT.PULSE" Mandatory="Yes" OrderNumber="1" MethodOID="M.PULSE"/>
  <ItemRef ItemOID="IT.SMOKES" Mandatory="Yes" OrderNumber="3" CollectionExceptionConditionOID="C.CHILD"/>
</ItemGroupDef>
<ItemDef OID="IT.PAIN" Name="PAIN" DataType="decimal" Length="4"{pain}>
  <Question><TranslatedText xml:lang="de">Schmerz?</TranslatedText><TranslatedText xml:lang="en">Pain?</TranslatedText></Question>
  {unit}
  <RangeCheck Comparator="GE" SoftHard="Hard"><CheckValue>0</CheckValue></RangeCheck>
  <RangeCheck Comparator="LT" SoftHard="Soft"><CheckValue>10.5</CheckValue>
    <ErrorMessage><TranslatedText>Pain is at most 10.</TranslatedText></ErrorMessage></RangeCheck>
  {alias}
</ItemDef>
<ItemDef OID="IT.PULSE" Name="PULSE" DataType="integer"><RangeCheck Comparator="NOTIN" SoftHard="Soft"><CheckValue>0</CheckValue>
  <CheckValue>999</CheckValue></RangeCheck></ItemDef>
<ItemDef OID="IT.SMOKES" Name="SMOKES" DataType="text"><CodeListRef CodeListOID="CL.YN"/></ItemDef>
<CodeList OID="CL.YN" Name="Yes or no" DataType="text">
  <CodeListItem CodedValue="Y"><Decode><TranslatedText>Yes</TranslatedText></Decode></CodeListItem>
  <CodeListItem CodedValue="N"><Decode><TranslatedText>No</TranslatedText></Decode></CodeListItem>
</CodeList>
<ConditionDef OID="C.CHILD" Name="A child"><Description><TranslatedText>Under 12</TranslatedText></Description>
  <FormalExpression Context="XPath">{open}age &lt; 12{close}</FormalExpression></ConditionDef>
<MethodDef OID="M.PULSE" Name="Pulse"><Description><TranslatedText>After five minutes of rest</TranslatedText></Description></MethodDef>
"""
CHOSEN = (
    '<ValueListRef ValueListOID="VL"/>',
    """
<ValueListDef OID="VL"><ItemRef ItemOID="IT.OFTEN" Mandatory="No"><WhereClauseRef WhereClauseOID="WC.NINE"/>
  <WhereClauseRef WhereClauseOID="WC.FIFTIES"/></ItemRef><ItemRef ItemOID="IT.YN" Mandatory="No"/></ValueListDef>
<WhereClauseDef OID="WC.NINE"><RangeCheck Comparator="EQ" SoftHard="Soft" ItemOID="IT.PAIN"><CheckValue>9</CheckValue></RangeCheck></WhereClauseDef>
<WhereClauseDef OID="WC.FIFTIES"><RangeCheck Comparator="GE" SoftHard="Soft" ItemOID="IT.PULSE"><CheckValue>50</CheckValue></RangeCheck>
  <RangeCheck Comparator="LT" SoftHard="Soft" ItemOID="IT.PULSE"><CheckValue>60</CheckValue></RangeCheck></WhereClauseDef>
<ItemDef OID="IT.OFTEN" Name="OFTEN" DataType="text"><CodeListRef CodeListOID="CL.OFTEN"/></ItemDef>
<ItemDef OID="IT.YN" Name="YN" DataType="text"><CodeListRef CodeListOID="CL.YN"/></ItemDef>
<CodeList OID="CL.OFTEN" Name="How often" DataType="text"><EnumeratedItem CodedValue="Y"/><EnumeratedItem CodedValue="SOME"/></CodeList>
</MetaData""",
)
"""What makes an item be what others say: in place of its code list, and before the end of the version."""
HEAD = 'CreationDateTime="2026-01-01T00:00:00Z" FileOID="F1" FileType="Snapshot"'


def form_2(definitions: str = "") -> str:
    """Return the form in ODM 2.0, with more definitions behind it."""
    own = DEFINITIONS.format(
        section=' Type="Section"',
        pain="",
        unit="",
        alias='<Alias Context="SDTM" Name="QSORRES"/>',
        open="<Code>",
        close="</Code>",
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ODM xmlns="http://www.cdisc.org/ns/odm/v2.0" {HEAD} ODMVersion="2.0"><Study OID="S" StudyName="A study">
<MetaDataVersion OID="V" Name="One">
<StudyEventDef OID="SE" Name="Visit" Repeating="No" Type="Scheduled"><ItemGroupRef ItemGroupOID="measure" Mandatory="Yes"/></StudyEventDef>
<ItemGroupDef OID="measure" Name="Measurements" Repeating="No" Type="Form"><ItemGroupRef ItemGroupOID="IG.VITALS" Mandatory="Yes"/></ItemGroupDef>
{own}{definitions}</MetaDataVersion></Study></ODM>"""


def form_1() -> str:
    """Return the form in ODM 1.3.2, with a unit."""
    own = DEFINITIONS.format(
        section="",
        pain=' SDSVarName="QSORRES"',
        unit='<MeasurementUnitRef MeasurementUnitOID="MU.POINTS"/>',
        alias="",
        open="",
        close="",
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" {HEAD} ODMVersion="1.3.2"><Study OID="S">
<GlobalVariables><StudyName>A study</StudyName></GlobalVariables>
<BasicDefinitions><MeasurementUnit OID="MU.POINTS" Name="Points"><Symbol><TranslatedText>pts</TranslatedText></Symbol></MeasurementUnit>
</BasicDefinitions><MetaDataVersion OID="V" Name="One">
<StudyEventDef OID="SE" Name="Visit" Repeating="No" Type="Scheduled"><FormRef FormOID="measure" Mandatory="Yes"/></StudyEventDef>
<FormDef OID="measure" Name="Measurements" Repeating="No"><ItemGroupRef ItemGroupOID="IG.VITALS" Mandatory="Yes"/></FormDef>
{own}</MetaDataVersion></Study></ODM>"""
