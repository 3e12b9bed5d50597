"""One walk over a resource against its structures: names, cardinalities, types, codes, references, invariants."""

from typing import Any, Final

from salus.interop.fhir.fhirpath import Environment, Node
from salus.interop.fhir.refusal import kind_of
from salus.interop.fhir.survey import REFERENCE, known_name
from salus.interop.fhir.validation.codes import IDENTIFIERS, SHAPES
from salus.interop.fhir.validation.findings import Path
from salus.interop.fhir.validation.judging import Judging, within
from salus.interop.fhir.validation.shapes import Shape, Shapes, Slot

_EXTENSION: Final = "http://hl7.org/fhir/StructureDefinition/"


class Scope:
    """The resource that the walk is in, its root (another for a contained one), and the local references met so far."""

    __slots__ = ("environment", "root", "tree", "used")

    def __init__(self, tree: dict[str, Any], container: "Scope | None", now: str | None) -> None:
        self.tree = tree
        self.root: dict[str, Any] = tree if container is None else container.root
        self.environment = Environment(resource=tree, root_resource=self.root, now=now)
        self.used: set[str] = set() if container is None else container.used

    def contained(self) -> list[dict[str, Any]]:
        """Return the root's contained resources."""
        held = self.root.get("contained")
        return [one for one in held if one.__class__ is dict] if held.__class__ is list else []

    def local(self, name: str) -> dict[str, Any] | None:
        """Return what a local reference means ("" is the root itself), and note what it ties together (dom-3)."""
        self.used.add(name or str(self.tree.get("id")))
        return next((one for one in self.contained() if one.get("id") == name), None) if name else self.root


class Walk(Judging):
    """The walk over one resource. `now`: an instant in text, or None."""

    def __init__(self, shapes: Shapes, now: str | None, limit: int) -> None:
        super().__init__(shapes, limit)
        self.now = now

    def resource(self, tree: Any, path: Path | None, outer: Scope | None, *, contained: bool = False) -> None:
        """Check a resource at `path` (None: the root, whose path is its type); `outer` is the scope it stands in."""
        name = tree.get("resourceType") if tree.__class__ is dict else None
        kind = self.shapes.model.resources.get(name) if isinstance(name, str) else None
        if kind is None or kind.name in {"Resource", "DomainResource"}:
            self.found("structure", "type", path, f"expected a resource of a type of R4, got {kind_of(tree)}")
            return
        at: Path = (None, kind.name, -1) if path is None else path
        scope = Scope(tree, outer if contained else None, self.now)
        self.object(self.shapes.shape(kind.name), tree, at, scope)
        if contained and tree.get("contained"):
            self.found("invariant", "dom-2", at, "a contained resource contains no resources")
        if not contained:
            self._unused(scope, at)
        if kind.name == "Bundle":
            self._bundle(tree, at)

    def _unused(self, scope: Scope, at: Path) -> None:
        for index, one in enumerate(scope.contained()):
            name = one.get("id")
            if not isinstance(name, str) or name not in scope.used:
                text = "a contained resource is referred to by its container, or refers to it"
                self.found("invariant", "dom-3", (at, "contained", index), text)

    def _bundle(self, tree: dict[str, Any], at: Path) -> None:
        entries = tree.get("entry")
        for index, entry in enumerate(entries if entries.__class__ is list else ()):
            inner = entry.get("resource") if entry.__class__ is dict else None
            url = entry.get("fullUrl") if inner.__class__ is dict else None
            own = inner.get("id") if inner.__class__ is dict else None
            if isinstance(url, str) and own and not url.startswith("urn:") and url.rpartition("/")[2] != own:
                place = ((at, "entry", index), "fullUrl", -1)
                self.found("invariant", "bundle-full-url", place, "fullUrl ends with the id of its resource")

    def object(  # noqa: C901  # the walk's innermost loop: a call for each name would cost more than the rest
        self, shape: Shape, value: dict[str, Any], at: Path, scope: Scope
    ) -> None:
        """Check one complex element or resource."""
        slots = shape.slots
        chosen: dict[str, str] = {}
        for key, item in value.items():
            slot = slots.get(key)
            if slot is None:
                self._other(shape, value, key, at, scope)
                continue
            if slot.chosen and chosen.setdefault(slot.element.name, key) != key:
                self.found("structure", "choice", (at, slot.name, -1), "expected one type of the choice, got two")
            if item is None:
                self.found("structure", "ele-1", (at, slot.label, -1), "expected a value, got null")
            elif slot.fits is not None and slot.extra not in value and slot.fits(item):
                continue
            elif slot.shape is not None and not slot.many and item.__class__ is dict:
                self._complex(slot, item, (at, slot.label, -1), scope)
            else:
                self._values(slot, item, value.get(slot.extra) if slot.check else None, at, scope)
        for element, names in shape.required:
            if names.isdisjoint(value):
                self.found(
                    "required", "cardinality", (at, element.name.removesuffix("[x]"), -1), "expected at least one"
                )
        if not value or (len(value) == 1 and "id" in value and not shape.is_resource):
            self.found("invariant", "ele-1", at, "expected a value or children, got an empty element")
        if shape.judged:
            self._special(shape, value, at)
        if shape.ruling is not None:
            self.invariants(shape.ruling, Node(value, shape.type), at, scope.environment)

    def _other(self, shape: Shape, value: dict[str, Any], key: str, at: Path, scope: Scope) -> None:
        """Check a JSON name that is no element: the companion of a primitive, the type of a resource, or a fault."""
        slot = shape.slots.get(key[1:]) if key[:1] == "_" else None
        if slot is not None and slot.check is not None:
            if key[1:] not in value:
                self._values(slot, None, value[key], at, scope)
        elif not (shape.is_resource and key == "resourceType"):
            self.found("structure", "unknown-element", at, f"{known_name(key)} is no element of {shape.name}")

    def _values(self, slot: Slot, item: Any, extra: Any, at: Path, scope: Scope) -> None:
        """Check what stands under one JSON name: a value, or a list of them where the element repeats."""
        if not slot.many:
            if item.__class__ is list or extra.__class__ is list:
                self.found("structure", "type", (at, slot.label, -1), "expected one value, got an array")
            else:
                self._value(slot, item, extra, (at, slot.label, -1), scope)
            return
        for one in (item, extra):
            if one is not None and (one.__class__ is not list or not one):
                got = kind_of(one)
                self.found("structure", "type", (at, slot.label, -1), f"expected an array of at least one, got {got}")
                return
        most = slot.element.max
        count = max(len(item or ()), len(extra or ()))
        if most is not None and count > most:
            self.found("structure", "cardinality", (at, slot.label, -1), f"expected at most {most}, got {count}")
        for index in range(count):
            one = item[index] if item is not None and index < len(item) else None
            companion = extra[index] if extra is not None and index < len(extra) else None
            self._value(slot, one, companion, (at, slot.label, index), scope)

    def _value(self, slot: Slot, item: Any, extra: Any, at: Path, scope: Scope) -> None:
        if slot.element.max == 0:
            self.found("structure", "cardinality", at, "expected none here")
        elif slot.check is not None:
            self._primitive(slot, item, extra, at, scope)
            if slot.ruling is not None:
                self.invariants(slot.ruling, Node(item, slot.type, extra), at, scope.environment)
        elif slot.kind == "Resource":
            self.resource(item, at, scope, contained=slot.name == "contained")
        elif item.__class__ is not dict:
            self.found("structure", "type", at, f"expected {slot.kind}, an object, got {kind_of(item)}")
        else:
            self._complex(slot, item, at, scope)

    def _complex(self, slot: Slot, item: dict[str, Any], at: Path, scope: Scope) -> None:
        if slot.shape is not None:
            self.object(slot.shape, item, at, scope)
        if slot.codes is not None:
            self._coded(slot, item, at)
        elif slot.advised is not None:
            self.advised(slot.element.advised, slot.advised, item, at)
        if slot.kind == "Reference":
            self._reference(slot, item, at, scope)
        if slot.ruling is not None:
            self.invariants(slot.ruling, Node(item, slot.type), at, scope.environment)

    def _primitive(self, slot: Slot, item: Any, extra: Any, at: Path, scope: Scope) -> None:
        if extra is not None:
            if extra.__class__ is not dict:
                self.found("structure", "type", at, f"expected an object beside the value, got {kind_of(extra)}")
            else:
                self.object(self.shapes.shape("Element"), extra, at, scope)
        if item is None:
            if extra is None:
                self.found("structure", "ele-1", at, "expected a value, got null")
            return
        expected = slot.check(item) if slot.check is not None else None
        if expected is not None:
            self.found("value", slot.kind, at, f"expected {expected}, got {kind_of(item)}")
        elif slot.codes is not None and not any(item in codes for codes in slot.codes.values()):
            self.found("code-invalid", "binding", at, f"expected a code of the value set {slot.element.codes}")
        elif item.__class__ is str and item[:1] == "#" and slot.kind in {"uri", "url", "canonical"}:
            scope.used.add(item[1:])

    def _coded(self, slot: Slot, item: dict[str, Any], at: Path) -> None:
        """Check the required binding of a Coding, CodeableConcept or Quantity."""
        among = item.get("coding") if slot.kind == "CodeableConcept" else [item]
        if not within(slot.codes or {}, among):
            self.found("code-invalid", "binding", at, f"expected a code of the value set {slot.element.codes}")

    def _reference(self, slot: Slot, item: dict[str, Any], at: Path, scope: Scope) -> None:
        """Check the form of a reference, that what it names within exists, and that it may mean that type."""
        address, kind = item.get("reference"), item.get("type")
        if isinstance(address, str):
            found = REFERENCE.fullmatch(address)
            if found is None:
                self.found("value", "reference", (at, "reference", -1), "expected Type/id, #id, an http or urn address")
                return
            named = found["type"] or found["sought"]
            if address.startswith("#"):
                meant = scope.local(found["fragment"])
                if meant is None:
                    self.found("invariant", "ref-1", at, "expected a contained resource of that id")
                    return
                named = meant.get("resourceType")
            if isinstance(named, str) and isinstance(kind, str) and kind != named:
                self.found("value", "reference-type", (at, "type", -1), "expected the type that the reference names")
            kind = named or kind
        if slot.targets and isinstance(kind, str) and kind in self.shapes.model.resources and kind not in slot.targets:
            told = ", ".join(sorted(slot.targets))
            self.found("structure", "reference-target", at, f"expected a reference to {told}")

    def _special(self, shape: Shape, value: dict[str, Any], at: Path) -> None:
        """Check what types demand beyond their structure: extensions, codes' shapes, identifiers."""
        if shape.name == "Extension":
            self._extension(value, at)
        else:
            code = value.get("value" if shape.name == "Identifier" else "code")
            systems = IDENTIFIERS if shape.name == "Identifier" else SHAPES
            judge = systems.get(value.get("system") or "") if isinstance(value.get("system"), str) else None
            fault = judge(code) if judge is not None and isinstance(code, str) else None
            if fault is not None:
                place = (at, "value" if shape.name == "Identifier" else "code", -1)
                self.found("code-invalid", "code-shape", place, f"expected {fault[1]}", fault[0])

    def _extension(self, value: dict[str, Any], at: Path) -> None:
        values = [key for key in value if key.lstrip("_").startswith("value")]
        if bool(values) == bool(value.get("extension")):
            self.found("invariant", "ext-1", at, "an extension has either a value or extensions, never both")
        url = value.get("url")
        if not isinstance(url, str) or not url.startswith(_EXTENSION):
            return
        known = self.shapes.definitions.extensions.get(url.removeprefix(_EXTENSION))
        if known is None:
            return
        for key in values:
            kind = key.lstrip("_").removeprefix("value")
            if not any(one and kind == one[0].upper() + one[1:] for one in known):
                told = " or ".join(filter(None, known)) or "extensions"
                self.found("structure", "extension-value", at, f"expected {told} as the value of this extension")
