"""What a member sees of a trial: the study on the ledger, its definitions, and chains under their conditions."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Final

from salus.agreements.trials.acts import Anchored, SignedAct, delegations
from salus.agreements.trials.compile import compile_plan
from salus.agreements.trials.conduct import Adoption, Conditions, State, conduct
from salus.agreements.trials.draws import Place
from salus.agreements.trials.forms import with_forms
from salus.agreements.trials.judged import read_judgements
from salus.agreements.trials.participants import Participant, participant
from salus.agreements.trials.plan import Plan
from salus.agreements.trials.terms import Terms, analyses_of, check_terms, package_root, read_terms
from salus.contracts.trials import port
from salus.core.encoding import decode
from salus.interop.cdisc.findings import DocumentRefused
from salus.interop.cdisc.usdm import read_usdm
from salus.node.errors import Forbidden, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.pairs import joined_with
from salus.node.trials.kept import Definition, Delegated, KeptAct, Subject, kept, one, site_key

ACT: Final = "TrialAct"
MEDIA: Final = "application/vnd.salus.trial-act"


@functools.lru_cache(16)
def compiled(
    protocol: bytes, terms: bytes, analysis: bytes, forms: bytes = b"", findings: bytes = b""
) -> tuple[Plan, Terms]:
    """Return plan and terms of a definition that can be run. Raises Malformed naming the part and its first fault."""
    part = "protocol"
    try:
        plan = compile_plan(read_usdm(protocol))
        part = "forms"
        plan = with_forms(plan, forms) if forms else plan
        part = "findings"
        if findings:
            read_judgements(findings, protocol)
        part = "analysis"
        analyses = analyses_of(analysis)
        part = "terms"
        read = read_terms(terms)
        found = check_terms(plan, read, analyses)
        if found:
            raise DocumentRefused(found)
    except DocumentRefused as refused:
        todo = "`salus trial package` lists every finding"
        raise Malformed("trials.definition", f"{part}: {refused}", todo=todo) from None
    return plan, read


def run(told: Definition) -> tuple[Plan, Terms]:
    """Return plan and terms of a definition as it is kept. Raises Malformed naming the first fault."""
    return compiled(told.protocol, told.terms, told.analysis, told.forms, told.findings)


def parts(protocol: bytes, terms: bytes, analysis: bytes, forms: bytes, findings: bytes) -> dict[str, bytes]:
    """Return the parts of a definition by the names that its root knows them by; those that are empty are no parts."""
    always = {"protocol": protocol, "terms": terms, "analysis": analysis}
    return always | {name: part for name, part in (("forms", forms), ("findings", findings)) if part}


def root_of(told: Definition) -> bytes:
    """Return the root of a definition."""
    return package_root(parts(told.protocol, told.terms, told.analysis, told.forms, told.findings))


def study_of(node: MemberNode, id_: bytes) -> tuple[port.Study, port.Roster]:
    """Return a study and its roster from the own ledger. Raises NotFound."""
    state = node.ledger.read()
    study, roster = port.study(state, id_), port.roster(state, id_)
    if study is None or roster is None:
        raise NotFound("trials.no-study", "the ledger has no such study", got=id_.hex())
    return study, roster


def plays(roster: port.Roster, member: str, *parts: port.Part) -> bool:
    """Return whether a member plays one of some parts."""
    return any(party.member == member and party.part in parts for party in roster.parties)


def members_of(roster: port.Roster, part: port.Part) -> tuple[str, ...]:
    """Return who plays a part, ascending."""
    return tuple(party.member for party in roster.parties if party.part is part)


def definition(node: MemberNode, study: bytes, number: int) -> Definition:
    """Return a version's definition as kept here. Raises NotFound."""
    return one(node, Definition, study + number.to_bytes(2, "big"))


def terms_of(node: MemberNode, study: bytes, number: int) -> tuple[Plan, Terms]:
    """Return plan and terms of a version. Raises NotFound, Malformed."""
    return run(definition(node, study, number))


def block_time(node: MemberNode, height: int) -> int:
    """Return a block's time, ms."""
    return next(iter(node.ledger.blocks(height))).time


def adopted_rows(node: MemberNode, study: bytes, site: str) -> list[port.Site]:
    """Return a site's row as its activation and each adoption left it, oldest first, from the states at their heights."""
    found: dict[int, port.Site] = {}
    height: int | None = None
    while (row := port.site(node.ledger.read(height), study, site)) is not None and row.version:
        found[row.version] = row
        height = row.height - 1
    return sorted(found.values(), key=lambda row: row.height)


def adoptions(node: MemberNode, study: bytes, site: str) -> tuple[Adoption, ...]:
    """Return what was in force at a site, and from when on."""
    return tuple(adoption(row) for row in adopted_rows(node, study, site))


def adoption(row: port.Site) -> Adoption:
    """Return what a site's row says to be in force there."""
    return Adoption(row.adopted, row.version, row.reconsent_by)


def conditions(node: MemberNode, study_id: bytes, site: str) -> Conditions:
    """Return what a site's chains are judged under, as this member knows it. Raises NotFound, Malformed."""
    study, _ = study_of(node, study_id)
    locked = port.lock(node.ledger.read(), study_id, study.locks) if study.locks else None
    told = next((value for _, value in kept(node, Delegated, site_key(study_id, site))), Delegated(bytes(32), ()))
    adopted = adoptions(node, study_id, site)
    plans = {number: terms_of(node, study_id, number) for _, number, _ in adopted} or {1: terms_of(node, study_id, 1)}
    is_locked = locked is not None and locked.status is port.LockStatus.LOCKED
    return Conditions(
        plans=plans,
        adopted=adopted,
        given=delegations(told.acts, told.investigator),
        locked_at=block_time(node, locked.height) if is_locked and locked is not None else 0,
        registered=study.registered,
        now=node.ledger_time(),
    )


def own_chain(node: MemberNode, study: bytes, subject: bytes) -> list[Anchored]:
    """Return a participant's chain at the own site, oldest first. Raises NotFound."""
    link = one(node, Subject, study + subject).link
    return [
        Anchored(decode(record.content.body, SignedAct), _anchored_at(node, record.ref.number))
        for record in node.vault.open_many(numbers_of(node, link, study + subject))
    ]


def numbers_of(node: MemberNode, link: bytes, prefix: bytes) -> list[int]:
    """Return the record numbers of the acts of one chain, in order."""
    name = prefix.hex()
    return [ref.number for ref in node.vault.of_link(link) if ref.type == ACT and ref.id.startswith(name)]


def _anchored_at(node: MemberNode, number: int) -> int:
    anchoring = node.vault.anchoring_of(number)
    return block_time(node, anchoring.height) if anchoring is not None and anchoring.tx_id else 0


def told_key(key: bytes) -> tuple[str, bytes]:
    """Return (site, subject) of the key of an act that was sent here."""
    return key[16:48].rstrip(b"\0").decode("ascii"), key[48:64]


def chains(node: MemberNode, study: bytes, *, sent_only: bool = False) -> list[tuple[str, bytes, list[Anchored]]]:
    """Return (site, subject, chain) of every participant that this member knows: its own and those sent here.

    With `sent_only`, of the own ones only what was sent: a withdrawal keeps the rest at the site.
    """
    found = []
    for key, subject in kept(node, Subject, study):
        chain = own_chain(node, study, key[16:])
        found.append((node.member, key[16:], chain[: subject.sent] if sent_only else chain))
    sent: dict[tuple[str, bytes], list[Anchored]] = {}
    for key, act in kept(node, KeptAct, study):
        sent.setdefault(told_key(key), []).append(Anchored(SignedAct(act.act, act.signature), act.at))
    return found + [(site, subject, chain) for (site, subject), chain in sorted(sent.items())]


def subjects_of(node: MemberNode, study: bytes, link: bytes) -> list[tuple[bytes, Subject]]:
    """Return (key, participant) of who has this link in a study, or one that was found to be of the same patient."""
    party = set(joined_with(node, link))
    return [(key, subject) for key, subject in kept(node, Subject, study) if subject.link in party]


def twice(node: MemberNode, study: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield two participants of this site each time that their links were found to be of one patient since they consented."""
    for key, subject in kept(node, Subject, study):
        others = (other for other, _ in subjects_of(node, study, subject.link) if other > key)
        yield from ((key[16:], other[16:]) for other in others)


def states(node: MemberNode, study: bytes, *, sent_only: bool = False) -> list[tuple[str, bytes, State]]:
    """Return (site, subject, state) of every participant that this member knows, each chain judged anew."""
    under: dict[str, Conditions] = {}
    found = []
    for site, subject, chain in chains(node, study, sent_only=sent_only):
        if site not in under:
            under[site] = conditions(node, study, site)
        found.append((site, subject, conduct(chain, under[site])))
    return found


def people(node: MemberNode, study: bytes, *, sent_only: bool = False) -> list[Participant]:
    """Return every participant of whom this member knows an act, judged by acts alone: no clock tells what is missed by now."""
    under: dict[str, Conditions] = {}
    found = []
    for site, subject, chain in chains(node, study, sent_only=sent_only):
        if not chain:
            continue
        if site not in under:
            under[site] = dataclasses.replace(conditions(node, study, site), now=0)
        found.append(participant(site, subject, chain, under[site]))
    return found


def place_of(node: MemberNode, enrolment: bytes) -> tuple[port.Enrolment, Place]:
    """Return an enrolment and what trustees sign for it, from the own ledger. Raises NotFound."""
    state = node.ledger.read()
    row = port.enrolment(state, enrolment)
    version = None if row is None else port.version(state, row.study, row.version)
    if row is None or version is None:
        raise NotFound("trials.no-enrolment", "the ledger has no such enrolment", got=enrolment.hex())
    return row, Place(row.study, version.package, row.stratum, row.place, row.transaction)


def in_order(node: MemberNode, study: bytes) -> Sequence[tuple[bytes, port.Enrolment]]:
    """Return a study's enrolments in the order of the log."""
    rows = []
    for id_, row in port.enrolments(node.ledger.read(), study):
        outcome = node.ledger.outcome(row.transaction)
        if outcome is None or outcome.index is None:
            raise Forbidden("trials.unlogged", "an enrolment's transaction is not in the log", got=id_.hex())
        rows.append((outcome.index, id_, row))
    return [(id_, row) for _, id_, row in sorted(rows)]
