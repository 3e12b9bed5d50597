"""Taking in FHIR files: admit, rewrite references, find whose each resource is, seal, index, anchor.

Order does not matter: what refers to something not yet seen waits until everything was read. A Bundle's resources are
taken in together with their own references; a file of newline-delimited resources one by one.
"""

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import msgspec

from salus.interop.fhir.bundle import read_bundle
from salus.interop.fhir.compartment import patient_of
from salus.interop.fhir.facts import Facts, facts
from salus.interop.fhir.gate import Resource, read_ndjson, read_resource
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.splice import Rewriting, Spliced, full_urls, splice
from salus.node.anchoring import anchor
from salus.node.errors import NotFound
from salus.node.member import MemberNode
from salus.node.usecase import Progress, unheard
from salus.vault.sealing import Content, Kind

BATCH: Final = 1_000  # resources sealed under one fdatasync and one commit
CHUNK_BYTES: Final = 1 << 20
MAX_JSON_BYTES: Final = 256 * 1024 * 1024  # one JSON document is held in memory; larger sets come as NDJSON
MAX_UNPACKED: Final = 200  # times its packed size, above MAX_JSON_BYTES: resources pack 10 to 40 times, a bomb 1,000
REFERRED_TO: Final = ("organization", "hospitalinformation", "location", "practitioner", "patient", "encounter")
SUFFIXES: Final = (".json", ".ndjson", ".json.gz", ".ndjson.gz")


@dataclass
class Report:
    """What an intake did."""

    files: int = 0
    resources: int = 0
    """Resources read."""
    stored: int = 0
    """Sealed as a new record."""
    unchanged: int = 0
    """The same bytes were here already."""
    patients: int = 0
    """Links opened."""
    house: int = 0
    """Resources of no patient."""
    unresolved: int = 0
    """References that stayed as received because nothing here answers to them."""
    doubtful: int = 0
    """Identifiers that already belong to another patient's link: a person must look."""
    deleted: int = 0
    """Ended by a tombstone, because their source deleted them."""
    types: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """Refusals by code and element."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A resource on its way."""

    resource: Resource
    rewriting: Rewriting


class Intake:
    """One run of taking in files at a member."""

    def __init__(self, node: MemberNode, source: str) -> None:
        """`source` names the system the files come from: patients are known by it and their id there."""
        self._node = node
        self._source = source
        self._report = Report()
        self._identified: dict[tuple[str, str, str], list[str]] = {}
        self._owners: dict[str, str] = {}
        self._links: dict[str, bytes] = {}
        self._waiting: list[_Read] = []
        self._batch: list[tuple[bytes, Content]] = []

    def run(self, paths: Sequence[Path], progress: Progress = unheard) -> Report:
        """Take in files and folders of files. Raises NotFound; what is no FHIR is counted in the report."""
        files = sorted(found(paths), key=_rank)
        total = sum(path.stat().st_size for path in files)
        done = 0
        for path in files:
            progress(done, total, "reading")
            self._file(path)
            done += path.stat().st_size
            self._report.files += 1
        progress(total, total, "reading")
        return self.finish()

    @property
    def report(self) -> Report:
        """What the run has done up to now."""
        return self._report

    def take(self, chunks: Iterable[bytes], kind: str = "") -> None:
        """Take in newline-delimited resources as they come, of one type if it is named; `finish` ends the run."""
        for one in read_ndjson(chunks):
            if kind and isinstance(one, Resource) and one.type != kind:
                self._refuse(Refused("other-type", one.type, expected=kind, got=one.type, todo="name its type"))
            else:
                self._one(one)

    def gone(self, kind: str, id_: str) -> None:
        """End a resource that its source deleted: a tombstone is its next version; one that is not here is passed over."""
        self._write()
        self._node.catch_up()
        for hit in self._node.index.search.own(f"{kind}/{id_}"):
            self._batch.append((hit.link, Content(kind, id_, b"", kind=Kind.TOMBSTONE)))
            self._report.deleted += 1

    def flush(self) -> bool:
        """Seal what can be placed by now; return whether nothing waits, so that what came need not come again."""
        self._settle(refuse=False)
        self._write()
        self._node.catch_up()
        return not self._waiting

    def finish(self) -> Report:
        """Place what waited, seal, index and anchor."""
        self._settle()
        self._write()
        self._node.catch_up()
        anchor(self._node)
        return self._report

    # Reading ----------------------------------------------------------------------------------------------------

    def _file(self, path: Path) -> None:
        """Take in one file. What cannot be read to its end is counted; what was read before stays."""
        try:
            if ".ndjson" in path.name:
                for one in read_ndjson(_content(path, MAX_UNPACKED * path.stat().st_size)):
                    self._one(one)
                return
            raw = b"".join(_content(path))
            if _is_bundle(raw):
                self._bundle(raw)
            else:
                self._one(read_resource(raw))
        except Refused as refusal:
            self._refuse(refusal)

    def _bundle(self, raw: bytes) -> None:
        bundle = read_bundle(raw)
        ids = []
        for entry in bundle.entries:
            if entry.fault is not None:
                self._refuse(entry.fault)
            ids.append("" if entry.resource is None else entry.resource.id or _id_of(entry.full_url))
        urls = full_urls(bundle, ids)
        for entry, id_ in zip(bundle.entries, ids, strict=True):
            if entry.resource is not None:
                self._take(entry.resource, Rewriting(full_urls=urls, find=self._find), id_)

    def _one(self, one: Resource | Refused) -> None:
        if isinstance(one, Refused):
            self._refuse(one)
        else:
            self._take(one, Rewriting(find=self._find), one.id)

    def _take(self, resource: Resource, rewriting: Rewriting, id_: str) -> None:
        """Place a resource now, or keep it until everything it may refer to was read."""
        self._report.resources += 1
        self._report.types[resource.type] += 1
        spliced = splice(resource, rewriting, id_)
        told = facts(resource, spliced.changed, id_)
        for system, value in told.identifiers:
            self._identified.setdefault((resource.type, system, value), []).append(id_)
        if spliced.problems or not self._place(spliced, told):
            self._waiting.append(_Read(msgspec.structs.replace(resource, id=id_), rewriting))

    def _settle(self, *, refuse: bool = True) -> None:
        """Place what waited; each round may make the next possible. What is left at the end is refused."""
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                spliced = splice(one.resource, one.rewriting, one.resource.id)
                early = spliced.problems and not refuse  # what it refers to may yet come
                if early or not self._place(spliced, facts(one.resource, spliced.changed, spliced.id)):
                    self._waiting.append(one)
                else:
                    self._report.unresolved += len(spliced.problems)
            if len(self._waiting) == len(waiting):
                break
        for one in self._waiting if refuse else ():
            spliced = splice(one.resource, one.rewriting, one.resource.id)
            try:
                patient_of(one.resource, facts(one.resource, spliced.changed, spliced.id), spliced.changed, self._owner)
            except Refused as refusal:
                self._refuse(refusal)

    # Placing ----------------------------------------------------------------------------------------------------

    def _place(self, spliced: Spliced, told: Facts) -> bool:
        """Seal a resource under its patient's link, or the house's. False: whose it is cannot be said yet."""
        resource = spliced.resource
        try:
            patient = patient_of(resource, told, spliced.changed, self._owner)
        except Refused as refusal:
            if refusal.code == "no-patient":
                return False
            self._refuse(refusal)
            return True
        if patient:
            link = self._link(patient)
            self._owners[f"{resource.type}/{spliced.id}"] = patient
            if resource.type == "Patient":
                self._identify(link, told)
        else:
            link = self._node.vault.house_link()
            self._report.house += 1
        self._batch.append((link, Content(resource.type, spliced.id, spliced.raw, source=resource.source)))
        if len(self._batch) >= BATCH:
            self._write()
        return True

    def _link(self, patient: str) -> bytes:
        link = self._links.get(patient)
        if link is None:
            known = self._node.vault.find_link(self._source, patient)
            link = known or self._node.vault.open_link(self._source, patient)
            self._report.patients += known is None
            self._links[patient] = link
        return link

    def _identify(self, link: bytes, told: Facts) -> None:
        """Know a patient by the identifiers it carries; one that is another's already is left to a person."""
        for system, value in told.identifiers:
            if not system:
                continue
            known = self._node.vault.find_link(system, value)
            if known is None:
                self._node.vault.add_identifier(link, system, value)
            elif known != link:
                self._report.doubtful += 1

    def _owner(self, target: str) -> str:
        return self._owners.get(target) or self._node.index.patient_of(target)

    def _find(self, type_: str, system: str, value: str) -> Sequence[str]:
        """Return ids by identifier: of this run, else of the house's resources taken in before."""
        return self._identified.get((type_, system, value)) or self._node.index.ids_of(type_, system, value)

    def _write(self) -> None:
        refs = self._node.vault.write_all(self._batch)
        self._batch = []
        for ref in refs:
            self._report.stored += ref.fresh
            self._report.unchanged += not ref.fresh

    def _refuse(self, refusal: Refused) -> None:
        self._report.refused[f"{refusal.code} {refusal.path}".strip()] += 1


def found(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the FHIR files in files and folders. Raises NotFound."""
    for path in paths:
        if path.is_dir():
            yield from (each for each in path.rglob("*") if each.is_file() and each.name.endswith(SUFFIXES))
        elif path.is_file():
            yield path
        else:
            raise NotFound("intake.no-file", "there is no such file or folder", todo="look at its name and place")


def _rank(path: Path) -> tuple[int, str]:
    """Put files of what others refer to first (by the names that bulk exports and Synthea give them): less waits then."""
    places = [at for at, word in enumerate(REFERRED_TO) if word in path.name.lower()]
    return (places[0] if places else len(REFERRED_TO), str(path))


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _content(path: Path, most: int = 0) -> Iterator[bytes]:
    """Yield a file's content, at most `most` bytes or MAX_JSON_BYTES. Raises Refused: larger, or not to be read."""
    left = max(MAX_JSON_BYTES, most)
    try:
        with _opened(path) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                left -= len(chunk)
                if left < 0:
                    raise Refused(
                        "too-large", "", expected="at most 256 MiB", got="more", todo="send smaller NDJSON files"
                    )
                yield chunk
    except (EOFError, OSError, zlib.error) as error:  # OSError: gzip.BadGzipFile too
        raise Refused(
            "unreadable", "", expected="a whole file", got=type(error).__name__, todo="send it anew"
        ) from error


def _is_bundle(raw: bytes) -> bool:
    class Head(msgspec.Struct):
        resourceType: str = ""  # noqa: N815 - FHIR's name

    try:
        return msgspec.json.decode(raw, type=Head).resourceType == "Bundle"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # what it is instead, the gate says
        return False


def _id_of(full_url: str) -> str:
    """Return the id that an entry's fullUrl names when its resource carries none."""
    return full_url.rpartition("/")[2].rpartition(":")[2]
