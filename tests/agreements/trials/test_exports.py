"""Chains leave as ODM 2.0 and as SDTM tables, and are counted: every value with its history, no arm before its time."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import jsonschema_rs
import msgspec
import pytest
from lxml import etree

from salus.agreements.trials.acts import Act
from salus.agreements.trials.conduct import Adoption
from salus.agreements.trials.design_tables import arms_of, code_of, design_tables
from salus.agreements.trials.flow import Enrolled, flow
from salus.agreements.trials.odm_out import Exported, instant, odm_of
from salus.agreements.trials.participants import participant
from salus.agreements.trials.plan import Named
from salus.agreements.trials.tabulate import subject_tables
from salus.core.encoding import decode
from salus.interop.cdisc.dataset_json import read_dataset, write_dataset
from salus.interop.cdisc.odm import NAMESPACE, element
from salus.interop.cdisc.usdm import read_usdm
from tests.needs import shared

from . import sample
from .sample import FORM, GIVEN, ONE, START, Chain, under

ODM = f"{{{NAMESPACE}}}"
CREATED = "2026-03-01T00:00:00Z"
OTHER = b"subject-other567"


def told():
    """A participant whose data was entered, queried, changed, signed; with a deviation, an event, an unscheduled visit."""
    chain = Chain().enrolled()
    chain.add("visit", day=20, visit="week2")
    fields = {"item__PAIN": "16", "item__NOTE": 'a "quote" & a \x0b tab'}
    chain.add("form", day=20, visit="week2", activity="measure", **fields)
    chain.add("query", "monitor", item="week2/measure/1/NOTE", text="which one?")
    chain.add("change", item="week2/measure/1/PAIN", value="6", reason="mistyped")
    chain.add("answer", query="9").add("close", "monitor", query="9")
    chain.add("sign", "investigator", visit="week2")
    chain.add("adverse", day=21, term="collapse", hospitalisation="yes")
    event = decode(chain.acts[-1].signed.act, Act).number
    chain.add("causality", "investigator", of=str(event), related="yes")
    chain.add("visit", day=22, visit="unscheduled")
    number = len(chain.acts)
    chain.add("form", day=22, visit=f"unscheduled-{number}", item__PULSE="80")
    chain.add("visit", "stranger", day=23, visit="week4")
    return participant("north", sample.SUBJECT, chain.acts, under(now=START + 24 * sample.DAY))


def failed():
    chain = Chain()
    chain.add("consent", day=-14, form=FORM, grant="aa", subject=OTHER)
    chain.add("screen", adult="yes", pain="no", allergy="yes", subject=OTHER, **{"other-trial": "no"})
    chain.add("fail", "investigator", criteria="pain, allergy", subject=OTHER)
    return participant("north", OTHER, chain.acts, under())


def exported(*participants):
    roles = {each.person: each.role for each in GIVEN}
    adopted = {"north": (Adoption(START - 30 * sample.DAY, 1),), "south": ()}
    return Exported("ab" * 16, START, {1: ONE, 2: sample.TWO}, adopted, roles, participants or (told(), failed()))


@pytest.fixture(scope="module")
def document():
    return odm_of(exported())


def test_every_value_is_there_with_who_when_and_why(document):
    root = ET.fromstring(document)
    items = [each for each in root.iter(f"{ODM}ItemData") if each.get("ItemOID") == "IT.measure.PAIN"]
    values = [(each.find(f"{ODM}Value").text, each.get("TransactionType")) for each in items]
    assert values == [("16", "Insert"), ("6", "Update")]
    assert items[1].find(f".//{ODM}ReasonForChange").text == "mistyped"
    assert items[0].find(f".//{ODM}UserRef").get("UserOID") == f"US.{sample.public('nurse').hex()[:16]}"
    stamps = [each.find(f"{ODM}AuditRecord/{ODM}DateTimeStamp").text for each in items]
    assert stamps == sorted(stamps)
    assert len(set(stamps)) == 2
    queries = {each.get("OID").rsplit(".", 1)[1]: each for each in root.iter(f"{ODM}Query")}
    assert (queries["pain-range"].get("State"), queries["pain-range"].get("Source")) == ("Open", "System")
    assert (queries["asked"].get("State"), queries["asked"].get("Source")) == ("Closed", "Site Monitor")
    assert len(queries["asked"].findall(f"{ODM}AuditRecord")) == 3
    signatures = list(root.iter(f"{ODM}Signature"))
    assert len(signatures) == 1
    assert signatures[0].find(f"{ODM}UserRef").get("UserOID") == f"US.{sample.public('investigator').hex()[:16]}"
    assert [each.get("StudyEventRepeatKey") for each in root.iter(f"{ODM}StudyEventData")][-1] == "16"


def test_the_file_is_for_blinded_eyes(document):
    assert b"K-7" not in document
    assert not any(arm.name.encode() in document for arm in ONE[0].arms)
    assert all(one.name not in ("", "north") for one in ONE[0].arms)


def test_every_reference_leads_to_a_definition(document):
    root = ET.fromstring(document)
    defined = {each.get("OID") for each in root.iter() if each.get("OID")}
    referred = {
        value
        for each in root.iter()
        for name, value in each.attrib.items()
        if name.endswith("OID") and name not in {"OID", "FileOID"}
    }
    assert referred <= defined


def test_the_document_is_valid_by_cdiscs_schema(document):
    schema = etree.XMLSchema(etree.parse(shared("data/trials/odm/schema/ODM.xsd")))
    assert schema.validate(etree.fromstring(document)), schema.error_log
    empty = odm_of(Exported("ab" * 16, START, {1: ONE}, {}, {}, ()))
    assert schema.validate(etree.fromstring(empty)), schema.error_log


def test_what_xml_has_no_place_for_is_replaced():
    assert element("Value", "a\x00b\x0bc\ud800d").text == "a\ufffdb\ufffdc\ufffdd"
    assert instant(START + 1234) == "2026-01-01T00:00:01.234Z"


def tables(arms=None):
    made = (
        *design_tables(read_usdm(sample.part("protocol-1")), ONE[0], CREATED),
        *subject_tables(ONE[0], (told(), failed()), arms or {}, CREATED),
    )
    return {each.name: each for each in made}


def rows(table):
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows]


def test_tables_tell_what_chains_tell():
    made = tables()
    assert list(made) == ["TA", "TE", "TV", "TI", "TS", "DM", "DS", "SV", "AE", "DV", "IE"]
    subjects = rows(made["DM"])
    assert [(each["ARM"], each["ARMNRS"]) for each in subjects] == [(None, "BLINDED"), (None, "SCREEN FAILURE")]
    assert subjects[0]["RFICDTC"] == sample.date(-14)
    assert [each["DSDECOD"] for each in rows(made["DS"])] == [
        "INFORMED CONSENT OBTAINED",
        "ELIGIBILITY CRITERIA MET",
        "RANDOMIZED",
        "INFORMED CONSENT OBTAINED",
        "SCREEN FAILURE",
    ]
    visits = [(each["VISITNUM"], each["SVSTDTC"]) for each in rows(made["SV"])]
    assert visits == [(1, sample.date(-14)), (2, sample.date(0)), (3, sample.date(20)), (None, sample.date(22))]
    (event,) = rows(made["AE"])
    assert (event["AESER"], event["AESHOSP"], event["AESDTH"], event["AEREL"]) == ("Y", "Y", "N", "Y")
    (deviation,) = rows(made["DV"])
    assert (deviation["DVDECOD"], deviation["DVCAT"], deviation["DVSTDTC"]) == ("WINDOW", "MINOR", sample.date(20))
    assert [(each["IETESTCD"], each["IEORRES"]) for each in rows(made["IE"])] == [("pain", "N"), ("allergy", "Y")]


def test_the_trial_design_is_the_protocols():
    made = tables()
    assert [(each["ARMCD"], each["ETCD"]) for each in rows(made["TA"])] == [("PLACEBO", "EL1"), ("ACTIVE", "EL1")]
    assert [each["VISIT"] for each in rows(made["TV"])] == ["SCREENING", "BASELINE", "WEEK 2", "WEEK 4"]
    assert [each["IECAT"] for each in rows(made["TI"])] == ["INCLUSION", "INCLUSION", "EXCLUSION", "EXCLUSION"]
    summary = {(each["TSPARMCD"], each["TSSEQ"]): each["TSVAL"] for each in rows(made["TS"])}
    assert (summary["NARMS", 1], summary["TBLIND", 1]) == ("2", "DOUBLE BLIND STUDY")
    assert summary["OUTMSPRI", 1].startswith("Change in pain score")
    assert code_of("Xanomeline, low dose (54 mg)") == "XANOMELINELOWDOSE54M"
    alike = replace(ONE[0], arms=(Named("a", "One!", ""), Named("b", "ONE", "One")))
    assert arms_of(alike) == {"a": ("ONE", "One!"), "b": ("ARM2", "One")}


def test_an_arm_is_there_once_the_draws_are_published():
    first = rows(tables({"bb": ONE[0].arms[1].id})["DM"])[0]
    assert (first["ARMCD"], first["ACTARM"], first["ARMNRS"]) == ("ACTIVE", "Active", None)


def test_tables_are_valid_by_cdiscs_schema_and_read_back():
    schema = msgspec.json.decode(shared("data/trials/dataset-json/schema/dataset.schema.json").read_bytes())
    valid = jsonschema_rs.validator_for(schema)
    for table in tables().values():
        data = write_dataset(table)
        assert not [str(error) for error in valid.iter_errors(msgspec.json.decode(data))]
        assert read_dataset(data) == table


def test_the_flow_is_counted_from_chains_and_held_against_the_ledger():
    people = (told(), failed())
    ledger = {
        "bb": Enrolled("north", "allocated"),
        "cc": Enrolled("north", "refused"),
        "dd": Enrolled("west", "posted"),
    }
    found = flow(people, ledger, {"bb": "Active"}, ("north",))
    assert (found.screened, found.excluded, found.pending, found.going) == (2, 1, 0, 1)
    assert (found.enrolled, found.allocated, found.refused, found.waiting) == (3, 1, 1, 1)
    assert found.reasons == (("allergy", 1), ("pain", 1))
    assert found.arms == (("Active", 1),)
    assert found.wrong == ()


def test_attack_chains_and_ledger_that_disagree_are_told():
    people = (told(), failed())
    assert "no allocated enrolment" in flow(people, {}, {}, ()).wrong[0]
    assert "is of south on the ledger" in flow(people, {"bb": Enrolled("south", "allocated")}, {}, ()).wrong[0]
    more = {"bb": Enrolled("north", "allocated"), "ee": Enrolled("north", "allocated")}
    assert flow(people, more, {}, ()).wrong == ()
    assert "no chain names it" in flow(people, more, {}, ("north",)).wrong[0]
    assert "of north, north in chains" in flow((told(), told()), more, {}, ()).wrong[0]
