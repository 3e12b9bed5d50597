"""A revocation certificate as a patient keeps it, on paper or with somebody trusted: a text or QR.

text   "salus-revocation:" base64url(msgpack [format, network, member, [link, certificate]])
"""

import base64
import binascii
from typing import Final

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.node.errors import Malformed
from salus.node.patient.messages import Publish

FORMAT: Final = 1
SCHEME: Final = "salus-revocation:"


class Certificate(Value, frozen=True):
    """What the text holds."""

    format: int
    network: bytes
    member: str
    published: Publish
    """What the member is shown."""


def write(certificate: Certificate) -> str:
    """Return the text."""
    return SCHEME + base64.urlsafe_b64encode(encode(certificate)).rstrip(b"=").decode()


def read(text: str) -> Certificate:
    """Return what a text holds. Raises Malformed."""
    told = text.strip().removeprefix(SCHEME)
    try:
        found = decode(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)), Certificate)
    except (binascii.Error, ValueError, MalformedBytes) as error:
        raise Malformed("certificate.text", "this is no certificate", todo="scan or paste the whole text") from error
    if found.format != FORMAT or len(found.network) != 32:
        raise Malformed("certificate.format", "the certificate is of another format", expected=str(FORMAT))
    return found
