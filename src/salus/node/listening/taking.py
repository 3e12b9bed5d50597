"""One HL7 v2 message: read, mapped, written as one FHIR transaction, acknowledged; or held as a dead letter.

The acknowledgement leaves when what it says is durable. A message is known by its sender, control id and the digest of
its bytes: the same again is acknowledged and not taken twice; an id used for other content is other content.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from salus.core.errors import SalusError
from salus.interop.hl7v2.acknowledging import acknowledgement
from salus.interop.hl7v2.convert import Converted, convert
from salus.interop.hl7v2.message import Message, control_of, read
from salus.interop.hl7v2.refusal import EVENT, INTERNAL, PROCESSING, UNSUPPORTED, MessageRefused
from salus.interop.hl7v2.values import Naming
from salus.interop.hl7v2.vocabulary import REPORT_RANK
from salus.node.config import Hl7
from salus.node.desk import Letter
from salus.node.errors import EdgeError
from salus.node.fhir.answers import Invalid, Request
from salus.node.fhir.policy import ADMINISTRATION
from salus.node.fhir.presenting import instant
from salus.node.fhir.server import FhirServer
from salus.node.mapping import edge_error
from salus.node.member import MemberNode
from salus.node.usecase import LOCAL_OPERATOR

TAKEN: Final = "taken"
HELD: Final = "held"
DROPPED: Final = "dropped"
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
REASONS: Final = 5
REMEMBERED_MS: Final = 30 * 24 * 3_600_000  # a message taken; an interface engine that stood still sends a week again
REJECTED: Final = frozenset({UNSUPPORTED, EVENT, PROCESSING})
"""Codes that say that the message is none for this receiver: AR, sending it again does not help."""


def naming_of(config: Hl7, message: Message) -> Naming:
    """Return what the authorities of a message's sender are called here."""
    pairs = [one.partition("=") for one in config.authorities.split(",") if "=" in one]
    return Naming(
        message.header.text(4) or message.header.text(3), {a.strip(): b.strip() for a, _, b in pairs}, config.zone
    )


class Taking:
    """Takes messages for one node, through its FHIR server."""

    def __init__(self, node: MemberNode, server: FhirServer) -> None:
        self._node = node
        self._server = server

    def take(self, body: bytes) -> bytes:
        """Take one message and return its acknowledgement; never raises for what a sender can send."""
        try:
            message = read(body)
        except MessageRefused as refusal:
            self._hold(None, control_of(body), body, f"{refusal.place} {refusal.code}")
            return self._answer(None, control_of(body), "AR", refusal)
        known = self._node.desk.letter(_id(message, body))
        if known is not None and known.state == TAKEN:
            return self._answer(message, message.control, "AA")
        return self._attempt(message, body)

    def again(self, letter: Letter) -> tuple[str, str]:
        """Try a held letter once more; return its new state and reason."""
        try:
            message = read(letter.body)
        except MessageRefused as refusal:
            return HELD, f"{refusal.place} {refusal.code}"
        self._attempt(message, letter.body)
        found = self._node.desk.letter(letter.id)
        return (found.state, found.reason) if found else (HELD, "")

    def _attempt(self, message: Message, body: bytes) -> bytes:
        control = message.control
        config = self._node.config.hl7
        try:
            refusal = self._node.withheld(ask=True)
            if refusal is not None:
                raise refusal
            told = convert(message, naming_of(config, message), test_system=config.test_system)
            self._write(message, self._newer(told))
        except MessageRefused as wrong:
            self._hold(message, control, body, f"{wrong.place} {wrong.code}")
            return self._answer(message, control, "AR" if wrong.code in REJECTED else "AE", wrong)
        except SalusError as error:
            edge = edge_error(error)
            if edge is None:
                raise
            failed = MessageRefused(INTERNAL, "MSH", f"a message that can be written ({edge.code})")
            self._hold(message, control, body, _told(edge))
            return self._answer(message, control, "AE", failed)
        lost = ", ".join((*told.lost, *message.warnings))
        self._keep(message, control, body, TAKEN, lost)
        return self._answer(message, control, "AA")

    def _newer(self, told: Converted) -> Converted:
        """Leave out reports, with their results, of which the node holds a later state (status first, then OBR-22)."""
        entries = told.bundle["entry"]
        for query, status, issued in told.reports:
            held = self._held_report(query)
            if held is None:
                continue
            before, now = REPORT_RANK.get(held.get("status", ""), 0), REPORT_RANK[status]
            if before < now or (
                before == now and before < REPORT_RANK["cancelled"] and issued >= held.get("issued", "")
            ):
                continue
            (report,) = [one for one in entries if one["request"]["url"] == f"DiagnosticReport?{query}"]
            gone = {one["reference"] for one in report["resource"].get("result", ())} | {report["fullUrl"]}
            entries = [one for one in entries if one["fullUrl"] not in gone]
        return told._replace(bundle={**told.bundle, "entry": entries})

    def _held_report(self, query: str) -> dict[str, Any] | None:
        name, _, value = query.partition("=")
        pairs = ((name, unquote(value)),)
        answer = self._server.answer(LOCAL_OPERATOR, ADMINISTRATION, Request("GET", "DiagnosticReport", pairs))
        found = msgspec.json.decode(answer.body).get("entry", ())
        return dict(found[0]["resource"]) if found else None

    def _write(self, message: Message, told: Converted) -> None:
        targets = [{"reference": one["fullUrl"]} for one in told.bundle["entry"]]
        facility = message.header.text(4) or message.header.text(3)
        provenance = {
            "resourceType": "Provenance",
            "target": targets,
            "recorded": instant(self._node.now()),
            "agent": [{"who": {"display": facility or "unnamed sender"}}],
            "entity": [
                {"role": "source", "what": {"identifier": {"system": "urn:salus:v2:control", "value": message.control}}}
            ],
        }
        entry = {"resource": provenance, "request": {"method": "POST", "url": "Provenance"}}
        body = _ENCODER.encode({**told.bundle, "entry": [*told.bundle["entry"], entry]})
        self._server.answer(LOCAL_OPERATOR, ADMINISTRATION, Request("POST", "", (), body))

    def _hold(self, message: Message | None, control: str, body: bytes, reason: str) -> None:
        self._keep(message, control, body, HELD, reason)

    def _keep(self, message: Message | None, control: str, body: bytes, state: str, reason: str) -> None:
        sender = "|".join((message.header.text(3), message.header.text(4))) if message else ""
        letter = Letter(
            _id(message, body), sender, control, "^".join(message.kind) if message else "", self._node.now(), state,
            reason, body if state == HELD else b"",
        )  # fmt: skip
        self._node.desk.keep_letter(letter)
        self._node.desk.forget_letters(TAKEN, self._node.now() - REMEMBERED_MS)

    def _answer(self, message: Message | None, control: str, code: str, refusal: MessageRefused | None = None) -> bytes:
        stamp = datetime.fromtimestamp(self._node.now() / 1000, UTC).strftime("%Y%m%d%H%M%S+0000")
        own = self._node.entropy(8).hex()
        return acknowledgement(message, control, code, own=own, stamp=stamp, refusal=refusal)


def _told(error: EdgeError) -> str:
    """Return an error as a reason: its code, and what of the resources breaks which rule."""
    if not isinstance(error, Invalid):
        return error.code
    return ", ".join((error.code, *(f"{one.expression} {one.rule}" for one in error.findings[:REASONS])))


def _id(message: Message | None, body: bytes) -> bytes:
    sender = "|".join((message.header.raw(3), message.header.raw(4), message.control)) if message else ""
    return hashlib.sha256(sender.encode() + b"\0" + body).digest()[:16]
