"""The specification's own cases, as the conformance test and the report read them."""

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from salus.interop.fhir import fhirpath
from salus.interop.fhir.fhirpath import Node
from salus.interop.fhir.fhirpath.model import system_value

CASES = Path(__file__).parent / "cases"
NOW = "2026-06-01T12:00:00.000+00:00"


class Case(NamedTuple):
    release: str
    group: str
    name: str
    expression: str
    invalid: str
    outputs: tuple[tuple[str, str], ...]
    source: str
    predicate: bool
    ordered: bool
    context: str
    context_type: str
    mode: str

    @property
    def label(self) -> str:
        return f"{self.release}/{self.group}/{self.name}: {self.expression}"


@cache
def cases(release: str) -> tuple[Case, ...]:
    root = ET.fromstring((CASES / f"tests-fhir-{release}.xml").read_bytes())
    found = []
    for group in root.iter("group"):
        for test in group.iter("test"):
            expression = test.find("expression")
            found.append(
                Case(
                    release,
                    group.get("name", ""),
                    test.get("name", ""),
                    (expression.text or "").strip(),
                    expression.get("invalid") or test.get("invalid") or "",
                    tuple((out.get("type", ""), out.text or "") for out in test.findall("output")),
                    test.get("inputfile") or "patient-example.json",
                    test.get("predicate") == "true",
                    test.get("ordered") != "false",
                    test.get("context") or "",
                    test.get("contextType") or "",
                    test.get("mode") or "",
                )
            )
    return tuple(found)


@cache
def resource(release: str, name: str) -> Any:
    path = CASES / release / name.replace(".xml", ".json")
    return json.loads(path.read_text(), parse_float=Decimal) if path.is_file() else None


def resolver(release: str) -> Any:
    def find(address: str) -> Any:
        for path in sorted((CASES / release).glob("*.json")):
            one = resource(release, path.name)
            if address == f"{one.get('resourceType')}/{one.get('id')}":
                return one
            for entry in one.get("entry", ()):
                if entry.get("fullUrl") == address:
                    return entry["resource"]
        return None

    return find


def conforms(focus: Any, profile: str) -> bool | None:
    name = profile.rpartition("/")[2]
    return focus.get("resourceType") == name if name in fhirpath.r4().types else None


def evaluate(case: Case) -> list[Any]:
    """Evaluate a case; raises what the evaluator raises."""
    subject = resource(case.release, case.source)
    environment = fhirpath.Environment(resource=subject, now=NOW, resolve=resolver(case.release), conforms_to=conforms)
    focus = fhirpath.compile(case.context).items(subject, environment) if case.context else subject
    return compiled(case).items(focus, environment)


def compiled(case: Case) -> fhirpath.Expression:
    """Compile as the case is meant: `strict` and `contextType` say that the types are to be checked first."""
    context = None
    if case.context_type:
        context = case.context_type.split("|")
    elif case.context:
        context = fhirpath.compile(case.context, context=[resource(case.release, case.source)["resourceType"]]).types
    elif case.mode == "strict" or case.group == "polymorphics":
        context = [resource(case.release, case.source)["resourceType"]]
    return fhirpath.compile(case.expression, context=context)


def text_of(item: Any) -> str:
    value = system_value(item)
    if value is None and isinstance(item, Node):
        value = item.value
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def same(kind: str, expected: str, item: Any) -> bool:
    found = text_of(item)
    if kind in {"integer", "decimal"}:
        return Decimal(expected) == Decimal(found)
    if kind in {"date", "dateTime", "time"}:
        return expected.removeprefix("@").removeprefix("T") == found
    return expected == found


def failure(case: Case) -> str:
    """Say how a case fails, nothing when it passes."""
    try:
        items = evaluate(case)
    except fhirpath.FhirPathError as refusal:
        return "" if case.invalid else f"refused: {refusal}"
    if case.invalid:
        return f"not refused ({case.invalid}), gave {[text_of(item) for item in items]}"
    if case.predicate:
        items = [bool(items)]
    if len(items) != len(case.outputs):
        return f"expected {[text for _, text in case.outputs]}, got {[text_of(item) for item in items]}"
    pairs = list(zip(case.outputs, items, strict=True))
    if case.ordered and all(same(kind, text, item) for (kind, text), item in pairs):
        return ""
    if sorted(text.removeprefix("@") for _, text in case.outputs) == sorted(map(text_of, items)) and not case.ordered:
        return ""
    return f"expected {[text for _, text in case.outputs]}, got {[text_of(item) for item in items]}"
