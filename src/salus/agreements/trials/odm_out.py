"""A study's forms and data as ODM 2.0, transactional: every value ever entered, with who, where, when and why.

    Study       one MetaDataVersion for each protocol version: visits, forms, items
    AdminData   persons by their key, sites with the versions in force there, meanings of signatures
    Clinical    a value is Insert, each later one Update; AuditRecord, Query and Signature stand where they belong

No arm and no kit is in it: the file may be shown to everyone who is blinded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from salus.agreements.trials.acts import Act
from salus.agreements.trials.conduct import DAY_MS, Adoption, Entry, Query
from salus.agreements.trials.participants import Participant
from salus.agreements.trials.plan import Plan
from salus.agreements.trials.terms import Terms
from salus.interop.cdisc.odm import TYPES, document, element, under
from salus.interop.cdisc.times import written

UNSCHEDULED: Final = "unscheduled"
LEGAL: Final = "21 CFR 11.50"
_STATES: Final = {"open": "Open", "answered": "Answered", "closed": "Closed"}
_USERS: Final = {"investigator": "Investigator", "sub-investigator": "Investigator", "monitor": "Monitor"}


@dataclass(frozen=True, slots=True)
class Exported:
    """What is exported."""

    study: str
    """The study's id, hexadecimal."""
    created: int
    """Unix ms."""
    plans: Mapping[int, tuple[Plan, Terms]]
    adopted: Mapping[str, Sequence[Adoption]]
    """By site (block time in ms, version), ascending."""
    roles: Mapping[bytes, str]
    """A person's role, by public key."""
    participants: Sequence[Participant]


def instant(time: int) -> str:
    """Return a time (Unix ms) as ISO 8601 in UTC."""
    seconds, ms = divmod(time % DAY_MS, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{written(time // DAY_MS)}T{hour:02d}:{minute:02d}:{second:02d}.{ms:03d}Z"


def odm_of(told: Exported) -> bytes:
    """Return the document. Order depends on its input alone."""
    study = f"ST.{told.study}"
    title = next(terms.title for _, terms in told.plans.values())
    name = next(plan.study for plan, _ in told.plans.values())
    parts = [element("Study", OID=study, StudyName=title, ProtocolName=name or title)]
    parts[0].extend(_metadata(number, told) for number in sorted(told.plans))
    parts.append(_admin(told, study))
    for number in sorted(told.plans):
        data = element("ClinicalData", StudyOID=study, MetaDataVersionOID=_version(number))
        for one in told.participants:
            visits = [visit for visit in one.state.visits if one.versions.get(visit) == number]
            if visits:
                data.append(_subject(one, visits))
        if len(data):
            parts.append(data)
    return document(f"{study}.{told.created}", instant(told.created), parts, Granularity="All", SourceSystem="Salus")


def _version(number: int) -> str:
    return f"MDV.{number}"


def person(key: bytes) -> str:
    """Return the OID of a person: the first 16 digits of their key."""
    return f"US.{key.hex()[:16]}"


# Metadata ----------------------------------------------------------------------------------------------------------


def _metadata(number: int, told: Exported) -> Element:
    plan, _ = told.plans[number]
    version = element("MetaDataVersion", OID=_version(number), Name=f"Protocol version {number}")
    forms, entered = _forms(plan, number, told.participants)
    named = {each.id: each.label or each.name for each in plan.activities}
    lines = [visit for line in (plan.main, *plan.side) for visit in line.visits]
    for visit in lines:
        event = under(
            version,
            "StudyEventDef",
            OID=f"SE.{visit.id}",
            Name=visit.label or visit.name or visit.id,
            Repeating="No",
            Type="Scheduled",
        )
        asked = [each for each in visit.activities if each in forms]
        for activity in dict.fromkeys([*asked, *entered.get(visit.id, ())]):
            under(event, "ItemGroupRef", ItemGroupOID=f"IG.{activity}", Mandatory="No")
    if UNSCHEDULED in entered or any(_unscheduled(each) for each in told.participants):
        event = under(
            version, "StudyEventDef", OID="SE.unscheduled", Name="Unscheduled", Repeating="Yes", Type="Unscheduled"
        )
        for activity in entered.get(UNSCHEDULED, ()):
            under(event, "ItemGroupRef", ItemGroupOID=f"IG.{activity}", Mandatory="No")
    for activity, items in forms.items():
        group = under(
            version,
            "ItemGroupDef",
            OID=f"IG.{activity}",
            Name=named.get(activity, activity) or activity,
            Repeating="Dynamic",
            Type="Form",
        )
        for item, (_, needed) in items.items():
            under(group, "ItemRef", ItemOID=f"IT.{activity}.{item}", Mandatory="Yes" if needed else "No")
    for activity, items in forms.items():
        for item, (type_, _) in items.items():
            under(version, "ItemDef", OID=f"IT.{activity}.{item}", Name=item, DataType=type_)
    return version


def _unscheduled(one: Participant) -> bool:
    return any(visit.startswith(UNSCHEDULED) for visit in one.state.visits)


def _forms(
    plan: Plan, number: int, participants: Sequence[Participant]
) -> tuple[dict[str, dict[str, tuple[str, bool]]], dict[str, list[str]]]:
    """Return items with (type, needed) by activity, those that were entered beyond the plan too; activities by visit."""
    forms: dict[str, dict[str, tuple[str, bool]]] = {}
    for form in plan.forms:
        for each in form.items:
            type_ = each.datatype if each.datatype in TYPES else "text"
            forms.setdefault(form.activity, {}).setdefault(each.name, (type_, each.needed))
    entered: dict[str, list[str]] = {}
    for one in participants:
        for key in one.state.items:
            visit, activity, _, item = key.split("/", 3)
            if one.versions.get(visit) != number:
                continue
            activity = activity or "none"
            forms.setdefault(activity, {}).setdefault(item, ("text", False))
            kept = entered.setdefault(UNSCHEDULED if visit.startswith(UNSCHEDULED) else visit, [])
            if activity not in kept:
                kept.append(activity)
    return forms, entered


def _admin(told: Exported, study: str) -> Element:
    admin = element("AdminData", StudyOID=study)
    acting = {act.by: one.site for one in told.participants for act in one.acts}
    for key, site in sorted(acting.items()):
        role = told.roles.get(key, "")
        under(admin, "User", OID=person(key), UserType=_USERS.get(role, "Care provider"), LocationOID=f"LOC.{site}")
    for site in sorted({*told.adopted, *(one.site for one in told.participants)}):
        place = under(admin, "Location", OID=f"LOC.{site}", Name=site, Role="Site")
        for one in told.adopted.get(site) or (Adoption(0, min(told.plans)),):
            under(
                place,
                "MetaDataVersionRef",
                StudyOID=study,
                MetaDataVersionOID=_version(one.version),
                EffectiveDate=written(one.at // DAY_MS),
            )
    meanings = sorted({_meaning(act) for one in told.participants for act in one.of("sign")})
    for meaning in meanings:
        signature = under(admin, "SignatureDef", OID=f"SD.{meaning}", Methodology="Digital")
        under(signature, "Meaning", meaning)
        under(signature, "LegalReason", LEGAL)
    return admin


def _meaning(act: Act) -> str:
    return dict(act.fields).get("meaning", "")


# Data --------------------------------------------------------------------------------------------------------------


def _subject(one: Participant, visits: Sequence[str]) -> Element:
    subject = element("SubjectData", SubjectKey=one.subject, TransactionType="Insert")
    under(subject, "SiteRef", LocationOID=f"LOC.{one.site}")
    acts = {act.number: act for act in one.acts}
    for visit in visits:
        _event(subject, one, visit, acts)
    return subject


def _event(subject: Element, one: Participant, visit: str, acts: Mapping[int, Act]) -> None:
    name, _, repeat = visit.partition("-") if visit.startswith(UNSCHEDULED) else (visit, "", "")
    event = under(
        subject, "StudyEventData", StudyEventOID=f"SE.{name}", StudyEventRepeatKey=repeat, TransactionType="Insert"
    )
    groups: dict[tuple[str, str], list[tuple[str, str, list[Entry]]]] = {}
    for key, entries in one.state.items.items():
        at, activity, again, item = key.split("/", 3)
        if at == visit:
            groups.setdefault((activity or "none", again), []).append((key, item, entries))
    for (activity, again), items in groups.items():
        group = under(
            event,
            "ItemGroupData",
            ItemGroupOID=f"IG.{activity}",
            ItemGroupRepeatKey=again,
            TransactionType="Insert",
        )
        for key, item, entries in items:
            _item(group, one, f"IT.{activity}.{item}", key, entries)
    entered = next(
        (
            act
            for act in one.of("visit")
            if visit in {dict(act.fields)["visit"], f"{UNSCHEDULED}-{act.number}"} and act.clinical
        ),
        None,
    )
    if entered is not None:
        _audit(event, entered.by, one.site, entered.entered, "")
    signed = acts.get(one.state.signed.get(visit, 0))
    if signed is not None:
        signature = under(event, "Signature")
        under(signature, "UserRef", UserOID=person(signed.by))
        under(signature, "LocationRef", LocationOID=f"LOC.{one.site}")
        under(signature, "SignatureRef", SignatureOID=f"SD.{_meaning(signed)}")
        under(signature, "DateTimeStamp", instant(signed.entered))


def _item(group: Element, one: Participant, oid: str, key: str, entries: Sequence[Entry]) -> None:
    queries = [query for query in one.state.queries if query.item == key]
    for place, entry in enumerate(entries):
        last = place == len(entries) - 1
        item = under(group, "ItemData", ItemOID=oid, TransactionType="Update" if place else "Insert")
        under(item, "Value", entry.value)
        _audit(item, entry.by, one.site, entry.entered, entry.reason)
        for query in queries if last else ():
            _query(item, one, query)


def _query(item: Element, one: Participant, query: Query) -> None:
    asked = next((act for act in one.acts if act.number == query.number), None)
    steps = [act for act in one.acts if act.number == query.number or dict(act.fields).get("query") == query.id]
    text = "" if asked is None else dict(asked.fields).get("text", "")
    made = under(
        item,
        "Query",
        OID=f"QU.{one.subject}.{query.id}.{query.rule or 'asked'}",
        Source="System" if query.rule else "Site Monitor",
        Type="System" if query.rule else "Manual",
        State=_STATES[query.state],
        LastUpdateDatetime=instant(steps[-1].entered if steps else 0),
    )
    under(made, "Value", f"rule {query.rule}" if query.rule else text)
    for act in steps:
        _audit(made, act.by, one.site, act.entered, "")


def _audit(parent: Element, by: bytes, site: str, entered: int, reason: str) -> None:
    record = under(parent, "AuditRecord")
    under(record, "UserRef", UserOID=person(by))
    under(record, "LocationRef", LocationOID=f"LOC.{site}")
    under(record, "DateTimeStamp", instant(entered))
    if reason:
        under(record, "ReasonForChange", reason)
