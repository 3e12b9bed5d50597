"""Bytes to segments and back: nothing is lost, whatever the chunks; what cannot be cut is refused by name."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.interop.x12.tokens import SEGMENT_LIMIT, Unreadable, tokenize, write
from tests.agreements.claims.cases import claim, file_of

FILE = file_of(claim())


def whole(chunks: list[bytes]) -> bytes:
    return b"".join(write(tokenize(chunks)))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (FILE.decode().encode("utf-16"), "UTF-16"),
        (FILE.decode().encode("utf-16-be"), "UTF-16"),
        (FILE.decode().encode("cp500"), "EBCDIC"),
        (b"PK\x03\x04" + FILE, "a zip"),
        (b"%PDF-1.7", "a PDF"),
        (b"\xef\xbb\xbf<html>", "XML or HTML"),
        (FILE[107:], "without its ISA"),
        (b" \r\n", "empty"),
    ],
)
def test_a_file_that_is_no_interchange_is_told_what_it_is(data: bytes, what: str) -> None:
    with pytest.raises(Unreadable, match=what):
        list(tokenize([data]))


@given(st.lists(st.integers(0, len(FILE)), max_size=12), st.sampled_from([b"", b"\r\n", b" \n\n"]))
def test_what_is_read_is_written_back_byte_for_byte_however_it_is_chunked(cuts: list[int], tail: bytes) -> None:
    data = FILE + tail
    places = [0, *sorted(cuts), len(data)]
    assert whole([data[start:end] for start, end in itertools.pairwise(places)]) == data


def test_each_interchange_brings_its_own_separators() -> None:
    other = FILE.replace(b"\n", b"").replace(b"*", b"|").replace(b":", b">").replace(b"~", b"!").replace(b"^", b"&")
    data = FILE + other
    tags = [part.tag for part, _ in tokenize([data])]
    assert tags == [part.tag for part, _ in tokenize([FILE])][:-1] * 2
    assert whole([data]) == data


def test_a_byte_order_mark_and_line_ends_are_kept_as_lead() -> None:
    data = b"\xef\xbb\xbf\r\n" + FILE.replace(b"~\n", b"~\r\n")
    parts = [part for part, _ in tokenize([data])]
    assert parts[0].lead == "ï»¿\r\n"
    assert parts[1].lead == "\r\n"
    assert whole([data]) == data


def test_a_line_end_can_be_the_terminator() -> None:
    data = FILE.replace(b"~\n", b"\n")
    assert [part.tag for part, _ in tokenize([data])][:3] == ["ISA", "GS", "ST"]
    assert whole([data]) == data


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "isa-missing"),
        (b"   \n", "isa-missing"),
        (b"MSH|^~\\&|A|B", "isa-missing"),
        (FILE[:50], "isa-missing"),
        (FILE[:20] + FILE[21:], "isa-width"),
        (FILE.replace(b"^", b"^", 1).replace(b"*:~", b"*~~", 1), "isa-separators"),
        (FILE[:-30], "truncated"),
        (FILE[:400] + b"A" * (SEGMENT_LIMIT + 1), "segment-length"),
    ],
)
def test_what_cannot_be_cut_is_refused_by_name(data: bytes, rule: str) -> None:
    with pytest.raises(Unreadable) as caught:
        list(tokenize([data]))
    assert caught.value.rule == rule


@given(st.binary(max_size=400))
def test_any_bytes_give_segments_or_the_named_refusal(data: bytes) -> None:
    for start in (b"", FILE[:106]):
        with contextlib.suppress(Unreadable):
            assert whole([start + data]) == start + data
