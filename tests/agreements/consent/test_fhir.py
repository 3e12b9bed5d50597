"""FHIR Consent: what each element means, in both base forms, against a second reading; and what never widens."""

import random

import pytest

from salus.agreements.consent.conditions import Row, holds
from salus.agreements.consent.decide import Asker, PolicyClass, Provision, decide, decide_within
from salus.agreements.consent.fhir import MAX_PROVISIONS, in_force, narrowing, read_consent
from salus.interop.fhir.facts import facts
from salus.interop.fhir.gate import read_resource
from tests.agreements.consent.oracle import CODES, ICD, REASONS, TYPES, answer, consent

NAMES = frozenset({"Organization/clinic", "urn:salus:member|clinic", "urn:oid:1|77"})
ASKER = Asker("clinic", "physician", "TREAT", 500, NAMES)
EVERYTHING = (Provision("all", "permit", sensitivities=tuple(range(11))),)
ROW = Row(
    1_600_000_000_000,
    1_600_000_001_000,
    frozenset({(ICD, "J20")}),
    "Observation/1",
    "e1",
    frozenset({"Encounter/e1", "Practitioner/d1"}),
    frozenset({"DiagnosticReport/r1"}),
    frozenset({"Practitioner/d1"}),
)
CLASS = PolicyClass("Observation", 2, "", ("N",))


def written(provision, **more):
    return {
        "resourceType": "Consent",
        "id": "c",
        "status": "active",
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "patient": {"reference": "Patient/p"},
        "provision": provision,
        **more,
    }


def permitted(*trees, asker=ASKER, row_class=CLASS, row=ROW):
    terms = in_force([read_consent(tree) for tree in trees], asker)
    return holds(decide(terms, asker, row_class).residual, row)


def coded(code, system=""):
    return {"coding": [{"system": system, "code": code}]}


RECIPIENT = coded("IRCP")
CLINIC = {"role": RECIPIENT, "reference": {"reference": "Organization/clinic"}}
FITS = {
    "period": {"start": "1969", "end": "1971"},
    "actor": [CLINIC],
    "actor by another identifier": [{"role": RECIPIENT, "reference": {"identifier": {"system": "urn:oid:1", "value": "77"}}}],
    "actor as one of several": [{"role": RECIPIENT, "reference": {"reference": "Organization/x"}}, CLINIC],
    "actor by role": [{"role": coded("physician", "urn:salus:role"), "reference": {"reference": "Organization/clinic"}}],
    "action": [coded("access")],
    "purpose": [{"system": REASONS, "code": "TREAT"}],
    "securityLabel": [{"code": "N"}],
    "class": [{"system": TYPES, "code": "Observation"}],
    "class of content": [{"system": ICD, "code": "J20"}],
    "class of either": [{"system": ICD, "code": "J20"}, {"system": TYPES, "code": "Patient"}],
    "code": [coded("J20", ICD)],
    "code in any system": [{"coding": [{"code": "J20"}]}],
    "dataPeriod": {"start": "2020-09", "end": "2020"},
    "data": [{"meaning": "instance", "reference": {"reference": "Observation/1"}}],
    "data related": [{"meaning": "related", "reference": {"reference": "Encounter/e1"}}],
    "data that refers": [{"meaning": "related", "reference": {"reference": "DiagnosticReport/r1"}}],
    "data dependents": [{"meaning": "dependents", "reference": {"reference": "https://x/fhir/Encounter/e1/_history/2"}}],
    "data authoredby": [{"meaning": "authoredby", "reference": {"reference": "Practitioner/d1"}}],
}  # fmt: skip
MISSES = {
    "period": {"end": "1969"},
    "period that begins later": {"start": "1971"},
    "actor": [{"role": RECIPIENT, "reference": {"reference": "Organization/x"}}],
    "actor of another role": [{"role": coded("nurse", "urn:salus:role"), "reference": {"reference": "Organization/clinic"}}],
    "action": [coded("collect")],
    "purpose": [{"system": REASONS, "code": "HPAYMT"}],
    "securityLabel": [{"code": "PSY"}],
    "class": [{"system": TYPES, "code": "Condition"}],
    "code": [coded("J21", ICD)],
    "code of another system": [coded("J20", "urn:x")],
    "dataPeriod": {"start": "2021"},
    "data": [{"meaning": "instance", "reference": {"reference": "Observation/2"}}],
    "data dependents": [{"meaning": "dependents", "reference": {"reference": "DiagnosticReport/r1"}}],
    "data authoredby": [{"meaning": "authoredby", "reference": {"reference": "Encounter/e1"}}],
}  # fmt: skip


@pytest.mark.parametrize("name", FITS)
def test_an_axis_that_is_met_in_both_base_forms(name):
    axis = {name.split(" ")[0]: FITS[name]}
    assert read_consent(written({"type": "permit", **axis})).unread == ()
    assert permitted(written({"type": "permit", **axis}))
    assert permitted(written({"type": "deny", "provision": [{"type": "permit", **axis}]}))
    assert not permitted(written({"type": "permit", "provision": [{"type": "deny", **axis}]}))


@pytest.mark.parametrize("name", MISSES)
def test_an_axis_that_is_not_met_in_both_base_forms(name):
    axis = {name.split(" ")[0]: MISSES[name]}
    assert not permitted(written({"type": "permit", **axis}))
    assert not permitted(written({"type": "deny", "provision": [{"type": "permit", **axis}]}))
    assert permitted(written({"type": "permit", "provision": [{"type": "deny", **axis}]}))


UNREAD = {
    "purpose": [{"system": "urn:x", "code": "y"}],
    "period": {"start": "yesterday"},
    "dataPeriod": {"start": "yesterday"},
    "code": [{"text": "what I told you"}],
    "class": [{"system": TYPES, "code": "Everything"}],
    "action": [coded("y", "urn:x")],
    "securityLabel": [{"display": "secret"}],
    "data": [{"meaning": "instance", "reference": {"display": "the letter"}}],
    "actor": [{"role": RECIPIENT, "reference": {"display": "my doctor"}}],
    "modifierExtension": [{"url": "urn:x"}],
}


@pytest.mark.parametrize("element", UNREAD)
def test_what_is_not_understood_permits_nothing_and_denies_all(element):
    axis = {element: UNREAD[element]}
    for provision in (
        {"type": "permit", **axis},
        {"type": "deny", "provision": [{"type": "permit", **axis}]},
        {"type": "permit", "provision": [{"type": "deny", **axis}]},
    ):
        found = read_consent(written(provision))
        assert any(path.partition(f".{element}")[1] for path in found.unread)
        assert not permitted(written(provision))


def told(*names, known=()):
    return Asker("clinic", "physician", "TREAT", 500, NAMES | set(names), known=frozenset(known))


BOUND = ("Practitioner/d1", "http://hl7.org/fhir/sid/us-npi|1")
KNOWN = ("Practitioner/", "PractitionerRole/", "http://hl7.org/fhir/sid/us-npi|", "CareTeam/t2")
PERSONS = {
    "Practitioner/d1": ({"reference": "Practitioner/d1"}, "is"),
    "Practitioner/d2": ({"reference": "Practitioner/d2"}, "is not"),
    "a role when she has none": ({"reference": "PractitionerRole/r"}, "is not"),
    "her number": ({"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1"}}, "is"),
    "another's number": ({"type": "Practitioner", "identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": "2"}}, "is not"),
    "a number of a kind unknown of her": ({"type": "Practitioner", "identifier": {"system": "http://x", "value": "2"}}, "unknown"),
    "a number of nobody says whose": ({"identifier": {"system": "urn:oid:1", "value": "78"}}, "unknown"),
    "an organisation's number": ({"type": "Organization", "identifier": {"system": "urn:oid:1", "value": "78"}}, "is not"),
    "a team that is not here": ({"reference": "CareTeam/t1"}, "unknown"),
    "a team without her": ({"reference": "CareTeam/t2"}, "is not"),
}  # fmt: skip


@pytest.mark.parametrize("name", PERSONS)
def test_whom_an_actor_names(name):
    reference, is_she = PERSONS[name]
    actor = [{"role": RECIPIENT, "reference": reference}]
    asker = told(*BOUND, known=KNOWN)
    assert permitted(written({"type": "permit", "actor": actor}), asker=asker) is (is_she == "is")
    denied = written({"type": "permit", "provision": [{"type": "deny", "actor": actor}]})
    assert permitted(denied, asker=asker) is (is_she == "is not")
    nobody = told()
    impersonal = reference.get("type") == "Organization"
    assert not permitted(written({"type": "permit", "actor": actor}), asker=nobody)
    assert permitted(denied, asker=nobody) is impersonal


def test_a_role_in_other_words_is_met_in_a_deny_alone():
    def denied(who):
        actor = [{"role": coded("OPH", "urn:hospital:roles"), "reference": {"reference": who}}]
        return not permitted(
            written({"type": "permit", "provision": [{"type": "deny", "actor": actor}]}),
            asker=told(*BOUND, known=KNOWN),
        )

    assert denied("Practitioner/d1")
    assert not denied("Practitioner/d2")
    assert denied("Organization/clinic")
    assert not denied("Organization/other")


@pytest.mark.parametrize(
    ("rule", "says"),
    [("OPTIN", True), ("OPTOUT", False)],
)
def test_a_consent_whose_policy_is_its_whole_rule(rule, says):
    tree = written(None, policyRule=coded(rule, "http://terminology.hl7.org/CodeSystem/v3-ActCode"))
    assert permitted(tree) is says
    assert read_consent(tree).counts


@pytest.mark.parametrize(
    "more",
    [
        {"status": "proposed"},
        {"status": "rejected"},
        {"status": "inactive"},
        {"scope": coded("treatment")},
        {"scope": coded("research")},
        {"provision": None},
    ],
)
def test_what_does_not_count(more):
    deny = {**written({"type": "deny"}), **more}
    assert not read_consent(deny).counts
    assert permitted(written({"type": "permit"}), deny)


def test_an_emergency_is_ruled_by_what_speaks_of_it():
    emergency = Asker("clinic", "physician", "BTG", 500, NAMES)
    refusal = written({"type": "deny"})
    spoken = written(
        {"type": "permit", "provision": [{"type": "deny", "purpose": [{"system": REASONS, "code": "BTG"}]}]}
    )

    def within(*trees):
        consents = in_force([read_consent(tree) for tree in trees], emergency)
        return decide_within(EVERYTHING, EVERYTHING, consents, emergency, CLASS).effect

    assert within(refusal) == "permit"
    assert within(spoken) == "deny"
    assert within(refusal, spoken) == "deny"


def test_labels_and_classes():
    sensitive = PolicyClass("Condition", 9, "", ())
    both = PolicyClass("Condition", 10, "", ("urn:salus:sensitivity|mental-health",))
    hiv = PolicyClass("Condition", 8, "", ("HIV",))
    std = PolicyClass("Condition", 8, "", ())

    def told(effect, label, row_class):
        tree = {"type": effect, "securityLabel": [{"code": label}]}
        if effect == "deny":
            return permitted(
                written({"type": "permit", "securityLabel": [{"code": "ETH"}, {"code": "V"}], "provision": [tree]}),
                row_class=row_class,
            )
        return permitted(written(tree), row_class=row_class)

    assert told("permit", "PSY", sensitive)
    assert not told("deny", "PSY", sensitive)
    assert not told("deny", "PSY", both)
    assert told("permit", "ETH", both)
    assert not told("permit", "N", sensitive)
    assert told("permit", "R", sensitive)
    assert not told("deny", "R", sensitive)
    assert told("deny", "V", sensitive)
    assert told("permit", "HIV", hiv)
    assert not told("permit", "HIV", std)
    assert not told("deny", "HIV", std)


def test_a_deny_of_a_purpose_covers_its_parts():
    billing = Asker("clinic", "clerk", "COVAUTH", 500, NAMES)
    payment = [{"system": REASONS, "code": "HPAYMT"}]
    assert not permitted(
        written({"type": "permit", "provision": [{"type": "deny", "purpose": payment}]}), asker=billing
    )
    assert not permitted(written({"type": "permit", "purpose": payment}), asker=billing)


def test_a_flood_of_provisions_is_cut_to_a_deny():
    wide = written({"type": "permit", "provision": [{"type": "permit"}] * MAX_PROVISIONS})
    deep = {"type": "permit"}
    for _ in range(30):
        deep = {"type": "permit", "provision": [deep]}
    for tree in (wide, written(deep)):
        assert read_consent(tree).unread
        assert not permitted(tree)


# -- generated: against the second reading, and what never widens --------------------------------------------------


def resource(rnd):
    tree = {
        "resourceType": "Observation",
        "id": "1",
        "status": "final",
        "code": {"coding": [{"system": ICD, "code": rnd.choice(CODES)}]},
        "subject": {"reference": "Patient/p"},
        "performer": [{"reference": rnd.choice(("Organization/org0", "Practitioner/d1"))}],
    }
    if rnd.random() < 0.7:
        tree["effectiveDateTime"] = rnd.choice(("2019", "2020-05", "2021-06-01"))
    if rnd.random() < 0.5:
        tree["meta"] = {"security": [{"code": rnd.choice(("N", "R", "V", "PSY", "HIV"))}]}
    return tree


def row_of(rnd):
    import msgspec  # noqa: PLC0415 -- used here alone

    found = facts(read_resource(msgspec.json.encode(resource(rnd))), {})
    rank = rnd.choice((0, 2, 8, 9, 10))
    referred = {"Observation/2"} if rnd.random() < 0.3 else set()
    labels = tuple(one.code for one in found.security)
    told = {"facts": found, "rank": rank, "classes": {rank}, "labels": labels, "referred": referred}
    row = Row(
        found.lo, found.hi, frozenset((one.system, one.code) for one in found.codes), "Observation/1", "",
        frozenset(found.references), frozenset(referred), frozenset(found.authors),
    )  # fmt: skip
    return told, PolicyClass("Observation", rank, found.author, labels), row


DATA = ("Observation/1", "Observation/2", "Organization/org0", "Practitioner/d1", "Patient/p")


@pytest.mark.parametrize("seed", range(4))
def test_a_second_reading_agrees_and_nothing_widens(seed):
    rnd = random.Random(seed)
    for _ in range(300):
        trees = [consent(rnd, f"c{at}", "p", DATA) for at in range(rnd.randint(1, 3))]
        told, row_class, row = row_of(rnd)
        purpose = rnd.choice(("TREAT", "HPAYMT", "ETREAT"))
        names, known = rnd.choice((((), ()), (BOUND, KNOWN)))
        asker = Asker("clinic", "physician", purpose, 500, NAMES | set(names), known=frozenset(known))
        assert permitted(*trees, asker=asker, row_class=row_class, row=row) == (answer(trees, asker, told) == "permit")

        mixed = rnd.sample(trees, len(trees))
        assert permitted(*mixed, asker=asker, row_class=row_class, row=row) == permitted(
            *trees, asker=asker, row_class=row_class, row=row
        )

        def within(some, asker=asker, row_class=row_class, row=row):
            consents = in_force([read_consent(tree) for tree in some], asker)
            return holds(decide_within(EVERYTHING, EVERYTHING, consents, asker, row_class).residual, row)

        more = consent(rnd, "more", "p", DATA)
        more["provision"]["type"] = "deny"
        more["provision"].pop("provision", None)
        assert within([*trees, more]) <= within(trees)
        assert permitted(*trees, more, asker=asker, row_class=row_class, row=row) <= permitted(
            *trees, asker=asker, row_class=row_class, row=row
        )


@pytest.mark.parametrize("seed", range(2))
def test_what_was_made_for_another_record_of_the_patient_only_denies(seed):
    rnd = random.Random(seed)
    for _ in range(300):
        trees, other = [consent(rnd, "c", "p", DATA)], consent(rnd, "o", "p", DATA)
        told, row_class, row = row_of(rnd)
        asker = Asker("clinic", "physician", rnd.choice(("TREAT", "HPAYMT", "ETREAT")), 500, NAMES)
        terms = in_force([read_consent(trees[0]), narrowing(read_consent(other))], asker)
        expected = answer(trees, asker, told) == "permit" and answer([other], asker, told) != "deny"
        assert holds(decide(terms, asker, row_class).residual, row) == expected
