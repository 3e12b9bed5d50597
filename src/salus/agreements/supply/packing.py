"""A lot as its maker packs it, turned into the tree of keys that the ledger commits to.

Secrets run down the tree: that of a container follows from that of the container above and its place, that of a unit, its
salt, from its container's. Whoever is given a pallet's secret can name and test what is on the pallet, and nothing else
of the lot. Places without goods hold bytes from the same source, so that keys tell no count.

A million units: 20 pallets of 500 cases of 100. Of units nothing is kept but the serial; a case is hashed again when a
proof is asked for.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from salus.core.encoding import Value
from salus.core.proof.digest import framed, mac
from salus.core.proof.goods import MAX_DEPTH, SALT_BYTES, container_key
from salus.core.proof.merkle import inclusion_path, levels, root

UNIT_LABEL: Final = "salus/v1/supply-unit"
SECRET_BYTES: Final = 32
KEY_BYTES: Final = 32


class Box(Value, frozen=True):
    """A container as packed: of other containers, or of units."""

    name: str
    """SSCC or whatever names it; empty for the lot itself."""
    boxes: tuple["Box", ...] = ()
    serials: tuple[bytes, ...] = ()

    def units(self) -> Iterator[bytes]:
        """Yield every serial inside, in the order of their places."""
        yield from self.serials
        for box in self.boxes:
            yield from box.units()

    def count(self) -> int:
        """Return how many units are inside."""
        return len(self.serials) + sum(box.count() for box in self.boxes)


@dataclass(frozen=True, slots=True)
class Packed:
    """A container with its key and the secret that opens what is inside."""

    box: Box
    product: bytes
    """What its units share: GTIN, lot, expiry."""
    secret: bytes
    key: bytes
    depth: int
    root: bytes
    inside: tuple["Packed", ...]
    """The containers inside; empty in a container of units."""

    def keys(self) -> list[bytes]:
        """Return the keys of all places, those without goods too."""
        if self.box.serials:
            return _unit_keys(self.secret, self.product, self.box.serials)
        return [inner.key for inner in self.inside] + _pads(self.secret, len(self.inside))

    def salt(self, position: int) -> bytes:
        """Return the salt of a unit directly inside."""
        return _salts(self.secret, position + 1)[-SALT_BYTES:]

    def path(self, position: int) -> tuple[bytes, ...]:
        """Return the sibling hashes of a place, nearest first."""
        return tuple(inclusion_path(self.keys(), position))


def packed(box: Box, product: bytes, secret: bytes) -> Packed:
    """Return a container with all its keys. Raises ValueError if it is empty, or larger than a proof may be long."""
    inside = tuple(
        packed(inner, product, mac(secret, "salus/v1/supply-secret", place.to_bytes(4, "big")))
        for place, inner in enumerate(box.boxes)
    )
    count = len(box.serials) or len(inside)
    if not count or (box.serials and inside) or count > 1 << MAX_DEPTH:
        raise ValueError("a container holds units or containers, at least one")
    if box.serials:
        keys = _unit_keys(secret, product, box.serials)
    else:
        keys = [inner.key for inner in inside] + _pads(secret, count)
    top, depth = root(keys), _depth(count)
    return Packed(box, product, secret, container_key(top, depth), depth, top, inside)


def levels_of(container: Packed) -> list[list[bytes]]:
    """Return every level of a container's tree of places, the keys first."""
    return levels(container.keys())


def lead_to(
    top: Packed, positions: Sequence[int], trees: Callable[[Packed], list[list[bytes]]] = levels_of
) -> tuple[bytes, list[tuple[int, tuple[bytes, ...]]]]:
    """Return a thing's key and its way up to `top`, (position, path) from below, by positions from above.

    `trees` gives a container's levels; who asks often remembers them.
    """
    way: list[tuple[int, tuple[bytes, ...]]] = []
    here = top
    key = top.key
    for place in positions:
        tree = trees(here)
        key = tree[0][place]
        way.append((place, tuple(level[(place >> height) ^ 1] for height, level in enumerate(tree[:-1]))))
        if here.inside:
            here = here.inside[place]
    way.reverse()
    return key, way


def _depth(count: int) -> int:
    return (count - 1).bit_length()


def _salts(secret: bytes, count: int) -> bytes:
    return hashlib.shake_256(framed("salus/v1/supply-salts", (secret,))).digest(SALT_BYTES * count)


def _pads(secret: bytes, count: int) -> list[bytes]:
    empty = (1 << _depth(count)) - count
    pool = hashlib.shake_256(framed("salus/v1/supply-pads", (secret,))).digest(KEY_BYTES * empty)
    return [pool[start : start + KEY_BYTES] for start in range(0, KEY_BYTES * empty, KEY_BYTES)]


def _unit_keys(secret: bytes, product: bytes, serials: Sequence[bytes]) -> list[bytes]:
    """Return `core.proof.goods.unit_key` of each unit, framed once for all: this runs a million times a lot."""
    start = framed(UNIT_LABEL, ()) + SALT_BYTES.to_bytes(4, "big")
    tails = {len(serial): _field(product) + len(serial).to_bytes(4, "big") for serial in serials}
    salts, sha256, join = _salts(secret, len(serials)), hashlib.sha256, b"".join
    ends = range(SALT_BYTES, SALT_BYTES * len(serials) + 1, SALT_BYTES)
    keys = [
        sha256(join((start, salts[end - SALT_BYTES : end], tails[len(serial)], serial))).digest()
        for end, serial in zip(ends, serials, strict=True)
    ]
    return keys + _pads(secret, len(serials))


def _field(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value
