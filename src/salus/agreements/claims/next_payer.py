"""The claim for the payer after the first: the first one's decision in loops 2320, 2330 and 2430, line by line."""

import msgspec

from salus.agreements.claims.decision import DecidedLine, Decision
from salus.interop.x12.claim import SELF, Adjustment, Claim, Line, LineDecision, OtherPayer, Party, Person


def claim_after(decision: Decision, payer: Party, member: str, filing: str) -> Claim:
    """Return the claim that follows a decision, for `payer`, who knows the person by the number `member`.

    `filing` is SBR09 (MB Medicare part B, CI commercial). The claim asks anew: its frequency is 1, approvals and numbers of
    the first payer do not travel.
    """
    claim, decided = decision.claim, decision.decided
    first = OtherPayer(
        claim.rank,
        claim.payer.identifier,
        claim.payer.name,
        claim.subscriber.member,
        claim.subscriber.last,
        decision.paid,
        (),
        claim.filing,
        claim.relationship,
        decided,
    )
    subscriber = _known_as(claim.patient, member)  # each person is a subscriber of its own there
    return msgspec.structs.replace(
        claim,
        frequency="1",
        receiver=payer,
        payer=payer,
        subscriber=subscriber,
        patient=subscriber,
        relationship=SELF,
        rank="S",
        filing=filing,
        original="",
        authorisation="",
        others=(*claim.others, first),
        lines=tuple(
            _line(line, part, claim.payer.identifier, decided)
            for line, part in zip(claim.lines, decision.lines, strict=True)
        ),
    )


def void_after(decision: Decision, payer: Party, member: str, filing: str) -> Claim:
    """Return the claim that takes back, at `payer`, what followed the decision that a void has taken back.

    It bears the first payer's number, which knows no other: the case that it comes in names the decision to take back.
    Raises ValueError for a decision that takes nothing back.
    """
    if decision.reverses is None:
        raise ValueError("the decision takes nothing back")
    before = claim_after(decision.reverses, payer, member, filing)
    return msgspec.structs.replace(before, frequency="8", original=decision.control)


def _known_as(person: Person, member: str) -> Person:
    return msgspec.structs.replace(person, member=member)


def _line(line: Line, decided: DecidedLine, payer: str, day: str) -> Line:
    sums: dict[tuple[str, str], int] = {}
    for reason in decided.reasons:
        key = (reason.group, reason.code)
        sums[key] = sums.get(key, 0) + reason.amount
    told = tuple(Adjustment(group, code, amount) for (group, code), amount in sums.items())
    decision = LineDecision(payer, decided.paid, day, told)
    return msgspec.structs.replace(line, authorisation="", decisions=(*line.decisions, decision))
