"""`network invite`, `join`: a new organisation takes a proven snapshot and goes on from it.

An invitation names the ledger, where the engines are met, and one header that whoever invites has: from it CometBFT's
light client proves the digest of the snapshot, and from the digest every chunk is proven as it comes.
"""

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import structlog
from msgspec import Meta

from salus import __version__
from salus.contracts.membership.port import MEMBERS, Genesis, Standing, key_at, tls_keys
from salus.core.encoding import decode
from salus.core.errors import SalusError
from salus.core.proof.digest import digest
from salus.engines.book import lmdb_book
from salus.engines.checkpoints import Cosigning, cosigners_of
from salus.engines.cometbft.application import Application
from salus.engines.cometbft.binary import find
from salus.engines.cometbft.home import (
    Peer,
    Sync,
    forget_blocks,
    made_keys,
    read_peers,
    write_config,
    write_genesis,
    write_peers,
)
from salus.engines.cometbft.ledger import validators_of
from salus.engines.cometbft.rpc import Rpc
from salus.engines.cometbft.snapshotting import Snapshots, Wanted
from salus.engines.cometbft.unit import Unit
from salus.engines.embedded import found
from salus.engines.errors import Diverged, EngineError
from salus.engines.follower import SourceUnavailable
from salus.engines.snapshots import EVERY, Shelf
from salus.engines.store import LedgerStore, lmdb_store, memory_store
from salus.node.config import Config
from salus.node.errors import Conflict, EdgeError, Forbidden, Malformed, NotFound, Unavailable
from salus.node.exchange.following import RemoteSource
from salus.node.exchange.light import relayed
from salus.node.exchange.wire import Address, OverHttp, Peers
from salus.node.local import now_ms
from salus.node.member import MemberNode
from salus.node.network.cometbft import SNAPSHOTS, has_engine, home_of, peers_of, settings_of, sockets_of
from salus.node.network.consortium import Founding, met
from salus.node.network.engines import engine_at, engine_of, engines_at, refreshed
from salus.node.opening import CHECKPOINTS, HTTP_SECONDS, KERNEL, LEDGER, Unfounded, keys_of
from salus.node.usecase import OPERATOR, Message, Progress, use_case
from salus.vault.keystore import Keys

FORMAT: Final = "salus/v1/invitation"
COMING: Final = "ledger.joining"
ASKED: Final = 2  # CometBFT's light client compares two members
LOG: Final = "statesync:info,*:error"  # why a snapshot was not taken
STILL_SECONDS: Final = 300.0  # as long nothing comes, the joining is given up
POLL_SECONDS: Final = 0.5
ANOTHER: Final = "ask a member for another invitation (`salus network invite`)"
BEYOND_SECONDS: Final = 45.0  # an idle chain adds a block every ten
_log = structlog.get_logger()


class Invitation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The invitation, JSON."""

    format: str
    founding: Founding
    height: int
    """Height of a header that the light client starts from."""
    header: str
    """Its hash, hexadecimal."""
    endpoints: dict[str, str]
    """Member → URL of its node."""
    snapshot: int
    """Height of a snapshot that can be taken; from there on at least `ASKED` members have every header."""
    tls_keys: dict[str, list[str]] = {}
    """Member → TLS keys that it has certified, hexadecimal."""


class InviteMember(Message, frozen=True):
    """Asks for nothing more."""


class MemberInvited(Message, frozen=True):
    """An invitation into the consortium. It holds no secret, but what it trusts must not be altered on the way."""

    invitation: Annotated[bytes, Meta(description="The file for `salus join`, good for some days.")]
    network: Annotated[str, Meta(description="Network id, hexadecimal: read it to the new member.")]
    header: Annotated[str, Meta(description="Hash of the header that it trusts, hexadecimal: read it too.")]


class JoinConsortium(Message, frozen=True):
    """The way in."""

    invitation: Annotated[
        bytes,
        Meta(
            description="The invitation, from `salus network invite` at a member.",
            examples=[b"{}"],
            extra={"positional": True},
        ),
    ]


class ConsortiumJoined(Message, frozen=True):
    """The replica is here: `salus serve` next."""

    network: Annotated[str, Meta(description="Network id, hexadecimal: compare it with what the inviting member read.")]
    snapshot: Annotated[int, Meta(description="Height of the snapshot that was proven and taken.")]
    height: Annotated[int, Meta(description="Height reached.")]
    digest: Annotated[str, Meta(description="The ledger's digest there, hexadecimal.")]


@use_case("network.invite", who=OPERATOR)
def invite_member(node: MemberNode, request: InviteMember) -> MemberInvited:  # noqa: ARG001 - a use case's signature
    """Invite an organisation that the members have admitted: name the ledger, the engines, and a header to start from."""
    config = node.config
    if not has_engine(config):
        raise Conflict(
            "network.no-engine", "no consortium orders this ledger", todo="the new member runs `salus network join`"
        )
    state = node.ledger.read()
    endpoints = {
        key.decode("ascii"): row.endpoint.rstrip("/")
        for key, row in state.range(MEMBERS)
        if row.standing is Standing.ACTIVE and row.endpoint
    }
    engines = engines_at(node.peers, endpoints.keys() - {config.member})
    snapshot = _snapshot(node, [one.earliest for one in engines.values()])
    _wait_beyond(node, snapshot)
    signed = _asked(config, "commit")["signed_header"]
    home = home_of(config)
    own = read_peers(home).get(config.member) or Peer(made_keys(home).node_id, config.consensus.listen)
    peers = {config.member: own, **peers_of(config)}
    if not config.consensus.peers:
        peers = refreshed(peers, engines, endpoints)
        write_peers(home, peers)  # the own engine meets them at its next start
    genesis = json.loads((home / "config" / "genesis.json").read_text())
    founding = Founding(FORMAT, genesis, {member: f"{one.node_id}@{one.address}" for member, one in peers.items()})
    certified = {member: [key.hex() for key in tls_keys(state, member)] for member in endpoints}
    header = signed["commit"]["block_id"]["hash"]
    made = Invitation(FORMAT, founding, int(signed["header"]["height"]), header, endpoints, snapshot, certified)
    text = msgspec.json.format(msgspec.json.encode(made), indent=1)
    return MemberInvited(invitation=text, network=node.network.hex(), header=header)


@use_case("join", who=OPERATOR)
def join_consortium(node: Unfounded, request: JoinConsortium, *, progress: Progress) -> ConsortiumJoined:
    """Join a consortium that has admitted this organisation: take a proven snapshot, and the blocks since.

    Every chunk is proven against the ledger's digest as it comes, the digest by the validators' signatures from the
    header that the invitation names. A peer that hands out a false chunk is left at once.
    """
    invitation = _read(request.invitation)
    config = node.config
    if find(os.environ) is None:
        raise NotFound("engine.missing", "CometBFT is not here", todo="run `salus engine install`")
    keys, home, folder = keys_of(config), home_of(config), Path(config.data)
    transport = OverHttp.with_timeout(HTTP_SECONDS, config.http.tls_authorities)
    others = {member: url for member, url in invitation.endpoints.items() if member != config.member}

    def address(member: str) -> Address:
        keys = (bytes.fromhex(key) for key in invitation.tls_keys.get(member, ()))
        return Address(others.get(member, ""), frozenset(keys))

    peers = Peers(keys.member, keys.signing_key(), transport, address, clock=now_ms, entropy=os.urandom)
    made_keys(home)
    forget_blocks(home)
    shutil.rmtree(folder / COMING, ignore_errors=True)
    try:
        answering = answering_members(peers, others, invitation.snapshot)
        write_peers(home, met(invitation.founding))
        write_genesis(home, invitation.founding.genesis)
        told = _Way(config, keys, invitation, peers).taken(answering, progress)
        (folder / COMING).rename(folder / LEDGER)
    except (SalusError, OSError):
        forget_blocks(home)
        shutil.rmtree(folder / COMING, ignore_errors=True)
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
        raise
    finally:
        transport.close()
    return told


def _snapshot(node: MemberNode, others: Sequence[int]) -> int:
    """Return the height of a recent snapshot here whose headers enough members have; make one if there is none.

    others: the first block that each other member has. One that joined lately has no header of the snapshot it took.
    """
    shelf, head = Shelf(Path(node.config.data) / SNAPSHOTS), node.ledger.head()
    own = engine_of(_asked(node.config, "status")).earliest
    recent = [height for height in shelf.heights() if height > head.height - EVERY]
    recent = [height for height in recent if sum(first <= height for first in (own, *others)) >= ASKED]
    if not recent:
        recent.append(node.ledger.store.height_of_size(head.log_size))
        shelf.add(node.ledger.store, recent[-1])
    return min(recent)


def _asked(config: Config, method: str) -> Any:
    """Ask the own engine. Raises Unavailable."""
    with contextlib.closing(Rpc(sockets_of(config).rpc)) as rpc:
        try:
            return rpc.call(method)
        except EngineError as error:
            raise Unavailable("engine.away", str(error), todo="try again while the node serves") from error


def _wait_beyond(node: MemberNode, snapshot: int) -> None:
    """Wait until the ledger is two blocks beyond a snapshot. Raises Unavailable.

    CometBFT proves a snapshot with the headers of those two, and a node that asks too early never asks for it again.
    """
    news, wanted = threading.Event(), snapshot + 2
    end = node.ledger.subscribe(lambda header: news.set() if header.height >= wanted else None)
    try:
        if node.ledger.head().height < wanted and not news.wait(BEYOND_SECONDS):
            raise Unavailable(
                "network.no-blocks",
                "the ledger has not gone on since the snapshot",
                expected=f"block {wanted}",
                todo="see `salus network status`, and invite again",
            )
    finally:
        end()


def _read(text: bytes) -> Invitation:
    try:
        invitation = msgspec.json.decode(text, type=Invitation)
        known = (invitation.founding.document, invitation.founding.height, met(invitation.founding))
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise Malformed("join.invitation", "this is no invitation", todo="take it over whole") from error
    if invitation.format != FORMAT or not known[2]:
        raise Malformed("join.invitation", "the invitation is of another format", expected=FORMAT, todo=ANOTHER)
    return invitation


def answering_members(peers: Peers, others: Mapping[str, str], snapshot: int) -> list[str]:
    """Return the members that answer about headers from a height on, as many as are asked.

    Raises what the last member said that answered nothing, or Unavailable if the others have no such headers.
    """
    found: list[str] = []
    last: EdgeError = Unavailable("join.nobody", "the invitation names no member that answers", todo=ANOTHER)
    for member in sorted(others):
        try:
            first = engine_at(peers, member).earliest
        except EdgeError as error:
            last = error
            continue
        if first <= snapshot:
            found.append(member)
        else:
            last = Unavailable(
                "join.headers",
                "too few members have the headers of the invitation's snapshot",
                expected=f"{ASKED} members with block {snapshot}",
                got=f"{member} begins with block {first}",
                todo=ANOTHER,
            )
        if len(found) == ASKED:
            return found
    if last.code == "signature.invalid":
        raise Forbidden(
            "join.not-admitted",
            "no member knows this organisation's key",
            expected="an admission that passed",
            todo="have a member propose this node's card (`salus network propose-admit`), and the others vote",
        )
    raise last


@dataclass(frozen=True, slots=True)
class _Way:
    """One organisation on its way in."""

    config: Config
    keys: Keys
    invitation: Invitation
    peers: Peers

    def taken(self, answering: list[str], progress: Progress) -> ConsortiumJoined:
        """Take the snapshot and the blocks since into the folder of what is coming; return what there is then."""
        folder, network = Path(self.config.data), digest("salus/v1/network", self.invitation.founding.document)
        store = lmdb_store(folder / COMING)
        wanted = Wanted(network, folder / f"{SNAPSHOTS}.joining")

        def heard(event: str, who: str) -> None:
            _log.warning(event, member=self.config.member, peer=who)

        snapshots = Snapshots(store, folder / SNAPSHOTS, wanted=wanted, report=heard)
        try:
            with contextlib.ExitStack() as relays:
                servers = tuple(relays.enter_context(relayed(self.peers, member)) for member in answering)
                sync = Sync(servers, self.invitation.height, self.invitation.header)
                write_config(home_of(self.config), replace(settings_of(self.config), sync=sync, log_level=LOG))
                with self._running(store, snapshots) as halted:
                    _wait(self.config, store, halted, progress)
            head = store.head()
            row = key_at(store.read(), self.config.member)
            if row is None or row.signing_key != self.keys.signing_key().public_key().public_bytes_raw():
                raise Forbidden("join.keys", "the ledger has other keys for this member", todo="vote on its card first")
            self._cosigners(store)
        finally:
            snapshots.close()
            store.close()
            shutil.rmtree(wanted.folder, ignore_errors=True)
        return ConsortiumJoined(
            network=network.hex(), snapshot=store.base, height=head.height, digest=head.app_hash.hex()
        )

    @contextlib.contextmanager
    def _running(self, store: LedgerStore, snapshots: Snapshots) -> Iterator[list[SalusError]]:
        """Run application and engine while the block runs; yield where it is told if they end for good."""
        binary, sockets = find(os.environ), sockets_of(self.config)
        if binary is None:
            raise NotFound("engine.missing", "CometBFT is not here", todo="run `salus engine install`")
        halted: list[SalusError] = []

        def application() -> Application:
            return Application(
                KERNEL,
                store,
                validators_of,
                clock=now_ms,
                version=__version__,
                initial_height=self.invitation.founding.height + 1,
                snapshots=snapshots,
            )

        unit = Unit(
            application,
            binary=binary,
            home=home_of(self.config),
            socket=sockets.application,
            rpc=sockets.rpc,
            report=lambda event, facts: _log.info(event, member=self.config.member, type=facts.get("why", "")),
            halted=halted.append,
        )
        try:
            yield halted
        finally:
            unit.close()

    def _cosigners(self, store: LedgerStore) -> None:
        """Follow the cosigners forward from the founders to the snapshot, as the first member that can shows it."""
        founders = memory_store()
        document = self.invitation.founding.document
        found(founders, KERNEL, document, decode(document, Genesis).time)
        size = store.header(store.base).log_size
        book = lmdb_book(Path(self.config.data) / CHECKPOINTS, store.chain().network)
        try:
            cosigning = Cosigning(store, book, keys={})
            last: EngineError = SourceUnavailable("nobody")
            for member in sorted(self.invitation.endpoints):
                source = RemoteSource(self.peers, member)
                try:
                    cosigning.adopt(cosigners_of(founders.read(0)), source.changes(size))
                except (SourceUnavailable, Diverged) as error:
                    last = error
                else:
                    return
                finally:
                    source.close()
            raise Unavailable(
                "join.cosigners", "nobody shows how the cosigners followed each other", got=str(last), todo=ANOTHER
            )
        finally:
            book.close()


def _wait(config: Config, store: LedgerStore, halted: list[SalusError], progress: Progress) -> None:
    """Wait until the engine has caught up. Raises Unavailable when nothing comes for long, or the engine ends."""
    seen, moved = -1, time.monotonic()
    with contextlib.closing(Rpc(sockets_of(config).rpc)) as rpc:
        while time.monotonic() - moved < STILL_SECONDS:
            if halted:
                raise Unavailable(
                    "join.ended",
                    "the engine ended",
                    got=type(halted[0]).__name__,
                    todo="see cometbft/cometbft.log, and try again",
                ) from halted[0]
            height = store.head().height if store.founded else 0
            if height != seen:
                seen, moved = height, time.monotonic()
                progress(height, 0, "blocks")
            if store.founded and _caught_up(rpc):
                return
            time.sleep(POLL_SECONDS)
    raise Unavailable("join.still", "no snapshot and no block came", todo=f"see cometbft/cometbft.log; {ANOTHER}")


def _caught_up(rpc: Rpc) -> bool:
    try:
        return rpc.call("status")["sync_info"]["catching_up"] is False
    except EngineError:  # it starts, or changes from one way of catching up to the other
        return False
