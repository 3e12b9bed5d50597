"""Resources of each type of R4 with all their elements, one value for all elements of a type: what any parameter finds."""

import msgspec

from salus.index.source import Entry
from salus.interop.fhir.definitions import PROFILED, r4

PRIMITIVE = {
    "base64Binary": "aGk=",
    "boolean": True,
    "canonical": "http://example.org/x|1",
    "code": "c0de",
    "date": "2021-03-04",
    "dateTime": "2021-03-04T05:06:07Z",
    "decimal": 5.5,
    "id": "x1",
    "instant": "2021-03-04T05:06:07Z",
    "integer": 5,
    "markdown": "Ålpha one",
    "oid": "urn:oid:1.2.3",
    "positiveInt": 5,
    "string": "Ålpha one",
    "time": "05:06:07",
    "unsignedInt": 5,
    "uri": "http://example.org/x",
    "url": "http://example.org/x",
    "uuid": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
    "xhtml": '<div xmlns="http://www.w3.org/1999/xhtml">Ålpha one</div>',
}
SELECTED = {
    "ContactPoint": ("system", ("phone", "email")),
    "RelatedArtifact": ("type", ("depends-on", "composed-of", "derived-from", "predecessor", "successor")),
}
"""Elements that expressions select others by, and the codes that they ask for."""
QUANTITY = {"system": "http://unitsofmeasure.org", "code": "mg", "unit": "mg", "value": 5.5}
QUANTITIES = frozenset({"Quantity", "Age", "Count", "Distance", "Duration"})
LEFT_OUT = frozenset({"comparator", "contained", "extension", "id", "modifierExtension"})
RECORDED = 1_614_834_367_000
"""2021-03-04T05:06:07Z, in Unix ms."""
TURNS = 12
"""Resources that a type has at most: as many as its choices have types, but for those of any type."""

ASKED = {
    "date": ("2021-03-04",),
    "number": ("5", "5.5"),
    "phonetic": ("Alfa",),
    "quantity": ("5.5", "5"),
    "string": ("alpha o", "http"),
    "token": ("c0de", "true", "http://example.org/x|", "x1", "depends-on", "Ålpha one"),
    "uri": (
        "http://example.org/x",
        "http://example.org/x|1",
        "urn:oid:1.2.3",
        "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
    ),
}
"""Values of which each parameter of a type finds one."""
ABSENT = {
    "date": "1999",
    "number": "7",
    "phonetic": "beta",
    "quantity": "7",
    "string": "beta",
    "reference": "http://example.org/y",
    "token": "nothing",
    "uri": "http://example.org/y",
}


def asked(parameter):
    """Return the values that a parameter is asked by, and one that it does not find."""
    if parameter.type == "special":
        return ["5.5|5.6|12|km"], "5.5|5.6|11|km"
    if parameter.components:
        parts = [asked(one) for one in parameter.components]
        told = [""]
        for values, _ in parts:
            told = [f"{one}${value}" if one else value for one in told for value in values]
        return told, "$".join(absent for _, absent in parts)
    if parameter.type == "reference":
        local = [f"{one}/x1" for one in parameter.targets or ("Patient", "DocumentReference", "Location")]
        return [*local, "http://example.org/x"], ABSENT["reference"]
    return ASKED[parameter.type], ABSENT[parameter.type]


def entries(kinds, link):
    """Return the resources of some types as records under a link."""
    trees = [tree for kind in sorted(kinds) for tree in filled(kind)]
    return [
        Entry(at, link, False, one["resourceType"], one["id"], 1, msgspec.json.encode(one), recorded=RECORDED)
        for at, one in enumerate(trees, start=1)
    ]


def filled(kind):
    """Return resources of a type, "Type/x0" and on: each with the next type of every choice."""
    made = []
    for turn in range(TURNS):
        tree = _object(kind, (), turn)
        if tree not in made:
            made.append(tree)
    return [{**tree, "resourceType": kind, "id": f"x{at}"} for at, tree in enumerate(made)]


def _object(name, within, turn):
    tree = {}
    for element in r4().elements(name):
        types = [one for one in element.types if one != name and one not in within]
        if element.name in LEFT_OUT or not types:
            continue
        stem = element.name.removesuffix("[x]")
        told = types[turn % len(types)]
        values = _values(element, told, (*within, name), turn)
        if values:
            spoken = PROFILED.get(told, told)
            named = stem if stem == element.name else stem + spoken[0].upper() + spoken[1:]
            tree[named] = values if element.max != 1 else values[turn % len(values)]
    return tree


def _values(element, kind, within, turn):
    if kind in PRIMITIVE:
        return [PRIMITIVE[kind]]
    if kind in QUANTITIES:
        return [QUANTITY]
    if kind == "Resource":
        return [{"resourceType": ("Composition", "MessageHeader")[turn % 2], "id": "x1"}]
    if kind == "Reference":
        return [{"reference": f"{one}/x1", "display": "Ålpha one"} for one in element.targets or ("Patient",)]
    if kind in SELECTED:
        name, codes = SELECTED[kind]
        return [{**_object(kind, within, turn), name: one} for one in codes]
    made = _object(kind, within, turn)
    return [made] if made else []
