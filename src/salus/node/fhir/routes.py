"""Every interaction and operation of the FHIR server, declared once.

The server answers what stands here and nothing else; the CapabilityStatement and the OpenAPI description are made from it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

import msgspec

from salus.interop.fhir.survey import TYPES

_R4: Final = "http://hl7.org/fhir/OperationDefinition"
_BULK: Final = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition"
_FAST: Final = "http://hl7.org/fhir/us/consent-management/OperationDefinition"
_PAS: Final = "http://hl7.org/fhir/us/davinci-pas/OperationDefinition"
_WRITES: Final = (409, 412, 413, 415, 422)
_POSTED: Final = (413, 415, 422)
_GONE: Final = (410,)
_HISTORY: Final = ("_count", "_since")


class Route(msgspec.Struct, frozen=True):
    """What is asked at one path.

    path: below the base. `{kind}` is any resource type, `{inner}` one in a Patient's compartment, `{own}` an id, `{link}` and
    `{version}` anything. interactions: codes of R4's CapabilityStatement. definition: of an operation, whose name is the path's end.
    query: names of parameters; SEARCH and CONDITIONS stand for a type's own. needed: those of `query` that must be there. headers: names.
    body: name of a schema, `{kind}` for the type's, "" for none. posted: POST takes the parameters of `query` as Parameters.
    good: status and schema of each answer, "" without body. refusals: beside those of every route. anybody: needs no credential.
    """

    name: str
    methods: tuple[str, ...]
    path: str
    interactions: tuple[str, ...] = ()
    definition: str = ""
    query: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    body: str = ""
    posted: bool = False
    good: tuple[tuple[int, str], ...] = ((200, "Bundle"),)
    refusals: tuple[int, ...] = ()
    anybody: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """The path's segments."""
        return tuple(self.path.split("/")) if self.path else ()

    @property
    def operation(self) -> str:
        """The name of the operation, "" where it is none."""
        return self.parts[-1].removeprefix("$") if self.definition else ""

    @property
    def kind(self) -> str:
        """The type that the path begins with, `{kind}` for any, "" where it is the server's."""
        first = self.path.partition("/")[0]
        return first if first == "{kind}" or first in TYPES else ""


SEARCH: Final = "search"
CONDITIONS: Final = "conditions"
MANIFEST: Final = "application/json"
LINES: Final = "application/fhir+ndjson"
TABLE: Final = "table"
_READ: Final = ("_summary", "_elements", "_pretty")
_ASYNC: Final = ("Prefer",)
_EXPORT: Final = ("_since", "_type", "_outputFormat")
_CODED: Final = ((200, "Parameters"),)

SERVER: Final = (
    Route("metadata", ("GET",), "metadata", good=((200, "CapabilityStatement"),), anybody=True),
    Route("description", ("GET",), "openapi.json", query=("type",), good=((200, MANIFEST),), anybody=True),
    Route("batch", ("POST",), "", ("transaction", "batch"), body="BundleRequest", refusals=(410, *_WRITES)),
    Route("history", ("GET",), "_history", ("history-system",), query=_HISTORY),
    Route("page", ("GET",), "_page/{link}", refusals=_GONE),
    Route(
        "export", ("GET", "POST"), "$export", definition=f"{_BULK}/export", query=_EXPORT, headers=_ASYNC, posted=True,
        good=((202, ""),), refusals=_POSTED,
    ),
    Route("exportJob", ("GET", "DELETE"), "_export/{link}", good=((200, MANIFEST), (200, LINES), (202, "")), refusals=(503,)),
    Route(
        "import", ("POST",), "$import", definition="urn:salus:operation:import", headers=_ASYNC, body="ImportRequest",
        good=((202, ""),), refusals=(413, 415, 503),
    ),
    Route("importJob", ("GET", "DELETE"), "_import/{link}", good=((200, MANIFEST), (202, ""))),
    Route("importErrors", ("GET",), "_import/{link}/errors", good=((200, LINES), (202, ""))),
    Route(
        "viewdefinition-run", ("POST",), "$viewdefinition-run",
        definition="http://sql-on-fhir.org/OperationDefinition/$viewdefinition-run",
        query=("_format", "header", "_limit", "_since", "patient"), body="ViewRequest", good=((200, TABLE),), refusals=_POSTED,
    ),
)  # fmt: skip

OF_PATIENT: Final = (
    Route(
        "everything", ("GET", "POST"), "Patient/{own}/$everything", definition=f"{_R4}/Patient-everything",
        query=(*_HISTORY, "_type", "start", "end"),
        posted=True, refusals=(*_GONE, *_POSTED),
    ),
    Route(
        "summary", ("GET", "POST"), "Patient/{own}/$summary",
        definition="http://hl7.org/fhir/uv/ips/OperationDefinition/summary", posted=True, refusals=(*_GONE, *_POSTED),
    ),
    Route(
        "exportPatients", ("GET", "POST"), "Patient/$export", definition=f"{_BULK}/patient-export", query=_EXPORT, headers=_ASYNC,
        posted=True, good=((202, ""),), refusals=_POSTED,
    ),
    Route("compartment", ("GET",), "Patient/{own}/{inner}", query=("_count", "_sort", "_summary", "_elements"), refusals=_GONE),
    Route("compartmentPosted", ("POST",), "Patient/{own}/{inner}/_search", body=SEARCH, refusals=(*_GONE, 415)),
)  # fmt: skip

OPERATIONS: Final = (
    Route(
        "expand", ("GET", "POST"), "ValueSet/$expand", definition=f"{_R4}/ValueSet-expand", query=("filter", "offset", "count"),
        needed=("url",), posted=True, good=((200, "ValueSet"),), refusals=_POSTED,
    ),
    Route(
        "validateInSet", ("GET", "POST"), "ValueSet/$validate-code", definition=f"{_R4}/ValueSet-validate-code",
        query=("system", "display"), needed=("url", "code"), posted=True, good=_CODED, refusals=_POSTED,
    ),
    Route(
        "validateInSystem", ("GET", "POST"), "CodeSystem/$validate-code", definition=f"{_R4}/CodeSystem-validate-code",
        query=("display",), needed=("url", "code"), posted=True, good=_CODED, refusals=_POSTED,
    ),
    Route(
        "lookUp", ("GET", "POST"), "CodeSystem/$lookup", definition=f"{_R4}/CodeSystem-lookup",
        needed=("system", "code"), posted=True, good=_CODED, refusals=_POSTED,
    ),
    Route(
        "subsumes", ("GET", "POST"), "CodeSystem/$subsumes", definition=f"{_R4}/CodeSystem-subsumes",
        needed=("system", "codeA", "codeB"), posted=True, good=_CODED, refusals=_POSTED,
    ),
    Route(
        "translate", ("GET", "POST"), "ConceptMap/$translate", definition=f"{_R4}/ConceptMap-translate",
        query=("targetsystem", "reverse"), needed=("url", "system", "code"), posted=True, good=_CODED, refusals=_POSTED,
    ),
    Route(
        "fileConsent", ("POST",), "Consent/$fileConsent", definition=f"{_FAST}/fileConsent", body="Parameters",
        good=((201, "Parameters"),), refusals=_WRITES,
    ),
    Route(
        "revokeConsent", ("POST",), "Consent/$revokeConsent", definition=f"{_FAST}/revokeConsent", body="Parameters",
        good=_CODED, refusals=(410, *_WRITES),
    ),
    Route(
        "recordDisclosure", ("POST",), "AuditEvent/$recordDisclosure", definition=f"{_FAST}/recordDisclosure", body="Parameters",
        good=((201, "Parameters"),), refusals=_WRITES,
    ),
    Route(
        "submit", ("POST",), "Claim/$submit", definition=f"{_R4}/Claim-submit", body="ClaimRequest",
        good=((200, "ClaimResponse"),), refusals=(503, *_WRITES),
    ),
    Route(
        "inquire", ("POST",), "Claim/$inquire", definition=f"{_PAS}/Claim-inquiry", body="ClaimRequest", refusals=(503, *_WRITES),
    ),
)  # fmt: skip

OF_TYPES: Final = (
    Route(
        "read", ("GET",), "{kind}/{own}", ("read",), query=_READ, headers=("If-None-Match",), good=((200, "{kind}"), (304, "")),
        refusals=(409, *_GONE),
    ),
    Route("vread", ("GET",), "{kind}/{own}/_history/{version}", ("vread",), query=_READ, good=((200, "{kind}"),), refusals=_GONE),
    Route(
        "update", ("PUT",), "{kind}/{own}", ("update",), headers=("If-Match", "Prefer"), body="{kind}",
        good=((200, "{kind}"), (201, "{kind}")), refusals=(405, *_WRITES),
    ),
    Route(
        "patch", ("PATCH",), "{kind}/{own}", ("patch",), headers=("If-Match", "Prefer"), body="Patch", good=((200, "{kind}"),),
        refusals=(405, *_WRITES),
    ),
    Route("delete", ("DELETE",), "{kind}/{own}", ("delete",), headers=("If-Match",), good=((204, ""),), refusals=(405, 409, 412)),
    Route("historyOne", ("GET",), "{kind}/{own}/_history", ("history-instance",), query=_HISTORY),
    Route("historyType", ("GET",), "{kind}/_history", ("history-type",), query=_HISTORY),
    Route(
        "create", ("POST",), "{kind}", ("create",), headers=("If-None-Exist", "Prefer"), body="{kind}",
        good=((201, "{kind}"), (200, "")), refusals=_WRITES,
    ),
    Route("search", ("GET",), "{kind}", ("search-type",), query=(SEARCH,)),
    Route("searchPosted", ("POST",), "{kind}/_search", body=SEARCH, refusals=(415,)),
    Route(
        "updateWhere", ("PUT",), "{kind}", query=(CONDITIONS,), headers=("If-Match", "Prefer"), body="{kind}",
        good=((200, "{kind}"), (201, "{kind}")), refusals=_WRITES,
    ),
    Route(
        "patchWhere", ("PATCH",), "{kind}", query=(CONDITIONS,), headers=("If-Match", "Prefer"), body="Patch",
        good=((200, "{kind}"),), refusals=_WRITES,
    ),
    Route("deleteWhere", ("DELETE",), "{kind}", query=(CONDITIONS,), good=((204, ""),), refusals=(409, 412)),
    Route(
        "validate", ("POST",), "{kind}/$validate", definition=f"{_R4}/Resource-validate", query=("profile", "mode"), body="{kind}",
        good=((200, "OperationOutcome"),), refusals=_POSTED,
    ),
    Route(
        "validateOne", ("POST",), "{kind}/{own}/$validate", definition=f"{_R4}/Resource-validate", query=("profile", "mode"),
        body="{kind}", good=((200, "OperationOutcome"),), refusals=_POSTED,
    ),
    Route("meta", ("GET",), "{kind}/{own}/$meta", definition=f"{_R4}/Resource-meta", good=_CODED, refusals=(409, *_GONE)),
    Route(
        "metaAdd", ("POST",), "{kind}/{own}/$meta-add", definition=f"{_R4}/Resource-meta-add", body="Parameters", good=_CODED,
        refusals=_WRITES,
    ),
    Route(
        "metaDelete", ("POST",), "{kind}/{own}/$meta-delete", definition=f"{_R4}/Resource-meta-delete", body="Parameters",
        good=_CODED, refusals=_WRITES,
    ),
)  # fmt: skip
ROUTES: Final = (*SERVER, *OF_PATIENT, *OPERATIONS, *OF_TYPES)
"""In the order in which they are looked through: what is named before what is any."""


@cache
def _by_shape() -> Mapping[tuple[str, int], tuple[tuple[Route, tuple[str, ...]], ...]]:
    """Return, in their order, the routes by method and number of parts."""
    found: dict[tuple[str, int], list[tuple[Route, tuple[str, ...]]]] = {}
    for route in ROUTES:
        for method in route.methods:
            found.setdefault((method, len(route.parts)), []).append((route, route.parts))
    return {shape: tuple(routes) for shape, routes in found.items()}


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a request and what stands at its variables, None where there is none."""
    asked = path.split("/") if path else []
    for route, parts in _by_shape().get((method, len(asked)), ()):
        for part, one in zip(parts, asked, strict=True):
            if not (_fits(part, one) if part[0] == "{" else part == one):
                break
        else:
            return route, {part[1:-1]: one for part, one in zip(parts, asked, strict=True) if part[0] == "{"}
    return None


def _fits(variable: str, text: str) -> bool:
    if variable in {"{kind}", "{inner}"}:
        return text in TYPES
    return variable != "{own}" or text[:1] not in {"_", "$"}
