"""A plan with forms from ODM: each form is what one activity collects, and its edit checks raise queries.

A form belongs to the activity whose id is its OID (an `IG.` before it, as exports write it, does not count), or whose name or
label is its name. What a concept of the protocol says an activity collects, its form replaces. Hard and soft checks both raise
a query: what was measured is entered as it was.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Final

from salus.agreements.trials.plan import Form, Item, ItemCheck, Plan
from salus.interop.cdisc.findings import DocumentRefused, Finding
from salus.interop.cdisc.odm_forms import FormItem, Group, RangeCheck, forms, read_odm

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
            findings += _faults(items)
            found[activity] = (
                Form(activity, tuple(_item(each, needed) for each, needed in items)),
                _checks(activity, items),
            )
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
    return tuple(
        ItemCheck(
            f"{item.oid}.{place}", activity, item.name, check.comparator, check.values, numeric=item.datatype in NUMBERS
        )
        for item, _ in items
        for place, check in enumerate(item.checks, 1)
    )


def _faults(items: tuple[tuple[FormItem, bool], ...]) -> Iterator[Finding]:
    names: dict[str, str] = {}
    for item, _ in items:
        if names.setdefault(item.name, item.path) != item.path or not item.name:
            yield Finding(
                "item-name-twice", f"{item.path}/@Name", "a name that no other item of the form has", item.name[:60]
            )
        for check in item.checks:
            yield from _unfit(item, check)


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
