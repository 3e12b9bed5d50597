"""`claims submit`, `claims dispute`: a provider's side, each step journalled and committed before a byte leaves."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from salus.agreements.claims.alone import sound_files
from salus.agreements.claims.members import After, person_of
from salus.contracts.claims import port
from salus.core.encoding import Value, decode, encode
from salus.core.proof.digest import digest
from salus.interop.x12.calendar import date_of
from salus.interop.x12.claim import Claim
from salus.interop.x12.codes import CodeSets
from salus.interop.x12.tokens import Unreadable
from salus.node.claims import documents
from salus.node.claims.code_lists import lists_on
from salus.node.claims.control import numbers_of
from salus.node.claims.crossing import CROSSED, file_after
from salus.node.claims.dossiers import DAY_MS, Dossier, Round, Why, dossier_of, family_of, keep, kept_cases, open_cases
from salus.node.claims.exchange import (
    CLAIM,
    SentClaim,
    SentClaims,
    day_at,
    line_of,
    parts,
    read_decision,
    row_of,
    submitted_as,
)
from salus.node.claims.payers import payers_named
from salus.node.claims.restricting import Service, require_told, services_of, withheld
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.exchange.documents import Telling, disclose
from salus.node.member import MemberNode
from salus.node.names import LINK_EXAMPLE
from salus.node.records.charts import moment
from salus.node.usecase import OPERATOR, Message, use_case

AGAIN: Final = frozenset({"7", "8"})


class SubmitClaims(Message, frozen=True):
    """Claims and the payer they go to."""

    payer: Annotated[str, Meta(description="Member id of the payer.", examples=["harbor"])]
    file: Annotated[
        bytes, Meta(description="An X12 837 file: new claims, replacements (7), voids (8).", examples=[b"ISA"])
    ]
    link: Annotated[
        str,
        Meta(
            pattern=r"^([0-9a-f]{32})?$",
            description="The patient's link, for a file with one claim; else patients are known by their member numbers.",
            examples=[LINK_EXAMPLE],
        ),
    ] = ""


class ClaimsSubmitted(Message, frozen=True):
    """The claims are committed and on their way."""

    cases: Annotated[tuple[str, ...], Meta(description="Ids of the cases, hexadecimal, in the order of the file.")]
    refused: Annotated[int, Meta(description="Claims that the own check refused: they were not sent.")]
    withheld: Annotated[
        tuple[str, ...],
        Meta(description="Own numbers of claims not sent: the patient paid in full and asked that no payer be told."),
    ]
    due: Annotated[str, Meta(description="By when the payer accepts or refuses, UTC; empty if none is new.")]
    gaps: Annotated[
        tuple[str, ...],
        Meta(description="Control numbers skipped since the last file of the same sender and receiver."),
    ]
    codes: Annotated[
        str, Meta(description="Code lists of the own check: source, date, digest; empty for those built in.")
    ]


class SubmitSecondary(Message, frozen=True):
    """A decided case, and the payer that comes after."""

    case: Annotated[
        str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the first payer's case.", examples=["00" * 16])
    ]
    payer: Annotated[str, Meta(description="Member id of the payer that comes after.", examples=["meridian"])]
    identifier: Annotated[
        str, Meta(min_length=2, max_length=80, description="That payer's identifier in claims.", examples=["MERID1"])
    ]
    name: Annotated[str, Meta(min_length=1, max_length=60, description="Its name in claims.", examples=["MERIDIAN"])]
    number: Annotated[
        str, Meta(min_length=2, max_length=80, description="The patient's number there.", examples=["1EG4TE5MK73"])
    ]
    filing: Annotated[
        str, Meta(pattern=r"^[A-Z0-9]{2}$", description="SBR09: MB Medicare part B.", examples=["MB"])
    ] = "CI"


class SubmittedFile(Value, frozen=True):
    """What a file became: asked again, it is answered alike, and what the ledger lacks is committed then."""

    cases: tuple[bytes, ...]
    refused: int
    withheld: tuple[str, ...]
    gaps: tuple[str, ...] = ()
    codes: str = ""


class DisputeDecision(Message, frozen=True):
    """A decided case, and why its decision is contested."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the case.", examples=["00" * 16])]
    statement: Annotated[str, Meta(max_length=4000, description="Why, for the payer.", examples=["rate A6 applies"])]


class CaseReopened(Message, frozen=True):
    """The case is to be decided again."""

    due: Annotated[str, Meta(description="By when, UTC.")]


@use_case("claims.submit", who=OPERATOR)
def submit_claims(node: MemberNode, request: SubmitClaims) -> ClaimsSubmitted:
    """Send claims to a payer: journalled and committed before their first byte leaves, in the patients' access logs.

    A claim that the own check refuses is not sent, nor one with a service that its patient paid in full and asked to
    tell no payer of; the others are. A replacement or void reopens the case whose decision it names. A file whose control
    number was used before, with other bytes, is refused.
    """
    return send_file(node, request, counted=True)


def send_file(node: MemberNode, request: SubmitClaims, *, counted: bool = False) -> ClaimsSubmitted:
    """Send a file's claims; `counted`: its sender numbers its files. Raises Malformed, Forbidden, Conflict, NotFound."""
    send_committed(node)
    node.keys_of(request.payer)
    name = _name_of(request)
    with node.claiming:  # the same file sent twice at once is one file
        if not node.desk.claim_state(name):
            _prepare(node, request, name, counted=counted)
    sent = decode(node.desk.claim_state(name), SubmittedFile)
    made = [(case, dossier_of(node, case)) for case in sent.cases]
    _commit(node, made)
    send_committed(node)
    due = [row_of(node, case).due for case, one in made if one.last.number == 1]
    return ClaimsSubmitted(
        cases=tuple(case.hex() for case in sent.cases),
        refused=sent.refused,
        withheld=sent.withheld,
        due=moment(min(due)) if due else "",
        gaps=sent.gaps,
        codes=sent.codes,
    )


def _name_of(request: SubmitClaims) -> str:
    """Return the name under which a file that was submitted is kept: the same for the same bytes to the same payer."""
    parts = (request.payer.encode(), request.link.encode(), request.file)
    return f"submitted/{digest('salus/v1/claims-submitted', *parts).hex()}"


def _prepare(node: MemberNode, request: SubmitClaims, name: str, *, counted: bool) -> None:
    """Fix what a file becomes, durably, before the ledger hears of it. Raises Malformed, Forbidden, Conflict."""
    lists = lists_on(node, date_of(node.ledger_time() // DAY_MS))
    found, refused = _sound(node, request, lists.sets)
    numbers, gaps = numbers_of(node, request.file) if counted else ({}, ())
    links = _links(node, request, [claim for claim, _ in found])
    decided = _decided(node, request.payer) if any(claim.frequency in AGAIN for claim, _ in found) else {}
    made: list[tuple[bytes, Dossier]] = []
    kept_back: list[str] = []
    for place, ((claim, file), link) in enumerate(zip(found, links, strict=True), 1):
        if withheld(node, link, partial(services_of, claim), request.payer):
            kept_back.append(claim.identifier)
        elif claim.frequency in AGAIN:
            made.append(_again(node, claim, file, decided, place))
        else:
            fresh = Round(file, node.entropy(32), "", 1)
            salt, families = node.entropy(16), (family_of(claim.subscriber.member),)
            made.append((node.entropy(16), Dossier(False, request.payer, link, salt, (fresh,), families=families)))
    if not made:
        require_told(node, links[0], partial(services_of, found[0][0]), request.payer)
    if len({case for case, _ in made}) < len(made):
        raise Conflict("claims.twice", "two claims of the file replace one decision", todo="send one of them")
    sent = SubmittedFile(tuple(case for case, _ in made), refused, tuple(kept_back), gaps, lists.told)
    states = payers_named({claim.payer.identifier: request.payer for claim, _ in found})
    keep(node, made, {name: encode(sent), **states, **numbers})


@use_case("claims.secondary", who=OPERATOR)
def submit_secondary(node: MemberNode, request: SubmitSecondary) -> ClaimsSubmitted:
    """Send a decided claim to the payer that comes after, with the first payer's decision line by line."""
    kept = dossier_of(node, bytes.fromhex(request.case))
    if kept.payer_side or kept.last.decided is None:
        raise NotFound("claims.undecided", "no decision of this case is here to go on from", got=request.case)
    decision = read_decision(kept.last.decided)
    if decision.status != "paid":
        told = "only what the first payer decided to cover goes on to the next"
        raise Conflict("claims.not-covered", told, got=decision.status, todo="send a claim of its own")
    if node.desk.claim_state(CROSSED + request.case):
        told = "the first payer has handed the claim on already"
        raise Conflict("claims.crossed", told, todo="see `salus claims cases`")
    after = After(
        payer=request.identifier,
        name=request.name,
        member=request.payer,
        number=request.number,
        filing=request.filing,
    )
    file = file_after(node, decision, after)
    return send_file(node, SubmitClaims(payer=request.payer, file=file, link=kept.link.hex()))


@use_case("claims.dispute", who=OPERATOR)
def dispute_decision(node: MemberNode, request: DisputeDecision) -> CaseReopened:
    """Have a decision made again by a person at the payer: the case is reopened, the statement sent sealed."""
    case = bytes.fromhex(request.case)
    kept = dossier_of(node, case)
    waits = (kept.last.why, kept.last.statement) == ("dispute", request.statement) and not kept.last.told
    if kept.payer_side:
        told = "the provider disputes a decision; a payer corrects its own"
        raise NotFound("claims.side", told, got=request.case, todo="see `salus claims correct`")
    if kept.last.decided is None and not waits and kept.last.number > 1:
        raise Conflict("claims.open", "the case is being decided again already", todo="wait for the decision")
    if kept.last.decided is None and not waits:
        raise NotFound("claims.undecided", "no decision of this case is here to be disputed", got=request.case)
    last = kept.rounds[-2] if waits else kept.last
    require_told(node, kept.link, partial(services_in, last), kept.other)
    again = Round(last.file, node.entropy(32), last.received, last.number + 1, "dispute", request.statement)
    made = [(case, kept if waits else msgspec.structs.replace(kept, rounds=(*kept.rounds, again)))]
    keep(node, made)
    _commit(node, made)
    send_committed(node)
    return CaseReopened(due=moment(row_of(node, case).due))


def _sound(node: MemberNode, request: SubmitClaims, codes: CodeSets) -> tuple[list[tuple[Claim, bytes]], int]:
    """Return the claims of a file that pass the own check, and how many do not. Raises Malformed."""
    documents.require_kind(request.file, "837", "a file of claims")
    try:
        found, seen = sound_files(documents.chunks(request.file), date_of(node.ledger_time() // DAY_MS), codes)
    except Unreadable as broken:
        raise documents.unreadable(broken) from None
    claims = [claim for group in seen.groups for answer in group.sets for claim in answer.claims]
    if not found:
        raise Malformed("claims.none", "no claim of the file is sound", todo="see `salus claims check`")
    return list(found), max(0, len(claims) - len(found))


def _links(node: MemberNode, request: SubmitClaims, claims: Sequence[Claim]) -> list[bytes]:
    if not request.link:
        return node.vault.open_links([(f"urn:payer:{one.payer.identifier}", person_of(one)) for one in claims])
    link = bytes.fromhex(request.link)
    node.vault.link_info(link)
    if len(claims) != 1:
        told = "a link names the patient of one claim"
        raise Malformed("claims.one", told, expected="1", got=str(len(claims)), todo="leave the link out")
    return [link]


def _decided(node: MemberNode, payer: str) -> dict[str, tuple[bytes, Dossier]]:
    """Return the decided cases at a payer, by the payer's own number."""
    found: dict[str, tuple[bytes, Dossier]] = {}
    for case, kept, _ in kept_cases(node, payer_side=False):
        for one in kept.rounds:
            if kept.other == payer and one.decided is not None:
                found[read_decision(one.decided).control] = (case, kept)
    return found


def _again(
    node: MemberNode, claim: Claim, file: bytes, decided: dict[str, tuple[bytes, Dossier]], place: int
) -> tuple[bytes, Dossier]:
    """Return the case that a replacement or void reopens, with the new round. Raises NotFound, Conflict.

    `place` is that of the claim among the sound ones of the file, from 1: an error names no number of the sender's.
    """
    if claim.original not in decided:
        told = "no decision of this payer has the number that a replacement or void names; nothing of the file was sent"
        todo = "write the payer's number of the claim in REF F8, or leave the claim out"
        raise NotFound("claims.original", told, got=f"sound claim {place} of the file", todo=todo)
    case, kept = decided[claim.original]
    if kept.last.decided is None or row_of(node, case).round != kept.last.number:
        raise Conflict("claims.open", "the case is being decided again already", todo="wait for the decision")
    why: Why = "void" if claim.frequency == "8" else "replacement"
    fresh = Round(file, node.entropy(32), "", kept.last.number + 1, why)
    families = tuple(dict.fromkeys((*kept.families, family_of(claim.subscriber.member))))
    return case, msgspec.structs.replace(kept, rounds=(*kept.rounds, fresh), families=families)


def _commit(node: MemberNode, made: Sequence[tuple[bytes, Dossier]]) -> None:
    """Open cases, or have them decided again, on the ledger: those that it does not hold yet."""
    state = node.ledger.read()
    submissions, statements = [], []
    for case, kept in sorted(made, key=lambda one: one[0]):
        row = port.case(state, case)
        if row is not None and row.round >= kept.last.number:
            continue
        commitment = submitted_as(kept.last)
        if kept.last.number == 1:
            address = port.payer_digest(kept.salt, case, kept.other)
            submissions.append(port.Submission(case, address, commitment))
        else:
            statements.append(port.Statement(case, commitment))
    for some in parts(submissions, port.MAX_CASES):
        node.submitter.submit(port.Submit(port.Kind.CLAIM, port.Clock.DAYS_3, port.Clock.DAYS_30, tuple(some)))
    for again in parts(statements, port.MAX_CASES):
        node.submitter.submit(port.Reopen(tuple(again)))


def services_in(one: Round) -> list[Service]:
    """Return the services that sending a round's claim tells of."""
    claim = documents.claim_in(one.file, one.received)
    return [] if claim is None else services_of(claim)


def send_committed(node: MemberNode) -> None:
    """Send every claim that the ledger holds and that is not in the outbox yet: a crash between leaves none behind.

    Each stands in its patient's access log, committed, before its first byte leaves. What its patient has asked meanwhile
    to tell no payer of stays here: the case is to be withdrawn.
    """
    state = node.ledger.read()
    waiting: dict[str, list[tuple[bytes, Dossier]]] = {}
    for case, kept, _ in open_cases(node, payer_side=False):
        row = port.case(state, case)
        last = kept.last
        if row is None or last.told or not last.key:
            continue
        kept_back = withheld(node, kept.link, partial(services_in, last), kept.other)
        if row.submission == submitted_as(last) and not kept_back:
            came = last.received or day_at(node, row.height)
            waiting.setdefault(kept.other, []).append((case, kept.with_last(received=came)))
    height = node.ledger.head().height
    for payer, cases in waiting.items():
        for some in parts(cases):
            sent = [
                SentClaim(
                    case,
                    one.salt,
                    one.last.key,
                    one.last.file,
                    one.last.why,
                    one.last.statement,
                    one.last.informed,
                    one.last.attachment,
                )
                for case, one in some
            ]
            lines = [line_of(one.link, payer, "Claim") for _, one in some]
            _note(node, some, told=False)
            disclose(node, Telling(payer, CLAIM, SentClaims(height, tuple(sent)), lines))
            _note(node, some, told=True)


def _note(node: MemberNode, cases: Sequence[tuple[bytes, Dossier]], *, told: bool) -> None:
    """Note the day on which what is sent came to the payer, and that it is sent; its answer may be here before that."""
    done = []
    with node.claiming:
        for case, read in cases:
            now, sent = dossier_of(node, case), read.last
            rounds = [
                msgspec.structs.replace(one, told=told, received=sent.received) if one.key == sent.key else one
                for one in now.rounds
            ]
            done.append((case, msgspec.structs.replace(now, rounds=tuple(rounds))))
        keep(node, done)
