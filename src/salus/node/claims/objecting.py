"""`salus wallet eob`, `spending`, `double-bills`, `self-pay`, `appeal`: what was billed, who pays, how to object."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from salus.agreements.claims.double_bills import BilledLine, double_bills
from salus.contracts.claims.port import Appeal
from salus.core.encoding import encode
from salus.core.proof.digest import digest
from salus.interop.x12.money import dollars
from salus.node.claims.exchange import appeal_commitment
from salus.node.claims.patients import (
    APPEAL,
    KEYS,
    MAX_STATEMENT,
    AppealKey,
    AppealKeys,
    Noted,
    Notice,
    SentAppeal,
)
from salus.node.claims.restricting import Restrictions, SelfPay
from salus.node.claims.sealed_answers import ask_sealed
from salus.node.errors import Malformed, NotFound, Unavailable
from salus.node.exchange.wire import RemoteRefusal
from salus.node.patient.messages import Done, Send
from salus.node.usecase import PATIENT, Message, use_case
from salus.node.wallet.file import OpenWallet
from salus.node.wallet.holder import Holder
from salus.vault.envelope import Context, seal_envelope
from salus.vault.sealing import Kind

RESOURCE: Final = "ExplanationOfBenefit"
SHARES: Final = ("deductible", "coinsurance", "copay")


class AskEobs(Message, frozen=True):
    """Asks for nothing more."""


class EobLine(Message, frozen=True):
    """One claim as a payer explained it."""

    payer: Annotated[str, Meta(description="Member id of the payer.")]
    claim: Annotated[str, Meta(description="The payer's number of the claim.")]
    provider: Annotated[str, Meta(description="Who billed.")]
    days: Annotated[str, Meta(description="First and last day of service.")]
    status: Annotated[str, Meta(description="paid, denied, voided (cancelled).")]
    billed: Annotated[int, Meta(description="Charged, cents.", extra={"cents": True})]
    paid: Annotated[int, Meta(description="Paid by this payer with interest, cents.", extra={"cents": True})]
    yours: Annotated[int, Meta(description="What the patient owes, cents.", extra={"cents": True})]
    why: Annotated[tuple[str, ...], Meta(description="Each amount taken off, in words.")]
    case: Annotated[
        str, Meta(description="The case on the ledger, hexadecimal; empty where it cannot be appealed now.")
    ]
    appeal_key: Annotated[str, Meta(description="What appeals the decision, hexadecimal: keep it as a paper notice.")]


class Eobs(Message, frozen=True):
    """Every explanation of benefits, over all payers."""

    eobs: Annotated[tuple[EobLine, ...], Meta(description="By day of service.")]
    silent: Annotated[tuple[str, ...], Meta(description="Members that could not be asked for appeal keys.")]


class AskSpending(Message, frozen=True):
    """Asks for nothing more."""


class SpendingLine(Message, frozen=True):
    """What one year cost under one payer."""

    payer: Annotated[str, Meta(description="Member id of the payer.")]
    year: Annotated[str, Meta(description="Year of service.")]
    claims: Annotated[int, Meta(description="Claims decided.")]
    billed: Annotated[int, Meta(description="Charged, cents.", extra={"cents": True})]
    paid: Annotated[int, Meta(description="Paid by the payer, cents.", extra={"cents": True})]
    deductible: Annotated[int, Meta(description="Counted to the deductible, cents.", extra={"cents": True})]
    yours: Annotated[int, Meta(description="What the patient owes, cents.", extra={"cents": True})]


class Spending(Message, frozen=True):
    """Sums over the own explanations of benefits."""

    years: Annotated[tuple[SpendingLine, ...], Meta(description="By payer and year.")]


class FindDoubleBills(Message, frozen=True):
    """Whether the payers are to be told."""

    tell: Annotated[
        bool, Meta(description="Tell both payers of each pair, by link-signed notice.", examples=[True])
    ] = False


class DoubleBillLine(Message, frozen=True):
    """One service that two payers decided as if each came first."""

    day: Annotated[str, Meta(description="First day of service.")]
    what: Annotated[str, Meta(description="Procedure or revenue code.")]
    charge: Annotated[int, Meta(description="Charged twice, cents.", extra={"cents": True})]
    one: Annotated[str, Meta(description="Payer and claim.")]
    other: Annotated[str, Meta(description="Payer and claim.")]
    told: Annotated[bool, Meta(description="Whether both payers were told.")]


class DoubleBills(Message, frozen=True):
    """What was found. No payer learns of another's claims but by the patient's word."""

    found: Annotated[tuple[DoubleBillLine, ...], Meta(description="By day.")]


class PayInFull(Message, frozen=True):
    """Services that the patient pays in full, and of which no payer is to be told."""

    member: Annotated[str, Meta(description="Member id of the provider.", examples=["cedar"])]
    first: Annotated[
        str, Meta(pattern=r"^[0-9]{8}$", description="First day of service, CCYYMMDD.", examples=["20250301"])
    ]
    last: Annotated[
        str, Meta(pattern=r"^([0-9]{8})?$", description="Last day; default the first.", examples=["20250301"])
    ] = ""
    codes: Annotated[
        tuple[str, ...],
        Meta(max_length=50, description="Procedure or revenue codes; none: every service.", examples=[["G0402"]]),
    ] = ()
    payer: Annotated[str, Meta(description="Member id of the payer; empty: every one.", examples=["harbor"])] = ""


class AskRestrictions(Message, frozen=True):
    """Asks for nothing more."""


class OwnRestriction(Message, frozen=True):
    """One request that no payer be told."""

    member: Annotated[str, Meta(description="Member id of the provider.")]
    days: Annotated[str, Meta(description="First and last day of service.")]
    codes: Annotated[tuple[str, ...], Meta(description="Procedure or revenue codes; none: every service.")]
    payer: Annotated[str, Meta(description="Member id of the payer; empty: every one.")]
    lifted: Annotated[str, Meta(description="Why the provider holds to it no more; empty while it does.")]


class OwnRestrictions(Message, frozen=True):
    """What the providers joined hold to."""

    restrictions: Annotated[tuple[OwnRestriction, ...], Meta(description="By provider, in the order they came.")]


class AppealDecision(Message, frozen=True):
    """A decision, the key that appeals it, and why."""

    payer: Annotated[str, Meta(description="Member id of the payer.", examples=["harbor"])]
    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="The case.", examples=["00" * 16])]
    appeal_key: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="The appeal key.", examples=["00" * 32])]
    statement: Annotated[
        str, Meta(min_length=3, max_length=MAX_STATEMENT, description="Why.", examples=["it was an emergency"])
    ]
    through: Annotated[
        str, Meta(description="Member that submits it; any joined one will do. Empty: the first.", examples=["cedar"])
    ] = ""


class Appealed(Message, frozen=True):
    """The case is to be decided again, by a person; the ledger shows until when."""

    height: Annotated[int, Meta(description="Block that reopened the case.")]


@use_case("wallet.eob", who=PATIENT)
def list_eobs(wallet: OpenWallet, request: AskEobs) -> Eobs:  # noqa: ARG001 -- a use case
    """List who billed what, who pays, what is left to pay and why, over all payers; each with what appeals it.

    To object: `salus wallet appeal` with payer, case and appeal key as they stand here. A person at the payer must then
    decide; it costs nothing, and any member that the wallet has joined carries it.
    """
    keys: dict[tuple[str, str], AppealKey] = {}
    silent: list[str] = []
    for tied in wallet.holder.wallet.state.links:
        try:
            keys |= {(tied.member, one.control): one for one in _keys(wallet.holder, tied.member)}
        except (Unavailable, RemoteRefusal):
            silent.append(tied.member)
    lines = []
    for payer, eob in _eobs(wallet.holder):
        key = keys.get((payer, eob["id"]))
        lines.append(
            EobLine(
                payer=payer,
                claim=eob["id"],
                provider=eob["provider"].get("display", ""),
                days=f"{eob['billablePeriod']['start']} to {eob['billablePeriod']['end']}",
                status="voided" if eob["status"] == "cancelled" else eob["disposition"],
                billed=_total(eob, "submitted"),
                paid=0 if eob["status"] == "cancelled" else _cents(eob["payment"]["amount"]),
                yours=0 if eob["status"] == "cancelled" else _total(eob, "memberliability"),
                why=tuple(_reasons(eob)),
                case=key.case.hex() if key else "",
                appeal_key=key.seed.hex() if key else "",
            )
        )
    return Eobs(eobs=tuple(sorted(lines, key=lambda one: (one.days, one.payer, one.claim))), silent=tuple(silent))


@use_case("wallet.spending", who=PATIENT)
def sum_spending(wallet: OpenWallet, request: AskSpending) -> Spending:  # noqa: ARG001 -- a use case
    """Sum the own explanations of benefits by payer and year."""
    sums: dict[tuple[str, str], list[int]] = {}
    for payer, eob in _eobs(wallet.holder):
        if eob["status"] == "cancelled":
            continue
        amounts = (1, _total(eob, "submitted"), _cents(eob["payment"]["amount"]), _total(eob, "deductible"))
        row = sums.setdefault((payer, eob["billablePeriod"]["start"][:4]), [0] * 5)
        for place, amount in enumerate((*amounts, _total(eob, "memberliability"))):
            row[place] += amount
    return Spending(
        years=tuple(
            SpendingLine(
                payer=payer, year=year, claims=row[0], billed=row[1], paid=row[2], deductible=row[3], yours=row[4]
            )
            for (payer, year), row in sorted(sums.items())
        )
    )


@use_case("wallet.double-bills", who=PATIENT)
def find_double_bills(wallet: OpenWallet, request: FindDoubleBills) -> DoubleBills:
    """Find services that two payers decided as if each came first; on request tell both payers of it."""
    lines = [one for payer, eob in _eobs(wallet.holder) if eob["status"] == "active" for one in _lines(payer, eob)]
    found = []
    for pair in double_bills(lines):
        words = (
            f"line {pair.one.line} of {pair.one.payer}'s claim {pair.one.control} and line {pair.other.line} of "
            f"{pair.other.payer}'s claim {pair.other.control} bill one service of {pair.one.first}"
        )
        for one in (pair.one, pair.other) if request.tell else ():
            wallet.holder.instruct(one.payer, "claim-notice", Notice(one.control, words), Noted)
        found.append(
            DoubleBillLine(
                day=pair.one.first,
                what=pair.one.procedure or pair.one.revenue,
                charge=pair.one.charge,
                one=f"{pair.one.payer} {pair.one.control}",
                other=f"{pair.other.payer} {pair.other.control}",
                told=request.tell,
            )
        )
    return DoubleBills(found=tuple(found))


@use_case("wallet.appeal", who=PATIENT)
def appeal_decision(wallet: OpenWallet, request: AppealDecision) -> Appealed:
    """Have a decision made again by a person: the appeal is on the ledger through any member, so no payer swallows it.

    Raises NotFound, RemoteRefusal, Unavailable.
    """
    holder, case = wallet.holder, bytes.fromhex(request.case)
    joined = [tied.member for tied in holder.wallet.state.links]
    if not joined:
        raise NotFound("wallet.no-member", "the wallet has joined no member")
    through = request.through or joined[0]
    author = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(request.appeal_key))
    key = holder.entropy(32)
    message = Appeal(case, appeal_commitment(key, request.statement))
    carried = holder.author(through, message, author, digest("salus/v1/claims-cases", case))
    object_id, public = holder.entropy(16), author.public_key().public_bytes_raw()
    envelope = seal_envelope(
        encode(SentAppeal(carried.height, case, key, request.statement)),
        Context(holder.network, public, APPEAL, object_id),
        recipient=holder.member(request.payer).receive_key,
        sign=author,
    )
    holder.instruct(through, "send", Send(request.payer, APPEAL, envelope), Done)
    return Appealed(height=carried.height)


@use_case("wallet.self-pay", who=PATIENT)
def pay_in_full(wallet: OpenWallet, request: PayInFull) -> OwnRestrictions:
    """Ask a provider, by link-signed instruction, to tell no payer of services that the patient pays in full.

    It is the patient's right (45 CFR 164.522(a)(1)(vi)). Raises RemoteRefusal, Unavailable.
    """
    asked = SelfPay(request.first, request.last or request.first, request.codes, request.payer)
    return OwnRestrictions(restrictions=_restrictions(wallet.holder, request.member, asked))


@use_case("wallet.restrictions", who=PATIENT)
def list_own_restrictions(wallet: OpenWallet, request: AskRestrictions) -> OwnRestrictions:  # noqa: ARG001 -- a use case
    """List of which services no payer is told, over all providers joined, and what they lifted and why."""
    members = [tied.member for tied in wallet.holder.wallet.state.links]
    return OwnRestrictions(
        restrictions=tuple(one for member in members for one in _restrictions(wallet.holder, member, SelfPay()))
    )


def _restrictions(holder: Holder, member: str, asked: SelfPay) -> tuple[OwnRestriction, ...]:
    return tuple(
        OwnRestriction(
            member=member,
            days=f"{one.asked.first} to {one.asked.last}",
            codes=one.asked.codes,
            payer=one.asked.payer,
            lifted=one.lifted,
        )
        for one in holder.instruct(member, "claim-self-pay", asked, Restrictions).restrictions
    )


def _keys(holder: Holder, member: str) -> tuple[AppealKey, ...]:
    return ask_sealed(holder, member, KEYS, AppealKeys).keys


def _eobs(holder: Holder) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (payer, explanation) in its newest version, over all members joined."""
    for tied in holder.wallet.state.links:
        newest: dict[str, Any] = {}
        for one in holder.records(tied.member):
            if one.content.type == RESOURCE and one.content.kind is not Kind.TOMBSTONE:
                known = newest.get(one.content.id)
                if known is None or known.version < one.version:
                    newest[one.content.id] = one
        for one in newest.values():
            try:
                eob = json.loads(one.content.body, parse_float=str)
            except ValueError as error:
                raise Malformed("wallet.eob", "an explanation of benefits does not decode", got=tied.member) from error
            if "disposition" in eob and "payment" in eob:
                yield tied.member, eob


def _cents(money: dict[str, Any]) -> int:
    """Return an amount in cents; the text of its number is read, never a float."""
    whole, _, part = str(money["value"]).partition(".")
    cents = abs(int(whole)) * 100 + int(part.ljust(2, "0")[:2])
    return -cents if whole.startswith("-") else cents


def _code(concept: dict[str, Any]) -> str:
    return str(concept["coding"][0]["code"])


def _total(eob: dict[str, Any], code: str) -> int:
    return sum(_cents(one["amount"]) for one in eob["total"] if _code(one["category"]) == code)


def _reasons(eob: dict[str, Any]) -> Iterator[str]:
    for item in eob["item"]:
        for one in item["adjudication"]:
            if "reason" in one:
                yield f"line {item['sequence']}: {dollars(_cents(one['amount']))}, {one['reason'].get('text', '')}"


def _lines(payer: str, eob: dict[str, Any]) -> Iterator[BilledLine]:
    for item in eob["item"]:
        amounts = {_code(one["category"]): _cents(one["amount"]) for one in item["adjudication"] if "reason" not in one}
        revenue = _code(item["revenue"]) if "revenue" in item else ""
        product = _code(item["productOrService"])
        yield BilledLine(
            payer=payer,
            control=eob["id"],
            line=item["sequence"],
            provider=eob["provider"]["identifier"]["value"],
            first=item["servicedPeriod"]["start"],
            last=item["servicedPeriod"]["end"],
            procedure="" if product == revenue else product,
            revenue=revenue,
            place=_code(item["locationCodeableConcept"]) if "locationCodeableConcept" in item else "",
            charge=_cents(item["net"]),
            modifiers=frozenset(_code(one) for one in item.get("modifier", [])),
            paid=amounts.get("paidtoprovider", 0),
            after_another=amounts.get("priorpayerpaid", 0) > 0,
        )
