"""What follows a crossover: the first payer's later decision goes on to the second payer, who decides its case again.

The first payer fixes a correction with the 835 of its new decision. It goes sealed to the second payer and to the provider
and names the case and round that it tells: a receiver takes it only while that round is the newest that the ledger holds as
decided. The second payer reopens its own case, and the provider knows the claim by the commitment that reopened it.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from salus.agreements.claims.decision import Decision
from salus.agreements.claims.next_payer import claim_after, void_after
from salus.contracts.claims import port
from salus.core.encoding import Value, decode, encode
from salus.interop.x12.calendar import date_of
from salus.interop.x12.claim import Claim
from salus.node.claims import documents
from salus.node.claims.crossing import DONE, FOLLOWS, PREFIX, Crossing, Origin, file_of, require_decided, written
from salus.node.claims.dossiers import DAY_MS, Dossier, Round, dossier_of, keep, kept_of
from salus.node.claims.exchange import (
    UNOPENED,
    SentAgain,
    day_at,
    line_of,
    read_decision,
    row_of,
    submission_commitment,
)
from salus.node.errors import Conflict, Forbidden, Unavailable
from salus.node.exchange.documents import Telling, disclose, open_document
from salus.node.member import MemberNode

FOLLOWING: Final = "claim-crossing-again"
FIXED: Final = "following/"
UNSENT: Final = "following-unsent/"
WAITING: Final = "followed-open/"
"""Before `<case>/<round>`: what is fixed, what is not sent yet, and what the second payer has not taken up yet."""
_ENDS: Final = (port.CaseStatus.REFUSED, port.CaseStatus.WITHDRAWN)


class Fixed(Value, frozen=True):
    """What the first payer keeps of a correction that it hands on."""

    sent: SentAgain
    payer: str
    provider: str
    link: bytes


def followed(node: MemberNode, cases: Sequence[tuple[bytes, Dossier]]) -> dict[str, bytes]:
    """Return what is to be kept, with their 835, of cases that were handed on and are decided anew."""
    found: dict[str, bytes] = {}
    for case, kept in cases:
        crossed = node.desk.claim_state(PREFIX + case.hex())
        name = f"{case.hex()}/{kept.last.number:08d}"
        if not crossed or kept.last.decided is None or node.desk.claim_state(FIXED + name):
            continue
        before = decode(crossed, Crossing)
        day = date_of(node.ledger_time() // DAY_MS)
        claim = documents.claim_in(before.file, day)
        if kept.last.number <= before.round or claim is None:
            continue
        file = file_of(node, _told(read_decision(kept.last.decided), claim))
        sent = SentAgain(0, before.case, case, kept.last.number, day, node.entropy(32), file)
        found[FIXED + name] = encode(Fixed(sent, before.payer, kept.other, kept.link))
        found[UNSENT + name] = b"1"
    return found


def _told(decision: Decision, claim: Claim) -> Claim:
    """Return the claim that tells a decision to whom `claim` went."""
    made = void_after if decision.status == "voided" else claim_after
    return made(decision, claim.payer, claim.subscriber.member, claim.filing)


def follow(node: MemberNode) -> int:
    """Send what is fixed and not sent yet; return how many corrections went."""
    names = [name.removeprefix(UNSENT) for name, body in node.desk.claim_states(UNSENT) if body]
    for name in names:
        one = decode(node.desk.claim_state(FIXED + name), Fixed)
        sent = msgspec.structs.replace(one.sent, height=node.ledger.head().height)
        disclose(
            node,
            Telling(one.payer, FOLLOWING, sent, [line_of(one.link, one.payer, "Claim")]),
            Telling(one.provider, FOLLOWING, sent, [line_of(one.link, one.provider, "Claim")]),
        )
        keep(node, [], {UNSENT + name: b""})
    return len(names)


def take_again(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take a correction of a claim that was handed on. Raises Malformed, Forbidden, Conflict, NotFound, Unavailable."""
    sent = open_document(node, sender, FOLLOWING, envelope, SentAgain, code=UNOPENED)
    node.wait_for(sent.height)
    row = row_of(node, sent.case)
    kept, origin = kept_of(node, sent.case), node.desk.claim_state(FOLLOWS + sent.case.hex())
    if kept is None:
        raise Unavailable("claims.uncrossed", "the claim that was handed on is not here yet", todo="send it again")
    known = decode(origin, Origin) if origin else None
    if known is None or (known.case, known.payer) != (sent.follows, sender):
        raise Forbidden("claims.payer", "the case does not follow this case of the sender's")
    name = f"{sent.case.hex()}/{sent.round:08d}"
    before = node.desk.claim_state(f"followed/{name}")
    if before:
        if msgspec.structs.replace(decode(before, SentAgain), height=sent.height) != sent:
            raise Conflict("claims.crossing", "the round was told otherwise before", got=sender, todo="dispute it")
        return
    first = require_decided(node, sender, row.provider, sent.follows, sent.round)
    if sent.round < first.round:
        told = "the first payer's case was reopened since the decision that is told"
        raise Conflict("claims.stale", told, expected=str(first.round), got=str(sent.round))
    if not kept.rounds[0].received <= sent.day <= day_at(node, sent.height):
        raise Conflict("claims.day", "the day that it is told from is not one on which it can have been", got=sent.day)
    if kept.payer_side:
        keep(node, [], {f"followed/{name}": encode(sent), WAITING + name: b"1"})
    else:
        _require_known(node, sender, sent)
        keep(node, [], {f"followed/{name}": encode(sent)})


def _require_known(node: MemberNode, sender: str, sent: SentAgain) -> None:
    """Require that a correction tells the decision of its round that the provider has."""
    rounds = [one for one in dossier_of(node, sent.follows).rounds if one.number == sent.round]
    if not rounds or rounds[0].decided is None:
        raise Unavailable("claims.undecided", "the decision that it tells is not here yet", todo="send it again")
    claim = documents.claim_in(sent.file, sent.day)
    if claim is None or written(claim) != written(_told(read_decision(rounds[0].decided), claim)):
        told = "the claim handed on tells another decision than the one that was committed"
        raise Conflict("claims.crossing", told, got=sender, todo="dispute it")


def take_up(node: MemberNode) -> None:
    """Reopen the decided cases whose first payer has decided anew; what is still being decided waits for a later run."""
    newest = {name.split("/")[1]: name.removeprefix(WAITING) for name, body in node.desk.claim_states(WAITING) if body}
    for case, name in newest.items():
        sent = decode(node.desk.claim_state(f"followed/{name}"), SentAgain)
        row, kept = row_of(node, sent.case), dossier_of(node, sent.case)
        fresh = Round(sent.file, sent.key, sent.day, kept.last.number + 1, "correction")
        commitment = submission_commitment(sent.key, sent.file)
        rounds = (*kept.rounds, fresh)
        if row.status in _ENDS:
            rounds = kept.rounds
        elif row.status in DONE and row.round == kept.last.number and kept.last.decided is not None:
            node.submitter.submit(port.Reopen((port.Statement(sent.case, commitment),)))
        elif (row.round, row.submission) != (fresh.number, commitment):
            continue
        done = {one: b"" for one, body in node.desk.claim_states(f"{WAITING}{case}/") if body and one <= WAITING + name}
        keep(node, [(sent.case, msgspec.structs.replace(kept, rounds=rounds))], done)
