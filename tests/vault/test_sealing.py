import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.vault import sealing
from salus.vault.errors import SealBroken, TooLarge
from salus.vault.sealing import Content, Kind, Link, check_chain, header_of, seal, take_apart

LINK, SECRET = b"l" * 16, b"s" * 32
HEADER = header_of(LINK, "north")
WRAPPING = sealing.wrap_key(SECRET)


def sealed(content, *, random=b"r" * 96, sequence=1, previous=None, version=1):
    return seal(
        content,
        sealing.content_digest(content),
        header=HEADER,
        wrapping=WRAPPING,
        version=version,
        recorded=1,
        sequence=sequence,
        previous=previous or sealing.chain_start(LINK),
        random=random,
    )


@given(st.binary(max_size=9_000), st.text(max_size=20), st.sampled_from(Kind), st.sampled_from([b"", b"d" * 32]))
def test_what_was_sealed_opens_again(body, name, kind, source):
    content = Content("Note", name, body, "text/plain", kind, source)
    fresh = sealed(content, version=3)
    parts = take_apart(fresh.sealed)
    meta, opened = sealing.open_sealed(parts, sealing.unwrap(WRAPPING, fresh.wrap))
    assert (opened, meta.id, meta.version, meta.kind, meta.source) == (body, name, 3, kind, source)
    assert sealing.leaf_of(parts, fresh.salt) == fresh.leaf
    assert (parts.link, parts.writer) == (LINK, "north")


@given(st.data())
def test_any_flipped_bit_is_refused_and_moves_the_leaf(data):
    fresh = sealed(Content("Note", "n", b"x" * 100))
    at = data.draw(st.integers(0, len(fresh.sealed) * 8 - 1))
    spoiled = bytearray(fresh.sealed)
    spoiled[at // 8] ^= 1 << at % 8
    key = sealing.unwrap(WRAPPING, fresh.wrap)
    try:
        parts = take_apart(bytes(spoiled))
    except SealBroken:
        return
    assert sealing.leaf_of(parts, fresh.salt) != fresh.leaf
    if parts.chain == take_apart(fresh.sealed).chain:  # the chain is bound by the leaf alone
        with pytest.raises(SealBroken):
            sealing.open_sealed(parts, key)


@given(st.binary(max_size=3_000))
def test_bytes_from_elsewhere_are_parts_or_the_named_error(junk):
    for start in (junk, HEADER + junk):
        try:
            sealing.open_sealed(take_apart(start), b"k" * 32)
        except SealBroken:
            continue
        pytest.fail("junk opened")


def test_a_machine_that_repeats_its_randomness_repeats_no_key():
    one, two = sealed(Content("Note", "n", b"one")), sealed(Content("Note", "n", b"two"))
    assert sealing.unwrap(WRAPPING, one.wrap) != sealing.unwrap(WRAPPING, two.wrap)
    assert sealed(Content("Note", "n", b"one")) == one


def test_another_key_is_refused_even_where_it_would_decrypt():
    fresh = sealed(Content("Note", "n", b"x"))
    with pytest.raises(SealBroken, match="commits"):
        sealing.open_sealed(take_apart(fresh.sealed), b"k" * 32)
    with pytest.raises(SealBroken, match="unwrap"):
        sealing.unwrap(sealing.wrap_key(b"o" * 32), fresh.wrap)


@given(st.integers(0, 1 << 26))
def test_padding_hides_the_length_at_little_cost(length):
    padded = sealing.padded_length(length)
    assert padded >= max(length, 2048)
    assert sealing.padded_length(padded) == padded
    assert padded == 2048 or (padded - length) * 100 <= 12 * length


def test_a_note_and_a_longer_note_look_alike():
    lengths = {len(sealed(Content("Note", "n", b"x" * size)).sealed) for size in range(0, 1900, 100)}
    assert len(lengths) == 1


@pytest.mark.parametrize(
    "content",
    [Content("N" * 129, "n", b""), Content("N", "n" * 129, b""), Content("N", "n", b"", source=b"short")],
)
def test_what_the_format_does_not_hold_is_refused(content):
    with pytest.raises(TooLarge):
        sealed(content)


def test_a_header_takes_what_it_can_say():
    with pytest.raises(TooLarge):
        header_of(b"short", "north")
    with pytest.raises(TooLarge):
        header_of(LINK, "n" * 33)


def chain(count):
    links, previous = [], sealing.chain_start(LINK)
    for sequence in range(1, count + 1):
        fresh = sealed(
            Content("Note", f"n{sequence}", b"x"),
            random=bytes([sequence]) * 96,
            sequence=sequence,
            previous=previous,
        )
        links.append(Link(sequence, previous, fresh.chain_salt, take_apart(fresh.sealed).chain, fresh.leaf))
        previous = fresh.leaf
    return links


def test_a_wallet_follows_the_chain_in_parts():
    links = chain(5)
    head = check_chain(LINK, (0, b""), links[:2])
    assert check_chain(LINK, head, links[2:]) == (5, links[4].leaf)


def test_a_wallet_finds_what_was_altered_withheld_or_rolled_back():
    links = chain(4)
    other = chain(4)[1]
    altered = Link(2, other.previous, other.chain_salt, other.chain, b"z" * 32)
    head = check_chain(LINK, (0, b""), links[:3])
    stories = {
        "withheld": ((0, b""), [links[0], links[2]], "record 2 of the link is missing"),
        "altered": ((0, b""), [links[0], altered, links[2]], "record 3 does not follow"),
        "rolled back": (head, [Link(4, links[1].leaf, links[3].chain_salt, links[3].chain, links[3].leaf)], "record 4"),
        "shown again": (head, links[2:], "record 4 of the link is missing"),
        "forged": ((0, b""), [Link(1, links[0].previous, b"y" * 32, links[0].chain, links[0].leaf)], "chain value"),
    }
    for start, shown, told in stories.values():
        with pytest.raises(SealBroken, match=told):
            check_chain(LINK, start, shown)
