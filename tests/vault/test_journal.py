import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from salus.core.encoding import encode
from salus.core.proof.batch import root_from_batch
from salus.vault import journal
from salus.vault.errors import Damaged, TooLarge, UnknownLink
from salus.vault.journal import Disclosure, Side, read_line
from tests.vault.conftest import anchor, observation

GRANT = b"g" * 32


def served(link, **changes):
    line = Disclosure(Side.CUSTODIAN, link, "south", "p1", "doctor", "TREAT", "serve", ("Observation/a/1",), GRANT)
    return structs.replace(line, **changes)


def read(**changes):
    line = Disclosure(Side.GRANTEE, GRANT, "south", "p1", "doctor", "TREAT", "read", ("Observation/a/1",), GRANT)
    return structs.replace(line, **changes)


def test_a_line_reads_back_with_its_opening_and_its_path(vault, hands):
    link = vault.open_link("mrn", "1")
    vault.write(link, [observation("a")])
    (entry,) = vault.journal([served(link)])
    waiting = vault.line(entry)
    assert (waiting.place, waiting.anchoring) == (None, None)
    anchor(vault)
    line = vault.line(entry)
    assert line.disclosure == served(link, time=hands.now)
    assert journal.disclosure_leaf(line.salt, line.line) == line.leaf
    root = root_from_batch(line.leaf, line.place.index, line.anchoring.size, line.place.path)
    assert (root, line.anchoring.tx_id) == (line.anchoring.root, b"t" * 32)


def test_lines_are_numbered_per_link_and_per_grant_without_gaps(vault):
    one, two = vault.open_links([("mrn", "1"), ("mrn", "2")])
    vault.journal([served(one), served(two), served(one)])
    vault.journal([served(one), read(), read(subject=b"h" * 32)])
    vault.journal([read()])
    assert [line.number for line in vault.lines(Side.CUSTODIAN, one)] == [1, 2, 3]
    assert [line.number for line in vault.lines(Side.CUSTODIAN, two)] == [1]
    assert [line.number for line in vault.lines(Side.GRANTEE, GRANT)] == [1, 2]
    assert [line.number for line in vault.lines(Side.CUSTODIAN, one, after=1, limit=1)] == [2]
    assert vault.link_info(one).lines == 3
    assert vault.journal([]) == []


def test_numbers_go_on_after_old_lines_were_forgotten(vault):
    link = vault.open_link("mrn", "1")
    vault.journal([served(link, time=5), served(link, time=50)])
    anchor(vault)
    assert vault.forget_lines(10) == 1
    vault.journal([served(link)])
    assert [line.number for line in vault.lines(Side.CUSTODIAN, link)] == [2, 3]
    assert vault.check().damage == ()


def test_a_line_about_nothing_known_or_too_long_is_refused_and_nothing_is_kept(vault):
    link = vault.open_link("mrn", "1")
    with pytest.raises(UnknownLink):
        vault.journal([served(link), served(b"x" * 16)])
    with pytest.raises(TooLarge):
        vault.journal([read(subject=b"short")])
    with pytest.raises(TooLarge):
        vault.journal([served(link, what=("x" * 70_000,))])
    assert vault.lines(Side.CUSTODIAN, link) == []
    assert vault.next_batch() is None
    with pytest.raises(Damaged):
        vault.line(1)


def test_a_changed_line_is_found(vault):
    link = vault.open_link("mrn", "1")
    (entry,) = vault.journal([served(link)])
    (other,) = vault.journal([served(link, purpose="HPAYMT")])
    anchor(vault)
    detail = vault.line(other).line
    vault.store.db.execute("UPDATE disclosure SET detail = ? WHERE entry = ?", (detail, entry))
    with pytest.raises(Damaged, match=f"disclosure {entry}"):
        vault.line(entry)
    assert vault.check().damage == (f"disclosure {entry}: its leaf does not stand for its line",)


@given(st.binary(max_size=100))
def test_junk_is_no_line(junk):
    with pytest.raises(Damaged):
        read_line(junk)


def test_a_line_of_another_format_or_side_is_refused():
    detail = journal.detail_of(read(), 1, 1)
    assert read_line(encode(detail)) == read(time=1)
    for changes in ({"format": 2}, {"side": 3}):
        with pytest.raises(Damaged):
            read_line(encode(structs.replace(detail, **changes)))
