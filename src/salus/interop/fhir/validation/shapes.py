"""Structures made ready for the walk: what each JSON name of a type means, and what must be there."""

from typing import Final

from salus.interop.fhir.definitions import PROFILED, Definitions, Element
from salus.interop.fhir.fhirpath import Expression, FhirPathError, compile  # noqa: A004  # FHIRPath's name for it
from salus.interop.fhir.fhirpath.model import Model, TypeDef
from salus.interop.fhir.validation.primitives import CHECKS, Check

# invariants that the walk itself checks, faster or where the published expression errs
WALKED: Final = frozenset({
    "dom-2", "dom-3", "dom-6", "ref-1", "txt-2",
})  # fmt: skip

CODED: Final = frozenset({"CodeableConcept", "Coding"})
"""Types whose value may stand outside an extensible value set; a `code` has no room for another system."""


JUDGED: Final = frozenset(
    {"Extension", "Coding", "Quantity", "SimpleQuantity", "Age", "Duration", "Count", "Distance", "Identifier"}
)
"""Types that demand more than their structure says: see `Walk`."""


class Rule:
    """One invariant, compiled when it is first needed. `expression` is None where it does not compile."""

    __slots__ = ("_compiled", "_text", "key", "rule", "severity")

    def __init__(self, key: str, severity: str, text: str, rule: str) -> None:
        self.key = key
        self.severity = severity
        self.rule = rule
        self._text = text
        self._compiled: Expression | None = None

    @property
    def expression(self) -> Expression | None:
        """Compile the expression once."""
        if self._compiled is None and self._text:
            try:
                self._compiled = compile(self._text)
            except FhirPathError:
                self._text = ""
        return self._compiled


class Slot:
    """One JSON name of a type. `label` is its FHIRPath step, `shape` that of a complex type, None for a primitive."""

    __slots__ = (
        "advised",
        "check",
        "codes",
        "element",
        "extra",
        "kind",
        "label",
        "many",
        "name",
        "rules",
        "shape",
        "targets",
        "type",
    )  # fmt: skip

    def __init__(self, name: str, label: str, element: Element, type_name: str) -> None:
        self.name = name
        self.extra = "_" + name  # the companion of a primitive
        self.element = element
        self.label = label
        self.many = element.max is None or element.max > 1
        self.kind = type_name
        self.type: TypeDef
        self.check: Check | None = CHECKS.get(type_name)
        self.shape: Shape | None = None
        self.targets = frozenset(element.targets)
        self.codes: dict[str, frozenset[str]] | None = None
        self.advised: dict[str, frozenset[str]] | None = None
        self.rules: tuple[Rule, ...] = ()


class Shape:
    """One type: its slots by JSON name, the elements it must have, its own invariants."""

    __slots__ = ("is_resource", "judged", "name", "required", "rules", "slots", "type")

    def __init__(self, name: str, kind: TypeDef) -> None:
        self.name = name
        self.type = kind
        self.is_resource = kind.is_resource
        self.slots: dict[str, Slot] = {}
        self.required: tuple[tuple[Element, frozenset[str]], ...] = ()  # and the JSON names of which one must be there
        self.judged = name in JUDGED
        self.rules: tuple[Rule, ...] = ()


class Shapes:
    """All types of a release, made when they are first met."""

    def __init__(self, definitions: Definitions, model: Model) -> None:
        self.definitions = definitions
        self.model = model
        self._shapes: dict[str, Shape] = {}
        self._rules = {
            key: Rule(key.rstrip("'"), one.severity, one.expression, one.rule)
            for key, one in definitions.constraints.items()
            if key not in WALKED
        }

    def shape(self, name: str) -> Shape:
        """Return a type's shape. Raises KeyError for a name that the release lacks."""
        found = self._shapes.get(name)
        if found is None:
            begun: dict[str, Shape] = {}
            found = self._made(name, begun)
            self._shapes = {**begun, **self._shapes}  # whole: another thread never meets one that lacks elements yet
        return found

    def _made(self, name: str, begun: dict[str, Shape]) -> Shape:
        """Return a shape, known or made; what is made on the way stands in `begun`, because types nest in themselves."""
        known = self._shapes.get(name) or begun.get(name)
        if known is not None:
            return known
        structure = self.definitions.structures[name]
        found = begun[name] = Shape(name, self._type(name))
        found.rules = self._compiled(structure.constraints)
        required = []
        for element in self.definitions.elements(name):
            names = self._add(found, element, begun)
            if element.min:
                required.append((element, frozenset(form for one in names for form in (one, "_" + one))))
        found.required = tuple(required)
        return found

    def _type(self, name: str) -> TypeDef:
        return self.model.types[PROFILED.get(name, name)]

    def _compiled(self, keys: tuple[str, ...]) -> tuple[Rule, ...]:
        return tuple(self._rules[key] for key in keys if key in self._rules)

    def _add(self, owner: Shape, element: Element, begun: dict[str, Shape]) -> list[str]:
        stem = element.name.removesuffix("[x]")
        names = []
        for kind in element.types:
            spoken = PROFILED.get(kind, kind)
            name = stem if stem == element.name else stem + spoken[0].upper() + spoken[1:]
            label = name if stem == element.name else f"{stem}.ofType({spoken})"
            slot = Slot(name, label, element, kind)
            slot.type = self._type(kind)
            slot.rules = self._compiled(element.constraints)
            slot.codes = self.definitions.codes.get(element.codes)
            if kind in CODED:
                slot.advised = self.definitions.codes.get(element.advised)
            if slot.check is None and kind != "Resource":
                slot.shape = self._made(kind, begun)
            owner.slots[name] = slot
            names.append(name)
        return names
