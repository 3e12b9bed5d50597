"""Whether a serious event is expected: an adverse event against the reference safety information (RSI) → SUSAR, deadline.

    serious      a criterion of seriousness is met (ICH E2A II.B); the site's word that it is none does not count
    suspected    the investigator says related, or has not judged yet
    expected     the RSI lists its term; if it was serious, as serious; if it was fatal, as fatal (21 CFR 312.32(a):
                 not listed at the specificity or severity observed is unexpected)
    SUSAR        serious, suspected, not expected
    deadline     7 days when fatal or life-threatening, else 15 days (21 CFR 312.32(c), Regulation (EU) 536/2014 Art. 42)

Who judges does not know the arm: the event is held against the RSI of the product as if it had been given. The RSI's
digest stands in the signed terms, so that nobody lengthens the list after an event.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from salus.core.proof.digest import digest
from salus.interop.cdisc.findings import DocumentRefused, Finding

MOST_BYTES: Final = 1 << 20
SERIOUS: Final = ("death", "life-threatening", "hospitalisation", "disability", "congenital", "important")
WITHIN_7_DAYS: Final = frozenset(("death", "life-threatening"))


@dataclass(frozen=True, slots=True)
class Adverse:
    """An adverse event."""

    number: int
    """Of the act that entered it."""
    term: str
    serious: bool
    related: bool | None
    """The investigator's word; None before it."""
    criteria: tuple[str, ...] = ()
    """The criteria of seriousness that it meets, of `SERIOUS`."""
    said: str = ""
    """Whether the site said that it is serious, Y or N; empty if it said nothing."""
    happened: str = ""
    """Clinical date of its start; empty if nobody said."""


class Reaction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reaction that the product is known to cause."""

    term: Annotated[str, Meta(min_length=1, max_length=200)]
    serious: bool = False
    """Whether it is expected also where it is serious."""
    fatal: bool = False
    """Whether it is expected also where it is fatal."""


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The reference safety information of a product in one version."""

    format: Literal[1]
    product: Annotated[str, Meta(min_length=1, max_length=200)]
    version: Annotated[str, Meta(min_length=1, max_length=64)]
    expected: Annotated[tuple[Reaction, ...], Meta(max_length=2000)]


@dataclass(frozen=True, slots=True)
class Judged:
    """An event held against the reference."""

    expected: bool
    susar: bool
    deadline: str
    """7-days, 15-days, or empty where nothing is to be told."""
    told: str
    """Why."""


def read_reference(text: bytes) -> Reference:
    """Read reference safety information, JSON. Raises DocumentRefused."""
    if len(text) > MOST_BYTES:
        raise DocumentRefused((Finding("too-large", "", f"at most {MOST_BYTES} bytes"),))
    try:
        return msgspec.json.decode(text, type=Reference)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DocumentRefused((Finding("reference", "", str(error)),)) from None


def reference_digest(text: bytes) -> str:
    """Return the digest by which terms name reference safety information, hexadecimal."""
    return digest("salus/v1/trial-reference", text).hex()


def judge(event: Adverse, reference: Reference) -> Judged:
    """Hold an event against the reference, blind to the arm."""
    listed = [one for one in reference.expected if _same(one.term, event.term)]
    fatal = "death" in event.criteria
    expected = any((one.serious or not event.serious) and (one.fatal or not fatal) for one in listed)
    suspected = event.related is not False
    susar = event.serious and suspected and not expected
    urgent = any(one in WITHIN_7_DAYS for one in event.criteria)
    deadline = ("7-days" if urgent else "15-days") if susar else ""
    how = "listed" if expected else "listed, not this severe" if listed else "not listed"
    told = (
        f"{'serious: ' + ', '.join(event.criteria) if event.serious else 'not serious'}; "
        f"{'not judged yet' if event.related is None else 'related' if event.related else 'not related'}; "
        f"{how} in {reference.product} {reference.version}"
    )
    return Judged(expected, susar, deadline, told)


def _same(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())
