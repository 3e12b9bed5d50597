"""Acknowledgements (HL7 v2.5.1 2.9.2, original mode): AA taken, AE not taken now or not this one, AR refused."""

from salus.interop.hl7v2.message import Message
from salus.interop.hl7v2.refusal import MessageRefused

SOFTWARE = "SALUS"


def acknowledgement(
    message: Message | None, control: str, code: str, *, own: str, stamp: str, refusal: MessageRefused | None = None
) -> bytes:
    """Return an ACK, segments ended by CR.

    message: what is answered, None when it could not be read. control: its MSH-10. code: AA, AE or AR. own: control id of
    the answer. stamp: YYYYMMDDHHMMSS+ZZZZ. refusal: what ERR says.
    """
    sender = facility = event = version = ""
    if message is not None:
        head = message.header
        sender, facility = _safe(head.text(3)), _safe(head.text(4))
        event, version = _safe(message.kind[1]), _safe(head.text(12))
    kind = f"ACK^{event}^ACK" if event else "ACK"
    lines = [
        f"MSH|^~\\&|{SOFTWARE}||{sender}|{facility}|{stamp}||{kind}|{own}|P|{version or '2.5.1'}|||||||UNICODE UTF-8",
        f"MSA|{code}|{_safe(control)}",
    ]
    if refusal is not None:
        segment, _, field = refusal.place.partition("-")
        place = f"{segment}^1^{field}" if field else segment
        lines.append(f"ERR||{place}|{refusal.code}^^HL70357|E||||{_safe('expected ' + refusal.expected)}")
    return ("\r".join(lines) + "\r").encode()


def _safe(text: str) -> str:
    """Escape what would be a separator."""
    for sign, code in (("\\", "E"), ("|", "F"), ("^", "S"), ("&", "T"), ("~", "R")):
        text = text.replace(sign, f"\\{code}\\")
    return text.replace("\r", " ").replace("\n", " ")
