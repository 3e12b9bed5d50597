"""The chapter of the supply chain: one wholesaler alone on its own files, then seven members on one ledger."""

import gzip
from pathlib import Path
from typing import Any, Final

import msgspec

from salus.interop.epcis.document import Event, read, write_json
from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.epcis.xml_writer import write_xml
from salus.node.config import Config
from salus.node.demo import supply_members
from salus.node.demo.samples import samples_folder
from salus.node.demo.telling import Telling
from salus.node.errors import NotFound
from salus.node.local import Bare
from salus.node.supply import match_delivery, trace_pack
from salus.node.supply.alone import DeliveryMatched, MatchDelivery, TracePack

CREATED: Final = "2026-03-02T06:00:00.000Z"
EXPANDING: Final = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'
KINDS: Final = ("missing_product_data", "missing_product", "data_misalignment", "overages", "other_errors")


class Supply:
    """One firm alone: a partner's files in, differences and a pack's way out."""

    name = "supply"
    title = "A delivery at one wholesaler alone, then a million packs between seven members"
    budget_seconds = 90

    def tell(self, telling: Telling, source: Path | None) -> None:
        """Tell it on the samples, or on a folder of EPCIS files with `scans.txt`."""
        folder = source or samples_folder()
        node = Bare(Config(data=str(telling.folder / "node")))
        files, scans = _files(folder, own=source is not None)
        planted: dict[str, Any] = {} if source else msgspec.json.decode(_bytes(folder / "supply-planted.json.gz"))
        events = _read(telling, files)
        _match(telling, node, files, scans, planted)
        if planted:
            _trace(telling, node, files, planted)
        _refuse(telling, events)
        if source is None:
            supply_members.tell(telling)
        else:
            supply_members.tell_own(telling, files)
        telling.notes.append(
            "One firm's files say what that firm was told; between members the ledger says whose goods are."
        )
        telling.next_commands += ["salus supply match --help", "salus supply trace --help", "salus demo"]


def _bytes(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def _files(folder: Path, *, own: bool) -> tuple[tuple[bytes, ...], bytes]:
    """Return the documents and the scans of a folder; of the samples only those of this chapter. Raises NotFound."""
    named = [path for path in sorted(folder.iterdir()) if own or path.name.startswith("supply-")]
    kinds = (".xml", ".json", ".jsonld")
    documents = [path for path in named if path.name.removesuffix(".gz").endswith(kinds) and "planted" not in path.name]
    scans = [path for path in named if path.name.removesuffix(".gz").endswith("scans.txt")]
    if not documents:
        raise NotFound("demo.supply", "no EPCIS file is there", expected="files named .xml, .json or .jsonld")
    return tuple(_bytes(path) for path in documents), _bytes(scans[0]) if scans else b""


def _read(telling: Telling, files: tuple[bytes, ...]) -> list[Event]:
    with telling.step("Read what partners sent", "EPCIS 1.2 and 2.0 become one form, with one hash in each") as step:
        events = [event for data in files for event in read(data)]
        hashes = [event.hash for event in events]
        step.figure("documents", len(files))
        step.figure("events", len(events))
        step.figure("identifiers", sum(len(event.fields.get("epcList", [])) for event in events))
        for form, data in (("JSON-LD", write_json(events, CREATED)), ("XML 2.0", write_xml(events, CREATED))):
            step.holds(f"written as {form} and read again, every hash is as before", hashes == _hashes(data))
    return events


def _hashes(data: bytes) -> list[bytes]:
    return [event.hash for event in read(data)]


def _match(telling: Telling, node: Bare, files: tuple[bytes, ...], scans: bytes, planted: dict[str, Any]) -> None:
    with telling.step("Hold the goods against the data", "each difference has a type and what would end it") as step:
        request = MatchDelivery(files=files, scans=scans, receiver=planted.get("receiver", ""))
        found: DeliveryMatched = match_delivery(node, request)
        step.figure("verdict", found.summary)
        step.figure("not scanned themselves, inferred from their container", found.inferred)
        for kind in KINDS:
            said = [each for each in found.exceptions if each.split(":")[0].split(" ")[0] == kind]
            step.figure(kind, len(said))
            if planted:
                things = sorted(planted["differences"][kind])
                named = sorted(thing for thing in things if any(f": {thing}: " in each for each in said))
                step.holds(f"every planted {kind} is found, and no other", named == things and len(said) == len(things))


def _trace(telling: Telling, node: Bare, files: tuple[bytes, ...], planted: dict[str, Any]) -> None:
    with telling.step("Answer a tracing request", "a pack's way through case and pallet, due within 48 hours") as step:
        found = trace_pack(node, TracePack(files=files, identifier=planted["sound"]))
        for place, each in enumerate(found.steps, 1):
            step.figure(f"step {place}", each)
        step.holds("from the maker's line to the wholesaler's dock, five steps", len(found.steps) == 5)
        step.holds("the chain of owners follows", not found.breaks)
    with telling.step("Find a pack that came back", "dispensed, and yet on the move again") as step:
        found = trace_pack(node, TracePack(files=files, identifier=planted["dispensed"]))
        step.figure("told", "; ".join(found.breaks))
        step.holds("the break is told", found.breaks == ("moved again after it was dispensed or destroyed",))


def _refuse(telling: Telling, events: list[Event]) -> None:
    with telling.step("Refuse what is wrong or hostile", "an element and a rule, never a guess") as step:
        with step.refused("XML that expands entities", EpcisRefused):
            read(EXPANDING)
        with step.refused("a document cut short", EpcisRefused):
            read(write_json(events[:1], CREATED)[:-2])
        broken = write_json([Event(events[0].kind, {**events[0].fields, "action": "MOVE"})], CREATED)
        with step.refused("an action that the standard does not have", EpcisRefused):
            read(broken)


CHAPTER: Final = Supply()
