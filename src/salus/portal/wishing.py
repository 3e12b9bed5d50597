"""For patients: have something corrected or erased, take the record along, print what counts."""

from typing import Final

from starlette.responses import Response

from salus.node.errors import NotFound
from salus.node.records.measures import values_of
from salus.node.wallet.joining import show as show_wallet
from salus.node.wallet.reading import OwnRecord, list_own
from salus.node.wallet.seeing import bundle, newest
from salus.node.wallet.sharing import erase
from salus.node.wallet.wishing import correct, list_corrections
from salus.portal.rendering import HEADERS
from salus.portal.visiting import Visit, to

SUMMARY: Final = ("AllergyIntolerance", "Condition", "MedicationRequest", "Immunization", "Procedure")
MOST_RESULTS: Final = 20


def requests(visit: Visit) -> Response:
    """Show what was asked to be corrected, and where one can ask to have the record erased."""
    visit.wallet()
    members = [one.member for one in visit.on_wallet(show_wallet).members]
    return visit.page(
        "my_requests",
        corrections=list(reversed(visit.on_wallet(list_corrections).requests)),
        members=members,
        asked=[member for member in members if f"erase {member}" in visit.known().done],
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
            session.done[f"erase {member}"] = visit.on_wallet(erase, member=member).case
    return to("/my/requests")


def export(visit: Visit) -> Response:
    """Return the whole own record as a FHIR Bundle, each resource with the bytes that its writer received."""
    body = bundle(newest(visit.wallet()).values())
    headers = {**HEADERS, "content-disposition": 'attachment; filename="my-record.json"'}
    return Response(body, media_type="application/fhir+json", headers=headers)


def summary(visit: Visit) -> Response:
    """Show what counts, to be printed."""
    records = visit.on_wallet(list_own).records
    groups = [(kind, [one for one in records if one.type == kind]) for kind in SUMMARY]
    results = [
        (one, ", ".join(f"{value} {unit}".strip() for _, _, value, unit in values_of(one.body.encode())))
        for one in records
        if one.type == "Observation"
    ][:MOST_RESULTS]
    return visit.page("my_summary", groups=groups, results=results, now=visit.pages.node.now())
