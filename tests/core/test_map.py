"""The state map against a naive reading of its definition, over random histories and paths that almost collide."""

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.core import map as state_map
from salus.core.errors import InvariantBroken
from salus.core.proof import statemap
from salus.core.proof.errors import MalformedProof, ProofMismatch, Unproven

Rows = dict[bytes, bytes]


def bit(path: bytes, depth: int) -> int:
    return path[depth >> 3] >> (7 - (depth & 7)) & 1


def naive_root(rows: list[tuple[bytes, bytes]], depth: int = 0) -> bytes:
    """The definition, word for word: a subtree of one leaf is that leaf, of none 32 zero bytes."""
    if not rows:
        return bytes(32)
    if len(rows) == 1:
        return statemap.leaf_node(*rows[0])
    halves = [[row for row in rows if bit(row[0], depth) == side] for side in (0, 1)]
    return statemap.inner_node(naive_root(halves[0], depth + 1), naive_root(halves[1], depth + 1))


def near_path(rnd: random.Random) -> bytes:
    """A path that shares long prefixes with others: at most three bits set."""
    path = bytearray(32)
    for _ in range(rnd.randint(0, 3)):
        path[rnd.randrange(32)] ^= 1 << rnd.randrange(8)
    return bytes(path)


def filled(rows: Rows) -> tuple[Rows, state_map.Root]:
    root, nodes = state_map.update({}, state_map.Root(), 1, rows.items())
    return dict(nodes), root


@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(40))
def test_a_random_history_is_the_naive_tree_and_every_old_root_is_provable(seed: int):
    rnd = random.Random(seed)
    path = near_path if seed % 2 else lambda rnd: rnd.randbytes(32)
    store: Rows = {}
    root, rows, history = state_map.Root(), {}, []
    for version in range(1, 10):
        old = [*rows]
        changes = {
            rnd.choice(old) if old and rnd.random() < 0.3 else path(rnd): rnd.randbytes(32)
            for _ in range(rnd.randint(0, 25))
        }
        rows |= changes
        root, nodes = state_map.update(store, root, version, changes.items())
        store |= nodes
        assert root.digest == naive_root(sorted(rows.items()))
        history.append((root, dict(rows)))
    for then, held in history:
        for asked in [*rows, *(path(rnd) for _ in range(5))]:
            proof = state_map.prove(store, then, asked)
            assert statemap.verify(proof, asked, then.digest) == held.get(asked)


@given(st.dictionaries(st.binary(min_size=32, max_size=32), st.just(b"v" * 32), max_size=30), st.randoms())
def test_the_root_depends_on_what_is_held_not_on_how_it_came(rows: Rows, rnd: random.Random):
    _, at_once = filled(rows)
    items = [*rows.items()]
    rnd.shuffle(items)
    store: Rows = {}
    root = state_map.Root()
    for version, item in enumerate(items, 1):
        root, nodes = state_map.update(store, root, version, [(item[0], b"x" * 32)])
        store |= nodes
    for version, item in enumerate(items, len(items) + 1):
        root, nodes = state_map.update(store, root, version, [item])
        store |= nodes
    assert root.digest == at_once.digest


def test_an_empty_map_is_proven_to_hold_nothing():
    proof = state_map.prove({}, state_map.Root(), bytes(32))
    assert statemap.verify(proof, bytes(32), state_map.Root().digest) is None
    with pytest.raises(ProofMismatch):
        statemap.verify(proof, bytes(32), filled({bytes(32): b"v" * 32})[1].digest)


def test_what_changes_nothing_writes_nothing():
    rows = {bytes([number]) * 32: b"v" * 32 for number in range(50)}
    store, root = filled(rows)
    assert state_map.update(store, root, 2, rows.items()) == (root, [])
    assert state_map.update(store, root, 2, []) == (root, [])


def test_only_the_way_to_a_change_is_written():
    rnd = random.Random(5)
    store, root = filled({rnd.randbytes(32): rnd.randbytes(32) for _ in range(5000)})
    _, [(key, value)] = state_map.update(store, root, 7, [(rnd.randbytes(32), rnd.randbytes(32))])
    assert key == state_map.node_key(7)
    assert len(value) <= 8 * state_map.PAGE_BYTES + state_map.LEAF_BYTES * 2


def test_every_flipped_byte_of_a_proof_is_refused():
    rnd = random.Random(3)
    rows = {rnd.randbytes(32): rnd.randbytes(32) for _ in range(200)}
    store, root = filled(rows)
    held, absent = next(iter(rows)), [rnd.randbytes(32) for _ in range(20)]
    for path in (held, *absent):
        proof = state_map.prove(store, root, path)
        spoilt = [
            statemap.MapProof((*proof.siblings[:n], flip(sibling, at), *proof.siblings[n + 1 :]), proof.found)
            for n, sibling in enumerate(proof.siblings)
            for at in range(32)
        ]
        if proof.found:
            key, value = proof.found
            spoilt += [statemap.MapProof(proof.siblings, (flip(key, at), value)) for at in range(32)]
            spoilt += [statemap.MapProof(proof.siblings, (key, flip(value, at))) for at in range(32)]
            spoilt.append(statemap.MapProof(proof.siblings, None))
        else:
            spoilt.append(statemap.MapProof(proof.siblings, (path, b"v" * 32)))
        spoilt += [
            statemap.MapProof(proof.siblings[1:], proof.found),
            statemap.MapProof(proof.siblings[:-1], proof.found),
            statemap.MapProof((*proof.siblings, bytes(32)), proof.found),
        ]
        for wrong in spoilt:
            with pytest.raises(ProofMismatch):
                statemap.verify(wrong, path, root.digest)
        for at in range(32):
            with pytest.raises(ProofMismatch):
                statemap.verify(proof, path, flip(root.digest, at))


def flip(value: bytes, at: int) -> bytes:
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def test_a_neighbour_s_leaf_does_not_prove_absence_elsewhere():
    """An honest proof of one absent path, offered for a path that the map does hold."""
    rnd = random.Random(8)
    rows = {rnd.randbytes(32): rnd.randbytes(32) for _ in range(64)}
    store, root = filled(rows)
    held = [*rows]
    for absent in (rnd.randbytes(32) for _ in range(50)):
        proof = state_map.prove(store, root, absent)
        for path in held:
            try:
                assert statemap.verify(proof, path, root.digest) == rows[path]
            except Unproven:
                continue


@given(
    st.lists(st.binary(max_size=33), max_size=260),
    st.none() | st.tuples(st.binary(max_size=33), st.binary(max_size=33)),
    st.binary(max_size=33),
)
def test_any_proof_is_a_value_or_the_named_error(siblings: list[bytes], found: tuple[bytes, bytes] | None, path: bytes):
    with contextlib.suppress(Unproven):
        statemap.verify(statemap.MapProof(tuple(siblings), found), path, bytes(32))


def test_sizes_are_checked():
    for proof, path in (
        (statemap.MapProof((bytes(32),) * 257, None), bytes(32)),
        (statemap.MapProof((bytes(31),), None), bytes(32)),
        (statemap.MapProof((), (bytes(31), bytes(32))), bytes(32)),
        (statemap.MapProof((), None), bytes(31)),
    ):
        with pytest.raises(MalformedProof):
            statemap.verify(proof, path, bytes(32))
    for changes in ([(bytes(31), b"v" * 32)], [(bytes(32), b"v")], [(bytes(32), b"v" * 32), (bytes(32), b"w" * 32)]):
        with pytest.raises(ValueError):
            state_map.update({}, state_map.Root(), 1, changes)
    with pytest.raises(ValueError):
        state_map.update({}, state_map.Root(3, b"r" * 32), 3, [])


def test_no_row_is_deleted():
    with pytest.raises(InvariantBroken):
        state_map.update({}, state_map.Root(), 1, [(b"p" * 32, bytes(32))])


def test_a_store_that_lost_or_swapped_nodes_stops_the_caller():
    _, root = filled({b"p" * 32: b"v" * 32})
    with pytest.raises(InvariantBroken):
        state_map.prove({}, root, b"p" * 32)
    other, _ = filled({b"p" * 32: b"w" * 32})
    with pytest.raises(InvariantBroken):
        state_map.update(other, root, 2, [(b"q" * 32, b"v" * 32)])


def test_one_version_has_a_size():
    writer = state_map._Writer({}, 1)
    writer._next = (1 << 28) + 2 * (state_map.MAX_PLACE - 1)
    with pytest.raises(ValueError, match="too many changes"):
        writer.add(bytes(64))


def test_a_leaf_that_stands_where_its_path_does_not_lead_proves_nothing():
    """A root made by a liar: a leaf on the left whose path begins with a one bit."""
    stray, asked = b"\xff" * 32, b"\x00" * 32
    right = statemap.leaf_node(b"\xfe" * 32, b"v" * 32)
    root = statemap.inner_node(statemap.leaf_node(stray, b"v" * 32), right)
    with pytest.raises(ProofMismatch, match="does not stand on the way"):
        statemap.verify(statemap.MapProof((right,), (stray, b"v" * 32)), asked, root)
