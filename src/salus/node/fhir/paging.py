"""Links to the next page: the question and where it stopped, sealed by the node for the one who asked.

    link   base64url(nonce 12 | AES-256-GCM(msgpack Continued)), under a secret of this node, bound to who asks

Nothing of the question stands in the URL in clear, and a link tells another person nothing, not even that it is one.
"""

import base64
import binascii
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from salus.node.fhir.answers import Request, nothing_there
from salus.node.fhir.asking import Asking

LABEL: Final = "salus/v1/fhir-page"
PAGE: Final = "_page"
"""Parameter of a search's next link: some clients keep its parameters and make the rest of the address anew."""
MAX_LINK: Final = 16_384  # characters: what servers and proxies take in a URL is less, long questions are POSTed


class Continued(msgspec.Struct, frozen=True, array_like=True):
    """Where a question goes on."""

    path: str
    pairs: tuple[tuple[str, str], ...]
    cursor: tuple[Any, ...]


class Paging:
    """Seals and opens links."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(secret)

    def seal(self, asking: Asking, request: Request, cursor: tuple[Any, ...]) -> str:
        """Return the last part of a link."""
        nonce = asking.node.entropy(12)
        told = msgspec.msgpack.encode(Continued(request.path, request.pairs, cursor))
        sealed = self._cipher.encrypt(nonce, told, _whose(asking))
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def open(self, asking: Asking, link: str) -> Continued:
        """Return what a link stands for. Raises FhirRefused (not found) for any but the asker's own."""
        try:
            sealed = base64.urlsafe_b64decode(link + "=" * (-len(link) % 4)) if len(link) <= MAX_LINK else b""
            told = self._cipher.decrypt(sealed[:12], sealed[12:], _whose(asking))
            return msgspec.msgpack.decode(told, type=Continued)
        except (binascii.Error, ValueError, InvalidTag, msgspec.DecodeError):
            raise nothing_there() from None


def _whose(asking: Asking) -> bytes:
    caller = asking.caller
    return msgspec.msgpack.encode([caller.kind.value, caller.member, caller.subject, asking.role, asking.purpose])
