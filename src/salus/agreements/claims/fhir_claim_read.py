"""A claim, or a request for prior authorisation, from FHIR R4 Claim: ours and those of other systems.

Another system's Claim lacks what only the 837 knows: submitter, receiver, frequency take their usual values. Whether the claim
is sound is for the check at the door to say.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from salus.agreements.claims.fhir_claim import RELATIONS, SEXES
from salus.agreements.claims.fhir_terms import KINDS, REVENUE, X12
from salus.interop.x12.claim import NOBODY, SELF, Adjustment, Claim, Line, LineDecision, OtherPayer, Party, Person
from salus.interop.x12.review import Asked, Review

Tree = Mapping[str, Any]
MEMBER: Final = "urn:salus:member"
"""System of a member's id on the ledger."""
_KIND: Final = {name: letter for letter, name in KINDS.items()}
_SEX: Final = {name: letter for letter, name in SEXES.items()}
_RELATION: Final = {name: code for code, name in RELATIONS.items()}


class UnreadableClaim(ValueError):
    """A Claim that tells no claim: `path` is the element, FHIRPath."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} is missing or of another form")


def read_claim(tree: Tree, others: Sequence[Tree] = ()) -> Claim:
    """Return the claim of a decoded Claim; `others` are the resources of its Bundle. Raises UnreadableClaim."""
    told = _Told(tree, others)
    kind = _KIND.get(_code(_at(tree, "type", dict, "Claim.type")))
    if kind is None:
        raise UnreadableClaim("Claim.type")
    insurances = _list(tree, "insurance")
    focal = next((one for one in insurances if one.get("focal") is True), insurances[0] if insurances else {})
    coverage = told.resource(focal.get("coverage"), "Claim.insurance.coverage")
    patient = told.person(tree.get("patient"), "Claim.patient")
    insured = told.person(coverage.get("subscriber"), "Coverage.subscriber") if coverage.get("subscriber") else patient
    if not insured.member:
        insured = _with_member(insured, str(coverage.get("subscriberId", "")))
    relationship = _relationship(coverage)
    if relationship == SELF and patient != insured and not patient.member:
        patient = _with_member(patient, insured.member)
    payer = told.party(tree.get("insurer") or _first(coverage, "payor"), "Claim.insurer")
    billing = told.party(tree.get("provider"), "Claim.provider")
    extra = _extras(tree)
    lines = tuple(told.line(one) for one in _list(tree, "item"))
    if not lines:
        raise UnreadableClaim("Claim.item")
    span = tree.get("billablePeriod") or {}
    information = [one for one in _list(tree, "supportingInfo") if "timingDate" in one]
    return Claim(
        kind,
        _identifier(tree),
        _cents(tree.get("total"), "Claim.total") if "total" in tree else sum(line.charge for line in lines),
        extra.get("facility", lines[0].place),
        extra.get("frequency", "1"),
        told.referenced("submitter", billing),
        told.referenced("receiver", payer),
        billing,
        payer,
        insured,
        patient,
        relationship,
        tuple(_code(one.get("diagnosisCodeableConcept")).replace(".", "") for one in _list(tree, "diagnosis")),
        lines,
        _day(span.get("start")) or min(line.first for line in lines),
        _day(span.get("end")) or max(line.last for line in lines),
        _extras(coverage).get("rank", "P"),
        _group(coverage),
        _extras(coverage).get("filing", "" if "extension" in coverage else "CI"),
        _first(_first(tree, "related"), "reference").get("value", ""),
        str((focal.get("preAuthRef") or [""])[0]),
        extra.get("trace", ""),
        told.rendering(),
        extra.get("drg") or _code(_first(tree, "diagnosis").get("packageCode")),
        _day(information[0]["timingDate"]) if information else "",
        tuple(told.other(one) for one in insurances if one is not focal),
        extra.get("assigned", "A") == "A",
        (extra.get("admission-type", ""), extra.get("admission-source", ""), extra.get("patient-status", "")),
    )


def read_request(tree: Tree, others: Sequence[Tree] = ()) -> Review:
    """Return what a Claim of use `preauthorization` asks approval for. Raises UnreadableClaim."""
    claim = read_claim(tree, others)
    patient = _with_member(claim.patient, claim.patient.member or claim.subscriber.member)
    services = tuple(Asked(one.procedure, one.units, one.first, one.last) for one in claim.lines)
    return Review(claim.identifier, claim.payer, claim.billing, patient, claim.diagnoses, services)


def insurer_member(tree: Tree, others: Sequence[Tree] = ()) -> tuple[str, str]:
    """Return what an insurer is called on the ledger, if it says so, and in claims. Raises UnreadableClaim."""
    told = _Told(tree, others)
    reference = tree.get("insurer")
    if not reference:
        focal = next((one for one in _list(tree, "insurance") if one.get("focal") is True), _first(tree, "insurance"))
        reference = _first(told.resource(focal.get("coverage"), "Claim.insurance.coverage"), "payor")
    one = told.resource(reference, "Claim.insurer")
    named = [str(each.get("value", "")) for each in _list(one, "identifier") if each.get("system") == MEMBER]
    return (named[0] if named else ""), told.party(reference, "Claim.insurer").identifier


class _Told:
    """One Claim with what it contains and what came beside it."""

    def __init__(self, tree: Tree, others: Sequence[Tree]) -> None:
        self._tree = tree
        self._known: dict[str, Tree] = {f"#{one.get('id')}": one for one in _list(tree, "contained")}
        for one in others:
            self._known[f"{one.get('resourceType')}/{one.get('id')}"] = one
            if "fullUrl" in one:
                self._known[str(one["fullUrl"])] = one

    def resource(self, reference: object, path: str) -> Tree:
        name = reference.get("reference") if isinstance(reference, dict) else None
        found = self._known.get(name) if isinstance(name, str) else None
        if found is None and isinstance(name, str):
            found = self._known.get("/".join(name.split("/")[-2:]))
        if found is None:
            raise UnreadableClaim(path)
        return found

    def person(self, reference: object, path: str) -> Person:
        one = self.resource(reference, path)
        name, extra, address = _first(one, "name"), _extras(one), _first(one, "address")
        member = next((each.get("value", "") for each in _list(one, "identifier")), "")
        return Person(
            str(name.get("family", "")),
            str((name.get("given") or [""])[0]),
            str(member),
            extra.get("birth") or _day(one.get("birthDate")),
            extra.get("sex") or _SEX.get(str(one.get("gender", "")), "U"),
            *_address(address),
        )

    def party(self, reference: object, path: str) -> Party:
        one = self.resource(reference, path)
        names, extra = one.get("name", ""), _extras(one)
        if isinstance(names, list):  # a Practitioner
            name = _first(one, "name")
            names, extra = name.get("family", ""), {"given": str((name.get("given") or [""])[0]), **extra}
        numbers = _list(one, "identifier")
        aside = {X12 + "tax", MEMBER}
        own = [str(each.get("value", "")) for each in numbers if each.get("system") not in aside]
        tax = [str(each.get("value", "")) for each in numbers if each.get("system") == X12 + "tax"]
        phones = [str(each.get("value", "")) for each in _list(one, "telecom") if each.get("system") == "phone"]
        return Party(
            str(names),
            own[0] if own else "",
            extra.get("given", ""),
            tax[0] if tax else "",
            extra.get("taxonomy", ""),
            *_address(_first(one, "address")),
            phones[0] if phones else "",
        )

    def referenced(self, name: str, usual: Party) -> Party:
        for one in _list(self._tree, "extension"):
            if one.get("url") == X12 + name:
                return self.party(one.get("valueReference"), f"Claim.extension('{X12}{name}')")
        return usual

    def rendering(self) -> Party:
        team = [one for one in _list(self._tree, "careTeam") if one.get("responsible") is True]
        return self.party(team[0].get("provider"), "Claim.careTeam.provider") if team else NOBODY

    def line(self, one: Tree) -> Line:
        number = one.get("sequence")
        product, revenue = one.get("productOrService"), _code(one.get("revenue"))
        procedure = "" if _system(product) == REVENUE else _code(product)
        quantity, span, extra = one.get("quantity") or {}, one.get("servicedPeriod") or {}, _extras(one)
        first = _day(span.get("start")) or _day(one.get("servicedDate"))
        if not isinstance(number, int) or not first or not (procedure or revenue):
            raise UnreadableClaim("Claim.item")
        return Line(
            number,
            procedure,
            _cents(one.get("net"), "Claim.item.net"),
            _scaled(quantity.get("value", 1), 3, "Claim.item.quantity"),
            first,
            _day(span.get("end")) or first,
            tuple(_code(each) for each in _list(one, "modifier")),
            str(quantity.get("unit") or "UN"),
            _code(one.get("locationCodeableConcept")),
            revenue,
            tuple(each for each in one.get("diagnosisSequence") or () if isinstance(each, int)),
            self._of_team(one.get("careTeamSequence")),
            extra.get("control", ""),
            extra.get("authorisation", ""),
            tuple(_decision(each) for each in _list(one, "extension") if each.get("url") == X12 + "decision"),
        )

    def _of_team(self, sequences: object) -> Party:
        wanted = sequences[0] if isinstance(sequences, list) and sequences else None
        for one in _list(self._tree, "careTeam"):
            if wanted is not None and one.get("sequence") == wanted:
                return self.party(one.get("provider"), "Claim.careTeam.provider")
        return NOBODY

    def other(self, one: Tree) -> OtherPayer:
        coverage = self.resource(one.get("coverage"), "Claim.insurance.coverage")
        payer = self.party(_first(coverage, "payor"), "Coverage.payor")
        extra = _extras(coverage)
        paid = [each for each in _list(one, "extension") if each.get("url") == X12 + "paid"]
        return OtherPayer(
            extra.get("rank", "P"),
            payer.identifier,
            payer.name,
            str(coverage.get("subscriberId", "")),
            extra.get("subscriber", ""),
            _cents(paid[0].get("valueMoney"), "Claim.insurance.extension") if paid else None,
            _adjustments(one),
            extra.get("filing", ""),
            _relationship(coverage),
            _extras(one).get("decided", ""),
        )


def _list(tree: Tree, name: str) -> list[Tree]:
    found = tree.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _first(tree: Tree, name: str) -> Tree:
    found = tree.get(name)
    if isinstance(found, dict):
        return found
    return next(iter(_list(tree, name)), {})


def _at(tree: Tree, name: str, kind: type, path: str) -> Any:
    found = tree.get(name)
    if not isinstance(found, kind):
        raise UnreadableClaim(path)
    return found


def _code(concept: object) -> str:
    coding = _first(concept, "coding") if isinstance(concept, dict) else {}
    return str(coding.get("code", ""))


def _system(concept: object) -> str:
    coding = _first(concept, "coding") if isinstance(concept, dict) else {}
    return str(coding.get("system", ""))


def _extras(tree: Tree) -> dict[str, str]:
    """Return the extensions of ours that hold a string, by the end of their names."""
    return {
        str(one["url"]).removeprefix(X12): one["valueString"]
        for one in _list(tree, "extension")
        if isinstance(one.get("valueString"), str) and isinstance(one.get("url"), str)
    }


def _identifier(tree: Tree) -> str:
    return str(_first(tree, "identifier").get("value", ""))


def _address(one: Tree) -> tuple[str, str, str, str]:
    line = one.get("line") or [""]
    return str(line[0]), str(one.get("city", "")), str(one.get("state", "")), str(one.get("postalCode", ""))


def _day(text: object) -> str:
    return text[:10].replace("-", "") if isinstance(text, str) and len(text) >= 10 else ""


def _scaled(value: object, places: int, path: str) -> int:
    """Return a number as a scaled integer. Raises UnreadableClaim where it has more places, or is none."""
    try:
        scaled = Decimal(str(value)).scaleb(places)
    except InvalidOperation:
        raise UnreadableClaim(path) from None
    if (
        isinstance(value, bool)
        or not scaled.is_finite()
        or scaled != scaled.to_integral_value()
        or abs(scaled) > 10**15
    ):
        raise UnreadableClaim(path)
    return int(scaled)


def _cents(money: object, path: str) -> int:
    if not isinstance(money, dict) or money.get("currency", "USD") != "USD":
        raise UnreadableClaim(path)
    return _scaled(money.get("value"), 2, path)


def _relationship(coverage: Tree) -> str:
    codings = _list(coverage.get("relationship") or {}, "coding")
    own = [str(one.get("code", "")) for one in codings if one.get("system") == X12 + "relationship"]
    if own:
        return own[0]
    usual = [_RELATION.get(str(one.get("code")), "G8") for one in codings]
    return usual[0] if usual else SELF


def _group(coverage: Tree) -> str:
    return next(
        (str(one.get("value", "")) for one in _list(coverage, "class") if _code(one.get("type")) == "group"), ""
    )


def _with_member(person: Person, member: str) -> Person:
    return Person(person.last, person.first, member, person.birth, person.sex, *_where(person))


def _where(person: Person) -> tuple[str, str, str, str]:
    return person.street, person.city, person.state, person.zip


def _adjustments(tree: Tree) -> tuple[Adjustment, ...]:
    return tuple(
        Adjustment(parts.get("group", ""), parts.get("reason", ""), _amount(one, "amount"))
        for one in _list(tree, "extension")
        if one.get("url") == X12 + "adjustment" and (parts := _extras(one)) is not None
    )


def _amount(tree: Tree, name: str) -> int:
    found = [one.get("valueMoney") for one in _list(tree, "extension") if one.get("url") == name]
    return _cents(found[0] if found else None, f"extension('{name}')")


def _decision(one: Tree) -> LineDecision:
    parts = _extras(one)
    return LineDecision(parts.get("payer", ""), _amount(one, "paid"), parts.get("decided", ""), _adjustments(one))
