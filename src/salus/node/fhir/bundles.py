"""Batch and transaction (R4 3.1.0.11): entries each by itself, or all or none with references between them.

A transaction is prepared whole before anything is sealed, then sealed in one write under one commit. Its order is that
of the specification: deletions, creations, updates, readings; the answers stand in the order of the entries.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from salus.index.search import Hit
from salus.interop.fhir.bundle import Bundle, Entry, read_bundle
from salus.interop.fhir.gate import Resource
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.tokens import LIMITS
from salus.node.errors import EdgeError, Fault
from salus.node.fhir.answers import BAD, Answer, FhirRefused, Invalid, Request, outcome_of, refused
from salus.node.fhir.asking import Asking
from salus.node.fhir.patching import FHIRPATH
from salus.node.fhir.presenting import instant, raw
from salus.node.fhir.writing import ASSIGNER, Names, Prepared, Writing, waiting

ORDER: Final = ("DELETE", "POST", "PUT", "PATCH", "GET")
Dispatch = Callable[[Asking, Request], Answer]


class _Planned(msgspec.Struct):
    """An entry of a transaction: what it writes under which id, or the answer that it has already."""

    at: int
    entry: Entry
    request: Request
    own: str = ""
    before: Hit | None = None
    prepared: Prepared | None = None
    answer: Answer | None = None


class Bundles:
    """Answers Bundles for one server."""

    def __init__(self, writing: Writing, dispatch: Dispatch) -> None:
        self._writing = writing
        self._dispatch = dispatch

    def answer(self, asking: Asking, request: Request) -> Answer:
        """Carry out a batch or transaction. Raises FhirRefused, and for a transaction what any entry raises."""
        try:
            bundle = read_bundle(request.body)
        except Refused as refusal:
            raise refused(refusal) from refusal
        if bundle.type == "batch":
            answers = self._apart(asking, bundle, request)
        elif bundle.type == "transaction":
            answers = self._together(asking, bundle, request)
        else:
            raise FhirRefused(
                BAD,
                "fhir.bundle-type",
                "this Bundle is no request",
                path="Bundle.type",
                expected="batch or transaction",
            )
        body = {"resourceType": "Bundle", "type": f"{bundle.type}-response", **({"entry": answers} if answers else {})}
        return Answer(200, bytes(raw(body)))

    # Batch --------------------------------------------------------------------------------------------------------

    def _apart(self, asking: Asking, bundle: Bundle, request: Request) -> list[dict[str, Any]]:
        """Answer entries until the response is as long as a Bundle may be; what is left is told to come alone."""
        answers: list[dict[str, Any]] = []
        size = 0
        for entry in bundle.entries:
            answer = self._alone(asking, entry, request) if size <= LIMITS.bundle_bytes else _too_long()
            body = answer.get("resource")
            size += len(bytes(body)) if isinstance(body, msgspec.Raw) else len(body["data"]) if body else 0
            answers.append(answer)
        return answers

    def _alone(self, asking: Asking, entry: Entry, outer: Request) -> dict[str, Any]:
        try:
            return _told(self._dispatch(asking, _request(entry, outer)))
        except EdgeError as error:
            return {"response": {"status": _status(error.fault.status), "outcome": outcome_of(error)}}

    # Transaction --------------------------------------------------------------------------------------------------

    def _together(self, asking: Asking, bundle: Bundle, outer: Request) -> list[dict[str, Any]]:
        writing = self._writing
        plans = [_Planned(at, entry, _request(entry, outer, at)) for at, entry in enumerate(bundle.entries)]
        with writing.turns:
            names = Names(waits=True)
            for plan in sorted(plans, key=lambda one: ORDER.index(one.request.method)):
                with _named(plan):
                    self._identify(asking, plan, names)
            self._prepare(asking, [plan for plan in plans if plan.own and plan.prepared is None], names)
            written = [plan for plan in plans if plan.prepared is not None]
            _refuse_twins(written)
            self._open_links(asking, written, names)
            refs = writing.put([plan.prepared for plan in written if plan.prepared], asking)
        for plan, ref in zip(written, refs, strict=True):
            gone = plan.request.method == "DELETE"
            plan.answer = Answer(204) if gone or plan.prepared is None else writing.stored(outer, plan.prepared, ref)
        return [_told(plan.answer or self._dispatch(asking, plan.request)) for plan in plans]

    def _identify(self, asking: Asking, plan: _Planned, names: Names) -> None:
        """Say which id an entry writes; a deletion is prepared at once, a condition that holds answers the entry."""
        request, writing = plan.request, self._writing
        method, (kind, _, own) = request.method, request.path.partition("/")
        if method == "GET":
            return
        if method == "DELETE":
            hits = writing.matches(asking, kind, request.pairs) if not own else []
            hit = writing.before(asking, kind, own, request.header("if-match")) if own else (hits[0] if hits else None)
            plan.answer = Answer(204)
            plan.prepared = writing.tombstone(asking, hit) if hit else None
            return
        if method == "PATCH":
            self._patch(asking, plan)
            return
        resource = _resource_of(plan)
        if method == "POST":
            sought = request.header("if-none-exist")
            hits = writing.matches(asking, kind, sought) if sought else []
            plan.own = "" if hits else writing.new_id(asking)
        elif own:
            hits, plan.own = [], own
            plan.before = writing.before(asking, kind, own, request.header("if-match"))
        else:
            hits = writing.matches(asking, kind, request.pairs)
            plan.before = hits[0] if hits else None
            plan.own = hits[0].id if hits else resource.id or writing.new_id(asking)
            hits = []
        if hits:
            plan.answer = Answer(
                200, b"", hits[0].version, hits[0].recorded, writing.location(hits[0].name, hits[0].version)
            )
        if plan.entry.full_url:
            if plan.entry.full_url in names.urls:
                raise FhirRefused(
                    BAD, "fhir.duplicate-full-url", "two entries have one fullUrl", path=_path(plan, "fullUrl")
                )
            names.urls[plan.entry.full_url] = hits[0].name if hits else f"{resource.type}/{plan.own}"

    def _patch(self, asking: Asking, plan: _Planned) -> None:
        """Make of an entry that patches one that writes the outcome. Raises FhirRefused, Forbidden.

        What is patched is read, so a program's scopes must open that, too; the other entries are writes as before.
        """
        kind, _, own = plan.request.path.partition("/")
        asking.admit(plan.request)
        if not own:
            hits = self._writing.matches(asking, kind, plan.request.pairs)
            own = hits[0].id if hits else ""
        body = self._writing.patched(asking, plan.request, f"{kind}/{own}")
        plan.before = self._writing.before(asking, kind, own, plan.request.header("if-match"))
        plan.own = own
        plan.entry = msgspec.structs.replace(plan.entry, resource=self._writing.admitted(body, kind))
        asking.admit(Request("POST", ""))

    def _prepare(self, asking: Asking, plans: list[_Planned], names: Names) -> None:
        """Prepare what is written; whose an entry is may be said by another, so those that cannot tell yet come again."""
        left = sorted(plans, key=lambda plan: plan.request.path.partition("/")[0] != "Patient")
        while left:
            again = []
            for plan in left:
                try:
                    with _named(plan):
                        found = self._writing.prepare(asking, _resource_of(plan), plan.own, names)
                        plan.prepared = self._writing.checked_link(found, plan.before)
                except FhirRefused as refusal:
                    if refusal.code != "fhir.no-patient":
                        raise
                    again.append((plan, refusal))
            if len(again) == len(left):
                raise again[0][1]
            left = [plan for plan, _ in again]

    def _open_links(self, asking: Asking, plans: list[_Planned], names: Names) -> None:
        """Open the links of new patients, in one commit, now that every entry is good."""
        patients = [patient for patient, link in names.links.items() if link == waiting(patient)]
        opened = asking.node.vault.open_links([(ASSIGNER, patient) for patient in patients]) if patients else []
        links = {waiting(patient): link for patient, link in zip(patients, opened, strict=True)}
        for plan in plans:
            if plan.prepared is not None and plan.prepared.link in links:
                plan.prepared = msgspec.structs.replace(plan.prepared, link=links[plan.prepared.link])


def _request(entry: Entry, outer: Request, at: int | None = None) -> Request:
    """Return an entry as a request. Raises FhirRefused."""
    where = "Bundle.entry" if at is None else f"Bundle.entry[{at}]"
    if entry.fault is not None:
        raise refused(entry.fault)
    if entry.method not in ORDER:
        raise FhirRefused(
            BAD, "fhir.bundle-method", "the entry's method is not supported", path=f"{where}.request.method",
            expected=", ".join(ORDER),
        )  # fmt: skip
    if entry.method in {"POST", "PUT", "PATCH"} and entry.resource is None:
        raise FhirRefused(BAD, "fhir.bundle-resource", "the entry has no resource", path=f"{where}.resource")
    path, _, query = entry.url.partition("?")
    headers = {"prefer": outer.header("prefer"), "if-match": entry.if_match, "if-none-exist": entry.if_none_exist}
    told = {name: value for name, value in headers.items() if value}
    body = entry.resource.raw if entry.resource is not None else b""
    if entry.method == "PATCH" and entry.resource is not None:
        body, told["content-type"] = _patch_of(entry.resource)
    pairs = tuple(parse_qsl(query, keep_blank_values=True)) if query else ()
    return Request(entry.method, path.strip("/"), pairs, body, told)


def _patch_of(resource: Resource) -> tuple[bytes, str]:
    """Return an entry's patch and its form: Parameters, or a Binary with a JSON Patch (R4 3.1.0.7)."""
    if resource.type != "Binary":
        return resource.raw, FHIRPATH[0]
    try:
        body = b64decode(str(resource.tree.get("data", "")), validate=True)
    except binascii.Error as error:
        raise FhirRefused(BAD, "fhir.patch", "the patch is none", expected="a Binary with data in base64") from error
    return body, str(resource.tree.get("contentType", ""))


def _resource_of(plan: _Planned) -> Resource:
    """Return the resource that an entry writes, checked against its URL. Raises FhirRefused."""
    resource = plan.entry.resource
    kind, _, own = plan.request.path.partition("/")
    if resource is None or resource.type != kind or (own and resource.id != own):
        raise FhirRefused(
            BAD, "fhir.bundle-url", "the entry's URL is not its resource's", path=_path(plan, "request.url"),
            expected="Type for POST, Type/id or Type?condition for PUT",
        )  # fmt: skip
    return resource


@contextmanager
def _named(plan: _Planned) -> Iterator[None]:
    """Say of what is refused within which entry it stands, and at which element of the Bundle."""
    try:
        yield
    except Invalid as error:
        place = _path(plan, "resource")
        told = [one._replace(expression=_moved(one.expression, place)) for one in error.findings]
        raise Invalid(told) from error
    except EdgeError as error:
        path = error.path if isinstance(error, FhirRefused) else ""
        if path.startswith(_path(plan, "")):
            raise
        raise FhirRefused(
            error.fault,
            error.code,
            error.message,
            path=_moved(path, _path(plan, "resource")) if path else _path(plan, "").rstrip("."),
            expected=error.expected,
            got=error.got,
            todo=error.todo,
        ) from error


def _moved(expression: str, place: str) -> str:
    """Return a resource's element as one of the Bundle: "Patient.name" to "Bundle.entry[0].resource.name"."""
    _, dot, rest = expression.partition(".")
    return place + dot + rest


def _path(plan: _Planned, element: str) -> str:
    return f"Bundle.entry[{plan.at}].{element}"


def _refuse_twins(plans: list[_Planned]) -> None:
    seen: set[str] = set()
    for plan in plans:
        content = plan.prepared.content if plan.prepared else None
        name = f"{content.type}/{content.id}" if content else ""
        if name in seen:
            raise FhirRefused(
                BAD, "fhir.bundle-twice", "two entries write one resource", path=_path(plan, "request.url")
            )
        seen.add(name)


def _too_long() -> dict[str, Any]:
    refusal = FhirRefused(
        Fault(413, "too-costly"),
        "fhir.too-long",
        "the answers before this one fill a Bundle",
        todo="send the entry in another batch",
    )
    return {"response": {"status": _status(refusal.fault.status), "outcome": outcome_of(refusal)}}


def _status(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}"


def _told(answer: Answer) -> dict[str, Any]:
    """Return an answer as an entry of the response."""
    response: dict[str, Any] = {"status": _status(answer.status)}
    if answer.location:
        response["location"] = answer.location
    if answer.version:
        response |= {"etag": f'W/"{answer.version}"', "lastModified": instant(answer.modified)}
    entry: dict[str, Any] = {"response": response}
    if answer.body:
        entry["resource"] = msgspec.Raw(answer.body) if not answer.media else _binary(answer)
    return entry


def _binary(answer: Answer) -> dict[str, Any]:
    """Return what is no FHIR resource as one (R4 3.1.0.11.2): a table, lines of an export, its manifest."""
    return {"resourceType": "Binary", "contentType": answer.media, "data": b64encode(answer.body).decode()}
