"""`records measures`: what was measured of a patient, by what it is, each value as it was written."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from salus.index.index import Choice, Line
from salus.node.member import MemberNode
from salus.node.names import GRANT_EXAMPLE, LINK_EXAMPLE
from salus.node.reading import own_scope, require_purpose
from salus.node.records.charts import FIRST_MS, PURPOSE, journal_lines, moment, whose
from salus.node.usecase import Caller, Message, person, use_case

MOST: Final = 1_000  # observations opened for one answer, newest first: some years of a chronic patient
_READ: Final = msgspec.json.Decoder(float_hook=str)  # a decimal stays as it was written


class AskMeasures(Message, frozen=True):
    """Whose measurements, by own link or by grant."""

    link: Annotated[
        str, Meta(pattern="^([0-9a-f]{32})?$", description="The patient's link here.", examples=[LINK_EXAMPLE])
    ] = ""
    grant: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$", description="A grant held.", examples=[GRANT_EXAMPLE])] = ""
    purpose: PURPOSE = "TREAT"


class Point(Message, frozen=True):
    """One value."""

    number: Annotated[int, Meta(description="Number of its record, for `records show`.")]
    date: Annotated[str, Meta(description="When it was measured, UTC; empty if it is not said.")]
    value: Annotated[str, Meta(description="The value as written.")]
    origin: Annotated[str, Meta(description="`own`, or `lease` for what was pulled from another member.")]


class Measure(Message, frozen=True):
    """One kind of measurement in one unit."""

    code: Annotated[str, Meta(description="What was measured: SYSTEM|CODE.")]
    label: Annotated[str, Meta(description="Its name, as written.")]
    unit: Annotated[str, Meta(description="Unit, as written; empty for words.")]
    points: Annotated[tuple[Point, ...], Meta(description="Newest first.")]


class Measures(Message, frozen=True):
    """What was measured."""

    total: Annotated[int, Meta(description="Observations there are.")]
    read: Annotated[int, Meta(description="Observations read for this answer: the newest 1,000 at most.")]
    measures: Annotated[tuple[Measure, ...], Meta(description="By name.")]


@use_case("records.measures", who=person())
def list_measures(node: MemberNode, request: AskMeasures, *, caller: Caller) -> Measures:
    """Gather a patient's measurements, and words of results, by what was measured and in which unit.

    Own records, and what is held under live grants. Journalled before it is shown. What has no value is left out.
    """
    require_purpose(caller, request.purpose)
    links, leases = whose(node, caller, request.link, request.grant, request.purpose)
    scope = own_scope(node, caller, request.purpose)
    page = node.index.chart([*links, *leases], Choice(types=("Observation",), limit=MOST), scope)
    journal_lines(node, caller, page.lines, links, leases, request.purpose)
    found: dict[tuple[str, str], tuple[str, list[Point]]] = {}
    opened = node.vault.open_many(line.number for line in page.lines)
    for line, record in zip(page.lines, opened, strict=True):
        for code, label, value, unit in values_of(record.content.body):
            found.setdefault((code, unit), (label, []))[1].append(_point(line, value))
    measures = [
        Measure(code=code, unit=unit, label=label, points=tuple(points))
        for (code, unit), (label, points) in found.items()
    ]
    measures.sort(key=lambda one: (one.label.casefold(), one.code, one.unit))
    return Measures(total=page.total, read=len(page.lines), measures=tuple(measures))


def _point(line: Line, value: str) -> Point:
    date = moment(line.lo)[:10] if FIRST_MS <= line.lo < line.hi else ""
    return Point(number=line.number, date=date, value=value, origin="lease" if line.lease else "own")


def values_of(body: bytes) -> Iterator[tuple[str, str, str, str]]:
    """Yield (code, label, value, unit) of an Observation and of its components (R4, Observation.component)."""
    told = _READ.decode(body)
    for part in (told, *told.get("component", ())):
        concept = part.get("code", {})
        coding: dict[str, str] = next(iter(concept.get("coding", ())), {})
        code = f"{coding.get('system', '')}|{coding.get('code', '')}"
        label = concept.get("text") or coding.get("display") or coding.get("code") or ""
        value, unit = _value(part)
        if value and label:
            yield code, label, value, unit


def _value(part: dict[str, Any]) -> tuple[str, str]:
    quantity = part.get("valueQuantity")
    if quantity is not None and "value" in quantity:
        return f"{quantity.get('comparator', '')}{quantity['value']}", quantity.get("unit") or quantity.get(
            "code"
        ) or ""
    concept = part.get("valueCodeableConcept")
    if concept is not None:
        coding: dict[str, str] = next(iter(concept.get("coding", ())), {})
        return concept.get("text") or coding.get("display") or coding.get("code") or "", ""
    for name in ("valueString", "valueInteger", "valueDateTime"):
        if name in part:
            return str(part[name]), ""
    if "valueBoolean" in part:
        return ("yes" if part["valueBoolean"] else "no"), ""
    return "", ""
