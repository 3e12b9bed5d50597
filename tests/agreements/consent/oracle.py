"""A second reading of FHIR Consent, row by row and without conditions: what the decision is held against.

It reads the JSON itself. A row is (facts, ranks of its classes, labels, names of rows that refer to it).
"""

from salus.interop.fhir.times import interval

REASONS = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
TYPES = "http://hl7.org/fhir/resource-types"
LEVELS = "ULMNRV"
MENTAL, SEXUAL, SUBSTANCE = 9, 8, 10
OF_CLASS = {"PSY": MENTAL, "ETH": SUBSTANCE}
IN_CLASS = {"HIV": SEXUAL, "OPIOIDUD": SUBSTANCE}


def answer(consents, asker, row):
    """Return "deny", "permit" or None: what the active consents of a patient say together."""
    told = set()
    for tree in consents:
        if tree["status"] != "active" or tree["scope"]["coding"][0]["code"] != "patient-privacy":
            continue
        if asker.purpose in {"ETREAT", "BTG"} and asker.purpose not in purposes(tree["provision"]):
            continue
        told.add(says(tree["provision"], asker, row))
    return "deny" if "deny" in told else "permit" if "permit" in told else None


def purposes(provision):
    own = {one["code"] for one in provision.get("purpose", ())}
    return own.union(*(purposes(one) for one in provision.get("provision", ())))


def says(provision, asker, row):
    deny = provision["type"] == "deny"
    if not all(test(provision[axis], asker, row, deny) for axis, test in AXES.items() if axis in provision):
        return None
    labels = {one["code"] for one in provision.get("securityLabel", ())}
    if not deny and row["rank"] == SUBSTANCE and not labels & {"ETH", "OPIOIDUD"}:
        return None
    inner = {says(one, asker, row) for one in provision.get("provision", ())}
    return "deny" if "deny" in inner else "permit" if "permit" in inner else provision["type"]


def period(value, asker, _row, _deny):
    start = interval(value["start"])[0] if "start" in value else float("-inf")
    return start <= asker.at < (interval(value["end"])[1] if "end" in value else float("inf"))


def actor(value, asker, _row, deny):
    return any(_is(one["reference"], asker, deny) for one in value)


def _is(reference, asker, deny):
    name = reference.get("reference")
    told = reference.get("identifier", {})
    if (name or f"{told['system']}|{told['value']}") in asker.names:
        return True
    if name:
        organisation = name.startswith("Organization/")
        known = name in asker.known or f"{name.split('/')[0]}/" in asker.known
    else:
        organisation = reference.get("type") == "Organization"
        known = f"{told['system']}|" in asker.known
    return deny and not organisation and not known


def purpose(value, asker, _row, _deny):
    return asker.purpose in {one["code"] for one in value}


def label(value, _asker, row, deny):
    carried = [one for one in row["labels"] if one in LEVELS]
    level = max(map(LEVELS.index, carried)) if carried else LEVELS.index("R" if row["rank"] >= 6 else "N")

    def met(code):
        if code in LEVELS:
            return level >= LEVELS.index(code) if deny else level <= LEVELS.index(code)
        by_class = OF_CLASS.get(code, IN_CLASS.get(code) if deny else None)
        return code in row["labels"] or by_class in row["classes"]

    return any(met(one["code"]) for one in value)


def class_(value, _asker, row, _deny):
    return any(one["system"] == TYPES and one["code"] == row["facts"].type for one in value)


def code(value, _asker, row, _deny):
    asked = {(one["system"], one["code"]) for concept in value for one in concept["coding"]}
    return bool(asked & {(one.system, one.code) for one in row["facts"].codes})


def data_period(value, _asker, row, deny):
    lo, hi = row["facts"].lo, row["facts"].hi
    if lo == hi:
        return deny
    start = interval(value["start"])[0] if "start" in value else float("-inf")
    end = interval(value["end"])[1] if "end" in value else float("inf")
    return lo < end and start < hi


def data(value, _asker, row, _deny):
    found = row["facts"]
    own = f"{found.type}/{found.id}"

    def met(meaning, name):
        if meaning == "authoredby":
            return name in found.authors
        if name == own or (meaning in {"related", "dependents"} and name in found.references):
            return True
        return meaning == "related" and found.type != "Patient" and name in row["referred"]

    return any(met(one["meaning"], one["reference"]["reference"]) for one in value)


AXES = {
    "period": period,
    "actor": actor,
    "purpose": purpose,
    "securityLabel": label,
    "class": class_,
    "code": code,
    "dataPeriod": data_period,
    "data": data,
}


def provision(rnd, names, depth=0):
    """Return a random provision; `names` are "Type/id" of data that it may name."""
    tree = {"type": rnd.choice(("permit", "deny"))}

    def maybe(axis, chance, make):
        if rnd.random() < chance:
            tree[axis] = make()

    maybe("period", 0.15, lambda: rnd.choice(({"end": "1969"}, {"start": "1970", "end": "1971"}, {"start": "1980"})))
    maybe(
        "actor",
        0.3,
        lambda: [
            {
                "role": {"coding": [{"code": "IRCP"}]},
                "reference": rnd.choice(
                    (
                        {"reference": "Organization/clinic"},
                        {"reference": "Organization/other"},
                        {"identifier": {"system": "urn:salus:member", "value": "clinic"}},
                        *PERSONS,
                    )
                ),
            }
            for _ in range(rnd.randint(1, 2))
        ],
    )
    maybe("purpose", 0.3, lambda: [{"system": REASONS, "code": rnd.choice(("TREAT", "HPAYMT", "ETREAT"))}])
    maybe("securityLabel", 0.25, lambda: [{"code": rnd.choice((*"NRV", *OF_CLASS, *IN_CLASS))}])
    maybe("class", 0.25, lambda: [{"system": TYPES, "code": rnd.choice(("Observation", "Condition", "Patient"))}])
    maybe("code", 0.2, lambda: [{"coding": [{"system": rnd.choice((ICD, "urn:x")), "code": rnd.choice(CODES)}]}])
    maybe(
        "dataPeriod", 0.25, lambda: rnd.choice(({"start": "2021"}, {"end": "2020"}, {"start": "2021", "end": "2021"}))
    )
    maybe(
        "data",
        0.25,
        lambda: [
            {
                "meaning": rnd.choice(("instance", "related", "dependents", "authoredby")),
                "reference": {"reference": rnd.choice(names)},
            }
            for _ in range(rnd.randint(1, 2))
        ],
    )
    if depth < 2 and rnd.random() < 0.6:
        tree["provision"] = [provision(rnd, names, depth + 1) for _ in range(rnd.randint(1, 2))]
    return tree


NPI = "http://hl7.org/fhir/sid/us-npi"
PERSONS = (
    {"reference": "Practitioner/d1"},
    {"reference": "Practitioner/d2"},
    {"reference": "PractitionerRole/r1"},
    {"reference": "CareTeam/t1"},
    {"reference": "CareTeam/t2"},
    {"reference": "Group/away"},
    {"type": "Practitioner", "identifier": {"system": NPI, "value": "1"}},
    {"identifier": {"system": NPI, "value": "2"}},
)
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
CODES = ("8867-4", "F32.1", "J20", "Z21", "F10.2", "O80")


def consent(rnd, own, patient, names):
    """Return a random Consent resource."""
    return {
        "resourceType": "Consent",
        "id": own,
        "status": rnd.choice(("active", "active", "active", "inactive", "rejected")),
        "scope": {"coding": [{"code": rnd.choice(("patient-privacy",) * 5 + ("treatment",))}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{patient}"},
        "provision": provision(rnd, names),
    }
