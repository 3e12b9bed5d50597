"""Forms from ODM 2.0 and 1.3.2: definitions read with every reference as it stands, then compiled to forms that are whole.

Reading takes what the standard allows; compiling refuses, by rule and path, what dangles and what is not understood. Both
versions compile to the same forms: `FormDef` and `ItemGroupDef` of type `Form`, `SDSVarName` and an alias of context SDTM,
`Repeating="Yes"` and its finer kinds. What an item is may depend on others (`ValueListRef`, 2.0). Units stand apart from forms, since 2.0 has items in their place. Of texts in several
languages, the English or the first is taken. Conditions and methods stay text, for a person to follow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from salus.interop.cdisc.findings import DocumentRefused, Finding
from salus.interop.cdisc.odm_xml import XmlElement, parse

COMPARATORS: Final = frozenset({"LT", "LE", "GT", "GE", "EQ", "NE", "IN", "NOTIN"})
MOST_LEVELS: Final = 8  # groups within groups
MOST_PARTS: Final = 50_000
"""Groups, items and conditions of all forms: what several forms use counts in each, and may use others in its turn."""
MOST_DIGITS: Final = 9
_NAMES: Final = frozenset({"Description", "Alias", "Coding"})
UNDERSTOOD: Final = {
    "FormDef": _NAMES | {"ItemGroupRef", "ArchiveLayout"},
    "ItemGroupDef": _NAMES | {"ItemGroupRef", "ItemRef", "Class", "WorkflowRef", "Origin", "Leaf"},
    "ItemGroupRef": frozenset[str](),
    "ItemRef": frozenset({"Origin", "WhereClauseRef"}),
    "ItemDef": _NAMES
    | {"Definition", "Question", "ExternalQuestion", "Prompt", "CRFCompletionInstructions", "ImplementationNotes"}
    | {"CDISCNotes", "MeasurementUnitRef", "RangeCheck", "CodeListRef", "ValueListRef", "Role"},
    "RangeCheck": frozenset({"CheckValue", "MeasurementUnitRef", "ErrorMessage", "MethodSignature"}),
    "CodeList": _NAMES | {"CodeListItem", "EnumeratedItem", "ExternalCodeList"},
    "ValueListDef": frozenset({"Description", "ItemRef"}),
    "WhereClauseDef": frozenset({"RangeCheck"}),
}
"""What may stand in a definition that forms are made of. A formal expression in an edit check is not among it: no language is run."""
_KINDS: Final = (
    *("FormDef", "ItemGroupDef", "ItemDef", "CodeList", "ConditionDef", "MethodDef", "StudyEventDef"),
    *("ValueListDef", "WhereClauseDef"),
)


@dataclass(frozen=True, slots=True)
class Text:
    """A condition or a method: what a person is told."""

    oid: str
    name: str
    description: str
    expressions: tuple[tuple[str, str], ...]
    """(language, expression), none of which is run."""


@dataclass(frozen=True, slots=True)
class RangeCheck:
    """An edit check: what is entered compares so with the values, or raises a query."""

    comparator: str
    values: tuple[str, ...]
    soft: bool
    message: str
    path: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on another item of the form."""

    item: str
    """Its OID."""
    check: RangeCheck
    path: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """A definition that an item has while other items say so (ODM 2.0 `ValueListDef`)."""

    item: "FormItem"
    when: tuple[tuple[Where, ...], ...]
    """Clauses, of which one holds when all its conditions do; none: always."""


@dataclass(frozen=True, slots=True)
class FormItem:
    """An item where a form asks for it."""

    oid: str
    name: str
    datatype: str
    length: str
    question: str
    needed: bool
    codes: tuple[tuple[str, str], ...]
    """(coded value, what it means); empty: any value of the type."""
    checks: tuple[RangeCheck, ...]
    alias: str
    """Name of its SDTM variable, or ""."""
    condition: Text | None
    """When it is not asked for."""
    method: Text | None
    path: str = field(compare=False)
    choices: tuple[Choice, ...] = ()
    """What it is as well, by what other items say."""


@dataclass(frozen=True, slots=True)
class Group:
    """A form, or a section of one."""

    oid: str
    name: str
    repeating: bool
    needed: bool
    parts: tuple["Group | FormItem", ...]
    condition: Text | None
    path: str = field(compare=False)

    def items(self) -> Iterator[tuple[FormItem, bool]]:
        """Yield its items in their order, each with whether it must be answered wherever the form is used."""
        for part in self.parts:
            if isinstance(part, FormItem):
                yield part, part.needed and part.condition is None
            else:
                for item, needed in part.items():
                    yield item, needed and part.needed and part.condition is None


@dataclass(frozen=True, slots=True)
class Definitions:
    """What an ODM document defines, by kind and OID; references are not followed yet."""

    version: str
    """2.0 or 1.3.2."""
    path: str
    elements: dict[str, dict[str, XmlElement]]
    units: tuple[tuple[str, str], ...]
    """(OID of an item, unit that it may be given in)."""


def read_odm(data: bytes) -> Definitions:
    """Read an ODM document with one version of metadata. Raises DocumentRefused."""
    root = parse(data)
    if not root.version or root.name not in {"ODM", "MetaDataVersion"}:
        raise DocumentRefused(
            (Finding("wrapper", root.path, "ODM or MetaDataVersion of ODM 2.0 or 1.3.2", root.name[:40]),)
        )
    declared = root.get("ODMVersion") or root.version
    if not declared.startswith(root.version):
        raise DocumentRefused((Finding("version", f"{root.path}/@ODMVersion", root.version, declared[:20]),))
    studies = root.all("Study")
    versions = (
        [root]
        if root.name == "MetaDataVersion"
        else [each for study in studies for each in study.all("MetaDataVersion")]
    )
    if len(versions) != 1:
        raise DocumentRefused((Finding("not-one", root.path, "exactly one MetaDataVersion", str(len(versions))),))
    reading = _Reading(versions[0])
    for study in studies:
        reading.units(study)
    if reading.findings:
        raise DocumentRefused(tuple(reading.findings))
    return reading.definitions()


class _Reading:
    """One reading of a version's definitions."""

    def __init__(self, version: XmlElement) -> None:
        self.findings: list[Finding] = []
        self._version = version
        self._elements: dict[str, dict[str, XmlElement]] = {kind: {} for kind in _KINDS}
        self._symbols: dict[str, str] = {}
        for each in version.children:
            if each.name == "Include":
                self.findings.append(Finding("include", each.path, "a version that is whole by itself"))
            elif each.name in _KINDS and each.version:
                self._add(each)

    def _add(self, element: XmlElement) -> None:
        oid = element.get("OID")
        if not oid:
            self.findings.append(Finding("missing", f"{element.path}/@OID", "an OID"))
        elif self._elements[element.name].setdefault(oid, element) is not element:
            first = self._elements[element.name][oid].path
            self.findings.append(
                Finding("id-twice", f"{element.path}/@OID", f"an OID that no other {element.name} has", first)
            )

    def units(self, study: XmlElement) -> None:
        """Remember the symbols of units of 1.3.2."""
        for basics in study.all("BasicDefinitions"):
            for unit in basics.all("MeasurementUnit"):
                symbol = unit.one("Symbol")
                self._symbols[unit.get("OID")] = (_text(symbol) if symbol else "") or unit.get("Name")

    def definitions(self) -> Definitions:
        """Return what was read."""
        items = self._elements["ItemDef"]
        named = [(oid, each) for oid, item in items.items() for each in item.all("MeasurementUnitRef")]
        units = [(oid, self._symbols.get(each.get("MeasurementUnitOID"), "")) for oid, each in named]
        return Definitions(
            self._version.version, self._version.path, self._elements, tuple(each for each in units if each[1])
        )


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of a document."""

    forms: tuple[Group, ...]
    spare: tuple[FormItem, ...]
    """Items that no form asks for, as if they stood alone."""


def forms(of: Definitions) -> Forms:
    """Compile a document whole, also what no form uses. Raises DocumentRefused with every finding."""
    compiling = _Compiling(of)
    found = tuple(compiling.form(each) for each in compiling.roots())
    spare = tuple(compiling.spare())
    if compiling.findings:
        raise DocumentRefused(tuple(dict.fromkeys(compiling.findings)))
    return Forms(found, spare)


class _Compiling:
    """One compilation: definitions and what is wrong with them so far."""

    def __init__(self, of: Definitions) -> None:
        self.findings: list[Finding] = []
        self._of = of.elements
        self._used: set[str] = set()
        self._parts = 0
        self._lists: dict[str, tuple[tuple[str, str], ...]] = {}

    def _count(self, element: XmlElement) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            expected = f"at most {MOST_PARTS} groups, items and conditions in all forms"
            raise DocumentRefused((*self.findings[:100], Finding("too-many-parts", element.path, expected, "more")))

    def roots(self) -> list[XmlElement]:
        """Return the definitions of forms; what events refer to is checked."""
        for event in self._of["StudyEventDef"].values():
            for name, kind, attribute in (
                ("FormRef", "FormDef", "FormOID"),
                ("ItemGroupRef", "ItemGroupDef", "ItemGroupOID"),
            ):
                for each in event.all(name):
                    self._referred(each, kind, attribute)
        groups = self._of["ItemGroupDef"].values()
        return [*self._of["FormDef"].values(), *(each for each in groups if each.get("Type") == "Form")]

    def form(self, element: XmlElement) -> Group:
        """Compile a form as it stands by itself."""
        return self._group(element, None, ())

    def spare(self) -> Iterator[FormItem]:
        """Compile what no form uses: groups for what is wrong with them, items to be yielded."""
        for kind in ("ItemGroupDef", "ItemDef"):
            for oid, element in self._of[kind].items():
                if f"{kind} {oid}" in self._used:
                    continue
                if kind == "ItemGroupDef":
                    self._group(element, None, ())
                else:
                    yield self._item(element, None)

    def _group(self, element: XmlElement, use: XmlElement | None, above: tuple[str, ...]) -> Group:
        self._count(element)
        oid = element.get("OID")
        self._used.add(f"ItemGroupDef {oid}")
        self._understood(element)
        self._missing(element, "Name", "Repeating")
        here = (*above, oid)
        parts: list[Group | FormItem] = []
        for each in _ordered(element):
            self._understood(each)
            if each.name == "ItemRef":
                item = self._referred(each, "ItemDef", "ItemOID")
                if item is not None:
                    parts.append(self._item(item, each))
                continue
            within = self._referred(each, "ItemGroupDef", "ItemGroupOID")
            if within is None:
                continue
            if within.get("OID") in here or len(here) >= MOST_LEVELS:
                expected = f"no way back to itself, and at most {MOST_LEVELS} levels"
                self._wrong("cycle-of-groups", f"{each.path}/@ItemGroupOID", expected, within.get("OID"))
                continue
            parts.append(self._group(within, each, here))
        return Group(
            oid=oid,
            name=element.get("Name"),
            repeating=element.get("Repeating") != "No",
            needed=use is None or use.get("Mandatory") == "Yes",
            parts=tuple(parts),
            condition=self._text(use, "ConditionDef", "CollectionExceptionConditionOID"),
            path=element.path,
        )

    def _item(self, element: XmlElement, use: XmlElement | None, *, chosen: bool = False) -> FormItem:
        self._count(element)
        self._used.add(f"ItemDef {element.get('OID')}")
        self._understood(element)
        self._missing(element, "Name", "DataType")
        question = element.one("Question") or element.one("Prompt")
        aliases = [each.get("Name") for each in element.all("Alias") if each.get("Context").upper() == "SDTM"]
        return FormItem(
            oid=element.get("OID"),
            name=element.get("Name"),
            datatype=element.get("DataType"),
            length=element.get("Length"),
            question=_text(question) if question else "",
            needed=use is not None and use.get("Mandatory") == "Yes",
            codes=self._codes(element),
            checks=tuple(self._check(each) for each in element.all("RangeCheck")),
            alias=next(iter(aliases), element.get("SDSVarName")),
            condition=self._text(use, "ConditionDef", "CollectionExceptionConditionOID"),
            method=self._text(use, "MethodDef", "MethodOID"),
            path=element.path,
            choices=tuple(self._choices(element, chosen=chosen)),
        )

    def _choices(self, element: XmlElement, *, chosen: bool) -> Iterator[Choice]:
        """Yield the definitions that a list of values chooses among; one that is chosen has none of its own."""
        reference = element.one("ValueListRef")
        if reference is None:
            return
        if chosen:
            self._wrong("not-understood", reference.path, "no list of values within another")
            return
        values = self._referred(reference, "ValueListDef", "ValueListOID")
        if values is None:
            return
        self._understood(values)
        for use in values.all("ItemRef"):
            self._understood(use)
            item = self._referred(use, "ItemDef", "ItemOID")
            clauses = [self._referred(each, "WhereClauseDef", "WhereClauseOID") for each in use.all("WhereClauseRef")]
            if item is not None and None not in clauses:
                when = tuple(tuple(self._where(each)) for each in clauses if each is not None)
                yield Choice(self._item(item, use, chosen=True), when)

    def _where(self, clause: XmlElement) -> Iterator[Where]:
        self._understood(clause)
        for each in clause.all("RangeCheck"):
            self._count(each)
            item = self._referred(each, "ItemDef", "ItemOID")
            if item is not None:
                yield Where(item.get("OID"), self._check(each), each.path)

    def _codes(self, element: XmlElement) -> tuple[tuple[str, str], ...]:
        reference = element.one("CodeListRef")
        codes = self._referred(reference, "CodeList", "CodeListOID") if reference else None
        if codes is None:
            return ()
        oid = codes.get("OID")
        if oid not in self._lists:
            self._lists[oid] = self._listed(codes)
        return self._lists[oid]

    def _listed(self, codes: XmlElement) -> tuple[tuple[str, str], ...]:
        self._understood(codes)
        found = []
        for each in (*codes.all("CodeListItem"), *codes.all("EnumeratedItem")):
            self._missing(each, "CodedValue")
            decode = each.one("Decode")
            found.append((each.get("CodedValue"), _text(decode) if decode else ""))
        return tuple(found)

    def _check(self, element: XmlElement) -> RangeCheck:
        formal = element.one("FormalExpression")
        if formal is not None:
            path = f"{formal.path}/@Context"
            self._wrong(
                "edit-check-language", path, "Comparator and CheckValue: no language is run", formal.get("Context")[:40]
            )
        elif element.get("Comparator") not in COMPARATORS:
            self._wrong(
                "comparator",
                f"{element.path}/@Comparator",
                " ".join(sorted(COMPARATORS)),
                element.get("Comparator")[:40],
            )
        elif not element.all("CheckValue"):
            self._wrong("missing", f"{element.path}/CheckValue", "a value to compare with")
        if formal is None:
            self._understood(element)
        told = element.one("ErrorMessage")
        return RangeCheck(
            comparator=element.get("Comparator"),
            values=tuple(each.text for each in element.all("CheckValue")),
            soft=element.get("SoftHard") == "Soft",
            message=_text(told) if told else "",
            path=element.path,
        )

    def _text(self, use: XmlElement | None, kind: str, attribute: str) -> Text | None:
        element = self._referred(use, kind, attribute) if use is not None and use.get(attribute) else None
        if element is None:
            return None
        told = element.one("Description")
        expressions = []
        for each in element.all("FormalExpression"):
            code = each.one("Code")
            expressions.append((each.get("Context"), (code or each).text))
        return Text(element.get("OID"), element.get("Name"), _text(told) if told else "", tuple(expressions))

    def _referred(self, use: XmlElement, kind: str, attribute: str) -> XmlElement | None:
        oid = use.get(attribute)
        found = self._of[kind].get(oid)
        if found is None:
            self._wrong("dangling-reference", f"{use.path}/@{attribute}", f"the OID of a {kind}", oid[:60])
        return found

    def _understood(self, element: XmlElement) -> None:
        allowed = UNDERSTOOD[element.name]
        for each in element.children:
            if not each.version or each.name not in allowed:
                self._wrong(
                    "not-understood", each.path, f"in a {element.name}: {', '.join(sorted(allowed)) or 'nothing'}"
                )

    def _missing(self, element: XmlElement, *attributes: str) -> None:
        for each in attributes:
            if each not in element.attributes:
                self._wrong("missing", f"{element.path}/@{each}", f"an attribute {each}")

    def _wrong(self, rule: str, path: str, expected: str, got: str = "") -> None:
        self.findings.append(Finding(rule, path, expected, got))


def _ordered(element: XmlElement) -> Sequence[XmlElement]:
    """Return references by `OrderNumber`, those without one behind, otherwise as they stand."""
    uses = [each for each in element.children if each.version and each.name in {"ItemGroupRef", "ItemRef"}]
    return sorted(uses, key=_place)


def _place(use: XmlElement) -> int:
    number = use.get("OrderNumber")
    return int(number) if number.isdecimal() and len(number) <= MOST_DIGITS else 1 << 31


def _text(element: XmlElement) -> str:
    """Return the English text, else the first, else the element's own."""
    told = element.all("TranslatedText")
    if not told:
        return element.text
    english = [each for each in told if each.language.startswith("en")]
    return " ".join((english or told)[0].text.split())
