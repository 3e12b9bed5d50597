"""What each way of keeping a history shows of an attack by who keeps it: the cells of docs/explain/why-a-ledger.md.

The audit table and the hash chain are models of a few lines: as strong as their idea, kept by the attacker alone. The
chain's head, or a log's old root, is what somebody else wrote down before the attack.
"""

import hashlib

import pytest

from salus.core.proof import merkle

HISTORY = [b"anna read the record", b"otto read the record", b"eve read the record", b"anna closed the record"]


def chain_of(entries):
    """A hash chain: each entry with the digest of everything before it."""
    links, before = [], bytes(32)
    for entry in entries:
        before = hashlib.sha256(before + entry).digest()
        links.append((entry, before))
    return links


def chain_holds(links):
    return [digest for _, digest in links] == [digest for _, digest in chain_of([entry for entry, _ in links])]


def root_of(entries):
    return merkle.root([merkle.leaf_hash(entry) for entry in entries])


def consistent(old, new, path, old_root, new_root):
    try:
        merkle.verify_consistency(old, new, path, old_root, new_root)
    except merkle.ProofMismatch:
        return False
    return True


ALTERED = [*HISTORY[:2], b"anna read the record", HISTORY[3]]
REMOVED = [*HISTORY[:2], HISTORY[3]]
REORDERED = [HISTORY[1], HISTORY[0], *HISTORY[2:]]
REWRITES = pytest.mark.parametrize("rewritten", [ALTERED, REMOVED, REORDERED], ids=["altered", "removed", "reordered"])


@REWRITES
def test_an_audit_table_keeps_no_trace_of_what_it_was(rewritten):
    table = list(HISTORY)
    table[:] = rewritten
    assert table == rewritten  # every entry reads like any other: there is nothing to compare with


@REWRITES
def test_a_hash_chain_shows_a_change_that_did_not_recompute_it(rewritten):
    digests = [digest for _, digest in chain_of(HISTORY)]
    assert not chain_holds(list(zip(rewritten, digests, strict=False)))


@REWRITES
def test_a_hash_chain_recomputed_by_its_keeper_holds_until_its_head_is_compared(rewritten):
    forged = chain_of(rewritten)
    assert chain_holds(forged)
    assert forged[-1] != chain_of(HISTORY)[-1]


@REWRITES
def test_a_log_rewritten_by_its_keeper_holds_in_itself_and_not_for_who_kept_an_old_root(rewritten):
    grown = [*rewritten, b"one more", b"and one more"]
    path = merkle.consistency_path([merkle.leaf_hash(entry) for entry in grown], len(HISTORY))
    kept_before = root_of(HISTORY)
    rewritten_root = root_of(grown[: len(HISTORY)])
    assert consistent(len(HISTORY), len(grown), path, rewritten_root, root_of(grown))
    assert not consistent(len(HISTORY), len(grown), path, kept_before, root_of(grown))


def test_what_was_never_announced_is_missed_by_every_way_of_keeping():
    honest = HISTORY[:3]
    silent = [entry for entry in HISTORY if b"eve" not in entry][:3]
    assert chain_holds(chain_of(silent))
    path = merkle.consistency_path([merkle.leaf_hash(entry) for entry in silent], 2)
    assert consistent(2, 3, path, root_of(silent[:2]), root_of(silent))
    assert root_of(honest[:2]) == root_of(silent[:2])  # up to the silence nothing differs
