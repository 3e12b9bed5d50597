"""For patients: have something corrected or erased, take the record along, print what counts."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from salus.node.errors import EdgeError, NotFound
from salus.node.wallet.joining import show as show_wallet
from salus.node.wallet.reading import OwnRecord, list_own
from salus.node.wallet.seeing import bundle, newest, of_each
from salus.node.wallet.sharing import erase
from salus.node.wallet.wishing import correct, list_corrections, list_erasures
from salus.portal.charting import measured
from salus.portal.rendering import HEADERS
from salus.portal.visiting import Visit, to

SUMMARY: Final = ("AllergyIntolerance", "Condition", "MedicationRequest", "Immunization", "Procedure")
MOST_RESULTS: Final = 20


def requests(visit: Visit) -> Response:
    """Show what was asked to be corrected, and where one can ask to have the record erased."""
    visit.wallet()
    corrections, erasures = visit.on_wallet(list_corrections), visit.on_wallet(list_erasures)
    silent = {one.member for one in erasures.missing}
    stands = {one.member: one for one in erasures.erasures}
    members = [one.member for one in visit.on_wallet(show_wallet).members if one.member not in silent]
    return visit.page(
        "my_requests",
        corrections=list(reversed(corrections.requests)),
        erasures=[(member, stands.get(member)) for member in members],
        missing=erasures.missing,
    )


def ask_correction(visit: Visit) -> Response:
    """Ask the writer of a record to correct it. Raises NotFound, Malformed."""
    visit.wallet()
    found = visit.known().thing(visit.one("record"))
    if not isinstance(found, OwnRecord):
        raise NotFound("session.address", "this form names no record", todo="open the record again")
    visit.on_wallet(correct, member=found.member, type=found.type, id=found.id, text=visit.one("text"))
    return to("/my/requests")


def ask_erasure(visit: Visit) -> Response:
    """Ask a member to erase its record, once in a session. Raises Malformed."""
    session, member = visit.known(), visit.one("member")
    visit.wallet()
    with session.lock:
        if f"erase {member}" not in session.done:
            try:
                session.done[f"erase {member}"] = visit.on_wallet(erase, member=member).case
            except EdgeError as error:
                if error.code != "erasure.open":  # else it was asked for before, and its answer was lost
                    raise
    return to("/my/requests")


def export(visit: Visit) -> Response:
    """Return the own record as a FHIR Bundle, each resource with the bytes that its writer received.

    A file does not say what is missing in it, so a part of it is given only to who asks for a part.
    """
    wallet = visit.wallet()
    if visit.asked("partly"):
        parts, _ = of_each(wallet, lambda member: newest(wallet, [member]))
        body = bundle(one for _, part in parts for one in part.values())
    else:
        body = bundle(newest(wallet).values())
    headers = {**HEADERS, "content-disposition": 'attachment; filename="my-record.json"'}
    return Response(body, media_type="application/fhir+json", headers=headers)


def summary(visit: Visit) -> Response:
    """Show what counts, to be printed."""
    found = visit.on_wallet(list_own)
    records = found.records
    groups = [(kind, _once([one for one in records if one.type == kind])) for kind in SUMMARY]
    results = [
        (one, ", ".join(f"{value} {unit}".strip() for _, _, value, unit in measured(one.type, one.body)))
        for one in records
        if one.type == "Observation"
    ][:MOST_RESULTS]
    return visit.page("my_summary", groups=groups, results=results, missing=found.missing, now=visit.pages.node.now())


def _once(records: Sequence[OwnRecord]) -> list[tuple[OwnRecord, int]]:
    """Return of what is written several times, with one status and by one member, the newest entry and how often."""
    found: dict[tuple[str, ...], tuple[OwnRecord, int]] = {}
    for one in records:
        name = (one.label.casefold(), one.status, one.member) if one.label else (one.member, one.id)
        first, count = found.get(name, (one, 0))
        found[name] = (first, count + 1)
    return list(found.values())
