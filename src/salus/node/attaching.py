"""`attach`: follow an existing FHIR server; what changed there since the last time is sealed here.

By bulk export with `_since` where the server has it (Bulk Data Access 2.0), else by search for `_lastUpdated`, page by page;
deletions from the export's list, else from the system's history. Signed in by SMART Backend Services when a client is named.
What was fetched before is fetched again harmlessly: the same bytes are no new version. A run that fails is gone on with by the
next: the same export, from the first file that is not in; the same search, from the first page that is not.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import msgspec
from msgspec import Meta

from salus.interop.fhir.survey import TYPES
from salus.interop.fhir.times import interval
from salus.node.errors import NotFound, Unavailable
from salus.node.fhir.presenting import instant
from salus.node.followed import PAGE, Entry, Server, date_of, document, retry_after
from salus.node.member import MemberNode
from salus.node.records.intake import Intake, Report
from salus.node.usecase import OPERATOR, Message, use_case

OVERLAP_MS: Final = 10_000  # asked for again: what another server had not yet indexed when it was asked
EXPORT_SECONDS: Final = 3_600.0  # an export that takes longer is asked for anew next time
PAUSE_SECONDS: Final = 60.0  # between two questions for an export's state, at most
GONE: Final = frozenset({400, 404, 410})  # what servers answer for a page that they no longer keep
FIRST: Final = ("Organization", "Location", "Practitioner", "PractitionerRole", "Patient", "Encounter")
"""Types that others refer to: fetched first, less waits in memory, and the place to go on from is kept."""


class Attach(Message, frozen=True):
    """What to follow."""

    url: Annotated[
        str,
        Meta(
            description="Base URL of the FHIR R4 server.",
            examples=["https://ehr.north.example/fhir"],
            extra={"positional": True},
        ),
    ]
    source: Annotated[
        str,
        Meta(
            max_length=256,
            description="URI by which its patients are known here; empty: the server's URL.",
            examples=["urn:ehr:north"],
        ),
    ] = ""
    client: Annotated[
        str, Meta(description="Client id for SMART Backend Services; empty: no sign-in.", examples=["salus"])
    ] = ""
    key: Annotated[
        str,
        Meta(
            description="File with the client's private key (JWK, ES384 or RS384).",
            examples=["/etc/salus/ehr.jwk"],
            extra={"path": True},
        ),
    ] = ""
    types: Annotated[
        tuple[str, ...],
        Meta(description="Resource types; none: all that the server has.", examples=[["Patient", "Observation"]]),
    ] = ()
    also: Annotated[
        tuple[str, ...],
        Meta(
            max_length=16,
            description="Other origins that may be asked: where the server signs in, or keeps an export's files.",
            examples=[["https://login.north.example"]],
        ),
    ] = ()
    anew: Annotated[
        bool, Meta(description="Begin from the start instead of where the last run ended.", examples=[False])
    ] = False


class Attached(Message, frozen=True):
    """What came."""

    way: Annotated[str, Meta(description="export or search.")]
    since: Annotated[str, Meta(description="From when on changes were asked for; empty: from the start.")]
    until: Annotated[str, Meta(description="What the next run goes on from.")]
    resources: Annotated[int, Meta(description="Resources received.")]
    stored: Annotated[int, Meta(description="Sealed as a new record or version.")]
    unchanged: Annotated[int, Meta(description="The same bytes were here already.")]
    deleted: Annotated[int, Meta(description="Ended here because the server deleted them.")]
    deletions: Annotated[bool, Meta(description="Whether the server tells of deletions at all.")]
    refused: Annotated[int, Meta(description="Resources that are no FHIR R4, or whose patient is unknown.")]
    resumed: Annotated[bool, Meta(description="Whether it went on with a run that had failed.")]


class _Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a run has come that has not ended.

    export: address of the export's state, "" for a search. until: what the next run goes on from, told by the server. done:
    files, or types. page: next of the type that is under way.
    """

    since: str
    types: tuple[str, ...]
    export: str = ""
    until: str = ""
    done: tuple[str, ...] = ()
    page: str = ""


class Following:
    """One run. `resumed` says whether it goes on with one that failed."""

    def __init__(self, node: MemberNode, server: Server, source: str, types: tuple[str, ...], *, anew: bool) -> None:
        """Begin, or go on where a run of the same kind ended."""
        self._node, self._server, self._source, self._types = node, server, source, types
        self.since = "" if anew else node.desk.followed(source)
        kept = b"" if anew else node.desk.run_of(source)
        self._run = msgspec.json.decode(kept, type=_Run) if kept else _Run(self.since, types)
        self.resumed = bool(kept) and (self._run.since, self._run.types) == (self.since, types)
        if not self.resumed:
            self._run = _Run(self.since, types)
        self.intake = Intake(node, source)
        self.deletions = False

    def run(self) -> tuple[str, str]:
        """Fetch everything; return the way and the time that the next run goes on from. Raises Unavailable."""
        manifest = None if self._run.until and not self._run.export else self._export()
        if manifest is not None:
            return "export", self._exported(manifest)
        return "search", self._searched()

    def _keep(self, **changed: Any) -> None:
        """Keep how far it has come, if all that came lies sealed."""
        self._run = msgspec.structs.replace(self._run, **changed)
        if self.intake.flush():
            self._node.desk.keep_run(self._source, msgspec.json.encode(self._run))

    def _export(self) -> dict[str, Any] | None:
        """Ask for an export, or for the one that a run before began, and wait for it; None where the server has none."""
        if self._run.export:
            answer = self._server.get(self._run.export)
            if answer.status_code in {200, 202}:
                return self._awaited(self._run.export)
            self._run, self.resumed = _Run(self.since, self._types), False  # it is kept there no longer
        query = [("_type", ",".join(self._types))] if self._types else []
        query += [("_since", self.since)] if self.since else []
        url = str(httpx.URL(f"{self._server.base}/$export", params=query))
        begun = self._server.get(url, prefer="respond-async")
        if begun.status_code != 202:
            return None
        state = begun.headers.get("content-location", "")
        self._keep(export=state)
        return self._awaited(state)

    def _awaited(self, state: str) -> dict[str, Any]:
        waited = 0.0
        while waited < EXPORT_SECONDS:
            answer = self._server.get(state)
            if answer.status_code == 200:
                return document(answer)
            if answer.status_code != 202:
                raise Unavailable("attach.export", "the export failed", got=f"status {answer.status_code}")
            seconds = min(PAUSE_SECONDS, max(1.0, retry_after(answer) or 1.0))
            waited += seconds
            self._server.pause(seconds)
        raise Unavailable("attach.export", "the export does not end", todo="try again later")

    def _exported(self, manifest: dict[str, Any]) -> str:
        until = str(manifest.get("transactionTime", ""))
        if interval(until) is None:
            raise Unavailable("attach.export", "the manifest names no time")
        token = manifest.get("requiresAccessToken") is True
        files = [(str(one.get("type", "")), str(one.get("url", ""))) for one in manifest.get("output", ())]
        for _, url in sorted(files, key=lambda one: (_place(one[0]), one)):
            if url in self._run.done:
                continue
            try:
                self.intake.take(self._server.stream(url, token=token))
            except Unavailable as error:
                if error.code == "attach.answer":  # its time there is over: the next run asks for another export
                    self._node.desk.keep_run(self._source, b"")
                raise
            self._keep(done=(*self._run.done, url))
        self.deletions = "deleted" in manifest
        for file in manifest.get("deleted", ()):
            for line in b"".join(self._server.stream(str(file.get("url", "")), token=token)).splitlines():
                if line.strip():
                    self._ended(PAGE.decode(line).entry)
        return until

    def _searched(self) -> str:
        answer = self._server.get(f"{self._server.base}/metadata")
        rest = [one for one in document(answer).get("rest", ()) if one.get("mode") == "server"]
        known = [one["type"] for part in rest for one in part.get("resource", ()) if one.get("type") in TYPES]
        until = self._run.until or _until(answer)
        self._run = msgspec.structs.replace(self._run, until=until)
        alive: set[tuple[str, str]] = set()  # deleted and written again since the last run: the search tells what holds
        for kind in sorted(set(self._types or known) & set(known), key=lambda one: (_place(one), one)):
            if kind not in self._run.done:
                self._type(kind, alive)
        codes = {one.get("code") for part in rest for one in part.get("interaction", ())}
        if "history-system" in codes:
            self.deletions = True
            url = f"{self._server.base}/_history?_count=200&_since={self.since}"
            for _, page in self._server.pages(url) if self.since else ():
                self._ended(page.entry, alive)
        return until

    def _type(self, kind: str, alive: set[tuple[str, str]]) -> None:
        """Fetch what changed of one type, page by page."""
        condition = f"&_lastUpdated=ge{self.since}" if self.since else ""
        first = f"{self._server.base}/{kind}?_count=200{condition}"
        if self._run.page and self._server.get(self._run.page).status_code in GONE:
            self._run = msgspec.structs.replace(self._run, page="")
        for following, page in self._server.pages(self._run.page or first):
            self.intake.take(_lines(page.entry))
            alive |= _ids(page.entry) if self.since else set()
            self._keep(page=following)
        self._keep(page="", done=(*self._run.done, kind))

    def _ended(self, entries: list[Entry], alive: AbstractSet[tuple[str, str]] = frozenset()) -> None:
        for one in entries:
            *_, kind, own = ["", "", *str(one.request.get("url", "")).rstrip("/").split("/")]
            if one.request.get("method") != "DELETE" or kind not in TYPES or not own or (kind, own) in alive:
                continue
            if self.resumed and self._server.get(f"{self._server.base}/{kind}/{own}").status_code == 200:
                continue  # what the run before found alive is not known any more
            self.intake.gone(kind, own)


def _place(kind: str) -> int:
    return FIRST.index(kind) if kind in FIRST else len(FIRST)


def _ids(entries: Iterable[Entry]) -> set[tuple[str, str]]:
    """Return type and id of the resources of a page."""
    found = [msgspec.json.decode(raw) for raw in (bytes(one.resource) for one in entries) if raw]
    return {(str(one.get("resourceType")), str(one.get("id"))) for one in found if isinstance(one, dict)}


def _lines(entries: Iterable[Entry]) -> Iterator[bytes]:
    for one in entries:
        if bytes(one.resource):
            yield msgspec.json.format(bytes(one.resource), indent=0).replace(b"\n", b" ") + b"\n"


def _until(answer: httpx.Response) -> str:
    """Return the server's own clock, a little before; what is asked again is the same bytes. Raises Unavailable."""
    moment = date_of(answer)
    if moment is None:
        raise Unavailable("attach.answer", "the server does not tell its time (Date)")
    return instant(moment - OVERLAP_MS)


@use_case("attach", who=OPERATOR)
def attach(node: MemberNode, request: Attach) -> Attached:
    """Follow an existing FHIR server: take in what changed there since the last run.

    Run it by a timer. It goes on from where it ended, and after a failure from what had come in; nothing is taken twice.
    """
    with httpx.Client(timeout=60, follow_redirects=False) as client:
        server = Server(request.url, client, node.now, also=request.also)
        if request.client:
            if not request.key:
                raise NotFound("attach.key", "a client needs its private key", todo="name the file with --key")
            server.sign_in(request.client, Path(request.key))
        return follow(node, server, request.source or request.url.rstrip("/"), request.types, anew=request.anew)


def follow(node: MemberNode, server: Server, source: str, types: Sequence[str] = (), *, anew: bool = False) -> Attached:
    """Take in what changed at a server. Raises Unavailable; the next run goes on with this one."""
    following = Following(node, server, source, tuple(types), anew=anew)
    way, until = following.run()
    report: Report = following.intake.finish()
    node.desk.follow(source, until)
    return Attached(
        way=way, since=following.since, until=until, resources=report.resources, stored=report.stored,
        unchanged=report.unchanged, deleted=report.deleted, deletions=following.deletions,
        refused=sum(report.refused.values()), resumed=following.resumed,
    )  # fmt: skip
