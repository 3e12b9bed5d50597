"""Sealed bytes as a FHIR client sees them: the server's id, version and time in `meta`, the rest as received.

Only the outermost object is taken apart; every value inside stays the token that was received, so decimals survive.
"""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from salus.interop.fhir.search.definitions import mandatory_elements, summary_elements

Parts = dict[str, msgspec.Raw]
_PARTS: Final = msgspec.json.Decoder(Parts)
_SUBSETTED: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}


class Subset(msgspec.Struct, frozen=True):
    """Which elements are asked for: `_summary` or `_elements`; neither means all."""

    summary: str = ""
    elements: tuple[str, ...] = ()

    def keeps(self, kind: str) -> Callable[[str], bool] | None:
        """Return the test of an element's name, None to keep all."""
        if self.elements:
            return _among({*self.elements, *mandatory_elements(kind)})
        if self.summary == "true":
            return _among(summary_elements(kind))
        if self.summary == "text":
            return _among({"text", *mandatory_elements(kind)})
        return (lambda name: name != "text") if self.summary == "data" else None


ALL: Final = Subset()


def _among(names: Collection[str]) -> Callable[[str], bool]:
    return lambda name: name.removeprefix("_") in names


def instant(milliseconds: int) -> str:
    """Return Unix milliseconds as a FHIR instant."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=1_024)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def raw(value: Any) -> msgspec.Raw:
    """Return a value as JSON that is put into other JSON as it is."""
    return msgspec.Raw(msgspec.json.encode(value))


def presented(
    body: bytes,
    *,
    version: int,
    recorded: int,
    subset: Subset = ALL,
    own_id: str = "",
    source: str = "",
    known: bool = False,
) -> bytes:
    """Return a resource's bytes with its version and time; under `own_id` and with `meta.source` when given.

    known: whether a `meta.source` that was received stays.
    """
    parts = _PARTS.decode(body)
    meta = _PARTS.decode(parts["meta"]) if "meta" in parts else {}
    meta["versionId"] = raw(str(version))
    meta["lastUpdated"] = raw(instant(recorded))
    if source and not (known and "source" in meta):
        meta["source"] = raw(source)
    kind = msgspec.json.decode(parts["resourceType"], type=str)
    keeps = subset.keeps(kind)
    if keeps is not None:
        parts = {name: value for name, value in parts.items() if keeps(name)}
        tags = msgspec.json.decode(meta["tag"], type=list[msgspec.Raw]) if "tag" in meta else []
        meta["tag"] = raw([*tags, raw(_SUBSETTED)])
    head = {"resourceType": raw(kind), "id": raw(own_id) if own_id else parts["id"], "meta": raw(meta)}
    return msgspec.json.encode({**head, **{name: value for name, value in parts.items() if name not in head}})
