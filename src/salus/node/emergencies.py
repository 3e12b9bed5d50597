"""`emergency open`, `list`, `review`: access without a grant, quick and accountable."""

from typing import Annotated, Literal

from msgspec import Meta

from salus.contracts.records.port import Emergency, EmergencyStatus, review_overdue
from salus.index.index import Choice
from salus.node import emergency as access
from salus.node.desk import EmergencyKept
from salus.node.emergency import Demographics
from salus.node.errors import Malformed
from salus.node.member import MemberNode
from salus.node.names import GRANT_EXAMPLE, GRANT_PATTERN
from salus.node.records.charts import ChartLine, chart_line, moment
from salus.node.usecase import Message, person, use_case


class OpenEmergency(Message, frozen=True):
    """Which one patient, where, and why no permission could be asked for."""

    at: Annotated[tuple[str, ...], Meta(min_length=1, description="Members to ask.", examples=[["north-hospital"]])]
    reason: Annotated[
        Literal["unconscious", "life-threatening", "incapable", "other-danger"],
        Meta(description="Why no permission could be asked for; the patient's log says it.", examples=["unconscious"]),
    ]
    credential: Annotated[
        str, Meta(min_length=1, description="Credential of who asks, for purpose ETREAT.", examples=["eyJhbGciOi…"])
    ]
    name: Annotated[str, Meta(max_length=200, description="The patient's name.", examples=["ana rivera"])] = ""
    birth_date: Annotated[str, Meta(max_length=10, description="Whole birth date.", examples=["1961-02-03"])] = ""
    links: Annotated[
        tuple[str, ...],
        Meta(
            description="From the patient's emergency card: the link at each member of `at`, in that order.",
            examples=[["00112233445566778899aabbccddeeff"]],
        ),
    ] = ()


class AskFailure(Message, frozen=True):
    """A member that did not answer."""

    member: Annotated[str, Meta(description="Member asked.")]
    code: Annotated[str, Meta(description="Code of its refusal, or of why it could not be reached.")]


class EmergencyOpened(Message, frozen=True):
    """What came, from allergies and conditions to recent results."""

    emergency: Annotated[str, Meta(description="Id of the emergency, for its review within 72 hours; hexadecimal.")]
    deferred: Annotated[bool, Meta(description="Whether the ledger was out of reach: it is committed when it is back.")]
    lines: Annotated[tuple[ChartLine, ...], Meta(description="The records, newest first; purged after 72 hours.")]
    failures: Annotated[tuple[AskFailure, ...], Meta(description="Members that did not answer.")]


class ListEmergencies(Message, frozen=True):
    """Asks for nothing more."""


class EmergencyLine(Message, frozen=True):
    """One emergency access that this member opened."""

    emergency: Annotated[str, Meta(description="Its id, hexadecimal.")]
    opened: Annotated[str, Meta(description="When, UTC.")]
    status: Annotated[
        str,
        Meta(
            description="open or reviewed; while the ledger is out of reach, waiting for it, or written: the review waits for it."
        ),
    ]
    due: Annotated[str, Meta(description="By when it is reviewed, UTC.")]
    overdue: Annotated[bool, Meta(description="Whether that has passed: every member sees it.")]
    reason: Annotated[str, Meta(description="Why the patient could not be asked; empty once what was read is purged.")]
    person: Annotated[str, Meta(description="Subject of the person who opened it.")]
    role: Annotated[str, Meta(description="Role of that person.")]
    members: Annotated[tuple[str, ...], Meta(description="Members that were asked.")]


class Emergencies(Message, frozen=True):
    """The emergency accesses of this member."""

    emergencies: Annotated[tuple[EmergencyLine, ...], Meta(description="Oldest first.")]


class ReviewAccess(Message, frozen=True):
    """Which emergency access, and what its review found."""

    emergency: Annotated[
        str,
        Meta(pattern=GRANT_PATTERN, description="Its id.", examples=[GRANT_EXAMPLE], extra={"positional": True}),
    ]
    findings: Annotated[
        str,
        Meta(
            min_length=1, max_length=10_000, description="The review; it stays at this member.", examples=["in order"]
        ),
    ]


class Reviewed(Message, frozen=True):
    """The review is kept."""

    committed: Annotated[
        bool, Meta(description="Whether its digest is on the ledger; else it is committed when the ledger is back.")
    ]


@use_case("emergency.open", who=person())
def open_emergency(node: MemberNode, request: OpenEmergency) -> EmergencyOpened:
    """Read one patient's emergency records without a permission.

    Committed before anybody answers, told to the patient at once, and to be reviewed within 72 hours, else publicly
    overdue. Every member asked learns of the emergency. A day's number is limited.
    """
    if bool(request.links) == bool(request.name):
        raise Malformed(
            "emergency.patient",
            "it is not said who the patient is",
            expected="a name and birth date, or a card's links",
        )
    try:
        links = [bytes.fromhex(one) for one in request.links]
    except ValueError as error:
        raise Malformed("emergency.links", "a link is no hexadecimal id") from error
    got = access.open_access(
        node,
        request.at,
        reason=request.reason,
        credential=request.credential,
        links=links,
        demographics=Demographics(request.name, request.birth_date) if request.name else None,
    )
    lines = node.index.chart([node.vault.open_lease(got.id)], Choice(limit=1_000)).lines if got.records else ()
    return EmergencyOpened(
        emergency=got.id.hex(),
        deferred=got.deferred,
        lines=tuple(chart_line(line) for line in lines),
        failures=tuple(AskFailure(member=member, code=code) for member, code in got.failures),
    )


@use_case("emergency.list", who=person())
def list_emergencies(node: MemberNode, request: ListEmergencies) -> Emergencies:  # noqa: ARG001 -- a use case
    """List the emergency accesses that this member opened, and whether they were reviewed."""
    now = node.ledger_time()
    lines = []
    for one in node.desk.emergencies():
        rows, opened = [row for _, row in access.on_ledger(node, one.id)], access.opened_by(node, one)
        lines.append(
            EmergencyLine(
                emergency=one.id.hex(),
                opened=moment(one.opened),
                status=_status(one, rows),
                due=moment(min(row.due for row in rows)) if rows else "",
                overdue=any(review_overdue(row, now) for row in rows),
                reason=opened[0].reason if opened else "",
                person=opened[1].sub if opened else "",
                role=opened[1].role if opened else "",
                members=opened[0].custodians if opened else (),
            )
        )
    return Emergencies(emergencies=tuple(lines))


@use_case("emergency.review", who=person())
def review_emergency(node: MemberNode, request: ReviewAccess) -> Reviewed:
    """Record the review of an emergency access. Its text stays here, its digest goes to the ledger, at once or when it is back."""
    return Reviewed(committed=access.review(node, bytes.fromhex(request.emergency), request.findings))


def _status(one: EmergencyKept, rows: list[Emergency]) -> str:
    if not rows:
        return "waiting"
    if all(row.status is EmergencyStatus.REVIEWED for row in rows):
        return "reviewed"
    return "open" if one.reviewed is None else "written"
