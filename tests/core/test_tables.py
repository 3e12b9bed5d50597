"""Views read, overlays write, and nothing is written that an invariant forbids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.core.encoding import Value, encode
from salus.core.errors import InvariantBroken
from salus.core.tables import MAX_KEY_BYTES, MAX_ROW_BYTES, Invariant, LayeredReader, MemoryReader, Overlay, Table, View


class Count(Value, frozen=True):
    number: int
    note: bytes = b""


RISES = Invariant("a count rises", lambda _view, _key, before, after: before is None or before.number < after.number)
COUNTS = Table(7, "counts", Count, (RISES,))
PLAIN = Table(8, "plain", Count)
KEYS = st.binary(max_size=3)


def view_of(rows):
    return View(MemoryReader({COUNTS.state_key(key): encode(Count(number)) for key, number in rows.items()}))


@given(st.dictionaries(KEYS, st.integers(0, 9)), st.dictionaries(KEYS, st.integers(10, 19)), KEYS)
def test_an_overlay_reads_as_the_two_together(below, above, prefix):
    overlay = Overlay(view_of(below))
    for key, number in above.items():
        overlay.put(COUNTS, key, Count(number))
    both = below | above
    expected = [(key, Count(number)) for key, number in sorted(both.items()) if key.startswith(prefix)]
    assert list(overlay.range(COUNTS, prefix)) == expected
    assert [overlay.get(COUNTS, key) for key, _ in expected] == [row for _, row in expected]
    assert overlay.look_up(COUNTS, [b"none", *both]) == {key: Count(number) for key, number in both.items()}
    overlay.verify()
    layered = View(
        LayeredReader(
            overlay.encoded(), MemoryReader({COUNTS.state_key(k): encode(Count(n)) for k, n in below.items()})
        )
    )
    assert list(layered.range(COUNTS, prefix)) == expected
    assert [layered.get(COUNTS, key) for key, _ in expected] == [row for _, row in expected]


def test_a_view_reads_its_own_table_alone():
    overlay = Overlay(view_of({b"a": 1}))
    overlay.put(PLAIN, b"a", Count(5))
    assert list(overlay.range(COUNTS)) == [(b"a", Count(1))]
    assert overlay.get(PLAIN, b"b") is None


def test_a_view_decodes_a_row_once():
    rows = {COUNTS.state_key(b"a"): encode(Count(1))}
    view = View(MemoryReader(rows))
    assert view.get(COUNTS, b"a") is view.get(COUNTS, b"a")
    assert view.get(COUNTS, b"b") is view.get(COUNTS, b"b") is None


def test_a_dropped_overlay_leaves_nothing_and_an_absorbed_one_all():
    block = Overlay(view_of({b"a": 1}))
    dropped = Overlay(block)
    dropped.put(COUNTS, b"a", Count(2))
    assert block.get(COUNTS, b"a") == Count(1)
    kept = Overlay(block)
    kept.put(COUNTS, b"a", Count(3))
    block.absorb(kept)
    assert block.get(COUNTS, b"a") == Count(3)


def test_a_broken_invariant_names_table_and_rule():
    overlay = Overlay(view_of({b"a": 5}))
    overlay.put(COUNTS, b"a", Count(4))
    with pytest.raises(InvariantBroken, match="counts: a count rises"):
        overlay.verify()


def test_an_invariant_compares_with_what_stood_before_this_overlay():
    block = Overlay(view_of({b"a": 5}))
    block.put(COUNTS, b"a", Count(9))
    own = Overlay(block)
    own.put(COUNTS, b"a", Count(7))
    with pytest.raises(InvariantBroken):
        own.verify()


def test_keys_and_rows_have_limits():
    overlay = Overlay(view_of({}))
    overlay.put(COUNTS, bytes(MAX_KEY_BYTES), Count(1, bytes(MAX_ROW_BYTES - 10)))
    assert overlay.outgrown() == ""
    overlay.put(COUNTS, b"a", Count(1, bytes(MAX_ROW_BYTES)))
    assert overlay.outgrown() == "counts"
    with pytest.raises(InvariantBroken, match="key of 129 bytes in table counts"):
        overlay.put(COUNTS, bytes(MAX_KEY_BYTES + 1), Count(1))


@pytest.mark.parametrize("number", [-(1 << 63) - 1, 1 << 64])
def test_a_number_that_no_encoding_holds_has_outgrown_its_row(number):
    overlay = Overlay(view_of({}))
    overlay.put(PLAIN, b"a", Count(number))
    assert overlay.outgrown() == "plain"


def test_rows_are_given_in_the_order_of_their_state_keys():
    overlay = Overlay(view_of({}))
    for table, key in ((PLAIN, b"a"), (COUNTS, b"b"), (COUNTS, b"a")):
        overlay.put(table, key, Count(1))
    assert list(overlay.encoded()) == [COUNTS.state_key(b"a"), COUNTS.state_key(b"b"), PLAIN.state_key(b"a")]
