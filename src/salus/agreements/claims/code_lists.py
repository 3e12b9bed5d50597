"""Code lists newer than those built in: what is in force, and from which day a code must not be used any more."""

from typing import Annotated

import msgspec

from salus.agreements.claims.plan import LIST_LIMIT, Day, Document, read_document
from salus.interop.x12.codes import BUILT_IN, CodeSets


class CodeLists(Document, frozen=True, kw_only=True):
    """What comes on top of the lists that are built in. A code retired on a day stays valid before it."""

    source: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    """Where the lists were published."""
    date: Day
    """When."""
    retired_procedures: dict[str, Day] = msgspec.field(default_factory=dict)
    """Procedure code to the first day on which it must not be used; likewise the others."""
    retired_diagnoses: dict[str, Day] = msgspec.field(default_factory=dict)
    retired_reasons: dict[str, Day] = msgspec.field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    """Claim adjustment reason codes that are new."""
    places: tuple[str, ...] = ()
    """Place of service codes that are new."""
    provider_adjustments: tuple[str, ...] = ()
    """Provider adjustment reason codes that are new."""


def read_codes(text: bytes) -> CodeSets:
    """Read code lists; return them with those built in. Raises DocumentRefused."""
    lists = read_lists(text)
    return msgspec.structs.replace(
        BUILT_IN,
        reasons=(BUILT_IN.reasons | set(lists.reasons)) - lists.retired_reasons.keys(),
        retired_reasons=BUILT_IN.retired_reasons | lists.retired_reasons,
        places=BUILT_IN.places | set(lists.places),
        provider_adjustments=BUILT_IN.provider_adjustments | set(lists.provider_adjustments),
        retired_diagnoses=dict(lists.retired_diagnoses),
        retired_procedures=dict(lists.retired_procedures),
    )


def read_lists(text: bytes) -> CodeLists:
    """Read code lists as they are written. Raises DocumentRefused."""
    return read_document(text, CodeLists, "the code lists", LIST_LIMIT)
