"""One HL7 v2 message as one FHIR transaction (HL7 v2-to-FHIR implementation guide): ADT, and results (ORU^R01).

What a message says lies in conditional requests, so that it can be taken in twice: only ADT updates demographics; a
result creates a patient that it alone knows; nothing is sought by a bare number, always by its assigner too.
"""

import hashlib
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from salus.interop.fhir.bundle import urn_of
from salus.interop.hl7v2 import values
from salus.interop.hl7v2.message import Message, Segment, Value
from salus.interop.hl7v2.refusal import DUPLICATE, EVENT, MISSING, PROCESSING, UNSUPPORTED, MessageRefused
from salus.interop.hl7v2.values import Json, Naming
from salus.interop.hl7v2.vocabulary import (
    ALLERGY_CATEGORY,
    CLASS,
    CRITICALITY,
    GENDER,
    MARITAL,
    MARITAL_UNTOLD,
    OBSERVATION,
    REACTION,
    REPORT,
    V2,
    V3,
)

# Trigger event to Encounter.status; "" leaves it to the visit's own times.
ADT: Final = {
    "A01": "in-progress", "A02": "in-progress", "A03": "finished", "A04": "in-progress", "A05": "planned", "A06": "in-progress",
    "A07": "in-progress", "A08": "", "A11": "cancelled", "A12": "in-progress", "A13": "in-progress", "A14": "planned",
    "A21": "onleave", "A22": "in-progress", "A27": "cancelled", "A28": "", "A31": "", "A38": "cancelled",
}  # fmt: skip
MERGES: Final = frozenset({"A18", "A30", "A34", "A35", "A36", "A39", "A40", "A41", "A42", "A43", "A44", "A47", "A49"})
"""Events that join or move identities: a person decides them."""
CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/"
PARTICIPANTS: Final = ((7, "ATND"), (8, "REF"), (9, "CON"), (17, "ADM"))


class Converted(NamedTuple):
    """What a message becomes. bundle: a transaction. lost: fields that hold something and are not carried over.

    report: query of each DiagnosticReport ("identifier=...") with its status and OBR-22, for the rule that a lower
    status never replaces a higher one.
    """

    bundle: Json
    lost: tuple[str, ...]
    reports: tuple[tuple[str, str, str], ...]


def convert(message: Message, naming: Naming, *, test_system: bool = False) -> Converted:
    """Map one message. Raises MessageRefused: an event that is not mapped, no patient, a test message at a live node."""
    kind, event = message.kind
    mode = message.header.text(11, 1).upper()
    if (mode == "P") is test_system or mode not in {"P", "T", "D"}:
        raise MessageRefused(PROCESSING, "MSH-11", "T or D at a test system" if test_system else "P at a live system")
    if kind == "ADT":
        if event in MERGES:
            raise MessageRefused(EVENT, "MSH-9", "an event that joins no identities: those wait for a person")
        if event not in ADT:
            raise MessageRefused(EVENT, "MSH-9", "one of the events " + ", ".join(sorted(ADT)))
    elif (kind, event) != ("ORU", "R01"):
        raise MessageRefused(UNSUPPORTED, "MSH-9", "ADT or ORU^R01")
    return _Conversion(message, naming).run(kind, event)


class _Conversion:
    """The work on one message."""

    def __init__(self, message: Message, naming: Naming) -> None:
        self.message = message
        self.naming = naming
        self.entries: list[Json] = []
        self.lost: list[str] = []
        self.reports: list[tuple[str, str, str]] = []
        self._seed = "|".join(message.header.raw(field) for field in (3, 4, 7, 10))
        self._made = 0

    def run(self, kind: str, event: str) -> Converted:
        person = self.message.first("PID")
        if person is None:
            raise MessageRefused(MISSING, "PID", "a PID segment")
        who = self._patient(person, update=kind == "ADT")
        visit = self._encounter(event if kind == "ADT" else "", who)
        if kind == "ADT":
            self._diagnoses(who, visit)
            self._allergies(who)
            self._relatives(who)
        else:
            self._results(who, visit)
        self.lost += [
            f"segment {one.name}" for one in self.message.segments
            if one.name not in {"MSH", "EVN", "PID", "PD1", "PV1", "PV2", "DG1", "AL1", "NK1", "OBR", "OBX", "NTE", "ORC", "SFT"}
        ]  # fmt: skip
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": self.entries}
        return Converted(bundle, tuple(dict.fromkeys(self.lost)), tuple(self.reports))

    def _address(self) -> str:
        """Return a urn:uuid for an entry, the same whenever the same message is mapped."""
        self._made += 1
        return urn_of(f"{self._seed}|{self._made}")

    def _put(self, resource: Json, identifier: Json, *, update: bool) -> str:
        """Add a conditional update, or a conditional creation, by an identifier; return where it can be referred to."""
        address = self._address()
        token = quote(f"{identifier['system']}|{_escaped(identifier['value'])}", safe="")
        kind = resource["resourceType"]
        request: Json = {"method": "PUT", "url": f"{kind}?identifier={token}"}
        if not update:
            request = {"method": "POST", "url": kind, "ifNoneExist": f"identifier={token}"}
        self.entries.append({"fullUrl": address, "resource": resource, "request": request})
        return address

    # Patient and visit --------------------------------------------------------------------------------------------

    def _patient(self, pid: Segment, *, update: bool) -> str:
        naming = self.naming
        numbers = [one for value in pid.repetitions(3) if (one := naming.identifier(value))]
        if not numbers:
            raise MessageRefused(MISSING, "PID-3", "at least one identifier of the patient")
        primary = next((one for one in numbers if _type(one) == "MR"), numbers[0])
        if pid.text(18):
            self.lost.append("PID-18")
        told: Json = {
            "resourceType": "Patient",
            "identifier": numbers,
            "name": [one for value in pid.repetitions(5) if (one := values.name(value))],
            "telecom": [one for value in pid.repetitions(13) if (one := values.telecom(value, "home"))]
            + [one for value in pid.repetitions(14) if (one := values.telecom(value, "work"))],
            "gender": GENDER.get(pid.text(8).upper(), ""),
            "birthDate": naming.date(pid.text(7)),
            "address": [one for value in pid.repetitions(11) if (one := values.address(value))],
        }
        for system, codes in (("MaritalStatus", MARITAL), ("NullFlavor", MARITAL_UNTOLD)):
            if code := codes.get(pid.text(16).upper()):
                told["maritalStatus"] = {"coding": [{"system": V3 + system, "code": code}]}
        language = naming.concept(pid.first(15))
        if language:
            told["communication"] = [{"language": language, "preferred": True}]
        death = naming.moment(pid.text(29))
        if death:
            told["deceasedDateTime"] = death
        elif pid.text(30).upper() in {"Y", "N"}:
            told["deceasedBoolean"] = pid.text(30).upper() == "Y"
        order = values.number(pid.text(25))
        if isinstance(order, int):
            told["multipleBirthInteger"] = order
        self._leftover(pid, {1, 2, 3, 4, 5, 7, 8, 11, 13, 14, 15, 16, 18, 24, 25, 29, 30})
        return self._put(_filled(told), primary, update=update)

    def _encounter(self, event: str, who: str) -> str:
        """Map PV1; a visit without a number cannot be told from another one and is not kept."""
        pv1 = self.message.first("PV1")
        if pv1 is None:
            return ""
        number = self.naming.identifier(pv1.first(19))
        if not number:
            self.lost.append("PV1 (no visit number in PV1-19)")
            return ""
        start, end = self.naming.moment(pv1.text(44)), self.naming.moment(pv1.text(45))
        status = ADT.get(event) or ("finished" if end else "planned" if pv1.text(2).upper() == "P" else "in-progress")
        code = pv1.text(2).upper() or "U"
        mapped = CLASS.get(code)
        told: Json = {
            "resourceType": "Encounter",
            "identifier": [number],
            "status": status,
            "class": {"system": f"{V3}ActCode", "code": mapped} if mapped else {"system": f"{V2}0004", "code": code},
            "type": [one for one in [self.naming.concept(pv1.first(4))] if one],
            "subject": {"reference": who},
            "participant": self._participants(pv1),
            "period": _filled({"start": start, "end": end}),
            "location": [{"location": {"display": place}} for place in [_place(pv1.first(3))] if place],
        }
        self._leftover(pv1, {1, 2, 3, 4, 7, 8, 9, 17, 19, 44, 45})
        return self._put(_filled(told), number, update=bool(event))

    def _participants(self, pv1: Segment) -> list[Json]:
        found = []
        for field, role in PARTICIPANTS:
            for value in pv1.repetitions(field):
                person = _doctor(value, self.naming)
                if person:
                    code = {"coding": [{"system": f"{V3}ParticipationType", "code": role}]}
                    found.append({"type": [code], "individual": person})
        return found

    def _diagnoses(self, who: str, visit: str) -> None:
        for place, dg1 in enumerate(self.message.all("DG1"), 1):
            concept = self.naming.concept(dg1.first(3)) or _filled({"text": dg1.text(4)})
            if not concept:
                continue
            identifier = self._own("diagnosis", place, dg1.raw(3))
            told: Json = {
                "resourceType": "Condition",
                "identifier": [identifier],
                "clinicalStatus": {"coding": [{"system": f"{CLINICAL}condition-clinical", "code": "active"}]},
                "category": [{"coding": [{"system": f"{CLINICAL}condition-category", "code": "encounter-diagnosis"}]}],
                "code": concept,
                "subject": {"reference": who},
                "encounter": {"reference": visit} if visit else {},
                "recordedDate": self.naming.moment(dg1.text(5)),
            }
            self._leftover(dg1, {1, 2, 3, 4, 5, 6})
            self._put(_filled(told), identifier, update=True)

    def _allergies(self, who: str) -> None:
        for al1 in self.message.all("AL1"):
            concept = self.naming.concept(al1.first(3))
            if not concept:
                continue
            identifier = self._own("allergy", 0, al1.raw(3))
            severity = al1.text(4).upper()
            category = ALLERGY_CATEGORY.get(al1.text(2).upper())
            reactions = [one for value in al1.repetitions(5) if (one := self.naming.concept(value))]
            told: Json = {
                "resourceType": "AllergyIntolerance",
                "identifier": [identifier],
                "clinicalStatus": {"coding": [{"system": f"{CLINICAL}allergyintolerance-clinical", "code": "active"}]},
                "category": [category] if category else [],
                "criticality": CRITICALITY.get(severity, ""),
                "code": concept,
                "patient": {"reference": who},
                "onsetDateTime": self.naming.moment(al1.text(6)),
                "reaction": [_filled({"manifestation": reactions, "severity": REACTION.get(severity, "")})]
                if reactions
                else [],
            }
            self._put(_filled(told), identifier, update=True)

    def _relatives(self, who: str) -> None:
        for nk1 in self.message.all("NK1"):
            names = [one for value in nk1.repetitions(2) if (one := values.name(value))]
            if not names:
                continue
            identifier = self._own("relative", 0, nk1.raw(2))
            relation = self.naming.concept(nk1.first(3))
            told: Json = {
                "resourceType": "RelatedPerson",
                "identifier": [identifier],
                "patient": {"reference": who},
                "relationship": [relation] if relation else [],
                "name": names,
                "telecom": [one for value in nk1.repetitions(5) if (one := values.telecom(value, "home"))],
                "address": [one for value in nk1.repetitions(4) if (one := values.address(value))],
            }
            self._leftover(nk1, {1, 2, 3, 4, 5})
            self._put(_filled(told), identifier, update=True)

    def _own(self, what: str, place: int, content: str) -> Json:
        """Return an identifier for what v2 gives none: of the patient's number, its content and its place."""
        person = self.message.first("PID")
        seed = "|".join((person.raw(3) if person else "", str(place), content))
        digest = hashlib.sha256(seed.encode()).hexdigest()[:32]
        return {"system": f"urn:salus:v2:{self.naming.facility}:{what}", "value": digest}

    # Results ------------------------------------------------------------------------------------------------------

    def _results(self, who: str, visit: str) -> None:
        order: Segment | None = None
        group: list[Segment] = []
        common: Segment | None = None
        for one in [*self.message.segments, None]:
            if one is None or one.name in {"OBR", "ORC"}:
                if order is not None:
                    self._report(order, common, group, who, visit)
                    order, group, common = None, [], None
                if one is not None and one.name == "ORC":
                    common = one
                elif one is not None:
                    order = one
            elif order is not None and one.name in {"OBX", "NTE"}:
                group.append(one)
        if not self.reports:
            raise MessageRefused(MISSING, "OBR", "at least one OBR segment")

    def _report(self, obr: Segment, orc: Segment | None, group: list[Segment], who: str, visit: str) -> None:
        naming = self.naming
        filler = naming.entity(obr.first(3)) or (naming.entity(orc.first(3)) if orc else {})
        placer = naming.entity(obr.first(2)) or (naming.entity(orc.first(2)) if orc else {})
        identifier = filler or placer
        if not identifier:
            raise MessageRefused(MISSING, "OBR-3", "a filler or placer order number")
        status = REPORT.get(obr.text(25).upper())
        if status is None:
            raise MessageRefused(
                MISSING if not obr.text(25) else UNSUPPORTED, "OBR-25", "a result status of table 0123"
            )
        code = naming.concept(obr.first(4))
        if not code:
            raise MessageRefused(MISSING, "OBR-4", "what was ordered")
        start, end, issued = naming.moment(obr.text(7)), naming.moment(obr.text(8)), naming.instant(obr.text(22))
        when: Json = (
            {"effectivePeriod": {"start": start, "end": end}} if start and end else {"effectiveDateTime": start}
        )
        key = (identifier["system"], identifier["value"])
        results = self._observations(group, key, when, who, visit)
        told: Json = {
            "resourceType": "DiagnosticReport",
            "identifier": [
                {**one, "type": {"coding": [{"system": f"{V2}0203", "code": kind}]}}
                for one, kind in ((placer, "PLAC"), (filler, "FILL")) if one
            ],
            "status": status,
            "category": [{"coding": [{"system": f"{V2}0074", "code": obr.text(24)}]}] if obr.text(24) else [],
            "code": code,
            "subject": {"reference": who},
            "encounter": {"reference": visit} if visit else {},
            **when,
            "issued": issued,
            "resultsInterpreter": [],
            "result": [{"reference": one} for one in results],
            "conclusion": "\n".join(_notes(group, before_first=True)),
        }  # fmt: skip
        self._leftover(obr, {1, 2, 3, 4, 7, 8, 22, 24, 25})
        token = quote(f"{identifier['system']}|{_escaped(identifier['value'])}", safe="")
        if any(
            query == f"identifier={token}" for query, _, _ in self.reports
        ):  # the second would take the first's place
            raise MessageRefused(DUPLICATE, "OBR-3", "each order number in one OBR")
        self._put(_filled(told), identifier, update=True)
        self.reports.append((f"identifier={token}", status, issued))

    def _observations(self, group: list[Segment], key: tuple[str, str], when: Json, who: str, visit: str) -> list[str]:
        out = []
        for place, one in enumerate(group):
            if one.name != "OBX":
                continue
            code = self.naming.concept(one.first(3))
            status = OBSERVATION.get(one.text(11).upper() or "F")
            if not code or status is None:
                raise MessageRefused(MISSING, "OBX-11" if code else "OBX-3", "an observation's code and status")
            own = self.naming.moment(one.text(14))
            digest = hashlib.sha256(
                "|".join((*key, one.text(3, 1) or one.text(3, 2), one.text(4))).encode()
            ).hexdigest()
            identifier = {"system": f"urn:salus:v2:{self.naming.facility}:result", "value": digest[:32]}
            told: Json = {
                "resourceType": "Observation",
                "identifier": [identifier],
                "status": status,
                "code": code,
                "subject": {"reference": who},
                "encounter": {"reference": visit} if visit else {},
                **({"effectiveDateTime": own} if own else when),
                **self._value(one),
                "interpretation": [
                    {"coding": [{"system": f"{V3}ObservationInterpretation", "code": flag.text(1)}]}
                    for flag in one.repetitions(8) if flag.text(1)
                ],
                "note": [{"text": text} for text in _notes(group[place + 1 :])],
                "referenceRange": [{"text": one.text(7)}] if one.text(7) else [],
            }  # fmt: skip
            self._leftover(one, {1, 2, 3, 4, 5, 6, 7, 8, 11, 14})
            out.append(self._put(_filled(told), identifier, update=True))
        return out

    def _value(self, obx: Segment) -> Json:
        """Return value[x] by the type that OBX-2 names; what does not read as it is kept as text."""
        kind, repeated = obx.text(2).upper(), obx.repetitions(5)
        if not repeated:
            if obx.text(11).upper() == "X":
                return {"dataAbsentReason": {"coding": [{"system": f"{CLINICAL}data-absent-reason", "code": "error"}]}}
            return {}
        value = repeated[0]
        found: Json = {}
        amount = values.number(value.text(1))
        if kind == "NM" and amount is not None:
            found = {"valueQuantity": values.quantity(amount, obx.first(6))}
        elif kind == "SN":
            found = _structured(value, obx.first(6))
        elif kind in {"CWE", "CE", "CNE", "CF", "IS", "ID"} and len(repeated) == 1:
            concept = self.naming.concept(value)
            found = {"valueCodeableConcept": concept} if concept else {}
        elif kind in {"DT", "DTM", "TS"} and (moment := self.naming.moment(value.text(1))):
            found = {"valueDateTime": moment}
        if not found and kind in {"ED", "RP"}:
            self.lost.append("OBX-5 (a document)")
            return {}
        return found or _filled({"valueString": "\n".join(_whole(one) for one in repeated)})

    def _leftover(self, segment: Segment, carried: set[int]) -> None:
        for field in range(1, 60):
            if field not in carried and segment.raw(field):
                self.lost.append(f"{segment.name}-{field}")


def _structured(value: Value, unit: Value) -> Json:
    """Return an SN: a comparison, a range or a ratio (2.A.71)."""
    sign, separator = value.text(1), value.text(3)
    first, second = values.number(value.text(2)), values.number(value.text(4))
    if first is None:
        return {}
    if separator == "-" and second is not None:
        return {"valueRange": {"low": values.quantity(first, unit), "high": values.quantity(second, unit)}}
    if separator in {":", "/"} and second is not None:
        return {"valueRatio": {"numerator": {"value": first}, "denominator": {"value": second}}}
    if sign in {"", "=", "<", ">", "<=", ">="} and not separator:
        return {"valueQuantity": values.quantity(first, unit, sign.replace("=", "") if sign == "=" else sign)}
    return {}


def _whole(value: Value) -> str:
    return " ".join(part for part in (value.text(place) for place in range(1, 8)) if part)


def _notes(group: list[Segment], *, before_first: bool = False) -> list[str]:
    """Return the notes that follow a segment, up to the next result; or those before the first result."""
    out = []
    for one in group:
        if one.name == "OBX":
            break
        if one.name == "NTE":
            text = "\n".join(_whole(value) for value in one.repetitions(3))
            out += [text] if text.strip() else []
    return out if before_first or out else []


def _doctor(value: Value, naming: Naming) -> Json:
    """Return an XCN as a Reference by identifier and name: people of staff are not created by messages."""
    identifier = naming.identifier(value, 9, 13)
    display = " ".join(part for part in (value.text(6), value.text(3), value.text(2)) if part)
    return _filled({"identifier": identifier, "display": display})


def _place(value: Value) -> str:
    """Return a PL as one line: facility, point of care, room, bed."""
    return " ".join(part for part in (value.text(4), value.text(1), value.text(2), value.text(3)) if part)


def _type(identifier: Json) -> str:
    codings = identifier.get("type", {}).get("coding", [{}])
    return str(codings[0].get("code", ""))


def _escaped(text: str) -> str:
    """Escape what search would read as its own signs (R4 3.1.1.4.1)."""
    for sign in ("\\", "$", ",", "|"):
        text = text.replace(sign, "\\" + sign)
    return text


def _filled(told: dict[str, Any]) -> Json:
    """Return a tree without what holds nothing."""
    return {key: one for key, one in told.items() if one not in ("", [], {}, None)}
