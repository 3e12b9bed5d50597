"""HL7 v2 in ER7 (HL7 v2.5.1 chapter 2): bytes to segments, fields, repetitions, components.

Read tolerantly: separators from MSH, segments that end in CR, LF or CRLF, unknown segments kept, trailing fields absent.
An LF inside a message whose segments end in CR is data. The charset that MSH-18 declares is strict; where none is
declared it is UTF-8, else Windows-1252, and the message says which.
"""

import re
from collections.abc import Iterator
from typing import Final

from salus.interop.hl7v2.refusal import MISSING, SEGMENT, TYPE, MessageRefused

MAX_BYTES: Final = 8 << 20
"""One message with an embedded document."""
MAX_SEGMENTS: Final = 20_000

_CHARSETS: Final = {
    "": "",
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE": "utf-8",
    "8859/1": "latin-1",
    "8859/2": "iso8859-2",
    "8859/5": "iso8859-5",
    "8859/7": "iso8859-7",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "WINDOWS-1252": "cp1252",
}
_NAME: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_HEXADECIMAL: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")


class Separators:
    """The separators that MSH-1 and MSH-2 declare."""

    __slots__ = ("component", "escape", "field", "repetition", "subcomponent")

    def __init__(self, text: str) -> None:
        """Read them from the message's first eight characters. Raises MessageRefused."""
        self.field = text[3:4]
        told = text[4:].split(self.field, 1)[0] if self.field else ""
        marks = self.field + told
        if (
            not 3 <= len(told) <= 5
            or len(set(marks)) != len(marks)
            or any(mark.isalnum() or mark < " " for mark in marks)
        ):
            raise MessageRefused(TYPE, "MSH-2", "four different separators, such as ^~\\&")
        self.component, self.repetition, self.escape = told[0], told[1], told[2]
        self.subcomponent = told[3:4] or "\0"


class Segment:
    """One segment. Fields are numbered from 1, as the standard does; what is absent is ""."""

    __slots__ = ("_fields", "_marks", "name")

    def __init__(self, name: str, fields: list[str], marks: Separators) -> None:
        self.name = name
        self._fields = fields
        self._marks = marks

    def raw(self, field: int) -> str:
        """Return a field as written."""
        return self._fields[field - 1] if field <= len(self._fields) else ""

    def repetitions(self, field: int) -> "list[Value]":
        """Return the repetitions of a field that hold something."""
        raw = self.raw(field)
        if not raw or raw == '""':
            return []
        return [Value(one, self._marks) for one in raw.split(self._marks.repetition) if one and one != '""']

    def first(self, field: int) -> "Value":
        """Return the first repetition of a field, an empty one where there is none."""
        found = self.repetitions(field)
        return found[0] if found else Value("", self._marks)

    def text(self, field: int, component: int = 1) -> str:
        """Return one component of the first repetition, unescaped."""
        return self.first(field).text(component)

    def deletes(self, field: int) -> bool:
        """Tell whether the field says that the value is to be deleted (two double quotes, 2.5.3)."""
        return self.raw(field) == '""'


class Value:
    """One repetition of a field: components from 1, subcomponents from 1."""

    __slots__ = ("_marks", "_parts")

    def __init__(self, raw: str, marks: Separators) -> None:
        self._parts = raw.split(marks.component) if raw else []
        self._marks = marks

    def __bool__(self) -> bool:
        """Tell whether anything is there."""
        return any(self._parts)

    def text(self, component: int = 1, subcomponent: int = 1) -> str:
        """Return a subcomponent, unescaped and stripped; "" where it is absent or null."""
        if component > len(self._parts):
            return ""
        parts = self._parts[component - 1].split(self._marks.subcomponent)
        raw = parts[subcomponent - 1] if subcomponent <= len(parts) else ""
        return "" if raw == '""' else unescaped(raw, self._marks).strip()

    def part(self, component: int) -> "Value":
        """Return a component whose subcomponents are a value's components (HD in CX.4)."""
        raw = self._parts[component - 1] if component <= len(self._parts) else ""
        inner = Value("", self._marks)
        inner._parts = raw.split(self._marks.subcomponent) if raw else []
        return inner


class Message:
    """One message. `warnings` says what was read in a way the sender should mend."""

    __slots__ = ("segments", "warnings")

    def __init__(self, segments: list[Segment], warnings: list[str]) -> None:
        self.segments = segments
        self.warnings = warnings

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    @property
    def kind(self) -> tuple[str, str]:
        """Message code and trigger event (MSH-9), such as ("ADT", "A01")."""
        return self.header.text(9, 1).upper(), self.header.text(9, 2).upper()

    @property
    def control(self) -> str:
        """Message control id (MSH-10)."""
        return self.header.text(10)

    def all(self, name: str) -> Iterator[Segment]:
        """Yield the segments of one name."""
        return (one for one in self.segments if one.name == name)

    def first(self, name: str) -> Segment | None:
        """Return the first segment of a name."""
        return next(self.all(name), None)


def unescaped(raw: str, marks: Separators) -> str:
    """Replace escape sequences (2.7): separators, hexadecimal data, line breaks; highlighting is dropped, others kept."""
    sign = marks.escape
    if sign not in raw:
        return raw
    plain = {
        "F": marks.field, "S": marks.component, "T": marks.subcomponent, "R": marks.repetition, "E": sign,
        "H": "", "N": "", ".br": "\n", ".BR": "\n",
    }  # fmt: skip
    out: list[str] = []
    parts = raw.split(sign)
    index = 0
    while index < len(parts):
        out.append(parts[index])
        index += 1
        if index + 1 < len(parts):
            code = parts[index]
            if code in plain:
                out.append(plain[code])
            elif code[:1] == "X" and _HEXADECIMAL.fullmatch(code[1:]):
                out.append(bytes.fromhex(code[1:]).decode("utf-8", "replace"))
            else:
                out.append(sign + code + sign)
            index += 1
        elif index < len(parts):
            out.append(sign)
    return "".join(out)


def _decoded(raw: bytes, warnings: list[str]) -> str:
    head = raw[:512].split(b"\r")[0].split(b"\n")[0].decode("latin-1")
    fields = head.split(head[3:4])
    declared = fields[17].split(head[5:6])[0].strip().upper() if len(fields) > 17 else ""
    charset = _CHARSETS.get(declared)
    if charset is None:
        raise MessageRefused(TYPE, "MSH-18", "a charset of table 0211 that is read here")
    if charset:
        try:
            return raw.decode(charset)
        except UnicodeDecodeError:
            raise MessageRefused(TYPE, "MSH-18", "bytes of the charset that it declares") from None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        warnings.append("MSH-18 declares no charset and the bytes are not UTF-8: read as Windows-1252")
        return raw.decode("cp1252", "replace")


def read(raw: bytes) -> Message:
    """Read one message. Raises MessageRefused."""
    if len(raw) > MAX_BYTES:
        raise MessageRefused(TYPE, "MSH", f"at most {MAX_BYTES} bytes")
    raw = raw.strip(b"\r\n\x0b\x1c \t")
    if raw[:3] != b"MSH" or len(raw) < 9:
        raise MessageRefused(SEGMENT, "MSH", "a message that begins with MSH")
    warnings: list[str] = []
    text = _decoded(raw, warnings)
    marks = Separators(text)
    lines = [line.strip("\n") for line in text.split("\r")] if "\r" in text else text.split("\n")
    if len(lines) > MAX_SEGMENTS:
        raise MessageRefused(SEGMENT, "MSH", f"at most {MAX_SEGMENTS} segments")
    segments: list[Segment] = []
    for line in lines:
        if not line.strip():
            continue
        name, _, rest = line.partition(marks.field)
        if _NAME.fullmatch(name) is None:
            raise MessageRefused(SEGMENT, "MSH" if not segments else segments[-1].name, "a segment's name after it")
        fields = rest.split(marks.field)
        if name in {"MSH", "FHS", "BHS"}:
            fields.insert(0, marks.field)  # the first separator is field 1
        segments.append(Segment(name, fields, marks))
    message = Message(segments, warnings)
    for field, name in ((9, "message type"), (10, "message control id"), (11, "processing id")):
        if not message.header.text(field):
            raise MessageRefused(MISSING, f"MSH-{field}", f"a {name}")
    return message


def control_of(raw: bytes) -> str:
    """Return the control id of a message that may be broken, for its acknowledgement; "" when it cannot be told."""
    head = raw.lstrip(b"\r\n\x0b ")[:2048].split(b"\r")[0].split(b"\n")[0].decode("latin-1")
    fields = head.split(head[3:4]) if head[:3] == "MSH" and len(head) > 3 else []
    found = fields[9].split("^")[0].strip() if len(fields) > 9 else ""
    return found if len(found) <= 199 and found.isprintable() else ""
