"""Device records of FDA's GUDID release files, read one after another, however large the file.

Structure as AccessGUDID publishes it (`device` elements of http://www.fda.gov/cdrh/gudid). Document types and entities are
refused as soon as they are seen; of a record only what is used is kept.
"""

from collections.abc import Iterable, Iterator
from typing import Final
from xml.parsers import expat

from salus.core.encoding import Value
from salus.interop import plain_xml
from salus.interop.gs1.refusal import Gs1Refused

MAX_DEPTH: Final = 16  # records are eight levels deep
MAX_TEXT: Final = 8_192  # characters of one field: the longest GMDN definition has some 2,000
MAX_IDENTIFIERS: Final = 256
MAX_GMDN: Final = 32
MAX_ELEMENTS: Final = 4_096  # of one record
SPACE: Final = "http://www.fda.gov/cdrh/gudid "
FIELDS: Final = {
    "brandName": "brand",
    "versionModelNumber": "model",
    "catalogNumber": "catalogue",
    "companyName": "company",
    "deviceDescription": "description",
    "MRISafetyStatus": "mri",
    "deviceCommDistributionStatus": "status",
}
FLAGS: Final = {
    "lotBatch": "lot",
    "serialNumber": "serial",
    "expirationDate": "expiry",
    "deviceKit": "kit",
    "singleUse": "single_use",
    "labeledContainsNRL": "latex",
    "deviceSterile": "sterile",
}
MRI: Final = {
    "MR Safe": "safe",
    "MR Conditional": "conditional",
    "MR Unsafe": "unsafe",
    "Labeling does not contain MRI Safety Information": "unsaid",
}


class DeviceRecord(Value, frozen=True):
    """What the master data say of one model of a device."""

    device: str
    """Primary device identifier."""
    issuer: str
    """`gs1`, `hibcc`, `iccbba` or, for numbers of old, `ndc`."""
    identifiers: tuple[str, ...]
    """All device identifiers, the primary one first: packages, unit of use, direct marking, secondary."""
    brand: str = ""
    model: str = ""
    catalogue: str = ""
    company: str = ""
    description: str = ""
    status: str = ""
    """Whether it is in commercial distribution, in GUDID's words."""
    mri: str = "unsaid"
    """`safe`, `conditional`, `unsafe`, or `unsaid`: the label says nothing."""
    gmdn: tuple[str, ...] = ()
    """Preferred terms of the Global Medical Device Nomenclature."""
    flags: tuple[str, ...] = ()
    """Of lot, serial, expiry (what the label carries), kit, single_use, latex, sterile; those that are so, in order."""


class _Reader:
    """A parser's handlers, and the records that are complete."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.done: list[DeviceRecord] = []
        self.texts: dict[str, str] = {}
        self.flags: set[str] = set()
        self.identifiers: list[tuple[str, str, str]] = []
        self.gmdn: list[str] = []
        self.one: dict[str, str] = {}
        self.parts: list[str] = []
        self.size = 0
        self.elements = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self.path.append(name.removeprefix(SPACE))
        self.parts, self.size = [], 0
        self.elements += 1
        if len(self.path) > MAX_DEPTH or self.elements > MAX_ELEMENTS:
            raise Gs1Refused("gudid.limit", "a record", f"at most {MAX_ELEMENTS} elements, {MAX_DEPTH} levels")
        if self.path[1:] == ["device"]:
            self.texts, self.flags, self.identifiers, self.gmdn, self.elements = {}, set(), [], [], 0
        elif name.endswith(" identifier"):
            self.one = {}

    def text(self, text: str) -> None:
        self.size += len(text)
        if self.size > MAX_TEXT:
            raise Gs1Refused("gudid.limit", "a field", f"at most {MAX_TEXT} characters")
        self.parts.append(text)

    def end(self, _name: str) -> None:
        text = "".join(self.parts).strip()
        self.parts, self.size = [], 0
        inside, name = self.path[2:-1], self.path[-1]
        self.path.pop()
        if inside == ["identifiers", "identifier"]:
            self.one[name] = text
        elif inside == ["identifiers"]:
            told = (self.one.get(each, "") for each in ("deviceId", "deviceIdType", "deviceIdIssuingAgency"))
            if len(self.identifiers) < MAX_IDENTIFIERS:
                self.identifiers.append((*told,))  # type: ignore[arg-type]
        elif name == "gmdnPTName" and len(self.gmdn) < MAX_GMDN:
            self.gmdn.append(text)
        elif not inside and name in FIELDS:
            self.texts[FIELDS[name]] = text
        elif name in FLAGS and text == "true":
            self.flags.add(FLAGS[name])
        elif len(self.path) == 1 and name == "device":
            self.done.append(self._record())

    def _record(self) -> DeviceRecord:
        primary = next((each for each in self.identifiers if each[1] == "Primary"), None)
        if primary is None or not primary[0]:
            raise Gs1Refused("gudid.primary", "identifiers", "one primary device identifier in each record")
        others = [each for each, _, _ in self.identifiers if each and each != primary[0]]
        mri = MRI.get(self.texts.pop("mri", ""), "unsaid")
        return DeviceRecord(
            device=primary[0],
            issuer=primary[2].lower(),
            identifiers=(primary[0], *dict.fromkeys(others)),
            mri=mri,
            gmdn=tuple(self.gmdn),
            flags=tuple(each for each in FLAGS.values() if each in self.flags),
            **self.texts,
        )


def records(chunks: Iterable[bytes]) -> Iterator[DeviceRecord]:
    """Yield the records of a file as it comes, in pieces of any size. Raises Gs1Refused."""
    reader = _Reader()
    declared = Gs1Refused("gudid.declaration", "the file", "no document type and no entity")
    long = Gs1Refused("gudid.limit", "the file", f"namespaces of at most {plain_xml.MAX_NAMESPACE} bytes")
    parser = plain_xml.parser(reader.start, reader.end, reader.text, declared)
    try:
        for chunk in plain_xml.looked_at(chunks, long):
            parser.Parse(chunk, False)
            yield from reader.done
            reader.done.clear()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise Gs1Refused("gudid.xml", f"line {error.lineno}", "well-formed XML") from None
    yield from reader.done
