"""Write the contract vectors anew: `python -m tests.vectors_write`. A vector is a promise; a change needs its reason.

Each scenario brings a ledger to where the message under test is sent and returns that message as (message, submitter,
author or "", body fields to override).
"""

import json
import shutil
from collections.abc import Callable
from typing import Any

from salus.contracts.claims.port import (
    Accept,
    AdvancePlanYear,
    Appeal,
    Ask,
    Clock,
    Cross,
    Crossing,
    Decide,
    Decided,
    Inform,
    Kind,
    Opening,
    OpenPlanYear,
    Remit,
    Reopen,
    Statement,
    Submission,
    Submit,
    Withdraw,
    appeal_key_digest,
    payer_digest,
)
from salus.contracts.claims.port import Refuse as RefuseClaim
from salus.contracts.consent.port import Grant, Revoke, round_expiry
from salus.contracts.membership.port import (
    ActivateRules,
    Admit,
    Amend,
    Certify,
    Genesis,
    Move,
    Parameters,
    Propose,
    Reinstate,
    Remove,
    ReplaceKeys,
    Role,
    RotateKeys,
    SetParameters,
    SetValidators,
    Suspend,
    ValidatorChange,
    Vote,
)
from salus.contracts.readable import to_readable
from salus.contracts.records.port import (
    Anchor,
    CancelErasure,
    ConfirmDeletion,
    ConfirmErasure,
    OpenEmergency,
    OpenErasure,
    Rank,
    RetainErasure,
    RetentionReason,
    ReviewEmergency,
)
from salus.contracts.research.port import (
    Answer,
    Apply,
    Attest,
    Basis,
    Begin,
    Fail,
    Offer,
    Policy,
    Publish,
    Purpose,
    Refuse,
    Register,
    Release,
    Retry,
    Sign,
    Way,
    Withhold,
)
from salus.core.encoding import Message, encode
from salus.core.kernel import Result
from tests.contracts import trials_cases
from tests.contracts import trials_scene as trial
from tests.contracts.goods import MEMBERS as TRADERS
from tests.contracts.goods import World
from tests.contracts.ledger import AGREEMENT, DAY, START, Ledger, candidate, genesis, possession, public, receive_key
from tests.vectors_run import CONTRACTS, VECTORS
from tests.vectors_supply import SUPPLY

Sent = tuple[Any, str, str, dict[str, Any]]
GENESES = {
    "one": genesis("hospital-a"),
    "two": genesis("hospital-a", "hospital-b"),
    "three": genesis("hospital-a", "hospital-b", "insurer-c"),
    "validating": genesis(
        "hospital-a", "hospital-b", validators=(ValidatorChange("hospital-a", public("node-hospital-a"), 10),)
    ),
    "paying": genesis(
        members=(
            candidate("hospital-a"),
            candidate("insurer-c", roles=(Role.PAYER,)),
            candidate("insurer-d", roles=(Role.PAYER,)),
        )
    ),
}
GENESES["researching"] = genesis(
    members=(candidate("hospital-a"), candidate("university", roles=(Role.RESEARCHER,))),
)
GENESES["trying"] = genesis(members=trial.MEMBERS)
GENESES["trading"] = genesis(members=TRADERS)
CASE = bytes(range(16))
EXPIRY = round_expiry(START + 90 * DAY, 7 * DAY)
GRANT = Grant(bytes(range(32)), EXPIRY)
SCENARIOS: list[tuple[str, str, str, Callable[[Ledger], Sent]]] = []


class Recorder(Ledger):
    """A ledger that remembers its blocks as a vector tells them. A pause makes no block: not every engine has empty ones."""

    pause = 0

    def block(self, *wires: bytes, later: int = 1000) -> tuple[Result, ...]:
        results = super().block(*wires, later=later + self.pause)
        self.pause = 0
        self.told = [*getattr(self, "told", []), {"time": self.time, "transactions": [wire.hex() for wire in wires]}]
        return results

    def pass_time(self, ms: int) -> None:
        self.pause += ms

    def wire(self, message: Message, by: str, author: str = "", **body: Any) -> bytes:
        return super().wire(message, by, author, **({"expiry": self.time + self.pause + 300_000} | body))


def sent(message: Any, by: str = "hospital-a", author: str = "", **body: Any) -> Sent:
    return message, by, author, body


def case(message: str, name: str, founders: str) -> Callable[[Callable[[Ledger], Sent]], Callable[[Ledger], Sent]]:
    def add(scenario: Callable[[Ledger], Sent]) -> Callable[[Ledger], Sent]:
        SCENARIOS.append((message, name, founders, scenario))
        return scenario

    return add


def simple(message: str, name: str, founders: str, about: str, *steps: Sent | int) -> None:
    """Add a scenario of messages sent one after the other, with pauses in ms; the last is the one under test."""

    def scenario(ledger: Ledger) -> Sent:
        for step in steps[:-1]:
            if isinstance(step, int):
                ledger.pass_time(step)
            else:
                ledger.send(step[0], step[1], step[2], **step[3])
        last = steps[-1]
        assert not isinstance(last, int)
        return last

    scenario.__doc__ = about
    case(message, name, founders)(scenario)


def keys(member: str, name: str) -> tuple[bytes, bytes, bytes]:
    return public(name), receive_key(name), possession(member, name)


def proposed(act: Any) -> Sent:
    return sent(Propose(act))


def voting(name: str, founders: str, about: str, act: Any, *votes: tuple[str, bool], first: bool = False) -> None:
    """Add a scenario of a proposal by hospital-a and the votes on it, the last under test."""

    def scenario(ledger: Ledger) -> Sent:
        proposal = ledger.send(Propose(act))[:32]
        for voter, approve in votes[:-1]:
            ledger.send(Vote(proposal, approve), voter)
        return sent(Vote(bytes(32) if first else proposal, votes[-1][1]), votes[-1][0])

    scenario.__doc__ = about
    case("membership.vote", name, founders)(scenario)


def membership() -> None:
    p = "membership.propose"
    lab = candidate("lab-d")
    simple(p, "admit", "one", "A founder alone admits a member.", proposed(Admit(lab, AGREEMENT)))
    simple(p, "open", "three", "One of three proposals' ballots leaves it open.", proposed(Suspend("insurer-c")))
    simple(p, "amend", "one", "A member's roles change.", proposed(Amend("hospital-a", "A", (Role.SITE,), "FR-75")))
    simple(p, "set-parameters", "one", "The parameters change.", proposed(SetParameters(Parameters(AGREEMENT, 1000))))
    simple(p, "activate-rules", "one", "A rule version is scheduled.", proposed(ActivateRules(2, 1000)))
    change = ValidatorChange("hospital-a", public("node"), 5)
    simple(p, "set-validators", "one", "A member becomes the validator.", proposed(SetValidators((change,))))
    lost = ReplaceKeys("hospital-a", *keys("hospital-a", "found"))
    simple(p, "replace-keys", "one", "A member gets new keys by ballot.", proposed(lost))
    refused = {
        "no-such-member": ("two", Suspend("nobody")),
        "wrong-standing": ("two", Reinstate("hospital-b")),
        "id-taken": ("one", Admit(candidate("hospital-a", "new"), AGREEMENT)),
        "other-agreement": ("one", Admit(lab, bytes(32))),
        "unordered": ("one", Amend("hospital-a", "A", (Role.SITE, Role.PAYER), "DE")),
        "key-used": ("one", Admit(candidate("lab-d", "hospital-a"), AGREEMENT)),
        "no-possession": ("one", Admit(candidate("lab-d", possession=bytes(64)), AGREEMENT)),
        "consensus-key-taken": (
            "validating",
            SetValidators((ValidatorChange("hospital-b", public("node-hospital-a"), 1),)),
        ),
        "last-member": ("one", Remove("hospital-a")),
        "last-validator": ("validating", Suspend("hospital-a")),
        "not-newer": ("one", ActivateRules(1, 1000)),
    }
    for name, (founders, act) in refused.items():
        simple(p, name, founders, f"The act cannot be carried out: {name}.", proposed(act))
    admit = Admit(lab, AGREEMENT)
    voting("passes", "two", "The second of two ballots admits.", admit, ("hospital-b", True))
    voting("fails", "two", "One of two against is enough.", admit, ("hospital-b", False))
    voting("suspends", "three", "Two of three suspend the third.", Suspend("insurer-c"), ("hospital-b", True))
    voting("already-voted", "two", "The proposer has voted.", admit, ("hospital-a", True))
    voting("closed", "two", "A failed proposal is closed.", admit, ("hospital-b", False), ("hospital-b", True))
    voting("no-such-proposal", "two", "No proposal has this id.", admit, ("hospital-b", True), first=True)
    rotate = RotateKeys(*keys("hospital-a", "second"))
    simple("membership.rotate-keys", "applied", "two", "A member rotates its keys.", sent(rotate))
    simple("membership.rotate-keys", "not-current-key", "two", "The old key is spent.", sent(rotate), sent(Move("")))
    move = Move("https://salus.example")
    simple("membership.move", "applied", "two", "A node moves.", sent(move))
    simple("membership.move", "unknown-member", "one", "A stranger sends.", sent(move, "stranger"))
    both = Certify(tuple(sorted((public("tls-old"), public("tls-new")))))
    alone, none = sent(Certify((public("tls-new"),))), sent(Certify(()))
    simple("membership.certify", "applied", "two", "A node is tied to a TLS key.", alone)
    simple("membership.certify", "two", "two", "Two keys hold while one follows the other.", sent(both))
    simple("membership.certify", "none", "two", "A node is tied to no key any longer.", alone, none)
    simple("membership.certify", "unordered", "two", "A key twice.", sent(Certify(both.keys[::-1])))


@case("membership.move", "not-active", "three")
def suspended(ledger: Ledger) -> Sent:
    """A suspended member sends."""
    proposal = ledger.send(Propose(Suspend("insurer-c")))[:32]
    ledger.send(Vote(proposal, approve=True), "hospital-b")
    return sent(Move(""), "insurer-c")


def records() -> None:
    anchor = Anchor(bytes(range(32)), 6, deferred=False)
    simple("records.anchor", "applied", "two", "A batch is anchored.", sent(anchor, "hospital-b"))
    late = Anchor(bytes(range(32)), 0, deferred=True)
    simple("records.anchor", "deferred", "one", "A batch that waited for the ledger.", sent(late))
    opened = sent(OpenErasure(CASE, Rank.LINK_KEY))
    o, c = "records.open-erasure", "records.cancel-erasure"
    simple(o, "applied", "one", "A case is opened.", opened)
    simple(o, "case-exists", "one", "A case is opened once.", opened, opened)
    in_person = sent(CancelErasure(CASE, Rank.IN_PERSON))
    simple(c, "applied", "one", "A higher rank calls it off.", opened, in_person)
    simple(c, "rank-too-low", "one", "The same rank does not.", opened, sent(CancelErasure(CASE, Rank.LINK_KEY)))
    simple(c, "too-late", "one", "After a week nothing is called off.", opened, 7 * DAY, in_person)
    simple(c, "no-such-case", "one", "There is no case.", in_person)
    other = sent(CancelErasure(CASE, Rank.IN_PERSON), "hospital-b")
    simple(c, "not-holder", "two", "The case is another member's.", opened, other)
    retain = sent(RetainErasure(CASE, RetentionReason.LEGAL_OBLIGATION))
    simple("records.retain-erasure", "applied", "one", "The law keeps it.", opened, retain)
    simple(
        "records.retain-erasure", "reviewed", "one", "A year later it is reviewed.", opened, retain, 365 * DAY, retain
    )
    simple(c, "retained", "one", "What is retained is called off at any time.", opened, retain, 8 * DAY, in_person)
    delete, erase = sent(ConfirmDeletion(CASE)), sent(ConfirmErasure(CASE))
    d, e = "records.confirm-deletion", "records.confirm-erasure"
    simple(d, "applied", "one", "After a week it is deleted.", opened, 7 * DAY, delete)
    simple(d, "too-early", "one", "Within a week nothing is deleted.", opened, delete)
    simple(e, "applied", "one", "The last backup has expired.", opened, 7 * DAY, delete, erase)
    simple(e, "wrong-status", "one", "What is not deleted is not erased.", opened, erase)


def emergencies() -> None:
    opening = OpenEmergency(bytes(range(32)), deferred=False)
    o = "records.open-emergency"
    simple(o, "applied", "one", "An emergency access is opened.", sent(opening))
    late = OpenEmergency(bytes(range(32)), deferred=True)
    simple(o, "deferred", "one", "It was answered while the ledger was away.", sent(late))
    many = [sent(OpenEmergency(bytes((n,)) * 32, deferred=False)) for n in range(20)]
    simple(o, "emergency-limit", "one", "The day's limit is reached.", *many, sent(opening))
    for name, about, by, times in (
        ("applied", "It is reviewed.", "hospital-a", 1),
        ("not-submitter", "It is another member's.", "hospital-b", 1),
        ("already-reviewed", "It is reviewed once.", "hospital-a", 2),
        ("no-such-emergency", "There is none.", "hospital-a", 0),
    ):
        reviewing(name, about, by, times)


def reviewing(name: str, about: str, by: str, times: int) -> None:
    """Add a scenario of an emergency access and its reviews, the last by `by` under test."""

    def scenario(ledger: Ledger) -> Sent:
        opened = ledger.send(OpenEmergency(bytes(range(32)), deferred=False))[:32]
        review = ReviewEmergency(opened if times else bytes(32), bytes(32))
        for _ in range(times - 1):
            ledger.send(review)
        return sent(review, by)

    scenario.__doc__ = about
    case("records.review-emergency", name, "two")(scenario)


def consent() -> None:
    g, r = "consent.grant", "consent.revoke"
    grant, revoke = sent(GRANT, author="one-time"), sent(Revoke(), author="one-time")
    simple(g, "applied", "one", "A grant is recorded.", grant)
    simple(g, "already-granted", "two", "A key grants once.", grant, sent(GRANT, "hospital-b", "one-time"))
    simple(g, "not-rounded", "one", "An exact expiry marks.", sent(Grant(bytes(32), EXPIRY + 1), author="one-time"))
    over = Grant(bytes(32), START // (7 * DAY) * (7 * DAY))
    simple(g, "already-over", "one", "The expiry has passed.", sent(over, author="one-time"))
    far = Grant(bytes(32), round_expiry(START + 6 * 366 * DAY, 7 * DAY))
    simple(g, "expiry-too-far", "one", "A grant does not last for ever.", sent(far, author="one-time"))
    simple(g, "author-expected", "one", "Nobody authored it.", sent(GRANT))
    simple(r, "applied", "two", "Revoked through another member.", grant, sent(Revoke(), "hospital-b", "one-time"))
    simple(r, "not-granted", "two", "Another key reaches no grant.", grant, sent(Revoke(), "hospital-b", "other"))
    simple(r, "already-revoked", "one", "A grant is revoked once.", grant, revoke, revoke)


def research() -> None:
    a, p, q, root, uni = CASE, bytes([1]) * 16, bytes([2]) * 16, bytes(range(32)), "university"
    place, ends = "researching", START + 30 * DAY

    def offer(**changes: Any) -> Sent:
        fields = {"policy": Policy(6, (46,)), "ways": (Way.NOISY,), "permit_rho": 10_000_000}
        return sent(Offer(a, root, basis=Basis.CONSENT, **(fields | changes)))

    def apply(by: str = uni, purpose: Purpose | None = None, ends: int = ends, **more: Any) -> Sent:
        study = purpose or Purpose((37,), commercial=False)
        return sent(Apply(p, more.pop("sets", (a,)), study, "A study.", ends, **more), by)

    def register(by: str = uni, way: Way = Way.NOISY, noise: tuple[int, int] = (1, 50), id_: bytes = q) -> Sent:
        return sent(Register(id_, p, (a,), root, way, *noise), by)

    sign, begin = sent(Sign(p, a)), sent(Begin(q, a, root))
    granted = (offer(), apply(), sign)
    asked = (*granted, register())
    begun = (*asked, begin)
    answer, publish = sent(Answer(q, a, root)), sent(Publish(q, root), uni)
    again = sent(Retry(q, (a,)), uni)
    exact = (offer(ways=(Way.EXACT,)), apply(), sign, register(way=Way.EXACT, noise=(0, 0)))
    steps: list[tuple[str, str, tuple[Sent | int, ...]]] = [
        ("offer", "applied", (offer(),)),
        ("offer", "case-exists", (offer(), offer())),
        ("offer", "unordered", (offer(ways=(Way.NOISY, Way.EXACT)),)),
        ("offer", "not-matchable", (offer(policy=Policy(21)),)),
        ("apply", "applied", (offer(), apply())),
        ("apply", "case-exists", (offer(), apply(), apply())),
        ("apply", "no-such-data-set", (apply(),)),
        ("apply", "not-researcher", (offer(), apply("hospital-a"))),
        ("apply", "unordered", (offer(), apply(sets=(a, a)))),
        ("apply", "not-matchable", (offer(), apply(purpose=Purpose((6,))))),
        ("apply", "does-not-fit", (offer(), apply(purpose=Purpose((37,))))),
        ("apply", "permit-over", (offer(), apply(ends=START))),
        ("sign", "applied", granted),
        ("sign", "not-entitled", (offer(), apply(), sent(Sign(p, a), uni))),
        ("sign", "wrong-status", (*granted, sign)),
        ("sign", "no-such-permit", (offer(), sign)),
        ("refuse", "applied", (*granted, sent(Refuse(p, a)))),
        ("refuse", "wrong-status", (*granted, sent(Refuse(p, a)), sent(Refuse(p, a)))),
        ("register", "applied", asked),
        ("register", "case-exists", (*asked, register())),
        ("register", "not-entitled", (*granted, register("hospital-a"))),
        ("register", "no-such-permit", (register(),)),
        ("register", "permit-over", (*granted, 30 * DAY, register())),
        ("register", "not-offered", (*granted, register(way=Way.EXACT, noise=(0, 0)))),
        ("register", "wrong-noise", (*granted, register(noise=(0, 1)))),
        ("register", "permit-spent", (*granted, register(noise=(21, 1)))),
        ("register", "pool-spent", (*_two_permits(granted, a, root), register(noise=(10, 1)))),
        ("begin", "applied", begun),
        ("begin", "no-such-query", (*granted, begin)),
        ("begin", "too-late", (*asked, 8 * DAY, begin)),
        ("answer", "applied", (*begun, answer)),
        ("answer", "wrong-status", (*asked, answer)),
        ("withhold", "applied", (*asked, sent(Withhold(q, a)))),
        ("fail", "applied", (*begun, sent(Fail(q, a)))),
        ("retry", "applied", (*exact, begin, again)),
        ("retry", "not-entitled", (*exact, begin, sent(Retry(q, (a,))))),
        ("retry", "wrong-status", (*exact, again)),
        ("retry", "no-such-query", (*granted, again)),
        ("release", "applied", (*asked, 8 * DAY, sent(Release(q, a)))),
        ("release", "too-early", (*asked, sent(Release(q, a)))),
        ("publish", "applied", (*begun, answer, publish)),
        ("publish", "no-such-query", (*granted, publish)),
        ("publish", "not-entitled", (*begun, answer, sent(Publish(q, root)))),
    ]
    rows = (offer(ways=(Way.EXTRACT,)), apply(records=True), sign, register(way=Way.EXTRACT, noise=(0, 0)), begin)
    _research(place, (*steps, *_attests(q, a, (*rows, answer), (*begun, answer))))


def _research(place: str, steps: tuple[tuple[str, str, tuple[Sent | int, ...]], ...]) -> None:
    for message, name, told in steps:
        about = f"A step of research: {message}, {name.replace('-', ' ')}."
        simple(f"research.{message}", name, place, about, *told)


def _attests(
    q: bytes, a: bytes, rows: tuple[Sent, ...], figures: tuple[Sent, ...]
) -> tuple[tuple[str, str, tuple[Sent | int, ...]], ...]:
    """Return the ends of an extract: after rows, by somebody else, and after figures."""
    attest = sent(Attest(q, a), "university")
    return (
        ("attest", "applied", (*rows, attest)),
        ("attest", "not-entitled", (*rows, sent(Attest(q, a)))),
        ("attest", "wrong-status", (*figures, attest)),
    )


def _two_permits(granted: tuple[Sent, ...], a: bytes, root: bytes) -> tuple[Sent, ...]:
    """Return a second study that has taken from the pool of the first's custodian."""
    second, uni = bytes([5]) * 16, "university"
    other = Apply(second, (a,), Purpose((37,), commercial=False), "Another.", START + 30 * DAY)
    taken = Register(bytes([6]) * 16, second, (a,), root, Way.NOISY, 11, 1)
    return (*granted, sent(other, uni), sent(Sign(second, a)), sent(taken, uni))


def claims() -> None:
    salt, digest = b"s" * 16, bytes(range(32))
    opening, says = (Opening(CASE, salt),), (Statement(CASE, digest),)
    one = Submission(CASE, payer_digest(salt, CASE, "insurer-c"), digest)
    submit = sent(Submit(Kind.CLAIM, Clock.DAYS_3, Clock.DAYS_30, (one,)))
    accept, refuse = sent(Accept(opening), "insurer-c"), sent(RefuseClaim(opening), "insurer-c")
    ask, inform = sent(Ask(Clock.DAYS_45, (CASE,)), "insurer-c"), sent(Inform(says))
    key = appeal_key_digest(public("one-time"))
    decide = sent(Decide((Decided(CASE, digest, key),)), "insurer-c")
    remit, withdraw = sent(Remit((CASE,)), "insurer-c"), sent(Withdraw((CASE,)))
    appeal = sent(Appeal(CASE, digest), "insurer-d", "one-time")
    lost = sent(Appeal(CASE, digest), author="other")
    open_, advance = sent(OpenPlanYear(CASE, digest), "insurer-c"), AdvancePlanYear(CASE, digest, bytes(32))
    decided = (submit, accept, decide)
    handed = Crossing(CASE, "hospital-a", one.payer, digest)
    cross = sent(Cross(Clock.DAYS_3, Clock.DAYS_30, (handed,)), "insurer-d")
    nobody = Cross(Clock.DAYS_3, Clock.DAYS_30, (Crossing(CASE, "insurer-c", one.payer, digest),))
    twice = sent(Submit(Kind.CLAIM, Clock.DAYS_3, Clock.DAYS_30, (one, one)))
    told_: list[tuple[str, str, str, tuple[Sent | int, ...]]] = [
        ("submit", "applied", "A claim is committed.", (submit,)),
        ("submit", "unordered", "A case stands once in a message.", (twice,)),
        ("submit", "not-provider", "A payer makes no claims.", (sent(submit[0], "insurer-c"),)),
        ("submit", "case-exists", "A case is submitted once.", (submit, submit)),
        ("cross", "applied", "The first payer hands a claim on.", (cross,)),
        ("cross", "not-provider", "In a provider's name alone.", (sent(nobody, "insurer-d"),)),
        ("cross", "not-payer", "A hospital hands none on.", (sent(cross[0]),)),
        ("accept", "applied", "The payer takes it.", (submit, accept)),
        ("accept", "not-payer", "A hospital takes none.", (submit, sent(accept[0]))),
        ("accept", "not-the-payer", "It is another payer's.", (submit, sent(accept[0], "insurer-d"))),
        ("refuse", "applied", "The payer refuses it at the door.", (submit, refuse)),
        ("ask", "applied", "Information is asked for.", (submit, accept, ask)),
        ("inform", "applied", "Information is given.", (submit, accept, ask, inform)),
        ("withdraw", "applied", "It is taken back.", (submit, withdraw)),
        ("withdraw", "no-such-case", "There is none.", (withdraw,)),
        ("decide", "applied", "It is decided.", decided),
        ("decide", "not-party", "Nobody has taken it.", (submit, decide)),
        ("decide", "too-early", "Information is awaited.", (submit, accept, ask, decide)),
        ("decide", "overdue-information", "Information did not come.", (submit, accept, ask, 46 * DAY, decide)),
        ("remit", "applied", "It is paid, or not: the ledger does not say.", (*decided, remit)),
        ("remit", "wrong-status", "Nothing is decided.", (submit, accept, remit)),
        ("reopen", "applied", "The provider disputes it.", (*decided, sent(Reopen(says)))),
        ("appeal", "applied", "The patient appeals through another member.", (*decided, appeal)),
        ("appeal", "not-appeal-key", "Another key appeals nothing.", (*decided, lost)),
        ("open-plan-year", "applied", "A keeper opens a year.", (open_,)),
        ("open-plan-year", "year-exists", "A year is opened once.", (open_, open_)),
        ("advance-plan-year", "applied", "A batch of moves.", (open_, sent(advance, "insurer-c"))),
        ("advance-plan-year", "no-such-year", "There is none.", (sent(advance, "insurer-c"),)),
        ("advance-plan-year", "not-keeper", "Another keeps it.", (open_, sent(advance, "insurer-d"))),
        (
            "advance-plan-year",
            "other-root",
            "A batch beside the newest.",
            (open_, sent(advance, "insurer-c"), sent(advance, "insurer-c")),
        ),
    ]
    for message, name, about, steps in told_:
        simple(f"claims.{message}", name, "paying", about, *steps)


def trials() -> None:
    for message, name, about, steps in trials_cases.CASES:
        sent_ = tuple(one if isinstance(one, int) else (*one, {}) for one in steps)
        simple(f"trials.{message}", name, "trying", about, *sent_)


def supply() -> None:
    for message, name, about, scenario in SUPPLY:

        def bring(ledger: Ledger, scenario: Callable[[World], Sent] = scenario) -> Sent:
            world = World(ledger=ledger)
            if scenario.__name__ != "uncommissioned":
                world.commission()
            return scenario(world)

        bring.__doc__ = about
        case(f"supply.{message}", name, "trading")(bring)


def told(message: str, name: str, founders: str, scenario: Callable[[Ledger], Sent]) -> dict[str, Any]:
    """Return the vector of one scenario."""
    document = GENESES[founders]
    ledger = Recorder()
    ledger.found(encode(document), document.time)
    ledger.keys = {member.id: member.id for member in document.members}
    asked, by, author, body = scenario(ledger)
    before, pre = dict(ledger.rows), getattr(ledger, "told", [])
    wire = ledger.wire(asked, by, author, **body)
    (result,) = ledger.block(wire)
    vector = {
        "about": (scenario.__doc__ or "").strip(),
        "genesis": founders,
        "pre": pre,
        "message": to_readable(asked),
        "submitter": by,
        "authored": bool(author),
        "time": ledger.time,
        "transaction": wire.hex(),
    }
    assert vector["message"]["type"] == message or name == "not-current-key"
    if result.refusal is None:
        rows = {key.hex(): row.hex() for key, row in sorted(ledger.rows.items()) if before.get(key) != row}
        vector["post"] = {"data": result.data.hex(), "rows": rows}
    else:
        vector["reason"] = {"code": result.code, "name": result.refusal.reason.name}
    return vector | {"app_hash": ledger.chain.app_hash.hex()}


def genesis_told(document: Genesis) -> dict[str, Any]:
    ledger = Ledger()
    ledger.found(encode(document), document.time)
    return {
        "document": to_readable(document),
        "bytes": encode(document).hex(),
        "network": ledger.chain.network.hex(),
        "app_hash": ledger.chain.app_hash.hex(),
    }


def main() -> None:
    """Write all vectors, replacing those there are."""
    membership()
    records()
    emergencies()
    consent()
    research()
    claims()
    trials()
    supply()
    files = {f"genesis/{name}": genesis_told(document) for name, document in GENESES.items()}
    for message, name, founders, scenario in SCENARIOS:
        files[f"{message.replace('.', '/')}/{name}"] = told(message, name, founders, scenario)
    for folder in ("genesis", *CONTRACTS):
        shutil.rmtree(VECTORS / folder, ignore_errors=True)
    for name, vector in files.items():
        path = VECTORS / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(vector, indent=1) + "\n")


if __name__ == "__main__":
    main()
