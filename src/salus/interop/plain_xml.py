"""XML that others wrote, read so that nothing in it expands: document types and entities are refused outright."""

from collections.abc import Callable
from typing import NoReturn
from xml.parsers import expat


def parser(
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
    refused: Exception,
) -> expat.XMLParserType:
    """Return a parser with these handlers; names are `uri local` or `local`. It raises `refused` for a declaration.

    How much, how deep and how many is for the handlers to bound.
    """

    def refuse(*_: object) -> NoReturn:
        raise refused

    made = expat.ParserCreate(namespace_separator=" ")
    made.buffer_text = True
    made.StartDoctypeDeclHandler = refuse
    made.EntityDeclHandler = refuse
    made.StartElementHandler = start
    made.EndElementHandler = end
    made.CharacterDataHandler = text
    return made
