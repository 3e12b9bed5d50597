"""Whom a verifier believes: the trust file, and every rule by which a statement is accepted or trust moves forward.

One class holds all trust rules; each is cited (T1 to T8) where it is applied and explained in `docs/explain/formats.md`.

    T1  a statement names the network of the trust file
    T2  at the pinned size there is one root: the pinned one
    T3  above the pinned size, k = floor(2n / 3) + 1 of the n cosigners have signed
    T4  and as many witnesses as the file asks for; for a ledger of one cosigner at least one, whatever the file says
    T5  below the pinned size signatures count for nothing: a consistency path to the pinned root does
    T6  the pin moves only to an accepted checkpoint whose log begins with the pinned log
    T7  the cosigners are followed one change at a time, each signed by k of the set before it
    T8  a listed signature of a known key that does not hold refuses the whole statement
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from salus.core.proof import cose, merkle
from salus.core.proof.checkpoint import MAX_COSIGNERS, Checkpoint, CosignerChange, cosigners_in
from salus.core.proof.ed25519 import is_strict_key, verify
from salus.core.proof.errors import BadSignature, MalformedProof, ProofMismatch, Untrusted, Unwitnessed
from salus.core.proof.receipt import Receipt

FORMAT: Final = "salus-trust/1"
MAX_FILE: Final = 64 * 1024  # 128 cosigners and as many witnesses take less than 40 KB


def quorum(cosigners: int) -> int:
    """Return k, how many of n cosigners must have signed: more than two thirds."""
    return 2 * cosigners // 3 + 1


@dataclass(frozen=True, slots=True)
class Trust:
    """What a verifier starts from. Immutable: moving forward returns another."""

    network: bytes
    """Digest of the first genesis, 32 bytes."""
    size: int
    """The newest size of the log that is believed; 0 if none is yet."""
    root: bytes
    """The root at that size, 32 bytes."""
    number: int
    """Which cosigner set of the network this is, counted from 1."""
    cosigners: tuple[tuple[str, bytes], ...]
    """(member id, Ed25519 key), by rising member id."""
    witnesses: tuple[tuple[str, bytes], ...] = ()
    """(name, Ed25519 key) of parties outside the ledger, by rising name."""
    witnesses_needed: int = 0
    """How many witnesses must have signed."""

    def __post_init__(self) -> None:
        """Raise MalformedProof if no verifier could start from this."""
        if len(self.network) != 32 or len(self.root) != 32 or not 0 <= self.size <= merkle.MAX_SIZE:
            raise MalformedProof("a network id, root or size out of range")
        if self.size == 0 and self.root != merkle.EMPTY_ROOT:
            raise MalformedProof("the root of an empty log is SHA-256 of nothing")
        cosigners_in(self.cosigners)
        if self.witnesses:
            cosigners_in(self.witnesses)
        keys = [key for _, key in (*self.cosigners, *self.witnesses)]
        if len({cose.kid_of(key) for key in keys}) != len(keys):
            raise MalformedProof("a key is listed twice: who keeps the ledger is no witness of it")
        if not all(is_strict_key(key) for key in keys):
            raise MalformedProof("a key that Ed25519 does not allow")
        if not 0 <= self.witnesses_needed <= len(self.witnesses) or not 0 < self.number < 1 << 32:
            raise MalformedProof("more witnesses needed than listed, or a number out of range")

    def accept_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Check that a checkpoint at or above the pinned size is to be believed.

        Raises MalformedProof, ProofMismatch, BadSignature, Untrusted or Unwitnessed.
        """
        if checkpoint.network != self.network:  # T1
            raise Untrusted("of another network")
        if checkpoint.size < self.size:  # T5
            raise Untrusted("older than the pinned size: extend it by a consistency path")
        if checkpoint.size == self.size:  # T2
            if checkpoint.root != self.root:
                raise ProofMismatch("two roots for one size: the log was forked or rewritten")
            if len(self.cosigners) == 1 and not self.witnesses:  # T4
                raise Unwitnessed("one organisation keeps this ledger and no witness is named")
            return
        self._require_cosigners(checkpoint)  # T3, T8
        self._require_witnesses(checkpoint)  # T4, T8

    def accept_receipt(self, receipt: Receipt, to_pin: Sequence[bytes] | None = None) -> None:
        """Check that the log holds the receipt's leaf.

        `to_pin` is the consistency path (RFC 9162 section 2.1.4) from the receipt's checkpoint to the pinned size:
        needed if the receipt is older. Raises as `accept_checkpoint`.
        """
        receipt.check_path()
        if receipt.checkpoint.size < self.size and to_pin is not None:
            self.accept_older(receipt.checkpoint, to_pin)
        else:
            self.accept_checkpoint(receipt.checkpoint)

    def accept_older(self, checkpoint: Checkpoint, to_pin: Sequence[bytes]) -> None:
        """Check that the pinned log begins with the checkpoint's; its signatures count for nothing. Raises as above."""
        merkle.verify_consistency(checkpoint.size, self.size, to_pin, checkpoint.root, self.root)  # T5
        self.accept_checkpoint(replace(checkpoint, size=self.size, root=self.root))  # T1, T2, T4

    def advanced(self, checkpoint: Checkpoint, path: Sequence[bytes]) -> Self:
        """Return the trust pinned to a newer checkpoint; `path` is the consistency path to it. Raises as above."""
        self.accept_checkpoint(checkpoint)
        merkle.verify_consistency(self.size, checkpoint.size, path, self.root, checkpoint.root)  # T6
        return replace(self, size=checkpoint.size, root=checkpoint.root)

    def followed(self, change: CosignerChange, path: Sequence[bytes]) -> Self:
        """Return the trust in the next cosigner set.

        `path` is the consistency path from the size where the set takes over to the pinned size. A change above the
        pin is not followed: move the pin there first, with the witnesses that this takes. Raises as `accept_checkpoint`.
        """
        if change.network != self.network:  # T1
            raise Untrusted("of another network")
        if change.number != self.number + 1:  # T7
            raise Untrusted("not the change that follows: take the changes in order, leaving none out")
        if change.size > self.size:  # T6: else cosigners alone could move the pin, past the witnesses
            raise Untrusted("a change above the pinned size: move the pin there first")
        self._require_cosigners(change)  # T7, T8
        merkle.verify_consistency(change.size, self.size, path, change.root, self.root)  # T2, T7
        return replace(self, number=change.number, cosigners=change.cosigners)

    def _require_cosigners(self, statement: Checkpoint | CosignerChange) -> None:
        signed = _signed(statement, self.cosigners)
        needed = quorum(len(self.cosigners))
        if signed < needed:
            raise Untrusted(f"signed by {signed} of {len(self.cosigners)} cosigners; {needed} are needed")

    def _require_witnesses(self, checkpoint: Checkpoint) -> None:
        signed = _signed(checkpoint, self.witnesses)
        needed = max(self.witnesses_needed, 1 if len(self.cosigners) == 1 else 0)
        if signed < needed:
            raise Unwitnessed(f"signed by {signed} witnesses; {needed} are needed")

    def to_json(self) -> str:
        """Return the trust file's text."""
        named = [{"member": name, "key": key.hex()} for name, key in self.cosigners]
        outside = [{"name": name, "key": key.hex()} for name, key in self.witnesses]
        return json.dumps(
            {
                "format": FORMAT,
                "network": self.network.hex(),
                "size": self.size,
                "root": self.root.hex(),
                "cosigner_set": self.number,
                "cosigners": named,
                "witnesses": outside,
                "witnesses_needed": self.witnesses_needed,
            },
            indent=2,
        )

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Return the trust in a file's bytes. Raises MalformedProof."""
        match parse_json(text, MAX_FILE):
            case {
                "format": "salus-trust/1",
                "network": str(network),
                "size": int(size),
                "root": str(root),
                "cosigner_set": int(number),
                "cosigners": list(cosigners),
                "witnesses": list(witnesses),
                "witnesses_needed": int(needed),
                **rest,
            } if not rest:
                return cls(
                    unhex(network, 32),
                    size,
                    unhex(root, 32),
                    number,
                    _keys_in(cosigners, "member"),
                    _keys_in(witnesses, "name"),
                    needed,
                )
        raise MalformedProof("not a trust file of format salus-trust/1")


def _signed(statement: Checkpoint | CosignerChange, keys: Sequence[tuple[str, bytes]]) -> int:
    """Return how many of the keys have signed. A key id nobody here knows is left aside."""
    known = {cose.kid_of(key): key for _, key in keys}
    count = 0
    for kid, signature in statement.cosignatures:
        key = known.get(kid)
        if key is None:
            continue
        if not verify(key, statement.to_verify(kid), signature):  # T8
            raise BadSignature("a cosignature does not hold")
        count += 1
    return count


def _keys_in(listed: list[Any], label: str) -> tuple[tuple[str, bytes], ...]:
    pairs: list[tuple[str, bytes]] = []
    if len(listed) > MAX_COSIGNERS:
        raise MalformedProof("too many keys")
    for one in listed:
        if not isinstance(one, dict) or one.keys() != {label, "key"}:
            raise MalformedProof(f"a key is an object of {label} and key")
        name, key = one[label], one["key"]
        if not isinstance(name, str) or not isinstance(key, str):
            raise MalformedProof(f"{label} and key are text")
        pairs.append((name, unhex(key, 32)))
    return tuple(pairs)


def unhex(text: str, size: int) -> bytes:
    """Return the bytes of lower-case hexadecimal text of exactly `size` bytes. Raises MalformedProof."""
    if len(text) != 2 * size or any(letter not in "0123456789abcdef" for letter in text):
        raise MalformedProof(f"not {size} bytes in lower-case hexadecimal")
    return bytes.fromhex(text)


def parse_json(text: bytes, limit: int) -> Any:
    """Return the document in strict JSON: no float, no name twice, nothing over `limit` bytes. Raises MalformedProof."""
    if len(text) > limit:
        raise MalformedProof(f"over {limit} bytes")
    try:
        return json.loads(text.decode(), object_pairs_hook=_object, parse_float=_refused, parse_constant=_refused)
    except (ValueError, RecursionError):  # JSON, UTF-8 and integers of too many digits
        raise MalformedProof("not strict JSON") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise MalformedProof("a name twice in one JSON object")
    if any(isinstance(value, bool) for _, value in pairs):  # Python takes them for integers
        raise MalformedProof("a boolean where none belongs")
    return dict(pairs)


def _refused(_: str) -> Any:
    raise MalformedProof("a number that is no integer")
