"""Bulk import (`$import`): the operator names files of newline-delimited JSON, the node fetches, seals and reports them.

    kick-off   POST $import, Prefer: respond-async, with Parameters (as HAPI and Microsoft's server take them) or with a
               manifest, a bulk export's own or one of the draft of Bulk Import: 202 with a job's address
    status     GET: 202 with X-Progress while it runs, 200 with the report; DELETE ends and forgets it

A job is kept durably until its report was fetched or a day went by. One that a restart cut short begins again: the same bytes
are no new version. Ids are kept, as in `salus records import`, so the operator alone may ask.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec

from salus.interop.fhir.survey import TYPES
from salus.node.errors import Fault, Forbidden, Unavailable
from salus.node.fhir.answers import BAD, Answer, FhirRefused, Request, nothing_there, tree_of, value_of
from salus.node.fhir.asking import Asking
from salus.node.fhir.exporting import FORMATS, NDJSON
from salus.node.fhir.policy import ADMINISTRATION
from salus.node.fhir.presenting import instant, raw
from salus.node.member import MemberNode
from salus.node.records.intake import Intake
from salus.node.usecase import Kind

IMPORT: Final = "$import"
JOBS: Final = "_import"
SOURCE: Final = "urn:salus:import"
"""Assigner of the patients of a job that names no source."""
MAX_INPUTS: Final = 10_000
"""Files of one job: a million resources of a server that writes a hundred a file."""
MAX_JOBS: Final = 100
"""Jobs kept: one every quarter of an hour."""
LIVES_MS: Final = 24 * 3_600_000
SECONDS: Final = 60.0
"""How long a server may be silent."""
_MEMORY: Final = "fhir.import"


class Input(msgspec.Struct, frozen=True, array_like=True):
    """One file: the type of its resources ("" for any) and where it is fetched."""

    type: str
    url: str


class Order(msgspec.Struct, frozen=True, array_like=True):
    """What is asked for. source: by which the patients are known here. at: Unix ms of the kick-off."""

    source: str
    inputs: tuple[Input, ...]
    at: int


class Done(msgspec.Struct, array_like=True):
    """What came of it. counts: resources read of each input, -1 where it could not be fetched to its end."""

    at: int = 0
    counts: list[int] = []
    stored: int = 0
    unchanged: int = 0
    faults: list[tuple[str, int]] = []
    """Code and element of refusals, with how often."""
    failures: list[tuple[str, str]] = []
    """URL and code of files that could not be fetched."""


class Interrupted(Exception):
    """The job shall not go on: the node stops, or the job was deleted."""


class Importing:
    """Answers `$import` for one server. `base` is the URL of its FHIR root."""

    def __init__(self, base: str) -> None:
        self._base = base

    def kick_off(self, asking: Asking, request: Request) -> Answer:
        """Take a job. Raises FhirRefused, Forbidden."""
        _operator(asking)
        if "respond-async" not in request.header("prefer"):
            raise FhirRefused(
                BAD, "fhir.not-async", "an import is asked for asynchronously", expected="Prefer: respond-async"
            )
        source, inputs = read_order(request)
        node, now = asking.node, asking.node.now()
        node.desk.forget_imports(now - LIVES_MS)
        if len(node.desk.imports()) >= MAX_JOBS:
            raise FhirRefused(
                Fault(503, "throttled"), "fhir.busy", "too many imports wait", todo="fetch or delete their reports"
            )
        own = node.entropy(16)
        node.desk.keep_import(own, msgspec.msgpack.encode(Order(source, inputs, now)), now)
        return Answer(202, extra=(("content-location", f"{self._base}/{JOBS}/{own.hex()}"),))

    def answer(self, asking: Asking, request: Request, link: str) -> Answer:
        """Tell how a job stands, or end it. Raises FhirRefused."""
        own, body, told = _job(asking, link)
        if request.method == "DELETE":
            asking.node.desk.forget_import(own)
            return Answer(202)
        if not told:
            return _progress(asking, own)
        done = msgspec.msgpack.decode(told, type=Done)
        report = self._report(link, msgspec.msgpack.decode(body, type=Order), done)
        return Answer(200, bytes(raw(report)), media="application/json")

    def errors(self, asking: Asking, request: Request, link: str) -> Answer:  # noqa: ARG002 -- a route's shape
        """Return what of a job was not taken, as OperationOutcomes. Raises FhirRefused."""
        own, _, told = _job(asking, link)
        if not told:
            return _progress(asking, own)
        return Answer(200, b"".join(_outcomes(msgspec.msgpack.decode(told, type=Done))), media=NDJSON)

    def _report(self, named: str, order: Order, done: Done) -> dict[str, Any]:
        files = [
            {"inputUrl": one.url, **({"type": one.type} if one.type else {}), "count": count}
            for one, count in zip(order.inputs, done.counts, strict=True)
            if count >= 0
        ]
        errors = sum(count for _, count in done.faults) + len(done.failures)
        problems = [{"type": "OperationOutcome", "count": errors, "url": f"{self._base}/{JOBS}/{named}/errors"}]
        return {
            "transactionTime": instant(done.at),
            "request": f"{self._base}/{IMPORT}",
            "requiresAccessToken": True,
            "output": files,
            "error": problems if errors else [],
            "extension": {"stored": done.stored, "unchanged": done.unchanged},
        }


def _job(asking: Asking, link: str) -> tuple[bytes, bytes, bytes]:
    """Return a job's id, order and report, b"" while it has none. Raises FhirRefused (not found), for all but the operator."""
    jobs = asking.node.desk.imports() if _is_operator(asking) else []
    found = next((one for one in jobs if one[0].hex() == link), None)
    if found is None:
        raise nothing_there()
    return found


def _progress(asking: Asking, own: bytes) -> Answer:
    progress = _running(asking.node).get(own, "waiting")
    return Answer(202, extra=(("x-progress", progress), ("retry-after", "1")))


# The order -----------------------------------------------------------------------------------------------------------


def read_order(request: Request) -> tuple[str, tuple[Input, ...]]:
    """Return the source and the files of a kick-off's body. Raises FhirRefused."""
    if request.pairs:
        raise FhirRefused(BAD, "fhir.parameter", "$import takes no parameters in the URL", expected="Parameters")
    tree = tree_of(request.body)
    told = _of_parameters(tree) if tree.get("resourceType") == "Parameters" else tree
    source = told.get("inputSource") or SOURCE
    found = told.get("input", told.get("inputs", told.get("output")))
    unknown = told.keys() - _KNOWN
    storage = told.get("storageDetail", {"type": "https"})
    if (
        unknown
        or not isinstance(source, str)
        or len(source) > 256
        or told.get("inputFormat", NDJSON) not in FORMATS
        or not isinstance(storage, dict)
        or storage.get("type") not in {"https", None}
        or not isinstance(found, list)
        or not 1 <= len(found) <= MAX_INPUTS
    ):
        raise FhirRefused(
            BAD, "fhir.import", "the order does not read", path="Parameters.parameter",
            expected=f"inputFormat {NDJSON}, inputSource, storageDetail of type https, 1 to {MAX_INPUTS} of input with type and url",
        )  # fmt: skip
    return source, tuple(_input(one) for one in found)


_KNOWN: Final = {
    "inputFormat", "inputSource", "storageDetail", "input", "inputs", "mode", "resourceType",
    "output", "transactionTime", "request", "requiresAccessToken", "error", "deleted", "link",
}  # fmt: skip
"""Names of the three forms; those of an export's manifest that say nothing about what to fetch are passed over."""


def _of_parameters(tree: dict[str, Any]) -> dict[str, Any]:
    """Return Parameters as an object: `input` as a list, parts as objects."""
    out: dict[str, Any] = {}
    many = tree.get("parameter")
    for one in many if isinstance(many, list) else ():
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str):
            continue
        parts = one.get("part")
        value = _of_parameters({"parameter": parts}) if isinstance(parts, list) else value_of(one)
        if name == "input":
            out.setdefault(name, []).append(value)
        else:
            out[name] = value
    return out


def _input(one: Any) -> Input:
    kind, url = (one.get("type", ""), one.get("url")) if isinstance(one, dict) else ("", None)
    parts = urlsplit(url) if isinstance(url, str) and len(url) <= 4_096 else None
    local = parts is not None and parts.hostname in {"localhost", "127.0.0.1", "::1"}
    safe = parts is not None and parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and local))
    if not safe or not isinstance(kind, str) or (kind and kind not in TYPES):
        raise FhirRefused(
            BAD, "fhir.import", "an input does not read", path="Parameters.parameter",
            expected="a type of R4, and a url of https, or of http on this machine",
        )  # fmt: skip
    return Input(kind, str(url))


# The work ------------------------------------------------------------------------------------------------------------


def advance(node: MemberNode, stopping: Callable[[], bool] = lambda: False) -> int:
    """Carry out the jobs that wait, the oldest first; return how many. A job that is interrupted waits on."""
    ended = 0
    for own, body, told in node.desk.imports():
        if told:
            continue
        try:
            done = _carry_out(node, own, msgspec.msgpack.decode(body, type=Order), stopping)
        except Interrupted:
            continue
        finally:
            _running(node).pop(own, None)
        node.desk.report_import(own, msgspec.msgpack.encode(done))
        ended += 1
    return ended


def _carry_out(node: MemberNode, own: bytes, order: Order, stopping: Callable[[], bool]) -> Done:
    intake = Intake(node, order.source)
    done = Done(at=order.at)
    deleted = False

    def told(chunks: Iterator[bytes], place: int) -> Iterator[bytes]:
        nonlocal deleted
        for chunk in chunks:
            _running(node)[own] = f"file {place} of {len(order.inputs)}, {intake.report.resources} resources"
            deleted = deleted or all(one != own for one, _, _ in node.desk.imports())
            if stopping() or deleted:
                raise Interrupted
            yield chunk

    with httpx.Client(timeout=SECONDS, follow_redirects=False) as client:
        for place, one in enumerate(order.inputs, 1):
            before = intake.report.resources
            try:
                intake.take(told(_fetched(client, one.url), place), one.type)
            except Unavailable as error:
                done.failures.append((one.url, error.code))
                done.counts.append(-1)
            else:
                done.counts.append(intake.report.resources - before)
    report = intake.finish()
    done.stored, done.unchanged = report.stored, report.unchanged
    done.faults = sorted(report.refused.items())
    return done


def _fetched(client: httpx.Client, url: str) -> Iterator[bytes]:
    """Yield a file's pieces, and an empty one to begin with. Raises Unavailable."""
    yield b""
    try:
        with client.stream("GET", url, headers={"accept": NDJSON}) as answer:
            if answer.status_code != 200:
                raise Unavailable("import.answer", "a file cannot be fetched", got=f"status {answer.status_code}")
            yield from answer.iter_bytes()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable("import.away", "the server cannot be reached", got=type(error).__name__) from error


def _running(node: MemberNode) -> dict[bytes, str]:
    """Return how far each running job has come."""
    found: Any = node.memory.setdefault(_MEMORY, {})
    return found  # type: ignore[no-any-return]


def _outcomes(done: Done) -> Iterator[bytes]:
    """Yield a line for each kind of refusal, and for each file that could not be fetched."""
    for told, count in done.faults:
        code, _, path = told.partition(" ")
        text = f"{count} resources are not taken"
        yield _outcome("invalid", f"fhir.{code}", text, {"expression": [path]} if path else {})
    for url, code in done.failures:
        yield _outcome("transient", code, f"not fetched to its end: {url}", {})


def _outcome(issue: str, code: str, text: str, more: dict[str, Any]) -> bytes:
    told = {
        "severity": "error",
        "code": issue,
        "details": {"coding": [{"system": "urn:salus:problem", "code": code}], "text": text},
        **more,
    }
    return msgspec.json.encode({"resourceType": "OperationOutcome", "issue": [told]}) + b"\n"


def _is_operator(asking: Asking) -> bool:
    return asking.caller.kind is Kind.OPERATOR and asking.purpose == ADMINISTRATION


def _operator(asking: Asking) -> None:
    if not _is_operator(asking):
        raise Forbidden(
            "fhir.operator", "the operator alone imports in bulk", todo="send single resources or transactions"
        )
