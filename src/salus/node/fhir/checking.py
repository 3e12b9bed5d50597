"""Files of FHIR checked against the official definitions and profiles, without a network: `salus fhir check`."""

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.tokens import LIMITS, decode
from salus.interop.fhir.validation import Validator
from salus.node.errors import Malformed, NotFound
from salus.node.fhir.validating import packaged
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case

ENDINGS: Final = (".json", ".json.gz", ".ndjson", ".ndjson.gz")
WHOLE: Final = msgspec.structs.replace(LIMITS, resource_bytes=LIMITS.bundle_bytes)
"""A Bundle is checked as one resource."""
MOST_LINES: Final = 1000  # of findings in one answer; the counts are of all


class CheckFiles(Message, frozen=True):
    """Files to check."""

    paths: Annotated[
        tuple[str, ...],
        Meta(
            description="Files (.json of one resource or Bundle, .ndjson; gzip or not) or folders of them.",
            examples=[["records.ndjson"]],
            extra={"positional": True, "path": True},
        ),
    ]
    package: Annotated[
        tuple[str, ...],
        Meta(
            description="FHIR packages (.tgz) whose profiles are checked where a resource claims them.",
            examples=[["hl7.fhir.us.core-6.1.0.tgz"]],
            extra={"path": True},
        ),
    ] = ()
    profile: Annotated[
        tuple[str, ...],
        Meta(
            description="Profiles that every resource of their type must meet.",
            examples=[["http://hl7.org/fhir/uv/ips/StructureDefinition/Patient-uv-ips"]],
        ),
    ] = ()


class Rules(Message, frozen=True):
    """How often one rule was broken."""

    rule: Annotated[str, Meta(description="Key of an invariant, or kind of check.")]
    severity: Annotated[str, Meta(description="error or warning.")]
    findings: Annotated[int, Meta(description="Findings.")]


class FilesChecked(Verdict, frozen=True):
    """What was found."""

    sound: Annotated[bool, Meta(description="Whether no resource has an error; if not, the command's exit code is 1.")]
    resources: Annotated[int, Meta(description="Resources read; a Bundle counts as one.")]
    good: Annotated[int, Meta(description="Resources without an error.")]
    rules: Annotated[tuple[Rules, ...], Meta(description="Rules broken, most frequent first.")]
    findings: Annotated[
        tuple[str, ...],
        Meta(description="File:line, severity, rule, FHIRPath of the element, what was expected; the first thousand."),
    ]


def _files(paths: tuple[str, ...]) -> list[Path]:
    found: list[Path] = []
    for place, text in enumerate(paths, 1):
        path = Path(text)
        if path.is_dir():
            found += sorted(one for one in path.rglob("*") if one.name.endswith(ENDINGS))
        elif path.is_file():
            found.append(path)
        else:
            raise NotFound("fhir.no-file", f"argument {place} is no file or folder", todo="correct the path")
    return found


def _units(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield what a file holds with its line: a whole JSON document, or each line of an NDJSON file."""
    opened = gzip.open if path.name.endswith(".gz") else open
    try:
        with opened(path, "rb") as file:
            if not path.name.removesuffix(".gz").endswith(".ndjson"):
                yield 1, file.read(LIMITS.bundle_bytes + 1)
                return
            number = 0
            while line := file.readline(LIMITS.bundle_bytes + 1):
                number += 1
                if line.strip():
                    yield number, line
    except (gzip.BadGzipFile, zlib.error, EOFError):
        raise Malformed("fhir.gzip", "a file is not gzip to its end", got=path.name) from None


@use_case("fhir.check", who=OPERATOR)
def check_files(node: Node, request: CheckFiles) -> FilesChecked:  # noqa: ARG001 -- a use case's shape
    """Check files of FHIR R4 against the official definitions, and against the profiles of packages given.

    Structure, cardinalities, types, references, codes of bindings, invariants; codes by their check digits; and the
    gate that writes pass. Nothing is kept, and no finding repeats a value.
    """
    validator = Validator(one for path in request.package for one in packaged(Path(path)))
    counts: Counter[tuple[str, str]] = Counter()
    resources = good = 0
    lines: list[str] = []
    for path in _files(request.paths):
        for number, body in _units(path):
            resources += 1
            told = _checked(validator, body, request.profile)
            good += not any(severity == "error" for severity, _, _ in told)
            for severity, rule, text in told:
                counts[rule, severity] += 1
                if len(lines) < MOST_LINES:
                    lines.append(f"{path.name}:{number} {severity} {rule} {text}")
    rules = tuple(Rules(rule=rule, severity=severity, findings=n) for (rule, severity), n in counts.most_common())
    return FilesChecked(sound=good == resources, resources=resources, good=good, rules=rules, findings=tuple(lines))


def _checked(validator: Validator, body: bytes, profiles: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Return the findings of one unit as severity, rule and text."""
    try:
        tree: dict[str, Any] = decode(body, LIMITS.bundle_bytes, LIMITS)
    except Refused as refusal:
        return [_of(refusal)]
    kind = tree.get("resourceType")
    asked = [url for url in profiles if validator.profiles.type_of(url) in {kind, None}]
    told = [(one.severity, one.rule, f"{one.expression}: {one.text}") for one in validator.check(tree, profiles=asked)]
    if any(severity == "error" for severity, _, _ in told):
        return told
    try:
        read_resource(body, limits=WHOLE, id_required=False)
    except Refused as refusal:
        return [*told, _of(refusal)]
    return told


def _of(refusal: Refused) -> tuple[str, str, str]:
    where = f"{refusal.path}: " if refusal.path else ""
    return "error", refusal.code, f"{where}expected {refusal.expected}, got {refusal.got}"
