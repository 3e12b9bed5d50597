"""An invitation as a patient gets it: a text or QR that names the member, where its node answers, and the code.

    text   "salus-invitation:" base64url(msgpack [format, network, member, url, code])

The code (128 bits, once, 15 minutes) is what the member hands over after identity proofing; the rest spares typing. The
wallet checks member and keys against its own trust file, so that a changed text leads nowhere.
"""

from typing import Final

from salus.core.encoding import MalformedBytes, Value
from salus.node import codes
from salus.node.errors import Malformed

FORMAT: Final = 1
SCHEME: Final = "salus-invitation:"
MAX_TEXT: Final = 1_000  # characters: what a QR code of medium density holds


class Invitation(Value, frozen=True):
    """What the text holds."""

    format: int
    network: bytes
    member: str
    url: str
    """Where the member's node answers wallets."""
    code: bytes
    """16 bytes, good once."""


def write(invitation: Invitation) -> str:
    """Return the text."""
    return codes.written(SCHEME, invitation)


def read(text: str) -> Invitation:
    """Return what a text holds. Raises Malformed."""
    try:
        found = codes.held(text, SCHEME, Invitation, most=MAX_TEXT + len(SCHEME))
    except MalformedBytes as error:
        raise Malformed("invitation.text", "this is no invitation", todo="scan or paste the whole text") from error
    if found.format != FORMAT or len(found.code) != 16 or len(found.network) != 32:
        raise Malformed("invitation.format", "the invitation is of another format", expected=str(FORMAT))
    return found
