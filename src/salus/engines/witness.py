"""A witness: somebody outside who remembers the newest checkpoint of a log and signs only what continues it.

It keeps, for each network, the trust it has reached (pinned size and root, cosigners) and the checkpoint it signed
last. What it is asked to sign must be signed by enough cosigners and begin with the pinned log: the rules are those of
every verifier (`salus.core.proof.trust`), applied with the witness's own signature in place, which is given out only if
they hold and once the new pin is on disk. A log whose owner rewrote it finds no signature here any more.
"""

import contextlib
import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core.checkpoint import cosign
from salus.core.proof.checkpoint import Checkpoint, CosignerChange
from salus.core.proof.errors import MalformedProof, Unproven, Unwitnessed
from salus.core.proof.merkle import EMPTY_ROOT
from salus.core.proof.trust import Trust
from salus.engines.checkpoints import Cosigning
from salus.engines.errors import EngineError, NotKept, OtherLedger, StoreDamaged
from salus.engines.lmdbfile import lock_folder
from salus.engines.receipts import Prover

FORMAT: Final = "salus-witness/1"
MAX_NETWORKS: Final = 1_000  # a file each, read at start
MAX_EVIDENCE: Final = 100  # files a network; the first ones tell the story


class Refused(EngineError):
    """The witness does not sign. `held` is what it signed last, `offered` what it was asked to sign.

    If both have one size and two roots, the two together prove the fork to anybody.
    """

    def __init__(self, why: str, held: Checkpoint | None, offered: Checkpoint) -> None:
        self.held = held
        self.offered = offered
        super().__init__(why)


class WitnessPort(Protocol):
    """A witness as a node asks it: in this process, or over HTTP."""

    def pinned(self, network: bytes) -> Trust:
        """Return what the witness has reached. Raises NotKept for a network it does not know."""
        ...

    def cosign(self, checkpoint: Checkpoint, path: tuple[bytes, ...]) -> Checkpoint:
        """Return the checkpoint signed by the witness alone. Raises Refused or NotKept."""
        ...

    def follow(self, change: CosignerChange, path: tuple[bytes, ...]) -> None:
        """Go on to the next cosigner set. Raises Refused or NotKept."""
        ...


class Witness:
    """A witness with its memory in `folder`, made if missing. Raises StoreLocked or StoreDamaged."""

    def __init__(self, folder: Path, name: str, key: Ed25519PrivateKey) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._lock_file = lock_folder(folder)
        self._name = name
        self._sign = key.sign
        self.key = key.public_key().public_bytes_raw()
        self._lock = threading.Lock()
        try:
            self._reached = {
                bytes.fromhex(file.stem): _load(file) for file in sorted(folder.glob("*.json"))[:MAX_NETWORKS]
            }
        except StoreDamaged:
            os.close(self._lock_file)
            raise

    @property
    def name(self) -> str:
        """The name under which trust files list this witness."""
        return self._name

    def close(self) -> None:
        """Let go of the folder."""
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    def add(self, trust: Trust) -> None:
        """Begin to witness a network, from its trust file. Raises OtherLedger if it is known, MalformedProof."""
        with self._lock:
            if trust.network in self._reached:
                raise OtherLedger("this network is witnessed already; its pin only moves forward")
            if len(self._reached) >= MAX_NETWORKS:
                raise OtherLedger(f"{MAX_NETWORKS} networks are witnessed already")
            self._keep(replace(trust, witnesses=((self._name, self.key),), witnesses_needed=1), None)

    def pinned(self, network: bytes) -> Trust:
        """Return what was reached of a network. Raises NotKept."""
        if network not in self._reached:
            raise NotKept("this network is not witnessed here")
        return self._reached[network][0]

    def cosign(self, checkpoint: Checkpoint, path: tuple[bytes, ...]) -> Checkpoint:
        """Return the checkpoint signed by this witness alone; `path` leads from the pinned size to it.

        Raises NotKept for a network that is not witnessed, else Refused.
        """
        with self._lock:
            trust = self.pinned(checkpoint.network)
            held = self._reached[checkpoint.network][1]
            bare = replace(checkpoint, cosignatures=())
            if held is not None and bare == replace(held, cosignatures=()):
                return self._signed(bare)
            if checkpoint.size < trust.size or (checkpoint.size == trust.size and held is not None):
                self._note(held, checkpoint, trust)
                raise Refused(f"size {checkpoint.size} does not continue size {trust.size}", held, checkpoint)
            signed = checkpoint.signed([(self.key, cosign(bare, self.key, self._sign))])
            try:
                _unpinned(trust).accept_checkpoint(signed)
                reached = trust.advanced(signed, path)
            except Unproven as error:
                self._note(held, checkpoint, trust)
                raise Refused(f"{type(error).__name__}: {error}", held, checkpoint) from error
            self._keep(reached, checkpoint)
            return self._signed(bare)

    def follow(self, change: CosignerChange, path: tuple[bytes, ...]) -> None:
        """Go on to the next cosigner set; `path` leads from its size to the pinned size. Raises NotKept or Refused."""
        with self._lock:
            trust = self.pinned(change.network)
            held = self._reached[change.network][1]
            try:
                reached = trust.followed(change, path)
            except Unproven as error:
                offered = Checkpoint(change.network, change.size, change.root, 0)
                raise Refused(f"{type(error).__name__}: {error}", held, offered) from error
            self._keep(reached, held)

    def _signed(self, bare: Checkpoint) -> Checkpoint:
        return bare.signed([(self.key, cosign(bare, self.key, self._sign))])

    def _keep(self, trust: Trust, checkpoint: Checkpoint | None) -> None:
        document = {
            "format": FORMAT,
            "trust": json.loads(trust.to_json()),
            "checkpoint": "" if checkpoint is None else checkpoint.encode().hex(),
        }
        write_durably(self._folder / f"{trust.network.hex()}.json", json.dumps(document, indent=2).encode())
        self._reached[trust.network] = (trust, checkpoint)

    def _note(self, held: Checkpoint | None, offered: Checkpoint, trust: Trust) -> None:
        """Keep what was refused, if the cosigners did sign it: a stranger's nonsense is no evidence."""
        try:
            replace(_unpinned(trust), witnesses=(), witnesses_needed=0).accept_checkpoint(offered)
        except Unwitnessed:
            pass
        except Unproven:
            return
        folder = self._folder / "evidence"
        folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{offered.network.hex()[:16]}-{offered.size}-{offered.root.hex()[:16]}"
        if len(list(folder.glob(f"{offered.network.hex()[:16]}-*.offered"))) < MAX_EVIDENCE:
            write_durably(folder / f"{name}.offered", offered.encode())
            if held is not None:
                write_durably(folder / f"{name}.held", held.encode())


def present(witness: WitnessPort, cosigning: Cosigning, prover: Prover) -> bool:
    """Show a witness the newest complete checkpoint and take its cosignature; return whether there was one to show.

    Takes the witness through changes of the cosigners that it has not seen. Raises Refused or NotKept.
    """
    newest = cosigning.newest()
    if newest is None:
        return False
    trust = witness.pinned(newest.network)
    for change in cosigning.book.changes():
        if change.number <= trust.number or change.size > newest.size:
            continue
        handover = cosigning.book.at(change.size)
        if handover is None or not cosigning.complete(handover):
            return False
        if trust.size < change.size:
            cosigning.offer(witness.cosign(handover, prover.consistency(trust.size, change.size)))
            trust = witness.pinned(newest.network)
        witness.follow(change, prover.consistency(change.size, trust.size))
        trust = witness.pinned(newest.network)
    if trust.size > newest.size:
        raise Refused(f"the witness has seen size {trust.size}, here is {newest.size}", None, newest)
    cosigning.offer(witness.cosign(newest, prover.consistency(trust.size, newest.size)))
    return True


def key_in(file: Path) -> Ed25519PrivateKey:
    """Return the key in a file that only its owner may read; a missing file is made with a fresh key.

    Raises StoreDamaged if the file is no key, or others may read it.
    """
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(file, Ed25519PrivateKey.generate().private_bytes_raw().hex().encode())
    if file.stat().st_mode & 0o077:
        raise StoreDamaged(f"{file} may be read by others: chmod 600 it, and replace the key")
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(file.read_text("ascii").strip()))
    except ValueError as error:
        raise StoreDamaged(f"{file} is not a key of 32 bytes in hexadecimal") from error


def write_durably(file: Path, content: bytes) -> None:
    """Replace a file's content, whole or not at all, durable on return, readable by its owner alone."""
    fresh = file.with_name(file.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with contextlib.closing(os.fdopen(descriptor, "wb")) as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _unpinned(trust: Trust) -> Trust:
    """Return the trust without its pin, so that signatures count at every size."""
    return replace(trust, size=0, root=EMPTY_ROOT)


def _load(file: Path) -> tuple[Trust, Checkpoint | None]:
    try:
        document = json.loads(file.read_bytes())
        trust = Trust.from_json(json.dumps(document["trust"]).encode())
        signed = document["checkpoint"]
        checkpoint = Checkpoint.decode(bytes.fromhex(signed)) if signed else None
    except (ValueError, KeyError, TypeError, MalformedProof) as error:
        raise StoreDamaged(f"{file} is not a witness's memory") from error
    if document.get("format") != FORMAT or trust.network.hex() != file.stem:
        raise StoreDamaged(f"{file} is not a witness's memory of its network")
    return trust, checkpoint
