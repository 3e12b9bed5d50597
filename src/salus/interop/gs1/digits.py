"""Check digits and characters: GS1 mod 10 (General Specifications 7.9.1), HIBCC mod 43, ISO/IEC 7064 mod 37-2."""

from typing import Final

HIBC: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"


def check_digit(body: str) -> str:
    """Return the GS1 check digit of a key without it: weights 3, 1, 3 ... from the right."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return str(-total % 10)


def checks(key: str) -> bool:
    """Return whether a numeric key ends in its check digit."""
    return key.isascii() and key.isdigit() and check_digit(key[:-1]) == key[-1]


def hibc_character(text: str) -> str:
    """Return the link character of an HIBC label (ANSI/HIBC 2.6): sum of the characters' values mod 43.

    Raises ValueError for a character outside the set.
    """
    return HIBC[sum(HIBC.index(character) for character in text) % 43]
