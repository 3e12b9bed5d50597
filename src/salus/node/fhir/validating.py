"""Validation at the server's door: what is written must hold, and `$validate` says whether it would.

Profiles come from the FHIR packages (.tgz) of the folder that the configuration names; they are read once.
"""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from salus.interop.fhir.gate import Resource
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.tokens import LIMITS, decode
from salus.interop.fhir.validation import Validator, outcome
from salus.interop.fhir.validation.profiles import Profiles
from salus.node.errors import Malformed, NotFound
from salus.node.fhir.answers import BAD, Answer, FhirRefused, Invalid, Request, tree_of
from salus.node.fhir.presenting import instant, raw

KEPT: Final = ("StructureDefinition-", "ValueSet-", "CodeSystem-", "ConceptMap-")
LARGEST: Final = 256 << 20  # bytes of one package unpacked; hl7.fhir.r4.core has 49 MB


def packaged(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the definitions of a FHIR package. Raises Malformed when it is none, or too large."""
    left = LARGEST
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if not member.isfile() or not Path(member.name).name.startswith(KEPT):
                    continue
                left -= member.size
                if left < 0:
                    raise Malformed("fhir.package", "the package is too large", expected=f"at most {LARGEST} bytes")
                held = archive.extractfile(member)
                if held is not None:
                    yield decode(held.read(), LIMITS.bundle_bytes, LIMITS)
    except (tarfile.TarError, OSError, EOFError, Refused) as error:
        raise Malformed(
            "fhir.package", "the file is no FHIR package", got=path.name, expected="a .tgz of JSON definitions"
        ) from error


def validator_of(folder: str) -> Validator:
    """Return a validator with the packages of a folder, in the order of their names; "" gives the core alone."""
    if folder and not Path(folder).is_dir():
        raise NotFound("fhir.packages", "the folder of FHIR packages is not there", todo="correct fhir.packages")
    files = sorted(Path(folder).glob("*.tgz")) if folder else []
    return Validator(one for file in files for one in packaged(file))


class Validating:
    """Validation for one server."""

    def __init__(self, validator: Validator, *, enforced: bool) -> None:
        self._validator = validator
        self._enforced = enforced

    @property
    def profiles(self) -> Profiles:
        """The profiles, value sets and code systems at hand."""
        return self._validator.profiles

    def admit(self, resource: Resource, now: int) -> None:
        """Refuse a resource that is to be written and breaks a rule. Raises Invalid."""
        if self._enforced:
            findings = self._validator.check(resource.tree, now=instant(now))
            errors = [one for one in findings if one.severity == "error"]
            if errors:
                raise Invalid(errors)

    def operation(self, request: Request, kind: str, now: int) -> Answer:
        """Answer $validate (R4 3.2.0): 200 with an OperationOutcome, whatever is found; nothing is written."""
        asked = [value for name, value in request.pairs if name == "profile"]
        unknown = [name for name, _ in request.pairs if name not in {"profile", "mode"}]
        if unknown:
            raise FhirRefused(BAD, "fhir.parameter", "$validate has no such parameter", expected="profile, mode")
        tree = tree_of(request.body, LIMITS.bundle_bytes)
        if tree.get("resourceType") == "Parameters" and kind != "Parameters":
            tree, named = _unpacked(tree)
            asked += named
        if tree.get("resourceType") != kind:
            raise FhirRefused(
                BAD, "fhir.other-type", "the body is of another type", expected=kind, todo="correct the URL"
            )
        findings = self._validator.check(tree, profiles=asked, now=instant(now))
        return Answer(200, bytes(raw(outcome(findings))))


def _unpacked(tree: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the resource and profiles of $validate's Parameters. Raises FhirRefused."""
    found: dict[str, Any] = {}
    profiles = []
    parameters = tree.get("parameter")
    for one in parameters if isinstance(parameters, list) else ():
        if isinstance(one, dict) and one.get("name") == "resource" and isinstance(one.get("resource"), dict):
            found = one["resource"]
        elif isinstance(one, dict) and one.get("name") == "profile":
            profiles += [value for key, value in one.items() if key.startswith("value") and isinstance(value, str)]
    if not found:
        raise FhirRefused(BAD, "fhir.no-resource", "the Parameters hold no resource", expected="a parameter `resource`")
    return found, profiles
