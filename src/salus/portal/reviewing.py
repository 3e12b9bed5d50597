"""For staff: emergency accesses to review within 72 hours, and patients' requests to correct, to answer within a month."""

from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from salus.node.corrections import answer_request, list_requests
from salus.node.emergencies import list_emergencies
from salus.node.errors import NotFound
from salus.portal.asking import OneEmergency
from salus.portal.visiting import Visit, to


@dataclass(frozen=True, slots=True)
class OneCorrection:
    """A request to correct that a form of this session names."""

    request: str


def reviews(visit: Visit) -> Response:
    """Show the queue: what is open first, the most urgent on top, with the time that is left."""
    session, now = visit.staff(), visit.pages.node.ledger_time()
    opened = sorted(visit.call(list_emergencies).emergencies, key=lambda one: (one.status != "open", one.due))
    emergencies = [
        (one, session.name(OneEmergency(one.emergency), "emergency", one.emergency), hours_left(one.due, now))
        for one in opened
    ]
    asked = sorted(visit.call(list_requests).requests, key=lambda one: (bool(one.outcome), one.due))
    corrections = [
        (one, session.name(OneCorrection(one.request), "correction", one.request), hours_left(one.due, now) // 24)
        for one in asked
    ]
    return visit.page("reviews", emergencies=emergencies, corrections=corrections)


def answer(visit: Visit) -> Response:
    """Answer a request to correct. Raises NotFound, Malformed, Conflict."""
    one = visit.staff().thing(visit.one("request"))
    if not isinstance(one, OneCorrection):
        raise NotFound("session.address", "this form names no request", todo="open the page again")
    visit.call(answer_request, request=one.request, outcome=visit.one("outcome"), reason=visit.one("reason"))
    return to("/reviews")


def hours_left(due: str, now: int) -> int:
    """Return the whole hours until an ISO time; none below 0, or without a time."""
    if not due:
        return 0
    return max(0, int(datetime.fromisoformat(due).timestamp() * 1000 - now) // 3_600_000)
