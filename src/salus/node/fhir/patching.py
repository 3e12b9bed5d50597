"""JSON Patch (RFC 6902) and FHIRPath Patch of a resource's newest version (R4 3.1.0.7): the outcome is written as an update is."""

from decimal import Decimal
from typing import Any, Final

import msgspec
from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import JsonPointerException

from salus.interop.fhir.patch import apply
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.tokens import LIMITS
from salus.node.fhir.answers import BAD, UNKNOWN_FORM, UNPROCESSABLE, FhirRefused, Request, tree_of

MEDIA: Final = "application/json-patch+json"
FHIRPATH: Final = ("application/fhir+json", "application/fhir+xml", "application/json")
"""Forms of Parameters; XML has been read as JSON before."""
MAX_OPERATIONS: Final = 100
"""Each may copy what stands already, so the size is looked at after each."""
_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def patched(request: Request, body: bytes) -> bytes:
    """Return a resource's bytes after the request's operations, decimals as they were. Raises FhirRefused."""
    media = request.header("content-type").partition(";")[0].strip().lower()
    if media in FHIRPATH:
        return _by_paths(tree_of(request.body), body)
    if media != MEDIA:
        raise FhirRefused(
            UNKNOWN_FORM, "fhir.media", "a patch has another form", expected=f"{MEDIA}, or Parameters as {FHIRPATH[0]}"
        )
    try:
        operations = _DECODER.decode(request.body)
    except (ValueError, RecursionError) as error:
        raise FhirRefused(BAD, "fhir.not-json", "the patch is no JSON", expected="an array of operations") from error
    if not isinstance(operations, list) or not 1 <= len(operations) <= MAX_OPERATIONS:
        raise FhirRefused(
            BAD, "fhir.patch", "the patch is none", expected=f"an array of 1 to {MAX_OPERATIONS} operations"
        )
    tree: Any = _DECODER.decode(body)
    for at, operation in enumerate(operations):
        try:
            tree = JsonPatch([operation]).apply(tree)
        except (JsonPatchException, JsonPointerException, TypeError, KeyError, IndexError, ValueError) as error:
            raise FhirRefused(
                UNPROCESSABLE,
                "fhir.patch",
                "an operation does not apply",
                expected="operations of RFC 6902 on what is there",
                got=f"operation {at}",
                todo="read the resource again",
            ) from error
        if len(_ENCODER.encode(tree)) > LIMITS.resource_bytes:
            raise FhirRefused(UNPROCESSABLE, "fhir.too-large", "the outcome is too large", got=f"operation {at}")
    return _ENCODER.encode(tree)


def _by_paths(parameters: dict[str, Any], body: bytes) -> bytes:
    """Return a resource's bytes after the operations of Parameters. Raises FhirRefused."""
    tree: Any = _DECODER.decode(body)
    try:
        apply(tree, parameters)
    except Refused as refusal:
        raise FhirRefused(
            UNPROCESSABLE,
            "fhir.patch",
            "an operation does not apply",
            path=refusal.path,
            expected=refusal.expected,
            got=refusal.got,
            todo=refusal.todo,
        ) from refusal
    changed = _ENCODER.encode(tree)
    if len(changed) > LIMITS.resource_bytes:
        raise FhirRefused(UNPROCESSABLE, "fhir.too-large", "the outcome is too large")
    return changed
