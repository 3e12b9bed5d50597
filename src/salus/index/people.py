"""Who an asker is to the consents on file: the names by which they may call a member and one of its people.

A person is known by the Practitioner (or RelatedPerson, Patient, Device) here that carries the subject of her credential
as identifier of system `urn:salus:person`, or `urn:salus:person:MEMBER` for another member's people. Her names are these
resources, all their identifiers, and the roles, groups and care teams that she is in now.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import apsw
import msgspec

from salus.agreements.consent.vocabulary import MEMBER_SYSTEM, PERSON_SYSTEM
from salus.index.predicates import marks
from salus.index.store import Store

PEOPLE: Final = ("Practitioner", "RelatedPerson", "Patient", "Device")
FAMILIES: Final = frozenset(f"{kind}/" for kind in (*PEOPLE, "PractitionerRole"))
STAFF_TEAMS: Final = frozenset({"Group", "PractitionerRole"})
"""Teams that the operator keeps; whoever may write for a patient keeps that patient's care team, whose identifiers
therefore name nobody.
"""
DEPTH: Final = 4
"""Teams within teams: a person, her role, its group, that group's care team."""
TOGETHER: Final = 500
"""Names in one question."""
_OF_ENTRY: Final = "FROM entry e CROSS JOIN link l"
_OWN: Final = "l.number = e.link AND l.lease = 0"
"""CROSS JOIN keeps the order: from the names that are asked for, never through all links or all of a type."""


class Who(msgspec.Struct, frozen=True):
    """names and known as `Asker` has them."""

    names: frozenset[str]
    known: frozenset[str]


def names_somebody(system: str) -> bool:
    """Tell whether an identifier of this system says which member or whose credential a resource stands for."""
    return system in {MEMBER_SYSTEM, PERSON_SYSTEM} or system.startswith(f"{PERSON_SYSTEM}:")


def note(db: apsw.Connection, rows: Iterable[tuple[int, str, int, int]]) -> None:
    """Keep who is in a team: (entry number, "Type/id" of the member, lo, hi) each."""
    db.executemany("INSERT OR IGNORE INTO membership VALUES (?,?,?,?)", rows)


class People:
    """Answers from the newest versions of the member's own resources."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def who(self, member: str, person: str = "", *, home: bool, at: int, teams: Collection[str] = ()) -> Who:
        """Return who a member's person is, or the member alone for person "".

        home: it is the own member. at: when it is asked, Unix ms. teams: groups and care teams of which the answer must
        say whether they are here. Raises the index's errors.
        """
        subjects = [(f"{PERSON_SYSTEM}:{member}", person)] + ([(PERSON_SYSTEM, person)] if home else [])
        subjects = subjects if person else []
        of_member, bound = self._named(member, subjects)
        names = {f"{MEMBER_SYSTEM}|{member}"} | of_member
        known = {f"{MEMBER_SYSTEM}|"}
        if person:
            names |= bound | {f"{system}|{value}" for system, value in subjects}
            if bound:
                known |= FAMILIES | {name[: name.rindex("|") + 1] for name in bound if "|" in name}
                known |= self._here(teams)
        return Who(frozenset(names | self._teams(names, at)), frozenset(known))

    def binds(self, kind: str, own: str) -> bool:
        """Tell whether an own resource says who a member or a person is, or who is in a team of the staff's."""
        name = f"{kind}/{own}"
        return self._says([name]) or (kind in STAFF_TEAMS and self.leads(self._members(name)))

    def leads(self, members: Sequence[str]) -> bool:
        """Tell whether one of a team's members is a person or a member that is known here, or the role of one."""
        return bool(members) and self._says([*members, *(one for name in members for one in self._members(name))])

    def _says(self, names: Sequence[str]) -> bool:
        sql = (
            f"SELECT i.system {_OF_ENTRY} CROSS JOIN identifier i "
            f"WHERE e.name IN ({marks(len(names))}) AND {_OWN} AND i.entry = e.number"
        )
        return any(names_somebody(system) for (system,) in self._store.look(sql, names))

    def _members(self, name: str) -> list[str]:
        sql = f"SELECT m.member {_OF_ENTRY} CROSS JOIN membership m WHERE e.name = ? AND {_OWN} AND m.entry = e.number"
        return [member for (member,) in self._store.look(sql, (name,))]

    def _named(self, member: str, subjects: Sequence[tuple[str, str]]) -> tuple[set[str], set[str]]:
        """Return names and identifiers of the organizations that are a member, and of the people who are one of `subjects`."""
        told = [text for system, value in [(MEMBER_SYSTEM, member), *subjects] for text in (value, system)]
        tests = " OR ".join(["(i.value = ? AND i.system = ?)"] * (len(told) // 2))
        sql = (
            "SELECT e.number, e.name, e.type, i.system FROM identifier i CROSS JOIN entry e CROSS JOIN link l "  # noqa: S608 -- marks
            f"WHERE ({tests}) AND e.number = i.entry AND {_OWN}"
        )
        found: tuple[dict[int, str], dict[int, str]] = {}, {}
        for number, name, kind, system in self._store.kept(sql, told):
            if system == MEMBER_SYSTEM and kind == "Organization":
                found[0][number] = name
            elif system != MEMBER_SYSTEM and kind in PEOPLE:
                found[1][number] = name
        return self._all_names(found[0]), self._all_names(found[1])

    def _all_names(self, found: Mapping[int, str]) -> set[str]:
        """Return the names of resources, (number, "Type/id") each, and their identifiers."""
        if not found:
            return set()
        sql = f"SELECT system || '|' || value FROM identifier WHERE entry IN ({marks(len(found))})"  # noqa: S608 -- marks
        return {*found.values(), *(name for (name,) in self._store.kept(sql, sorted(found)))}

    def _teams(self, names: set[str], at: int) -> set[str]:
        """Return the teams that one of the names is in, and their identifiers."""
        found: set[str] = set()
        fresh = {name for name in names if "|" not in name}
        for _ in range(DEPTH):
            if not fresh:
                break
            sql = (
                f"SELECT e.name, i.system || '|' || i.value FROM membership m JOIN entry e ON e.number = m.entry "  # noqa: S608 -- constants
                f"JOIN link l ON {_OWN} LEFT JOIN identifier i ON i.entry = e.number AND e.type <> 'CareTeam' "
                f"WHERE m.member IN ({marks(len(fresh))}) AND m.lo <= ? AND ? < m.hi"
            )
            rows = self._store.look(sql, [*sorted(fresh), at, at])
            fresh = {name for name, _ in rows} - found
            found |= {text for row in rows for text in row if text is not None}
        return found

    def _here(self, teams: Collection[str]) -> set[str]:
        ordered = sorted(teams)
        here: set[str] = set()
        for start in range(0, len(ordered), TOGETHER):
            some = ordered[start : start + TOGETHER]
            sql = f"SELECT e.name {_OF_ENTRY} WHERE e.name IN ({marks(len(some))}) AND {_OWN}"
            here.update(name for (name,) in self._store.kept(sql, some))
        return here
