"""Custodians with patients, an access body and a university, as nodes on one embedded ledger: what the stories run on."""

import json
from pathlib import Path

from salus.contracts.membership.port import Role
from salus.node.anchoring import anchor
from salus.node.member import MemberNode
from salus.node.research import (
    answer_question,
    apply_for_permit,
    ask_question,
    decide_permit,
    offer_data,
)
from salus.node.research.answering import AnswerQuestion
from salus.node.research.asking import AskQuestion
from salus.node.research.permits import ApplyForPermit, DecidePermit, OfferData
from salus.node.together import Clock, Founder, Together, found_together
from salus.node.wallet import studying
from salus.node.wallet.holder import Holder
from salus.vault.sealing import Content

HOSPITALS = ("east", "north", "south", "west")
POLICY = ("DUO:0000006", "DUO:0000046")
PERSONS = {
    "resourceType": "ViewDefinition",
    "name": "persons",
    "resource": "Patient",
    "status": "active",
    "select": [{"column": [{"name": "patient", "path": "getResourceKey()"}, {"name": "gender", "path": "gender"}]}],
}
CONDITIONS = {
    "resourceType": "ViewDefinition",
    "name": "conditions",
    "resource": "Condition",
    "status": "active",
    "select": [
        {
            "column": [
                {"name": "patient", "path": "subject.getReferenceKey(Patient)"},
                {"name": "code", "path": "code.coding.first().code"},
            ]
        }
    ],
}
BINARY = ["0", "1"]
TABLE = {
    "format": 1,
    "title": "Gout by gender",
    "persons": "persons",
    "views": [PERSONS, CONDITIONS],
    "columns": [
        {
            "kind": "reduce",
            "name": "gender",
            "view": "persons",
            "by": "max",
            "column": "gender",
            "levels": ["female", "male"],
        },
        {
            "kind": "reduce",
            "name": "gout",
            "view": "conditions",
            "by": "exists",
            "where": [{"column": "code", "codes": ["90560007"]}],
            "levels": BINARY,
        },
        {
            "kind": "reduce",
            "name": "obese",
            "view": "conditions",
            "by": "exists",
            "where": [{"column": "code", "codes": ["414916001"]}],
            "levels": BINARY,
        },
    ],
    "statistic": {"kind": "table", "by": ["gender", "gout"]},
}
YEARS = {
    "resourceType": "ViewDefinition",
    "name": "years",
    "resource": "Observation",
    "status": "active",
    "select": [
        {
            "column": [
                {"name": "patient", "path": "subject.getReferenceKey(Patient)"},
                {"name": "value", "path": "value.ofType(integer)"},
            ]
        }
    ],
}
TABLE["views"].append(YEARS)
TABLE["columns"] += [
    {"kind": "reduce", "name": "years", "view": "years", "by": "max", "column": "value", "bounds": [0, 3]},
    {
        "kind": "reduce",
        "name": "relapse",
        "view": "conditions",
        "by": "exists",
        "where": [{"column": "code", "codes": ["relapse"]}],
        "levels": BINARY,
    },
]
COUNT = TABLE | {"statistic": {"kind": "count"}}
LOGISTIC = TABLE | {"statistic": {"kind": "logistic", "outcome": "gout", "on": ["obese", "gender"]}}


def found(folder: Path, *custodians: str, others: tuple[str, ...] = ()) -> Together:
    """Found the network of a university, custodians and others (`body`, `company`): each follower takes its time to end."""
    kinds = {"body": Role.REGULATOR, "company": Role.RESEARCHER}
    founders = (
        Founder("university", "A University", (Role.RESEARCHER,)),
        *(Founder(name, f"{name.title()} Hospital", (Role.PROVIDER,)) for name in custodians),
        *(Founder(name, name.title(), (kinds[name],)) for name in others),
    )
    return found_together(folder, founders, clock=Clock())


def level(together: Together) -> None:
    """Wait until every replica has the newest block; a receipt waits for its checkpoint by itself."""
    height = together.owner.ledger.head().height
    for node in together.nodes.values():
        node.wait_for(height)


def coded(kind: str, id_: str, code: str, patient: str, **more) -> Content:
    """Return a condition or observation."""
    body = {
        **more,
        "resourceType": kind,
        "id": id_,
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": code}]},
        "subject": {"reference": f"Patient/{patient}"},
    }
    return Content(kind, id_, json.dumps(body).encode())


def fill(node: MemberNode, count: int) -> list[bytes]:
    """Write `count` patients: each second male, each third obese, gout in half of the obese and a few others."""
    links = node.vault.open_links([(f"urn:mrn:{node.member}", str(number)) for number in range(count)])
    items = []
    for number, link in enumerate(links):
        person = {"resourceType": "Patient", "id": f"p{number}", "gender": "male" if number % 2 else "female"}
        items.append((link, Content("Patient", f"p{number}", json.dumps(person).encode())))
        if number % 3 == 0:
            items.append((link, coded("Condition", f"o{number}", "414916001", f"p{number}")))
        if (number % 6 in (0, 3) and number % 4 < 2) or number % 10 == 1:
            items.append((link, coded("Condition", f"g{number}", "90560007", f"p{number}")))
        years = 1 + number // 4 % 3
        items.append((link, coded("Observation", f"y{number}", "years", f"p{number}", valueInteger=years)))
        if years < 3 or number % 2:
            items.append((link, coded("Condition", f"r{number}", "relapse", f"p{number}")))
    node.vault.write_all(items)
    anchor(node)
    node.catch_up()
    return links


def wallet_at(together: Together, member: str, link: bytes) -> Holder:
    """Return a patient's wallet, joined at a member."""
    holder = together.holder()
    holder.join(member, together.nodes[member].vault.invite(link))
    return holder


def choose(holder: Holder, member: str, policy=POLICY, ways=("noisy", "exact"), **more) -> bytes:
    """Choose to be counted at one member."""
    return studying.choose(holder, policy, ways, days=90, through=member, members=(member,), **more)


def offer(together: Together, member: str, **changes) -> str:
    """Offer a data set, on the basis of no objection unless said otherwise."""
    fields = {
        "terms": b"Terms",
        "policy": POLICY,
        "by_consent": False,
        "co_signers": tuple({"body"} & {*together.nodes}),
        "permit_rho": 2_000_000,
    }
    return offer_data(together.nodes[member], OfferData(**(fields | changes))).data_set


def permit(together: Together, data_sets: dict[str, str], **changes) -> str:
    """Apply and have everybody sign."""
    level(together)
    fields = {"investigations": ("DUO:0000037",), "summary": "Who has gout?", "days": 300, "ethics": b"Approved"}
    ids = tuple(data_sets.values())
    applied = apply_for_permit(together.nodes["university"], ApplyForPermit(data_sets=ids, **(fields | changes)))
    level(together)
    for member, data_set in data_sets.items():
        for signer in (member, *({"body"} & {*together.nodes})):
            decide_permit(together.nodes[signer], DecidePermit(permit=applied.permit, data_set=data_set))
    level(together)
    return applied.permit


def ask(together: Together, permit_id: str, document: dict, data_sets: tuple[str, ...], variance: int = 100) -> str:
    """Ask a question."""
    request = AskQuestion(permit=permit_id, query=json.dumps(document).encode(), data_sets=data_sets, variance=variance)
    asked = ask_question(together.nodes["university"], request)
    level(together)
    return asked.query


def answer(together: Together, query: str, *members: str, **allowed: bool) -> list[str]:
    """Let custodians answer; return how each then stands."""
    told = [answer_question(together.nodes[one], AnswerQuestion(query=query, **allowed)).status for one in members]
    level(together)
    return told


LINEAR = TABLE | {"statistic": {"kind": "ols", "outcome": "years", "on": ["obese", "gender"]}}
COX = TABLE | {"statistic": {"kind": "cox", "time": "years", "event": "relapse", "on": ["obese"]}}
