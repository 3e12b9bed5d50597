"""The trial design of a protocol as SDTM tables: TA arms by epoch, TE elements, TV visits, TI criteria, TS summary."""

from collections.abc import Mapping, Sequence
from typing import Final

from salus.agreements.trials.plan import Plan, Visit
from salus.interop.cdisc.dataset_json import Cell, Column, Dataset, DataType
from salus.interop.cdisc.usdm import Definition, Thing, within

MOST_CODE: Final = 20
"""Characters of ARMCD (SDTMIG v3.4, 7.2.1)."""
MOST_TEXT: Final = 200
Variable = tuple[str, str, DataType]
"""(name, label, type)."""


def dataset(
    name: str, label: str, created: str, variables: Sequence[Variable], rows: Sequence[Sequence[Cell]], *, keys: int = 3
) -> Dataset:
    """Return a table; its first `keys` variables but DOMAIN are its keys."""
    sequence = {each: place for place, each in enumerate([v[0] for v in variables if v[0] != "DOMAIN"][:keys], 1)}
    return Dataset(
        created=created,
        version="1.1.0",
        group=f"IG.{name}",
        records=len(rows),
        name=name,
        label=label,
        columns=tuple(
            Column(f"IT.{name}.{variable}", variable, text, type_, key=sequence.get(variable))
            for variable, text, type_ in variables
        ),
        rows=tuple(tuple(row) for row in rows),
    )


def code_of(name: str) -> str:
    """Return an arm's or a criterion's name as a code: capitals and digits, at most twenty."""
    return "".join(each for each in name.upper() if each.isascii() and each.isalnum())[:MOST_CODE]


def arms_of(plan: Plan) -> dict[str, tuple[str, str]]:
    """Return (ARMCD, ARM) by id of the arm. Codes that would be alike are numbered."""
    found: dict[str, tuple[str, str]] = {}
    for place, arm in enumerate(plan.arms, 1):
        name = arm.label or arm.name
        code = code_of(arm.name)
        if not code or code in {each for each, _ in found.values()}:
            code = f"ARM{place}"
        found[arm.id] = (code, name)
    return found


def design_tables(definition: Definition, plan: Plan, created: str) -> tuple[Dataset, ...]:
    """Return TA, TE, TV, TI and TS of a protocol that compiles."""
    things = definition.things
    return (
        _arms(things, plan, definition, created),
        _elements(definition, plan, created),
        _visits(plan, created),
        _criteria(plan, created),
        _summary(definition, plan, created),
    )


def _of_kind(definition: Definition, kind: str) -> list[Thing]:
    return [each for each in within(definition.study) if each.kind == kind]


def _element_code(things: Sequence[Thing]) -> dict[str, str]:
    return {each.id: f"EL{place}" for place, each in enumerate(things, 1)}


def _arms(things: Mapping[str, Thing], plan: Plan, definition: Definition, created: str) -> Dataset:
    arms = arms_of(plan)
    epochs = {each.id: each.label or each.name for each in plan.epochs}
    codes = _element_code(_of_kind(definition, "StudyElement"))
    cells = _of_kind(definition, "StudyCell")
    order = list(epochs)
    rows: list[tuple[Cell, ...]] = []
    for arm, (code, name) in arms.items():
        own = [each for each in cells if each.text("armId") == arm and each.text("epochId") in epochs]
        place = 0
        for cell in sorted(own, key=lambda each: order.index(each.text("epochId"))):
            for id_ in cell.ids("elementIds"):
                place += 1
                what = things[id_].text("label") or things[id_].name
                rows.append((plan.study, "TA", code, name, place, codes[id_], what, epochs[cell.text("epochId")]))
    variables: list[Variable] = [
        ("STUDYID", "Study Identifier", "string"),
        ("DOMAIN", "Domain Abbreviation", "string"),
        ("ARMCD", "Planned Arm Code", "string"),
        ("ARM", "Description of Planned Arm", "string"),
        ("TAETORD", "Planned Order of Element within Arm", "integer"),
        ("ETCD", "Element Code", "string"),
        ("ELEMENT", "Description of Element", "string"),
        ("EPOCH", "Epoch", "string"),
    ]
    return dataset("TA", "Trial Arms", created, variables, rows, keys=4)


def _elements(definition: Definition, plan: Plan, created: str) -> Dataset:
    elements = _of_kind(definition, "StudyElement")
    codes = _element_code(elements)
    rows = []
    for each in elements:
        begin, end = each.one("transitionStartRule"), each.one("transitionEndRule")
        rules = [None if rule is None else rule.text("text")[:MOST_TEXT] for rule in (begin, end)]
        rows.append((plan.study, "TE", codes[each.id], each.text("label") or each.name, *rules))
    variables: list[Variable] = [
        ("STUDYID", "Study Identifier", "string"),
        ("DOMAIN", "Domain Abbreviation", "string"),
        ("ETCD", "Element Code", "string"),
        ("ELEMENT", "Description of Element", "string"),
        ("TESTRL", "Rule for Start of Element", "string"),
        ("TEENRL", "Rule for End of Element", "string"),
    ]
    return dataset("TE", "Trial Elements", created, variables, rows, keys=2)


def numbered(plan: Plan) -> dict[str, tuple[int, str]]:
    """Return (VISITNUM, VISIT) by id of the visit: the main timeline first, then those that events open."""
    visits = [visit for line in (plan.main, *plan.side) for visit in line.visits]
    return {visit.id: (place, visit_name(visit)) for place, visit in enumerate(visits, 1)}


def visit_name(visit: Visit) -> str:
    """Return a visit's name as tables show it."""
    return (visit.label or visit.name or visit.id).upper()


def _visits(plan: Plan, created: str) -> Dataset:
    rows = [(plan.study, "TV", number, name) for number, name in numbered(plan).values()]
    variables: list[Variable] = [
        ("STUDYID", "Study Identifier", "string"),
        ("DOMAIN", "Domain Abbreviation", "string"),
        ("VISITNUM", "Visit Number", "integer"),
        ("VISIT", "Visit Name", "string"),
    ]
    return dataset("TV", "Trial Visits", created, variables, rows, keys=2)


def _criteria(plan: Plan, created: str) -> Dataset:
    rows = [
        (plan.study, "TI", each.name or each.id, each.text[:MOST_TEXT], "INCLUSION" if each.inclusion else "EXCLUSION")
        for each in plan.criteria
    ]
    variables: list[Variable] = [
        ("STUDYID", "Study Identifier", "string"),
        ("DOMAIN", "Domain Abbreviation", "string"),
        ("IETESTCD", "Incl/Excl Criterion Short Name", "string"),
        ("IETEST", "Inclusion/Exclusion Criterion", "string"),
        ("IECAT", "Inclusion/Exclusion Category", "string"),
    ]
    return dataset("TI", "Trial Inclusion/Exclusion Criteria", created, variables, rows, keys=2)


def _summary(definition: Definition, plan: Plan, created: str) -> Dataset:
    titles = [each.text("text") for each in _of_kind(definition, "StudyTitle") if each.text("text")]
    blinding = [each.one("blindingSchema") for each in _of_kind(definition, "InterventionalStudyDesign")]
    schema = next((each for each in blinding if each is not None), None)
    standard = None if schema is None else schema.code("standardCode")[1]
    told = [
        ("TITLE", "Trial Title", titles[0] if titles else plan.study),
        ("NARMS", "Planned Number of Arms", str(len(plan.arms))),
        ("RANDOM", "Trial is Randomized", "Y" if len(plan.arms) > 1 else "N"),
        ("TBLIND", "Trial Blinding Schema", (standard or ("BLINDED" if plan.blinded else "OPEN LABEL")).upper()),
    ]
    told += [
        ("OBJPRIM", "Trial Primary Objective", each.text("text"))
        for each in _of_kind(definition, "Objective")
        if "primary" in each.code("level")[1].lower()
    ]
    told += [
        (f"OUTMS{level}", f"{level.title()} Outcome Measure", each.text)
        for each in plan.endpoints
        for level in ("PRI", "SEC")
        if each.level.upper().startswith(level)
    ]
    count: dict[str, int] = {}
    rows: list[tuple[Cell, ...]] = []
    for code, what, value in told:
        count[code] = count.get(code, 0) + 1
        rows.append((plan.study, "TS", count[code], code, what, value[:MOST_TEXT]))
    variables: list[Variable] = [
        ("STUDYID", "Study Identifier", "string"),
        ("DOMAIN", "Domain Abbreviation", "string"),
        ("TSSEQ", "Sequence Number", "integer"),
        ("TSPARMCD", "Trial Summary Parameter Short Name", "string"),
        ("TSPARM", "Trial Summary Parameter", "string"),
        ("TSVAL", "Parameter Value", "string"),
    ]
    return dataset("TS", "Trial Summary", created, variables, rows, keys=3)
