"""What a file is that is no X12 interchange, by how it begins: told to whoever sent the wrong file or saved it wrongly."""

from typing import Final

_BEGINNINGS: Final = (
    ("\xff\xfe", "UTF-16 text; save it as ASCII"),
    ("\xfe\xff", "UTF-16 text; save it as ASCII"),
    ("I\x00S\x00", "UTF-16 text; save it as ASCII"),
    ("\x00I\x00S", "UTF-16 text; save it as ASCII"),
    ("\xc9\xe2\xc1", "EBCDIC; convert it to ASCII"),
    ("PK\x03\x04", "a zip; send what is in it"),
    ("\x1f\x8b", "packed by gzip; send what is in it"),
    ("%PDF", "a PDF"),
    ("<", "XML or HTML"),
    ("{", "JSON"),
    ("GS", "an interchange without its ISA segment"),
    ("ST", "a transaction set without its envelope (ISA, GS)"),
)


def named(beginning: str) -> str:
    """Return what a file begins like, read as ISO 8859-1: some words, empty where it is like nothing known."""
    return next((words for start, words in _BEGINNINGS if beginning.startswith(start)), "")
