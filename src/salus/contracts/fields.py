"""Types of fields that several contracts share. Their limits are part of the encoding: what breaks one never decodes."""

from typing import Annotated, Final

from msgspec import Meta

MEMBER_ID: Final = r"^[a-z][a-z0-9-]{1,31}\Z"
MAX_TIME: Final = (1 << 53) - 1  # what JSON, JavaScript and every database hold exactly

Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""A SHA-256 digest, a commitment or a Merkle root, 32 bytes."""
CaseId = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""16 random bytes that the steps of one case share, and nothing else does."""
MemberId = Annotated[str, Meta(pattern=MEMBER_ID)]
"""A member's name on the ledger: 2 to 32 of a-z, 0-9 and hyphen, a letter first."""
SigningKey = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""A raw Ed25519 public key, 32 bytes."""
ReceiveKey = Annotated[bytes, Meta(min_length=1216, max_length=1216)]
"""A raw X-Wing public key (ML-KEM-768 and X25519), 1,216 bytes."""
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
"""An Ed25519 signature, 64 bytes."""
Time = Annotated[int, Meta(ge=0, le=MAX_TIME)]
"""Unix time in milliseconds."""
Height = Annotated[int, Meta(ge=0, le=MAX_TIME)]
"""Height of a block; 0 is the genesis."""
Period = Annotated[int, Meta(ge=1, le=100 * 366 * 86_400_000)]
"""A length of time in milliseconds, at most a century: no sum of a time and a period leaves 64 bits."""
