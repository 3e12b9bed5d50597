"""Writing: create, update, delete and their conditional forms (R4 3.1.0.4 to 3.1.0.8) as sealed records.

A write is admitted by the gate, its references are rewritten on raw tokens, it is filed under the link of the patient
whose it is, sealed, and indexed before it is answered. Nothing tells of what the asker may not see: an unseen resource
is created beside, refused as absent, never overwritten.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from salus.index.people import PEOPLE, STAFF_TEAMS, names_somebody
from salus.index.search import Hit
from salus.index.source import Admitted
from salus.interop.fhir.compartment import patient_of
from salus.interop.fhir.facts import facts
from salus.interop.fhir.gate import Resource, read_resource
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.search.query import Query, read_query
from salus.interop.fhir.splice import Rewriting, splice
from salus.interop.fhir.teams import TEAMS, members_of
from salus.interop.fhir.tokens import LIMITS, oversized
from salus.node.errors import Conflict, Fault, Forbidden
from salus.node.fhir.answers import (
    BAD,
    PRECONDITION,
    UNPROCESSABLE,
    Answer,
    FhirRefused,
    Request,
    informed,
    names_version,
    nothing_there,
    refused,
)
from salus.node.fhir.asking import Asking
from salus.node.fhir.attributing import provenances
from salus.node.fhir.patching import patched
from salus.node.fhir.policy import ADMINISTRATION
from salus.node.fhir.presenting import presented, raw
from salus.node.fhir.storing import Enlisted, Sealing, Turns
from salus.node.fhir.validating import Validating
from salus.node.usecase import Kind
from salus.vault.errors import TooLarge
from salus.vault.journal import Disclosure
from salus.vault.records import Ref
from salus.vault.sealing import Content
from salus.vault.sealing import Kind as Sealed

ASSIGNER: Final = "urn:salus:fhir"
"""Patients created through this API are known by it and their id."""


_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_TWO: Final = [one + other for one in _ALPHABET for other in _ALPHABET]
"""Base32 in lower case (RFC 4648), five bits a letter."""
ALONE: Final = frozenset({"Consent", "Organization", *PEOPLE, *TEAMS})
"""Types that say who somebody is or who may see what: nothing is decided while one of them is on its way."""


class Prepared(msgspec.Struct, frozen=True):
    """A resource ready to be sealed. created: it replaces nothing. admitted: what the index need not read again."""

    link: bytes
    content: Content
    identifiers: tuple[tuple[str, str], ...] = ()
    created: bool = True
    admitted: Admitted | None = None


class Names(msgspec.Struct):
    """What one transaction knows of its own entries: fullUrl to Type/id, and whose each of them is."""

    urls: dict[str, str] = msgspec.field(default_factory=dict)
    owners: dict[str, str] = msgspec.field(default_factory=dict)
    links: dict[str, bytes] = msgspec.field(default_factory=dict)
    """New patients' ids to their links, or to `waiting` ones, which are opened when all entries are found good."""
    waits: bool = False
    """Whether links of new patients wait for the other entries."""


def waiting(patient: str) -> bytes:
    """Return what stands for the link of a new patient until it is opened."""
    return b"new " + patient.encode()


class Writing:
    """Writes for one server. `base` is the URL of its FHIR root."""

    def __init__(self, base: str, validating: Validating, turns: Turns) -> None:
        self._base = base
        self._validating = validating
        self.turns = turns

    # Interactions -------------------------------------------------------------------------------------------------

    def create(self, asking: Asking, request: Request, kind: str) -> Answer:
        """Create a resource under an id of the server's; with If-None-Exist only where nothing matches."""
        sought = request.header("if-none-exist")
        with self._turn(kind, "", alone=bool(sought)):
            if sought:
                hits = self.matches(asking, kind, sought)
                if hits:
                    return Answer(
                        200, b"", hits[0].version, hits[0].recorded, self.location(hits[0].name, hits[0].version)
                    )
            resource = self.admitted(request.body, kind)
            prepared = self.prepare(asking, resource, self.new_id(asking), Names())
            enlisted = self._enlist([prepared], asking)
        return self._stored(asking, request, prepared, enlisted)

    def update(self, asking: Asking, request: Request, kind: str, own: str) -> Answer:
        """Write the next version of a resource; the operator may also create one under an id of its choice."""
        resource = self.admitted(request.body, kind)
        if resource.id != own:
            raise FhirRefused(
                BAD,
                "fhir.other-id",
                "the body's id is not the URL's",
                path=f"{kind}.id",
                todo="send the same id in both",
            )
        with self._turn(kind, own):
            before = self.before(asking, kind, own, request.header("if-match"))
            prepared = self.checked_link(self.prepare(asking, resource, own, Names()), before)
            enlisted = self._enlist([prepared], asking)
        return self._stored(asking, request, prepared, enlisted)

    def patch(self, asking: Asking, request: Request, kind: str, own: str) -> Answer:
        """Change an own resource by JSON Patch or FHIRPath Patch."""
        with self.turns:
            body = self.patched(asking, request, f"{kind}/{own}")
            return self.update(asking, msgspec.structs.replace(request, body=body), kind, own)

    def patch_where(self, asking: Asking, request: Request, kind: str) -> Answer:
        """Change the only match of a search. Raises FhirRefused where there is none."""
        with self.turns:
            hits = self.matches(asking, kind, request.pairs)
            if not hits:
                raise nothing_there()
            return self.patch(asking, request, kind, hits[0].id)

    def patched(self, asking: Asking, request: Request, name: str) -> bytes:
        """Return "Type/id" after a patch. Raises FhirRefused."""
        return patched(request, self.readable(asking, request, name))

    def readable(self, asking: Asking, request: Request, name: str) -> bytes:
        """Return "Type/id" to be changed in part; journalled, because the answer shows the rest of it. Raises FhirRefused."""
        hits = [hit for hit in asking.node.index.search.named(name, asking.scope) if not hit.lease]
        if not hits:
            raise nothing_there()
        _matching(hits[0], request.header("if-match"))
        asking.journal(hits[:1], "patch")
        (record,) = asking.node.vault.open_many([hits[0].number])
        return bytes(record.content.body)

    def update_where(self, asking: Asking, request: Request, kind: str) -> Answer:
        """Update the only match of a search, create where there is none (R4 3.1.0.4.3)."""
        resource = self.admitted(request.body, kind, id_required=False)
        with self.turns:
            hits = self.matches(asking, kind, request.pairs)
            if not hits:
                if resource.id:
                    return self.update(asking, request, kind, resource.id)
                return self.create(asking, msgspec.structs.replace(request, headers={}), kind)
            if resource.id and resource.id != hits[0].id:
                raise FhirRefused(BAD, "fhir.other-id", "the body's id is not the match's", path=f"{kind}.id")
            before = self.before(asking, kind, hits[0].id, request.header("if-match"))
            prepared = self.checked_link(self.prepare(asking, resource, hits[0].id, Names()), before)
            return self._stored(asking, request, prepared, self._enlist([prepared], asking))

    def delete(self, asking: Asking, request: Request, kind: str, own: str) -> Answer:
        """Delete a resource: a tombstone is its next version, its history stays."""
        with self.turns:
            name = f"{kind}/{own}"
            hits = [hit for hit in asking.node.index.search.named(name, asking.scope) if not hit.lease]
            if not hits:
                versions, _ = asking.node.index.search.versions(asking.scope, name=name, limit=1)
                if versions and versions[0].gone:
                    return Answer(204)
                raise nothing_there()
            _matching(hits[0], request.header("if-match"))
            self.put([self.tombstone(asking, hits[0])], asking)
            return Answer(204)

    def delete_where(self, asking: Asking, request: Request, kind: str) -> Answer:
        """Delete the only match of a search."""
        with self.turns:
            for hit in self.matches(asking, kind, request.pairs):
                self.put([self.tombstone(asking, hit)], asking)
            return Answer(204)

    # Steps, which transactions take too ---------------------------------------------------------------------------

    def new_id(self, asking: Asking) -> str:
        """Return an id that nobody can guess: 125 random bits."""
        number = int.from_bytes(asking.node.entropy(16)) >> 3
        pairs = [_TWO[number >> at & 1023] for at in range(0, 120, 10)]
        return _ALPHABET[number >> 120] + "".join(pairs)

    def admitted(self, body: bytes, kind: str, *, id_required: bool | None = None) -> Resource:
        """Return a body as a resource of `kind`. Raises FhirRefused."""
        try:
            resource = read_resource(body, id_required=bool(id_required))
        except Refused as refusal:
            raise refused(refusal) from refusal
        if resource.type != kind:
            raise FhirRefused(
                BAD,
                "fhir.other-type",
                "the body is of another type",
                expected=kind,
                got=resource.type,
                todo="correct the URL",
            )
        return resource

    def matches(self, asking: Asking, kind: str, sought: str | Sequence[tuple[str, str]]) -> list[Hit]:
        """Return the only own match of a conditional request's search, or none. Raises FhirRefused (412) for several."""
        pairs = (
            parse_qsl(sought.partition("?")[2] or sought, keep_blank_values=True) if isinstance(sought, str) else sought
        )
        asking.admit_search(kind)
        query = _query(asking, kind, pairs, self._base)
        if not query.tests:
            raise FhirRefused(PRECONDITION, "fhir.no-condition", "a conditional request names no condition")
        hits = [hit for hit in asking.node.index.search.numbers(query, asking.scope, 3) if not hit.lease]
        if len(hits) > 1:
            raise FhirRefused(
                PRECONDITION, "fhir.several-match", "several resources match", todo="name a condition that one meets"
            )
        return hits

    def before(self, asking: Asking, kind: str, own: str, if_match: str) -> Hit | None:
        """Return what an update replaces, None where it creates. Raises FhirRefused: not there, or another version."""
        hits = [hit for hit in asking.node.index.search.named(f"{kind}/{own}", asking.scope) if not hit.lease]
        if len(hits) > 1:
            raise Conflict("fhir.ambiguous-id", "two sources gave this id to resources of different patients")
        if hits:
            _matching(hits[0], if_match)
            return hits[0]
        if if_match:
            raise FhirRefused(PRECONDITION, "fhir.other-version", "there is no such version", todo="read it again")
        if asking.purpose != ADMINISTRATION and not self._deleted(asking, f"{kind}/{own}"):
            raise nothing_there()  # the same for what does not exist and what is not seen: no id can be probed by writing
        if asking.node.index.search.own(f"{kind}/{own}"):
            raise nothing_there()
        return None

    def _deleted(self, asking: Asking, name: str) -> bool:
        versions, _ = asking.node.index.search.versions(asking.scope, name=name, limit=1)
        return bool(versions) and versions[0].gone

    def prepare(self, asking: Asking, resource: Resource, own: str, names: Names) -> Prepared:
        """Return a valid resource with its references rewritten, under the link where it belongs. Raises FhirRefused."""
        self._validating.admit(resource, asking.node.now())
        rewriting = Rewriting(full_urls=names.urls, bases=(f"{self._base}/",), find=self._finder(asking))
        index = asking.node.index
        try:
            spliced = splice(resource, rewriting, own).checked()
            if len(spliced.raw) > LIMITS.resource_bytes:  # the index would not read it
                raise oversized(LIMITS.resource_bytes, f"{len(spliced.raw)} bytes with its id and references")
            told = facts(resource, spliced.changed, own)
            patient = patient_of(
                resource, told, spliced.changed, lambda target: names.owners.get(target) or index.patient_of(target)
            )
        except Refused as refusal:
            raise refused(refusal) from refusal
        members = [one.member for one in members_of(resource.tree, lambda text: spliced.changed.get(text, text))]
        if any(names_somebody(system) for system, _ in told.identifiers):
            self._operators(asking)
        if resource.type in STAFF_TEAMS and asking.node.index.people.leads(members):
            self._operators(asking)
        content = Content(resource.type, own, spliced.raw, source=resource.source)
        if patient:
            names.owners[f"{resource.type}/{own}"] = patient
        admitted = Admitted(spliced.read(), told)
        if not patient:
            return Prepared(asking.node.vault.house_link(), content, admitted=admitted)
        link = self._link(asking, patient, names, new=resource.type == "Patient")
        return Prepared(link, content, told.identifiers if resource.type == "Patient" else (), admitted=admitted)

    def _link(self, asking: Asking, patient: str, names: Names, *, new: bool) -> bytes:
        """Return the link of a patient whom the asker may see, or who comes with the same transaction."""
        known = names.links.get(patient)
        if known is not None:
            return known
        search = asking.node.index.search
        visible = [hit for hit in search.named(f"Patient/{patient}", asking.scope) if not hit.lease]
        if len(visible) == 1:
            return visible[0].link
        if new and not search.own(f"Patient/{patient}"):
            gone = search.own_versions(f"Patient/{patient}")
            if gone:
                return gone[-1].link
            if names.waits:
                return names.links.setdefault(patient, waiting(patient))
            return asking.node.vault.open_link(ASSIGNER, patient)
        raise FhirRefused(
            UNPROCESSABLE,
            "fhir.unknown-patient",
            "the patient referred to is not here",
            expected="a Patient that exists",
            todo="create the patient first, or in the same transaction",
        )

    def _finder(self, asking: Asking) -> Callable[[str, str, str], Sequence[str]]:
        def find(kind: str, system: str, value: str) -> Sequence[str]:
            token = f"{system}|{value}" if system else value
            query = _query(asking, kind, [("identifier", token.replace(",", "\\,"))], self._base)
            return [hit.id for hit in asking.node.index.search.numbers(query, asking.scope, 2) if not hit.lease]

        return find

    def checked_link(self, prepared: Prepared, before: Hit | None) -> Prepared:
        """Return what may replace `before`: the same patient's. Raises Conflict."""
        if before is not None and before.link != prepared.link:
            raise Conflict(
                "fhir.other-patient",
                "the resource belongs to another patient",
                todo="delete it there and create it here: each is sealed under its patient's key",
            )
        return msgspec.structs.replace(prepared, created=before is None)

    def tombstone(self, asking: Asking, hit: Hit) -> Prepared:
        """Return what ends a resource. Raises Conflict for a patient with records, apart from those of who wrote what."""
        counts = asking.node.index.count_by_type([hit.link]) if hit.type == "Patient" else {}
        if sum(count for kind, count in counts.items() if kind != "Provenance") > 1:
            raise Conflict(
                "fhir.patient-has-records", "the patient has other records", todo="delete them first, or erase the link"
            )
        return Prepared(hit.link, Content(hit.type, hit.id, b"", kind=Sealed.TOMBSTONE))

    def put(self, many: Sequence[Prepared], asking: Asking) -> Sequence[Ref]:
        """Seal and index, all or none. Raises FhirRefused when it is too much."""
        return self._finish(self._enlist(many, asking), asking)[: len(many)]

    def _turn(self, kind: str, own: str, *, alone: bool = False) -> AbstractContextManager[None]:
        """Return the turn in which a resource is written: beside others, where no other's writing can matter to it."""
        return self.turns if alone or kind in ALONE else self.turns.beside(f"{kind}/{own}")

    def _enlist(self, many: Sequence[Prepared], asking: Asking) -> Enlisted:
        """Take up writes that the asker may do, to be finished."""
        node = asking.node
        for one in many:
            letter = _action(one)[0]
            if letter != "c" and node.index.people.binds(one.content.type, one.content.id):
                self._operators(asking)
            asking.admit_write(one.content.type, letter, one.link)
        written = [(one.link, _action(one), f"{one.content.type}/{one.content.id}") for one in many]
        ids = (self.new_id(asking) for _ in written)
        items = [*((one.link, one.content) for one in many), *provenances(asking, written, ids)]
        house = node.vault.house_link()
        actions = {(link, name): action for link, action, name in written if link != house}

        def lines(fresh: Sequence[Ref]) -> list[Disclosure]:
            told = [(one, actions.get((one.link, f"{one.type}/{one.id}"), "")) for one in fresh]
            return asking.lines_written(
                [(one.link, action, f"{one.type}/{one.id}/{one.version}") for one, action in told if action]
            )

        identifiers = [(one.link, system, value) for one in many for system, value in one.identifiers if system]
        return self.turns.enlist(Sealing(items, [one.admitted for one in many], lines, identifiers))

    def _finish(self, enlisted: Enlisted, asking: Asking) -> Sequence[Ref]:
        try:
            refs = self.turns.finish(enlisted)
        except TooLarge as error:
            raise FhirRefused(Fault(413, "too-long"), "fhir.too-large", str(error)) from error
        asking.renew()
        return refs

    def _operators(self, asking: Asking) -> None:
        """Keep everybody but the operator from changing who consents mean by a name. Raises Forbidden."""
        if asking.caller.kind is not Kind.OPERATOR:
            raise Forbidden(
                "fhir.identity",
                "the resource says who a person or a member is, or who is in a team of such persons",
                expected="the operator of the node",
                todo="have it changed where staff is kept",
            )

    def _stored(self, asking: Asking, request: Request, prepared: Prepared, enlisted: Enlisted) -> Answer:
        """Finish one resource and answer as Prefer asks."""
        return self.stored(request, prepared, self._finish(enlisted, asking)[0])

    def stored(self, request: Request, prepared: Prepared, ref: Ref) -> Answer:
        """Return the answer to a write."""
        name = f"{ref.type}/{ref.id}"
        prefer = request.header("prefer").replace(" ", "")
        if "return=OperationOutcome" in prefer:
            body = bytes(raw(informed(f"{name} is stored as version {ref.version}")))
        else:
            minimal = "return=minimal" in prefer
            body = b"" if minimal else presented(prepared.content.body, version=ref.version, recorded=ref.recorded)
        return Answer(
            201 if prepared.created else 200, body, ref.version, ref.recorded, self.location(name, ref.version)
        )

    def location(self, name: str, version: int) -> str:
        """Return the URL of a version."""
        return f"{self._base}/{name}/_history/{version}"


def _action(one: Prepared) -> str:
    """Return what is done to a resource: create, update or delete."""
    return "delete" if one.content.kind is Sealed.TOMBSTONE else "create" if one.created else "update"


def _matching(hit: Hit, if_match: str) -> None:
    if if_match and not names_version(if_match, hit.version):
        raise FhirRefused(
            PRECONDITION,
            "fhir.other-version",
            "the resource has another version",
            expected="If-Match with the newest version",
            todo="read it again",
        )


def _query(asking: Asking, kind: str, pairs: Sequence[tuple[str, str]], base: str) -> Query:
    try:
        return read_query(kind, pairs, now=asking.node.now(), base=base)
    except Refused as refusal:
        raise refused(refusal) from refusal
