"""The first chapter: records that the patient controls, on a ledger that nobody can rewrite."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from salus.contracts.membership.port import Role
from salus.contracts.records.port import ErasureStatus, erasure
from salus.core.checkpoint import checkpoint_of, cosign
from salus.core.encoding import MalformedBytes, decode, encode
from salus.core.kernel import Block
from salus.engines.embedded import found
from salus.engines.replay import replay
from salus.engines.store import LedgerStore, memory_store
from salus.engines.witness import Refused as WitnessRefused
from salus.engines.witness import Witness
from salus.node import access, erasing
from salus.node.anchoring import anchor
from salus.node.demo.samples import samples_folder
from salus.node.demo.telling import Holding, Step, Telling
from salus.node.errors import EdgeError, NotFound
from salus.node.exchange.grantee import Fetched, confirm_and_purge, fetch
from salus.node.exchange.wire import Answer
from salus.node.member import MemberNode
from salus.node.opening import KERNEL
from salus.node.patient import messages as m
from salus.node.records.intake import Intake, Report
from salus.node.records.intake import found as files_in
from salus.node.together import Clock, Founder, Together, found_together
from salus.node.wallet.holder import Holder, Members
from salus.node.wallet.log import Seen, exported
from salus.vault.backup import DayKeys, restore
from salus.vault.drill import drill, frames_of, pages_of
from salus.vault.erasure import ErasureList
from salus.vault.errors import SealBroken, VaultError
from salus.vault.records import stored
from salus.vault.vault import Vault

FOUNDERS: Final = (
    Founder("north-hospital", "North Hospital", (Role.PROVIDER,)),
    Founder("lake-clinic", "Lake Clinic", (Role.PROVIDER,)),
    Founder("hill-practice", "Hill Practice", (Role.PROVIDER,)),
    Founder("city-emergency", "City Emergency Centre", (Role.PROVIDER,)),
)
READER: Final = "city-emergency"
ORDINARY: Final = ("general", "medication", "laboratory", "imaging", "claims")
DAY_MS: Final = 24 * 3600 * 1000
SOURCE: Final = "urn:salus:demo"
NEXT: Final = (
    "salus --help",
    "salus demo --input DIR      (the same story on your own FHIR files)",
    "salus verify --help         (check a receipt or an access log offline)",
)


@dataclass
class _Scene:
    """What the steps hand on."""

    telling: Telling
    together: Together
    reports: dict[str, Report] = field(default_factory=dict)
    patients: list["_Patient"] = field(default_factory=list)
    trust: str = ""
    """The trust file, as handed out before anything was shared."""

    @property
    def reader(self) -> MemberNode:
        return self.together.nodes[READER]

    def keepers(self) -> list[MemberNode]:
        """Return the members that hold records."""
        return [node for node in self.together.nodes.values() if node.member in self.reports]


@dataclass
class _Patient:
    """A patient: links at members, a wallet, and words that only this record holds."""

    links: dict[str, bytes]
    holder: Holder
    words: tuple[bytes, ...]
    grant: bytes = b""


class Records:
    """The chapter (see `salus.node.demo.telling.Chapter`)."""

    name = "records"
    title = "Records that the patient controls, on a ledger that nobody can rewrite"
    budget_seconds = 60

    def tell(self, telling: Telling, source: Path | None) -> None:
        """Tell it on the samples, or on the FHIR files in `source`. Raises StoryEnds."""
        telling.next_commands += NEXT
        telling.notes.append(
            "All members run in one process here, each with keys, vault and ledger replica in a folder of its own. "
            "They share one simulated clock, moved ahead by 8 days for the erasure; no command of a real node has that switch."
        )
        clock = Clock()
        with telling.step(
            "Members found a ledger", "Four organisations keep one ledger; none of them can rewrite it."
        ) as step:
            together = found_together(telling.folder / "members", FOUNDERS, clock=clock)
            together.settle()
            step.figure("members", len(together.nodes))
            step.figure("network", together.owner.network.hex()[:16])
        try:
            self._tell(_Scene(telling, together), source)
        finally:
            together.close()

    def _tell(self, scene: _Scene, source: Path | None) -> None:
        _take_in(scene, source)
        _enrol(scene)
        first, second = scene.patients[0], scene.patients[1]
        request = _refused_and_asking(scene, first)
        fetched = _grant_and_pull(scene, first, request)
        seen = _access_log(scene, first)
        _verify_elsewhere(scene, seen)
        _revoke(scene, first, fetched)
        _tampering(scene)
        _lying_custodian(scene, second)
        _rewriting_owner(scene)
        _erasing(scene, first, second)
        _replayed(scene)
        for node in scene.together.nodes.values():
            report = scene.reports.get(node.member)
            name = next(one.name for one in FOUNDERS if one.id == node.member)
            pulled = fetched.records if node.member == READER else 0
            scene.telling.holders.append(Holding(node.member, name, report.stored if report else 0, pulled))


def _take_in(scene: _Scene, source: Path | None) -> None:
    with scene.telling.step(
        "Records are taken in",
        "Every resource is sealed under its patient's link; the ledger sees one root for thousands.",
    ) as step:
        start, total = time.perf_counter(), 0
        for member, paths in _files(source).items():
            report = Intake(scene.together.nodes[member], SOURCE).run(paths)
            scene.reports[member] = report
            total += report.resources
            step.holds(f"{member} took something in", report.stored)
        seconds = time.perf_counter() - start
        step.figure("resources", total)
        step.figure("patients", sum(report.patients for report in scene.reports.values()))
        step.figure("rate", f"{total / seconds:,.0f} resources/s, sealed, indexed and anchored")
        refused = sum(sum(report.refused.values()) for report in scene.reports.values())
        step.figure("refused as no FHIR", refused)
        unanchored = sum(len(node.vault.unanchored()) for node in scene.keepers())
        step.holds("every record is anchored", unanchored == 0)
        step.figure(
            "ledger transactions", sum(block.transactions != () for block in scene.together.owner.ledger.blocks(1))
        )


def _files(source: Path | None) -> dict[str, Sequence[Path]]:
    """Return the files of each member: the samples' own, or all of `source` for the first member."""
    if source is not None:
        return {FOUNDERS[0].id: [source]}
    files = {path.name.partition(".")[0]: [path] for path in files_in([samples_folder()])}
    return {one.id: files[one.id] for one in FOUNDERS if one.id in files}


def _enrol(scene: _Scene) -> None:
    with scene.telling.step(
        "Patients take their keys", "Each link's secret goes to the patient's wallet; nothing of it is on the ledger."
    ) as step:
        scene.trust = scene.together.trust().to_json()
        people = people_of(scene.keepers())
        step.holds("there are patients to enrol", len(people) > 1)
        for links in people:
            holder = scene.together.holder()
            for member, link in links.items():
                holder.join(member, scene.together.nodes[member].vault.invite(link))
            holder.keep()
            scene.patients.append(_Patient(links, holder, _words(scene, links)))
        for patient in scene.patients:
            for member in patient.links:
                patient.holder.check_record(member)
        step.figure("wallets", len(scene.patients))
        step.figure("links", sum(len(links) for links in people))
        step.figure("chains followed to the newest record", sum(len(links) for links in people))


def people_of(nodes: Iterable[MemberNode]) -> list[dict[str, bytes]]:
    """Return each patient's links by member, those known at most members first, tied by a shared identifier."""
    by_identifier: dict[tuple[str, str], dict[str, bytes]] = {}
    for node in nodes:
        for link in node.vault.links():
            for identifier in node.vault.identifiers(link):
                by_identifier.setdefault(identifier, {})[node.member] = link
    people: list[dict[str, bytes]] = []
    known: set[tuple[str, bytes]] = set()
    for links in sorted(by_identifier.values(), key=len, reverse=True):
        if not any(pair in known for pair in links.items()):
            people.append(links)
            known |= {*links.items()}
    return people


def _words(scene: _Scene, links: dict[str, bytes]) -> tuple[bytes, ...]:
    """Return identifiers of a patient, as they stand in the records: what an erasure must leave nowhere."""
    words = set()
    for member, link in links.items():
        words |= {value for _, value in scene.together.nodes[member].vault.identifiers(link) if len(value) >= 8}
    return tuple(sorted(value.encode() for value in words))


def _refused_and_asking(scene: _Scene, patient: _Patient) -> access.AccessRequest:
    with scene.telling.step(
        "A clinician without permission is refused, and asks",
        "Without a grant there is nothing to read; the way on is to ask.",
    ) as step:
        with step.refused("reading without a grant", NotFound):
            fetch(scene.reader, bytes(32), "TREAT")
        _, code = access.ask(scene.reader, "TREAT", ORDINARY, roles=())
        request = patient.holder.read_request(code)
        step.figure("request", f"{request.member} for {request.purpose}, as a code of {len(code)} characters")
        with step.refused("a request altered on the way", EdgeError):
            patient.holder.read_request(code[:-8] + "AAAAAAAA")
    return request


def _grant_and_pull(scene: _Scene, patient: _Patient, request: access.AccessRequest) -> Fetched:
    through = next(iter(patient.links))
    with scene.telling.step(
        "The patient grants",
        "A one-time key speaks on the ledger: the row says that a grant lives, not whose or for whom.",
    ) as step:
        patient.grant = patient.holder.answer(request, days=30, through=through)
        patient.holder.keep()
        scene.together.settle()
        step.figure("shared classes", ", ".join(request.classes))
        step.figure("custodians", len(patient.links))
    with scene.telling.step(
        "The clinician pulls and verifies",
        "No receipt, no data: each custodian commits the disclosure before its first byte leaves.",
    ) as step:
        start = time.perf_counter()
        fetched = fetch(scene.reader, patient.grant, "TREAT")
        seconds = time.perf_counter() - start
        anchor(scene.reader)
        step.holds("every custodian answered", not fetched.failures and len(fetched.custodians) == len(patient.links))
        step.holds("records came", fetched.records)
        step.figure("records opened and verified", fetched.records)
        step.figure("time", f"{seconds:.2f} s")
        held = sum(scene.together.nodes[member].vault.link_info(link).records for member, link in patient.links.items())
        step.figure("of the patient's record", f"{held:,}; the rest is of classes not shared")
    return fetched


def _access_log(scene: _Scene, patient: _Patient) -> list[Seen]:
    with scene.telling.step(
        "The patient sees who has looked",
        "Custodian and reader log the same pull: a line that one hides shows at the other.",
    ) as step:
        scene.together.settle()
        log = patient.holder.access_log()
        seen = list(log.lines)
        custodians = [one for one in seen if one.side == "custodian" and one.disclosure.action == "serve"]
        readers = [one for one in seen if one.side == "grantee"]
        step.figure("lines", len(seen))
        step.holds("each pull stands on both sides", len(custodians) >= len(patient.links) <= len(readers))
        step.holds("every line is proven", seen and all(one.proven for one in seen))
        step.holds("no member leaves anything out", not log.gaps)
    return seen


def _verify_elsewhere(scene: _Scene, seen: list[Seen]) -> None:
    with scene.telling.step(
        "Another program checks the log offline",
        "The verifier needs the standard library, one crypto library and a trust file.",
    ) as step:
        folder = scene.telling.folder / "auditor"
        folder.mkdir()
        log, trust = folder / "access-log.json", folder / "trust.json"
        log.write_bytes(exported(seen))
        trust.write_text(scene.trust)
        step.holds("the log verifies", verdict(trust, log) == 0)
        text = log.read_text()
        at = text.index('"line"') + 60
        log.with_name("altered.json").write_text(text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :])
        step.holds("the log with one digit changed does not", verdict(trust, log.with_name("altered.json")) == 1)
        step.figure("command", "salus verify --trust trust.json access-log.json")
        step.figure("exit status", "0; 1 after one digit was changed")


def verdict(trust: Path, file: Path) -> int:
    """Have another process, which imports the verifier alone, check a file; return its exit code."""
    command = [sys.executable, "-m", "salus.core.proof", "--trust", str(trust), str(file)]
    return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode  # noqa: S603 - our own module


def _revoke(scene: _Scene, patient: _Patient, fetched: Fetched) -> None:
    with scene.telling.step(
        "The patient stops sharing",
        "From the block that holds it, every custodian refuses and the reader's copy is purged. What was read cannot be unread.",
    ) as step:
        start = time.perf_counter()
        carried = patient.holder.stop(patient.grant, through=next(iter(patient.links)))
        scene.together.settle()
        step.figure(
            "in force at every member", f"{(time.perf_counter() - start) * 1000:.0f} ms, block {carried.height}"
        )
        with step.refused("pulling again", EdgeError):
            fetch(scene.reader, patient.grant, "TREAT")
        purged = confirm_and_purge(scene.reader)
        step.holds("the lease is purged", purged == 1)
        step.figure("records purged at the reader", fetched.records)


def _tampering(scene: _Scene) -> None:
    with scene.telling.step(
        "A bit flips on a disk", "Every stored byte is under a digest: damage is found and named."
    ) as step:
        node = scene.keepers()[0]
        number = node.vault.links()[-1]
        ref = node.vault.of_link(number, 0, 1)[0]
        with _flipped(node.vault, ref.number):
            damage = node.vault.check().damage
            with step.refused("reading the damaged record", VaultError):
                node.vault.open(ref.number)
        step.holds("the damage is named", any(str(ref.number) in told for told in damage))
        step.figure("found", damage[0] if damage else "nothing")
        step.holds("undamaged again, the vault is whole", not node.vault.check().damage)


@contextmanager
def _flipped(vault: Vault, number: int) -> Iterator[None]:
    """Flip one bit of a sealed record on the disk while the block runs."""
    row = stored(vault.store, number)
    path = vault.store.folder / "segments" / f"{row.segment:08d}.seg"

    def flip() -> None:
        with path.open("r+b") as file:
            file.seek(row.offset + row.length - 1)
            byte = file.read(1)[0]
            file.seek(row.offset + row.length - 1)
            file.write(bytes((byte ^ 1,)))

    flip()
    try:
        yield
    finally:
        flip()


@dataclass
class _Lying:
    """A custodian's program that shows a wallet another chain than it showed before."""

    members: Members
    alter: Callable[[m.Chain], m.Chain]

    def ask(self, member: str, path: str, body: bytes) -> Answer:
        answer = self.members.ask(member, path, body)
        try:
            return Answer(200, encode(self.alter(decode(answer.body, m.Chain))))
        except MalformedBytes:
            return answer


def _lying_custodian(scene: _Scene, patient: _Patient) -> None:
    with scene.telling.step(
        "A custodian withholds a record, another rolls one back",
        "The wallet follows one chain per link: what was shown once cannot be unshown.",
    ) as step:
        member, holder = next(iter(patient.links)), patient.holder
        node = scene.together.nodes[member]
        content = node.vault.open(node.vault.of_link(patient.links[member], 0, 1)[0].number).content
        for number in range(2):
            node.vault.write(patient.links[member], [structs.replace(content, id=f"late-{number}")])
        anchor(node)
        honest = holder.members
        holder.members = _Lying(honest, lambda chain: m.Chain((chain.links[0], *chain.links[2:])))
        with step.refused("a record left out in the middle", SealBroken):
            holder.check_record(member)
        holder.members = honest
        step.holds("the honest chain holds", holder.check_record(member) == 2)
        holder.members = _Lying(honest, lambda _: m.Chain(()))
        with step.refused("records rolled back", SealBroken):
            holder.check_record(member)
        holder.members = honest


def _rewriting_owner(scene: _Scene) -> None:
    with scene.telling.step(
        "Everyone who keeps the ledger rewrites a block",
        "A witness outside remembers the log: even when all members sign the new history, it does not.",
    ) as step:
        scene.together.settle()
        owner = scene.together.owner
        witness = Witness(scene.telling.folder / "witness", "patients-association", Ed25519PrivateKey.generate())
        witness.add(owner.cosigning.trust())
        newest = owner.cosigning.newest()
        step.holds("the witness signs the true log", newest is not None and witness.cosign(newest, ()).cosignatures)
        forged, height = _rewritten(owner.ledger.store)
        head = forged.head()
        checkpoint = checkpoint_of(owner.network, head.frontier, head.time)
        keys = [node.signing_key for node in scene.together.nodes.values()]
        public = [key.public_key().public_bytes_raw() for key in keys]
        signed = checkpoint.signed(
            [(one, cosign(checkpoint, one, key.sign)) for one, key in zip(public, keys, strict=True)]
        )
        with step.refused(f"block {height} dated back by 1 ms, signed by all {len(keys)} members", WitnessRefused):
            witness.cosign(signed, ())
        evidence = list((scene.telling.folder / "witness" / "evidence").iterdir())
        step.holds("the two roots are kept as evidence", evidence)
        witness.close()


def _rewritten(store: LedgerStore) -> tuple[LedgerStore, int]:
    """Return a ledger like `store` but for one block's time, and that block's height."""
    forged = memory_store()
    found(forged, KERNEL, store.document, store.header(0).time)
    changed = 0
    for height in range(1, store.head().height + 1):
        block = store.block(height)
        time_ = block.time
        if not changed and time_ - store.header(height - 1).time > 1:
            time_, changed = time_ - 1, height
        transactions = tuple(KERNEL.decode(wire) for wire in block.transactions)
        with forged.committed() as before:
            transition = KERNEL.transition(before, Block(height, time_, transactions))
        forged.commit(transition)
    return forged, changed


def _erasing(scene: _Scene, other: _Patient, patient: _Patient) -> None:
    folder = scene.telling.folder
    backups = {node.member: folder / "backups" / node.member for node in scene.keepers()}
    day_keys = {
        node.member: DayKeys(folder / f"{node.member}.daykeys", node.keys.backup, os.urandom)
        for node in scene.keepers()
    }
    with scene.telling.step(
        "A patient asks to be erased",
        "Closed to every grant at once, deleted after seven days; the wallet alone sees all its cases.",
    ) as step:
        for node in scene.keepers():
            node.vault.backup(backups[node.member], day_keys[node.member])
        before = sum(_searched(scene.together.nodes[member], patient.words, step) for member in patient.links)
        step.holds("the patient's identifiers are found before", before)
        cases = {member: patient.holder.erase(member) for member in patient.links}
        member = next(iter(patient.links))
        with step.refused("the patient's record while the case waits", EdgeError):
            patient.holder.records(member)
        scene.together.clock.advance(8 * DAY_MS)
        moved = sum(erasing.advance(node) for node in scene.keepers())
        scene.together.settle()
        state = scene.together.owner.ledger.read()
        rows = [erasure(state, case) for case in cases.values()]
        step.holds(
            "every holder attests the deletion", all(row and row.status is ErasureStatus.DELETED for row in rows)
        )
        step.figure("cases, one at each holder", moved)
    with scene.telling.step(
        "The drill looks for the patient",
        "Every page, log frame, record and index row is decrypted with the node's own keys and searched.",
    ) as step:
        after = sum(_searched(scene.together.nodes[member], patient.words, step) for member in patient.links)
        step.holds("nothing of the patient is found", after == 0)
        step.figure("places found before, and after", f"{before:,}, {after}")
        for member in other.links:
            checked = scene.together.nodes[member].vault.check()
            step.holds(f"{member}: everyone else's records still verify", not checked.damage and checked.records)
        step.holds("another patient's log still verifies", all(one.proven for one in other.holder.access_log().lines))
    with scene.telling.step(
        "A backup from before is restored",
        "The list of erasures lies outside every backup and is applied before anything answers.",
    ) as step:
        member = next(iter(patient.links))
        node = scene.together.nodes[member]
        with step.refused("restoring without the list of erasures", VaultError):
            _restored(
                node,
                backups[member],
                folder / "refused",
                day_keys[member],
                ErasureList(folder / "none", node.keys.vault),
            )
        erased = _restored(node, backups[member], folder / "restored", day_keys[member], node.vault.erasures)
        step.figure("links the list kept out", erased)
        step.holds("the erased patient does not come back", erased)


def _restored(node: MemberNode, source: Path, folder: Path, keys: DayKeys, erasures: ErasureList) -> int:
    """Restore a backup into a new folder; return how many links the list of erasures kept out."""
    return restore(
        source, folder, member=node.member, key=node.keys.vault, keys=keys, erasures=erasures, entropy=os.urandom
    )


def _searched(node: MemberNode, words: Sequence[bytes], step: Step) -> int:
    """Return in how many places of a node's own files any of the words is found, everything decrypted."""
    report = drill(node.vault.store, node.keys.vault, words)
    index = Path(node.config.data) / "index.db"
    pages = [*pages_of(index, node.keys.index), *frames_of(index.with_name("index.db-wal"), node.keys.index)]
    found_in_index = sum(any(word in page for word in words) for _, page in pages)
    step.figure(
        f"searched at {node.member}", f"{report.pages + report.frames + len(pages):,} pages, {report.records:,} records"
    )
    return len(report.found) + found_in_index


def _replayed(scene: _Scene) -> None:
    with scene.telling.step(
        "The ledger is replayed", "From the genesis document to the newest block, every member reaches the same digest."
    ) as step:
        scene.together.settle()
        head = scene.together.owner.ledger.head()
        told = replay(scene.together.owner.ledger.store, KERNEL)
        step.holds("the replay ends in the same digest", told.app_hash == head.app_hash)
        heads = {node.ledger.store.header(head.height).app_hash for node in scene.together.nodes.values()}
        step.holds("every member has that digest", heads == {head.app_hash})
        step.figure("blocks", told.height)
        step.figure("transactions", told.transactions)
        step.figure("digest", head.app_hash.hex()[:32])


CHAPTER: Final = Records()
