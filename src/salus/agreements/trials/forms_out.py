"""The forms of a plan as ODM 2.0, to be edited and signed with the definition: what `forms` reads back as the same."""

from collections import Counter
from collections.abc import Sequence
from xml.etree.ElementTree import Element, indent

from salus.agreements.trials.forms import PREFIX
from salus.agreements.trials.plan import Item, Plan
from salus.interop.cdisc.odm import TYPES, document, element, under


def forms_document(plan: Plan, created: str) -> bytes:
    """Return the forms of a plan, one for each activity that collects something. `created` is an ISO 8601 date and time.

    An item that shares its name with another of the same activity gets its concept's name before it, and a number where
    that is not enough.
    """
    study = element("Study", OID="forms", StudyName=plan.study or "Forms", ProtocolName=plan.study or "Forms")
    version = under(study, "MetaDataVersion", OID="MDV.1", Name="Forms")
    named = {each.id: each.label or each.name or each.id for each in plan.activities}
    items: list[Element] = []
    lists: list[Element] = []
    for form in plan.forms:
        group = under(
            version,
            "ItemGroupDef",
            OID=f"{PREFIX}{form.activity}",
            Name=named.get(form.activity, form.activity),
            Repeating="No",
            Type="Form",
        )
        names = _names(form.items)
        for place, (each, name) in enumerate(zip(form.items, names, strict=True), 1):
            oid = f"{form.activity}.{place}"
            under(group, "ItemRef", ItemOID=f"IT.{oid}", Mandatory="Yes" if each.needed else "No")
            items.append(_item(oid, name, each))
            if each.codes:
                lists.append(_codes(oid, name, each))
    version.extend((*items, *lists))
    indent(study, " ", 1)
    return document("forms", created, [study], Granularity="Metadata", SourceSystem="Salus")


def _names(items: Sequence[Item]) -> list[str]:
    counted = Counter(each.name for each in items)
    names = [f"{each.group} {each.name}" if counted[each.name] > 1 and each.group else each.name for each in items]
    seen: Counter[str] = Counter()
    for place, name in enumerate(names):
        seen[name] += 1
        names[place] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return names


def _item(oid: str, name: str, item: Item) -> Element:
    made = element("ItemDef", OID=f"IT.{oid}", Name=name, DataType=item.datatype if item.datatype in TYPES else "text")
    if item.codes:
        under(made, "CodeListRef", CodeListOID=f"CL.{oid}")
    if item.alias:
        under(made, "Alias", Context="SDTM", Name=item.alias)
    return made


def _codes(oid: str, name: str, item: Item) -> Element:
    made = element("CodeList", OID=f"CL.{oid}", Name=name, DataType="text")
    for each in dict.fromkeys(item.codes):
        under(made, "CodeListItem", CodedValue=each)
    return made
