"""For staff: ask a patient for access, pull under a permission, act in an emergency, review, see what is to be done."""

from dataclasses import dataclass
from io import BytesIO
from typing import Final

import segno
from markupsafe import Markup
from starlette.responses import Response

from salus.interop.fhir.sensitivity import CLASSES
from salus.node.emergencies import EmergencyOpened, list_emergencies, open_emergency, review_emergency
from salus.node.emergency import REASONS, SECTIONS
from salus.node.errors import NotFound
from salus.node.network.directory import list_members
from salus.node.records.charts import ChartLine, Patient
from salus.node.requests import Asked, ask_access, list_access, pull_access
from salus.node.sessions import Session
from salus.node.worklist import worklist
from salus.portal.charting import OneChart, OneRecord, record_path
from salus.portal.duplicates import decides, pair_name
from salus.portal.visiting import Visit, to

WHERE: Final = {"access": "/access", "correction": "/reviews", "emergency": "/reviews"}
"""The page on which a task of a kind is done."""
SHOWN: Final = (*(kind for types in SECTIONS for kind in types if kind != "Patient"), "Patient")
"""Parts of an emergency summary in their order: allergies first, who the patient is last."""
ORDINARY: Final = ("general", "medication", "laboratory", "imaging")


@dataclass(frozen=True, slots=True)
class OneGrant:
    """A grant that an address or form of this session names."""

    grant: str


@dataclass(frozen=True, slots=True)
class OneEmergency:
    """An emergency that a form of this session names."""

    emergency: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What an emergency access of this session brought: shown again to this session alone."""

    patient: str
    got: EmergencyOpened


def permissions(visit: Visit) -> Response:
    """Show the form to ask, the requests that wait, and the permissions held."""
    session = visit.staff()
    found = visit.call(list_access)
    held = [
        (one, session.name(OneGrant(one.grant), "grant", one.grant), f"/chart/{_chart(session, one.grant)}")
        for one in reversed(found.grants)
        if one.standing == "live"
    ]
    ended = sum(one.standing != "live" for one in found.grants)
    return visit.page(
        "access",
        requests=[one for one in reversed(found.requests) if not one.grant],
        held=held,
        ended=ended,
        classes=CLASSES,
        ordinary=ORDINARY,
        purposes=visit.caller.purposes,
    )


def ask(visit: Visit) -> Response:
    """Ask for access; then show the code."""
    session = visit.staff()
    chosen = tuple(one for one in visit.form.get("class", ()) if one in CLASSES)
    asked = visit.call(ask_access, purpose=visit.one("purpose"), classes=chosen)
    return to(f"/access/{session.name(asked, 'request', asked.id)}")


def code(visit: Visit) -> Response:
    """Show the code of a request, as text and to be scanned. Raises NotFound."""
    asked = visit.staff().thing(visit.part("name"))
    if not isinstance(asked, Asked):
        raise NotFound("session.address", "this address names no request")
    return visit.page("code", asked=asked, picture=qr(asked.code))


def qr(text: str) -> Markup:
    """Return a QR code (ISO/IEC 18004, error correction M) as SVG for a white ground."""
    out = BytesIO()
    made = segno.make(text, error="m", micro=False)
    made.save(
        out, kind="svg", xmldecl=False, svgns=False, omitsize=True, border=2, dark="#000", svgclass=None, lineclass=None
    )
    return Markup(out.getvalue().decode())  # noqa: S704 -- made by segno of modules, no text of ours in it


def pull(visit: Visit) -> Response:
    """Pull what a permission opens; say what came and who did not answer. Raises NotFound."""
    session = visit.staff()
    asked = session.thing(visit.one("grant"))
    if not isinstance(asked, OneGrant):
        raise NotFound("session.address", "this form names no permission", todo="open the page again")
    purpose = next(iter(visit.caller.purposes), "TREAT")
    pulled = visit.call(pull_access, grant=asked.grant, purpose=purpose)
    return visit.page("pulled", pulled=pulled, chart=f"/chart/{_chart(session, asked.grant)}")


def emergency(visit: Visit) -> Response:
    """Show the emergency form, and how many reviews are due."""
    visit.staff()
    members = [one for one in visit.call(list_members).members if one.standing == "active"]
    due = sum(one.status == "open" for one in visit.call(list_emergencies).emergencies)
    return visit.page(
        "emergency",
        members=[one for one in members if one.id != visit.pages.node.member],
        reasons=REASONS,
        due=due,
        once=visit.pages.node.entropy(16).hex(),
        may="ETREAT" in visit.caller.purposes,
    )


def open_emergency_access(visit: Visit) -> Response:
    """Open an emergency access, once for each form shown: a second click shows what the first brought."""
    session = visit.staff()
    once = f"emergency {visit.one('once')}"
    with session.lock:
        name = session.done.get(once, "")
        if not name:
            got = visit.call(
                open_emergency,
                at=visit.form.get("at", ()),
                reason=visit.one("reason"),
                credential=visit.caller.credential,
                name=visit.one("name"),
                birth_date=visit.one("birth_date"),
            )
            name = session.name(Summary(visit.one("name"), got), "summary", got.emergency)
            session.done[once] = name
    return to(f"/emergency/{name}")


def emergency_summary(visit: Visit) -> Response:
    """Show what an emergency access of this session brought. Raises NotFound."""
    session, name = visit.staff(), visit.part("name")
    found = session.thing(name)
    if not isinstance(found, Summary):
        raise NotFound("session.address", "this address names no emergency")
    groups: dict[str, list[tuple[ChartLine, str]]] = {kind: [] for kind in SHOWN}
    for line in found.got.lines:
        one = OneRecord(line.number, f"/emergency/{name}", line.label, line.date, line.status, "ETREAT")
        groups.setdefault(line.type, []).append((line, record_path(session, one)))
    silent = any(one.code != "emergency.nobody" for one in found.got.failures)
    return visit.page("emergency_summary", patient=found.patient, got=found.got, groups=groups, silent=silent)


def review(visit: Visit) -> Response:
    """Record the review of an emergency access. Raises NotFound."""
    one = visit.staff().thing(visit.one("emergency"))
    if not isinstance(one, OneEmergency):
        raise NotFound("session.address", "this form names no emergency", todo="open the page again")
    visit.call(review_emergency, emergency=one.emergency, findings=visit.one("findings"))
    return to("/reviews")


def todo(visit: Visit) -> Response:
    """Show what people of this member must do until when."""
    session = visit.staff()
    tasks = []
    for one in visit.call(worklist).tasks:
        place = WHERE.get(one.kind, "")
        if one.kind == "identity" and decides(visit.caller):
            place = f"/duplicates/{pair_name(session, one.subject)}"
        tasks.append((one, place))
    return visit.page("worklist", tasks=tasks)


def _chart(session: Session, grant: str) -> str:
    patient = Patient(link="", grant=grant, name="", birth_date="", gender="")
    return session.name(OneChart(patient), "chart", "", grant)
