"""Goods as trees of hashes: what a pack, a case, a pallet and a lot are to the ledger, and how one proves its place.

    unit        digest("salus/v1/supply-unit", salt 16, product, serial)
    container   digest("salus/v1/supply-container", root 32, depth u8)

A container's root is over 2^depth keys, units or containers, by `node_hash` of RFC 9162; places without goods hold random
bytes, so that a key tells no count. A key is hashed under its own label, never as a bare leaf: no key of one kind is one
of the other, nor an inner node. The salt is the unit's own, so that nobody tests a guess of a serial, not even who knows
the unit beside it.
"""

from collections.abc import Sequence
from typing import Final

from salus.core.proof.digest import digest
from salus.core.proof.errors import MalformedProof
from salus.core.proof.merkle import node_hash

SALT_BYTES: Final = 16
MAX_DEPTH: Final = 20  # a million in one container
MAX_LEVELS: Final = 6  # unit, inner pack, case, pallet, lot, and one to spare


def unit_key(salt: bytes, product: bytes, serial: bytes) -> bytes:
    """Return the key of a unit. `product` is whatever the units of a lot share: GTIN, lot and expiry."""
    return digest("salus/v1/supply-unit", salt, product, serial)


def container_key(root: bytes, depth: int) -> bytes:
    """Return the key of a container over the root of its 2^depth places."""
    return digest("salus/v1/supply-container", root, depth.to_bytes(1, "big"))


def above(key: bytes, position: int, path: Sequence[bytes]) -> bytes:
    """Return the key of the container that holds `key` at `position`, by the sibling hashes, the nearest first.

    Raises MalformedProof if the position lies outside the container or the path is too long.
    """
    depth = len(path)
    if depth > MAX_DEPTH or not 0 <= position < 1 << depth:
        raise MalformedProof("position outside the container")
    node = key
    for level, sibling in enumerate(path):
        node = node_hash(sibling, node) if position >> level & 1 else node_hash(node, sibling)
    return container_key(node, depth)
