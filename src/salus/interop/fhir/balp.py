"""AuditEvents in the form of IHE Basic Audit Log Patterns 1.1 (ITI), from plain facts.

A RESTful interaction has the client and the server as agents: source and destination change places between reading and
searching. A disclosure to another organisation is of subtype `disclose`. A search's words are not kept, so
`entity.query` is absent.
"""

from typing import Any, Final

import msgspec

_DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_EVENTS: Final = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_INTERACTIONS: Final = "http://hl7.org/fhir/restful-interaction"
_TYPES: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLES: Final = "http://terminology.hl7.org/CodeSystem/object-role"
_REASONS: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_SUBTYPES: Final = "urn:ihe:event-type-code"
_SOURCE: Final = {"system": _DCM, "code": "110153", "display": "Source Role ID"}
_DESTINATION: Final = {"system": _DCM, "code": "110152", "display": "Destination Role ID"}
_RECIPIENT: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
DISCLOSING: Final = frozenset({"serve", "emergency", "recorded"})
"""Actions by which something leaves the organisation."""
_RESTFUL: Final = {
    "read": ("read", "R"),
    "vread": ("vread", "R"),
    "history": ("history-instance", "R"),
    "search": ("search-type", "E"),
    "find": ("search-type", "E"),
    "patch": ("patch", "U"),
    "revoke": ("update", "U"),
}
"""FHIR interaction and action code of what is done here; anything else is an operation."""


class Happened(msgspec.Struct, frozen=True):
    """What an AuditEvent tells.

    id: of the AuditEvent. recorded: a FHIR instant. action: as the journal names it. member: who received. custodian: who
    gave. person: pairwise subject, "" for a program. role: of the person. purpose: v3-ActReason code. patient: "Patient/id".
    what: "Type/id" of the data.
    """

    id: str
    recorded: str
    action: str
    member: str
    custodian: str
    person: str
    role: str
    purpose: str
    patient: str
    what: tuple[str, ...]


def audit_event(told: Happened) -> dict[str, Any]:
    """Return the AuditEvent resource."""
    disclosed = told.action in DISCLOSING
    interaction, code = _RESTFUL.get(told.action, ("operation", "E"))
    searched = interaction == "search-type"
    client = _who("urn:salus:member", told.member)
    server = _who("urn:salus:member", told.custodian)
    if disclosed:
        kind = {"system": _DCM, "code": "110106", "display": "Export"}
        subtype = {"system": _SUBTYPES, "code": "disclose"}
        code = "R"
    else:
        kind = {"system": _EVENTS, "code": "rest", "display": "RESTful Operation"}
        subtype = {"system": _INTERACTIONS, "code": interaction}
    user: dict[str, Any] = {"type": {"coding": [_RECIPIENT]}, "requestor": True}
    if told.person:
        user["who"] = _who("urn:salus:person", told.person)
    if told.role:
        user["role"] = [{"text": told.role}]
    if told.purpose:
        user["purposeOfUse"] = [{"coding": [{"system": _REASONS, "code": told.purpose}]}]
    return {
        "resourceType": "AuditEvent",
        "id": told.id,
        "meta": {"versionId": "1", "lastUpdated": told.recorded},
        "type": kind,
        "subtype": [subtype],
        "action": code,
        "recorded": told.recorded,
        "outcome": "0",
        "agent": [
            user,
            {"type": {"coding": [_SOURCE if searched else _DESTINATION]}, "who": client, "requestor": False},
            {"type": {"coding": [_DESTINATION if searched else _SOURCE]}, "who": server, "requestor": False},
        ],
        "source": {"observer": server},
        "entity": [
            {
                "what": {"reference": told.patient},
                "type": {"system": _TYPES, "code": "1", "display": "Person"},
                "role": {"system": _ROLES, "code": "1", "display": "Patient"},
            },
            *(
                {
                    "what": {"reference": name},
                    "type": {"system": _TYPES, "code": "2", "display": "System Object"},
                    "role": {"system": _ROLES, "code": "4", "display": "Domain Resource"},
                }
                for name in told.what
            ),
        ],
    }


def _who(system: str, value: str) -> dict[str, Any]:
    return {"identifier": {"system": system, "value": value}}
