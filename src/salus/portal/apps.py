"""What a person is asked when a program wants access, what they allowed, and opening an app from a chart."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import msgspec
from starlette.responses import RedirectResponse, Response

from salus.node.accounts import STAFF, WALLET
from salus.node.errors import Forbidden, Malformed, NotFound, Unauthenticated
from salus.node.records.charts import find_patients
from salus.node.sessions import Session
from salus.node.smart.authorising import Denied, patient_caller
from salus.node.smart.clients import launchable
from salus.node.smart.programs import Allowed, Question
from salus.node.smart.scopes import Asked
from salus.node.smart.trying import patient_id
from salus.node.usecase import Caller
from salus.portal.charting import OneChart
from salus.portal.rendering import HEADERS
from salus.portal.visiting import Visit, to

ASK: Final = "/apps/ask/"


@dataclass(frozen=True, slots=True)
class Context:
    """The patient whom a program is to be told of."""

    link: bytes
    patient: str
    """Id of the Patient resource."""
    name: str


def authorize(visit: Visit) -> Response:
    """Take what a program asks; lead to the question by a page of ours, so that the browser brings its session along.

    Raises what `AuthorisationServer.question` raises for what no program may be told.
    """
    pairs = visit.request.query_params.multi_items()
    asked = dict(pairs)
    if len(asked) != len(pairs):
        raise Malformed("smart.twice", "the program asks one thing twice", todo="tell whoever sent you here")
    try:
        name = visit.pages.programs.question(asked)
    except Denied as denied:
        return RedirectResponse(denied.location, status_code=303, headers=dict(HEADERS))
    except Unauthenticated as error:
        raise NotFound("smart.program", "no such program may ask here", todo="tell whoever sent you here") from error
    return visit.page("leading", path=f"{ASK}{name}")


def ask(visit: Visit) -> Response:
    """Show what a program asks. A stranger signs in first. Raises NotFound, Unauthenticated."""
    name = visit.part("name")
    if visit.session is None:
        return to(f"/sign-in?next={name}")
    return _asked(visit, name, ())


def find(visit: Visit) -> Response:
    """Show what a program asks, with patients to choose from. Raises as `find_patients`."""
    session = visit.staff()
    found = visit.call(find_patients, name=visit.one("name"), birth_date=visit.one("birth_date"))
    choices = []
    for one in found.patients:
        context = _context(visit, OneChart(one), one.name)
        if context.patient:
            choices.append((context, session.name(context, "context", context.link.hex())))
    return _asked(visit, visit.one("question"), tuple(choices))


def _asked(visit: Visit, name: str, choices: tuple[tuple[Context, str], ...]) -> Response:
    session = visit.known()
    server = visit.pages.programs
    question, client = server.asked(name)
    offered = server.offered(question, own=bool(session.wallet))
    context = _given(visit, session, question, offered)
    return visit.page(
        "app_ask",
        answered=(question.redirect,),
        name=name,
        client=client,
        where=urlsplit(question.redirect).netloc or urlsplit(question.redirect).scheme,
        rules=offered.rules,
        others=sorted(offered.others & {"offline_access"}) if session.wallet else (),
        context=context,
        choices=choices,
        choose=offered.patient and context is None and not session.wallet,
        looked=visit.request.method == "POST",
    )


def _given(visit: Visit, session: Session, question: Question, offered: Asked) -> Context | None:
    """Return the patient of whom there is no choice: who asks, or whose chart the app was opened from."""
    launch = visit.pages.programs.launched(question, session)
    if session.wallet:
        return _own(visit)
    if launch is None or not offered.rules:
        return None
    return Context(launch.link, launch.patient, "")


def _own(visit: Visit) -> Context:
    """Return the patient of the hosted wallet. Raises Forbidden."""
    node = visit.pages.node
    tied = next((one for one in visit.wallet().holder.wallet.state.links if one.member == node.member), None)
    if tied is None:
        raise Forbidden("app.no-record", "this organisation keeps no record of yours", todo="ask where yours is kept")
    return Context(tied.link, patient_id(node, tied.link), "")


def allow(visit: Visit) -> Response:
    """Allow what was ticked. Raises Malformed, NotFound, Forbidden."""
    session, name = visit.known(), visit.one("question")
    server = visit.pages.programs
    question, _ = server.asked(name)
    own = bool(session.wallet)
    offered = server.offered(question, own=own)
    ticked = set(visit.form.get("scope", ()))
    kept = frozenset(offered.others - {"offline_access"}) | (ticked & offered.others)
    granted = Asked(tuple(rule for rule in offered.rules if rule.text in ticked), kept)
    context = _given(visit, session, question, offered)
    if context is None and granted.patient:
        chosen = session.thing(visit.one("patient"))
        if not isinstance(chosen, Context):
            raise NotFound("session.address", "this form names no patient", todo="choose one")
        context = chosen
    link, patient = (context.link, context.patient) if context else (b"", "")
    caller = _caller(visit, session)
    return _away(server.allow(name, session, caller, granted, link=link, patient=patient, own=own))


def deny(visit: Visit) -> Response:
    """Allow nothing. Raises NotFound."""
    visit.known()
    return _away(visit.pages.programs.deny(visit.one("question")))


def mine(visit: Visit) -> Response:
    """Show which programs somebody allowed what, for as long as they may refresh it."""
    session = visit.known()
    rows = []
    for one in visit.pages.node.accounts.authorisations(_owner(visit, session)):
        what = msgspec.msgpack.decode(one.body, type=Allowed)
        rows.append((one, what, session.name(one, "authorisation", one.id.hex())))
    return visit.page("apps", rows=rows)


def stop(visit: Visit) -> Response:
    """End what a program was allowed. Raises NotFound."""
    session = visit.known()
    one = session.thing(visit.one("authorisation"))
    known = {each.id for each in visit.pages.node.accounts.authorisations(_owner(visit, session))}
    if getattr(one, "id", None) in known:
        visit.pages.programs.end(one.id)
    return to("/apps")


def chart_apps(visit: Visit) -> Response:
    """Show the apps that can be opened with a chart's patient. Raises NotFound."""
    session = visit.staff()
    name = visit.part("name")
    chart = session.thing(name)
    if not isinstance(chart, OneChart):
        raise NotFound("session.address", "this address names no chart")
    apps = launchable(visit.pages.node)
    return visit.page(
        "chart_apps", answered=[one.launch for one in apps], name=name, patient=chart.patient, tab="apps", apps=apps
    )


def launch(visit: Visit) -> Response:
    """Open an app with a chart's patient. Raises NotFound, Unauthenticated."""
    session = visit.staff()
    chart = session.thing(visit.one("chart"))
    if not isinstance(chart, OneChart):
        raise NotFound("session.address", "this form names no chart", todo="open the page again")
    context = _context(visit, chart, "")
    return _away(visit.pages.programs.launch(visit.one("app"), session, context.link, context.patient))


def _context(visit: Visit, chart: OneChart, name: str) -> Context:
    node = visit.pages.node
    grant, link = chart.patient.grant, chart.patient.link
    found = node.vault.open_lease(bytes.fromhex(grant)) if grant else bytes.fromhex(link)
    return Context(found, patient_id(node, found), name)


def _caller(visit: Visit, session: Session) -> Caller:
    return patient_caller(visit.pages.node.member, session.wallet) if session.wallet else visit.staff().caller


def _owner(visit: Visit, session: Session) -> str:
    return f"{WALLET} {session.wallet}" if session.wallet else f"{STAFF} {visit.staff().caller.subject}"


def _away(address: str) -> Response:
    return RedirectResponse(address, status_code=303, headers=dict(HEADERS))
