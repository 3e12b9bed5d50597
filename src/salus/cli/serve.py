"""`salus serve`: the node's program, answering the world over TCP and its operator over a unix socket."""

import argparse
import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

import msgspec
import structlog
import uvicorn
from starlette.applications import Starlette

from salus.cli.demo_pages import serve_demo
from salus.http import epcis, fhir, smart, vrs
from salus.http.app import application, as_operator
from salus.http.exchange import routes
from salus.http.listening import open_listener
from salus.http.mllp import MllpServer
from salus.http.person import PersonAuthenticator
from salus.node.config import Config, Hl7
from salus.node.errors import Unavailable
from salus.node.fhir.server import FhirServer
from salus.node.hosting import wallets_of
from salus.node.listening.taking import Taking
from salus.node.local import Opener, opened, socket_path
from salus.node.member import MemberNode
from salus.node.registry import use_cases
from salus.node.smart.authorising import AuthorisationServer
from salus.node.ticking import Ticker
from salus.portal.app import routes as pages
from salus.portal.visiting import Pages

_log = structlog.get_logger()
# Idle TLS connections of other nodes would hold the end up for 30 s each: their side answers no farewell.
END_SECONDS: Final = 3
MLLP_PORT: Final = 2575  # registered for HL7 (IANA)
COLLECTED: Final = 10_000  # objects between two looks of the garbage collector: one resource makes some thousand


Messages = tuple[Hl7, Callable[[bytes], bytes]]
"""Where HL7 v2 is listened for, and what takes a message."""


class Quiet(uvicorn.Server):
    """One of two servers in a process that takes the signals itself, so that the node is closed before the end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def listen(config: Config) -> socket.socket:
    """Open the TCP socket. Raises Unavailable when the address is taken or not ours."""
    try:
        return open_listener(config.http.host, config.http.port)
    except OSError as error:
        raise Unavailable(
            "node.address",
            f"cannot listen on {config.http.host} port {config.http.port}",
            got=str(error.strerror),
            todo="set http.host and http.port",
        ) from error


def listen_local(path: Path) -> socket.socket:
    """Open the unix socket, in place of one that a killed process left: the folder's owner alone comes here."""
    path.unlink(missing_ok=True)
    local = socket.socket(socket.AF_UNIX)
    local.bind(os.fspath(path))
    path.chmod(0o600)
    local.listen()
    return local


async def _all(
    servers: Sequence[uvicorn.Server], sockets: Sequence[socket.socket], messages: Messages | None = None
) -> None:
    """Serve on all sockets until told to end, or until one of the servers ends."""

    def end() -> None:
        for server in servers:
            server.should_exit = True

    async def one(server: uvicorn.Server, listening: socket.socket) -> None:
        await server.serve(sockets=[listening])
        end()

    for told in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(told, end)
    async with await _mllp(messages) if messages else nullcontext():
        await asyncio.gather(*map(one, servers, sockets))


async def _mllp(messages: Messages) -> asyncio.Server:
    """Listen for HL7 v2. Raises Unavailable when the address is taken or not ours."""
    config, take = messages
    try:
        server = await MllpServer(take).serve(config.host, config.port)
    except OSError as error:
        raise Unavailable(
            "node.address",
            f"cannot listen on {config.host} port {config.port}",
            got=str(error.strerror),
            todo="set hl7.port",
        ) from error
    print(f"taking HL7 v2 on {config.host} port {server.sockets[0].getsockname()[1]}", flush=True)
    return server


def _server(app: Starlette, config: Config | None = None) -> uvicorn.Server:
    """Return a server; with TLS when a configuration with a certificate is given."""
    certificate = config.http.tls_certificate if config else ""
    key = config.http.tls_key if config else ""
    return Quiet(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=END_SECONDS,
            ssl_certfile=certificate or None,
            ssl_keyfile=key or None,
        )
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--demo",
        action="store_true",
        help="three organisations with sample patients and pages to click through, on this machine alone; reads no configuration",
    )


def _demo(told: Sequence[tuple[Starlette, socket.socket]]) -> None:
    """Serve the demo's applications until told to end."""
    asyncio.run(_all([_server(app) for app, _ in told], [listening for _, listening in told]))


def keep_loaded() -> None:
    """Spare the garbage collector what is loaded by now: definitions and code, looked through again and again, stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED)


def serve(config: Config, opener: Opener, given: argparse.Namespace) -> int:
    """Serve until told to end (SIGINT, SIGTERM), then finish what is under way."""
    if given.demo:
        return serve_demo(_demo)
    path = socket_path(config, os.environ)
    with opened(config, opener) as node, listen(config) as tcp, listen_local(path) as unix:
        cases = list(use_cases().values())
        people = PersonAuthenticator(node)
        member = node if isinstance(node, MemberNode) else None
        ticking = Ticker(member) if member else nullcontext()
        records = (
            FhirServer(member) if member else None
        )  # one for both doors: it compares versions and writes as one step
        secure = config.http.public_url.startswith("https:")
        more = (
            [
                *routes(member),
                *smart.routes(AuthorisationServer(member)),
                *fhir.routes(records, smart.BearerAuthenticator(member, people)),
                *epcis.routes(member, people),
                *vrs.routes(member, people),
                *pages(Pages(member, secure=secure, wallets=wallets_of(member))),
            ]
            if member and records
            else []
        )
        world = _server(application(node, cases, people, more=more), config)
        here = [*fhir.routes(records, as_operator), *epcis.routes(member, as_operator)] if member and records else []
        local = _server(application(node, cases, as_operator, more=here))
        messages = (config.hl7, Taking(member, records).take) if member and records and config.hl7.port else None
        port = tcp.getsockname()[1]
        keep_loaded()
        _log.info("node.serving", member=config.member, port=port)
        print(f"serving {config.member} on {config.http.host} port {port}; end with Ctrl-C", flush=True)
        with ticking:
            asyncio.run(_all((world, local), (tcp, unix), messages))
        path.unlink(missing_ok=True)
    return 0


def listen_for_messages(config: Config, opener: Opener, given: argparse.Namespace) -> int:
    """Serve, and take HL7 v2 on the configured port, else on MLLP's own (2575)."""
    hl7 = config.hl7 if config.hl7.port else msgspec.structs.replace(config.hl7, port=MLLP_PORT)
    given.demo = False
    return serve(msgspec.structs.replace(config, hl7=hl7), opener, given)
