"""The records' story over four processes: CometBFT orders the ledger, and one of the four is killed on the way."""

import gzip
import os
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import msgspec

from salus.core.proof.trust import Trust
from salus.node.config import Config
from salus.node.demo.records import FOUNDERS, ORDINARY, READER, SOURCE, verdict
from salus.node.demo.samples import samples_folder
from salus.node.demo.telling import Holding, Telling
from salus.node.errors import EdgeError, Unavailable
from salus.node.exchange.wire import MEDIA_TYPE, Answer, post
from salus.node.invitation import read as read_invitation
from salus.node.links import Invite, invite
from salus.node.local import Bare, now_ms
from salus.node.network.directory import AskStatus, AskTrust, status, trust_file
from salus.node.network.exploring import ListBlocks, list_blocks
from salus.node.network.supervising import (
    PROCESS,
    AskNetwork,
    CreateNetwork,
    ask_node,
    create,
    members_in,
    start,
    stop,
)
from salus.node.records.taking import ImportRecords, import_records
from salus.node.requests import AskAccess, ListAccess, PullAccess, PulledAccess, ask_access, list_access, pull_access
from salus.node.wallet.holder import Holder
from salus.node.wallet.log import Seen, exported
from salus.vault.wallet import Wallet

VICTIM: Final = "lake-clinic"
SHARED: Final = "http://hl7.org/fhir/sid/us-ssn"
"""What ties a person's records at several members together."""
PATIENTS: Final = 2
WAIT_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.1
HTTP_SECONDS: Final = 60.0
_BARE: Final = Bare(Config())


class Lines(msgspec.Struct, frozen=True):
    """What the chapter reads of a sample's line."""

    resourceType: str = ""  # noqa: N815 - FHIR's name
    identifier: list[dict[str, object]] = []


class ByHttp:
    """How the patients' wallets reach the members' nodes (`salus.node.wallet.holder.Members`)."""

    def __init__(self, authority: Path) -> None:
        """Trust the authority (PEM) of the network's certificates."""
        trust = ssl.create_default_context(cafile=str(authority))
        self._client = httpx.Client(timeout=HTTP_SECONDS, verify=trust)
        self.urls: dict[str, str] = {}

    def ask(self, member: str, path: str, body: bytes) -> Answer:
        """Send a question. Raises Unavailable."""
        return post(self._client, member, self.urls[member] + path, {"content-type": MEDIA_TYPE}, body)

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()


@dataclass
class _Scene:
    """What the steps hand on."""

    telling: Telling
    folder: Path
    configs: dict[str, Config] = field(default_factory=dict)
    trust: str = ""
    """The trust file, as handed out before anything was shared."""
    patients: list[Holder] = field(default_factory=list)
    stored: dict[str, int] = field(default_factory=dict)

    @property
    def reader(self) -> Config:
        return self.configs[READER]

    def network(self) -> AskNetwork:
        return AskNetwork(folder=str(self.folder))

    def heads(self) -> dict[str, int]:
        """Return the height that each member's node has reached."""
        return {member: ask_node(config, status, AskStatus()).height for member, config in self.configs.items()}


class Network:
    """The chapter (see `salus.node.demo.telling.Chapter`)."""

    name = "network"
    title = "Records that the patient controls: four processes, one ledger, one of them killed on the way"
    budget_seconds = 90

    def tell(self, telling: Telling, source: Path | None) -> None:  # noqa: ARG002 - always the samples
        """Tell it on the samples. Raises StoryEnds."""
        telling.next_commands += (
            "salus network create --network lake-county --members north --members south --members lab --members payer",
            "salus network start",
            "salus network nodes",
        )
        telling.notes.append(
            "Each member is a process of its own with keys, vault, port and engine; all run on this machine, so that the "
            "times say nothing about a network between machines."
        )
        scene = _Scene(telling, telling.folder / "network")
        with _running(scene), closing(ByHttp(scene.folder / "authority.pem")) as members:
            _take_in(scene)
            _enrol(scene, members)
            grant = _refused_and_granted(scene)
            pulled = _killed(scene, grant)
            pulled += _returned(scene, grant)
            seen = _access_log(scene)
            _verify_elsewhere(scene, seen)
            _revoke(scene, grant)
            _one_ledger(scene)
        for one in FOUNDERS:
            held = scene.stored.get(one.id, 0)
            telling.holders.append(Holding(one.id, one.name, held, pulled if one.id == READER else 0))


@contextmanager
def _running(scene: _Scene) -> Iterator[None]:
    """Create and start the network; stop it in the end, whatever became of the story."""
    with scene.telling.step(
        "Four members found a ledger together",
        "All validate: one of the four may lie or be down, and the others go on.",
    ) as step:
        members = tuple(one.id for one in FOUNDERS)
        made = create(_BARE, CreateNetwork(network="salus-demo", members=members, folder=str(scene.folder)))
        scene.configs = {config.member: config for config, _ in members_in(str(scene.folder))}
        step.figure("members, each a process with keys, vault and engine", made.members)
        step.figure("may lie or be down", made.tolerated)
    try:
        with scene.telling.step(
            "Their nodes start", "Node and engine run as one; no process is above the others."
        ) as step:
            start(_BARE, scene.network())
            _until("every node hears blocks", lambda: all(_reachable(one) for one in scene.configs.values()))
            step.figure("heights", " ".join(map(str, scene.heads().values())))
        yield
    finally:
        stop(_BARE, scene.network())


def _reachable(config: Config) -> bool:
    return ask_node(config, status, AskStatus()).reachable


def _until(what: str, holds: Callable[[], bool]) -> float:
    """Wait until something holds, and return the seconds it took. Raises Unavailable when it takes too long."""
    began = time.perf_counter()
    while not holds():
        if time.perf_counter() - began > WAIT_SECONDS:
            raise Unavailable("demo.waited", f"this did not come true: {what}", expected=f"in {WAIT_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)
    return time.perf_counter() - began


def _take_in(scene: _Scene) -> None:
    with scene.telling.step(
        "Records are taken in",
        "Every resource is sealed under its patient's link; the ledger sees one root for thousands.",
    ) as step:
        began = time.perf_counter()
        for member in _keepers():
            request = ImportRecords(paths=(str(_sample(member)),), source=SOURCE)
            told = ask_node(scene.configs[member], import_records, request)
            scene.stored[member] = told.stored
            step.holds(f"{member} took something in", told.stored)
        total = sum(scene.stored.values())
        step.figure("records", total)
        step.figure("rate", f"{total / (time.perf_counter() - began):,.0f} records/s, one member after the other")


def _keepers() -> list[str]:
    return [one.id for one in FOUNDERS if _sample(one.id).exists()]


def _sample(member: str) -> Path:
    return samples_folder() / f"{member}.ndjson.gz"


def _people() -> list[tuple[str, list[str]]]:
    """Return (number, members that know it) of those known at most members first."""
    known: dict[str, list[str]] = {}
    for member in _keepers():
        for line in gzip.decompress(_sample(member).read_bytes()).splitlines():
            told = msgspec.json.decode(line, type=Lines)
            if told.resourceType != "Patient":
                continue
            for identifier in told.identifier:
                if identifier.get("system") == SHARED:
                    known.setdefault(str(identifier["value"]), []).append(member)
    return sorted(known.items(), key=lambda pair: (-len(pair[1]), pair[0]))


def _enrol(scene: _Scene, members: ByHttp) -> None:
    with scene.telling.step(
        "Patients take their keys",
        "Each link's secret goes to the patient's wallet, over TLS, checked against the ledger.",
    ) as step:
        first = next(iter(scene.configs.values()))
        scene.trust = ask_node(first, trust_file, AskTrust()).trust
        members.urls = {member: config.http.public_url for member, config in scene.configs.items()}
        trust = Trust.from_json(scene.trust.encode())
        for number, keepers in _people()[:PATIENTS]:
            holder = Holder(Wallet.new(clock=now_ms, entropy=os.urandom), trust, members, now_ms, os.urandom)
            for member in keepers:
                invited = ask_node(scene.configs[member], invite, Invite(system=SHARED, value=number))
                holder.join(member, read_invitation(invited.invitation).code)
            scene.patients.append(holder)
        step.figure("wallets", len(scene.patients))
        step.figure("links", sum(len(holder.wallet.state.links) for holder in scene.patients))


def _through(holder: Holder) -> str:
    """Return the member that submits for a patient: one that stays up."""
    return next(tied.member for tied in holder.wallet.state.links if tied.member != VICTIM)


def _refused_and_granted(scene: _Scene) -> str:
    holder = scene.patients[0]
    with scene.telling.step(
        "A clinician without permission is refused, asks, and is granted",
        "A one-time key speaks on the ledger: the row says that a grant lives, not whose or for whom.",
    ) as step:
        with step.refused("reading without a grant", EdgeError):
            ask_node(scene.reader, pull_access, PullAccess(grant="00" * 32))
        code = ask_node(scene.reader, ask_access, AskAccess(classes=ORDINARY)).code
        began = time.perf_counter()
        grant = holder.answer(holder.read_request(code), days=30, through=_through(holder)).hex()
        step.figure("on the ledger, with its receipt", f"{time.perf_counter() - began:.2f} s")
        _until("the grant is delivered", lambda: grant in _grants(scene))
        step.figure("custodians", len(holder.wallet.state.links))
    return grant


def _grants(scene: _Scene) -> dict[str, str]:
    """Return the standing of each grant that the reader holds."""
    return {one.grant: one.standing for one in ask_node(scene.reader, list_access, ListAccess()).grants}


def _pull(scene: _Scene, grant: str) -> PulledAccess:
    return ask_node(scene.reader, pull_access, PullAccess(grant=grant))


def _killed(scene: _Scene, grant: str) -> int:
    with scene.telling.step(
        "One node is killed; the clinician pulls from the others",
        "No receipt, no data: each custodian commits the disclosure first, and three of four can commit.",
    ) as step:
        home = next(home for config, home in members_in(str(scene.folder)) if config.member == VICTIM)
        os.kill(int((home / PROCESS).read_text()), signal.SIGKILL)
        began = time.perf_counter()
        pulled = _pull(scene, grant)
        step.figure("killed", f"{VICTIM}, by signal 9")
        step.figure("records opened and verified", pulled.records)
        step.figure("time", f"{time.perf_counter() - began:.2f} s")
        step.holds("the others' records came", pulled.records)
        step.holds("only the killed one is missing", [one.custodian for one in pulled.failures] == [VICTIM])
    return pulled.records


def _returned(scene: _Scene, grant: str) -> int:
    with scene.telling.step(
        "The killed node returns, catches up and serves",
        "Nothing that was acknowledged is lost; a pull goes on where it ended.",
    ) as step:
        top = max(_others(scene).values())
        began = time.perf_counter()
        start(_BARE, scene.network())
        victim = scene.configs[VICTIM]
        _until("it has caught up", lambda: ask_node(victim, status, AskStatus()).height >= top and _reachable(victim))
        step.figure("started and caught up", f"{time.perf_counter() - began:.2f} s")
        pulled = _answered(scene, grant)
        step.holds("its records came", pulled.records and VICTIM in pulled.custodians)
        step.figure("records opened and verified", pulled.records)
    return pulled.records


def _answered(scene: _Scene, grant: str) -> PulledAccess:
    """Pull until nobody is missing: the returned node may need a moment until its engine takes transactions."""
    found: list[PulledAccess] = []

    def whole() -> bool:
        found.append(_pull(scene, grant))
        return not found[-1].failures

    _until("every custodian answers", whole)
    return found[-1]


def _others(scene: _Scene) -> dict[str, int]:
    others = {member: config for member, config in scene.configs.items() if member != VICTIM}
    return {member: ask_node(config, status, AskStatus()).height for member, config in others.items()}


def _access_log(scene: _Scene) -> list[Seen]:
    holder = scene.patients[0]
    with scene.telling.step(
        "The patient sees who has looked",
        "Custodian and reader log the same pull: a line that one hides shows at the other.",
    ) as step:
        found: list[list[Seen]] = []

        def proven() -> bool:
            found.append(list(holder.access_log().lines))
            return bool(found[-1]) and all(one.proven for one in found[-1])

        _until("every line is proven", proven)
        seen = found[-1]
        served = {one.told_by for one in seen if one.side == "custodian" and one.disclosure.action == "serve"}
        step.figure("lines", len(seen))
        step.holds("each custodian tells of it", served == {tied.member for tied in holder.wallet.state.links})
        step.holds("the reader tells of it", any(one.told_by == READER for one in seen))
    return seen


def _verify_elsewhere(scene: _Scene, seen: list[Seen]) -> None:
    with scene.telling.step(
        "Another program checks the log offline",
        "The verifier needs the standard library, one crypto library and a trust file.",
    ) as step:
        log, trust = scene.telling.folder / "access-log.json", scene.telling.folder / "trust.json"
        log.write_bytes(exported(seen))
        trust.write_text(scene.trust)
        step.holds("the log verifies", verdict(trust, log) == 0)
        step.figure("command", "salus verify --trust trust.json access-log.json")


def _revoke(scene: _Scene, grant: str) -> None:
    holder = scene.patients[0]
    with scene.telling.step(
        "The patient stops sharing",
        "From the block that holds it, every custodian refuses and the reader's copy is purged. What was read cannot be unread.",
    ) as step:
        began = time.perf_counter()
        carried = holder.stop(bytes.fromhex(grant), through=_through(holder))
        _until("every node has the block", lambda: min(scene.heads().values()) >= carried.height)
        step.figure("in force on all four", f"{time.perf_counter() - began:.2f} s after the click, with its receipt")
        with step.refused("pulling again", EdgeError):
            _pull(scene, grant)
        _until("the reader's copy is purged", lambda: _grants(scene)[grant] == "ended")


def _one_ledger(scene: _Scene) -> None:
    with scene.telling.step(
        "All four hold one ledger", "The digest of state and log is the same at every height, the killed one's too."
    ) as step:
        top = max(scene.heads().values())
        _until("every node has the newest block", lambda: min(scene.heads().values()) >= top)
        digests: dict[int, set[str]] = {}
        for config in scene.configs.values():
            for line in ask_node(config, list_blocks, ListBlocks(before=top + 1, limit=200)).blocks:
                digests.setdefault(line.height, set()).add(line.app_hash)
        step.holds("one digest at every height", all(len(found) == 1 for found in digests.values()))
        step.figure("heights compared", len(digests))
        step.figure("digest", next(iter(digests[top]))[:16])


CHAPTER: Final = Network()
