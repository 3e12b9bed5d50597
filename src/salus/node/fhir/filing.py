"""A patient's consent is filed and revoked, and a disclosure written down (HL7 FAST Consent Management 1.0, ballot).

`Consent/$fileConsent` takes only what the decision understands whole, so that what was filed is what rules;
`Consent/$revokeConsent` ends it, whatever it says; `AuditEvent/$recordDisclosure` tells of a disclosure that this node did not
make itself, into the patient's journal. All three answer what does not exist and what may not be seen alike.
"""

import re
from typing import Any, Final

import msgspec

from salus.agreements.consent.fhir import FhirConsent, read_consent
from salus.agreements.consent.vocabulary import SCOPE
from salus.index.search import Hit
from salus.interop.fhir.gate import Resource, read_resource
from salus.interop.fhir.refusal import Refused
from salus.node.fhir.answers import BAD, UNPROCESSABLE, Answer, FhirRefused, Request, nothing_there, refused
from salus.node.fhir.asking import Asking
from salus.node.fhir.bundles import Bundles
from salus.node.fhir.presenting import Parts, raw
from salus.node.fhir.reading import Reading
from salus.node.fhir.writing import Writing
from salus.vault.journal import Disclosure, Side

DOCUMENTS: Final = ("DocumentReference", "QuestionnaireResponse")
RECORDED: Final = "recorded"
"""Action of a journal line about a disclosure that was told, not seen."""
MAX_TOLD: Final = 500
"""Things named by one disclosure: the line that tells them has 64 KB."""
_MANDATORY: Final = ("patient", "dateTime", "performer", "organization")
_NAME: Final = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64}")


class _Parameter(msgspec.Struct):
    name: str
    resource: msgspec.Raw = msgspec.Raw()
    value: dict[str, Any] = msgspec.field(default_factory=dict, name="valueReference")


class _Parameters(msgspec.Struct):
    parameter: list[_Parameter]


class Filing:
    """Answers the three operations for one server."""

    def __init__(self, reading: Reading, writing: Writing, bundles: Bundles) -> None:
        self._reading = reading
        self._writing = writing
        self._bundles = bundles

    def file(self, asking: Asking, request: Request) -> Answer:
        """File an active consent with the document that the patient signed. Raises FhirRefused."""
        told = _parameters(request.body, ("consent", "document"))
        consent, document = told["consent"], told["document"]
        body = bytes(consent.resource)
        tree = _resource(body, "Consent").tree
        _checked(tree)
        _resource(bytes(document.resource), *DOCUMENTS)
        parts = msgspec.json.decode(body, type=Parts)
        parts["sourceReference"] = raw({"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"})
        entries = [
            _entry(msgspec.json.decode(bytes(document.resource), type=Parts), 1),
            _entry(parts, 2),
        ]
        bundle = raw({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        answer = self._bundles.answer(asking, msgspec.structs.replace(request, path="", pairs=(), body=bytes(bundle)))
        stored = [entry["response"]["location"] for entry in msgspec.json.decode(answer.body)["entry"]]
        names = [_location_name(location) for location in stored]
        body = _told({"document": names[0], "consent": names[1]})
        return Answer(201, body, location=stored[1])

    def revoke(self, asking: Asking, request: Request) -> Answer:
        """Set a patient's active consent inactive. Raises FhirRefused."""
        told = _parameters(request.body, ("consent", "patient"), ("document",))
        name = _reference(told["consent"], "Consent")
        patient = _reference(told["patient"], "Patient")
        with self._writing.turns:
            hit = self._own(asking, name)
            if hit.link != self._own(asking, patient).link:
                raise nothing_there()
            if "document" in told:
                document = bytes(told["document"].resource)
                kind = _resource(document, *DOCUMENTS).type
                self._writing.create(asking, Request("POST", kind, body=document), kind)
            asking.journal([hit], "revoke")
            (record,) = asking.node.vault.open_many([hit.number])
            parts = msgspec.json.decode(record.content.body, type=Parts)
            parts["status"] = raw("inactive")
            body = msgspec.json.encode(parts)
            self._writing.update(asking, Request("PUT", name, body=body), hit.type, hit.id)
        return Answer(200, _told({"consent": name}))

    def record(self, asking: Asking, request: Request) -> Answer:
        """Store an AuditEvent of a disclosure under a consent, with a line in the patient's journal. Raises FhirRefused."""
        told = _parameters(request.body, ("disclosure", "consent"))
        resource = _resource(bytes(told["disclosure"].resource), "AuditEvent")
        consent = self._own(asking, _reference(told["consent"], "Consent"))
        what = _entities(resource.tree)
        patients = {name for name in what if name.startswith("Patient/")}
        if len(patients) != 1 or self._own(asking, *patients).link != consent.link:
            raise FhirRefused(
                UNPROCESSABLE,
                "fhir.disclosure-patient",
                "the disclosure is not of the consent's patient",
                path="AuditEvent.entity",
                expected="one Patient among the entities, the consent's",
            )
        with self._writing.turns:
            created = self._writing.create(
                asking, Request("POST", "AuditEvent", body=bytes(told["disclosure"].resource)), "AuditEvent"
            )
            asking.node.vault.journal([self._line(asking, consent, what)])
        return Answer(201, _told({"disclosure": _location_name(created.location)}), location=created.location)

    def _line(self, asking: Asking, consent: Hit, what: list[str]) -> Disclosure:
        return Disclosure(
            side=Side.CUSTODIAN,
            subject=consent.link,
            member=asking.node.member,
            person=asking.caller.subject,
            role=asking.role,
            purpose=asking.purpose,
            action=RECORDED,
            what=(*what, consent.name),
        )

    def _own(self, asking: Asking, name: str) -> Hit:
        hit = self._reading.current(asking, name)
        if hit.lease:
            raise nothing_there()
        return hit


def _checked(tree: dict[str, Any]) -> FhirConsent:
    """Return a consent that may be filed. Raises FhirRefused with the element that is missing or not understood."""
    found = read_consent(tree)
    missing = [name for name in _MANDATORY if not tree.get(name)]
    if "policy" not in tree and "policyRule" not in tree:
        missing.append("policy or policyRule")  # ppc-1
    faults = {
        "Consent.status": found.status != "active",
        "Consent.scope": found.scope != SCOPE,
        "Consent.provision": not found.provisions,
    }
    wrong = [path for path, is_wrong in faults.items() if is_wrong]
    if missing or wrong or found.unread:
        path = f"Consent.{missing[0]}" if missing else (*wrong, *found.unread)[0]
        raise FhirRefused(
            UNPROCESSABLE,
            "fhir.consent-not-understood",
            "the consent cannot be kept as it says",
            path=path.partition(" or ")[0],
            expected="an active consent of scope patient-privacy with patient, dateTime, performer, organization, policy, and "
            "provisions in codes that are understood",
            todo="correct the element, or file it as a document alone",
        )
    return found


def _parameters(body: bytes, needed: tuple[str, ...], others: tuple[str, ...] = ()) -> dict[str, _Parameter]:
    """Return an operation's parameters by name. Raises FhirRefused."""
    _resource(body, "Parameters")
    try:
        many = msgspec.json.decode(body, type=_Parameters).parameter
    except msgspec.DecodeError as error:
        raise FhirRefused(BAD, "fhir.parameters", "the parameters do not decode", path="Parameters") from error
    told = {one.name: one for one in many}
    if len(told) != len(many) or not set(needed) <= told.keys() <= {*needed, *others}:
        raise FhirRefused(
            BAD,
            "fhir.parameters",
            "the operation takes other parameters",
            path="Parameters.parameter",
            expected=", ".join([*needed, *(f"{name} (optional)" for name in others)]) + ", each once",
        )
    return told


def _resource(body: bytes, *kinds: str) -> Resource:
    try:
        resource = read_resource(body, id_required=False)
    except Refused as refusal:
        raise refused(refusal) from refusal
    if resource.type not in kinds:
        raise FhirRefused(BAD, "fhir.other-type", "a resource is of another type", expected=" or ".join(kinds))
    return resource


def _reference(parameter: _Parameter, kind: str) -> str:
    text = parameter.value.get("reference")
    name = "/".join(text.split("/")[-2:]) if isinstance(text, str) else ""
    if _NAME.fullmatch(name) is None or not name.startswith(f"{kind}/"):
        raise FhirRefused(
            BAD, "fhir.parameters", "a parameter refers to nothing", expected=f"valueReference to a {kind}"
        )
    return name


def _entities(tree: dict[str, Any]) -> list[str]:
    """Return the "Type/id" that an AuditEvent's entities refer to."""
    found = []
    for entity in tree.get("entity", ()):
        what = entity.get("what") if isinstance(entity, dict) else None
        text = what.get("reference") if isinstance(what, dict) else None
        if isinstance(text, str) and _NAME.fullmatch(name := "/".join(text.split("/")[-2:])):
            found.append(name)
    return list(dict.fromkeys(found))[:MAX_TOLD]


def _entry(resource: Parts, number: int) -> dict[str, Any]:
    kind = msgspec.json.decode(resource["resourceType"], type=str)
    return {
        "fullUrl": f"urn:uuid:00000000-0000-4000-8000-00000000000{number}",
        "resource": resource,
        "request": {"method": "POST", "url": kind},
    }


def _location_name(location: str) -> str:
    return "/".join(location.partition("/_history/")[0].split("/")[-2:])


def _told(names: dict[str, str]) -> bytes:
    parameters = [{"name": name, "valueReference": {"reference": told}} for name, told in names.items()]
    return bytes(raw({"resourceType": "Parameters", "parameter": parameters}))
