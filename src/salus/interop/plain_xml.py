"""XML that others wrote, read so that nothing in it expands.

Document types and entities are refused outright. So are long namespaces: one is written once, and the parser puts it before the
name of each element and attribute that has it, so that a document of 200 KB would take gigabytes. Refused before parsing, because
the attributes of one element are expanded before anybody hears of it. Everything is parsed as UTF-8, so that no other
encoding hides a declaration from that look.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NoReturn
from xml.parsers import expat

MAX_NAMESPACE: Final = 128
"""Bytes: the longest in use here has 70."""
_LONG: Final = re.compile(
    rb"""xmlns(?<=\sxmlns)(?=[:\s=])"""
    rb"""(?:[^\s=]{66}|[^\s=]{0,65}(?:\s{65}|\s{0,64}=(?:\s{65}|\s{0,64}(?:"[^"]{129}|'[^']{129}))))"""
)
"""A declaration that is longer than it may be: 64 bytes of prefix, 64 of white space around `=`, MAX_NAMESPACE of namespace."""
_OVERLAP: Final = 512  # more than such a declaration has up to where it is too long
_DECLARED: Final = re.compile(
    rb"""(?:\xef\xbb\xbf)?<\?xml\s[^>]{0,200}?encoding\s{0,8}=\s{0,8}["']([A-Za-z0-9._-]{1,40})["']"""
)
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_BYTES: Final = frozenset(("iso-8859-1", "windows-1252"))


def parser(
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
    refused: Exception,
) -> expat.XMLParserType:
    """Return a parser of UTF-8 with these handlers; names are `uri local` or `local`. It raises `refused` for a declaration.

    How much, how deep and how many is for the handlers to bound. What is parsed was looked at before by `expands`, or by `looked_at`.
    """

    def refuse(*_: object) -> NoReturn:
        raise refused

    made = expat.ParserCreate("utf-8", namespace_separator=" ")
    made.buffer_text = True
    made.StartDoctypeDeclHandler = refuse
    made.EntityDeclHandler = refuse
    made.StartElementHandler = start
    made.EndElementHandler = end
    made.CharacterDataHandler = text
    return made


def expands(data: bytes) -> bool:
    """Say whether a document in UTF-8 declares a namespace that is longer than MAX_NAMESPACE."""
    return _LONG.search(data) is not None


def looked_at(chunks: Iterable[bytes], refused: Exception) -> Iterator[bytes]:
    """Yield a document's pieces; raises `refused` before the piece with which a namespace gets too long."""
    before = b""
    for chunk in chunks:
        seen = before + chunk
        if expands(seen):
            raise refused
        before = seen[-_OVERLAP:]
        yield chunk


def as_utf8(data: bytes) -> bytes:
    """Return a document in UTF-8, ISO-8859-1, Windows-1252 or UTF-16 as UTF-8. Raises LookupError for another, ValueError."""
    if data.startswith(_UTF16):
        return data.decode("utf-16").encode()
    declared = _DECLARED.match(data)
    name = "utf-8" if declared is None else declared[1].decode("ascii").lower()
    if name in _BYTES:
        return data.decode(name).encode()
    if name not in {"utf-8", "us-ascii"}:
        raise LookupError(name)
    return data
