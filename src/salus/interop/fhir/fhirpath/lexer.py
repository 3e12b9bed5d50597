"""Tokens of FHIRPath N1 (appendix B, grammar), each with its offset in the text."""

import re
from typing import Final, NamedTuple

from salus.interop.fhir.fhirpath.errors import ExpressionMalformed, LimitExceeded

MAX_EXPRESSION = 32_768  # characters: the longest expression of the R4 definitions has about 2,500


class Token(NamedTuple):
    """`kind` is one of symbol, word, name (delimited), string, number, date, dateTime, time, constant, dollar, end."""

    kind: str
    text: str
    offset: int


_PATTERN: Final = re.compile(
    r"""
      (?P<blank>[\s]+|//[^\n\r]*|/\*.*?\*/)
    | (?P<time>@T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)
    | (?P<dateTime>@\d{4}(?:-\d\d(?:-\d\d)?)?T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?)?)
    | (?P<date>@\d{4}(?:-\d\d(?:-\d\d)?)?)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<name>`(?:[^`\\]|\\.)*`)
    | (?P<constant>%(?:[A-Za-z_][A-Za-z0-9_]*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'))
    | (?P<dollar>\$(?:this|index|total)\b)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<symbol><=|>=|!=|!~|[-+*/|&.,()\[\]{}<>=~])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPED: Final = {"f": "\f", "n": "\n", "r": "\r", "t": "\t"} | {mark: mark for mark in "'\"`\\/"}


def unescape(text: str, expression: str, offset: int) -> str:
    """Resolve the escapes of a string or delimited identifier; raises ExpressionMalformed at an unknown one."""

    def one(found: re.Match[str]) -> str:
        mark = found[1]
        if mark[0] == "u" and len(mark) == 5:
            return chr(int(mark[1:], 16))
        if mark not in _ESCAPED:
            raise ExpressionMalformed(f"unknown escape \\{mark}", expression, offset + found.start())
        return _ESCAPED[mark]

    return _ESCAPE.sub(one, text) if "\\" in text else text


def tokens(expression: str) -> list[Token]:
    """Split an expression into tokens, comments and blanks dropped, an `end` token last.

    Raises ExpressionMalformed at a character that starts no token, LimitExceeded beyond MAX_EXPRESSION.
    """
    if len(expression) > MAX_EXPRESSION:
        raise LimitExceeded(f"expression has {len(expression)} characters, at most {MAX_EXPRESSION} are read")
    found: list[Token] = []
    position = 0
    while position < len(expression):
        match = _PATTERN.match(expression, position)
        if match is None or (expression.startswith("/*", position) and match.lastgroup != "blank"):
            raise ExpressionMalformed(f"unexpected {expression[position]!r}", expression, position)
        kind = match.lastgroup or ""
        text = match.group()
        if kind in {"string", "name"}:
            found.append(Token(kind, unescape(text[1:-1], expression, position + 1), position))
        elif kind == "constant" and text[1] in "`'":
            found.append(Token(kind, unescape(text[2:-1], expression, position + 2), position))
        elif kind == "constant":
            found.append(Token(kind, text[1:], position))
        elif kind != "blank":
            found.append(Token(kind, text, position))
        position = match.end()
    found.append(Token("end", "", len(expression)))
    return found
