"""The pilot's subject-level domains whole: as forms whose items have SDTM aliases, entered as acts, and what is left out, and why.

A form is one visit's tests of a domain, or one row of it; an item is one cell. What a table derives from acts (study days, the
day of collection, sequence, visit) is not entered.
"""

import collections
from dataclasses import replace

from salus.agreements.trials.plan import Form, Item

from .pilot import FLAGS, SCALES, began, plan_and_terms, told_of

TESTED = {"lb": 10, "vs": 14, **dict.fromkeys(SCALES, 18)}
"""Tables with a row for each test, and how many tests one act holds."""
LISTED = ("cm", "ex", "mh", "sc")
SUBJECT = (
    "RFXSTDTC",
    "RFXENDTC",
    "RFPENDTC",
    "DTHDTC",
    "DTHFL",
    "BRTHDTC",
    "AGE",
    "AGEU",
    "SEX",
    "RACE",
    "ETHNIC",
    "COUNTRY",
    "DMDTC",
)
EVENT = (
    *(
        "AESPID",
        "AELLT",
        "AEDECOD",
        "AEHLT",
        "AEHLGT",
        "AEBODSYS",
        "AESOC",
        "AESEV",
        "AEACN",
        "AEOUT",
        "AESCAN",
        "AESOD",
    ),
    *("AEDTC", "AEENDTC"),
)
DERIVED = {
    "STUDYID": "the protocol's name of the study",
    "USUBJID": "an identifier of its own stands for each subject; rows are compared subject by subject",
    "SEQ": "rows are numbered anew, by day",
    "VISITNUM": "visits are numbered as the protocol orders them",
    "VISITDY": "a planned study day, which the protocol's timings replace",
    "EPOCH": "derived by the sponsor",
}
"""Columns of any domain that are not compared, and why."""
LEFT = {
    "DM": {
        "RFENDTC": "here the day of the last visit",
        "RFICDTC": "empty in the data: assumed",
        "ARMCD": "coded anew; ARM is compared",
        "ACTARMCD": "coded anew",
        "ACTARM": "the ledger knows what was allocated alone",
        "ACTARMUD": "empty",
        "ARMNRS": "here SCREEN FAILURE, where the data has it for an arm",
        "DMDY": "DM has no study day here",
    },
    "AE": {
        "AESER": "a criterion that is met makes an event serious: test_pilot compares it",
        "AEREL": "causality is yes or no here, and the data has four grades; no act of an investigator tells it",
        "AESTDY": "AE has no study day here",
        "AEENDY": "AE has no study day here",
    },
}
ABSENT = {
    "se": "derived from the protocol's elements and dates",
    "suppae, suppdm, supplbch, supplbhe, supplbur": "flags that the sponsor derived",
    "suppds": "three remarks on criteria, as text",
    "relrec": "relations between rows of other tables",
}
"""Tables that are not replayed, and why."""


def domain_of(name):
    return "QS" if name in SCALES else name.upper()


def text(value):
    """Return a cell as it is entered: whole numbers without a fraction."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return "" if value is None else str(value)


def columns_of(name, rows):
    """Return the columns of a table that are entered: those that hold something and are not derived here."""
    domain = domain_of(name)
    skipped = {*DERIVED, "DOMAIN", "VISIT", f"{domain}SEQ", f"{domain}TESTCD"}
    skipped |= {f"{domain}DY", f"{domain}STDY", f"{domain}ENDY"}
    if not any("T" in (row.get(f"{domain}DTC") or "") for row in rows):
        skipped.add(f"{domain}DTC")  # a day alone: the day of the form
    return [each for each in rows[0] if each not in skipped and any(row[each] is not None for row in rows)]


def forms_of(tables):
    """Return a form for each table, and the columns that are entered of it."""
    forms = [Form("dm", tuple(Item(each, each, "text", False, (), alias=f"DM.{each}") for each in SUBJECT))]
    forms.append(Form("ae", tuple(Item(each, each, "text", False, (), alias=each) for each in EVENT)))
    entered = {}
    for name in (*TESTED, *LISTED):
        rows = [row for each in tables[name].values() for row in each]
        domain, entered[name] = domain_of(name), columns_of(name, rows)
        if name in LISTED:
            items = [Item(each, each, "text", False, (), alias=each) for each in (*entered[name], f"{domain}TESTCD")]
        else:
            tests = dict.fromkeys(row[f"{domain}TESTCD"] for row in rows)
            items = [
                Item(f"{test}.{each}", f"{test}.{each}", "text", False, (), alias=f"{each} where {domain}TESTCD={test}")
                for test in tests
                for each in entered[name]
            ]
        forms.append(Form(name, tuple(items)))
    return tuple(forms), entered


def plan_with(forms):
    plan, terms = plan_and_terms()
    return replace(plan, forms=forms), terms


def entries(name, rows, entered):
    """Yield (visit, day, items) of each act that enters a table's rows of one subject."""
    domain = domain_of(name)
    if name in LISTED:
        for row in rows:
            told = {each: text(row[each]) for each in (*entered, f"{domain}TESTCD") if row.get(each) is not None}
            yield row.get("VISIT"), (row.get(f"{domain}DTC") or "")[:10], told
        return
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row["VISIT"], row[f"{domain}DTC"]].append(row)
    for (visit, day), found in groups.items():
        acts = [[]]
        for row in sorted(found, key=lambda each: each[f"{domain}TESTCD"]):
            test = row[f"{domain}TESTCD"]
            place = next((act for act in acts if len(act) < TESTED[name] and test not in {one[0] for one in act}), None)
            if place is None:
                acts.append(place := [])
            place.append((test, row))
        for act in acts:
            yield (
                visit,
                day[:10],
                {f"{test}.{each}": text(row[each]) for test, row in act for each in entered if row[each] is not None},
            )


def chain_of(rows, ids, entered):
    """Return one subject's chain with every cell of its domains."""
    events, days = told_of(rows, ids)
    (dm,) = rows["dm"]
    first = next(iter(days))

    def enter(activity, visit, day, repeat, items):
        on = days[visit]
        fields = {f"item.{name}": value for name, value in items.items() if value}
        told = {"visit": ids.get(visit, visit), "on": on, "activity": activity, "repeat": str(repeat)}
        if fields:
            events.add(max(day, on), "form", day, **told, **fields)

    enter("dm", first, days[first], 1, {each: text(dm[each]) for each in SUBJECT})
    for name in entered:
        for repeat, (visit, day, items) in enumerate(entries(name, rows[name], entered[name]), 1):
            visit_ = visit if visit in days else first
            enter(name, visit_, day or days[visit_], repeat, items)
    for at, row in enumerate(rows["ae"]):
        seen = max(row["AEDTC"] or began(rows), began(rows), days[first])
        flags = {name: "yes" for name, column in FLAGS.items() if column and row[column] == "Y"}
        flags |= {"important": "yes"} if row["AESER"] == "Y" and not flags else {}
        serious = "yes" if row["AESER"] == "Y" else "no"
        events.add(seen, "adverse", row["AESTDTC"], row=at, term=row["AETERM"], serious=serious, **flags)
        details = {f"item.{each}": text(row[each]) for each in EVENT if row[each] is not None}
        told = {"visit": ids.get(first, first), "on": days[first], "activity": "ae", "row": at}
        events.add(seen, "detail", row["AESTDTC"] or "", **told, **details)
    return events.chain()
