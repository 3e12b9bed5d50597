"""Ids as people type and read them: hexadecimal, read once at the border."""

from typing import Final

from salus.node.errors import Malformed

LINK_PATTERN: Final = "^[0-9a-f]{32}$"
"""A link's or a case's id: 16 bytes."""
GRANT_PATTERN: Final = "^[0-9a-f]{64}$"
"""A grant's, a proposal's or a transaction's id: 32 bytes."""
LINK_EXAMPLE: Final = "00112233445566778899aabbccddeeff"
GRANT_EXAMPLE: Final = "00112233445566778899aabbccddeeff" * 2
"""Examples in requests; nobody has them."""


def split_system(text: str) -> tuple[str, str]:
    """Split `system|value`, FHIR's way to write an identifier (R4 3.1.1.4.9, token). Raises Malformed."""
    system, bar, value = text.partition("|")
    if not bar or not value:
        raise Malformed("identifier.form", "this is no identifier", expected="SYSTEM|VALUE")
    return system, value
