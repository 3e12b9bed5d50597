"""Generated questions under random terms, against an oracle that filters an unfiltered store in plain Python.

The oracle decides every resource by itself and answers from those that are left; the index decides per policy class
inside the statement. Members of pages, totals, orders, includes, chains, `_has` and histories must agree.
"""

import random
from urllib.parse import parse_qsl

import msgspec
import pytest

from salus.agreements.consent.conditions import Row, holds
from salus.agreements.consent.decide import Asker, PolicyClass, Provision, decide
from salus.index.index import Index, shipped_rules
from salus.index.search_scope import Realm
from salus.index.source import Entry
from salus.interop.fhir.facts import facts
from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.search.query import read_query
from salus.interop.fhir.sensitivity import classes, classify
from tests.agreements.consent.oracle import answer, consent

NAMES = frozenset({"Organization/clinic", "urn:salus:member|clinic"})
NPI = "http://hl7.org/fhir/sid/us-npi"
ASKER = Asker("clinic", "physician", "TREAT", 500, NAMES)
RULES = shipped_rules()
HOUSE, *PATIENTS = (bytes([n]) * 16 for n in range(6))
LEASES = (bytes([9]) * 16, bytes([10]) * 16)
CODES = ("8867-4", "F32.1", "J20", "Z21", "F10.2", "O80")
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
YEARS = ("2020", "2021-03", "2022-05-06", None)
STATUSES = ("final", "amended")
LETTERS = ("ada", "bob", "cyd")
UCUM = "http://unitsofmeasure.org"
GRAMS = {"g": 1_000_000, "mg": 1_000, "ug": 1}
"""Units of one dimension, as micrograms."""
WORDS = ("asthma", "Ödem", "stable")
XHTML = "http://www.w3.org/1999/xhtml"


class Listed:
    def __init__(self, entries):
        self.entries = entries

    def after(self, number, limit):
        return [entry for entry in self.entries if entry.number > number][:limit]


class World:
    """Resources of some patients, with versions and deletions: as entries for the index, and as trees for the oracle."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.entries = []
        self.versions = {}
        for number in range(2):
            self.write(HOUSE, {"resourceType": "Organization", "id": f"org{number}", "name": LETTERS[number]})
        self.staff()
        for at, link in enumerate((*PATIENTS, *LEASES)):
            own = f"p{at}"
            self.write(
                link,
                {
                    "resourceType": "Patient",
                    "id": own,
                    "name": [{"family": self.random.choice(LETTERS)}],
                    "managingOrganization": {"reference": f"Organization/org{at % 2}"},
                },
            )
            for count in range(self.random.randint(2, 8)):
                self.clinical(link, own, f"{own}-{count}")
            self.listed(link, own)
            names = [name for of_link, name in self.versions if of_link == link] + ["Organization/org0"]
            for count in range(self.random.randint(0, 2) if link not in LEASES else 0):
                self.write(link, consent(self.random, f"c{at}-{count}", own, names))
        for link, name in list(self.versions):
            kind, _, own = name.partition("/")
            if kind in {"Observation", "Condition"} and self.random.random() < 0.2:
                self.clinical(link, own.partition("-")[0], own)
            if kind in {"Observation", "Condition", "Consent"} and self.random.random() < 0.1:
                self.write(link, None, name)

    def staff(self):
        """Write two persons of the clinic, and at random their roles, a group and a care team."""
        clinic = [{"system": "urn:salus:member", "value": "clinic"}]
        self.write(HOUSE, {"resourceType": "Organization", "id": "clinic", "identifier": clinic})
        for at in (1, 2):
            identifier = [{"system": "urn:salus:person", "value": f"s-{at}"}, {"system": NPI, "value": str(at)}]
            self.write(HOUSE, {"resourceType": "Practitioner", "id": f"d{at}", "identifier": identifier})
        self.members = {}

        def team(link, name, *members):
            kind, _, own = name.partition("/")
            refs = [{"reference": one} for one in self.random.sample(members, self.random.randint(1, len(members)))]
            ended = self.random.random() < 0.3
            period = {"end": "1969"} if ended else {"start": "1969"}
            self.members[name] = set() if ended else {one["reference"] for one in refs}
            tree = {"resourceType": kind, "id": own}
            if kind == "PractitionerRole":
                tree |= {"practitioner": refs[0], "period": period}
            elif kind == "Group":
                members = [{"entity": one, "period": period} for one in refs]
                tree |= {"type": "practitioner", "actual": True, "member": members}
            else:
                tree |= {"participant": [{"member": one, "period": period} for one in refs]}
                tree |= {"subject": {"reference": "Patient/p0"}, "status": "active"}
            self.write(link, tree)

        team(HOUSE, "PractitionerRole/r1", self.random.choice(("Practitioner/d1", "Practitioner/d2")))
        team(HOUSE, "Group/g1", "Practitioner/d2", "PractitionerRole/r1")
        team(PATIENTS[0], "CareTeam/t1", "Practitioner/d1", "Group/g1")
        team(PATIENTS[0], "CareTeam/t2", "Practitioner/d2", "PractitionerRole/r1", "Organization/clinic")

    def who(self, person):
        """Return the names of a person and what is known of her, by asking each team for its members again and again."""
        names = {*NAMES, f"urn:salus:person|{person}", f"urn:salus:person:clinic|{person}"} if person else {*NAMES}
        known = {"urn:salus:member|"}
        if person in {"s-1", "s-2"}:
            names |= {f"Practitioner/d{person[-1]}", f"{NPI}|{person[-1]}"}
            known |= {"Practitioner/", "PractitionerRole/", "RelatedPerson/", "Patient/", "Device/"}
            known |= {"urn:salus:person|", f"{NPI}|"}
            teams = {name for at in self.consents_of_all() for name in named(at) if name in self.members}
            known |= {name for name in teams if not name.startswith("PractitionerRole/")}
        for _ in range(4):
            names |= {team for team, members in self.members.items() if members & names}
        return names, known

    def consents_of_all(self):
        counting = (one for link in PATIENTS for one in self.consents(link))
        return [one["provision"] for one in counting if counts(one)]

    def clinical(self, link, patient, own):
        kind = (
            self.random.choice(("Observation", "Condition"))
            if (link, f"Observation/{own}") not in self.versions
            else "Observation"
        )
        code = {"coding": [{"system": ICD, "code": self.random.choice(CODES)}]}
        tree = {"resourceType": kind, "id": own, "subject": {"reference": f"Patient/{patient}"}, "code": code}
        if (year := self.random.choice(YEARS)) is not None:
            tree["effectiveDateTime" if kind == "Observation" else "onsetDateTime"] = year
        if kind == "Observation":
            tree |= {
                "status": self.random.choice(STATUSES),
                "performer": [{"reference": f"Organization/org{self.random.randint(0, 1)}"}],
            }
            tree["valueQuantity"] = {
                "value": self.random.randint(1, 5),
                "system": UCUM,
                "code": self.random.choice((*GRAMS, "m")),
            }
            tree["note"] = [{"text": self.random.choice(WORDS)}]
            words = " <b>and</b> ".join(self.random.sample(WORDS, 2))
            tree["text"] = {"status": "generated", "div": f'<div xmlns="{XHTML}">{words}</div>'}
            earlier = [n for of_link, n in self.versions if of_link == link and n.startswith("Observation/")]
            if earlier and self.random.random() < 0.3:
                tree["derivedFrom"] = [{"reference": self.random.choice(earlier)}]
        if self.random.random() < 0.2:
            system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
            tree["meta"] = {"security": [{"system": system, "code": self.random.choice("NRV")}]}
        self.write(link, tree)

    def listed(self, link, own):
        """Write a list of some of a patient's records, and of another's."""
        names = [name for _, name in self.versions if name.partition("/")[0] in {"Observation", "Condition"}]
        refs = [{"item": {"reference": one}} for one in self.random.sample(names, min(3, len(names)))]
        tree = {"resourceType": "List", "id": f"l{own[1:]}", "status": "current", "mode": "working", "entry": refs}
        self.write(link, tree | {"subject": {"reference": f"Patient/{own}"}})

    def write(self, link, tree, name=""):
        name = name or f"{tree['resourceType']}/{tree['id']}"
        kind, _, own = name.partition("/")
        before = self.versions.setdefault((link, name), [])
        number = len(self.entries) + 1
        body = b"" if tree is None else msgspec.json.encode(tree)
        before.append((number, tree if tree is not None else before[-1][1], tree is None))
        self.entries.append(
            Entry(number, link, link in LEASES, kind, own, len(before), body, tombstone=tree is None, recorded=number)
        )

    def consents(self, link):
        """Return the consents that patient has on file now."""
        return [
            versions[-1][1]
            for (of_link, name), versions in self.versions.items()
            if of_link == link and name.startswith("Consent/") and not versions[-1][2]
        ]

    def referred(self, link, name):
        return {
            f"Observation/{versions[-1][1]['id']}"
            for (of_link, _), versions in self.versions.items()
            if of_link == link and not versions[-1][2]
            and name in {one["reference"] for one in versions[-1][1].get("derivedFrom", ())}
        } | {
            by
            for (of_link, by), versions in self.versions.items()
            if of_link == link and not versions[-1][2]
            and any(isinstance(one, dict) and one.get("reference") == name for one in references(versions[-1][1]))
        }  # fmt: skip

    def permitted(self, link, tree, realms, asker=ASKER):
        realm = next((one for one in realms if link in one.links), None)
        if realm is None:
            realm = next((one for one in realms if not one.links and link not in LEASES and link not in one.but), None)
        if realm is None:
            return False
        resource = read_resource(msgspec.json.encode(tree))
        found = facts(resource, {})
        rank = classify(found, resource.codings, RULES)
        name = f"{found.type}/{found.id}"
        referred = self.referred(link, name)
        row = Row(
            found.lo,
            found.hi,
            frozenset((c.system, c.code) for c in found.codes),
            name,
            found.encounter,
            frozenset(found.references),
            frozenset(referred),
            frozenset(found.authors),
        )
        labels = tuple(one.code for one in found.security)
        row_class = PolicyClass(found.type, rank, found.author, labels)
        bound = holds(decide(realm.terms, asker, row_class).residual, row)
        if not realm.consented:
            return bound
        told = answer(
            self.consents(link),
            asker,
            {
                "facts": found,
                "rank": rank,
                "classes": classes(found, resource.codings, RULES),
                "labels": labels,
                "referred": referred,
            },
        )
        default = realm.default is None or holds(decide(realm.default, asker, row_class).residual, row)
        return bound and told != "deny" and (default or told == "permit")

    def seen(self, realms, asker=ASKER):
        """Return the newest versions that the realms permit, by name."""
        return {
            name: tree
            for (link, name), ((*_, (_, tree, gone))) in self.versions.items()
            if not gone and self.permitted(link, tree, realms, asker)
        }

    def past(self, realms, asker=ASKER):
        return {
            number
            for (link, _), versions in self.versions.items()
            if self.permitted(link, versions[-1][1], realms, asker)
            for number, tree, _ in versions
            if self.permitted(link, tree, realms, asker)
        }


def counts(consent):
    return consent["status"] == "active" and consent["scope"]["coding"][0]["code"] == "patient-privacy"


def named(provision):
    """Yield whom a provision and its exceptions name as actors by reference."""
    yield from (one["reference"].get("reference") for one in provision.get("actor", ()))
    for one in provision.get("provision", ()):
        yield from named(one)


def references(value):
    """Yield every object inside a resource."""
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def provision(rnd, depth=0):
    def some(values, chance=0.4):
        return tuple(rnd.sample(values, rnd.randint(1, len(values)))) if rnd.random() < chance else ()

    return Provision(
        "p",
        rnd.choice(("permit", "permit", "deny")),
        roles=some(("physician", "nurse"), 0.2),
        types=some(("Observation", "Condition", "Patient", "Organization"), 0.3),
        sensitivities=some(tuple(range(11)), 0.6),
        authors=some(("org0", "org1"), 0.2),
        periods=((1_577_836_800_000, rnd.choice((1_609_459_200_000, 1_672_531_200_000))),)
        if rnd.random() < 0.3
        else (),
        codes=some(((ICD, "J20"), ("*", "F32.1"), (ICD, "8867-4")), 0.25),
        instances=some(("Observation/p0-0", "Condition/p1-1", "Patient/p0"), 0.1),
        exceptions=tuple(provision(rnd, depth + 1) for _ in range(rnd.randint(0, 2)))
        if depth < 2 and rnd.random() < 0.4
        else (),
    )


def terms(rnd):
    return tuple(provision(rnd) for _ in range(rnd.randint(1, 3)))


def realms_of(rnd):
    own = (Provision("all", "permit", sensitivities=tuple(range(11))),) if rnd.random() < 0.3 else terms(rnd)
    if rnd.random() < 0.6:
        default = rnd.choice((None, None, (), (Provision("d", "permit", types=("Observation", "Patient")),)))
        return [
            Realm(own, consented=True, default=default),
            *(Realm(terms(rnd), (link,)) for link in LEASES if rnd.random() < 0.3),
        ]
    special = tuple(rnd.sample(PATIENTS, rnd.randint(0, 2)))
    realms = [Realm(own, (), special), *(Realm(terms(rnd), (link,)) for link in special if rnd.random() < 0.8)]
    return [*realms, *(Realm(terms(rnd), (link,)) for link in LEASES if rnd.random() < 0.6)]


def codes_of(tree):
    return {coding["code"] for coding in tree["code"]["coding"]}


def refers(tree, name):
    return tree.get("subject", {}).get("reference") == name


def question(rnd):
    """Return a search and what it means over the resources seen: (text, kind, test(tree, seen))."""
    code, code2 = rnd.choice(CODES), rnd.choice(CODES)
    who, letter, kind = f"p{rnd.randint(0, 6)}", rnd.choice(LETTERS), rnd.choice(("Observation", "Condition"))
    value = rnd.randint(1, 5)
    unit, scale = rnd.choice(list(GRAMS.items()))
    word, listed = rnd.choice(WORDS), f"List/l{rnd.randint(0, 6)}"

    def grams(tree):
        told = tree["valueQuantity"]
        return told["value"] * GRAMS.get(told["code"], -1)

    def in_list(tree, seen):
        return any(f"{kind}/{tree['id']}" == one["item"]["reference"] for one in seen.get(listed, {}).get("entry", ()))

    def subject(tree, seen):
        return seen.get(tree["subject"]["reference"])

    return rnd.choice([
        (kind, kind, lambda _, __: True),
        (f"{kind}?code={code}", kind, lambda t, _: code in codes_of(t)),
        (f"{kind}?code={ICD}|{code},{code2}", kind, lambda t, _: bool({code, code2} & codes_of(t))),
        (f"{kind}?code:not={code}", kind, lambda t, _: code not in codes_of(t)),
        (f"{kind}?patient={who}", kind, lambda t, _: refers(t, f"Patient/{who}")),
        (f"{kind}?subject=Patient/{who}&code={code}", kind, lambda t, _: refers(t, f"Patient/{who}") and code in codes_of(t)),
        (f"{kind}?patient.family={letter}", kind, lambda t, s: (p := subject(t, s)) is not None and p["name"][0]["family"] == letter),
        (f"{kind}?patient.family={letter}&code={code}", kind, lambda t, s: (p := subject(t, s)) is not None and p["name"][0]["family"] == letter and code in codes_of(t)),
        (f"Observation?patient.organization.name={letter}", "Observation", lambda t, s: (p := subject(t, s)) is not None and s.get(p["managingOrganization"]["reference"], {}).get("name") == letter),
        (f"Observation?value-quantity=ge{value}", "Observation", lambda t, _: t["valueQuantity"]["value"] >= value),
        (f"Observation?status=amended&value-quantity={value}", "Observation", lambda t, _: t["status"] == "amended" and t["valueQuantity"]["value"] == value),
        ("Observation?date=ge2021", "Observation", lambda t, _: t.get("effectiveDateTime", "0") >= "2021"),
        ("Observation?date:missing=true", "Observation", lambda t, _: "effectiveDateTime" not in t),
        (f"Patient?family={letter}", "Patient", lambda t, _: t["name"][0]["family"] == letter),
        (f"Patient?_has:{kind}:patient:code={code}", "Patient", lambda t, s: any(n.startswith(kind) and refers(o, f"Patient/{t['id']}") and code in codes_of(o) for n, o in s.items())),
        (f"Patient?_has:Observation:patient:status=final&family={letter}", "Patient", lambda t, s: t["name"][0]["family"] == letter and any(n.startswith("Obs") and refers(o, f"Patient/{t['id']}") and o["status"] == "final" for n, o in s.items())),
        (f"Organization?_has:Patient:organization:family={letter}", "Organization", lambda t, s: any(n.startswith("Patient") and p["managingOrganization"]["reference"].endswith(t["id"]) and p["name"][0]["family"] == letter for n, p in s.items())),
        (f"Consent?patient={who}", "Consent", lambda t, _: t["patient"]["reference"] == f"Patient/{who}"),
        ("Consent?status=active", "Consent", lambda t, _: t["status"] == "active"),
        (f"Patient?_id={who}", "Patient", lambda t, _: t["id"] == who),
        (f"Observation?value-quantity=ge{value}|{UCUM}|{unit}", "Observation", lambda t, _: grams(t) >= value * scale),
        (f"Observation?value-quantity={value * 1000}|{UCUM}|mg&status=final", "Observation", lambda t, _: grams(t) == value * 1_000_000 and t["status"] == "final"),
        (f"Patient?_has:Observation:patient:value-quantity={value}|{UCUM}|{unit}", "Patient", lambda t, s: any(n.startswith("Obs") and refers(o, f"Patient/{t['id']}") and value * scale - scale / 2 <= grams(o) < value * scale + scale / 2 for n, o in s.items())),
        (f"Observation?_text={word}", "Observation", lambda t, _: word in t["text"]["div"]),
        (f"Observation?_content={word.upper()}&code={code}", "Observation", lambda t, _: (word in t["text"]["div"] or word == t["note"][0]["text"]) and code in codes_of(t)),
        (f"{kind}?_content={code}", kind, lambda t, _: code in codes_of(t)),
        (f"Patient?_has:Observation:patient:_content={word}", "Patient", lambda t, s: any(n.startswith("Obs") and refers(o, f"Patient/{t['id']}") and (word in o["text"]["div"] or word == o["note"][0]["text"]) for n, o in s.items())),
        (f"Observation?patient._content={letter}", "Observation", lambda t, s: (p := subject(t, s)) is not None and p["name"][0]["family"] == letter),
        (f"{kind}?_list={listed.partition('/')[2]}", kind, in_list),
    ])  # fmt: skip


def pages(index, text, scope, count):
    kind, _, query = text.partition("?")
    asked = read_query(kind, [*parse_qsl(query), ("_count", str(count))], now=0)
    hits, totals, included, cursor = [], set(), set(), None
    while True:
        found = index.search.page(asked, scope, cursor)
        hits += [hit.name for hit in found.hits]
        included |= {hit.name for hit in found.included}
        totals.add(found.total)
        cursor = found.cursor
        if cursor is None:
            return hits, totals, included


def compare(index, world, rnd):
    realms = realms_of(rnd)
    person = rnd.choice(("", "s-1", "s-2", "s-3"))
    who = index.who("clinic", person, home=True, at=500)
    assert (who.names, who.known) == world.who(person)
    purpose = rnd.choice(("TREAT", "TREAT", "ETREAT"))
    asker = Asker("clinic", "physician", purpose, 500, who.names, known=who.known)
    scope = index.search.scope(realms, asker)
    seen = world.seen(realms, asker)
    text, kind, test = question(rnd)
    want = {name for name, tree in seen.items() if name.startswith(f"{kind}/") and test(tree, seen)}
    sort = rnd.choice(("", "_sort=-_lastUpdated", "_sort=_id"))
    more = rnd.choice(
        ("", "_include=Observation:subject&_include=Condition:subject", "_revinclude=Observation:subject")
    )
    full = text + "".join(
        ("&" if "?" in text else "?") + one if at == 0 and "?" not in text else "&" + one
        for at, one in enumerate(filter(None, (sort, more)))
    )
    hits, totals, included = pages(index, full, scope, rnd.choice((1, 3, 50)))
    assert sorted(hits) == sorted(want), full
    assert totals == {len(want)}, full
    if sort.endswith("=_id"):
        assert hits == sorted(hits)
    if more.startswith("_include"):
        targets = {seen[name]["subject"]["reference"] for name in want if "subject" in seen[name]}
        assert included == {name for name in targets if name in seen}
    elif more:
        assert included == {
            n for n, t in seen.items() if n.startswith("Observation/") and t["subject"]["reference"] in want
        }
    count = read_query(kind, [*parse_qsl(text.partition("?")[2]), ("_summary", "count")], now=0)
    assert index.search.page(count, scope).total == len(want)
    if rnd.random() < 0.2:
        told, total = index.search.versions(scope, limit=1000)
        assert ({hit.number for hit in told}, total) == ((past := world.past(realms, asker)), len(past))


@pytest.mark.unmeasured
@pytest.mark.parametrize(("worlds", "questions"), [(4, 25), pytest.param(50, 200, marks=pytest.mark.soak)])
def test_nothing_differs_from_a_filtered_store(worlds, questions):
    found = 0
    for seed in range(worlds):
        world = World(seed)
        with Index(None, key=bytes(32), rules=RULES) as index:
            index.catch_up(Listed(world.entries))
            for lease in LEASES:
                index.hide(lease, hidden=False)
            rnd = random.Random(seed)
            for _ in range(questions):
                compare(index, world, rnd)
                found += 1
    assert found == worlds * questions


def test_a_hidden_lease_is_not_there_under_any_terms():
    world = World(1)
    everything = (Provision("all", "permit", sensitivities=tuple(range(11))),)
    with Index(None, key=bytes(32), rules=RULES) as index:
        index.catch_up(Listed(world.entries))
        scope = index.search.scope([Realm(everything, LEASES)], ASKER)
        assert pages(index, "Patient", scope, 10) == ([], {0}, set())
        assert index.search.versions(scope) == ([], 0)
        index.hide(LEASES[0], hidden=False)
        assert pages(index, "Patient", scope, 10)[1] == {1}
        index.forget(LEASES[0])
        assert index.search.versions(scope) == ([], 0)


def test_a_consent_narrows_a_slip_and_widens_none():
    def written(provision):
        return {
            "resourceType": "Consent",
            "id": "c",
            "status": "active",
            "scope": {"coding": [{"code": "patient-privacy"}]},
            "patient": {"reference": "Patient/p"},
            "provision": provision,
        }

    link = PATIENTS[0]
    kinds = ("Observation", "Condition")
    entries = [
        Entry(at + 1, link, False, kind, "x", 1, msgspec.json.encode({"resourceType": kind, "id": "x"}))
        for at, kind in enumerate(kinds)
    ]
    slip = (Provision("slip", "permit", types=("Observation",)),)

    def pulled(asker, *consents):
        more = [
            Entry(3 + at, link, False, "Consent", f"c{at}", 1, msgspec.json.encode({**one, "id": f"c{at}"}))
            for at, one in enumerate(consents)
        ]
        with Index(None, key=bytes(32), rules=RULES) as index:
            index.catch_up(Listed([*entries, *more]))
            return index.permitted_numbers(link, slip, asker, after=0, limit=10)

    disclosing = Asker("south", "physician", "TREAT", 500, NAMES, "disclose")
    assert pulled(disclosing) == [1]
    assert pulled(disclosing, written({"type": "permit"})) == [1]
    assert pulled(disclosing, written({"type": "deny"})) == []
    only_here = {"type": "permit", "provision": [{"type": "deny", "action": [{"coding": [{"code": "disclose"}]}]}]}
    assert pulled(disclosing, written(only_here)) == []
    assert pulled(ASKER, written(only_here)) == [1]


def test_a_consent_rules_over_a_rebuilt_index_and_is_forgotten_with_its_link():
    link = PATIENTS[0]
    tree = consent(random.Random(1), "c", "p", ("Patient/p",)) | {
        "status": "active",
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "provision": {"type": "deny"},
    }
    trees = [{"resourceType": "Patient", "id": "p"}, tree]
    source = Listed(
        [
            Entry(at + 1, link, False, one["resourceType"], one["id"], 1, msgspec.json.encode(one))
            for at, one in enumerate(trees)
        ]
    )
    everything = (Provision("all", "permit", sensitivities=tuple(range(11))),)
    realms = [Realm(everything, consented=True)]
    with Index(None, key=bytes(32), rules=RULES) as index:
        index.catch_up(source)
        for _ in range(2):
            assert pages(index, "Patient", index.search.scope(realms, ASKER), 10) == ([], {0}, set())
            index.rebuild(source)
        assert len(index.consents.in_use()) == 1
        index.forget(link)
        assert index.consents.in_use() == {}
        assert index.consents.of(link) == ()
