"""Resources of any type, made from the definitions by a seeded draw: every element, in every one of its types, with odd ones among."""

from decimal import Decimal

from salus.interop.fhir.fhirpath import r4

REFERENCES = (
    "Patient/1", "Practitioner/p", "Location/l", "RelatedPerson/r", "Group/g", "Patient/1/_history/2", "#c", "#d", "#absent", "#",
    "urn:uuid:00000000-0000-4000-8000-000000000001", "http://else.example/fhir/Patient/3", "Patient?identifier=a|b", "",
)  # fmt: skip
TEXTS = (
    "composed-of",
    "depends-on",
    "derived-from",
    "predecessor",
    "successor",
    "email",
    "phone",
    "Straße",
    "a  B",
    "x|1.0",
)
SYSTEM = {
    "Boolean": (True, False),
    "Integer": (0, 1, 77),
    "Decimal": (1, Decimal("1.50"), Decimal("-2e3")),
    "String": TEXTS,
    "Date": ("2020", "2020-02", "2020-02-29", "2020-02-30"),
    "DateTime": ("2021-05", "2021-05-06T07:08:09Z", "2021-05-06T07:08:09.5+02:00", "soon"),
    "Time": ("10:00:00",),
}
ODD = (None, [], {}, [None], ["email"], {"reference": "Patient/1"}, "Patient/1", True, 3)
CONTAINED = [
    {"resourceType": "Patient", "id": "c"},
    {"resourceType": "Practitioner", "id": "d"},
    {"resourceType": [], "id": "e"},
    1,
]


def resource(kind, draw, *, odd=0.0, fill=0.5):
    """Return a resource of a type. odd: how often a value is of another shape than its element; fill: how often an element stands."""
    tree = {"resourceType": kind, **_object(r4().resources[kind], draw, odd, fill, 5)}
    if draw.random() < 0.7:
        tree["contained"] = CONTAINED
    else:
        tree.pop("contained", None)
    return tree


def element(kind, draw, *, fill=0.5):
    """Return an element of a complex type."""
    return _object(kind, draw, 0.0, fill, 4)


def _object(kind, draw, odd, fill, depth):
    told = {}
    for element in kind.elements.values():
        if draw.random() > fill or element.name in {"extension", "modifierExtension", "contained"}:
            continue
        # of a choice one as a rule, two where shapes are odd
        for name, extra, typed in draw.sample(element.choices, 1 + (draw.random() < odd and len(element.choices) > 1)):
            value = [_value(typed, draw, odd, fill, depth) for _ in range(draw.randint(1, 2))]
            if not any(value) and depth == 0:
                continue
            told[name] = value if element.many else value[0]
            if typed.system and draw.random() < odd:
                told[extra] = {"id": "x"}
                if draw.random() < 0.5:
                    del told[name]
    return told


def _value(kind, draw, odd, fill, depth):
    if draw.random() < odd:
        return draw.choice(ODD)
    if kind.name == "Resource":
        return {"resourceType": "Patient", "id": "c"}
    if kind.name == "Reference":
        known = {"reference": draw.choice(REFERENCES)}
        return known if draw.random() < 0.7 else {**known, "identifier": {"system": "urn:s", "value": "v"}}
    if kind.system and kind.system != "Quantity":
        return draw.choice(SYSTEM[kind.system])
    return _object(kind, draw, odd, fill if depth > 3 else fill / 2, depth - 1) if depth else {}
