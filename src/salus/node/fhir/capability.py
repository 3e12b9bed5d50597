"""The CapabilityStatement, from what is there: the types, the parameters and the routes that the server answers by."""

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
from salus.node.fhir.routes import ROUTES

FORMATS: Final = ("application/fhir+json", "application/fhir+xml")
SMART: Final = "http://fhir-registry.smarthealthit.org"
INTERACTIONS: Final = tuple(code for route in ROUTES if route.kind for code in route.interactions)
"""Of every type."""
SYSTEM: Final = tuple(code for route in ROUTES if not route.kind for code in route.interactions)


def operations(kind: str) -> list[dict[str, str]]:
    """Return the operations of a type, "" those of the server, by name and definition, each once."""
    found = {
        (route.operation, route.definition): None
        for route in ROUTES
        if route.definition and (route.kind == kind or (kind and route.kind == "{kind}"))
    }
    return [{"name": name, "definition": definition} for name, definition in sorted(found)]


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
        "format": list(FORMATS),
        "patchFormat": [MEDIA, *FORMATS],
        "rest": [
            {
                "mode": "server",
                "documentation": "Resources are taken and answered in JSON or XML; patches are JSON Patch or FHIRPath Patch.",
                "security": _security(base),
                "resource": list(_resources()),
                "interaction": [{"code": code} for code in SYSTEM],
                "operation": operations(""),
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


_TYPES: Final = {"phonetic": "string"}


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
        "operation": operations(kind),
        **({"searchInclude": ["*", *included]} if included else {}),
        "searchRevInclude": ["*"],
        "searchParam": [{"name": code, "type": _TYPES.get(one.type, one.type)} for code, one in sorted(known.items())]
        + own,
    }
