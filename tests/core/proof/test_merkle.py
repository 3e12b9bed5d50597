"""The RFC 9162 tree against a naive reading of the RFC and against the published RFC 6962 vectors."""

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.core.proof import merkle
from salus.core.proof.errors import MalformedProof, ProofMismatch, Unproven

# The test tree of the certificate-transparency repository: entries, and the root after each.
ENTRIES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive_root(entries: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(entries[:k]) + naive_root(entries[k:])).digest()


def naive_path(entries: list[bytes], index: int) -> list[bytes]:
    """RFC 9162 section 2.1.3.1, word for word."""
    if len(entries) == 1:
        return []
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if index < k:
        return [*naive_path(entries[:k], index), naive_root(entries[k:])]
    return [*naive_path(entries[k:], index - k), naive_root(entries[:k])]


def naive_consistency(entries: list[bytes], old: int, known: bool = True) -> list[bytes]:
    """RFC 9162 section 2.1.4.1, word for word."""
    if old == len(entries):
        return [] if known else [naive_root(entries)]
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if old <= k:
        return [*naive_consistency(entries[:k], old, known), naive_root(entries[k:])]
    return [*naive_consistency(entries[k:], old - k, False), naive_root(entries[:k])]


def some(size: int) -> tuple[list[bytes], list[bytes]]:
    entries = [b"entry %d" % number for number in range(size)]
    return entries, [merkle.leaf_hash(entry) for entry in entries]


def test_the_published_vectors():
    entries = [bytes.fromhex(entry) for entry in ENTRIES]
    hashes = [merkle.leaf_hash(entry) for entry in entries]
    for size, expected in enumerate(ROOTS, 1):
        assert merkle.root(hashes[:size]).hex() == expected
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", range(1, 34))
def test_every_path_of_every_small_tree_is_the_rfc_s(size: int):
    entries, hashes = some(size)
    root = merkle.root(hashes)
    assert root == naive_root(entries)
    assert merkle.inclusion_paths(hashes) == [naive_path(entries, index) for index in range(size)]
    for index in range(size):
        path = merkle.inclusion_path(hashes, index)
        merkle.verify_inclusion(hashes[index], index, size, path, root)
    for old in range(1, size + 1):
        path = merkle.consistency_path(hashes, old)
        assert path == naive_consistency(entries, old)
        merkle.verify_consistency(old, size, path, merkle.root(hashes[:old]), root)


@given(st.integers(1, 200), st.data())
def test_a_path_altered_anywhere_proves_nothing(size: int, data: st.DataObject):
    _, hashes = some(size)
    root = merkle.root(hashes)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_path(hashes, index)
    for position, node in enumerate(path):
        spoilt = bytes([node[0] ^ 1]) + node[1:]
        with pytest.raises(ProofMismatch):
            merkle.verify_inclusion(hashes[index], index, size, [*path[:position], spoilt, *path[position + 1 :]], root)
    for wrong in (path[:-1] if path else [root], [*path, root], [*path[:-1], b"short"]):
        with pytest.raises(MalformedProof):
            merkle.verify_inclusion(hashes[index], index, size, wrong, root)
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        with pytest.raises(Unproven):
            merkle.verify_inclusion(hashes[index], other, size, path, root)


@given(st.integers(2, 200), st.data())
def test_a_log_rewritten_anywhere_is_not_consistent(size: int, data: st.DataObject):
    _, hashes = some(size)
    old = data.draw(st.integers(1, size - 1))
    changed = data.draw(st.integers(0, old - 1))
    rewritten = [*hashes]
    rewritten[changed] = merkle.leaf_hash(b"another")
    with pytest.raises(ProofMismatch):
        merkle.verify_consistency(
            old, size, merkle.consistency_path(rewritten, old), merkle.root(hashes[:old]), merkle.root(rewritten)
        )
    path = merkle.consistency_path(hashes, old)
    for position, node in enumerate(path):
        spoilt = node[:-1] + bytes([node[-1] ^ 128])
        with pytest.raises(ProofMismatch):
            merkle.verify_consistency(
                old,
                size,
                [*path[:position], spoilt, *path[position + 1 :]],
                merkle.root(hashes[:old]),
                merkle.root(hashes),
            )
    for wrong in ([], path[:-1], [*path, path[0]], [*path[:-1], b"short"]):
        with pytest.raises(Unproven):
            merkle.verify_consistency(old, size, wrong, merkle.root(hashes[:old]), merkle.root(hashes))


def test_sizes_that_need_no_path():
    _, hashes = some(5)
    root = merkle.root(hashes)
    merkle.verify_consistency(0, 5, [], merkle.EMPTY_ROOT, root)
    merkle.verify_consistency(5, 5, [], root, root)
    for old, old_root, path in ((0, root, []), (5, merkle.EMPTY_ROOT, []), (0, merkle.EMPTY_ROOT, [root])):
        with pytest.raises(Unproven):
            merkle.verify_consistency(old, 5, path, old_root, root)
    with pytest.raises(MalformedProof):
        merkle.verify_consistency(6, 5, [], root, root)


def test_positions_outside_the_tree():
    _, hashes = some(3)
    for index in (-1, 3):
        with pytest.raises(IndexError):
            merkle.inclusion_path(hashes, index)
        with pytest.raises(MalformedProof):
            merkle.root_from_inclusion(hashes[0], index, 3, [])
    for old in (-1, 4):
        with pytest.raises(IndexError):
            merkle.consistency_path(hashes, old)
    with pytest.raises(MalformedProof):
        merkle.root_from_inclusion(hashes[0], 0, 1 << 63, [])


def test_large_trees_agree_with_the_rfc():
    rnd = random.Random(9162)
    for _ in range(5):
        size = rnd.randrange(500, 1500)
        entries, hashes = some(size)
        assert merkle.root(hashes) == naive_root(entries)


def test_sizes_and_nodes_of_a_consistency_path_have_bounds():
    root, most = bytes(32), merkle.MAX_SIZE
    merkle.verify_consistency(most, most, (), root, root)
    for old, new in ((most + 1, most + 1), (-1, -1), (2, 1)):
        with pytest.raises(MalformedProof, match="out of range"):
            merkle.verify_consistency(old, new, (), root, root)
    for size in (31, 33):
        with pytest.raises(MalformedProof, match="not 32 bytes"):
            merkle.verify_consistency(1, 2, (bytes(size),), root, root)


@given(st.integers(1, 70), st.data())
def test_a_few_leaves_lead_to_the_root_together_and_only_these(size, data):
    hashes = [merkle.leaf_hash(bytes([index])) for index in range(size)]
    places = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1)))
    nodes = merkle.subset_nodes(lambda start, end: merkle.root(hashes[start:end]), places, size)
    shown = {place: hashes[place] for place in places}
    root = merkle.root(hashes)
    assert merkle.root_from_subset(shown, size, nodes) == root
    known = {}
    for place in places:
        known |= dict(zip(merkle.ranges_of_path(place, size), merkle.inclusion_path(hashes, place), strict=True))
    assert merkle.subset_nodes(lambda start, end: known[start, end], places, size) == nodes
    spoilt = data.draw(st.sampled_from(places))
    assert merkle.root_from_subset(shown | {spoilt: bytes(32)}, size, nodes) != root
    with pytest.raises(MalformedProof):
        merkle.root_from_subset(shown, size, [*nodes, root])
    if nodes:
        with pytest.raises(MalformedProof):
            merkle.root_from_subset(shown, size, nodes[:-1])
        assert merkle.root_from_subset(shown, size, [*nodes[:-1], bytes(32)]) != root
        with pytest.raises(MalformedProof):
            merkle.root_from_subset(shown, size, [*nodes[:-1], b"short"])


def test_a_subset_outside_the_tree_is_refused():
    for places in ([], [3], [-1]):
        with pytest.raises(IndexError):
            merkle.subset_nodes(lambda *_: bytes(32), places, 3)
        with pytest.raises(MalformedProof):
            merkle.root_from_subset(dict.fromkeys(places, bytes(32)), 3, [])
