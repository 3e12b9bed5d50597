"""Medical devices: master data by device identifier, the implant card, and the recall that reaches the patient alone.

The maker of a recalled device learns counts (`supply recalls --acknowledge`). Whose body it is in, only the organisation that
keeps the patient's record knows, and it tells the patient alone: by a Flag in the record, and a notice to the known contact.
"""

import gzip
import zlib
from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from salus.contracts.supply import port
from salus.core.encoding import decode, encode
from salus.core.proof.digest import digest
from salus.core.tables import View
from salus.index.index import EVERYTHING
from salus.interop.epcis import times
from salus.interop.fhir.search.query import read_query
from salus.interop.gs1.gudid import DeviceRecord, records
from salus.interop.gs1.identity import name_of
from salus.interop.gs1.refusal import Gs1Refused
from salus.interop.gs1.udi import Udi, read_udi
from salus.node.anchoring import anchor
from salus.node.errors import Malformed
from salus.node.member import MemberNode
from salus.node.notices import DEVICE_RECALLED, notify
from salus.node.supply import repository
from salus.node.supply.stock import Index, index_of
from salus.node.supply.verification import Ways, opened, spot_of
from salus.node.usecase import OPERATOR, Message, use_case
from salus.vault.sealing import Content

DEVICE: Final = "device"
BATCH: Final = 1_000
CHUNK: Final = 1 << 20
GZIP: Final = b"\x1f\x8b"
MAX_UNPACKED: Final = 1 << 32  # bytes: the whole of a GUDID release
PAGE: Final = 500
MRI_WORDS: Final = {
    "safe": "MR Safe",
    "conditional": "MR Conditional: only under the conditions of its instructions",
    "unsafe": "MR Unsafe",
    "unsaid": "its label says nothing of MRI",
}
MAX_STEPS: Final = 100
CHECKED: Final = "supply-implants"
CHECK_MS: Final = 24 * 3600 * 1000  # a device recorded after a recall is held against it within a day


class ImportDevices(Message, frozen=True):
    """A release file of GUDID."""

    file: Annotated[bytes, Meta(description="XML as AccessGUDID publishes it, plain or gzip.", examples=[b"<data/>"])]


class DevicesImported(Message, frozen=True):
    """What the file held."""

    devices: Annotated[int, Meta(description="Device records kept; a record of the same identifier is replaced.")]
    identifiers: Annotated[int, Meta(description="Identifiers under which they are found, packages included.")]
    mri: Annotated[dict[str, int], Meta(description="How many are safe, conditional, unsafe or unsaid in MRI.")]


class ShowCard(Message, frozen=True):
    """A device: its label, or the Device resource of a procedure."""

    udi: Annotated[
        str,
        Meta(
            description="The label: GS1, HIBC or ISBT 128; empty if a resource is given.",
            examples=["(01)00844588018923(17)301231(10)LOT7(21)S1"],
        ),
    ] = ""
    device: Annotated[
        bytes,
        Meta(description="A FHIR R4 Device with its udiCarrier, as JSON; empty if a label is given.", examples=[b"{}"]),
    ] = b""


class ImplantCard(Message, frozen=True):
    """What an implant card says (MDR article 18), and the device's own way."""

    device: Annotated[str, Meta(description="Device identifier (UDI-DI).")]
    issuer: Annotated[str, Meta(description="Who issued it: gs1, hibcc, iccbba.")]
    name: Annotated[str, Meta(description="Brand; empty without master data.")]
    model: Annotated[str, Meta(description="Version or model.")]
    maker: Annotated[str, Meta(description="Its manufacturer.")]
    lot: Annotated[str, Meta(description="Lot.")]
    serial: Annotated[str, Meta(description="Serial number.")]
    expiry: Annotated[str, Meta(description="Last day of use before implantation.")]
    mri: Annotated[str, Meta(description="Whether its bearer may be examined by MRI, in the words of its label.")]
    latex: Annotated[bool, Meta(description="Whether it contains natural rubber latex.")]
    terms: Annotated[tuple[str, ...], Meta(description="What it is, in GMDN's terms.")]
    recall: Annotated[int, Meta(description="Class of a recall in force on the ledger, 1 to 3; 0 for none.")]
    way: Annotated[tuple[str, ...], Meta(description="Its own events, by time: when, step, where.")]


class CheckImplants(Message, frozen=True):
    """Nothing."""


class ImplantsChecked(Message, frozen=True):
    """Numbers alone: nobody is named."""

    devices: Annotated[int, Meta(description="Device resources of this member's patients.")]
    unread: Annotated[int, Meta(description="Of these, without a label that reads.")]
    recalled: Annotated[int, Meta(description="Of these, under a recall in force.")]
    told: Annotated[int, Meta(description="Patients told now: a Flag is in the record, a notice in the outbox.")]


@use_case("supply.devices", who=OPERATOR)
def import_devices(node: MemberNode, request: ImportDevices) -> DevicesImported:
    """Take in master data of devices from a release file of GUDID, record by record."""
    mri: dict[str, int] = {}
    count = identifiers = 0
    waiting: list[tuple[bytes, bytes]] = []
    try:
        for record in records(_plain(request.file)):
            count += 1
            identifiers += len(record.identifiers)
            mri[record.mri] = mri.get(record.mri, 0) + 1
            waiting += [(each.encode(), encode(record)) for each in record.identifiers]
            if len(waiting) >= BATCH:
                node.desk.keep_supply(DEVICE, *waiting)
                waiting.clear()
    except (Gs1Refused, zlib.error, EOFError, gzip.BadGzipFile) as error:
        told = f"{error.rule} at {error.at}" if isinstance(error, Gs1Refused) else type(error).__name__
        raise Malformed(
            "supply.gudid", f"record {count + 1} does not read", expected="a release file of GUDID", got=told
        ) from None
    node.desk.keep_supply(DEVICE, *waiting)
    return DevicesImported(devices=count, identifiers=identifiers, mri=dict(sorted(mri.items())))


@use_case("supply.card", who=OPERATOR)
def show_card(node: MemberNode, request: ShowCard) -> ImplantCard:
    """Show a device's implant card: master data, MRI safety, recall, and its own way through this member's events."""
    if bool(request.udi) == bool(request.device):
        raise Malformed("supply.card", "a label or a resource, one of them", expected="udi or device")
    udi = _read(request.udi) if request.udi else _udi_of(_resource(request.device))
    if udi is None:
        raise Malformed(
            "supply.udi",
            "the resource has no label that reads",
            expected="udiCarrier with carrierHRF or deviceIdentifier",
        )
    found = node.desk.supply(DEVICE, udi.device.encode())
    record = decode(found[0][1], DeviceRecord) if found else DeviceRecord(udi.device, udi.issuer, (udi.device,))
    return ImplantCard(
        device=udi.device,
        issuer=udi.issuer,
        name=record.brand,
        model=record.model,
        maker=record.company,
        lot=udi.lot,
        serial=udi.serial,
        expiry=udi.expiry,
        mri=MRI_WORDS[record.mri] if found else "no master data: ask the maker",
        latex="latex" in record.flags,
        terms=record.gmdn,
        recall=recall_class(node.ledger.read(), index_of(node), Ways(), udi),
        way=_way(node, udi),
    )


@use_case("supply.implants", who=OPERATOR)
def check_implants(node: MemberNode, request: CheckImplants) -> ImplantsChecked:  # noqa: ARG001 -- a use case's shape
    """Hold the implants of this member's patients against the recalls in force, and tell each patient concerned, once.

    The patient is told in the own record, by a Flag, and by a notice to the known contact. Nobody else learns who it is.
    """
    node.catch_up()
    state, index, ways = node.ledger.read(), index_of(node), Ways()
    devices = unread = recalled = 0
    flags: list[tuple[bytes, Content]] = []
    for link, own, resource in _devices(node):
        devices += 1
        udi = _udi_of(resource)
        unread += udi is None
        class_ = recall_class(state, index, ways, udi) if udi else 0
        patient = resource.get("patient")
        if not class_ or not isinstance(patient, dict):
            continue
        recalled += 1
        id_ = digest("salus/v1/supply-flag", own.encode(), bytes([class_])).hex()[:32]
        if not node.index.search.own(f"Flag/{id_}"):
            flags.append((link, Content("Flag", id_, _flag(id_, own, patient, class_))))
    if flags:
        node.vault.write_all(flags)
        node.catch_up()
        if not node.ticking:
            anchor(node)
        for link, content in flags:
            notify(node, link, DEVICE_RECALLED, once=digest("salus/v1/supply-told", link, content.id.encode())[:16])
    return ImplantsChecked(devices=devices, unread=unread, recalled=recalled, told=len({link for link, _ in flags}))


def recall_class(state: View, index: Index, ways: Ways, udi: Udi) -> int:
    """Return the gravest class of recall in force on a device, 0 for none: its own row's, else its lot's.

    A device is known by the goods that this member ever had or made.
    """
    if udi.issuer != "gs1":
        return 0
    spot = spot_of(index, {"01": udi.device, "21": udi.serial}) if udi.serial else None
    if spot is not None:
        found = port.find(state, opened(index, ways, spot).target)
        return port.recall_of(state, found.id, found.holding) if found else 0
    if not udi.lot:
        return 0
    start = f"{udi.device}|{udi.lot}|".encode()
    lots = {part.lot for _, part, _, _ in index.leaves if part.product.startswith(start)}
    rows = [row for row in (port.lot(state, lot) for lot in sorted(lots)) if row is not None]
    rows += [row for one in rows for row in (port.lot(state, source) for source in one.sources) if row is not None]
    return min((each for row in rows for each in (row.recall, row.ordered) if each), default=0)


def packages(node: MemberNode, device: str) -> frozenset[str]:
    """Return all identifiers of a device, of every package, as its master data has them; alone without master data."""
    found = node.desk.supply(DEVICE, device.encode())
    return frozenset((device, *(decode(found[0][1], DeviceRecord).identifiers if found else ())))


def check_due(node: MemberNode) -> ImplantsChecked | None:
    """Hold implants against recalls, when any recall was made or lifted since the last time, else once a day.

    Returns None where nothing was due. What a running node does by itself.
    """
    state, now = node.ledger.read(), node.now()
    lots = [(id_, row.recall, row.ordered) for id_, row in state.range(port.LOTS) if row.recall or row.ordered]
    marks = [(id_, row.recall, row.ordered) for id_, row in state.range(port.MARKS) if row.recall or row.ordered]
    known = digest("salus/v1/supply-recalls", encode((lots, marks)))
    before = node.memory.get(CHECKED)
    if isinstance(before, tuple) and before[0] == known and now - before[1] < CHECK_MS:
        return None
    done = check_implants(node, CheckImplants()) if lots or marks else None
    node.memory[CHECKED] = (known, now)
    return done


def _plain(data: bytes) -> Iterator[bytes]:
    """Yield a file in pieces, unpacked."""
    if not data.startswith(GZIP):
        yield from (data[at : at + CHUNK] for at in range(0, len(data), CHUNK))
        return
    unpacking, size = zlib.decompressobj(wbits=31), 0
    for at in range(0, len(data), CHUNK):
        rest = data[at : at + CHUNK]
        while rest:
            piece = unpacking.decompress(rest, CHUNK)
            rest = unpacking.unconsumed_tail
            size += len(piece)
            if size > MAX_UNPACKED:
                raise Malformed("supply.gudid", "the file is too large", expected=f"at most {MAX_UNPACKED} bytes")
            yield piece
    if not unpacking.eof:
        raise EOFError


def _read(label: str) -> Udi:
    try:
        return read_udi(label)
    except Gs1Refused as refused:
        told = f"{refused.rule} at {refused.at}"
        raise Malformed("supply.udi", "the label breaks a rule", expected=refused.expected, got=told) from None


def _resource(data: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict) or found.get("resourceType") != "Device":
        raise Malformed("supply.device", "this is no Device", expected="a FHIR R4 Device as JSON")
    return found


def _udi_of(resource: dict[str, Any]) -> Udi | None:
    """Return what a Device's label says: the carrier that reads, completed by the resource's own lot and serial."""
    carriers = resource.get("udiCarrier")
    for carrier in carriers if isinstance(carriers, list) else ():
        for name in ("carrierHRF", "deviceIdentifier"):
            text = carrier.get(name) if isinstance(carrier, dict) else None
            if not isinstance(text, str):
                continue
            try:
                udi = read_udi(f"(01){text.zfill(14)}" if text.isdigit() and len(text) <= 14 else text)
            except Gs1Refused:
                continue
            lot, serial = resource.get("lotNumber"), resource.get("serialNumber")
            return Udi(
                udi.issuer,
                udi.device,
                udi.lot or (lot if isinstance(lot, str) else ""),
                udi.serial or (serial if isinstance(serial, str) else ""),
                udi.expiry,
            )
    return None


def _devices(node: MemberNode) -> Iterator[tuple[bytes, str, dict[str, Any]]]:
    """Yield (link, id, resource) of every Device of this member's own patients. Nobody is shown them."""
    query = msgspec.structs.replace(read_query("Device", (), now=node.now()), count=PAGE)
    cursor = None
    while True:
        found = node.index.search.page(query, EVERYTHING, cursor)
        own = [hit for hit in found.hits if not hit.lease]
        for hit, record in zip(own, node.vault.open_many([hit.number for hit in own]), strict=True):
            resource = msgspec.json.decode(record.content.body)
            if isinstance(resource, dict):
                yield hit.link, hit.id, resource
        if found.cursor is None:
            return
        cursor = found.cursor


def _flag(id_: str, device: str, patient: dict[str, Any], class_: int) -> bytes:
    """Return a Flag of FHIR R4 that tells a patient of a recall."""
    system = "http://terminology.hl7.org/CodeSystem/flag-category"
    return msgspec.json.encode(
        {
            "resourceType": "Flag",
            "id": id_,
            "status": "active",
            "category": [{"coding": [{"system": system, "code": "safety", "display": "Safety"}]}],
            "code": {
                "text": f"An implant or device of yours is under recall, class {class_}. "
                "Ask the organisation that keeps this record what to do."
            },
            "subject": patient,
            "identifier": [{"system": "urn:salus:device", "value": device}],
        }
    )


def _way(node: MemberNode, udi: Udi) -> tuple[str, ...]:
    """Return the events of this member's repository that name the device, or without a serial its lot, by time."""
    if udi.issuer != "gs1" or not (udi.serial or udi.lot):
        return ()
    elements = {"01": udi.device} | ({"21": udi.serial} if udi.serial else {"10": udi.lot})
    try:
        name = name_of(elements)
    except Gs1Refused:
        return ()
    parameter = "MATCH_anyEPC" if udi.serial else "MATCH_anyEPCClass"
    query = repository.query_of(node, {parameter: (name,), "orderBy": ("eventTime",), "orderDirection": ("ASC",)})
    page = repository.ask(node, query, name.encode(), page=MAX_STEPS)
    return tuple(
        " ".join(
            part
            for part in (
                times.text(event.time),
                event.fields.get("bizStep", event.kind),
                event.fields.get("disposition", ""),
                event.fields.get("readPoint", {}).get("id", ""),
            )
            if part
        )
        for event in page.events
    )
