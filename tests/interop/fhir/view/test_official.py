"""The 134 official cases of SQL on FHIR v2; skipped where the sample collection is not beside the repository.

`python -m tests.interop.fhir.view.test_official DIR` writes the report in the official format (test_report schema).
"""

import json
import sys
from decimal import Decimal
from pathlib import Path

from salus.interop.fhir.view import View, ViewFailed, ViewMalformed
from tests.needs import shared


def by_value(value):
    """Write numbers by their value: the cases do not fix digits."""
    if isinstance(value, dict):
        return {name: by_value(one) for name, one in sorted(value.items())}
    if isinstance(value, list):
        return [by_value(one) for one in value]
    return f"number {Decimal(value).normalize():f}" if type(value) in {int, Decimal} else value


def comparable(rows):
    return sorted(json.dumps(by_value(row)) for row in rows)


def failure(case, resources):
    """Say how a case fails, nothing when it passes."""
    try:
        view = View(case["view"])
        rows = list(view.dicts(resources))
    except (ViewMalformed, ViewFailed) as refusal:
        return "" if case.get("expectError") else f"refused: {refusal}"
    if case.get("expectError"):
        return "not refused"
    if "expectColumns" in case and list(view.names) != case["expectColumns"]:
        return f"columns {view.names}"
    return "" if comparable(rows) == comparable(case["expect"]) else f"expected {case['expect']}, got {rows}"


def run(folder):
    report = {}
    for path in sorted(folder.glob("*.json")):
        suite = json.loads(path.read_text(), parse_float=Decimal)
        tests = []
        for case in suite["tests"]:
            found = failure(case, suite["resources"])
            tests.append(
                {"name": case["title"], "result": {"passed": not found} | ({"reason": found} if found else {})}
            )
        report[path.name] = {"tests": tests}
    return report


def test_all_official_cases_pass():
    report = run(shared("data/sql-on-fhir"))
    results = [test for suite in report.values() for test in suite["tests"]]
    assert [test for test in results if not test["result"]["passed"]] == []
    assert len(results) == 134


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1])), indent=1))  # noqa: T201
