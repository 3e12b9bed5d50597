"""Views: one 8-column Observation view against sqlonfhir 0.0.2, or against what it spends its time in.

sqlonfhir wants an older fhirpathpy than the tests do, so it has a place of its own: `pip install --target DIR
sqlonfhir==0.0.2`, then SQLONFHIR=DIR in the environment. Without it the limit is fhirpathpy's time for the eight columns.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import fhirpathpy
from fhirpathpy.models import models

from benches.bench_fhirpath import rate
from salus.interop.fhir.view import View

BUDGET = 4.0
LOINC, CATEGORIES = "http://loinc.org", "http://terminology.hl7.org/CodeSystem/observation-category"
UCUM = "http://unitsofmeasure.org"
VIEW = {
    "resource": "Observation",
    "select": [
        {
            "column": [
                {"name": "id", "path": "getResourceKey()"},
                {"name": "status", "path": "status"},
                {"name": "patient", "path": "subject.getReferenceKey(Patient)"},
                {"name": "loinc", "path": "code.coding.where(system = 'http://loinc.org').code.first()"},
                {"name": "display", "path": "code.text"},
                {"name": "taken", "path": "effective.ofType(dateTime)"},
                {"name": "value", "path": "value.ofType(Quantity).value"},
                {"name": "unit", "path": "value.ofType(Quantity).unit"},
            ]
        }
    ],
}


def observation(number: int) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORIES, "code": "laboratory"}]}],
        "code": {"coding": [{"system": LOINC, "code": "2345-7", "display": "Glucose"}], "text": "Glucose"},
        "subject": {"reference": f"Patient/p{number % 100}"},
        "effectiveDateTime": "2024-03-01T08:30:00+01:00",
        "issued": "2024-03-01T09:00:00.000+01:00",
        "valueQuantity": {"value": 5.4, "unit": "mmol/L", "system": UCUM, "code": "mmol/L"},
    }


def other(resources: list[dict[str, Any]]) -> tuple[str, Callable[[], Any]]:
    place = os.environ.get("SQLONFHIR")
    if place:
        sys.path.insert(0, place)
        import sqlonfhir  # noqa: PLC0415  # only where it was installed

        return "sqlonfhir 0.0.2", lambda: sqlonfhir.evaluate(resources, json.loads(json.dumps(VIEW)))
    functions = {
        "getResourceKey": {"fn": lambda items: items[0]["id"]},
        "getReferenceKey": {
            "fn": lambda items, _: items[0]["reference"].partition("/")[2],
            "arity": {1: ["Identifier"]},
        },
    }
    compiled = [
        fhirpathpy.compile(column["path"], models["r4"], {"userInvocationTable": functions})
        for column in VIEW["select"][0]["column"]
    ]
    return "fhirpathpy", lambda: [[column(resource) for column in compiled] for resource in resources]


def run() -> list[dict[str, Any]]:
    resources = [observation(number) for number in range(1_000)]
    view = View(VIEW)
    ours = rate(lambda: list(view.rows(resources)), len(resources))
    name, work = other(resources[:200])
    theirs = rate(work, 200)
    return [
        {
            "name": "rows of an 8-column Observation view",
            "value": ours,
            "unit": "resources/s",
            "limit": theirs,
            "ratio": ours / theirs,
            "budget": f">= {BUDGET:g} x {name}",
            "met": ours >= BUDGET * theirs,
        }
    ]
