"""The journal as AuditEvents (IHE BALP): `AuditEvent?patient=…`, newest first, and each by its id.

The journal is what it is; nothing is stored twice. Staff see of it what they may see of the records it names: a line about
what is hidden would tell that it is there. The patient's own program and the operator see every line.
AuditEvents that were filed as resources stand in the same list. Lines about no patient, such as tokens of programs that
work for all, are the operator's: `AuditEvent?patient:missing=true`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from salus.index.search import Hit
from salus.interop.fhir.balp import Happened, audit_event
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.search.query import MAX_COUNT, read_query
from salus.interop.fhir.times import EARLIEST, LATEST, interval
from salus.node.fhir.answers import BAD, Answer, FhirRefused, Request, nothing_there, refused
from salus.node.fhir.asking import Asking
from salus.node.fhir.paging import Paging
from salus.node.fhir.policy import OPERATOR
from salus.node.fhir.presenting import instant, raw
from salus.node.fhir.reading import Reading, bundle_of
from salus.vault.errors import VaultError
from salus.vault.journal import Line, Side

KIND: Final = "AuditEvent"
LABEL: Final = "salus/v1/fhir-audit"
PREFIX: Final = "journal-"
JOURNAL: Final = "$journal"
"""Last part of a sealed path of a next page."""
COUNT: Final = 100
MISSING: Final = "patient:missing=true"


class _Asked(msgspec.Struct, frozen=True):
    """A question: of which patient ("": lines of no patient), which time [lo, hi) in Unix ms, how many a page."""

    patient: str
    lo: int
    hi: int
    count: int


class Auditing:
    """Answers for one server. `secret` (32 bytes) makes ids of lines that tell nothing of other patients' lines."""

    def __init__(self, base: str, paging: Paging, reading: Reading, secret: bytes) -> None:
        self._base = base
        self._paging = paging
        self._reading = reading
        self._cipher = Cipher(algorithms.AES(secret), modes.ECB())  # noqa: S305 -- one block, a permutation of numbers

    def search(self, asking: Asking, request: Request, cursor: Sequence[Any] = ()) -> Answer:
        """Return a page of a patient's AuditEvents. cursor: (newest entry and record, offset). Raises FhirRefused."""
        asked = _asked(request.pairs)
        link = self._link(asking, asked.patient)
        lines = self._shown(asking, asking.node.vault.lines(Side.CUSTODIAN, link))
        stored = self._stored(asking, asked.patient)
        newest, last, offset = cursor or (
            max([line.entry for line, _ in lines], default=0),
            max([hit.number for hit in stored], default=0),
            0,
        )
        found: list[tuple[int, Line | Hit, tuple[str, ...]]] = [
            (line.disclosure.time, line, what) for line, what in lines if line.entry <= newest
        ]
        found += [(hit.recorded, hit, ()) for hit in stored if hit.number <= last]
        found = [one for one in found if asked.lo <= one[0] < asked.hi]
        found.sort(key=lambda one: (-one[0], isinstance(one[1], Hit), -_number(one[1])))
        page = found[offset : offset + asked.count]
        hits = [told for _, told, _ in page if isinstance(told, Hit)]
        bodies = iter(self._reading.bodies(asking, hits, "search"))
        asking.journal_audit(link, [self._id(told.entry) for _, told, _ in page if isinstance(told, Line)])
        entries = [
            self._entry(self._body(told, what, asked.patient, asking) if isinstance(told, Line) else next(bodies))
            for _, told, what in page
        ]
        asked_for = f"patient={asked.patient}" if asked.patient else MISSING
        links = [{"relation": "self", "url": f"{self._base}/{KIND}?{asked_for}"}]
        if offset + asked.count < len(found):
            told = msgspec.structs.replace(request, path=f"{KIND}/{JOURNAL}")
            sealed = self._paging.seal(asking, told, (newest, last, offset + asked.count))
            links.append({"relation": "next", "url": f"{self._base}/_page/{sealed}"})
        return Answer(200, bundle_of("searchset", asking.node.now(), len(found), links, entries))

    def read(self, asking: Asking, own: str) -> Answer:
        """Return the AuditEvent of one line. Raises FhirRefused (not found)."""
        try:
            line = asking.node.vault.line(self._entry_of(own))
        except (VaultError, ValueError):
            raise nothing_there() from None
        link = line.disclosure.subject
        patient = next((hit.name for hit in asking.node.index.search.patients(asking.scope, link)), "")
        ours = asking.role == OPERATOR and link == asking.node.vault.house_link()
        if line.disclosure.side is not Side.CUSTODIAN or not (patient or ours):
            raise nothing_there()
        what = self._shown(asking, [line])
        if not what:
            raise nothing_there()
        asking.journal_audit(link, [own])
        return Answer(200, self._body(line, what[0][1], patient, asking), 1, line.disclosure.time)

    def _link(self, asking: Asking, patient: str) -> bytes:
        """Return the link whose lines are asked for. Raises FhirRefused (not found)."""
        if not patient:
            return asking.node.vault.house_link()
        hit = self._reading.current(asking, patient)
        if hit.lease:
            raise nothing_there()
        return hit.link

    def _shown(self, asking: Asking, lines: Iterable[Line]) -> list[tuple[Line, tuple[str, ...]]]:
        """Return the lines that the asker may see, with what each may name."""
        named = [(line, _names(line.disclosure.what)) for line in lines]
        access = asking.caller.access
        if asking.role == OPERATOR or (access is not None and access.own):
            return named
        every = sorted({name for _, names in named for name in names})
        seen = asking.node.index.search.visible(every, asking.scope)
        told = [(line, tuple(name for name in names if name in seen)) for line, names in named]
        return [(line, names) for line, names in told if names]

    def _stored(self, asking: Asking, patient: str) -> list[Hit]:
        try:
            asked = ("patient", patient) if patient else ("patient:missing", "true")
            query = read_query(KIND, [asked], now=asking.node.now(), base=self._base)
        except Refused as refusal:
            raise refused(refusal) from refusal
        return [hit for hit in asking.node.index.search.numbers(query, asking.scope, MAX_COUNT) if not hit.lease]

    def _body(self, line: Line, what: tuple[str, ...], patient: str, asking: Asking) -> bytes:
        told = line.disclosure
        return bytes(
            raw(
                audit_event(
                    Happened(
                        id=self._id(line.entry),
                        recorded=instant(told.time),
                        action=told.action,
                        member=told.member,
                        custodian=asking.node.member,
                        person=told.person,
                        role=told.role,
                        purpose=told.purpose,
                        patient=patient,
                        what=tuple(name for name in what if name != patient),
                        program=next((text[4:] for text in told.what if text.startswith("app ")), ""),
                        scopes=tuple(text[6:] for text in told.what if text.startswith("scope ")),
                    )
                )
            )
        )

    def _entry(self, body: bytes) -> dict[str, Any]:
        own = msgspec.json.decode(body, type=dict[str, msgspec.Raw])["id"]
        url = f"{self._base}/{KIND}/{msgspec.json.decode(own, type=str)}"
        return {"fullUrl": url, "resource": msgspec.Raw(body), "search": {"mode": "match"}}

    def _id(self, entry: int) -> str:
        encryptor = self._cipher.encryptor()
        return PREFIX + (encryptor.update(entry.to_bytes(16)) + encryptor.finalize()).hex()

    def _entry_of(self, own: str) -> int:
        """Return the entry of a line's id. Raises ValueError for what is none."""
        block = bytes.fromhex(own.removeprefix(PREFIX))
        decryptor = self._cipher.decryptor()
        entry = int.from_bytes(decryptor.update(block) + decryptor.finalize())
        if len(block) != 16 or entry >= 1 << 63:
            raise ValueError("no line has this id")
        return entry


def asks_journal(request: Request) -> bool:
    """Tell whether a search of AuditEvents is about one patient."""
    return any(name == "patient" or f"{name}={value}" == MISSING for name, value in request.pairs)


def _number(told: Line | Hit) -> int:
    return told.number if isinstance(told, Hit) else told.entry


def _names(what: Iterable[str]) -> tuple[str, ...]:
    """Return the "Type/id" in a line; what counts types only names nothing."""
    found = ["/".join(text.split("/")[:2]) for text in what if "/" in text and " " not in text]
    return tuple(dict.fromkeys(found))


def _asked(pairs: Sequence[tuple[str, str]]) -> _Asked:
    told: dict[str, str] = {}
    lo, hi, count = EARLIEST, LATEST, COUNT
    for name, value in pairs:
        window = interval(value[2:] if value[:2].isalpha() else value) if name == "date" else None
        prefix = value[:2] if value[:2].isalpha() else "eq"
        number = value.isascii() and value.isdigit() and 0 < len(value) < 10
        if name == "date" and window and prefix in {"eq", "ge", "gt", "le", "lt"}:
            lo = max(lo, {"eq": window[0], "ge": window[0], "gt": window[1]}.get(prefix, lo))
            hi = min(hi, {"eq": window[1], "le": window[1], "lt": window[0]}.get(prefix, hi))
        elif name == "_count" and number:
            count = max(1, min(int(value), MAX_COUNT))
        elif name == "patient" and not told and value:
            told["patient"] = f"Patient/{value.rpartition('/')[2]}"
        elif f"{name}={value}" == MISSING and not told:
            told["patient"] = ""
        elif (name, value) != ("_sort", "-date"):
            raise FhirRefused(
                BAD,
                "fhir.search-parameter",
                "a search of a patient's AuditEvents takes no such parameter or value",
                expected="patient (once), date with eq, ge, gt, le or lt, _count, _sort=-date",
            )
    return _Asked(told["patient"], lo, hi, count)
