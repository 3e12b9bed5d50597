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
MEMBER: Final = "urn:salus:member"
PERSON: Final = "urn:salus:person"
APP: Final = "urn:salus:app"
"""Systems of the identifiers of members, of their people, and of programs that act for people."""
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
    "create": ("create", "C"),
    "update": ("update", "U"),
    "delete": ("delete", "D"),
}
"""FHIR interaction and action code of what is done here; anything else is an operation."""
_TOKENS: Final = {
    "token-issued": ({"system": _SUBTYPES, "code": "ITI-71", "display": "Get Access Token"}, "0"),
    "token-refreshed": ({"system": _SUBTYPES, "code": "ITI-71", "display": "Get Access Token"}, "0"),
    "token-reused": ({"system": _SUBTYPES, "code": "ITI-71", "display": "Get Access Token"}, "4"),
    "token-revoked": ({"system": _DCM, "code": "110123", "display": "Logout"}, "0"),
    "token-unknown": ({"system": _SUBTYPES, "code": "ITI-102", "display": "Introspect Token"}, "4"),
}
"""Subtype (transactions of IHE IUA) and outcome of what happens to a program's token: user authentication, DCM 110114."""


class Happened(msgspec.Struct, frozen=True):
    """What an AuditEvent tells.

    id: of the AuditEvent. recorded: a FHIR instant. action: as the journal names it. member: who received. custodian: who
    gave. person: pairwise subject, "" for a program. role: of the person. purpose: v3-ActReason code. patient: "Patient/id".
    what: "Type/id" of the data. program: id of the program that acted, "" without. scopes: what its token opens.
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
    program: str = ""
    scopes: tuple[str, ...] = ()


def audit_event(told: Happened) -> dict[str, Any]:
    """Return the AuditEvent resource."""
    disclosed = told.action in DISCLOSING
    interaction, code = _RESTFUL.get(told.action, ("operation", "E"))
    searched = interaction == "search-type"
    outcome = "0"
    client = _who(MEMBER, told.member)
    server = _who(MEMBER, told.custodian)
    if disclosed:
        kind = {"system": _DCM, "code": "110106", "display": "Export"}
        subtype = {"system": _SUBTYPES, "code": "disclose"}
        code = "R"
    elif told.action in _TOKENS:
        kind = {"system": _DCM, "code": "110114", "display": "User Authentication"}
        subtype, outcome = _TOKENS[told.action]
    else:
        kind = {"system": _EVENTS, "code": "rest", "display": "RESTful Operation"}
        subtype = {"system": _INTERACTIONS, "code": interaction}
    user: dict[str, Any] = {"type": {"coding": [_RECIPIENT]}, "requestor": True}
    if told.person:
        user["who"] = _who(PERSON, told.person)
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
        "outcome": outcome,
        **({"outcomeDesc": told.action} if told.action in _TOKENS else {}),
        "agent": [
            user,
            *_program(told.program),
            {"type": {"coding": [_SOURCE if searched else _DESTINATION]}, "who": client, "requestor": False},
            {"type": {"coding": [_DESTINATION if searched else _SOURCE]}, "who": server, "requestor": False},
        ],
        "source": {"observer": server},
        "entity": [
            *(
                {
                    "what": {"reference": name},
                    "type": {"system": _TYPES, "code": "1", "display": "Person"},
                    "role": {"system": _ROLES, "code": "1", "display": "Patient"},
                }
                for name in (told.patient,)
                if name
            ),
            *(
                {
                    "type": {"system": _TYPES, "code": "2", "display": "System Object"},
                    "role": {"system": _ROLES, "code": "13", "display": "Security Resource"},
                    "detail": [{"type": "scope", "valueString": one} for one in scopes],
                }
                for scopes in (told.scopes,)
                if scopes
            ),
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


def _program(program: str) -> list[dict[str, Any]]:
    """Return the agent that stands for a program which acted in somebody's name (DCM 110150, application)."""
    if not program:
        return []
    kind = {"system": _DCM, "code": "110150", "display": "Application"}
    return [{"type": {"coding": [kind]}, "who": _who(APP, program), "requestor": False}]


def _who(system: str, value: str) -> dict[str, Any]:
    return {"identifier": {"system": system, "value": value}}
