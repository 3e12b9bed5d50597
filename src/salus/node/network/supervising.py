"""A whole network on one machine: each member a process of its own, with its own keys, vault, port and engine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from salus.contracts.membership.port import Candidate, Genesis, Parameters, Role, ValidatorChange
from salus.core.encoding import encode
from salus.core.proof.digest import digest
from salus.engines.cometbft.binary import VERSION, EngineMissing, find, install
from salus.engines.cometbft.home import genesis_json, node_id, write_genesis, write_home
from salus.engines.embedded import found
from salus.engines.store import lmdb_store
from salus.node.config import Config, read
from salus.node.errors import Conflict, Malformed, NotFound, Unavailable
from salus.node.local import Told, call, owned, socket_path
from salus.node.network.certificates import local_certificates
from salus.node.network.certifying import CertifyNode, certify
from salus.node.network.cometbft import has_engine, home_of, settings_of
from salus.node.network.consortium import BFT_MEMBERS, POWER
from salus.node.network.directory import AskStatus, ListMembers, list_members, status
from salus.node.network.founding import RULES, MakeCard, candidate_of, made_keys
from salus.node.network.ports import free_ports
from salus.node.opening import KERNEL, LEDGER, Unfounded
from salus.node.usecase import OPERATOR, Message, Node, UseCase, use_case
from salus.vault.keystore import Keys

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
CONFIG: Final = "salus.toml"
LOG: Final = "node.log"
PROCESS: Final = "node.pid"
SERVE: Final = (sys.executable, "-c", "import sys; from salus.cli.main import main; sys.exit(main())", "--config")

Q = TypeVar("Q", bound=msgspec.Struct)
R = TypeVar("R", bound=msgspec.Struct)
Folder = Annotated[str, Meta(description="Folder of the network.", examples=["salus-network"])]
ALONE: Final = "`salus network create` makes one; a member's own node: `salus serve`, `salus network status`"


class InstallEngine(Message, frozen=True):
    """Asks for nothing more."""


class Engine(Message, frozen=True):
    """The consortium's engine."""

    path: Annotated[str, Meta(description="Where the program is.")]
    version: Annotated[str, Meta(description="Its version.")]
    built: Annotated[bool, Meta(description="Whether it was built now.")]


class CreateNetwork(Message, frozen=True):
    """The network to create on this machine."""

    network: Annotated[
        str,
        Meta(pattern="^[a-z][a-z0-9-]{1,49}$", description="The network's name.", examples=["lake-county"]),
    ]
    members: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            max_length=16,
            description="Ids of the members.",
            examples=[["north", "south", "lab", "payer"]],
        ),
    ]
    folder: Folder = "salus-network"


class CreatedNetwork(Message, frozen=True):
    """The network stands; start it next."""

    network: Annotated[str, Meta(description="Network id, hexadecimal.")]
    members: Annotated[int, Meta(description="How many members it has.")]
    tolerated: Annotated[int, Meta(description="How many of them may lie or be down without harm to the others.")]


class AskNetwork(Message, frozen=True):
    """Which network."""

    folder: Folder = "salus-network"


class AskLogs(Message, frozen=True):
    """Whose log."""

    member: Annotated[str, Meta(description="Id of the member.", examples=["north"])]
    lines: Annotated[int, Meta(ge=1, le=10_000, description="How many of the last lines.", examples=[50])] = 50
    folder: Folder = "salus-network"


class MemberState(Message, frozen=True):
    """One member's node."""

    member: Annotated[str, Meta(description="Id of the member.")]
    url: Annotated[str, Meta(description="Where its node answers.")]
    running: Annotated[bool, Meta(description="Whether its node runs and answers.")]
    height: Annotated[int, Meta(description="Height of its newest block; -1 while it does not run.")] = -1
    cosigned: Annotated[int, Meta(description="How many cosigners signed its newest checkpoint.")] = 0
    trouble: Annotated[str, Meta(description="What keeps it from serving, or nothing.")] = ""


class NetworkState(Message, frozen=True):
    """The members' nodes."""

    members: Annotated[tuple[MemberState, ...], Meta(description="The members, ascending by id.")]


class Lines(Message, frozen=True):
    """The end of a log."""

    lines: Annotated[tuple[str, ...], Meta(description="The last lines.")]


@use_case("engine.install", who=OPERATOR)
def install_engine(node: Node, request: InstallEngine) -> Engine:  # noqa: ARG001 - a use case's signature
    """Find CometBFT, or build it: on the path, in the cache, else by Go, which takes about a minute."""
    try:
        path, built = install(os.environ)
    except EngineMissing as error:
        raise NotFound("engine.missing", str(error), todo="then run `salus engine install` again") from error
    return Engine(path=str(path), version=VERSION, built=built)


@use_case("network.create", who=OPERATOR)
def create(node: Node, request: CreateNetwork) -> CreatedNetwork:
    """Create a network whose members all run on this machine, each in a folder of its own with keys of its own.

    From four members on, all validate, and less than a third of them can lie or be down without harm. With fewer, the
    first orders the ledger, and the others check every block and cosign: nothing is tolerated, but what was cosigned
    cannot be denied.
    """
    root = Path(request.folder).absolute()
    if root.exists() and any(root.iterdir()):
        raise Conflict("network.exists", "the folder is not empty", got=request.folder, todo="name another folder")
    ids = sorted({*request.members})
    if len(ids) != len(request.members):
        raise Malformed("network.members", "a member is named twice", todo="name each once")
    consortium = len(ids) >= BFT_MEMBERS
    owner = request.members[0]
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = node.now()
    authority, certificates = local_certificates(request.network, ids, now)
    (root / "authority.pem").write_bytes(authority)
    ports = free_ports(2 * len(ids))
    seats = [Seat.take(root, name, ports[2 * at : 2 * at + 2]) for at, name in enumerate(ids)]
    genesis = Genesis(
        format=1,
        name=request.network,
        time=now,
        rules=RULES,
        parameters=Parameters(agreement=digest("salus/v1/agreement", request.network.encode())),
        members=tuple(seat.candidate() for seat in seats),
        validators=tuple(ValidatorChange(seat.member, seat.vote_public, POWER) for seat in seats) if consortium else (),
    )
    document = encode(genesis)
    for seat in seats:
        certificate, key = certificates[seat.member]
        seat.write_tls(certificate, key)
        seat.write_config(seats, None if consortium else owner, root / "authority.pem")
        store = lmdb_store(Path(seat.config.data) / LEDGER)
        found(store, KERNEL, document, now)
        store.close()
        if consortium:
            seat.write_engine(genesis_json(document, chain_id=request.network, time=now + 1, validators=[]))
    tolerated = (len(ids) - 1) // 3
    return CreatedNetwork(network=digest("salus/v1/network", document).hex(), members=len(ids), tolerated=tolerated)


@use_case("network.start", who=OPERATOR)
def start(node: Node, request: AskNetwork) -> NetworkState:  # noqa: ARG001 - a use case's signature
    """Start every member's node that does not run yet, and wait until all answer."""
    started = {}
    for config, home in members_in(request.folder):
        if has_engine(config) and find(os.environ) is None:
            raise NotFound("engine.missing", "CometBFT is not here", todo="run `salus engine install`")
        if not _runs(config):
            with (home / LOG).open("ab") as log:
                process = subprocess.Popen(  # noqa: S603 - this program itself
                    [*SERVE, str(home / CONFIG), "serve"],
                    env={name: value for name, value in os.environ.items() if not name.startswith("SALUS_")},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            (home / PROCESS).write_text(f"{process.pid}\n")
            started[config.member] = process
    try:
        _all_running(request.folder, started)
        _certify(request.folder)
        return NetworkState(members=_states(request.folder))
    finally:
        for process in started.values():
            process.returncode = 0  # they outlive this command, on purpose


@use_case("network.stop", who=OPERATOR)
def stop(node: Node, request: AskNetwork) -> NetworkState:  # noqa: ARG001 - a use case's signature
    """Stop every member's node: each ends its engine first, then lets go of its folder."""
    running = [(config, home) for config, home in members_in(request.folder) if _runs(config)]
    for _, home in running:
        os.kill(int((home / PROCESS).read_text()), signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(_runs(config) for config, _ in running):
        if time.monotonic() > deadline:
            raise Unavailable("network.stop", "a node does not end", todo="see `salus network nodes`")
        time.sleep(0.1)
    return NetworkState(members=_states(request.folder))


@use_case("network.nodes", who=OPERATOR)
def nodes(node: Node, request: AskNetwork) -> NetworkState:  # noqa: ARG001 - a use case's signature
    """Say of every member's node whether it runs, and how far its ledger has come."""
    return NetworkState(members=_states(request.folder))


@use_case("network.logs", who=OPERATOR)
def logs(node: Node, request: AskLogs) -> Lines:  # noqa: ARG001 - a use case's signature
    """Show the end of a member's log."""
    for config, home in members_in(request.folder):
        if config.member == request.member:
            log = home / LOG
            text = log.read_text(errors="replace") if log.exists() else ""
            return Lines(lines=tuple(text.splitlines()[-request.lines :]))
    raise NotFound(
        "network.member", "the network has no such member here", got=request.member, todo="see `salus network nodes`"
    )


@dataclass(frozen=True, slots=True)
class Seat:
    """One member's place on this machine."""

    home: Path
    config: Config
    keys: Keys
    vote_key: Ed25519PrivateKey
    node_key: Ed25519PrivateKey
    peer_port: int

    @classmethod
    def take(cls, root: Path, member: str, ports: list[int]) -> "Seat":
        """Make a member's folder and keys."""
        home = root / member
        (home / "data").mkdir(mode=0o700, parents=True)
        config = read(
            None, {"SALUS_MEMBER": member, "SALUS_DATA": str(home / "data"), "SALUS_HTTP_PORT": str(ports[0])}
        )
        keys = made_keys(Unfounded(config))
        return cls(home, config, keys, Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), ports[1])

    @property
    def member(self) -> str:
        """The member's id."""
        return self.config.member

    @property
    def url(self) -> str:
        """Where its node answers."""
        return f"https://localhost:{self.config.http.port}"

    @property
    def vote_public(self) -> bytes:
        """Its key in the engine."""
        return self.vote_key.public_key().public_bytes_raw()

    def candidate(self) -> Candidate:
        """Return what the genesis says of it."""
        name = self.member.replace("-", " ").title()
        told = MakeCard(name=name, roles=(Role.PROVIDER,), jurisdiction="US-MA", endpoint=self.url)
        return candidate_of(self.keys, told)

    def write_tls(self, certificate: bytes, key: bytes) -> None:
        """Write its certificate and key."""
        (self.home / "tls.pem").write_bytes(certificate)
        file = self.home / "tls.key"
        file.touch(0o600)
        file.write_bytes(key)

    def write_config(self, seats: list["Seat"], owner: str | None, authority: Path) -> None:
        """Write its `salus.toml`; `owner` orders the ledger, if no engine does."""
        lines = [
            f"member = {json.dumps(self.member)}",
            f"data = {json.dumps(self.config.data)}",
            f"erasures_file = {json.dumps(str(self.home / 'erasures'))}",
            "[http]",
            f"port = {self.config.http.port}",
            f"public_url = {json.dumps(self.url)}",
            f"tls_certificate = {json.dumps(str(self.home / 'tls.pem'))}",
            f"tls_key = {json.dumps(str(self.home / 'tls.key'))}",
            f"tls_authorities = {json.dumps(str(authority))}",
        ]
        if owner is None:
            others = [seat for seat in seats if seat is not self]
            peers = ",".join(f"{node_id(seat.node_key)}@127.0.0.1:{seat.peer_port}" for seat in others)
            lines += ["[consensus]", f'listen = "127.0.0.1:{self.peer_port}"', f"peers = {json.dumps(peers)}"]
        elif owner != self.member:
            url = next(seat.url for seat in seats if seat.member == owner)
            lines += ["[ledger]", f"owner = {json.dumps(owner)}", f"url = {json.dumps(url)}"]
        (self.home / CONFIG).write_text("\n".join(lines) + "\n")

    def write_engine(self, genesis: dict[str, Any]) -> None:
        """Write its engine's folder."""
        config = read(self.home / CONFIG, {})
        write_home(home_of(config), node_key=self.node_key, vote_key=self.vote_key, settings=settings_of(config))
        write_genesis(home_of(config), genesis)


def members_in(folder: str) -> list[tuple[Config, Path]]:
    """Return configuration and folder of every member, ascending by id. Raises NotFound."""
    files = sorted(Path(folder).absolute().glob(f"*/{CONFIG}"))
    if not files:
        raise NotFound(
            "network.none", "there is no network here that runs on this machine alone", got=folder, todo=ALONE
        )
    return [(read(file, {}), file.parent) for file in files]


def _all_running(folder: str, started: Mapping[str, "subprocess.Popen[bytes]"]) -> tuple[MemberState, ...]:
    """Wait until every node answers. Raises Unavailable when one ended, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    states = _states(folder)
    while not all(state.running for state in states):
        for member, process in started.items():
            if process.poll() is not None:
                raise Unavailable(
                    "network.start",
                    f"a node ended at its start, saying: {_last_line(Path(folder) / member / LOG)}",
                    got=member,
                    todo="see `salus network logs`",
                )
        if time.monotonic() > deadline:
            raise Unavailable("network.start", "a node does not answer", todo="see `salus network nodes`")
        time.sleep(0.2)
        states = _states(folder)
    return states


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return lines[-1] if lines else "nothing"


def _certify(folder: str) -> None:
    """Tie every node to its TLS key on the ledger, once. Raises what a node says when the ledger does not go on."""
    deadline = time.monotonic() + START_SECONDS
    for config in (config for config, _ in members_in(folder) if config.http.tls_certificate):
        while True:
            try:
                known = {one.id: one for one in ask_node(config, list_members, ListMembers()).members}[config.member]
                if known.standing == "active" and not known.tls_keys:
                    ask_node(config, certify, CertifyNode())
                break
            except (Unavailable, Told):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)  # its engine starts


def _answers(config: Config) -> bool:
    """Return whether a node listens. Does not touch the folder's lock, which a node that starts would find taken."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(socket_path(config, os.environ)))
        except OSError:
            return False
    return True


def _runs(config: Config) -> bool:
    """Return whether a process owns the folder. Not for a folder whose node is just starting."""
    with owned(Path(config.data)) as ours:
        return not ours


def _states(folder: str) -> tuple[MemberState, ...]:
    return tuple(_state(config) for config, _ in members_in(folder))


def _state(config: Config) -> MemberState:
    if not _answers(config):
        return MemberState(member=config.member, url=config.http.public_url, running=False)
    try:
        told = ask_node(config, status, AskStatus())
    except Unavailable as error:
        return MemberState(member=config.member, url=config.http.public_url, running=False, trouble=error.code)
    return MemberState(
        member=config.member,
        url=config.http.public_url,
        running=True,
        height=told.height,
        cosigned=len(told.cosigned_by),
        trouble=told.stopped,
    )


def ask_node(config: Config, case: UseCase[Any, Q, R], request: Q) -> R:
    """Ask a member's running node as its operator. Raises what the node says, and Unavailable if it does not run."""
    told = call(case, request, config=config, opener=_nobody, environment=os.environ)
    if not isinstance(told, case.response):
        raise Unavailable("network.answer", "a node answered what was not asked", got=config.member, todo="see its log")
    return told


def _nobody(config: Config) -> Node:
    """Open no node: it ended between two questions."""
    raise Unavailable("node.ended", "the node does not run", got=config.member, todo="run `salus serve`; see its log")
