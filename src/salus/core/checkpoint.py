"""Making checkpoints: what a cosigner signs, and the gathering of cosignatures. Verification is `core.proof`."""

from collections.abc import Callable

from salus.core.log import Frontier
from salus.core.proof.checkpoint import Checkpoint, CosignerChange
from salus.core.proof.cose import kid_of
from salus.core.proof.ed25519 import verify

Sign = Callable[[bytes], bytes]
"""Signs bytes with a node's Ed25519 key: 64 bytes. The key stays in the keystore."""


def checkpoint_of(network: bytes, log: Frontier, time: int) -> Checkpoint:
    """Return the checkpoint, not yet signed, of a log after a block whose time is `time`, Unix milliseconds."""
    return Checkpoint(network, log.size, log.root(), time // 1000)


def cosign(statement: Checkpoint | CosignerChange, key: bytes, sign: Sign) -> bytes:
    """Return the signature (64 bytes) of the holder of `key` over the statement."""
    return sign(statement.to_sign(key))


def gathered(checkpoint: Checkpoint, offered: dict[bytes, bytes]) -> Checkpoint:
    """Return the checkpoint with those of the offered signatures, by key, that hold."""
    held = {key: signature for key, signature in offered.items() if verify(key, checkpoint.to_sign(key), signature)}
    return checkpoint.signed(held.items())


def trimmed(checkpoint: Checkpoint, cosigners: tuple[bytes, ...], needed: int) -> Checkpoint:
    """Return the checkpoint with the signatures of `needed` of the cosigners and of everyone else.

    A receipt carries no more than its verifier asks for: each cosignature is 72 bytes.
    """
    known = {kid_of(key) for key in cosigners}
    kept = 0
    signatures: list[tuple[bytes, bytes]] = []
    for kid, signature in checkpoint.cosignatures:
        if kid in known:
            kept += 1
            if kept > needed:
                continue
        signatures.append((kid, signature))
    return Checkpoint(checkpoint.network, checkpoint.size, checkpoint.root, checkpoint.issued, tuple(signatures))
