"""Who was counted, committed without a list: a sparse Merkle map that a person's wallet finds itself in, or not.

Path = HMAC(link secret, query), value = salted digest of the ledger row of the person's choice. A root says nothing of how
many, and two queries' maps share no value. A wallet with the link secret computes its own path and checks the proof; an
auditor who is shown one leaf's salt and choice learns of that leaf alone.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from salus.core import map as sparse
from salus.core.proof import statemap
from salus.core.proof.digest import digest, mac
from salus.core.proof.statemap import EMPTY, PATH_BITS, MapProof

VERSION: Final = 1
LABEL: Final = "salus/v1/research-person"


class Population:
    """The persons counted in one query at one custodian. `members` is {path: value}."""

    def __init__(self, members: Mapping[bytes, bytes]) -> None:
        self._top, nodes = sparse.update({}, sparse.Root(), VERSION, sorted(members.items()))
        self._nodes = dict(nodes)

    @property
    def root(self) -> bytes:
        """The commitment that the begin puts on the ledger, 32 bytes."""
        return self._top.digest

    def prove(self, path: bytes) -> MapProof:
        """Return the proof of what stands at a person's path: in, or out."""
        return sparse.prove(self._nodes, self._top, path)


def root_of(members: Mapping[bytes, bytes]) -> bytes:
    """Return the root of a population alone: what the begin needs, without the nodes that proofs are made of."""
    leaves = sorted(members.items())
    if not leaves:
        return EMPTY
    places = [int.from_bytes(place, "big") for place, _ in leaves]
    sha256 = hashlib.sha256
    done: list[tuple[bytes, int]] = []  # subtrees to the left, and the depth at which each joins what follows
    for number, (place, value_) in enumerate(leaves):
        node, depth = sha256(b"\x02" + place + value_).digest(), -1  # a leaf stands at whatever depth
        joins = PATH_BITS - (places[number] ^ places[number + 1]).bit_length() if number + 1 < len(leaves) else -1
        while done and done[-1][1] > joins:
            left, at = done.pop()
            node = _lifted(node, depth, at + 1, places[number])
            node, depth = sha256(b"\x03" + left + node).digest(), at
        if joins >= 0:
            done.append((_lifted(node, depth, joins + 1, places[number]), joins))
        else:
            node = _lifted(node, depth, 0, places[number])
    return node


def _lifted(node: bytes, depth: int, to: int, place: int) -> bytes:
    """Return a subtree at `depth` (-1: one leaf) as it stands at the depth `to`, nothing beside it on the way up."""
    for level in range(depth - 1, to - 1, -1):
        right = place >> (PATH_BITS - 1 - level) & 1
        node = hashlib.sha256(b"\x03" + (EMPTY + node if right else node + EMPTY)).digest()
    return node


def path(link_secret: bytes, query: bytes) -> bytes:
    """Return where a person stands in the map of a query (16 bytes). Needs the link secret (32 bytes)."""
    return mac(link_secret, LABEL, query)


def value(salt: bytes, choice: bytes) -> bytes:
    """Return the leaf of a person: over a salt (32 bytes) and the ledger row id of the choice."""
    return digest("salus/v1/research-choice", salt, choice)


def salt_of(salt: bytes, link: bytes) -> bytes:
    """Return the salt of one person's leaf, from the custodian's salt for the query (32 bytes): each can be shown alone."""
    return mac(salt, "salus/v1/research-salt", link)


def drawn(block: bytes, query: bytes, data_set: bytes, number: int) -> bytes:
    """Return the point (32 bytes) that a block's digest (32 bytes) draws: an auditor has the leaf that its way ends at opened."""
    return digest("salus/v1/research-point", block, query, data_set, number.to_bytes(4, "big"))


def counted(proof: MapProof, place: bytes, root: bytes) -> bytes | None:
    """Return the value proven at a person's path under a root, or None: the person was not counted. Raises Unproven."""
    return statemap.verify(proof, place, root)
