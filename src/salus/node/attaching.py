"""`attach`: follow an existing FHIR server; what changed there since the last time is sealed here.

By bulk export with `_since` where the server has it (Bulk Data Access 2.0), else by search for `_lastUpdated`, page by page;
deletions from the export's list, else from the system's history. Signed in by SMART Backend Services when a client is named.
What was fetched before is fetched again harmlessly: the same bytes are no new version.
"""

import time
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from msgspec import Meta

from salus.interop.fhir.survey import TYPES
from salus.interop.fhir.times import interval
from salus.node.errors import Malformed, NotFound, Unavailable
from salus.node.fhir.presenting import instant
from salus.node.member import MemberNode
from salus.node.records.intake import Intake, Report
from salus.node.usecase import OPERATOR, Message, use_case

FHIR: Final = "application/fhir+json"
OVERLAP_MS: Final = 10_000  # asked for again: what another server had not yet indexed when it was asked
EXPORT_SECONDS: Final = 3_600.0  # an export that takes longer is asked for anew next time
PAUSE_SECONDS: Final = 60.0  # between two questions for an export's state, at most
PAGES: Final = 100_000
ANSWER_BYTES: Final = 64 << 20
SCOPE: Final = "system/*.rs"


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


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")
    request: dict[str, Any] = {}


class _Bundle(msgspec.Struct):
    entry: list[_Entry] = []
    link: list[dict[str, Any]] = []


_BUNDLE: Final = msgspec.json.Decoder(_Bundle)


class Server:
    """A FHIR server that is followed. Only its own origin is asked and told the token."""

    def __init__(self, base: str, client: httpx.Client) -> None:
        parts = urlsplit(base)
        local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if parts.scheme not in {"https", "http"} or not parts.hostname or (parts.scheme == "http" and not local):
            raise Malformed("attach.url", "the server's URL is not safe", expected="https, or http on this machine")
        self.base = base.rstrip("/")
        self._origin = (parts.scheme, parts.netloc)
        self._client = client
        self._token = ""

    def sign_in(self, client: str, key: Path, now: int) -> None:
        """Fetch a token (SMART Backend Services). Raises Malformed for the key, Unavailable for the server."""
        told = self.json(f"{self.base}/.well-known/smart-configuration")
        endpoint = str(told.get("token_endpoint", ""))
        try:
            material = msgspec.json.decode(key.read_bytes())
            private: ECKey | RSAKey = (
                ECKey.import_key(material) if material.get("kty") == "EC" else RSAKey.import_key(material)
            )
            header = {
                "alg": "ES384" if material.get("kty") == "EC" else "RS384",
                "typ": "JWT",
                "kid": material.get("kid", ""),
            }
            claims = {
                "iss": client, "sub": client, "aud": endpoint, "exp": now // 1000 + 240, "jti": f"{now}-{time.monotonic_ns()}",
            }  # fmt: skip
            assertion = jwt.encode(header, claims, private, algorithms=["ES384", "RS384"])
        except (OSError, ValueError, AttributeError, JoseError) as error:
            raise Malformed(
                "attach.key", "the private key cannot be read", expected="a JWK of ES384 or RS384"
            ) from error
        form = {
            "grant_type": "client_credentials", "scope": SCOPE, "client_assertion": assertion,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        }  # fmt: skip
        answer = self._ask("POST", endpoint, data=form)
        if answer.status_code != 200:
            raise Unavailable("attach.refused", "the server gives no token", got=f"status {answer.status_code}")
        self._token = str(answer.json().get("access_token", ""))

    def get(self, url: str, **headers: str) -> httpx.Response:
        """Ask for one document of the server. Raises Unavailable."""
        return self._ask("GET", url, headers=headers)

    def json(self, url: str) -> dict[str, Any]:
        """Return a document. Raises Unavailable."""
        answer = self.get(url)
        if answer.status_code != 200:
            raise Unavailable(
                "attach.answer", "the server does not answer as FHIR does", got=f"status {answer.status_code}"
            )
        try:
            return dict(answer.json())
        except ValueError as error:
            raise Unavailable("attach.answer", "the server answers with something that is no JSON") from error

    def stream(self, url: str) -> Iterator[bytes]:
        """Yield a file's pieces. Raises Unavailable."""
        target = self._own(url)
        headers = {"accept": "application/fhir+ndjson", **self._authorization()}
        try:
            with self._client.stream("GET", target, headers=headers) as answer:
                if answer.status_code != 200:
                    raise Unavailable("attach.answer", "a file cannot be fetched", got=f"status {answer.status_code}")
                yield from answer.iter_bytes()
        except httpx.HTTPError as error:
            raise _away(error) from error

    def pages(self, url: str) -> Iterator[_Bundle]:
        """Yield the pages of a search or history. Raises Unavailable."""
        seen: set[str] = set()
        while url and url not in seen and len(seen) < PAGES:
            seen.add(url)
            answer = self.get(url)
            if answer.status_code != 200:
                raise Unavailable("attach.answer", "a page cannot be fetched", got=f"status {answer.status_code}")
            try:
                bundle = _BUNDLE.decode(answer.content)
            except msgspec.DecodeError as error:
                raise Unavailable("attach.answer", "a page is no Bundle") from error
            yield bundle
            url = next((str(one.get("url", "")) for one in bundle.link if one.get("relation") == "next"), "")

    def _authorization(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"} if self._token else {}

    def _own(self, url: str) -> str:
        target = urljoin(self.base + "/", url)
        parts = urlsplit(target)
        if (parts.scheme, parts.netloc) != self._origin:
            raise Unavailable(
                "attach.elsewhere", "the server names an address of another host", todo="ask its operator"
            )
        return target

    def _ask(self, method: str, url: str, headers: dict[str, str] | None = None, data: Any = None) -> httpx.Response:
        told = {"accept": FHIR, **self._authorization(), **(headers or {})}
        try:
            with self._client.stream(method, self._own(url), headers=told, data=data) as answer:
                body = bytearray()
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > ANSWER_BYTES:
                        raise Unavailable(
                            "attach.answer", "an answer is too large", got=f"more than {ANSWER_BYTES} bytes"
                        )
                return httpx.Response(answer.status_code, headers=_plain(answer.headers), content=bytes(body))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _away(error) from error


def _plain(headers: httpx.Headers) -> list[tuple[str, str]]:
    """Return headers without those of an encoding that is undone already."""
    return [(name, value) for name, value in headers.items() if name not in {"content-encoding", "content-length"}]


def _away(error: Exception) -> Unavailable:
    return Unavailable("attach.away", "the server cannot be reached", got=type(error).__name__, todo="try again")


class Following:
    """One run."""

    def __init__(self, server: Server, intake: Intake, types: tuple[str, ...], since: str) -> None:
        self._server = server
        self._intake = intake
        self._types = types
        self._since = since
        self.deletions = False

    def run(self) -> tuple[str, str]:
        """Fetch everything; return the way and the time that the next run goes on from. Raises Unavailable."""
        manifest = self._export()
        if manifest is not None:
            return "export", self._exported(manifest)
        return "search", self._searched()

    def _export(self) -> dict[str, Any] | None:
        """Ask for an export and wait for it; None where the server has none."""
        query = [("_type", ",".join(self._types))] if self._types else []
        query += [("_since", self._since)] if self._since else []
        url = str(httpx.URL(f"{self._server.base}/$export", params=query))
        begun = self._server.get(url, prefer="respond-async")
        if begun.status_code != 202:
            return None
        state, end = begun.headers.get("content-location", ""), time.monotonic() + EXPORT_SECONDS
        while time.monotonic() < end:
            answer = self._server.get(state)
            if answer.status_code == 200:
                return dict(answer.json())
            if answer.status_code != 202:
                raise Unavailable("attach.export", "the export failed", got=f"status {answer.status_code}")
            asked = answer.headers.get("retry-after", "1")
            time.sleep(min(PAUSE_SECONDS, max(1.0, float(asked) if asked.isdigit() else 1.0)))
        raise Unavailable("attach.export", "the export does not end", todo="try again later")

    def _exported(self, manifest: dict[str, Any]) -> str:
        until = str(manifest.get("transactionTime", ""))
        if interval(until) is None:
            raise Unavailable("attach.export", "the manifest names no time")
        for file in manifest.get("output", ()):
            self._intake.take(self._server.stream(str(file.get("url", ""))))
        self.deletions = "deleted" in manifest
        for file in manifest.get("deleted", ()):
            for line in b"".join(self._server.stream(str(file.get("url", "")))).splitlines():
                if line.strip():
                    self._ended(_BUNDLE.decode(line).entry)
        return until

    def _searched(self) -> str:
        told = self._server.get(f"{self._server.base}/metadata")
        if told.status_code != 200:
            raise Unavailable(
                "attach.answer", "the server has no CapabilityStatement", got=f"status {told.status_code}"
            )
        rest = [one for one in told.json().get("rest", ()) if one.get("mode") == "server"]
        known = [one["type"] for part in rest for one in part.get("resource", ()) if one.get("type") in TYPES]
        until = _date(told)
        alive: set[tuple[str, str]] = set()  # deleted and written again since the last run: the search tells what holds
        for kind in sorted(set(self._types or known) & set(known)):
            condition = f"&_lastUpdated=ge{self._since}" if self._since else ""
            for page in self._server.pages(f"{self._server.base}/{kind}?_count=200{condition}"):
                self._intake.take(_lines(page.entry))
                alive |= _ids(page.entry) if self._since else set()
        codes = {one.get("code") for part in rest for one in part.get("interaction", ())}
        if "history-system" in codes:
            self.deletions = True
            condition = f"&_since={self._since}" if self._since else ""
            for page in (
                self._server.pages(f"{self._server.base}/_history?_count=200{condition}") if self._since else ()
            ):
                self._ended(page.entry, alive)
        return until

    def _ended(self, entries: list[_Entry], alive: AbstractSet[tuple[str, str]] = frozenset()) -> None:
        for one in entries:
            *_, kind, own = ["", "", *str(one.request.get("url", "")).rstrip("/").split("/")]
            if one.request.get("method") == "DELETE" and kind in TYPES and own and (kind, own) not in alive:
                self._intake.gone(kind, own)


def _ids(entries: Iterable[_Entry]) -> set[tuple[str, str]]:
    """Return type and id of the resources of a page."""
    found = [msgspec.json.decode(raw) for raw in (bytes(one.resource) for one in entries) if raw]
    return {(str(one.get("resourceType")), str(one.get("id"))) for one in found if isinstance(one, dict)}


def _lines(entries: Iterable[_Entry]) -> Iterator[bytes]:
    for one in entries:
        if bytes(one.resource):
            yield msgspec.json.format(bytes(one.resource), indent=0).replace(b"\n", b" ") + b"\n"


def _date(answer: httpx.Response) -> str:
    """Return the server's own clock, a little before; what is asked again is the same bytes. Raises Unavailable."""
    try:
        moment = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError) as error:
        raise Unavailable("attach.answer", "the server does not tell its time (Date)") from error
    return instant(int(moment.timestamp() * 1000) - OVERLAP_MS)


@use_case("attach", who=OPERATOR)
def attach(node: MemberNode, request: Attach) -> Attached:
    """Follow an existing FHIR server: take in what changed there since the last run.

    Run it by a timer. It goes on from where it ended, and after a failure from where it had begun; nothing is taken twice.
    """
    source = request.source or request.url.rstrip("/")
    since = "" if request.anew else node.desk.followed(source)
    with httpx.Client(timeout=60, follow_redirects=False) as client:
        server = Server(request.url, client)
        if request.client:
            if not request.key:
                raise NotFound("attach.key", "a client needs its private key", todo="name the file with --key")
            server.sign_in(request.client, Path(request.key), node.now())
        intake = Intake(node, source)
        following = Following(server, intake, request.types, since)
        way, until = following.run()
    report: Report = intake.finish()
    node.desk.follow(source, until)
    return Attached(
        way=way, since=since, until=until, resources=report.resources, stored=report.stored, unchanged=report.unchanged,
        deleted=report.deleted, deletions=following.deletions, refused=sum(report.refused.values()),
    )  # fmt: skip
