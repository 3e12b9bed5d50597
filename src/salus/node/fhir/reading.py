"""Reading: one resource, one version, histories, and pages of search, as Bundles (R4 3.1.0.2 to 3.1.0.9, 3.1.1)."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from salus.index.errors import BadQuestion, TimedOut
from salus.index.search import Found, Hit
from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.search.definitions import patient_compartment
from salus.interop.fhir.search.query import MAX_COUNT, Codes, Query, in_compartment, read_query
from salus.interop.fhir.splice import Rewriting, splice
from salus.interop.fhir.survey import TYPES
from salus.interop.fhir.times import EARLIEST, LATEST, interval
from salus.node.errors import Conflict, Fault
from salus.node.exchange.derived import renaming
from salus.node.fhir.answers import BAD, GONE, Answer, FhirRefused, Request, names_version, nothing_there, refused
from salus.node.fhir.asking import Asking
from salus.node.fhir.joining import outcome, party_of, widened
from salus.node.fhir.paging import PAGE, Paging
from salus.node.fhir.presenting import ALL, Subset, instant, presented, raw

TOO_COSTLY: Final = Fault(400, "too-costly")
HISTORY_COUNT: Final = 100
MEMBER: Final = "urn:salus:member:"
"""Before a member's id: `meta.source` of what was pulled from it."""
FORMS: Final = frozenset({"_format", "_pretty"})


class Reading:
    """Reads for one server. `base` is the URL of its FHIR root, without a slash at the end."""

    def __init__(self, base: str, paging: Paging, codes: Codes) -> None:
        self._base = base
        self._paging = paging
        self._codes = codes

    # One resource -------------------------------------------------------------------------------------------------

    def read(self, asking: Asking, request: Request, kind: str, own: str) -> Answer:
        """Return a resource's current version. Raises FhirRefused: not found, deleted."""
        subset = _subset(kind, request.pairs)
        hit = self.current(asking, f"{kind}/{own}")
        modified = request.header("if-none-match")
        if modified and names_version(modified, hit.version):
            return Answer(304, version=hit.version, modified=hit.recorded)
        (body,) = self.bodies(asking, [hit], "read", subset)
        return Answer(200, body, hit.version, hit.recorded)

    def current(self, asking: Asking, name: str) -> Hit:
        """Return the resource "Type/id" if the asker may see it. Raises FhirRefused, Conflict."""
        hits = asking.node.index.search.named(name, asking.scope)
        if not hits:
            versions, _ = asking.node.index.search.versions(asking.scope, name=name, limit=1)
            if versions and versions[0].gone:
                raise FhirRefused(GONE, "fhir.deleted", "the resource was deleted", todo="see its _history")
            raise nothing_there()
        if len(hits) > 1:
            raise Conflict(
                "fhir.ambiguous-id",
                "two sources gave this id to resources of different patients",
                todo="search by identifier instead",
            )
        return hits[0]

    def vread(self, asking: Asking, request: Request, kind: str, own: str, *, version: str) -> Answer:
        """Return one version. Raises FhirRefused: not found, deleted."""
        subset = _subset(kind, request.pairs)
        name = f"{kind}/{own}"
        versions, _ = asking.node.index.search.versions(asking.scope, name=name, limit=MAX_COUNT)
        hit = next((one for one in versions if str(one.version) == version), None)
        if hit is None:
            raise nothing_there()
        if hit.gone:
            raise FhirRefused(GONE, "fhir.deleted", "this version is the deletion", todo="see its _history")
        (body,) = self.bodies(asking, [hit], "vread", subset)
        return Answer(200, body, hit.version, hit.recorded)

    def bodies(
        self, asking: Asking, hits: Sequence[Hit], action: str, subset: Subset = ALL, *, joined: bool = False
    ) -> list[bytes]:
        """Journal what is about to be shown, then open it. joined: own resources without `meta.source` get one, too."""
        asking.journal(hits, action)
        records = asking.node.vault.open_many([hit.number for hit in hits])
        told = []
        for hit, record in zip(hits, records, strict=True):
            body, source = record.content.body, asking.node.member if joined else ""
            if hit.lease:
                source = asking.node.writers.writer(hit.link, hit.type, hit.id, body)
                body = under_derived_names(body, source)
            told.append(
                presented(
                    body,
                    version=hit.version,
                    recorded=hit.recorded,
                    subset=subset,
                    own_id=hit.id,
                    source=f"{MEMBER}{source}" if source else "",
                    known=not hit.lease,
                )
            )
        return told

    # Search -------------------------------------------------------------------------------------------------------

    def search(
        self, asking: Asking, request: Request, kind: str, compartment: str = "", cursor: tuple[Any, ...] | None = None
    ) -> Answer:
        """Return a page of a search, in the compartment of "Patient/x" if one is named. Raises FhirRefused."""
        pairs, party = widened(asking, kind, request.pairs, self._base, compartment)
        within = [compartment] if compartment else []
        query = self._query(asking, kind, pairs, [one.name for one in party.patients] if within and party else within)
        try:
            found = asking.node.index.search.page(query, asking.scope, cursor)
        except TimedOut as error:
            raise FhirRefused(
                TOO_COSTLY, "fhir.too-costly", "the search takes too long", todo="add a parameter that narrows it"
            ) from error
        except BadQuestion as error:
            raise FhirRefused(TOO_COSTLY, "fhir.bad-page", str(error)) from error
        links = [{"relation": "self", "url": self._self(request, compartment, kind)}]
        if found.cursor is not None:
            sealed = self._paging.seal(asking, request, found.cursor)
            links.append({"relation": "next", "url": f"{self._base}/{kind}?{PAGE}={sealed}"})
        told = outcome(asking, party, "search") if party and cursor is None else None
        return Answer(200, self._searchset(asking, query, found, links, told, joined=party is not None))

    def _query(self, asking: Asking, kind: str, pairs: Sequence[tuple[str, str]], compartments: Sequence[str]) -> Query:
        try:
            query = read_query(kind, pairs, now=asking.node.now(), base=self._base, codes=self._codes)
            if compartments:
                if kind not in patient_compartment():
                    raise nothing_there()
                test = in_compartment(kind, patient_compartment()[kind], *compartments)
                query = msgspec.structs.replace(query, tests=(test, *query.tests))
        except Refused as refusal:
            raise refused(refusal) from refusal
        return query

    def _self(self, request: Request, compartment: str, kind: str) -> str:
        path = f"{compartment}/{kind}" if compartment else kind
        return f"{self._base}/{path}" + (f"?{urlencode(request.pairs)}" if request.pairs else "")

    def _searchset(
        self,
        asking: Asking,
        query: Query,
        found: Found,
        links: list[dict[str, str]],
        told: msgspec.Raw | None,
        *,
        joined: bool,
    ) -> bytes:
        subset = Subset(query.summary if query.summary in {"true", "text", "data"} else "", query.elements)
        matches = self.bodies(asking, [*found.hits, *found.included], "search", subset, joined=joined)
        entries = [
            {
                "fullUrl": f"{self._base}/{hit.name}",
                "resource": msgspec.Raw(body),
                "search": {"mode": "match" if at < len(found.hits) else "include"},
            }
            for at, (hit, body) in enumerate(zip([*found.hits, *found.included], matches, strict=True))
        ]
        return bundle_of("searchset", asking.node.now(), found.total, links, [*entries, *_outcome_entry(told)])

    def everything(self, asking: Asking, request: Request, own: str, after: int = 0) -> Answer:
        """Return a page of a patient's whole record and what of the house it refers to (Patient/$everything).

        Of all links that are joined with it, and of the live leases about them.
        """
        kinds, period, rest = _care(request.pairs)
        count, since = _history_parameters(msgspec.structs.replace(request, pairs=rest))
        party = party_of(asking, self.current(asking, f"Patient/{own}"))
        hits, total = asking.node.index.search.of_patient(
            party.links,
            asking.scope,
            house=asking.node.vault.house_link(),
            since=since,
            after=after,
            limit=count + 1,
            kinds=kinds,
            period=period,
        )
        page = hits[:count]
        links = [{"relation": "self", "url": f"{self._base}/{request.path}"}]
        if len(hits) > count:
            sealed = self._paging.seal(asking, request, (page[-1].number,))
            links.append({"relation": "next", "url": f"{self._base}/_page/{sealed}"})
        entries = [
            {"fullUrl": f"{self._base}/{hit.name}", "resource": msgspec.Raw(body), "search": {"mode": "match"}}
            for hit, body in zip(page, self.bodies(asking, page, "everything", joined=party.joined), strict=True)
        ]
        told = None if after else outcome(asking, party, "everything")
        return Answer(200, bundle_of("searchset", asking.node.now(), total, links, [*entries, *_outcome_entry(told)]))

    # Histories ----------------------------------------------------------------------------------------------------

    def history(self, asking: Asking, request: Request, kind: str = "", own: str = "", before: int = 0) -> Answer:
        """Return a page of versions, newest first: of one resource, a type, or the whole server."""
        count, since = _history_parameters(request)
        name = f"{kind}/{own}" if own else ""
        hits, total = asking.node.index.search.versions(
            asking.scope, kind="" if own else kind, name=name, since=since, before=before, limit=count + 1
        )
        if own and not total and not since:
            raise nothing_there()
        page = hits[:count]
        shown = [hit for hit in page if not hit.gone]
        bodies = dict(zip([hit.number for hit in shown], self.bodies(asking, shown, "history"), strict=True))
        entries = [self._past(hit, bodies.get(hit.number)) for hit in page]
        links = [{"relation": "self", "url": f"{self._base}/{request.path}"}]
        if len(hits) > count:
            sealed = self._paging.seal(asking, request, (page[-1].number,))
            links.append({"relation": "next", "url": f"{self._base}/_page/{sealed}"})
        return Answer(200, bundle_of("history", asking.node.now(), total, links, entries))

    def _past(self, hit: Hit, body: bytes | None) -> dict[str, Any]:
        if body is None:
            method, url, status = "DELETE", hit.name, "204"
        elif hit.version == 1:
            method, url, status = "POST", hit.type, "201"
        else:
            method, url, status = "PUT", hit.name, "200"
        entry: dict[str, Any] = {
            "fullUrl": f"{self._base}/{hit.name}",
            "request": {"method": method, "url": url},
            "response": {
                "status": status,
                "etag": f'W/"{hit.version}"',
                "lastModified": instant(hit.recorded),
            },
        }
        if body is not None:
            entry["resource"] = msgspec.Raw(body)
        return entry


def _outcome_entry(told: msgspec.Raw | None) -> list[dict[str, Any]]:
    return [] if told is None else [{"resource": told, "search": {"mode": "outcome"}}]


def under_derived_names(body: bytes, writer: str) -> bytes:
    """Return a pulled resource with its references under the names that their targets have here."""
    if not writer:
        return body
    resource = read_resource(body)
    rename = renaming(writer)
    renamed = {text: new for text in resource.references if (new := rename(text)) != text}
    return splice(resource, Rewriting(renamed=renamed)).raw


def bundle_of(kind: str, now: int, total: int, links: list[dict[str, str]], entries: list[dict[str, Any]]) -> bytes:
    """Return a Bundle of a type, with its total over all pages."""
    told: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": kind,
        "timestamp": instant(now),
        "total": total,
        "link": links,
    }
    if entries:
        told["entry"] = entries
    return bytes(raw(told))


def _subset(kind: str, pairs: Sequence[tuple[str, str]]) -> Subset:
    """Return what a read asks of a resource's elements; anything else is refused as in a search."""
    try:
        known = [pair for pair in pairs if pair[0] not in FORMS]
        if any(name not in {"_summary", "_elements"} for name, _ in known):
            raise Refused(
                "search-parameter",
                kind,
                expected="_summary, _elements, _format, _pretty",
                got="another parameter",
                todo="a read takes no others",
            )
        query = read_query(kind, known, now=0)
    except Refused as refusal:
        raise refused(refusal) from refusal
    return Subset(query.summary if query.summary in {"true", "text", "data"} else "", query.elements)


def _care(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, ...], tuple[int, int], tuple[tuple[str, str], ...]]:
    """Return what $everything alone takes (types, care dates [lo, hi) in Unix ms), and the other parameters."""
    kinds: list[str] = []
    lo, hi = EARLIEST, LATEST
    rest = []
    for name, value in pairs:
        if name == "_type" and set(value.split(",")) <= TYPES:
            kinds += value.split(",")
        elif name == "start" and (found := interval(value)):
            lo = found[0]
        elif name == "end" and (found := interval(value)):
            hi = found[1]
        elif name in {"_type", "start", "end"}:
            raise FhirRefused(
                BAD,
                "fhir.search-parameter",
                "the value does not read",
                expected="types in _type, dates in start and end",
            )
        else:
            rest.append((name, value))
    return tuple(dict.fromkeys(kinds)), (lo, hi), tuple(rest)


def _history_parameters(request: Request) -> tuple[int, int]:
    """Return (_count, _since in Unix ms)."""
    count, since = HISTORY_COUNT, 0
    for name, value in request.pairs:
        if name == "_count" and value.isascii() and value.isdigit() and 0 < len(value) < 10:
            count = max(1, min(int(value), MAX_COUNT))
        elif name == "_since" and (found := interval(value.replace(" ", "+"))):
            since = found[0]
        elif name not in FORMS:
            raise FhirRefused(
                BAD, "fhir.search-parameter", "a history takes no such parameter", expected="_count, _since, _format"
            )
    return count, since
