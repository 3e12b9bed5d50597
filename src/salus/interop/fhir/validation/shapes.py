"""Structures made ready for the walk: what each JSON name of a type means, and what must be there."""

from collections.abc import Callable, Container, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from salus.interop.fhir.definitions import PROFILED, Definitions, Element
from salus.interop.fhir.fhirpath import Expression, FhirPathError, compile  # noqa: A004  # FHIRPath's name for it
from salus.interop.fhir.fhirpath.model import Model, TypeDef
from salus.interop.fhir.validation.presence import presence
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


Fits: TypeAlias = Callable[[Any], bool]

MOST_FORMS: Final = 1_024
"""Sets of names in an element that a ruling remembers: real ones have a few."""


class Rule:
    """One invariant, compiled when it is first needed. `expression` is None where it does not compile."""

    __slots__ = ("_compiled", "key", "rule", "severity", "text")

    def __init__(self, key: str, severity: str, text: str, rule: str) -> None:
        self.key = key
        self.severity = severity
        self.rule = rule
        self.text = text
        self._compiled: Expression | None = None

    @property
    def expression(self) -> Expression | None:
        """Compile the expression once."""
        if self._compiled is None and self.text:
            try:
                self._compiled = compile(self.text)
            except FhirPathError:
                self.text = ""
        return self._compiled


class _Forms(NamedTuple):
    """What the rules of an element look at, and which are left where certain names stand in it."""

    rules: tuple[Rule, ...]
    contents: tuple[
        frozenset[str] | None, ...
    ]  # of each rule the names whose values it reads; None: it may read anything
    names: frozenset[str]
    left: dict[frozenset[str], tuple[Rule, ...]]


class Ruling:
    """The invariants of one element, read when they are first needed."""

    __slots__ = ("_forms", "_kind", "_rules")

    def __init__(self, rules: Sequence[Rule] = (), kind: TypeDef | None = None) -> None:
        self._rules = rules
        self._kind = kind
        self._forms: _Forms | None = None

    def there(self, value: Any) -> frozenset[str] | None:
        """Return which of the names that the rules look at stand in an element; None where one is without a proper value."""
        if value.__class__ is not dict:
            return None
        names = (self._forms or self._read()).names.intersection(value)
        for name in names:
            item = value[name]
            if item is None or (item.__class__ is list and (not item or None in item)):
                return None
        return names

    def left(self, there: frozenset[str] | None) -> tuple[Rule, ...]:
        """Return the rules that an element with these names must be held against."""
        forms = self._forms or self._read()
        return forms.rules if there is None else forms.left.get(there, forms.rules)

    def settle(self, there: frozenset[str] | None, held: Container[Rule]) -> None:
        """Note which of all rules have held for an element with these names: where they read no value, they always will."""
        forms = self._forms or self._read()
        if there is None or there in forms.left or len(forms.left) >= MOST_FORMS:
            return
        forms.left[there] = tuple(
            rule
            for rule, contents in zip(forms.rules, forms.contents, strict=True)
            if rule not in held or contents is None or not contents.isdisjoint(there)
        )

    def _read(self) -> _Forms:
        rules = tuple(rule for rule in self._rules if rule.expression is not None)
        told = [presence(rule.text, self._kind) if self._kind is not None else None for rule in rules]
        names = frozenset(name for one in told if one is not None for name in one.names)
        self._forms = found = _Forms(rules, tuple(one.contents if one else None for one in told), names, {})
        return found


class Slot:
    """One JSON name of a type. `label` is its FHIRPath step, `shape` that of a complex type, None for a primitive."""

    __slots__ = (
        "advised",
        "check",
        "chosen",
        "codes",
        "element",
        "extra",
        "fits",
        "kind",
        "label",
        "many",
        "name",
        "ruling",
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
        self.ruling: Ruling | None = None
        self.chosen = name != element.name  # one JSON name of several
        self.fits: Fits | None = None


def _fitting(slot: Slot) -> Fits | None:
    """Return a test of what stands under a primitive's name: true where nothing is to be said of it, nor of a companion.

    None where only the walk can tell.
    """
    if slot.check is None or slot.ruling is not None or slot.element.max == 0:
        return None
    one = _fitting_one(slot, slot.check)
    if not slot.many:
        return one
    most = slot.element.max
    return lambda item: item.__class__ is list and 0 < len(item) <= (most or len(item)) and all(map(one, item))


def _fitting_one(slot: Slot, check: Check) -> Fits:
    if slot.codes is not None:
        codes = frozenset(code for of_system in slot.codes.values() for code in of_system if check(code) is None)
        return lambda item: item.__class__ is str and item in codes
    if slot.kind in {"uri", "url", "canonical"}:  # what begins so is a reference within the resource
        return lambda item: check(item) is None and item[:1] != "#"
    return lambda item: check(item) is None


class Shape:
    """One type: its slots by JSON name, the elements it must have, its own invariants."""

    __slots__ = ("is_resource", "judged", "name", "required", "ruling", "slots", "type")

    def __init__(self, name: str, kind: TypeDef) -> None:
        self.name = name
        self.type = kind
        self.is_resource = kind.is_resource
        self.slots: dict[str, Slot] = {}
        self.required: tuple[tuple[Element, frozenset[str]], ...] = ()  # and the JSON names of which one must be there
        self.judged = name in JUDGED
        self.ruling: Ruling | None = None


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
        found.ruling = self._ruling(structure.constraints, found.type)
        required = []
        for element in self.definitions.elements(name):
            names = self._add(found, element, begun)
            if element.min:
                required.append((element, frozenset(form for one in names for form in (one, "_" + one))))
        found.required = tuple(required)
        return found

    def _type(self, name: str) -> TypeDef:
        return self.model.types[PROFILED.get(name, name)]

    def _ruling(self, keys: tuple[str, ...], kind: TypeDef) -> Ruling | None:
        rules = [self._rules[key] for key in keys if key in self._rules]
        return Ruling(rules, kind) if rules else None

    def _add(self, owner: Shape, element: Element, begun: dict[str, Shape]) -> list[str]:
        stem = element.name.removesuffix("[x]")
        names = []
        for kind in element.types:
            spoken = PROFILED.get(kind, kind)
            name = stem if stem == element.name else stem + spoken[0].upper() + spoken[1:]
            label = name if stem == element.name else f"{stem}.ofType({spoken})"
            slot = Slot(name, label, element, kind)
            slot.type = self._type(kind)
            slot.ruling = self._ruling(element.constraints, slot.type)
            slot.codes = self.definitions.codes.get(element.codes)
            if kind in CODED:
                slot.advised = self.definitions.codes.get(element.advised)
            if slot.check is None and kind != "Resource":
                slot.shape = self._made(kind, begun)
            slot.fits = _fitting(slot)
            owner.slots[name] = slot
            names.append(name)
        return names
