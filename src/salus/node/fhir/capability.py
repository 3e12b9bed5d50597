"""The CapabilityStatement, from what is there: types, parameters and interactions that the code itself answers to."""

from functools import cache
from typing import Any, Final

from salus import __version__
from salus.interop.fhir.search.definitions import parameters
from salus.interop.fhir.search.query import WHOLE
from salus.interop.fhir.survey import TYPES
from salus.node.fhir.joining import DOCUMENTATION, is_joined
from salus.node.fhir.joining import PARAMETER as JOINED
from salus.node.fhir.patching import MEDIA
from salus.node.fhir.presenting import instant

INTERACTIONS: Final = (
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
SMART: Final = "http://fhir-registry.smarthealthit.org"
SYSTEM: Final = ("transaction", "batch", "history-system")
_FAST: Final = "http://hl7.org/fhir/us/consent-management/OperationDefinition"
OPERATIONS: Final = {
    "Patient": [
        {"name": "everything", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything"},
        {"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"},
        {"name": "summary", "definition": "http://hl7.org/fhir/uv/ips/OperationDefinition/summary"},
    ],
    "ValueSet": [
        {"name": "expand", "definition": "http://hl7.org/fhir/OperationDefinition/ValueSet-expand"},
        {"name": "validate-code", "definition": "http://hl7.org/fhir/OperationDefinition/ValueSet-validate-code"},
    ],
    "CodeSystem": [
        {"name": "lookup", "definition": "http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup"},
        {"name": "validate-code", "definition": "http://hl7.org/fhir/OperationDefinition/CodeSystem-validate-code"},
        {"name": "subsumes", "definition": "http://hl7.org/fhir/OperationDefinition/CodeSystem-subsumes"},
    ],
    "ConceptMap": [
        {"name": "translate", "definition": "http://hl7.org/fhir/OperationDefinition/ConceptMap-translate"},
    ],
    "Consent": [
        {"name": "fileConsent", "definition": f"{_FAST}/fileConsent"},
        {"name": "revokeConsent", "definition": f"{_FAST}/revokeConsent"},
    ],
    "Claim": [
        {"name": "submit", "definition": "http://hl7.org/fhir/OperationDefinition/Claim-submit"},
        {"name": "inquire", "definition": "http://hl7.org/fhir/us/davinci-pas/OperationDefinition/Claim-inquiry"},
    ],
    "AuditEvent": [
        {"name": "recordDisclosure", "definition": f"{_FAST}/recordDisclosure"},
    ],
}
"""Operations by type, beside `$validate` of each."""
SYSTEM_OPERATIONS: Final = (
    {"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"},
    {"name": "import", "definition": "urn:salus:operation:import"},
    {"name": "viewdefinition-run", "definition": "http://sql-on-fhir.org/OperationDefinition/$viewdefinition-run"},
)
VALIDATE: Final = {"name": "validate", "definition": "http://hl7.org/fhir/OperationDefinition/Resource-validate"}


def capability_statement(base: str, now: int) -> dict[str, Any]:
    """Return the CapabilityStatement of a server at `base`."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(now),
        "kind": "instance",
        "software": {"name": "Salus", "version": __version__},
        "implementation": {
            "description": "Records of one member, as its policy and the patients' consents allow",
            "url": base,
        },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml"],
        "patchFormat": [MEDIA],
        "rest": [
            {
                "mode": "server",
                "documentation": "Resources are taken and answered in JSON or XML; patches are JSON Patch.",
                "security": _security(base),
                "resource": list(_resources()),
                "interaction": [{"code": code} for code in SYSTEM],
                "operation": list(SYSTEM_OPERATIONS),
            }
        ],
    }


def _security(base: str) -> dict[str, Any]:
    """Return how one gets in: SMART App Launch, or a person credential of the member."""
    root = base.removesuffix("/fhir")
    return {
        "extension": [
            {
                "url": f"{SMART}/StructureDefinition/oauth-uris",
                "extension": [
                    {"url": name, "valueUri": f"{root}/smart/{name}"}
                    for name in ("authorize", "token", "introspect", "revoke")
                ],
            }
        ],
        "cors": True,
        "service": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                        "code": "SMART-on-FHIR",
                    }
                ],
            }
        ],
        "description": "SMART App Launch, see .well-known/smart-configuration; or a person credential of the member.",
    }


@cache
def _resources() -> tuple[dict[str, Any], ...]:
    return tuple(_resource(kind) for kind in sorted(TYPES))


def _resource(kind: str) -> dict[str, Any]:
    known = parameters(kind)
    included = [f"{kind}:{code}" for code, one in sorted(known.items()) if one.type == "reference"]
    own = [{"name": name, "type": "special", "documentation": told} for name, told in WHOLE.items()]
    own += [{"name": JOINED, "type": "special", "documentation": DOCUMENTATION}] if is_joined(kind) else []
    return {
        "type": kind,
        "interaction": [{"code": code} for code in INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": False,
        "conditionalCreate": True,
        "conditionalRead": "not-match",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
        "operation": [VALIDATE, *OPERATIONS.get(kind, ())],
        **({"searchInclude": included} if included else {}),
        "searchRevInclude": ["*"],
        "searchParam": [{"name": code, "type": one.type} for code, one in sorted(known.items())] + own,
    }
