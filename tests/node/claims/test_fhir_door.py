"""An EHR at its own node: claims and requests for approval by FHIR, answered by FHIR."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from salus.agreements.claims.fhir_claim import claim_resource
from salus.contracts.claims import port
from salus.interop.fhir.tokens import LIMITS, decode
from salus.interop.fhir.validation import Validator
from salus.interop.x12.claim import Claim
from salus.node.claims import approve, decide_claims, list_approvals, show_request
from salus.node.claims.approving import Approve, ListApprovals, ShowRequest
from salus.node.errors import EdgeError, Forbidden
from salus.node.fhir.answers import FhirRefused, Request
from salus.node.fhir.server import FhirServer
from salus.node.smart.scopes import Access, Rule
from salus.node.together import Together
from salus.node.usecase import Caller, Kind
from tests.agreements.claims.cases import PAYER, claim, line
from tests.node.claims.two import JSON, REQUEST, found_two

CLERK = Caller(Kind.PERSON, "cedar", "s-2", "clerk", ("HPAYMT",))
DOCTOR = Caller(Kind.PERSON, "cedar", "s-1", "physician", ("TREAT",))
R4 = Validator()


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    found = found_two(tmp_path_factory.mktemp("fhir"))
    yield found
    found.close()


def posted(together: Together, operation: str, body: Any, caller: Caller = CLERK) -> dict[str, Any]:
    server = FhirServer(together.nodes["cedar"])
    answer = server.answer(caller, "", Request("POST", f"Claim/{operation}", body=JSON(body)))
    together.abreast()
    assert answer.status == 200
    told: dict[str, Any] = json.loads(answer.body)
    found = [one["resource"] for one in told.get("entry", ())] if told["resourceType"] == "Bundle" else [told]
    for one in found:
        faults = R4.check(decode(JSON(one), LIMITS.resource_bytes, LIMITS), now="2025-03-15T00:00:00Z")
        assert [fault for fault in faults if fault.severity == "error"] == []
    return told


def resource(one: Claim, use: str = "claim", *, member: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(JSON(claim_resource(one, "20250310", use=use)))
    for part in body["contained"]:
        if member and part["id"] == "payer":
            part["identifier"].append({"system": "urn:salus:member", "value": "harbor"})
    return body


def test_a_claim_goes_from_fhir_to_its_decision_and_back(together: Together) -> None:
    one = claim(line(1, "S9129", 9000), identifier="EHR1")
    waiting = posted(together, "$submit", resource(one))
    assert (waiting["resourceType"], waiting["outcome"], waiting["use"]) == ("ClaimResponse", "queued", "claim")
    assert port.case(together.owner.ledger.read(), bytes.fromhex(waiting["id"])) is not None
    decide_claims(together.nodes["harbor"], REQUEST)
    together.abreast()
    (entry,) = posted(together, "$inquire", resource(one))["entry"]
    told = entry["resource"]
    assert (told["id"], told["outcome"], told["disposition"]) == (waiting["id"], "complete", "paid")
    assert told["payment"]["amount"]["value"] == 64.0
    paid = [
        x["amount"]["value"]
        for x in told["item"][0]["adjudication"]
        if x["category"]["coding"][0]["code"] == "eligible"
    ]
    assert len(paid) == 1

    again = claim(line(1, "S9129", 9000, "20250302"), identifier="EHR2")
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": resource(again, member=False)}]}
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": bundle}]}
    assert posted(together, "$submit", parameters)["outcome"] == "queued"  # the payer's member id is known by now
    assert "entry" not in posted(together, "$inquire", resource(claim(identifier="NEVER")))


def test_an_approval_is_asked_with_its_documents_and_answered_with_reasons(together: Together) -> None:
    harbor = together.nodes["harbor"]
    lines = (line(1, "R0070", 15000, "20250401", units=2000), line(2, "G0402", 15000, "20250401"))
    body = resource(claim(*lines, identifier="PA1"), "preauthorization")
    category = {"coding": [{"code": "attachment"}]}
    body["supportingInfo"] = [
        {"sequence": 1, "category": category, "valueAttachment": {"data": base64.b64encode(b"%PDF film").decode()}},
        {"sequence": 2, "category": category, "valueReference": {"reference": "urn:uuid:b"}},
        {"sequence": 3, "category": category, "valueReference": {"reference": "DocumentReference/d"}},
    ]
    body["priority"] = {"coding": [{"code": "stat"}]}
    beside = [
        {"fullUrl": "urn:uuid:b", "resource": {"resourceType": "Binary", "data": base64.b64encode(b"note").decode()}},
        {
            "resource": {
                "resourceType": "DocumentReference",
                "id": "d",
                "content": [{"attachment": {"data": base64.b64encode(b"letter").decode()}}],
            }
        },
    ]
    asked = posted(
        together,
        "$submit",
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": body}, *beside]},
    )
    assert (asked["use"], asked["outcome"]) == ("preauthorization", "queued")
    row = port.case(together.owner.ledger.read(), bytes.fromhex(asked["id"]))
    assert row is not None
    assert (row.kind, row.clock) == (port.Kind.AUTHORISATION, port.Clock.DAYS_3)
    shown = show_request(harbor, ShowRequest(case=asked["id"]))
    assert shown.attachments == (b"%PDF film", b"note", b"letter")
    assert any(one.case == asked["id"] for one in list_approvals(harbor, ListApprovals()).approvals)

    numbers = approve(harbor, Approve(case=asked["id"], verdict="approve", units=1000)).numbers
    together.abreast()
    (entry,) = posted(together, "$inquire", body)["entry"]
    told = entry["resource"]
    assert (told["outcome"], told["preAuthRef"]) == ("complete", numbers[0])
    first = told["item"][0]["adjudication"][0]
    codes = {part["url"]: part for part in first["extension"][0]["extension"]}
    assert (codes["number"]["valueString"], first["value"]) == (numbers[0], 1.0)

    denied = posted(together, "$submit", resource(claim(lines[0], identifier="PA2"), "preauthorization"))
    approve(harbor, Approve(case=denied["id"], verdict="deny", reason="a plain film comes first"))
    together.abreast()
    (entry,) = posted(together, "$inquire", resource(claim(identifier="PA2"), "preauthorization"))["entry"]
    told = entry["resource"]
    assert (told["outcome"], told["disposition"]) == ("complete", "not certified")
    assert told["item"][0]["adjudication"][0]["reason"]["text"] == "a plain film comes first"


def changed(**changes: Any) -> dict[str, Any]:
    return resource(claim(identifier="BAD1")) | changes


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"resourceType": "Patient"}, "fhir.other-type"),
        ({"resourceType": "Bundle", "type": "collection", "entry": []}, "fhir.other-type"),
        (changed(use="predetermination"), "claims.use"),
        (changed(item=[]), "claims.unreadable-claim"),
        (changed(insurer={"reference": "#nobody"}), "claims.unreadable-claim"),
        (changed(total={"value": 1, "currency": "USD"}), "claims.unsound"),
        (changed(use="preauthorization", supportingInfo=[{"valueAttachment": {"data": "?"}}]), "claims.attachment"),
        (
            changed(use="preauthorization", supportingInfo=[{"valueReference": {"reference": "Binary/1"}}]),
            "claims.attachment",
        ),
        (
            resource(claim(identifier="BAD2", payer=msgspec.structs.replace(PAYER, identifier="ELSE1")), member=False),
            "claims.payer-unknown",
        ),
    ],
)
def test_what_is_not_sent_is_refused_by_name_and_leaves_nothing(
    together: Together, body: dict[str, Any], code: str
) -> None:
    before = len(list(port.cases(together.owner.ledger.read())))
    with pytest.raises(FhirRefused) as refused:
        posted(together, "$submit", body)
    assert refused.value.code == code
    assert len(list(port.cases(together.owner.ledger.read()))) == before


def test_an_inquiry_names_what_it_asks_for(together: Together) -> None:
    with pytest.raises(FhirRefused, match=r"claims\.identifier"):
        posted(together, "$inquire", changed(identifier=[]))


def program(kind: str, *, own: bool = False) -> Caller:
    access = Access("ehr", (Rule(f"system/{kind}.cs", "system", kind, "cs"),), own=own)
    return Caller(Kind.PERSON, "cedar", "s-3", "clerk", ("HPAYMT",), access=access)


def test_who_does_not_work_on_payment_sends_no_claims(together: Together) -> None:
    before = len(list(port.cases(together.owner.ledger.read())))
    with pytest.raises(Forbidden, match=r"claims\.purpose"):
        posted(together, "$submit", changed(), DOCTOR)
    with pytest.raises(EdgeError):
        posted(together, "$submit", changed(), Caller(Kind.ANYONE))
    with pytest.raises(Forbidden, match=r"smart\.scope"):
        posted(together, "$submit", changed(), program("Patient"))
    with pytest.raises(Forbidden, match=r"claims\.own"):
        posted(together, "$submit", changed(), program("Claim", own=True))
    assert "entry" not in posted(together, "$inquire", changed(), program("Claim"))
    assert len(list(port.cases(together.owner.ledger.read()))) == before
