"""What rules of others find in a protocol, as a part of its definition: signed with it, and never a refusal.

A finding may be a fault or the rule's own overreporting: the parties sign that they have seen it.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from salus.core.proof.digest import digest
from salus.interop.cdisc.findings import DocumentRefused, Finding, misshapen

MOST_BYTES = 16 << 20
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Named fields only, unknown ones refused."""


class RuleFinding(Part, frozen=True, kw_only=True):
    """One finding of a rule."""

    rule: str
    path: str
    """JSON pointer into the protocol."""
    told: str
    """What the rule says of it."""
    values: dict[str, str] = {}


class NotJudged(Part, frozen=True, kw_only=True):
    """A file of the rules' folder that was not judged, and why."""

    file: str
    why: str


class Judgements(Part, frozen=True, kw_only=True):
    """What a folder of rules finds in one protocol."""

    format: Literal[1]
    protocol: Digest
    """Digest of the protocol's bytes."""
    rules: Digest
    """Digest of the files of rules, in any order."""
    judged: int
    found: int
    """Findings in all; at most a thousand of a rule are listed."""
    findings: tuple[RuleFinding, ...]
    unjudged: tuple[NotJudged, ...]


def protocol_digest(protocol: bytes) -> str:
    """Return the digest of a protocol's bytes, hexadecimal."""
    return digest("salus/v1/trial-judged-protocol", protocol).hex()


def rules_digest(files: Sequence[bytes]) -> str:
    """Return the digest of files of rules, whatever their order, hexadecimal."""
    return digest("salus/v1/trial-rules", *sorted(digest("salus/v1/trial-rule", each) for each in files)).hex()


def read_judgements(text: bytes, protocol: bytes) -> Judgements:
    """Read judgements of a protocol. Raises DocumentRefused, also where they are of another protocol."""
    if len(text) > MOST_BYTES:
        raise DocumentRefused((Finding("too-large", "", f"at most {MOST_BYTES} bytes"),))
    try:
        read = msgspec.json.decode(text, type=Judgements)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        told, path = misshapen(error)
        raise DocumentRefused((Finding("findings", path, told),)) from None
    if read.protocol != protocol_digest(protocol):
        raise DocumentRefused((Finding("other-protocol", "/protocol", "findings in this protocol", read.protocol),))
    return read
