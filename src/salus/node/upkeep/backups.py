"""`backup make`, `restore`: a node's work on another disk, and back without whom the list of erasures names.

A backup holds the vault (sealed under the day's key), the desk and the accounts (sealed likewise) and the ledger's blocks. Keys are in none:
keep `keys.salus`, its passphrase and `backup.keys` elsewhere. A restored ledger is executed again block by block, and a
follower's goes on from there. Backups open for 29 days; then the day's key is destroyed, and what was erased is erased.
"""

import contextlib
import shutil
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.errors import Rejected
from salus.core.kernel import Block
from salus.core.proof.digest import mac
from salus.engines.embedded import found
from salus.engines.errors import EngineError
from salus.engines.store import LedgerStore, StoredBlock, lmdb_store
from salus.node.claim_tables import RESTORED
from salus.node.desk import Desk
from salus.node.errors import Conflict, Malformed, NotFound, Unavailable
from salus.node.member import MemberNode
from salus.node.opening import ACCOUNTS, DESK, KERNEL, LEDGER, VAULT, Unfounded, day_keys, erasures_path, keys_of
from salus.node.records.charts import moment
from salus.node.usecase import OPERATOR, Message, Progress, use_case
from salus.vault.backup import open_file, restore, seal_file, write_file
from salus.vault.erasure import ErasureList
from salus.vault.keystore import Keys
from salus.vault.segments import sync_folder

BLOCKS: Final = "ledger.blocks"
RESTORING: Final = "ledger.restoring"
"""The ledger while it is restored: where it lies, a restore is under way, or was cut off."""
DESK_FILE: Final = "desk.db.sealed"
ACCOUNTS_FILE: Final = "accounts.db.sealed"
DAY_MS: Final = 24 * 3600 * 1000
CHUNK: Final = 1_000
FOLDER = Annotated[
    str,
    Meta(
        min_length=1,
        description="Folder of the backup.",
        examples=["/mnt/backup/2026-11-25"],
        extra={"positional": True, "path": True},
    ),
]


class MakeBackup(Message, frozen=True):
    """Where to write it: a new or empty folder, on another disk."""

    folder: FOLDER


class BackedUp(Message, frozen=True):
    """The backup is written and durable."""

    files: Annotated[int, Meta(description="Files in it.")]
    bytes: Annotated[int, Meta(description="Bytes in it.")]
    height: Annotated[int, Meta(description="Newest block in it.")]
    expired: Annotated[int, Meta(description="Day keys destroyed because their backups are 29 days old or older.")]


class AskDays(Message, frozen=True):
    """Asks for nothing more."""


class BackupDays(Message, frozen=True):
    """When backups were made that still open. Where they lie, whoever made them knows."""

    days: Annotated[tuple[str, ...], Meta(description="Days, the newest first.")]


class RestoreBackup(Message, frozen=True):
    """Which backup. The data folder holds the keystore, `backup.keys` and the list of erasures, nothing else."""

    folder: FOLDER


class Restored(Message, frozen=True):
    """The node can be opened again."""

    height: Annotated[int, Meta(description="Newest block, executed again.")]
    erased: Annotated[int, Meta(description="Links in the backup that the list of erasures kept out.")]


class Blocks(Value, frozen=True):
    """The ledger in a backup: what founded it, and its blocks."""

    document: bytes
    time: int
    blocks: tuple[StoredBlock, ...]


@use_case("backup.make", who=OPERATOR)
def make_backup(node: MemberNode, request: MakeBackup, *, progress: Progress) -> BackedUp:
    """Back up vault, desk and ledger into a folder. A running node may go on; writing waits for moments."""
    try:
        return _written(node, Path(request.folder), progress)
    except OSError as error:
        raise Unavailable(
            "backup.folder", "the backup cannot be written there", got=str(error.strerror), todo="choose another folder"
        ) from error


def expire(node: MemberNode) -> int:
    """Destroy the day keys of expired backups, whether or not new ones are made; return how many."""
    return len(node.day_keys().expire(node.sound_time() // DAY_MS))


@use_case("backup.days", who=OPERATOR)
def backup_days(node: MemberNode, request: AskDays) -> BackupDays:  # noqa: ARG001 -- a use case
    """List the days on which backups were made that still open: their keys are kept for 30 days."""
    known = day_keys(node.config, node.keys, node.entropy).days()
    return BackupDays(days=tuple(moment(day * DAY_MS)[:10] for day in reversed(known)))


def _written(node: MemberNode, folder: Path, progress: Progress) -> BackedUp:
    keys = node.day_keys()
    expired = keys.expire(node.sound_time() // DAY_MS)
    manifest = node.vault.backup(folder, keys)
    progress(1, 3, "backup")
    for name, file in ((DESK_FILE, node.desk), (ACCOUNTS_FILE, node.accounts)):
        write_file(folder / name, seal_file(keys.of(manifest.day), name, file.whole(), node.entropy))
    progress(2, 3, "backup")
    head = node.ledger.head()
    told = Blocks(
        node.ledger.store.document,
        node.ledger.store.header(0).time,
        tuple(node.ledger.store.block(height) for height in range(1, head.height + 1)),
    )
    write_file(folder / f"{BLOCKS}.new", encode(told))
    (folder / f"{BLOCKS}.new").replace(folder / BLOCKS)  # last: a folder without it is no backup
    sync_folder(folder)
    progress(3, 3, "backup")
    files = [path for path in folder.rglob("*") if path.is_file()]
    return BackedUp(
        files=len(files), bytes=sum(path.stat().st_size for path in files), height=head.height, expired=len(expired)
    )


@use_case("backup.restore", who=OPERATOR)
def restore_backup(node: Unfounded, request: RestoreBackup, *, progress: Progress) -> Restored:
    """Put a backup back into a data folder that holds keys and the list of erasures, and nothing else.

    Refuses without the list of erasures, with an older one, or after the backup's day key was destroyed; then, and when
    it was cut off before, nothing of it stays.
    """
    folder, source = Path(node.config.data), Path(request.folder)
    keys = keys_of(node.config)
    if (folder / RESTORING).exists():  # a restore was cut off
        _drop(folder)
    for name in (VAULT, LEDGER, DESK, ACCOUNTS):
        if (folder / name).exists():
            raise Conflict("backup.not-empty", "the data folder is not empty", got=name, todo="restore into a new one")
    if not (source / BLOCKS).is_file():
        raise NotFound(
            "backup.none", "the folder holds no backup", got=source.name, todo="name the one `salus backup make` filled"
        )
    (folder / RESTORING).mkdir(mode=0o700)
    with contextlib.ExitStack() as undo:
        undo.callback(_drop, folder)
        erased = _put_back(node, keys, source)
        height = _replay(folder / RESTORING, source / BLOCKS, progress)
        (folder / RESTORING).replace(folder / LEDGER)  # last: what has no ledger is no node yet
        sync_folder(folder)
        undo.pop_all()
    return Restored(height=height, erased=erased)


def _put_back(node: Unfounded, keys: Keys, source: Path) -> int:
    """Put vault, desk and accounts back; return how many links the list of erasures kept out."""
    folder = Path(node.config.data)
    days = day_keys(node.config, keys, node.entropy)
    erasures = ErasureList(erasures_path(node.config, folder), keys.vault)
    erased = restore(
        source, folder / VAULT, member=keys.member, key=keys.vault, keys=days, erasures=erasures, entropy=node.entropy
    )
    day = int.from_bytes((source / "manifest").read_bytes()[:4], "big")
    for name, sealed in ((DESK, DESK_FILE), (ACCOUNTS, ACCOUNTS_FILE)):
        write_file(folder / name, open_file(days.known(day), sealed, (source / sealed).read_bytes()))
    desk = Desk(folder / DESK, mac(keys.vault, "salus/v1/desk"))
    for entry in erasures.read():
        desk.set_contact(entry.link, "")
        desk.drop_corrections(entry.link)
        desk.drop_choices(entry.link)
        desk.drop_pairs(entry.link)
        desk.drop_health_link(entry.link)
        desk.drop_hosting(entry.link)
        desk.keep_event_away(entry.link)
    desk.keep_claims((), [(RESTORED, b"1")])  # numbers given out since are not given again
    desk.close()
    return erased


def _drop(folder: Path) -> None:
    """Take away what a restore put into a folder that held nothing of it."""
    for name in (VAULT, f"{VAULT}.restoring"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (DESK, ACCOUNTS):
        for beside in ("", "-wal", "-shm"):  # SQLite's own files
            (folder / f"{name}{beside}").unlink(missing_ok=True)
    shutil.rmtree(folder / RESTORING, ignore_errors=True)  # last: it says that the others are to go


def _replay(ledger: Path, file: Path, progress: Progress) -> int:
    """Execute a backup's blocks into a new store; return the height reached. Raises Malformed."""
    try:
        told = decode(file.read_bytes(), Blocks)
        store = lmdb_store(ledger)
        try:
            found(store, KERNEL, told.document, told.time)
            for stored in told.blocks:
                _execute(store, stored)
                if stored.height % CHUNK == 0:
                    progress(stored.height, len(told.blocks), "blocks")
            return store.head().height
        finally:
            store.close()
    except (MalformedBytes, Rejected, EngineError) as error:
        raise Malformed(
            "backup.blocks", "the backup's blocks do not execute", got=type(error).__name__, todo="use another backup"
        ) from error


def _execute(store: LedgerStore, stored: StoredBlock) -> None:
    transactions = tuple(KERNEL.decode(wire) for wire in stored.transactions)
    for transaction in transactions:
        KERNEL.authenticate(transaction)
    with store.committed() as before:
        transition = KERNEL.transition(before, Block(stored.height, stored.time, transactions))
    if transition.chain.app_hash != stored.app_hash:
        raise Malformed(
            "backup.blocks",
            "a block gives another digest than it had",
            got=str(stored.height),
            todo="restore another backup; this one was altered or damaged",
        )
    store.commit(transition)
