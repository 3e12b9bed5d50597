"""An 837 with one claim as FHIR Claim, and back to the same bytes.

What the rules do not read of an 837 (notes, ambulance data, envelope) has no place in our types: the Claim carries the
transaction along. It comes back byte for byte as long as the Claim still
says what the transaction says; a Claim that was changed is written anew, and what only the transaction had is dropped.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from salus.agreements.claims.alone import sound_claims
from salus.agreements.claims.fhir_claim import claim_resource
from salus.agreements.claims.fhir_claim_read import Tree, UnreadableClaim, read_claim
from salus.agreements.claims.fhir_terms import X12
from salus.interop.x12.claim import Claim
from salus.interop.x12.claim_writer import set_of
from salus.interop.x12.envelope import Stamp, Trader, interchange
from salus.interop.x12.guides.claim import INSTITUTIONAL, PROFESSIONAL
from salus.interop.x12.tokens import Unreadable

CARRIED: Final = X12 + "transaction"


def claim_of_file(file: bytes, received: str) -> bytes:
    """Return the one claim of an 837 as FHIR Claim, JSON. Raises UnreadableClaim where it has not one sound claim."""
    resource: dict[str, Any] = claim_resource(_claim_in(file, received), received)
    resource["extension"].append({"url": CARRIED, "valueBase64Binary": base64.b64encode(file).decode()})
    return msgspec.json.encode(resource)


def file_of_claim(tree: Tree, others: Sequence[Tree], ends: tuple[Trader, Trader], stamp: Stamp) -> bytes:
    """Return the 837 of a decoded Claim: the one that it carries, or one written anew. Raises UnreadableClaim."""
    claim = read_claim(tree, others)
    for one in tree.get("extension") or ():
        if isinstance(one, dict) and one.get("url") == CARRIED:
            file = _decoded(one.get("valueBase64Binary"))
            if _claim_in(file, stamp.day) == claim:
                return file
    if not claim.diagnoses:
        raise UnreadableClaim("Claim.diagnosis")
    version = PROFESSIONAL.version if claim.kind == "P" else INSTITUTIONAL.version
    return interchange(ends, stamp, "HC", version, [set_of((claim,), "0001", stamp.day, stamp.time)])


def _claim_in(file: bytes, received: str) -> Claim:
    try:
        (claim,) = sound_claims([file], received, None)  # its codes are judged where it is sent
    except (Unreadable, ValueError):
        raise UnreadableClaim(f"Claim.extension('{CARRIED}')") from None
    return claim


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error:
        raise UnreadableClaim(f"Claim.extension('{CARRIED}')") from None
