"""The EPCIS repository over HTTP: what a partner's system sees of capture, queries, names and subscriptions."""

import hmac
import json
from urllib.parse import quote

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from salus.contracts.membership.port import Role
from salus.http.app import application, as_operator
from salus.http.epcis import routes
from salus.http.person import PersonAuthenticator
from salus.interop.epcis.document import read
from salus.interop.epcis.xml_writer import write_xml
from salus.node.config import Supply
from salus.node.errors import Unavailable
from salus.node.smart.scopes import Access
from salus.node.supply import subscribing
from salus.node.together import Clock, Founder, found_together
from salus.node.usecase import Caller, Kind
from tests.interop.epcis.documents import (
    CASE,
    CREATED,
    WHOLESALER,
    commissioning,
    document,
    event,
    packing,
    shipping,
    unit,
)
from tests.interop.epcis.test_epcis import NEW, OLD

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
LINK = "https://id.gs1.org/01/10614141073464/21/1"
START = 1_767_225_600_000


@pytest.fixture
def clock():
    return Clock(lambda: START)


@pytest.fixture
def node(tmp_path, clock):
    together = found_together(tmp_path, (Founder("whole", "Wholesale", (Role.DISTRIBUTOR,)),), clock=clock)
    yield together.nodes["whole"]
    together.close()


@pytest.fixture
def http(node):
    return TestClient(served(node), raise_server_exceptions=False)


def served(node, authenticate=as_operator):
    return application(node, (), authenticate, more=routes(node, authenticate))


def captured(http, data, media="application/json", **headers):
    answer = http.post("/epcis/capture", content=data, headers={"content-type": media, **headers})
    assert answer.status_code == 202, answer.text
    return http.get(answer.headers["location"]).json()


def events(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]


def refused(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == answer.status_code
    return answer.status_code, told["type"].removeprefix("epcisException:")


def test_a_document_in_either_form_is_captured_once_and_comes_out_as_it_went_in(http):
    data = document(*OLD, *NEW)
    job = captured(http, data)
    assert (job["running"], job["success"], job["captureErrorBehaviour"], job["errors"]) == (
        False,
        True,
        "rollback",
        [],
    )
    assert captured(http, write_xml(read(data), CREATED), "application/xml")["success"]
    answer = http.get("/epcis/events?perPage=100")
    assert [each.hash for each in read(answer.content)] == [each.hash for each in read(data)]
    xml = http.get("/epcis/events?perPage=100", headers={"accept": "application/xml"})
    assert xml.headers["content-type"].startswith("application/xml")
    assert [each.hash for each in read(xml.content)] == [each.hash for each in read(data)]
    assert all(each["recordTime"] == "2026-01-01T00:00:00.000Z" for each in events(answer))
    assert [each["captureID"] for each in http.get("/epcis/capture").json()].count(job["captureID"]) == 1


def test_a_single_event_gets_an_id_and_is_found_by_it(http):
    one = {name: value for name, value in shipping().items() if name != "eventID"}
    made = http.post("/epcis/events", json={"@context": ["x", {"ex": "https://ex.example/ns/"}], "ex:a": 1.10, **one})
    assert made.status_code == 201, made.text
    (found,) = events(http.get(made.headers["location"]))
    assert found["eventID"] == made.json()["eventID"]
    assert found["eventID"].startswith("urn:uuid:")
    assert found["ext1:a"] == 1.1
    again = http.post("/epcis/events", json={"@context": ["x", {"ex": "https://ex.example/ns/"}], "ex:a": 1.10, **one})
    assert refused(again) == (409, "ResourceAlreadyExistsException")
    assert refused(http.get("/epcis/events/urn:uuid:none")) == (404, "NoSuchNameException")


def test_an_error_declaration_stands_beside_the_event_that_it_takes_back(http):
    captured(http, document(shipping()))
    wrong = document(shipping(disposition="in_progress"))
    answer = captured(http, wrong)
    assert (answer["success"], answer["errors"][0]["type"]) == (False, "epcisException:ResourceAlreadyExistsException")
    declared = shipping(errorDeclaration={"declarationTime": CREATED, "reason": "did_not_occur"})
    assert captured(http, document(declared))["success"]
    assert len(events(http.get(f"/epcis/events/{shipping()['eventID']}"))) == 2
    assert len(events(http.get("/epcis/events?EXISTS_errorDeclaration=&EQ_errorReason=did_not_occur"))) == 1


def test_rollback_keeps_nothing_of_a_document_with_a_wrong_event_and_proceed_the_rest(http):
    half = document(commissioning(2), shipping(action="MOVE"))
    answer = http.post("/epcis/capture", content=half, headers={"content-type": "application/json"})
    assert refused(answer) == (400, "ValidationException")
    assert "epcis.action at eventList/1/action" in answer.json()["title"]
    assert events(http.get("/epcis/events")) == []
    job = captured(http, half, **{"gs1-capture-error-behaviour": "proceed"})
    assert (job["success"], [each["type"] for each in job["errors"]]) == (False, ["epcisException:ValidationException"])
    assert len(events(http.get("/epcis/events"))) == 1


def test_what_looks_wrong_is_told_by_the_job(http):
    job = captured(http, document(shipping(epcList=["https://maker.example/01/10614141073465/21/1"])))
    assert job["success"]
    assert job["findings"] == ["eventList/0/epcList/0: gs1.csum, as a name of its own domain, not as a GS1 identifier"]


QUERIES = [
    ("eventType=AggregationEvent", ["packing"]),
    (f"MATCH_epc={unit(1)}", ["commissioning", "packing"]),
    (f"MATCH_epc={LINK}", ["commissioning", "packing"]),
    (f"MATCH_anyEPC={CASE}", ["packing", "shipping"]),
    (f"MATCH_parentID={CASE}", ["packing"]),
    ("MATCH_epc=urn:epc:idpat:sgtin:0614141.107346.*", ["commissioning", "packing"]),
    ("MATCH_epc=urn:epc:idpat:sgtin:0614141.107347.*", []),
    ("EQ_bizStep=shipping|packing", ["packing", "shipping"]),
    ("EQ_bizStep=https://ref.gs1.org/cbv/BizStep-shipping", ["shipping"]),
    ("EQ_disposition=urn:epcglobal:cbv:disp:active", ["commissioning"]),
    ("EQ_readPoint=https://id.gs1.org/414/0614141007776", ["packing"]),
    ("WD_readPoint=urn:epc:id:sgln:0614141.00777.0", ["packing"]),
    ("EQ_action=ADD&EQ_bizStep=packing", ["packing"]),
    ("GE_eventTime=2026-03-01T09:00:00Z&LT_eventTime=2026-03-01T10:00:00Z", ["packing"]),
    ("GE_recordTime=2026-01-01T00:00:01Z", []),
    (f"EQ_destination_owning_party={WHOLESALER}", ["shipping"]),
    ("EQ_bizTransaction_po=urn:epcglobal:cbv:bt:0614141000005:42", ["shipping"]),
    ("EQ_ILMD_urn:epcglobal:cbv:mda%23lotNumber=L7", ["commissioning"]),
    ("EXISTS_ILMD_urn:epcglobal:cbv:mda%23nothing=", []),
    ("orderBy=eventTime&orderDirection=ASC", ["commissioning", "packing", "shipping", "repackaging", None]),
    ("orderBy=eventTime&eventCountLimit=1&eventType=ObjectEvent", [None]),
    ("orderBy=recordTime&eventCountLimit=2&orderDirection=ASC", ["commissioning", "packing"]),
    ("EQ_type=Temperature", [None]),
    ("EQ_type=https://gs1.org/voc/Temperature&EQ_stringValue=warm", []),
    ("GE_quantity=2.5", ["repackaging"]),
    ("LT_quantity=2.5", []),
    ("MATCH_outputEPC=urn:epc:id:sgtin:0614141.107346.901", ["repackaging"]),
    ("MATCH_anyEPCClass=urn:epc:class:lgtin:4012345.012345.998877", ["repackaging"]),
    ("EQ_persistentDisposition_set=completeness_verified", [None]),
    ("GE_https://ex.example/ns/%23weight=3", ["commissioning"]),
    ("LE_https://ex.example/ns/%23weight=3", []),
]
WEIGHED = commissioning(3) | {"ex:weight": 3.25}
REPACKED = event(
    "TransformationEvent",
    11,
    inputEPCList=[unit(1)],
    outputEPCList=[unit(901)],
    bizStep="repackaging",
    inputQuantityList=[{"epcClass": "urn:epc:class:lgtin:4012345.012345.998877", "quantity": 2.5, "uom": "KGM"}],
)
SENSED = event(
    "ObjectEvent",
    12,
    action="OBSERVE",
    persistentDisposition={"set": ["completeness_verified"]},
    sensorElementList=[{"sensorReport": [{"type": "Temperature", "value": 4.5, "uom": "CEL", "stringValue": "cold"}]}],
)


def test_each_parameter_of_the_query_language_finds_what_it_should(http):
    captured(http, document(WEIGHED, packing(3), shipping(), REPACKED, SENSED))
    for query, expected in QUERIES:
        found = [each.get("bizStep") for each in events(http.get(f"/epcis/events?{query}"))]
        assert found == expected, query


PLACE = "urn:epc:id:sgln:0614141.00777.0"
SITE = "https://id.gs1.org/414/0614141000081"
REGION = "urn:epc:id:sgln:0614141.00009.0"
"""PLACE lies in SITE, which lies in REGION; that REGION lies in PLACE is said by mistake."""
IN_JSON = {
    "epcisMasterData": {
        "vocabularyList": [
            {
                "type": "urn:epcglobal:epcis:vtype:ReadPoint",
                "vocabularyElementList": [
                    {
                        "id": PLACE,
                        "attributes": [
                            {"id": "cbvmda:countryCode", "attribute": "BE"},
                            {"id": "https://ours.example/cold", "attribute": True},
                        ],
                        "children": [REGION],
                    },
                    {"id": SITE, "children": [PLACE]},
                    {"id": REGION, "children": [SITE]},
                ],
            }
        ]
    }
}
IN_XML = f"""<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:1" schemaVersion="1.2"
  creationDate="2026-03-01T12:00:00Z"><EPCISHeader><extension><EPCISMasterData><VocabularyList>
  <Vocabulary type="urn:epcglobal:epcis:vtype:ReadPoint"><VocabularyElementList><VocabularyElement id="{PLACE}">
  <attribute id="urn:epcglobal:cbv:mda#countryCode">BE</attribute><attribute id="https://ours.example/cold">true</attribute>
  <children><id>{REGION}</id></children></VocabularyElement>
  <VocabularyElement id="{SITE}"><children><id>{PLACE}</id></children></VocabularyElement>
  <VocabularyElement id="{REGION}"><children><id>{SITE}</id></children></VocabularyElement></VocabularyElementList></Vocabulary></VocabularyList></EPCISMasterData></extension></EPCISHeader>
  <EPCISBody><EventList/></EPCISBody></epcis:EPCISDocument>""".encode()
ATTRIBUTES = [
    ("HASATTR_readPoint=cbvmda:countryCode", 1),
    ("HASATTR_readPoint=urn:epcglobal:cbv:mda:countryCode", 1),
    ("HASATTR_readPoint=cbvmda:city|https://ours.example/cold", 1),
    ("HASATTR_readPoint=cbvmda:city", 0),
    ("HASATTR_bizLocation=cbvmda:countryCode", 0),
    ("EQATTR_readPoint_cbvmda:countryCode=DE|BE", 1),
    ("EQATTR_readPoint_urn:epcglobal:cbv:mda%23countryCode=BE", 1),
    ("EQATTR_readPoint_cbvmda:countryCode=DE", 0),
    ("EQATTR_readPoint_https:%2F%2Fours.example%2Fcold=true&EQ_bizStep=packing", 1),
    ("EQATTR_readPoint_https:%2F%2Fours.example%2Fcold=true&EQ_bizStep=shipping", 0),
    (f"WD_readPoint={SITE}", 1),
    (f"WD_readPoint={REGION}|urn:epc:id:sgln:0614141.00010.0", 1),
    (f"WD_bizLocation={REGION}", 0),
    (f"EQ_readPoint={SITE}", 0),
]


@pytest.mark.parametrize("form", ["json", "xml"])
def test_events_are_found_by_master_data(http, form):
    """They are known from the document on that describes them, whichever events came before."""
    captured(http, document(packing(3), shipping()))
    query = f"/epcis/events?{ATTRIBUTES[0][0]}"
    assert events(http.get(query)) == []
    if form == "json":
        captured(http, document(epcisHeader=IN_JSON))
    else:
        assert (
            http.post("/epcis/capture", content=IN_XML, headers={"content-type": "application/xml"}).status_code == 202
        )
    for query, count in ATTRIBUTES:
        assert len(events(http.get(f"/epcis/events?{query}"))) == count, query


def test_master_data_that_does_not_read_is_refused_with_its_document(http):
    bad = {"epcisMasterData": {"vocabularyList": [{"vocabularyElementList": [{"attributes": []}]}]}}
    answer = http.post(
        "/epcis/capture", content=document(shipping(), epcisHeader=bad), headers={"content-type": "application/json"}
    )
    assert refused(answer) == (400, "ValidationException")
    assert events(http.get("/epcis/events")) == []


BAD_QUERIES = [
    ("EQATTR_readPoint=x", 400, "QueryParameterException"),
    ("HASATTR_readPoint_x=y", 400, "QueryParameterException"),
    ("EQ_nothing=1", 400, "QueryParameterException"),
    ("eventType=ParadeEvent", 400, "QueryParameterException"),
    ("EQ_action=MOVE", 400, "QueryParameterException"),
    ("GE_eventTime=yesterday", 400, "QueryParameterException"),
    ("GE_eventTime=2026-03-01T09:00:00Z|2026-03-02T09:00:00Z", 400, "QueryParameterException"),
    ("MATCH_epc=https://id.gs1.org/01/10614141073465/21/1", 400, "QueryParameterException"),
    ("GE_quantity=many", 400, "QueryParameterException"),
    ("orderBy=size", 400, "QueryParameterException"),
    ("orderBy=eventTime&orderDirection=UP", 400, "QueryParameterException"),
    ("eventCountLimit=3", 400, "QueryParameterException"),
    ("orderBy=eventTime&eventCountLimit=3&maxEventCount=3", 400, "QueryParameterException"),
    ("maxEventCount=0", 400, "QueryParameterException"),
    ("maxEventCount=1", 413, "QueryTooLargeException"),
    ("perPage=0", 400, "QueryParameterException"),
    ("nextPageToken=zz", 400, "QueryParameterException"),
    ("nextPageToken=00", 400, "QueryParameterException"),
    ("HASATTR_nothing=x", 400, "QueryParameterException"),
    ("&".join(f"EQ_urn:x%23a{place}=1" for place in range(65)), 400, "QueryParameterException"),
    ("x" * 40_000, 414, "URITooLongException"),
]


def test_what_is_no_query_is_refused_by_the_standards_name(http):
    captured(http, document(commissioning(1), shipping()))
    for query, status, name in BAD_QUERIES:
        assert refused(http.get(f"/epcis/events?{query}")) == (status, name), query[:80]


def test_pages_give_every_event_once_though_more_come_meanwhile(http):
    captured(http, document(*(shipping(hour, eventID=f"urn:uuid:{hour}") for hour in range(10, 20))))
    expected = [f"urn:uuid:{hour}" for hour in range(10, 20)]
    for order in ("", "&orderBy=eventTime", "&orderBy=recordTime&orderDirection=ASC"):
        seen, url = [], f"/epcis/events?perPage=3&EQ_bizStep=shipping{order}"
        while url:
            answer = http.get(url)
            seen += [each["eventID"] for each in events(answer)]
            captured(http, document(shipping(21, eventID=f"urn:uuid:late{order}{len(seen)}")))
            url = answer.links["next"]["url"] if "next" in answer.links else ""
        assert [each for each in expected if each in seen] == expected
        assert len(seen) == len({*seen})
        expected += sorted({each["eventID"] for each in events(http.get("/epcis/events?perPage=100"))} - {*expected})


def test_a_page_token_is_of_its_query_and_ends(http, clock):
    captured(http, document(*(shipping(hour, eventID=f"urn:uuid:{hour}") for hour in range(10, 20))))
    token = http.get("/epcis/events?perPage=3").links["next"]["url"].rpartition("=")[2]
    other = http.get(f"/epcis/events?perPage=3&EQ_bizStep=shipping&nextPageToken={token}")
    assert refused(other) == (400, "QueryParameterException")
    clock.advance(3_600_001)
    assert refused(http.get(f"/epcis/events?perPage=3&nextPageToken={token}")) == (400, "QueryParameterException")


def test_names_are_listed_in_pages_and_lead_to_their_events(http):
    captured(http, document(commissioning(3), packing(3), shipping(bizStep="https://ours.example/step")))
    listed, url = [], "/epcis/epcs?perPage=2"
    while url:
        answer = http.get(url)
        listed += answer.json()["member"]
        url = answer.links["next"]["url"] if "next" in answer.links else ""
    assert listed == ["https://id.gs1.org/00/106141412345678908", *(LINK[:-1] + str(each) for each in range(3))]
    assert http.get("/epcis/").json()["member"][0] == "queries"
    steps = http.get("/epcis/bizSteps?perPage=100").json()["member"]
    assert {"shipping", "https://ours.example/step"} <= {*steps}
    assert http.get("/epcis/eventTypes").json()["member"][0] == "AggregationEvent"
    assert http.get("/epcis/readPoints").json()["member"] == ["https://id.gs1.org/414/0614141007776"]
    for path, count in (
        (f"epcs/{quote(unit(1), safe='')}", 2),
        (f"epcs/{quote(LINK, safe='')}", 2),
        ("bizSteps/packing", 1),
        ("eventTypes/ObjectEvent", 2),
        ("dispositions/in_transit", 1),
        (f"readPoints/{quote('urn:epc:id:sgln:0614141.00777.0', safe='')}", 1),
    ):
        assert http.get(f"/epcis/{path}").json()["member"] == ["events"]
        assert len(events(http.get(f"/epcis/{path}/events"))) == count, path
    for path in ("epcs/urn:x:y", "bizSteps/flying", "eventTypes/ParadeEvent", "epcs/https:%2F%2Fid.gs1.org%2F01%2F1"):
        assert refused(http.get(f"/epcis/{path}")) == (404, "NoSuchNameException")
    assert refused(http.get("/epcis/eventTypes/ParadeEvent/events")) == (404, "NoSuchNameException")


def test_a_named_query_is_kept_asked_and_let_go(http):
    captured(http, document(commissioning(1), shipping()))
    query = {"name": "shipped", "query": {"EQ_bizStep": ["shipping"], "maxEventCount": 5}}
    made = http.post("/epcis/queries", json=query)
    assert (made.status_code, made.headers["location"]) == (201, "/epcis/queries/shipped")
    assert refused(http.post("/epcis/queries", json=query)) == (409, "ResourceAlreadyExistsException")
    assert http.get("/epcis/queries").json() == [query]
    answer = http.get("/epcis/queries/shipped/events")
    assert [each["bizStep"] for each in events(answer)] == ["shipping"]
    assert answer.json()["epcisBody"]["queryResults"]["queryName"] == "shipped"
    assert refused(http.get("/epcis/queries/shipped/events?EQ_action=ADD"))[0] == 400
    bad = {"name": "bad", "query": {"EQ_nothing": [1]}}
    assert refused(http.post("/epcis/queries", json=bad)) == (400, "QueryParameterException")
    assert refused(http.post("/epcis/queries", json={"name": "a b", "query": {}})) == (400, "ValidationException")
    assert http.delete("/epcis/queries/shipped").status_code == 204
    assert refused(http.get("/epcis/queries/shipped")) == (404, "NoSuchNameException")


def test_versions_and_forms_are_negotiated(http):
    captured(http, document(shipping()))
    told = http.options("/epcis/capture").headers
    assert (told["gs1-epcis-min"], told["gs1-epcis-max"], told["gs1-capture-error-behaviour"]) == (
        "1.2.0",
        "2.0.0",
        "all",
    )
    assert told["gs1-epcis-capture-limit"] == "10000"
    assert "POST" in told["allow"]
    linked = http.get("/epcis/events", headers={"gs1-epc-format": "Always_GS1_Digital_Link"})
    assert events(linked)[0]["epcList"] == ["https://id.gs1.org/00/106141412345678908"]
    for headers in (
        {"gs1-epc-format": "Always_EPC_URN"},
        {"gs1-epcis-min": "3.0"},
        {"gs1-epcis-version": "1.0"},
        {"gs1-epcis-max": "1.2"},
        {"accept": "text/csv"},
    ):
        assert refused(http.get("/epcis/events", headers=headers)) == (406, "NotAcceptableException")
    text = http.post("/epcis/capture", content=b"a", headers={"content-type": "text/plain"})
    assert refused(text) == (415, "UnsupportedMediaTypeException")
    assert refused(http.delete("/epcis/nextPageToken/00")) == (501, "ImplementationException")
    many = document(*({"type": "ObjectEvent"} for _ in range(10_001)))
    big = http.post("/epcis/capture", content=many, headers={"content-type": "application/json"})
    assert refused(big) == (413, "CaptureLimitExceededException")


HOSTILE = [
    (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "application/xml"),
    (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "application/xml"),
    (b"<a>" * 60 + b"</a>" * 60, "text/xml"),
    (b"[" * 100_000, "application/json"),
    (b'{"type": "EPCISDocument", "type": "x"}', "application/ld+json"),
    (b"\xff\xfe", "application/json"),
]


def test_a_hostile_document_is_refused_and_nothing_is_kept(http):
    for data, media in HOSTILE:
        answer = http.post("/epcis/capture", content=data, headers={"content-type": media})
        assert refused(answer) == (400, "ValidationException")
        assert "root:" not in answer.text
    assert http.get("/epcis/capture").json() == []
    assert events(http.get("/epcis/events")) == []


def test_who_has_not_signed_in_gets_and_leaves_nothing(node):
    http = TestClient(served(node, PersonAuthenticator(node)))
    for path in ("/epcis/", "/epcis/events", "/epcis/epcs", "/epcis/queries", "/epcis/capture"):
        assert refused(http.get(path)) == (401, "SecurityException")
    data = document(shipping())
    assert http.post("/epcis/capture", content=data, headers={"content-type": "application/json"}).status_code == 401
    assert node.desk.last_event() == 0
    assert http.get("/epcis/openapi.json").status_code == 200


CALLERS = [
    (Caller(Kind.PERSON, "whole", "s", "logistics"), 200),
    (Caller(Kind.PERSON, "whole", "s", "physician"), 403),
    (Caller(Kind.PERSON, "whole", "s", "logistics", access=Access("app", ())), 403),
]


def test_the_repository_is_for_those_who_handle_goods_and_not_for_their_programs_tokens(node):
    for caller, status in CALLERS:
        answer = TestClient(served(node, lambda _request, _body, caller=caller: caller)).get("/epcis/events")
        assert answer.status_code == status
        assert status == 200 or refused(answer) == (403, "SecurityException")


class Post:
    """The twin of a subscriber's web server."""

    def __init__(self):
        self.came, self.status = [], 200

    def post(self, url, body, headers):
        if self.status == 0:
            raise Unavailable("epcis.webhook", "down")
        self.came.append((url, body, headers))
        return self.status


@pytest.fixture
def subscriber(node, http):
    node.config = msgspec.structs.replace(node.config, supply=Supply(webhooks="https://partner.example"))
    http.post("/epcis/queries", json={"name": "shipped", "query": {"EQ_bizStep": "shipping"}})
    return Post()


SUBSCRIPTIONS = "/epcis/queries/shipped/subscriptions"


def ask(**more):
    return {"dest": "https://partner.example/hook", "signatureToken": "secret", **more}


def test_a_stream_gets_each_new_event_once_signed_and_again_until_it_is_acknowledged(node, http, subscriber, clock):
    captured(http, document(shipping(9, eventID="urn:uuid:before")))
    made = http.post(SUBSCRIPTIONS, json=ask(stream=True))
    assert made.status_code == 201, made.text
    assert "secret" not in made.text
    assert subscribing.notify_due(node, subscriber) == 0
    captured(http, document(commissioning(1), shipping()))
    for status in (500, 0):
        subscriber.status = status
        assert subscribing.notify_due(node, subscriber) == 0
        clock.advance(600_000)
    subscriber.status = 204
    assert subscribing.notify_due(node, subscriber) == 1
    assert subscribing.notify_due(node, subscriber) == 0
    url, body, headers = subscriber.came[-1]
    assert url == "https://partner.example/hook"
    assert headers["gs1-signature"] == hmac.digest(b"secret", body, "sha256").hex()
    told = json.loads(body)["epcisBody"]["queryResults"]
    assert (told["queryName"], told["subscriptionID"]) == ("shipped", made.json()["subscriptionID"])
    assert [each["eventID"] for each in told["resultsBody"]["eventList"]] == [shipping()["eventID"]]
    assert "lastNotifiedAt" in http.get(made.headers["location"]).json()
    assert http.delete(made.headers["location"]).status_code == 204
    captured(http, document(shipping(11)))
    assert subscribing.notify_due(node, subscriber) == 0


def test_a_schedule_says_when_and_whether_nothing_is_reported_too(node, http, subscriber, clock):
    made = http.post(SUBSCRIPTIONS, json=ask(schedule={"hour": "[1-2]", "minute": "5"}, reportIfEmpty=True))
    assert made.json()["schedule"] == {"hour": "[1-2]", "minute": "5"}
    captured(http, document(shipping()))
    counts = []
    for _ in range(4):
        clock.advance(3_600_000)
        clock.advance(310_000)
        subscribing.notify_due(node, subscriber)
        counts.append(len(subscriber.came))
    assert counts == [1, 2, 2, 2]
    assert json.loads(subscriber.came[1][1])["epcisBody"]["queryResults"]["resultsBody"]["eventList"] == []


def test_many_events_come_in_order_and_in_parts_from_the_beginning_if_asked(node, http, subscriber):
    hours = [shipping(10, eventID=f"urn:uuid:{place:03}") for place in range(150)]
    captured(http, document(*hours))
    http.post(SUBSCRIPTIONS, json=ask(stream=True, initialRecordTime="2026-01-01T00:00:00Z"))
    assert subscribing.notify_due(node, subscriber) == 2
    came = [
        each["eventID"]
        for _, body, _ in subscriber.came
        for each in json.loads(body)["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    ]
    assert came == [each["eventID"] for each in hours]


BAD_SUBSCRIPTIONS = [
    (ask(), 400, "SubscriptionControlsException"),
    (ask(stream=True, schedule={"hour": "1"}), 400, "SubscriptionControlsException"),
    (ask(schedule={"hour": "25"}), 400, "SubscriptionControlsException"),
    (ask(schedule={"hour": "x"}), 400, "SubscriptionControlsException"),
    (ask(schedule={"century": "1"}), 400, "SubscriptionControlsException"),
    (ask(schedule={}), 400, "SubscriptionControlsException"),
    (ask(stream=True, initialRecordTime="soon"), 400, "SubscriptionControlsException"),
    (ask(stream=True) | {"dest": "https://partner.example.net/hook"}, 403, "SecurityException"),
    (ask(stream=True) | {"dest": "http://169.254.169.254/"}, 403, "SecurityException"),
    ({"stream": True}, 400, "SubscriptionControlsException"),
]


def test_a_subscription_that_does_not_hold_or_points_elsewhere_is_refused(node, http, subscriber):
    for body, status, name in BAD_SUBSCRIPTIONS:
        assert refused(http.post(SUBSCRIPTIONS, json=body)) == (status, name), body
    assert http.get(SUBSCRIPTIONS).json() == []
    assert subscribing.notify_due(node, subscriber) == 0


ALIKE = ("/bizSteps", "/dispositions", "/readPoints", "/bizLocations", "/eventTypes/")


def asked_everything(app, examples, but=()):
    """Ask every operation as the description allows, with names that exist among others; return how often which status came."""
    http = TestClient(app)
    captured(http, document(WEIGHED, packing(3), shipping(), SENSED))
    http.post("/epcis/queries", json={"name": "shipped", "query": {"EQ_bizStep": "shipping"}})
    known = st.sampled_from(["", "shipping", "ObjectEvent", "active", unit(1), CASE, shipping()["eventID"]])
    statuses = {}
    schema = schemathesis.openapi.from_asgi("/epcis/openapi.json", app)
    for told in schema.get_all_operations():
        operation = told.ok()
        if operation.path.startswith(but):
            continue

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        )
        @given(case=operation.as_strategy(), own=known, whole=st.booleans())
        def run(case, own, whole):
            if own and "name" in case.path_parameters:
                case.path_parameters["name"] = quote(own, safe="")
            if "query" in case.path_parameters and whole:
                case.path_parameters["query"] = "shipped"
            if whole and case.query:
                case.query = dict(list(case.query.items())[:1])
            answer = case.call()
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            declined = answer.status_code == 501 and case.path == "/nextPageToken/{name}"
            case.validate_response(answer, checks=CHECKS[1:] if declined else CHECKS)

        run()
    return statuses


def test_whatever_the_description_allows_is_answered_as_it_says(node):
    statuses = asked_everything(served(node), 1, ALIKE)
    assert {200, 404} <= statuses.keys()
    assert not any(status >= 500 and status != 501 for status in statuses)


@pytest.mark.soak
def test_much_of_what_the_description_allows_is_answered_as_it_says(node):
    statuses = asked_everything(served(node), 60)
    assert {200, 201, 204, 400, 404, 501} <= statuses.keys()
