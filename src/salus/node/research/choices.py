"""Who may be counted: patients' choices and objections, held against data set, permit and ledger.

A choice is an ordinary grant with purpose HRESCH: nobody is named as grantee; its duties say what the data may be used for
in DUO's terms and in which ways an answer may leave. One project alone is chosen by class 27 with the permit's id. The slip
goes to its custodian over the link. An objection is a link-signed instruction and holds at once, whatever the basis.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from salus.agreements.consent.decide import Asker, Provision
from salus.agreements.consent.slip import BadTerms, SlipTerms, provisions
from salus.agreements.grants import Document, GrantRefused, Presented, check_presented, slip_of
from salus.agreements.research import population
from salus.contracts.consent import port as consent
from salus.contracts.membership import port as membership
from salus.contracts.research import port
from salus.core.encoding import Value, decode, encode
from salus.core.tables import View
from salus.interop.fhir.times import LATEST
from salus.node.errors import EdgeError, Forbidden
from salus.node.member import MemberNode
from salus.node.research.policy import policy_of
from salus.node.research.wire import Choice, Counted
from salus.vault.enrolled import KeyStanding
from salus.vault.errors import VaultError
from salus.vault.links import LinkInfo, LinkKind, Standing

PURPOSE: Final = "HRESCH"
WAY: Final = "way:"
NOBODY: Final = ""
"""The grantee of a choice: any permit that matches."""
RECORDS: Final = "extract"
"""A way out beside the contract's two: one's own rows in an extract."""
OPEN: Final = ("general", "medication", "laboratory", "imaging", "claims")
"""Sensitivity classes read without a choice that names them."""
NO_CHOICE: Final = bytes(32)
PAGE: Final = 5_000  # records that the index tells at a time


class Objection(Value, frozen=True):
    """From which block a person objects, and up to which (0: still)."""

    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Study:
    """A permit at a data set, with what is asked."""

    data_set: port.DataSet
    permit_id: bytes
    permit: port.Permit
    way: str
    registered: int
    """Height of the block that registered the question."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person who may be counted, and what may be read."""

    counted: Counted
    terms: tuple[Provision, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Everybody who may be counted, and how many may not, by reason: for the custodian alone."""

    persons: tuple[Person, ...]
    reasons: dict[str, int]


def take_choice(node: MemberNode, link: bytes, shown: Presented, height: int) -> None:
    """Keep a choice that a link's wallet shows, if it is the one that the ledger holds. Raises Forbidden, Malformed."""
    node.wait_for(height)
    try:
        slip = slip_of(shown.signed)
        row = consent.granted(node.ledger.read(), slip.grant)
        key = node.vault.link_key(link)
        if row is None or slip.link != link:
            raise GrantRefused("unknown", "no such grant is on the ledger for this link")
        document, slip = check_presented(
            shown,
            network=node.network,
            custodian=node.member,
            grantee=NOBODY,
            grant=slip.grant,
            commitment=row.commitment,
            link=link,
            link_key=key.key,
        )
    except (GrantRefused, VaultError) as error:
        raise Forbidden("research.choice", "the choice does not hold", got=str(error)) from error
    if document.purposes != (PURPOSE,):
        raise Forbidden("research.choice", "the grant is not for research", expected=PURPOSE)
    read_choice(document)
    node.desk.keep_research("choice", link + slip.grant, encode(Choice(shown, key.key)))


def read_choice(document: Document) -> tuple[port.Policy, tuple[str, ...]]:
    """Return policy and ways out of a choice. Raises Malformed."""
    ways = tuple(one.removeprefix(WAY) for one in document.obligations if one.startswith(WAY))
    return policy_of(tuple(one for one in document.obligations if not one.startswith(WAY))), ways


def _objects(objected: Sequence[Objection], height: int) -> bool:
    """Tell whether a person objected at the block of `height`."""
    return any(one.since <= height and not 0 < one.until <= height for one in objected)


def object_(node: MemberNode, link: bytes, *, objecting: bool) -> None:
    """Write an objection down, or its end. In force from the present block."""
    height = node.ledger.head().height
    standing = [
        (id_, one) for id_, body in node.desk.research("objection", link) if not (one := decode(body, Objection)).until
    ]
    if objecting and not standing:
        count = len(node.desk.research("objection", link))
        node.desk.keep_research("objection", link + count.to_bytes(4, "big"), encode(Objection(height, 0)))
    if not objecting:
        for id_, one in standing:
            node.desk.keep_research("objection", id_, encode(Objection(one.since, height + 1)))


def find(node: MemberNode, study: Study, heights: Sequence[int]) -> Found:
    """Return who may be counted at each of the blocks `heights`, read at the present time. Raises NotKept.

    What a choice's policy decides is decided once for each distinct choice.
    """
    matched = _matcher(node, study)
    states = [node.ledger.read(height) for height in heights]
    by_link: dict[bytes, list[tuple[bytes, Choice]]] = {}
    for id_, body in node.desk.research("choice"):
        by_link.setdefault(id_[:16], []).append((id_[16:], decode(body, Choice)))
    free = study.data_set.basis is port.Basis.NO_OBJECTION and study.way != RECORDS
    infos = node.vault.link_infos()
    objected: dict[bytes, list[Objection]] = {}
    for id_, body in node.desk.research("objection"):
        objected.setdefault(id_[:16], []).append(decode(body, Objection))
    persons: list[Person] = []
    reasons: dict[str, int] = {}
    for link in sorted(infos if free else by_link):
        why = _closed(infos.get(link), objected.get(link, []), heights)
        person = None
        if not why:
            person, why = _chosen(node, study, states, matched, (link, by_link.get(link, [])))
        if person is None:
            reasons[why] = reasons.get(why, 0) + 1
        else:
            persons.append(person)
    return Found(tuple(persons), reasons)


def _closed(info: LinkInfo | None, objected: Sequence[Objection], heights: Sequence[int]) -> str:
    """Return why a link is counted in nothing, or an empty text."""
    if info is None:
        return "erased"
    if info.kind is not LinkKind.PATIENT:
        return "no patient"
    if info.standing is not Standing.OPEN:
        return "closed or erased"
    return "objection" if any(_objects(objected, height) for height in heights) else ""


def _chosen(
    node: MemberNode,
    study: Study,
    states: Sequence[View],
    matched: Callable[[tuple[str, ...]], str],
    given: tuple[bytes, list[tuple[bytes, Choice]]],
) -> tuple[Person | None, str]:
    """Return the person under the first choice that holds, or why none does."""
    link, choices = given
    why = "no choice"
    for grant, choice in choices:
        document = decode(choice.shown.document, Document)
        why = _lapsed(node, link, grant, choice, states) or matched(document.obligations)
        if why:
            continue
        slip = slip_of(choice.shown.signed)
        terms = SlipTerms(
            NOBODY,
            (),
            (PURPOSE,),
            document.not_before,
            document.expiry,
            slip.classes,
            slip.since,
            slip.until,
            slip.filters,
        )
        try:
            return Person(Counted(link, grant), provisions(terms)), ""
        except BadTerms:
            why = "terms not understood"
    if study.data_set.basis is port.Basis.NO_OBJECTION and not choices and study.way != RECORDS:
        return Person(Counted(link, NO_CHOICE), without_choice()), ""
    return None, why


@cache
def without_choice() -> tuple[Provision, ...]:
    """Return what may be read of a person who neither chose nor objected, where that is enough."""
    return provisions(SlipTerms(NOBODY, (), (PURPOSE,), 0, LATEST, OPEN))


def _lapsed(node: MemberNode, link: bytes, grant: bytes, choice: Choice, states: Sequence[View]) -> str:
    now = node.ledger_time()
    if not all(consent.live(state, grant, now) for state in states):
        return "revoked, expired or not yet given"
    key = node.vault.link_key(link)
    if key.standing is not KeyStanding.OBEYED or key.key != choice.link_key or node.desk.is_stopped(link, grant):
        return "stopped by the link's key"
    return ""


def _matcher(node: MemberNode, study: Study) -> Callable[[tuple[str, ...]], str]:
    """Return what says why a choice does not match the study, deciding once for each distinct choice."""
    known: dict[tuple[str, ...], str] = {}

    def matched(obligations: tuple[str, ...]) -> str:
        if obligations not in known:
            known[obligations] = misfit(node, study, obligations)
        return known[obligations]

    return matched


def misfit(node: MemberNode, study: Study, obligations: tuple[str, ...]) -> str:
    """Return why a choice's terms do not match a study, or an empty text."""
    applicant = membership.member(node.ledger.read(), study.permit.applicant)
    jurisdiction = "" if applicant is None else applicant.jurisdiction
    who = port.Applicant(study.permit.applicant, jurisdiction, study.permit_id, len(study.permit.ethics) == 32)
    ways = [one.removeprefix(WAY) for one in obligations if one.startswith(WAY)]
    if study.way not in ways:
        return f"way {study.way} not chosen"
    try:
        policy = policy_of(tuple(one for one in obligations if not one.startswith(WAY)))
    except EdgeError:
        return "choice not understood"
    return next((port.name_of(one.code) for one in port.match(policy, study.permit.purpose, who).misfits), "")


def numbers(node: MemberNode, person: Person) -> list[int]:
    """Return the newest records of a person that the choice opens; only what this member wrote is under the link."""
    asker = Asker(NOBODY, "", PURPOSE, node.ledger_time())
    found: list[int] = []
    while True:
        after = found[-1] if found else 0
        part = node.index.permitted_numbers(person.counted.link, person.terms, asker, after=after, limit=PAGE)
        found += part
        if len(part) < PAGE:
            return found


def leaves_of(
    node: MemberNode, query: bytes, counted: Sequence[Counted], salt: bytes
) -> tuple[tuple[bytes, bytes], ...]:
    """Return the map of those counted in a question, (path, value) for each, while all their links are open."""
    paths = node.vault.link_macs([one.link for one in counted], population.LABEL, query)
    return tuple(
        (path, population.value(population.salt_of(salt, one.link), one.choice))
        for path, one in zip(paths, counted, strict=True)
    )
