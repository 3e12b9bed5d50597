"""`records find`, `chart`, `show`: what a member's people read, journalled before it is shown."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

from msgspec import Meta

from salus.index.index import Choice, Found, Line
from salus.interop.fhir.times import interval
from salus.node.errors import EdgeError, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.names import GRANT_EXAMPLE, LINK_EXAMPLE, split_system
from salus.node.reading import (
    counted,
    journal_lease,
    journal_own,
    journal_owns,
    leases_of,
    own_scope,
    require_lease,
    require_own,
    require_purpose,
    require_readable,
)
from salus.node.usecase import Caller, Message, person, use_case
from salus.vault.links import LinkKind

MAX_FOUND: Final = 20  # each hit is a disclosure; a longer list is not looked for but browsed
FIRST_MS: Final = -62_135_596_800_000 + 86_400_000  # what begins with the calendar has no beginning
PURPOSE = Annotated[
    str,
    Meta(
        pattern="^[A-Z]{2,16}$",
        description="What it is read for: a code of v3-ActReason.",
        examples=["TREAT"],
    ),
]


class FindPatients(Message, frozen=True):
    """Whom to look for: by identifier, or by name and birth date."""

    name: Annotated[str, Meta(max_length=200, description="Beginnings of the names.", examples=["ada love"])] = ""
    birth_date: Annotated[
        str, Meta(max_length=10, description="Date of birth: YYYY, YYYY-MM or YYYY-MM-DD.", examples=["1970-05"])
    ] = ""
    identifier: Annotated[
        str,
        Meta(
            max_length=600,
            description="Identifier, as SYSTEM|VALUE; VALUE alone is looked for in every system.",
            examples=["urn:mrn:north|4711"],
        ),
    ] = ""
    purpose: PURPOSE = "TREAT"


class Patient(Message, frozen=True):
    """A patient found."""

    link: Annotated[str, Meta(description="The patient's link, hexadecimal.")]
    grant: Annotated[str, Meta(description="The grant that these words were pulled under; empty for own records.")]
    name: Annotated[str, Meta(description="Name for display.")]
    birth_date: Annotated[str, Meta(description="Date of birth as written.")]
    gender: Annotated[str, Meta(description="Administrative gender.")]


class Patients(Message, frozen=True):
    """Who was found."""

    patients: Annotated[tuple[Patient, ...], Meta(description="At most 20.")]


class ShowChart(Message, frozen=True):
    """Whose chart, by own link or by grant, and which part of it."""

    link: Annotated[
        str,
        Meta(
            pattern="^([0-9a-f]{32})?$",
            description="The patient's link here; links joined with it and what is held under grants are shown with it.",
            examples=[LINK_EXAMPLE],
        ),
    ] = ""
    grant: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$", description="A grant held.", examples=[GRANT_EXAMPLE])] = ""
    types: Annotated[
        tuple[str, ...], Meta(description="Resource types; all if empty.", examples=[["Observation"]])
    ] = ()
    since: Annotated[str, Meta(description="Not before this date.", examples=["2026-01"])] = ""
    until: Annotated[str, Meta(description="Not at or after this date.", examples=["2027"])] = ""
    limit: Annotated[int, Meta(ge=1, le=5000, description="Lines at most.", examples=[100])] = 100
    cursor: Annotated[
        str, Meta(max_length=64, description="`next` of the page before.", examples=["1700000000000.17"])
    ] = ""
    purpose: PURPOSE = "TREAT"


class ChartLine(Message, frozen=True):
    """One record of a chart."""

    number: Annotated[int, Meta(description="Its number, for `records show`.")]
    type: Annotated[str, Meta(description="Resource type.")]
    date: Annotated[str, Meta(description="Clinical date, UTC; empty if it has none.")]
    label: Annotated[str, Meta(description="What it is.")]
    status: Annotated[str, Meta(description="Its status.")]
    sensitivity: Annotated[str, Meta(description="Sensitivity class.")]
    origin: Annotated[str, Meta(description="`own`, or `lease` for what was pulled from another member.")]


class Chart(Message, frozen=True):
    """A page of a chart, newest first."""

    total: Annotated[int, Meta(description="Lines over all pages.")]
    next: Annotated[str, Meta(description="Cursor of the next page; empty at the end.")]
    lines: Annotated[tuple[ChartLine, ...], Meta(description="The lines of this page.")]


class ShowRecord(Message, frozen=True):
    """Which record."""

    number: Annotated[
        int, Meta(ge=1, description="Its number, from a chart.", examples=[17], extra={"positional": True})
    ]
    purpose: PURPOSE = "TREAT"


class Shown(Message, frozen=True):
    """A record as its writer received it."""

    type: Annotated[str, Meta(description="Resource type.")]
    id: Annotated[str, Meta(description="Logical id.")]
    version: Annotated[int, Meta(description="Version in this vault.")]
    recorded: Annotated[str, Meta(description="When it was sealed here, UTC.")]
    media: Annotated[str, Meta(description="Media type.")]
    source: Annotated[str, Meta(description="Digest of its file, or the writer's leaf; hexadecimal.")]
    transaction: Annotated[
        str, Meta(description="Transaction that anchored it here, hexadecimal; empty while it waits.")
    ]
    body: Annotated[str, Meta(description="The bytes as received, as text.")]


@use_case("records.find", who=person())
def find_patients(node: MemberNode, request: FindPatients, *, caller: Caller) -> Patients:
    """Find patients by identifier, or by name and birth date. Each patient shown is journalled first."""
    require_purpose(caller, request.purpose)
    scope = own_scope(node, caller, request.purpose)
    if request.identifier:
        system, value = split_system(request.identifier) if "|" in request.identifier else (None, request.identifier)
        found = node.index.find_by_identifier(system, value, scope)[:MAX_FOUND]
    else:
        found = node.index.find_patients(name=request.name, birth_date=request.birth_date, limit=MAX_FOUND, scope=scope)
    shown = [one for one in (_shown(node, each, caller, request.purpose) for each in found) if one is not None]
    own = {bytes.fromhex(one.link): ("Patient 1",) for one in shown if not one.grant}
    if own:
        journal_owns(node, caller, own, purpose=request.purpose, action="find")
    return Patients(patients=tuple(shown))


@use_case("records.chart", who=person())
def show_chart(node: MemberNode, request: ShowChart, *, caller: Caller) -> Chart:
    """Show a patient's chart: own records, and what is held under live grants about the patient.

    Journalled, per link and per grant, before it is shown. A grant that has ended, or is for other roles or purposes,
    is refused when it is asked for, and left out of the chart of a link.
    """
    require_purpose(caller, request.purpose)
    links, leases = whose(node, caller, request.link, request.grant, request.purpose)
    scope = own_scope(node, caller, request.purpose)
    page = node.index.chart([*links, *leases], _choice(request), scope)
    journal_lines(node, caller, page.lines, links, leases, request.purpose)
    after = f"{page.cursor[0]}.{page.cursor[1]}" if page.cursor else ""
    return Chart(total=page.total, next=after, lines=tuple(chart_line(line) for line in page.lines))


def whose(
    node: MemberNode, caller: Caller, link: str, grant: str, purpose: str
) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Return the own links, and the leases with their grants, that a caller reads of one patient.

    By an own link, with those that are joined with it and the live grants about that patient, or by one grant. Raises
    Malformed, NotFound, Forbidden.
    """
    if bool(link) == bool(grant):
        raise Malformed("chart.whose", "it is not said whose chart", expected="either a link or a grant")
    if not link:
        one = bytes.fromhex(grant)
        require_lease(node, caller, one, purpose)
        return [], {node.vault.open_lease(one): one}
    own = bytes.fromhex(link)
    if node.vault.link_info(own).kind is not LinkKind.PATIENT:
        raise NotFound("link.unknown", "no patient has this link here", todo="see `salus records find`")
    links = node.index.joined_with(own)
    return links, {
        node.vault.open_lease(each): each for link in links for each in leases_of(node, link, caller, purpose)
    }


def journal_lines(  # noqa: PLR0917 -- what a journal line says
    node: MemberNode,
    caller: Caller,
    lines: Sequence[Line],
    links: list[bytes],
    leases: dict[bytes, bytes],
    purpose: str,
) -> None:
    """Journal what of a chart is shown, per link and per grant."""
    for link in links:
        types = counted(line.type for line in lines if line.link == link)
        journal_own(node, caller, link, purpose=purpose, action="chart", what=types)
    for lease, grant in leases.items():
        types = counted(line.type for line in lines if line.link == lease)
        journal_lease(node, caller, grant, purpose=purpose, action="chart", what=types)


@use_case("records.show", who=person())
def show_record(node: MemberNode, request: ShowRecord, *, caller: Caller) -> Shown:
    """Show one record, verified byte by byte. Journalled before it is shown."""
    require_purpose(caller, request.purpose)
    record = node.vault.open(request.number)
    what = (f"{record.ref.type} 1",)
    link = record.ref.link
    if node.vault.link_info(link).kind is LinkKind.LEASE:
        grant = _grant_of(node, link)
        require_readable(node, caller, grant, request.purpose)
        journal_lease(node, caller, grant, purpose=request.purpose, action="read", what=what)
    else:
        require_own(node, caller, record.ref, request.purpose)
        journal_own(node, caller, link, purpose=request.purpose, action="read", what=what)
    anchoring = node.vault.anchoring_of(request.number)
    return Shown(
        transaction=anchoring.tx_id.hex() if anchoring else "",
        type=record.ref.type,
        id=record.ref.id,
        version=record.ref.version,
        recorded=moment(record.ref.recorded),
        media=record.content.media,
        source=record.content.source.hex(),
        body=record.content.body.decode("utf-8", "replace"),
    )


def moment(time: int) -> str:
    """Return Unix milliseconds as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(time // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shown(node: MemberNode, found: Found, caller: Caller, purpose: str) -> Patient | None:
    """Return one hit, journalled if it stands under a lease; None where this caller may not read that lease."""
    grant = b""
    if node.vault.link_info(found.link).kind is LinkKind.LEASE:
        grant = _grant_of(node, found.link)
        try:
            require_readable(node, caller, grant, purpose)
        except EdgeError:
            return None
        journal_lease(node, caller, grant, purpose=purpose, action="find", what=("Patient 1",))
    return Patient(
        link=found.link.hex(),
        grant=grant.hex(),
        name=found.name,
        birth_date=found.birth_date,
        gender=found.gender,
    )


def _grant_of(node: MemberNode, lease: bytes) -> bytes:
    """Return the grant, or the emergency, that a lease is kept under. Raises NotFound."""
    held = [one.grant for one in node.desk.held() if one.ended is None]
    opened = [one.id for one in node.desk.emergencies() if one.purged is None]
    for id_ in (*held, *opened):
        if node.vault.open_lease(id_) == lease:
            return id_
    raise NotFound("lease.unknown", "no grant is held for this record")


def _choice(request: ShowChart) -> Choice:
    cursor = None
    if request.cursor:
        lo, _, number = request.cursor.partition(".")
        try:
            cursor = (int(lo), int(number))
        except ValueError:
            raise Malformed("chart.cursor", "this is no page's cursor", expected="`next` of the page before") from None
    return Choice(
        types=request.types,
        since=_date(request.since),
        until=_date(request.until),
        limit=request.limit,
        cursor=cursor,
    )


def _date(text: str) -> int:
    """Return the first millisecond of a date, 0 for none. Raises Malformed."""
    if not text:
        return 0
    found = interval(text)
    if found is None:
        raise Malformed("chart.date", "this is no date", expected="YYYY, YYYY-MM or YYYY-MM-DD")
    return found[0]


def chart_line(line: Line) -> ChartLine:
    """Return a row of the index as a chart shows it."""
    return ChartLine(
        number=line.number,
        type=line.type,
        date=moment(line.lo)[:10] if FIRST_MS <= line.lo < line.hi else "",
        label=line.label,
        status=line.status,
        sensitivity=line.sensitivity.name.lower().replace("_", "-"),
        origin="lease" if line.lease else "own",
    )
