"""How likely two Patient resources are of one person: weights of evidence added up, each explained (Fellegi and Sunter 1969).

Each field says same, near, different or nothing. Its weight is log2(m / u): how much more often it says so of one person's
two records than of two persons'. The table is fixed, so that two nodes, and the same node a year later, say the same of
the same records. Weights are tenths of a bit.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from salus.interop.fhir.tokens import Tree

Says = Literal["same", "near", "different"]

WEIGHTS: Final[dict[str, tuple[int, int, int]]] = {
    # field: same, near, different
    "identifier": (150, 0, -40),  # of one assigner: two numbers are two persons, or one registered twice
    "family": (90, 40, -25),  # another one in a sixth of true pairs: marriage
    "given": (65, 30, -35),  # another one in a fifth, and in all of a household
    "birth date": (
        140,
        60,
        -60,
    ),  # near: one figure wrong, neighbours or day and month exchanged, or a part that is missing
    "gender": (10, 0, -40),
    "phone": (90, 0, -10),  # shared in families, changed often
    "email": (90, 0, -10),
    "address": (80, 30, -10),
}
SLIPS: Final = {"family": 80, "given": 65}
"""Weights of near names that differ by one slip of the pen: two persons' names do so more seldom than they are the same."""
SHARED: Final = ("phone", "email", "address")
"""What a household shares."""
"""After the rates of error of 398,939 true duplicates (PMC4832129), rounded; frequencies of values are not weighed."""
DOUBTFUL: Final = 160
"""Tenths of a bit from which a person looks at a pair: name and birth date alone reach it, a family's address does not."""
NEAR: Final = 850
"""Similarity of two names, of 1,000, from which they are near."""


class Likeness(msgspec.Struct, frozen=True):
    """score: tenths of a bit. reasons: (field, what it says, weight), fields that say nothing left out.

    certain: one assigner's identifier and the birth date are the same and neither names nor gender speak against it; a given
    name with a slip does, because twins are called so, and one may have come with the other's card.
    """

    score: int
    reasons: tuple[tuple[str, Says, int], ...]
    certain: bool


class Described(msgspec.Struct, frozen=True):
    """What of a Patient is compared, in one form. identifiers: (system, value) with a system. birth_date: as written."""

    identifiers: frozenset[tuple[str, str]]
    families: frozenset[str]
    givens: frozenset[str]
    birth_date: str
    gender: str
    phones: frozenset[str]
    emails: frozenset[str]
    addresses: frozenset[tuple[str, str]]


def described(tree: Tree) -> Described:
    """Return what of a Patient (R4) is compared; identifiers and names of use `old` and `temp` are left out of identity."""
    names = _objects(tree, "name")
    telecom = _objects(tree, "telecom")
    return Described(
        identifiers=frozenset(
            (system, value.strip())
            for one in _objects(tree, "identifier")
            if one.get("use") not in {"old", "temp"} and (system := _text(one, "system")) and (value := _text(one, "value"))
        ),
        families=frozenset(filter(None, (_plain(_text(one, "family")) for one in names))),
        givens=frozenset(
            filter(None, (_plain(part) for one in names for part in _strings(one.get("given")) if isinstance(part, str)))
        ),
        birth_date=_text(tree, "birthDate"),
        gender=_text(tree, "gender"),
        phones=frozenset(filter(None, (_figures(_text(one, "value")) for one in telecom if one.get("system") == "phone"))),
        emails=frozenset(
            filter(None, (_text(one, "value").strip().casefold() for one in telecom if one.get("system") == "email"))
        ),
        addresses=frozenset(
            (code, street)
            for one in _objects(tree, "address")
            if (code := _plain(_text(one, "postalCode"))) and (street := _plain(" ".join(_strings(one.get("line")))))
        ),
    )  # fmt: skip


def compare(one: Described, other: Described) -> Likeness:
    """Weigh two descriptions; the order of the two is irrelevant."""
    names, slipped = _persons(one, other)
    told: list[tuple[str, Says | None]] = [
        ("identifier", _identifiers(one.identifiers, other.identifiers)),
        *names,
        ("birth date", _dates(one.birth_date, other.birth_date)),
        ("gender", _genders(one.gender, other.gender)),
        ("phone", _sets(one.phones, other.phones)),
        ("email", _sets(one.emails, other.emails)),
        ("address", _addresses(one.addresses, other.addresses)),
    ]
    says = {field: what for field, what in told if what is not None}
    alike = [field for field in SHARED if says.get(field) in {"same", "near"}] if _relatives(says) else []
    reasons = tuple(
        (field, what, 0 if field in alike[1:] else SLIPS[field] if field in slipped else _weight(field, what))
        for field, what in says.items()
    )
    against = "given" in slipped or any(
        says.get(field) == "different" for field in ("family", "given", "birth date", "gender")
    )
    certain = says.get("identifier") == "same" and says.get("birth date") == "same" and not against
    return Likeness(sum(weight for *_, weight in reasons), reasons, certain)


def _persons(one: Described, other: Described) -> tuple[list[tuple[str, Says | None]], set[str]]:
    """Compare family and given names; return also which of them differ by a slip of the pen.

    A name that stands as the other kind of name over there, while nothing else agrees, counts as such a slip.
    """
    family, given = _names(one.families, other.families), _givens(one.givens, other.givens)
    slipped: set[str] = set()
    if (family, given) == ("different", "different"):
        crossed = {_names(one.families, other.givens), _names(one.givens, other.families)}
        if "different" not in crossed:
            return [("family", "near"), ("given", "near")], slipped
        if "same" in crossed:
            given, slipped = "near", {"given"}
    if family in {"near", "different"} and _slip(one.families, other.families):
        family, slipped = "near", slipped | {"family"}
    if given in {"near", "different"} and _slip(one.givens, other.givens):
        given, slipped = "near", slipped | {"given"}
    return [("family", family), ("given", given)], slipped


def _relatives(says: Mapping[str, Says]) -> bool:
    """Tell whether two may be relatives: another birth date and another given name or number of one assigner."""
    return says.get("birth date") == "different" and "different" in {says.get("given"), says.get("identifier")}


def _slip(one: Iterable[str], other: Iterable[str]) -> bool:
    """Tell whether any two names differ by one letter left out, or of four another, or by two neighbours exchanged."""
    theirs = list(other)
    return any(_slipped(*sorted((a, b), key=len)) for a in one for b in theirs)


def _slipped(short: str, long: str) -> bool:
    if short == long or len(short) < 3 or len(long) - len(short) > 1:
        return False
    at = next((at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[at:] == long[at + 1 :]
    another = len(short) > 3 and short[at + 1 :] == long[at + 1 :]
    return another or (short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :])


def similarity(one: str, other: str) -> int:
    """Return the Jaro-Winkler similarity of two words, of 1,000."""
    if one == other:
        return 1_000
    reach = max(len(one), len(other)) // 2 - 1
    taken = [False] * len(other)
    ours: list[str] = []
    for at, char in enumerate(one):
        for place in range(max(0, at - reach), min(len(other), at + reach + 1)):
            if not taken[place] and other[place] == char:
                taken[place] = True
                ours.append(char)
                break
    if not ours:
        return 0
    theirs = [char for char, hit in zip(other, taken, strict=True) if hit]
    matches = len(ours)
    swapped = sum(a != b for a, b in zip(ours, theirs, strict=True)) // 2
    jaro = (1_000 * matches // len(one) + 1_000 * matches // len(other) + 1_000 * (matches - swapped) // matches) // 3
    head = 0
    while head < min(4, len(one), len(other)) and one[head] == other[head]:
        head += 1
    return jaro + head * (1_000 - jaro) // 10


def _weight(field: str, says: Says) -> int:
    same, near, different = WEIGHTS[field]
    return {"same": same, "near": near, "different": different}[says]


def _identifiers(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]) -> Says | None:
    if one & other:
        return "same"
    return "different" if {system for system, _ in one} & {system for system, _ in other} else None


def _names(one: Iterable[str], other: Iterable[str]) -> Says | None:
    theirs = list(other)
    best = max((similarity(a, b) for a in one for b in theirs), default=None)
    if best is None:
        return None
    return "same" if best == 1_000 else "near" if best >= NEAR else "different"


def _givens(one: Iterable[str], other: Iterable[str]) -> Says | None:
    """Compare given names; an initial is near the name that it begins."""
    ours, theirs = list(one), list(other)
    says = _names(ours, theirs)
    if says == "different" and any(a[0] == b[0] and 1 in {len(a), len(b)} for a in ours for b in theirs):
        return "near"
    return says


def _dates(one: str, other: str) -> Says | None:
    if not one or not other:
        return None
    if one == other:
        return "same"
    if one.startswith(other) or other.startswith(one):  # YYYY and YYYY-MM are part of a date
        return "near"
    if len(one) == len(other) == len("2000-01-01"):
        wrong = [at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        if len(wrong) == 1 or (one[:4], one[5:7], one[8:]) == (other[:4], other[8:], other[5:7]):
            return "near"
        if (
            len(wrong) == 2
            and wrong[1] == wrong[0] + 1
            and one[wrong[0]] + one[wrong[1]] == other[wrong[1]] + other[wrong[0]]
        ):
            return "near"
    return "different"


def _genders(one: str, other: str) -> Says | None:
    told = {one, other} - {"", "unknown"}
    if not one or not other or "unknown" in {one, other}:
        return None
    return "same" if len(told) == 1 else "different"


def _sets(one: frozenset[str], other: frozenset[str]) -> Says | None:
    if not one or not other:
        return None
    return "same" if one & other else "different"


def _addresses(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]) -> Says | None:
    if not one or not other:
        return None
    if one & other:
        return "same"
    return "near" if {code for code, _ in one} & {code for code, _ in other} else "different"


def _plain(text: str) -> str:
    """Return letters and figures in one form: NFKD, marks dropped, case folded, everything else a blank."""
    bare = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return " ".join("".join(char if char.isalnum() else " " for char in bare.casefold()).split())


def _figures(text: str) -> str:
    """Return a number's last nine figures: with and without the country's code it is the same."""
    return "".join(char for char in text if char.isdigit())[-9:]


def _objects(tree: Tree, name: str) -> Sequence[Tree]:
    value = tree.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _strings(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _text(tree: Tree, name: str) -> str:
    value = tree.get(name)
    return value if isinstance(value, str) else ""
