"""Views: one 8-column Observation view against sqlonfhir 0.0.2 (budget: at least 4 times its rate).

    PYTHONPATH=src:. python benches/bench_view.py

sqlonfhir wants an older fhirpathpy than the tests do, so it has a place of its own:
`pip install --target DIR sqlonfhir==0.0.2`, then SQLONFHIR=DIR in the environment. Without it only our rate is shown.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

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


def rate(work: Callable[[], Any], count: int) -> float:
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        work()
        best = max(best, count / (time.perf_counter() - start))
    return best


def main() -> int:
    count = 2_000
    resources = [observation(number) for number in range(count)]
    view = View(VIEW)
    ours = rate(lambda: list(view.rows(resources)), count)
    result: dict[str, float] = {"view_resources_per_s": round(ours)}
    place = os.environ.get("SQLONFHIR")
    if place:
        sys.path.insert(0, place)
        import sqlonfhir  # noqa: PLC0415  # only where it was installed

        theirs = rate(lambda: sqlonfhir.evaluate(resources[:500], json.loads(json.dumps(VIEW))), 500)
        result |= {"sqlonfhir_resources_per_s": round(theirs), "ratio": round(ours / theirs, 2)}
    print(json.dumps(result))
    return 0 if result.get("ratio", BUDGET) >= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
