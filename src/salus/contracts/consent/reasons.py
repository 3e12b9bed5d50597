"""Why the consent contract refuses."""

from salus.contracts.consent.state import NUMBER
from salus.core.errors import Reason, numbered


@numbered(NUMBER)
class ConsentReason(Reason):
    """In order of precedence."""

    ALREADY_GRANTED = 1
    """The key has authored a grant, live or not: keys are used once."""
    NOT_ROUNDED = 2
    """The expiry is no multiple of the network's rounding, and would tell the grant from others."""
    ALREADY_OVER = 3
    """The expiry is not after block time."""
    EXPIRY_TOO_FAR = 4
    """The expiry lies further ahead than grants may last."""
    NOT_GRANTED = 5
    """The key has authored no grant."""
    ALREADY_REVOKED = 6
    """The grant is revoked."""
