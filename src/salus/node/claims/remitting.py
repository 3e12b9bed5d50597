"""From committed decisions to EOBs, decisions sent and 835s: each part goes on where a crash left it.

An 835 is fixed once: one commit of the desk keeps the file, the rounds that it pays, what payees owe afterwards, the
last trace number and what goes on to a payer that comes after. Only then the ledger is told, and only then it is sent. What a later run finds fixed it finishes.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from salus.agreements.claims.decision import Decision
from salus.agreements.claims.eob import write_explanation
from salus.agreements.claims.fhir_response import coverage
from salus.agreements.claims.members import Members, person_of
from salus.agreements.claims.plan import Plan, payer_of
from salus.agreements.claims.remit import Forwarded, remit
from salus.contracts.claims import port
from salus.core.encoding import decode, encode
from salus.core.proof.digest import digest
from salus.interop.x12.calendar import date_of
from salus.interop.x12.envelope import Stamp, Trader, interchange
from salus.interop.x12.remittance import set_of
from salus.node.anchoring import anchor
from salus.node.claims.control import number_after
from salus.node.claims.crossing import handed_on
from salus.node.claims.dossiers import (
    DAY_MS,
    Batch,
    Dossier,
    Round,
    SentDecision,
    current,
    dossier_of,
    keep,
    open_cases,
    plan_of,
    take_id,
)
from salus.node.claims.exchange import (
    DECISION,
    REMITTANCE,
    SentDecisions,
    SentRemittance,
    line_of,
    parts,
    read_decision,
    remitted,
)
from salus.node.claims.following import followed
from salus.node.claims.keeper import accumulators_of
from salus.node.claims.versions import PublishedPlan, published
from salus.node.errors import Unavailable
from salus.node.exchange.documents import Telling, disclose
from salus.node.member import MemberNode
from salus.vault.sealing import Content

TRACE: Final = "trace"
OWED: Final = "owed"
UNFINISHED: Final = "unfinished"
"""Names of the 835s that are fixed and not sent yet."""
_DONE: Final = (port.CaseStatus.DECIDED, port.CaseStatus.REMITTED)


class Remitter:
    """A payer's decided cases under one plan, from the decision to the 835."""

    def __init__(
        self, node: MemberNode, plan: Plan, document: bytes, members: Members, made: Mapping[bytes, Decision]
    ) -> None:
        """`made`: decisions of this run, by the key of their commitment; others are read from what is kept."""
        self._node, self._plan, self._members, self._made = node, plan, members, made
        self._digest = digest("salus/v1/claims-plan", document)
        self._today = date_of(node.ledger_time() // DAY_MS)

    def remit(self) -> tuple[int, int]:
        """Tell and pay what is decided: one 835 per provider. Return how many cases, and the sum in cents."""
        self._finish()
        self._tell()
        grouped: dict[str, list[tuple[bytes, Dossier]]] = {}
        for case, kept in self._cases(port.CaseStatus.DECIDED):  # what is remitted was paid, by whatever 835
            if kept.last.plan == self._digest and not kept.last.remittance:
                grouped.setdefault(kept.other, []).append((case, kept))
        count = cents = 0
        for provider, cases in grouped.items():
            for some in parts(cases, port.MAX_CASES):
                cents += self._fix(provider, some)
                count += len(some)
        self._finish()
        return count, cents

    def _cases(self, *statuses: port.CaseStatus) -> list[tuple[bytes, Dossier]]:
        """Return the cases whose last round the ledger holds as decided: in these statuses, or paid as well."""
        found, open_ = [], open_cases(self._node, payer_side=True)
        rows = port.cases_by(self._node.ledger.read(), (case for case, _, _ in open_))
        for case, kept, _ in open_:
            row = rows.get(case)
            if (
                row is not None
                and row.status in (statuses or _DONE)
                and row.round == kept.last.number
                and kept.last.decided
            ):
                found.append((case, kept))
        return found

    def _tell(self) -> None:
        """Make each decision's EOB, and what covers the patient, records of the patient, and send the decisions to their providers."""
        node = self._node
        waiting = [(case, kept) for case, kept in self._cases() if not kept.last.told]
        decisions = [self._decision(one.last.decided) for _, one in waiting if one.last.decided is not None]
        patients = [(f"urn:payer:{one.claim.payer.identifier}", person_of(one.claim)) for one in decisions]
        links = node.vault.open_links(patients)
        contents = [Content("ExplanationOfBenefit", one.control, write_explanation(one)) for one in decisions]
        node.vault.write_all(
            [*self._covers(dict(zip(links, decisions, strict=True))), *zip(links, contents, strict=True)]
        )
        node.catch_up_later()
        anchor(node)
        links_by = {case: link for (case, _), link in zip(waiting, links, strict=True)}
        height = node.ledger.head().height
        grouped: dict[tuple[str, bytes], list[tuple[bytes, Dossier]]] = {}
        for case, kept in waiting:
            grouped.setdefault((kept.other, kept.last.plan), []).append((case, kept))
        for (provider, _), cases in grouped.items():
            for some in parts(cases):
                sent = tuple(one.last.decided for _, one in some if one.last.decided is not None)
                plan = plan_of(node, some[0][1].last)
                lines = [line_of(links_by[case], provider, "Decision") for case, _ in some]
                disclose(
                    node,
                    Telling(
                        provider,
                        DECISION,
                        SentDecisions(height, plan, sent, published(node, plan) or PublishedPlan()),
                        lines,
                    ),
                )
                with node.claiming:
                    now = zip(current(node, some), some, strict=True)
                    keep(node, [(case, _told(one, read.last, links_by[case])) for (case, one), (_, read) in now])

    def _covers(self, patients: Mapping[bytes, Decision]) -> Iterator[tuple[bytes, Content]]:
        """Yield what covers each patient that has no such record yet."""
        for link, one in patients.items():
            cover = coverage(one.claim, self._plan.name)
            if self._node.vault.newest(link, "Coverage", cover["id"]) is None:
                yield link, Content("Coverage", cover["id"], msgspec.json.encode(cover))

    def _decision(self, sent: SentDecision) -> Decision:
        return self._made.get(sent.key) or read_decision(sent)

    def _unpaid(self, kept: Dossier) -> list[Decision]:
        """Return the decisions of a case that no 835 tells yet, oldest first: each takes the one before it back."""
        return [self._decision(one.decided) for one in kept.rounds if one.decided is not None and not one.remittance]

    def _fix(self, provider: str, cases: Sequence[tuple[bytes, Dossier]]) -> int:
        """Fix one 835 for a provider's cases; return its sum in cents."""
        with self._node.claiming:
            return self._fixed(provider, current(self._node, cases))

    def _fixed(self, provider: str, cases: Sequence[tuple[bytes, Dossier]]) -> int:
        node = self._node
        decisions = [decision for _, kept in cases for decision in self._unpaid(kept)]
        trace = number_after(node, TRACE)
        payees = dict.fromkeys(one.claim.billing.identifier for one in decisions)
        traces = {payee: f"{trace:09d}{place:04d}" for place, payee in enumerate(payees, 1)}
        owed = msgspec.msgpack.decode(node.desk.claim_state(OWED) or b"\x80", type=dict[str, Forwarded])
        paid, owed = remit(decisions, payer_of(self._plan), self._today, traces, owed)
        ends = (Trader("ZZ", self._plan.payer[:15]), Trader("ZZ", provider[:15].upper()))
        bodies = [set_of(one, f"{place:04d}") for place, one in enumerate(paid, 1)]
        file = interchange(ends, Stamp(self._today, "0000", trace), "HP", "005010X221A1", bodies)
        name = digest("salus/v1/claims-835", file).hex()
        batch = Batch(provider, tuple(sorted(case for case, _ in cases)), file)
        states = {
            f"835/{name}": encode(batch),
            TRACE: str(trace).encode(),
            OWED: msgspec.msgpack.encode(owed),
            UNFINISHED: _names((*_unfinished(node), f"835/{name}")),
            **handed_on(node, self._plan, self._members, cases),
            **followed(node, cases),
        }
        keep(node, [(case, remitted(kept, name)) for case, kept in cases], states)
        return sum(one.paid for one in paid)

    def _finish(self) -> None:
        """Tell the ledger of every 835 that is fixed, and send it."""
        node = self._node
        for name in _unfinished(node):
            batch = decode(node.desk.claim_state(name), Batch)
            dossiers = {case: dossier_of(node, case) for case in batch.cases}
            open_, rows = [], port.cases_by(node.ledger.read(), batch.cases)
            for case, kept in dossiers.items():
                row = rows.get(case)
                paid = f"835/{kept.last.remittance}" == name and row is not None and row.round == kept.last.number
                if paid and row is not None and row.status is port.CaseStatus.DECIDED:
                    open_.append(case)
            if open_:
                node.submitter.submit(port.Remit(tuple(open_)))
            self._settle(dossiers)
            height = node.ledger.head().height
            lines = [line_of(kept.link, batch.other, "Remittance") for kept in dossiers.values()]
            disclose(node, Telling(batch.other, REMITTANCE, SentRemittance(batch.cases, height, batch.file), lines))
            left = tuple(one for one in _unfinished(node) if one != name)
            keep(node, [], {name: encode(msgspec.structs.replace(batch, sent=True)), UNFINISHED: _names(left)})

    def _settle(self, dossiers: Mapping[bytes, Dossier]) -> None:
        """Tell the keeper which takes the 835 paid. A keeper that is down is told of none: the takes stand anyway."""
        shared = accumulators_of(self._node, self._plan)
        if shared is not None:
            rounds = [(case, one) for case, kept in dossiers.items() for one in kept.rounds if one.taken]
            with contextlib.suppress(Unavailable):
                shared.settle([take_id(case, one.number) for case, one in rounds])


def _unfinished(node: MemberNode) -> tuple[str, ...]:
    return msgspec.msgpack.decode(node.desk.claim_state(UNFINISHED) or b"\x90", type=tuple[str, ...])


def _names(names: tuple[str, ...]) -> bytes:
    return msgspec.msgpack.encode(names)


def _told(kept: Dossier, read: Round, link: bytes) -> Dossier:
    """Return a case with the round told that was read; another may have come since."""
    rounds = [msgspec.structs.replace(one, told=True) if one.number == read.number else one for one in kept.rounds]
    return msgspec.structs.replace(kept, link=link, rounds=tuple(rounds))
