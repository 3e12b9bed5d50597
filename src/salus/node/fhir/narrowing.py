"""What a token's scopes leave of a request: which interactions it may ask, and which rows exist for it.

A person's own reach is decided first, as without a token; scopes only take away. They are joined into the same statements,
so that totals, chains, includes and pages tell nothing of what a scope hides.
"""

from collections.abc import Sequence
from typing import Final

from salus.index.search import Slice
from salus.interop.fhir.search.query import read_query
from salus.node.errors import Forbidden
from salus.node.fhir.answers import Request
from salus.node.smart.scopes import Access

READS: Final = "rs"
WRITES: Final = "cud"
PATIENT: Final = "Patient"


def needed(request: Request) -> tuple[str, str]:
    """Return (type or `*`, letters of SMART scopes that must be held) of an interaction; no letters for a Bundle."""
    parts = request.path.split("/") if request.path else []
    kind = parts[0] if parts and parts[0][:1].isupper() else "*"
    letters = "s"
    if not parts:
        letters = ""
    elif len(parts) == 1 and kind != "*":
        letters = {"GET": "s", "POST": "c", "PUT": "us", "PATCH": "rus", "DELETE": "ds"}.get(request.method, "")
    elif len(parts) == 2 and parts[1][:1] not in {"_", "$"} and kind != "*":
        letters = {"GET": "r", "PUT": "u", "PATCH": "ru", "DELETE": "d"}.get(request.method, "")
    elif len(parts) > 2 and kind == PATIENT and parts[2][:1].isupper():
        kind = parts[2]
    elif len(parts) == 3 and parts[2][:5] == "$meta":
        letters = "r" if parts[2] == "$meta" else "ru"
    elif "_history" in parts[2:]:
        letters = "r"
    return kind, letters


def check(access: Access, request: Request) -> str:
    """Return the letters of an interaction if the scopes hold them. Raises Forbidden."""
    kind, letters = needed(request)
    for letter in letters:
        require(access, kind, letter)
    return letters


def require(access: Access, kind: str, letter: str) -> None:
    """Raise Forbidden unless the scopes open an interaction on a type."""
    if not access.may(kind, letter):
        raise Forbidden(
            "smart.scope",
            "the token's scopes do not open this",
            expected=f"a scope for {kind} with {letter}",
            todo="ask for more, and the person may allow it",
        )


def require_link(access: Access, kind: str, letter: str, link: bytes) -> None:
    """Raise Forbidden unless a resource of this type may be written under this link."""
    for rule in access.effective():
        if rule.covers(kind, letter) and (rule.level != "patient" or link == access.link):
            return
    raise Forbidden("smart.scope", "the token's scopes do not open this", expected=f"a scope for {kind} with {letter}")


def slices(access: Access, letters: str, house: bytes, now: int) -> Sequence[Slice]:
    """Return the rows that exist for a token in an interaction that needs these letters.

    What is patched is shown, so it must be readable. Whoever may write for a patient finds that patient, else nothing
    could refer to one.
    """
    writing = any(letter in WRITES for letter in letters)
    letters = letters if not writing else "r" if "r" in letters else WRITES
    found = []
    for rule in access.effective():
        links = (access.link, house) if rule.level == PATIENT.lower() else ()
        if any(letter in rule.letters for letter in letters):
            tests = read_query(rule.kind, rule.query, now=now).tests if rule.query else ()
            found.append(Slice("" if rule.kind == "*" else rule.kind, tests, links))
        if writing and any(letter in rule.letters for letter in WRITES):
            found.append(Slice(PATIENT, (), links))
    return found
