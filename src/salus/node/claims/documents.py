"""The documents that decide claims, as use cases receive them: read, checked, refused by what is wrong with them."""

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import json

from salus.agreements.claims.alone import sound_claims
from salus.agreements.claims.code_lists import CodeLists, read_codes
from salus.agreements.claims.members import Members, members_of, read_members
from salus.agreements.claims.partner import Partner, read_partner
from salus.agreements.claims.plan import DocumentRefused, Plan, read_plan, schema
from salus.agreements.claims.plan_check import PlanFinding, check_plan, check_rates
from salus.agreements.claims.rates import FeeSchedule, Rates, read_rates
from salus.interop.x12.calendar import is_date
from salus.interop.x12.claim import Claim
from salus.interop.x12.codes import BUILT_IN, CodeSets
from salus.interop.x12.examine import examine
from salus.interop.x12.tokens import Unreadable
from salus.node.errors import Malformed

CHUNK_BYTES: Final = 1 << 16
KINDS: Final[dict[str, Any]] = {
    "plan": Plan,
    "rates": tuple[Rates, ...],
    "members": Members,
    "partner": Partner,
    "codes": CodeLists,
    "schedule": FeeSchedule,
}
"""The documents that decide claims, by name."""


def schema_of(kind: str) -> str:
    """Return the JSON Schema of a kind of document, as text."""
    return json.format(json.encode(schema(KINDS[kind])), indent=1).decode()


def plan(text: bytes) -> Plan:
    """Return a plan document that is sound. Raises Malformed."""
    try:
        read = read_plan(text)
    except DocumentRefused as wrong:
        raise Malformed(
            "claims.plan", str(wrong), todo="`salus plan schema --document plan` says what it may hold"
        ) from None
    _sound("claims.plan", check_plan(read))
    return read


def _sound(code: str, found: tuple[PlanFinding, ...]) -> None:
    if found:
        first = found[0]
        told = f"{first.rule} at {first.pointer}, {len(found)} faults in all"
        raise Malformed(code, told, expected=first.expected, todo="correct the document")


def rates(text: bytes) -> tuple[Rates, ...]:
    """Return rates documents that are sound. Raises Malformed."""
    try:
        read = read_rates(text)
    except DocumentRefused as wrong:
        raise Malformed(
            "claims.rates", str(wrong), todo="a JSON list; `salus plan schema --document rates` says of what"
        ) from None
    for part in read:
        _sound("claims.rates", check_rates(part))
    return read


def members(text: bytes, payer: str) -> Members:
    """Return who is covered, from a members document or an 834. Raises Malformed."""
    try:
        if text[:64].lstrip()[:1] == b"{":
            return read_members(text)
        require_kind(text, "834", "an enrolment")
        return members_of(payer, examine(chunks(text)))
    except DocumentRefused as wrong:
        raise Malformed(
            "claims.members", str(wrong), todo="`salus plan schema --document members` says what it may hold"
        ) from None
    except Unreadable:
        todo = "begin from `salus plan schema --document members`, or give the 834"
        raise Malformed("claims.members", "the members are neither a members document nor an 834", todo=todo) from None


def partner(text: bytes) -> Partner:
    """Return a partner document. Raises Malformed."""
    try:
        return read_partner(text)
    except DocumentRefused as wrong:
        raise Malformed(
            "claims.partner", str(wrong), todo="`salus plan schema --document partner` says what it may hold"
        ) from None


def codes(text: bytes) -> CodeSets:
    """Return the code lists in force: those built in, with a document's on top; of no text, those alone. Raises Malformed."""
    try:
        return read_codes(text) if text else BUILT_IN
    except DocumentRefused as wrong:
        raise Malformed(
            "claims.codes", str(wrong), todo="`salus plan schema --document codes` says what it may hold"
        ) from None


def day(text: str, today: str) -> str:
    """Return a day that was given (CCYYMMDD), or today where none was. Raises Malformed."""
    if text and not is_date(text):
        raise Malformed("claims.day", "a day is not one of the calendar", expected="CCYYMMDD")
    return text or today


def require_kind(file: bytes, kind: str, name: str) -> None:
    """Refuse a file that holds sets of X12, but none of this kind. Raises Malformed, naming what it holds."""
    start = file.find(b"ISA")
    mark = file[start + 3 : start + 4]
    if start < 0 or not mark or b"ST%b%b" % (mark, kind.encode()) in file:
        return
    found = sorted({one.decode() for one in re.findall(rb"\bST%b([0-9]{3})" % re.escape(mark), file)})
    if found:
        raise Malformed("claims.kind", f"the file is not {name}", expected=f"an X12 {kind}", got=", ".join(found))


def unreadable(broken: Unreadable) -> Malformed:
    """Return the refusal of bytes that are no X12 file: nothing of them is quoted."""
    where = f"after its segment {broken.position}" if broken.position else "as X12"
    told = f"{broken.rule}: the file cannot be read {where}"
    return Malformed("claims.unreadable", told, expected=broken.expected, todo="send the whole X12 file")


def chunks(data: bytes) -> Iterator[bytes]:
    """Return bytes in pieces, as a reader of a stream takes them."""
    return (data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES))


def claim_in(file: bytes, received: str, codes: CodeSets | None = None) -> Claim | None:
    """Return the one sound claim of a file, or None where the door refuses it; its codes are judged by `codes` alone."""
    try:
        sound = sound_claims([file], received, codes)
    except Unreadable:
        return None
    return sound[0] if len(sound) == 1 else None
