"""Which own patients are worth comparing: those that share something that few share.

That is an identifier, a birth date, two words of their names, a word and a birth within a year, or a telephone number or
e-mail address as it is written.
What is found is compared elsewhere, resource by resource; what shares none of these is never looked at.
"""

from typing import Final

import msgspec

from salus.index.store import Store
from salus.interop.fhir.search.definitions import parameters

MOST: Final = 200
"""Candidates of one patient by what many share, names and contacts: beyond that it says nothing, and the birth date finds what
is left.
"""
YEAR_MS: Final = 366 * 24 * 3600 * 1000
_OWN: Final = "JOIN link l ON l.number = e.link AND l.lease = 0"


class OwnPatient(msgspec.Struct, frozen=True):
    """The newest version of a Patient under an own link: its number in the vault."""

    number: int
    link: bytes


class Likely:
    """Answers from the newest versions of the member's own Patients."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def after(self, number: int, limit: int) -> list[OwnPatient]:
        """Return Patients behind a number, oldest first."""
        sql = f"SELECT e.number, l.id FROM person p JOIN entry e ON e.number = p.entry {_OWN} "  # noqa: S608 -- constants
        found = self._store.ask(sql + "WHERE p.entry > ? ORDER BY p.entry LIMIT ?", (number, limit))
        return [OwnPatient(*row) for row in found]

    def of_link(self, link: bytes) -> OwnPatient | None:
        """Return a link's Patient, the newest if there are several; None without."""
        sql = f"SELECT e.number, l.id FROM entry e {_OWN} WHERE l.id = ? AND e.type = 'Patient' "  # noqa: S608 -- constants
        found = self._store.ask(sql + "ORDER BY e.number DESC LIMIT 1", (link,))
        return OwnPatient(*found[0]) if found else None

    def name(self, one: OwnPatient) -> str:
        """Return a Patient's name for display; empty for one that is not here any more."""
        found = self._store.ask("SELECT label FROM entry WHERE number = ?", (one.number,))
        return str(found[0][0]) if found else ""

    def candidates(self, one: OwnPatient) -> list[OwnPatient]:
        """Return the Patients of other links that may be the same person, ascending by number."""
        found: set[tuple[int, bytes]] = set()
        for told in (_SAME_IDENTIFIER, _SAME_BIRTH, _SAME_WORDS, _SAME_WORD_AND_YEAR, _same_contact()):
            sql = f"SELECT e.number, l.id FROM ({told}) c JOIN entry e ON e.number = c.entry {_OWN} WHERE l.id <> ?"  # noqa: S608 -- constants
            found |= {(number, link) for number, link in self._store.ask(sql, (one.number, one.link))}
        return [OwnPatient(*row) for row in sorted(found)]


_SAME_IDENTIFIER: Final = (
    "SELECT DISTINCT o.entry FROM identifier i JOIN identifier o ON o.value = i.value AND o.system = i.system "
    "JOIN person p ON p.entry = o.entry WHERE i.entry = ? AND i.system <> ''"
)
_SAME_BIRTH: Final = "SELECT o.entry FROM person p JOIN person o ON o.birth_lo = p.birth_lo WHERE p.entry = ? AND p.birth_hi > p.birth_lo"
_SAME_WORDS: Final = (
    "SELECT o.entry FROM name_word w JOIN name_word o ON o.word = w.word WHERE w.entry = ? "  # noqa: S608 -- constants
    f"GROUP BY o.entry HAVING count(*) >= 2 LIMIT {MOST}"
)
_SAME_WORD_AND_YEAR: Final = (
    "SELECT DISTINCT o.entry FROM person p CROSS JOIN name_word w CROSS JOIN name_word o CROSS JOIN person q "  # noqa: S608 -- constants
    "WHERE p.entry = ? AND p.birth_hi > p.birth_lo AND w.entry = p.entry AND o.word = w.word AND q.entry = o.entry "
    f"AND q.birth_lo BETWEEN p.birth_lo - {YEAR_MS} AND p.birth_lo + {YEAR_MS} LIMIT {MOST}"
)


def _same_contact() -> str:
    """Return how those with the same contact are found. To read the search parameters takes longer than all of this module."""
    numbers = ",".join(map(str, parameters("Patient")["telecom"].numbers))
    return (
        "SELECT DISTINCT o.entry FROM s_token s CROSS JOIN s_token o WHERE s.entry = ? "  # noqa: S608 -- constants
        f"AND s.param IN ({numbers}) AND o.param = s.param AND o.code = s.code LIMIT {MOST}"
    )
