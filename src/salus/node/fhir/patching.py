"""JSON Patch (RFC 6902) of a resource's newest version (R4 3.1.0.7): the outcome is written as an update is."""

from decimal import Decimal
from typing import Any, Final

import msgspec
from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import JsonPointerException

from salus.interop.fhir.tokens import LIMITS
from salus.node.fhir.answers import BAD, UNKNOWN_FORM, UNPROCESSABLE, FhirRefused, Request

MEDIA: Final = "application/json-patch+json"
MAX_OPERATIONS: Final = 100
"""Each may copy what stands already, so the size is looked at after each."""
_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def patched(request: Request, body: bytes) -> bytes:
    """Return a resource's bytes after the request's operations, decimals as they were. Raises FhirRefused."""
    if request.header("content-type").partition(";")[0].strip() != MEDIA:
        raise FhirRefused(UNKNOWN_FORM, "fhir.media", "a patch has another form", expected=MEDIA)
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
