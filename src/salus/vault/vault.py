"""A member's vault: the one door to its sealed records, links, journal and batches.

    vault = Vault(folder, member="north-hospital", key=database_key, clock=now_ms, entropy=os.urandom)
    link = vault.open_link("https://north.example/mrn", "4711")
    (ref,) = vault.write(link, [Content("Observation", "bp-1", raw)])      # durable
    batch = vault.next_batch()                                             # its root goes to the ledger
    vault.anchored(batch.number, tx_id, height, receipt)
    vault.open(ref.number).content.body

A vault belongs to one process. Its methods may be called from any thread; writes are serial.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core.proof import merkle
from salus.core.proof.digest import mac
from salus.vault import batches, enrolled, journal, links, records
from salus.vault.backup import DayKeys, Manifest
from salus.vault.backup import backup as write_backup
from salus.vault.batches import Anchoring, Batch, Place, Trees
from salus.vault.enrolled import LinkKey
from salus.vault.enrolment import Instruction
from salus.vault.envelope import ReceiveKey
from salus.vault.erasure import ErasureList, ErasureReport, apply_list, erase, stand
from salus.vault.errors import Damaged, Erased, NotAnchored, SealBroken, VaultError
from salus.vault.grouping import Grouping
from salus.vault.journal import Disclosure, Line, Side
from salus.vault.links import LinkInfo, LinkKind, Standing
from salus.vault.records import Lines, Record, Ref, no_lines
from salus.vault.sealing import Clock, Content, Entropy, Link, chain_start, chain_value, take_apart
from salus.vault.segments import SegmentStore
from salus.vault.served import Pulled, Served
from salus.vault.store import Store

_START_CHECK: Final = 64
"""Newest records that are verified at every start; `check` verifies all."""
_TOGETHER: Final = 64
"""Calls whose journal lines share one commit."""


class Report(msgspec.Struct, frozen=True):
    """What `check` verified, and what it found: each finding names a record, batch, line, link or file."""

    records: int
    disclosures: int
    batches: int
    damage: tuple[str, ...]


class Vault:
    """See the module's docstring. Context manager; `close` lets go of the folder."""

    def __init__(
        self,
        folder: Path,
        *,
        member: str,
        key: bytes,
        clock: Clock,
        entropy: Entropy,
        segments: SegmentStore | None = None,
        erasures: Path | None = None,
        vfs: str | None = None,
    ) -> None:
        """Open or create the vault of `member` in `folder` under the 32-byte database `key`.

        `clock` returns Unix milliseconds, `entropy` random bytes; `segments` defaults to files below the folder;
        `erasures` is where the list of erasures lies, by default beside the folder (`<folder>.erasures`): better on
        another disk. Cuts what was never acknowledged, finishes listed erasures, verifies the newest records.
        Raises WrongKey, Damaged, Stopped, RestoreRefused (the list of erasures is missing or too old).
        """
        self.store = Store(folder, member=member, key=key, clock=clock, entropy=entropy, segments=segments, vfs=vfs)
        self._trees = Trees()
        self._lines = Grouping(self._journal, _TOGETHER)
        self.erasures = ErasureList(erasures or folder.with_name(folder.name + ".erasures"), key)
        try:
            if not self.store.row("SELECT 1 FROM link"):
                self.erasures.create()
            apply_list(self.store, self.erasures)
            newest = self.store.rows(
                "SELECT number FROM record WHERE wrap <> x'' ORDER BY number DESC LIMIT ?", (_START_CHECK,)
            )
            records.open_records(self.store, [int(row[0] or 0) for row in newest])
        except VaultError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder. Idempotent."""
        self.store.close()

    @property
    def member(self) -> str:
        """The member id that this vault writes as."""
        return self.store.member

    # Links

    def open_link(self, assigner: str, identifier: str) -> bytes:
        """Return the link id (16 bytes) of a patient of this member, opening the link at first sight; durable."""
        return links.open_links(self.store, [(assigner, identifier)])[0]

    def open_links(self, patients: Sequence[tuple[str, str]]) -> list[bytes]:
        """As `open_link` for many (assigner, identifier) pairs in one commit."""
        return links.open_links(self.store, patients)

    def open_lease(self, grant: bytes) -> bytes:
        """Return the link that holds what is pulled under a grant id (32 bytes); never anchored, erased whole."""
        return links.open_lease(self.store, grant)

    def house_link(self) -> bytes:
        """Return the link of resources that belong to no patient."""
        return links.house_link(self.store)

    def find_link(self, assigner: str, identifier: str) -> bytes | None:
        """Return a link id without opening one."""
        return links.find_link(self.store, assigner, identifier)

    def add_identifier(self, link: bytes, assigner: str, identifier: str) -> None:
        """Know a link by one more identifier. Raises UnknownLink, Erased, TooLarge."""
        links.add_identifier(self.store, link, assigner, identifier)

    def identifiers(self, link: bytes) -> list[tuple[str, str]]:
        """Return the (assigner, identifier) pairs of a link."""
        return links.identifiers(self.store, link)

    def link_info(self, link: bytes) -> LinkInfo:
        """Return kind, standing and counts of a link. Raises UnknownLink."""
        return links.link_info(self.store, link)

    def link_mac(self, link: bytes, label: str, *parts: bytes) -> bytes:
        """Return an HMAC under a link's secret, which its wallet can compute too. Raises UnknownLink, Erased."""
        return mac(links.secret_of(self.store, link), label, *parts)

    def link_macs(self, wanted: Sequence[bytes], label: str, *parts: bytes) -> list[bytes]:
        """As `link_mac` for many links."""
        return [mac(secret, label, *parts) for secret in links.secrets_of(self.store, wanted)]

    def link_infos(self) -> dict[bytes, LinkInfo]:
        """As `link_info` for all links that are not erased, by id."""
        return links.link_infos(self.store)

    def links(self) -> list[bytes]:
        """Return the ids of all links that are not erased."""
        return links.links(self.store)

    # Records

    def write(self, link: bytes, contents: Sequence[Content]) -> list[Ref]:
        """Seal and store contents under a link, all or none, durable on return; refs in the order given.

        Same type, id and bytes as the newest version: a no-op (`fresh` is False). Other bytes: the next version.
        Raises UnknownLink, Erased, TooLarge, StorageFull, Stopped.
        """
        return records.write_all(self.store, [(link, content) for content in contents])

    def write_all(self, items: Sequence[tuple[bytes, Content]], lines: Lines = no_lines) -> list[Ref]:
        """As `write` for (link id, content) pairs of many links under one fdatasync and one commit.

        `lines` says of what is stored as new which journal lines are written in the same commit.
        """
        return records.write_all(self.store, items, lines)

    def open(self, number: int) -> Record:
        """Return a record, verified byte by byte. For the member's own use; journal it first.

        Raises UnknownRecord, Erased, Damaged.
        """
        return records.open_record(self.store, number)

    def open_many(self, numbers: Iterable[int]) -> list[Record]:
        """As `open` for many records."""
        return records.open_records(self.store, numbers)

    def versions(self, link: bytes, type_: str, id_: str) -> list[Ref]:
        """Return all versions of a resource, oldest first; the last may be a tombstone."""
        return records.refs_of(self.store, link, type_, id_)

    def newest(self, link: bytes, type_: str, id_: str) -> Ref | None:
        """Return the newest version of a resource, possibly a tombstone, or None."""
        found = self.versions(link, type_, id_)
        return found[-1] if found else None

    def withdraw(self, link: bytes, type_: str, id_: str) -> list[Ref]:
        """Destroy the keys of every version of a resource but tombstones, for good; return what no longer opens.

        What was filed under the wrong patient opens for nobody who has this link. Idempotent.
        """
        return records.withdraw(self.store, link, type_, id_)

    def of_link(self, link: bytes, after: int = 0, limit: int = -1) -> list[Ref]:
        """Return the refs of a link behind its sequence `after`, in order."""
        return [row.ref for row in records.stored_of_link(self.store, link, after, limit)]

    def since(self, number: int, limit: int = 1_000) -> list[Ref]:
        """Return up to `limit` refs behind record `number`, in order of writing: how an index catches up."""
        return [row.ref for row in records.stored_since(self.store, number, limit)]

    # Batches

    def next_batch(self) -> Batch | None:
        """Close pending leaves into a batch, durably, or return None. Anchor its root, then call `anchored`."""
        return batches.next_batch(self.store)

    def unanchored(self) -> list[Batch]:
        """Return batches whose root is not known to be on the ledger: submit them again after a restart."""
        return batches.unanchored(self.store)

    def anchored(self, batch: int, tx_id: bytes, height: int, receipt: bytes = b"") -> None:
        """Note, durably, the transaction (32-byte id), height and receipt of a batch; a newer receipt replaces.

        Raises UnknownBatch, Refused.
        """
        batches.anchored(self.store, batch, tx_id, height, receipt)

    def anchoring(self, batch: int) -> Anchoring:
        """Return a batch's root, size and place on the ledger. Raises UnknownBatch."""
        return batches.anchoring(self.store, batch)

    def sizes(self, numbers: Sequence[int]) -> list[tuple[str, int]]:
        """Return (type, sealed bytes) of records. Raises UnknownRecord."""
        found = [records.stored(self.store, number) for number in numbers]
        return [(row.ref.type, row.length) for row in found]

    def is_anchored(self, number: int) -> bool:
        """Say whether a record's batch is on the ledger. Raises UnknownRecord, Erased."""
        try:
            batches.anchored_place(self.store, self._trees, records.stored(self.store, number).entry)
        except NotAnchored:
            return False
        return True

    def anchoring_of(self, number: int) -> Anchoring | None:
        """Return where the ledger holds a record's batch, None while it waits. Raises UnknownRecord, Erased."""
        try:
            at = batches.anchored_place(self.store, self._trees, records.stored(self.store, number).entry)
        except NotAnchored:
            return None
        return batches.anchoring(self.store, at.batch)

    def leaves_of(self, numbers: Sequence[int]) -> list[tuple[bytes, Place]]:
        """Return leaf and place of each record that is anchored, in order: they stay when the record is erased. Raises UnknownRecord, Erased."""
        found = []
        for number in numbers:
            row = records.stored(self.store, number)
            with suppress(NotAnchored):
                found.append((row.leaf, batches.anchored_place(self.store, self._trees, row.entry)))
        return found

    def batch_path(self, batch: int, index: int) -> tuple[bytes, ...]:
        """Return the path of a batch's leaf, nearest sibling first. Raises UnknownBatch, Damaged, IndexError."""
        with self.store.lock:
            return tuple(merkle.path_in(self._trees.of(self.store, batch), index))

    def seal_for_pull(self, numbers: Sequence[int], *, retained: bool = False) -> Pulled:
        """Return sealed records with data keys, salts and paths, for another member that may have exactly these.

        With `retained` also those of a link that is retained for a reason in law: for its patient, and for a trial that goes on.

        Raises NotAnchored, Erased (also for a link closed by an erasure), UnknownRecord, Damaged; then nothing
        is served.
        """
        served, anchorings = [], {}
        served_of = (Standing.OPEN, Standing.RETAINED) if retained else (Standing.OPEN,)
        keys: dict[bytes, bytes] = {}
        with self.store.lock:
            for row in records.stored_all(self.store, numbers):
                if row.standing not in served_of:
                    raise Erased("the link is closed by an erasure")
                at = batches.anchored_place(self.store, self._trees, row.entry)
                sealed, data_key = records.sealed_and_key(self.store, row, keys)
                if at.batch not in anchorings:
                    anchorings[at.batch] = batches.anchoring(self.store, at.batch)
                served.append(
                    Served(
                        sealed=b"".join((sealed.header, sealed.commitment, sealed.chain, sealed.ciphertext)),
                        data_key=data_key,
                        salt=row.salt,
                        root=anchorings[at.batch].root,
                        size=anchorings[at.batch].size,
                        index=at.index,
                        path=at.path,
                    )
                )
        return Pulled(tuple(served), tuple(anchorings.values()))

    def chain_of(self, link: bytes, after: int = 0, limit: int = -1) -> list[Link]:
        """Return up to `limit` openings of a link's chain behind sequence `after`: for the link's wallet only."""
        return [
            Link(row.ref.sequence, row.previous, row.chain_salt, self._chain_value(row), row.leaf)
            for row in records.stored_of_link(self.store, link, after, limit)
        ]

    def _chain_value(self, row: records.Stored) -> bytes:
        return take_apart(self.store.segments.read(row.segment, row.offset, row.length)).chain

    # Journal

    def journal(self, disclosures: Sequence[Disclosure]) -> list[int]:
        """Write journal lines, all or none, durable on return; return their entries.

        Lines that others write meanwhile go with the same commit. Raises UnknownLink, TooLarge, StorageFull, Stopped.
        """
        return self._lines.finish(self._lines.enlist(disclosures)) if disclosures else []

    def _journal(self, many: Sequence[Sequence[Disclosure]]) -> list[list[int]]:
        entries = iter(journal.append_lines(self.store, [line for lines in many for line in lines]))
        return [list(islice(entries, len(lines))) for lines in many]

    def line(self, entry: int) -> Line:
        """Return a journal line with opening and proof."""
        return journal.lines_at(self.store, self._trees, (entry,))[0]

    def lines_at(self, entries: Sequence[int]) -> list[Line]:
        """As `line` for many entries, in their order."""
        return journal.lines_at(self.store, self._trees, entries)

    def lines(self, side: Side, subject: bytes, after: int = 0, limit: int = -1) -> list[Line]:
        """Return a link's (custodian) or grant's (grantee) lines behind line `after`, with openings and proofs."""
        return journal.lines(self.store, self._trees, side, subject, after=after, limit=limit)

    def forget_lines(self, before: int) -> int:
        """Delete journal lines older than `before` (Unix ms), whose legal term has ended; return how many."""
        return journal.forget_lines(self.store, before)

    # Patients' wallets

    def invite(self, link: bytes) -> bytes:
        """Return an invitation (16 bytes) to enrol a patient's link: once, within 15 minutes. Raises UnknownLink."""
        return enrolled.invite(self.store, link)

    def enrol(self, claim: bytes, *, network: bytes, receive: ReceiveKey, sign: Ed25519PrivateKey) -> bytes:
        """Answer a wallet's sealed claim with a sealed welcome that holds the link secret.

        `receive` and `sign` are the member's keys. Raises EnvelopeRefused, Refused.
        """
        return enrolled.enrol(self.store, claim, network=network, receive=receive, sign=sign)

    def confirm(self, link: bytes, signature: bytes) -> None:
        """Obey a link key from now on: it signed the transcript. Raises Refused."""
        enrolled.confirm(self.store, link, signature)

    def link_key(self, link: bytes) -> LinkKey:
        """Return key, standing, counter and commitments of an enrolled link. Raises UnknownLink."""
        return enrolled.link_key(self.store, link)

    def obey(self, instruction: bytes, *, network: bytes) -> Instruction:
        """Verify a signed instruction, spend its counter, and return it to be carried out. Raises Refused."""
        return enrolled.obey(self.store, instruction, network=network)

    def publish_certificate(self, link: bytes, certificate: bytes) -> None:
        """Obey a link key in revocation only, from now on. Raises UnknownLink, Refused."""
        enrolled.publish_certificate(self.store, link, certificate)

    def put_wallet(
        self, locator: bytes, write_key: bytes, version: int, *, file: bytes, signature: bytes, link: bytes
    ) -> None:
        """Store a wallet's sealed file if it is the next version and within its link's limits. Raises Refused."""
        enrolled.put_wallet(self.store, locator, write_key, version, file=file, signature=signature, link=link)

    def get_wallet(self, locator: bytes) -> tuple[int, bytes]:
        """Return version and sealed file under a locator. Raises UnknownWallet."""
        return enrolled.get_wallet(self.store, locator)

    def drop_wallet(self, locator: bytes, signature: bytes) -> None:
        """Delete a wallet's file on its owner's word. Raises UnknownWallet, Refused."""
        enrolled.drop_wallet(self.store, locator, signature)

    # Erasure and backup

    def close_link(self, link: bytes) -> None:
        """Close a link to every grant at once: an erasure was asked for. Raises UnknownLink, Erased."""
        stand(self.store, link, Standing.CLOSED)

    def reopen_link(self, link: bytes) -> None:
        """Serve a link again: the erasure was cancelled. Raises UnknownLink, Erased."""
        stand(self.store, link, Standing.OPEN)

    def retain_link(self, link: bytes, reason: str) -> None:
        """Keep a link's content for a legal reason class, closed to every grant. Raises UnknownLink, Erased."""
        stand(self.store, link, Standing.RETAINED, reason)

    def erase_link(self, link: bytes, case: bytes = b"") -> ErasureReport:
        """Erase a link's content for good (also a lease: a purge); on return it is off the disk's live files.

        `case` is the 16-byte case id for the list. Index rows are the index's to delete. Idempotent.
        Raises UnknownLink, Refused (retained), StorageFull, Stopped.
        """
        return erase(self.store, self.erasures, link, case)

    def backup(self, destination: Path, keys: DayKeys) -> Manifest:
        """Write a backup into an empty folder. `backup.restore` puts it back. Raises RestoreRefused, OSError."""
        return write_backup(self.store, destination, keys)

    # Itself

    def check(self, heard: Callable[[int], None] = lambda _: None) -> Report:
        """Verify every byte stored: records, leaves, chains, journal lines, batches, the database's pages.

        `heard` is told how many records are checked, a thousand at a time.
        """
        damage: list[str] = []
        count = 0
        heads: dict[bytes, tuple[int, bytes]] = {}
        keys: dict[bytes, bytes] = {}
        with self.store.lock:
            after = 0
            while rows := records.stored_since(self.store, after, 1_000):
                after = rows[-1].ref.number
                count += len(rows)
                for row in rows:
                    damage += self._check_record(row, heads, keys)
                heard(count)
            lines, broken_lines = journal.check_lines(self.store)
            made, broken_batches = batches.check_batches(self.store)
            for (told,) in self.store.rows("PRAGMA integrity_check"):
                if told != "ok":
                    damage.append("database: " + str(told))
        return Report(count, lines, made, (*damage, *broken_lines, *broken_batches))

    def _check_record(
        self, row: records.Stored, heads: dict[bytes, tuple[int, bytes]], keys: dict[bytes, bytes]
    ) -> list[str]:
        found = []
        sequence, leaf = heads.get(row.ref.link) or (0, chain_start(row.ref.link))
        try:
            with suppress(Erased):  # withdrawn: its bytes are what its leaf stands for, and open no longer
                records.read_stored(self.store, row, keys)
            chained = chain_value(row.chain_salt, row.ref.sequence, row.previous) == self._chain_value(row)
            if row.ref.sequence != sequence + 1 or row.previous != leaf or not chained:
                found.append(f"record {row.ref.number}: it does not follow the record before it under its link")
        except (Damaged, SealBroken) as error:
            found.append(str(error))
        heads[row.ref.link] = (row.ref.sequence, row.leaf)
        return found


__all__ = ["LinkKind", "Report", "Vault"]
