"""Crossover: the first payer hands a decided claim on to the payer that comes after, so that its provider need not.

The members document names the payer that comes after a person's first one. What goes on is fixed with the 835, in one
commit of the desk; a case of its own is then opened in the provider's name; the claim with the first payer's decision goes sealed to that payer, and to the provider, who
holds it against the decision that it knows.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from salus.agreements.claims.cover_order import order
from salus.agreements.claims.decision import Decision
from salus.agreements.claims.members import After, Holders, Member, Members, OtherCover, person_of
from salus.agreements.claims.next_payer import claim_after
from salus.agreements.claims.plan import Plan
from salus.contracts.claims import port
from salus.contracts.membership.port import Role, member
from salus.core.encoding import Value, decode, encode
from salus.interop.x12.calendar import date_of
from salus.interop.x12.claim import Claim, Party
from salus.interop.x12.claim_writer import set_of
from salus.interop.x12.envelope import Stamp, Trader, interchange
from salus.interop.x12.guides.claim import INSTITUTIONAL, PROFESSIONAL
from salus.interop.x12.tokens import Segment
from salus.node.claims import documents
from salus.node.claims.control import beyond, control_for
from salus.node.claims.dossiers import DAY_MS, Dossier, Round, dossier_of, family_of, keep, kept_of
from salus.node.claims.exchange import UNOPENED, day_at, line_of, parts, read_decision, row_of, submission_commitment
from salus.node.errors import Conflict, Forbidden, Unavailable
from salus.node.exchange.documents import Telling, disclose, open_document
from salus.node.member import MemberNode

CROSSING: Final = "claim-crossing"
PREFIX: Final = "crossing/"
CROSSED: Final = "crossed/"
FOLLOWS: Final = "crossed-from/"
"""Before a case that was handed on to or by way of this member: the first payer and its case."""
DONE: Final = (port.CaseStatus.DECIDED, port.CaseStatus.REMITTED)
UNSENT: Final = "crossings-unsent"
"""Names of those that are fixed and not sent yet."""


class SentCrossing(Value, frozen=True):
    """A claim that its first payer hands on: to the payer that comes after, and to the provider."""

    height: int
    case: bytes
    """The case opened for it."""
    salt: bytes
    key: bytes
    file: bytes
    """The 837 with the first payer's decision."""
    follows: bytes = b""
    """The first payer's case."""
    payer: str = ""
    """To the provider: member id of the payer that comes after."""
    round: int = 0
    """The round of the first payer's case that it tells."""


class Crossing(Value, frozen=True):
    """What the first payer keeps of a claim that it hands on, under its own case."""

    follows: bytes
    case: bytes
    salt: bytes
    key: bytes
    file: bytes
    payer: str
    provider: str
    link: bytes
    round: int = 1
    """The round of its own case that it told."""


class Origin(Value, frozen=True):
    """Where a case that was handed on comes from."""

    case: bytes
    """The first payer's case."""
    payer: str
    """Its member id."""


def file_after(node: MemberNode, decision: Decision, after: After) -> bytes:
    """Return the 837 for the payer that comes after a decision."""
    return file_of(node, claim_after(decision, Party(after.name, after.payer), after.number, after.filing))


def file_of(node: MemberNode, made: Claim) -> bytes:
    """Return the 837 of a claim, for its payer."""
    day = date_of(node.ledger_time() // DAY_MS)
    version = PROFESSIONAL.version if made.kind == "P" else INSTITUTIONAL.version
    ends = (Trader("ZZ", node.member[:15].upper()), Trader("ZZ", made.payer.identifier[:15]))
    body = set_of((made,), "0001", day, "0000")
    number = control_for(node, made.payer.identifier, *(part.text.encode() for part in body))
    return interchange(ends, Stamp(day, "0000", number), "HC", version, [body])


def handed_on(
    node: MemberNode, plan: Plan, members: Members, cases: Sequence[tuple[bytes, Dossier]]
) -> dict[str, bytes]:
    """Return what is to be kept, with their 835, of those cases that go on to the payer on file that comes after.

    A claim is handed on once, by the first decision that covers it; what is decided anew later follows it
    (`following`).
    """
    known = {one.person: one for one in members.members if one.others}
    holders = Holders(members)
    found = {}
    for case, kept in cases if known else ():
        if kept.last.decided is None or node.desk.claim_state(PREFIX + case.hex()):
            continue
        decision = read_decision(kept.last.decided)
        claim = decision.claim
        person = known.get(person_of(claim))
        if person is None or decision.status != "paid" or claim.others:
            continue
        after = _after_us(person, holders, plan, claim.first)
        if after is not None and person.since <= claim.first <= person.until:
            sealed = (node.entropy(16), node.entropy(16), node.entropy(32), file_after(node, decision, after))
            one = Crossing(case, *sealed, after.member, kept.other, kept.link, kept.last.number)
            found[PREFIX + case.hex()] = encode(one)
    if found:
        found[UNSENT] = msgspec.msgpack.encode((*_unsent(node), *found))
    return found


def _after_us(person: Member, holders: Holders, plan: Plan, day: str) -> OtherCover | None:
    """Return the cover that comes second on a day, where ours comes first and the second payer is a member."""
    covers = holders.covers(person, day)
    payers = order(covers, plan.cover_order).payers if covers else ()
    if not payers or payers[0] != covers[0].payer:
        return None
    second = next(one for one in person.others if one.payer == payers[1] and one.since <= day <= one.until)
    return second if second.member else None


def cross_over(node: MemberNode) -> int:
    """Commit and send what is to be handed on, each part where a crash left it; return how many claims went."""
    names = _unsent(node)
    waiting = [decode(node.desk.claim_state(name), Crossing) for name in names]
    waiting.sort(key=lambda one: one.case)
    state = node.ledger.read()
    open_ = [
        port.Crossing(
            one.case,
            one.provider,
            port.payer_digest(one.salt, one.case, one.payer),
            submission_commitment(one.key, one.file),
        )
        for one in waiting
        if port.case(state, one.case) is None
    ]
    for some in parts(open_, port.MAX_CASES):
        node.submitter.submit(port.Cross(port.Clock.DAYS_3, port.Clock.DAYS_30, tuple(some)))
    height = node.ledger.head().height
    for one in waiting:
        sent = SentCrossing(height, one.case, one.salt, one.key, one.file, one.follows, round=one.round)
        told = msgspec.structs.replace(sent, payer=one.payer)
        disclose(
            node,
            Telling(one.payer, CROSSING, sent, [line_of(one.link, one.payer, "Claim")]),
            Telling(one.provider, CROSSING, told, [line_of(one.link, one.provider, "Claim")]),
        )
        names = tuple(name for name in names if name != PREFIX + one.follows.hex())
        keep(node, [], {UNSENT: msgspec.msgpack.encode(names)})
    return len(waiting)


def _unsent(node: MemberNode) -> tuple[str, ...]:
    return msgspec.msgpack.decode(node.desk.claim_state(UNSENT) or b"\x90", type=tuple[str, ...])


def take_crossing(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take a claim that its first payer handed on. Raises Malformed, Forbidden, Conflict, NotFound, Unavailable."""
    sent = open_document(node, sender, CROSSING, envelope, SentCrossing, code=UNOPENED)
    node.wait_for(sent.height)
    row = row_of(node, sent.case)
    if kept_of(node, sent.case) is not None:
        return
    provider = row.provider == node.member
    addressed = port.payer_digest(sent.salt, sent.case, sent.payer if provider else node.member) == row.payer_digest
    known = member(node.ledger.read(), sender)
    if not addressed or known is None or Role.PAYER not in known.roles:
        raise Forbidden("claims.address", "the case is not addressed here, or not handed on by a payer")
    if submission_commitment(sent.key, sent.file) != row.submission:
        raise Conflict("claims.commitment", "the claim is not the one that was committed")
    require_decided(node, sender, row.provider, sent.follows, sent.round)
    beyond(node)
    fresh = Round(sent.file, sent.key, day_at(node, row.height), 1, told=True)
    origin = {FOLLOWS + sent.case.hex(): encode(Origin(sent.follows, sender))}
    if provider:
        claim = _agreed(node, sender, sent, fresh.received)
        link, families = dossier_of(node, sent.follows).link, (family_of(claim.subscriber.member),)
        done = Dossier(False, sent.payer, link, sent.salt, (fresh,), families=families)
        keep(node, [(sent.case, done)], {CROSSED + sent.follows.hex(): sent.case, **origin})
    else:
        fresh = msgspec.structs.replace(fresh, told=False)
        keep(node, [(sent.case, Dossier(True, row.provider, b"", sent.salt, (fresh,)))], origin)


def require_decided(node: MemberNode, payer: str, provider: str, case: bytes, number: int) -> port.Case:
    """Require that the own replica holds a decision, of this round or a later one, by a first payer on its provider's case.

    Returns the case's row. Raises NotFound, Forbidden, Conflict.
    """
    first = row_of(node, case)
    if (first.payer, first.provider) != (payer, provider):
        raise Forbidden("claims.payer", "the case that it follows is another payer's or provider's")
    if number > first.round or (number == first.round and first.status not in DONE):
        raise Conflict("claims.undecided", "the ledger holds no decision of the round that is told")
    return first


def _agreed(node: MemberNode, sender: str, sent: SentCrossing, received: str) -> Claim:
    """Return a claim handed on, required to tell the decision that the provider knows."""
    kept = dossier_of(node, sent.follows)
    if kept.payer_side or kept.other != sender:
        raise Forbidden("claims.payer", "the case that it follows is another payer's")
    decided = [read_decision(one.decided) for one in kept.rounds if one.decided is not None]
    if not decided:
        raise Unavailable("claims.undecided", "the decision that it follows is not here yet", todo="send it again")
    claim = documents.claim_in(sent.file, received)
    if claim is None or not any(written(claim) == written(_after(one, claim)) for one in decided):
        told = "the claim handed on tells another decision than the one that was committed"
        raise Conflict("claims.crossing", told, got=sender, todo="dispute it")
    return claim


def _after(decision: Decision, claim: Claim) -> Claim:
    return claim_after(decision, claim.payer, claim.subscriber.member, claim.filing)


def written(claim: Claim) -> list[Segment]:
    """Return a claim as it is written: two that are written alike tell the same."""
    return set_of((claim,), "0001", claim.first, "0000")
