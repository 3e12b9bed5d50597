"""Asking a patient for access: a code or QR that the wallet answers with a grant.

    code   "salus-access:" base64url(msgpack [data, signature])
    data   msgpack [format, network, member, purpose, roles, classes, id, expires]; signed by the member's ledger key

The receive key that the wallet seals to is the ledger's, never one from the code.
"""

from typing import Final

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof.digest import framed
from salus.core.proof.ed25519 import verify
from salus.interop.fhir.sensitivity import CLASSES
from salus.node import codes
from salus.node.errors import Forbidden, Malformed
from salus.node.member import MemberNode
from salus.vault.enrolment import Signed

FORMAT: Final = 1
SCHEME: Final = "salus-access:"
LABEL: Final = "salus/v1/access-request"
LIFE_MS: Final = 24 * 3600 * 1000
MAX_CODE: Final = 2_000  # characters: what a QR code of medium density holds


class AccessRequest(Value, frozen=True):
    """What a member asks a patient for."""

    format: int
    network: bytes
    member: str
    purpose: str
    """v3-ActReason code: `TREAT`."""
    roles: tuple[str, ...]
    """Roles of the persons who would read; empty for any."""
    classes: tuple[str, ...]
    """Sensitivity classes asked for."""
    id: bytes
    """16 random bytes; the grant names them, so that the member knows its answer."""
    expires: int
    """Unix ms; an older code is not answered."""


def ask(node: MemberNode, purpose: str, classes: tuple[str, ...], roles: tuple[str, ...] = ()) -> tuple[bytes, str]:
    """Sign a request for access, keep it, and return its id and code. Raises Malformed for an unknown class."""
    unknown = [name for name in classes if name not in CLASSES]
    if unknown or not classes:
        raise Malformed(
            "access.classes", "an unknown class, or none", expected=", ".join(CLASSES), got=", ".join(unknown)
        )
    request = AccessRequest(
        FORMAT, node.network, node.member, purpose, roles, classes, node.entropy(16), node.now() + LIFE_MS
    )
    data = encode(request)
    node.desk.ask(request.id, data, node.now())
    signed = Signed(data, node.signing_key.sign(framed(LABEL, (data,))))
    return request.id, codes.written(SCHEME, signed)


def read(code: str) -> tuple[AccessRequest, Signed]:
    """Return the request in a code, its signature not checked yet. Raises Malformed."""
    try:
        signed = codes.held(code, SCHEME, Signed, most=MAX_CODE)
        request = decode(signed.data, AccessRequest)
    except MalformedBytes as error:
        raise Malformed("access.code", "this is no request for access", todo="scan or paste the whole code") from error
    if request.format != FORMAT:
        raise Malformed("access.format", "the request is of another format", expected=str(FORMAT))
    return request, signed


def check(request: AccessRequest, signed: Signed, *, network: bytes, signing_key: bytes, now: int) -> None:
    """Check a request under the member's key, which the ledger proved. Raises Forbidden."""
    if request.network != network or not verify(signing_key, framed(LABEL, (signed.data,)), signed.signature):
        raise Forbidden("access.signature", "the request is not signed by the member it names", todo="do not answer it")
    if now >= request.expires:
        raise Forbidden("access.expired", "the request is too old", todo="ask for a new code")
