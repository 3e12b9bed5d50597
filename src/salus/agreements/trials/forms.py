"""A plan with forms from ODM: each form is what one activity collects, and its edit checks raise queries.

A form belongs to the activity whose id is its OID (an `IG.` before it, as exports write it, does not count), or whose name or
label is its name. What a concept of the protocol says an activity collects, its form replaces. Hard and soft checks both raise
a query, and so does an answer that is not among an item's codes: what was measured is entered as it was. Where other items choose
what an item is, its checks and codes are those of what was chosen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Final

from salus.agreements.trials.plan import Compared, Form, Item, ItemCheck, Plan
from salus.interop.cdisc.findings import DocumentRefused, Finding
from salus.interop.cdisc.odm_forms import FormItem, Group, RangeCheck, Where, forms, read_odm

NUMBERS: Final = frozenset({"integer", "decimal", "float", "double"})
ORDERED: Final = NUMBERS | {"date", "time", "datetime"}
PREFIX: Final = "IG."


def with_forms(plan: Plan, document: bytes) -> Plan:
    """Return a plan whose activities collect what an ODM document says. Raises DocumentRefused with every finding."""
    findings: list[Finding] = []
    found: dict[str, tuple[Form, tuple[ItemCheck, ...]]] = {}
    for group in forms(read_odm(document)).forms:
        activity = _activity(plan, group)
        if not activity:
            findings.append(
                Finding("form-of-no-activity", group.path, "the id, name or label of one activity", group.oid[:60])
            )
        elif activity in found:
            findings.append(Finding("form-twice", group.path, "one form for each activity", activity))
        else:
            items = tuple(group.items())
            wrong = list(_faults(items))
            findings += wrong
            form = Form(activity, tuple(_item(each, needed) for each, needed in items))
            found[activity] = (form, () if wrong else _checks(activity, items))
    if findings:
        raise DocumentRefused(tuple(findings))
    kept = tuple(each for each in plan.forms if each.activity not in found)
    checks = tuple(check for _, each in found.values() for check in each)
    return replace(plan, forms=(*kept, *(form for form, _ in found.values())), checks=checks)


def _activity(plan: Plan, group: Group) -> str:
    ids = [each.id for each in plan.activities if each.id in {group.oid, group.oid.removeprefix(PREFIX)}]
    named = [each.id for each in plan.activities if group.name in {each.name, each.label}]
    found = ids or named
    return found[0] if len(found) == 1 else ""


def _item(item: FormItem, needed: bool) -> Item:
    codes = tuple(value for value, _ in item.codes)
    return Item(item.oid, item.name, item.datatype, needed, codes, alias=item.alias)


def _checks(activity: str, items: tuple[tuple[FormItem, bool], ...]) -> tuple[ItemCheck, ...]:
    named = {item.oid: item for item, _ in items}
    found: list[ItemCheck] = []
    for item, _ in items:
        found += _checks_of(activity, item, item.name, ())
        for choice in item.choices:
            clauses = tuple(tuple(_compared(each, named) for each in clause) for clause in choice.when)
            found += _checks_of(activity, choice.item, item.name, clauses)
    return tuple(found)


def _checks_of(activity: str, item: FormItem, name: str, when: tuple[tuple[Compared, ...], ...]) -> Iterator[ItemCheck]:
    numeric = item.datatype in NUMBERS
    for place, check in enumerate(item.checks, 1):
        yield ItemCheck(f"{item.oid}.{place}", activity, name, check.comparator, check.values, numeric, when)
    if item.codes:
        codes = tuple(value for value, _ in item.codes)
        numeric = numeric and all(number(each) is not None for each in codes)
        yield ItemCheck(f"{item.oid}.codes", activity, name, "IN", codes, numeric, when)


def _compared(where: Where, named: Mapping[str, FormItem]) -> Compared:
    item = named[where.item]
    return Compared(item.name, where.check.comparator, where.check.values, item.datatype in NUMBERS)


def _faults(items: tuple[tuple[FormItem, bool], ...]) -> Iterator[Finding]:
    names: dict[str, str] = {}
    for item, _ in items:
        if names.setdefault(item.name, item.path) != item.path or not item.name:
            yield Finding(
                "item-name-twice", f"{item.path}/@Name", "a name that no other item of the form has", item.name[:60]
            )
        for check in item.checks:
            yield from _unfit(item, check)
        for choice in item.choices:
            for check in choice.item.checks:
                yield from _unfit(choice.item, check)
            for where in (each for clause in choice.when for each in clause):
                other = next((each for each, _ in items if each.oid == where.item), None)
                if other is None:
                    yield Finding(
                        "where-of-no-item", f"{where.path}/@ItemOID", "an item of the same form", where.item[:60]
                    )
                else:
                    yield from _unfit(other, where.check)


def _unfit(item: FormItem, check: RangeCheck) -> Iterator[Finding]:
    if check.comparator in {"LT", "LE", "GT", "GE"} and item.datatype not in ORDERED:
        expected = f"an order, which {', '.join(sorted(ORDERED))} have"
        yield Finding("edit-check-order", f"{check.path}/@Comparator", expected, item.datatype[:40])
    if check.comparator not in {"IN", "NOTIN"} and len(check.values) > 1:
        yield Finding(
            "edit-check-value", f"{check.path}/CheckValue[2]", "one value, or IN or NOTIN", check.values[1][:40]
        )
    for place, value in enumerate(check.values, 1):
        if item.datatype in NUMBERS and number(value) is None:
            yield Finding("edit-check-value", f"{check.path}/CheckValue[{place}]", "a number", value[:40])


def number(text: str) -> Decimal | None:
    """Return the finite number in a text, or None."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
