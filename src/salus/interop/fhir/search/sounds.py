"""How a name sounds: American Soundex, as the National Archives of the United States describe it for the censuses.

It groups English spellings (Smith, Smyth); of names in other scripts it says nothing.
"""

from typing import Final

from salus.interop.fhir.search.words import words_in

_GROUPS: Final = {
    letter: figure
    for figure, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), start=1)
    for letter in letters
}
_LENGTH: Final = 4


def sounds(name: str) -> list[tuple[str, str]]:
    """Return (code, word) of each word of a name that is written in Latin letters; accents do not count."""
    return [(code, word) for word in words_in(name) if (code := _code(word))]


def _code(word: str) -> str:
    """Return the first letter and three figures; letters of one group count once, also with h or w between them."""
    if not (word.isascii() and word.isalpha()):
        return ""
    code, last = word[0].upper(), _GROUPS.get(word[0])
    for letter in word[1:]:
        group = _GROUPS.get(letter)
        if group is not None and group != last:
            code += str(group)
        if letter not in "hw":  # a vowel parts two of one group
            last = group
    return code[:_LENGTH].ljust(_LENGTH, "0")
