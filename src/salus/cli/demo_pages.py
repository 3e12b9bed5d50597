"""`salus serve --demo`: three organisations with sample patients on ports of this machine, gone with Ctrl-C."""

import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from starlette.applications import Starlette

from salus.http import fhir, smart
from salus.http.app import application
from salus.http.exchange import routes as exchange_routes
from salus.http.listening import open_listener
from salus.http.person import PersonAuthenticator
from salus.node.demo.serving import FOUNDERS, STAFF, Stage, stage
from salus.node.fhir.server import FhirServer
from salus.node.member import MemberNode
from salus.node.registry import use_cases
from salus.portal.app import routes
from salus.portal.visiting import Offer, Pages

FIRST_PORT: Final = 8480
HOST: Final = "127.0.0.1"
SESSION_MS: Final = 8 * 3600 * 1000

Serve = Callable[[Sequence[tuple[Starlette, socket.socket]]], None]
"""Serves applications on sockets until told to end."""


def serve_demo(serve: Serve) -> int:
    """Prepare everything in a folder of its own, say where the pages are, serve until told to end, clean up."""
    with (
        tempfile.TemporaryDirectory(prefix="salus-serve-demo-") as folder,
        stage(Path(folder), lambda what: print(f"… {what}", flush=True)) as made,
    ):
        listening = {node.member: _listen(at) for at, node in enumerate(made.together.nodes.values())}
        origins = {member: f"http://localhost:{one.getsockname()[1]}" for member, one in listening.items()}
        apps = applications(made, origins)
        names = {one.id: one.name for one in FOUNDERS}
        print("\nOrganisations, each with a node of its own:")
        for member, origin in origins.items():
            print(f"  {names[member]:16} {origin}/sign-in")
        people = ", ".join(f"{name} ({role})" for _, name, role, _ in STAFF)
        print(f"\nThe sign-in page lets you in as {people};")
        print(f"at {FOUNDERS[0].name} also as a patient. End with Ctrl-C.", flush=True)
        serve([(app, listening[member]) for member, app in apps.items()])
    return 0


def applications(made: Stage, origins: Mapping[str, str]) -> dict[str, Starlette]:
    """Return each organisation's application, by member; `origins` is where browsers reach each."""
    return {node.member: _application(made, node, origins[node.member]) for node in made.together.nodes.values()}


def _application(made: Stage, node: MemberNode, origin: str) -> Starlette:
    pages = Pages(node, secure=False, offers=_offers(made, node), wallets=made.wallets[node.member], origin=origin)
    people = PersonAuthenticator(node)
    more = [
        *exchange_routes(node),
        *smart.routes(pages.programs),
        *fhir.routes(FhirServer(node, origin), smart.BearerAuthenticator(node, people)),
        *routes(pages),
    ]
    return application(node, use_cases().values(), people, more=more)


def _offers(made: Stage, node: MemberNode) -> tuple[Offer, ...]:
    """Return who may enter at a click."""

    def staff(id_: str) -> Callable[[], str]:
        return lambda: node.sessions.open(*made.staff(node, id_))

    def patient(wallet: str) -> Callable[[], str]:
        return lambda: node.sessions.open(ends=node.now() + SESSION_MS, wallet=wallet)

    people = [Offer(id_, name, role, staff(id_)) for id_, name, role, _ in STAFF]
    patients = [
        Offer(name, name.replace("-", " ").capitalize(), "hosted-patient", patient(name))
        for name in made.wallets[node.member]
    ]
    return (*people, *patients)


def _listen(at: int) -> socket.socket:
    """Open the port for the organisation at this place, or a free one."""
    try:
        return open_listener(HOST, FIRST_PORT + at)
    except OSError:
        return open_listener(HOST, 0)
