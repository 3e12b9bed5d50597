"""What `salus doctor` looks at: each finding says what is there, whether that is well, and what to do if not."""

import os
import platform
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from salus.contracts.membership.port import tls_keys
from salus.core.errors import SalusError
from salus.core.proof.errors import Unproven
from salus.engines.cometbft.binary import VERSION, find
from salus.engines.errors import EngineError
from salus.engines.replay import replay
from salus.node.config import Config
from salus.node.confirming import lies_apart
from salus.node.errors import EdgeError
from salus.node.exchange.tls import certified_key
from salus.node.local import Opener, owned
from salus.node.mapping import edge_error
from salus.node.member import MemberNode
from salus.node.network.cometbft import has_engine
from salus.node.opening import KERNEL, KEYSTORE, LEDGER, NEXT_KEYSTORE, PASSPHRASE, VAULT, erasures_path

FREE_BYTES: Final = 2 << 30  # below this a day's work of a hospital may not fit
FIRST_YEAR_MS: Final = 1_767_225_600_000  # 2026: no clock that is right shows an earlier time
OLDEST: Final = (3, 11)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    what: str
    well: bool
    told: str
    todo: str = ""


def examine(config: Config, opener: Opener) -> Iterator[Finding]:
    """Look at everything that can be looked at; a running node is left in peace."""
    yield _python()
    yield _clock()
    folder = Path(config.data)
    if not folder.exists():
        yield Finding("data folder", False, f"{folder} is not there", "`salus network card` begins one")
        return
    yield from _folder(folder)
    yield from _keys(config, folder)
    yield _erasures(config, folder)
    yield _engine(config)
    if not (folder / LEDGER).exists():
        yield Finding("ledger", False, "none yet", "`salus network found` or `salus network join`")
        return
    with owned(folder) as ours:
        if not ours:
            yield Finding(
                "node", True, "runs: stop it for the checks of ledger, vault and index, or see `salus network status`"
            )
            return
        yield from _opened(config, opener)


def _python() -> Finding:
    version = platform.python_version()
    return Finding("python", sys.version_info >= OLDEST, version, "Salus needs 3.11 or newer")


def _clock() -> Finding:
    now = time.time_ns() // 1_000_000
    shown = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now // 1000))
    return Finding("clock", now >= FIRST_YEAR_MS, shown, "set the clock; keep it by NTP")


def _folder(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    yield Finding("disk", free >= FREE_BYTES, f"{free >> 20} MiB free", "free some space: writes stop when it is full")
    found = folder.stat()
    private = found.st_uid == os.getuid() and not found.st_mode & 0o077
    mode = f"{stat.S_IMODE(found.st_mode):o}"
    yield Finding("data folder", private, f"mode {mode}", f"chmod 700 {folder}")


def _keys(config: Config, folder: Path) -> Iterator[Finding]:
    keystore = folder / KEYSTORE
    if os.environ.get("CREDENTIALS_DIRECTORY") and not config.passphrase_file:
        yield Finding("keys", True, "from systemd's credential")
        return
    if not keystore.exists():
        yield Finding("keys", False, "no keystore", "`salus network card` makes one")
        return
    yield Finding("keys", True, f"{KEYSTORE}, under a passphrase")
    if (folder / NEXT_KEYSTORE).exists():
        yield Finding("rotation", False, "a rotation of keys was cut off", "start the node: it takes the keys in force")
    passphrase = Path(config.passphrase_file) if config.passphrase_file else folder / PASSPHRASE
    if not passphrase.exists():
        yield Finding("passphrase", False, "its file is not there", "set passphrase_file")
        return
    apart = passphrase.stat().st_dev != keystore.stat().st_dev
    yield Finding(
        "passphrase",
        apart,
        "on another disk than the keystore" if apart else "on the same disk as the keystore: a stolen disk opens all",
        "set passphrase_file to a file on another disk, or use systemd-creds",
    )


def _erasures(config: Config, folder: Path) -> Finding:
    path = erasures_path(config, folder)
    apart = path.exists() and path.stat().st_dev != folder.stat().st_dev
    told = "on another disk than the vault" if apart else "on the same disk as the vault: an old image brings both back"
    if not apart and lies_apart(config):
        told = "outside the data folder, on the same disk: an image of the disk brings both back"
    if not path.exists() and (folder / VAULT).exists():
        told = "is not there: the vault does not open without it"
    return Finding("erasures", apart, told, "move the list to another disk and set erasures_file")


def _engine(config: Config) -> Finding:
    """Say who orders the ledger, and whether what that takes is here."""
    if has_engine(config):
        program = find(os.environ)
        if program is None:
            return Finding("engine", False, f"CometBFT {VERSION} is not here", "`salus engine install`")
        return Finding("engine", True, f"CometBFT {VERSION}, {program}")
    if config.ledger.owner:
        told = f"follows {config.ledger.owner} at {config.ledger.url}"
        return Finding("engine", bool(config.ledger.url), told, "set ledger.url")
    return Finding("engine", True, "embedded: this member orders the ledger")


def _opened(config: Config, opener: Opener) -> Iterator[Finding]:
    try:
        node = opener(config)
    except (SalusError, Unproven, OSError) as error:
        yield _failed("node", error)
        return
    try:
        if isinstance(node, MemberNode):
            yield from _node(node)
    finally:
        node.close()


def _node(node: MemberNode) -> Iterator[Finding]:
    head = node.ledger.head()
    ahead = head.time - node.now()
    yield Finding("ledger clock", ahead <= 0, f"head is {-ahead // 1000} s old", "the clock is behind the ledger's")
    try:
        found = replay(node.ledger.store, KERNEL)
        yield Finding("ledger", True, f"{found.height + 1} blocks give again what is stored")
    except EngineError as error:
        yield _failed("ledger", error)
    report = node.vault.check()
    told = f"{report.records} records, {report.disclosures} journal lines, {len(report.damage)} damaged"
    yield Finding("vault", not report.damage, told, "see `salus records check`; restore from a backup")
    unanchored = len(node.vault.unanchored())
    yield Finding("anchors", not unanchored, f"{unanchored} batches wait", "`salus records anchor`, or start the node")
    behind = len(node.vault.since(node.index.position(), 1))
    yield Finding("index", not behind, f"at record {node.index.position()}", "start the node: it catches up")
    yield _tls(node)
    waiting = len(node.desk.waiting())
    yield Finding("deliveries", not waiting, f"{waiting} wait", "`salus deliveries waiting`")


def _tls(node: MemberNode) -> Finding:
    """Say whether the own certificate is one that other members' nodes take."""
    certified, file = tls_keys(node.ledger.read(), node.member), node.config.http.tls_certificate
    if not certified:
        return Finding("TLS", True, "no key certified: others go by the certificate's authority alone")
    if not file:
        return Finding("TLS", True, f"{len(certified)} keys certified; a proxy in front must answer with one of them")
    try:
        answers = certified_key(Path(file).read_bytes()) in certified
    except (OSError, EdgeError) as error:
        return Finding(
            "TLS", False, f"the certificate cannot be read: {type(error).__name__}", "see http.tls_certificate"
        )
    told = "the certificate's key is certified" if answers else "the certificate has another key than the certified one"
    return Finding("TLS", answers, told, "`salus network certify`: no other member's node talks to this one")


def _failed(what: str, error: Exception) -> Finding:
    told = edge_error(error) if isinstance(error, SalusError | Unproven) else None
    if told is None:
        return Finding(what, False, type(error).__name__, "please report this")
    return Finding(what, False, f"{told.code}: {told.message}", told.todo)
