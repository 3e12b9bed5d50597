"""Full text of a resource (R4 3.1.1.4.10): the words of its narrative and of all its texts and codes.

A word is a run of letters and digits, without case and accents. Identities of other things are no text: references,
addresses of systems and profiles, attached data. `_text` looks at the narrative, `_content` at all.
"""

import re
import unicodedata
from html import unescape
from typing import Any, Final

import msgspec

from salus.interop.fhir.tokens import Tree

MAX_CHARACTERS: Final = 100_000
"""Of one resource: twenty pages of a report; what follows is not found."""
MAX_PHRASES: Final = 20
"""Words and phrases of one alternative."""
SKIPPED: Final = frozenset(
    {
        "data", "hash", "id", "implicitRules", "instantiatesCanonical", "lastUpdated", "profile", "reference", "resourceType",
        "system", "url", "versionId",
    }
)  # fmt: skip
_NO_TEXT: Final = SKIPPED | {"div"}
_RUN: Final = re.compile(r"[^\W_]+")
_TAG: Final = re.compile(r"<[^>]*>")
_PART: Final = re.compile(r'"([^"]*)"|(\S+)')


class Phrase(msgspec.Struct, frozen=True):
    """Words that follow each other. begins: the last one may go on."""

    words: tuple[str, ...]
    begins: bool = False


class Texts(msgspec.Struct, frozen=True):
    """A resource's words in order, separated by blanks. whole: without the narrative's."""

    narrative: str
    whole: str


def words_in(text: str) -> list[str]:
    """Return the words of a text, in order."""
    if not text.isascii():
        plain = unicodedata.normalize("NFKD", text)
        text = "".join(char for char in plain if not unicodedata.combining(char))
    return _RUN.findall(text.casefold())


def texts(tree: Tree) -> Texts:
    """Return the words of a resource that passed the gate."""
    narrative = tree.get("text")
    div = narrative.get("div") if isinstance(narrative, dict) else None
    told = unescape(_TAG.sub(" ", div[:MAX_CHARACTERS])) if isinstance(div, str) else ""
    found: list[str] = []
    _gather(tree, found)
    return Texts(" ".join(words_in(told)), " ".join(words_in(" ".join(found)[:MAX_CHARACTERS])))


def _gather(value: Any, found: list[str]) -> None:
    """Append the texts and numbers of an object or a list, in their order."""
    inside = [one for name, one in value.items() if name not in _NO_TEXT] if value.__class__ is dict else value
    for one in inside:
        kind = one.__class__
        if kind is str:
            found.append(one)
        elif kind is dict or kind is list:
            _gather(one, found)
        elif one is not None and kind is not bool:
            found.append(str(one))


def phrases(text: str) -> tuple[Phrase, ...]:
    """Return what one alternative asks for, all of it: words, "phrases in quotes", and beginnings*. Empty: nothing."""
    found = []
    for quoted, bare in _PART.findall(text):
        if words := tuple(words_in(quoted or bare)):
            found.append(Phrase(words, bare.endswith("*")))
    return tuple(found)
