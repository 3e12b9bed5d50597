"""What the steps of the claims chapter hand on: the members, their files and documents, and what stands so far."""

import time
from dataclasses import dataclass, field
from typing import Any, Final
from zlib import crc32

import msgspec

from salus.agreements.claims.decide import net_moves
from salus.agreements.claims.decision import Decision
from salus.agreements.claims.plan import Plan, read_plan
from salus.contracts.claims import port
from salus.contracts.membership.port import Role
from salus.interop.x12.claim import Claim
from salus.interop.x12.claim_writer import set_of
from salus.interop.x12.envelope import Stamp, Trader, interchange
from salus.interop.x12.examine import UnitSeen, examine
from salus.interop.x12.remittance import Payment, read_payment
from salus.node.claims import decide_claims, dossiers
from salus.node.claims.deciding import DecideClaims
from salus.node.claims.exchange import read_decision
from salus.node.claims.submitting import SubmitClaims, send_file
from salus.node.demo.telling import Telling
from salus.node.errors import NotFound
from salus.node.exchange.delivery import deliver_due, failing
from salus.node.member import MemberNode
from salus.node.together import Founder, Together

FOUNDERS: Final = (
    Founder("cedar", "Cedar Clinic", (Role.PROVIDER,), "US-IL"),
    Founder("birch", "Birch Hospital", (Role.PROVIDER,), "US-IL"),
    Founder("harbor", "Harbor Health", (Role.PAYER,), "US-IL"),
    Founder("remedy", "Remedy Pharmacy Plan", (Role.PAYER,), "US-IL"),
    Founder("meridian", "Meridian, under Medicare's secondary rules", (Role.PAYER,), "US-IL"),
)
PROVIDERS: Final = ("cedar", "birch")
PAYER: Final = "harbor"
TODAY: Final = "20250415"
START: Final = 1_744_714_800_000  # 2025-04-15, 11:00 UTC: the sample's claims are of March
DAY: Final = 86_400_000
SENDINGS: Final = 60
PAUSE_SECONDS: Final = 0.5
STEP_DAYS: Final = 25  # a ledger does not believe a clock that jumps by 30


@dataclass
class Scene:
    """What the steps hand on."""

    telling: Telling
    together: Together
    files: tuple[tuple[str, bytes], ...]
    """Each with the provider that sends it."""
    documents: DecideClaims
    planted: dict[str, list[str]]
    numbered: bool = True
    """Whether senders number their files: files from here and there repeat numbers."""
    sent: dict[str, list[tuple[Claim, bytes]]] = field(default_factory=dict)
    """Sound claims of each provider, each as a file of its own."""

    @property
    def payer(self) -> MemberNode:
        """Return the node of the payer that decides the month."""
        return self.together.nodes[PAYER]

    def node(self, member: str) -> MemberNode:
        """Return a member's node."""
        return self.together.nodes[member]

    def settle(self) -> None:
        """Wait until every replica has the newest block, and send again what a slow one did not take at once."""
        height = self.together.owner.ledger.head().height
        nodes = self.together.nodes.values()
        for node in nodes:
            node.wait_for(height)
        for _ in range(SENDINGS):
            if not any(failing(node) for node in nodes):
                return
            time.sleep(PAUSE_SECONDS)
            for node in nodes:
                deliver_due(node)

    def submit(self, provider: str, file: bytes, payer: str = PAYER) -> tuple[str, ...]:
        """Send a file of claims to a payer; return the cases."""
        made = send_file(self.node(provider), SubmitClaims(payer=payer, file=file), counted=self.numbered)
        self.settle()
        return made.cases

    def decide(self, documents: DecideClaims | None = None, payer: str = PAYER) -> tuple[int, int, int]:
        """Have a payer decide and remit; return how many cases were decided, wait, and the cents remitted."""
        done = decide_claims(self.node(payer), documents or self.documents)
        self.settle()
        return done.decided, done.waiting, done.cents

    def later(self, days: int) -> None:
        """Move the shared clock in steps that the ledger believes."""
        while days:
            ahead = min(days, STEP_DAYS)
            self.together.clock.advance(ahead * DAY)
            self.payer.submitter.submit(port.OpenPlanYear(self.payer.entropy(16), bytes(32)))
            self.settle()
            days -= ahead

    def decisions(self, member: str = PAYER) -> list[Decision]:
        """Return the last decision of every case that a member keeps."""
        kept = [one.last.decided for _, one, _ in dossiers.kept_cases(self.node(member))]
        return [read_decision(one) for one in kept if one is not None]

    def decision(self, case: str, payer: str = PAYER) -> Decision:
        """Return the last decision of one case. Raises NotFound."""
        sent = dossiers.dossier_of(self.node(payer), bytes.fromhex(case)).last.decided
        if sent is None:
            raise NotFound("demo.claims", "the case is not decided", got=case)
        return read_decision(sent)

    def payments(self) -> list[Payment]:
        """Return every claim payment of the 835s that the providers have, in the order in which they were written."""
        found: list[tuple[str, Payment]] = []
        for provider in PROVIDERS:
            for _, body in self.node(provider).desk.claim_states("835/"):
                batch = msgspec.msgpack.decode(body, type=tuple)
                if batch[0] != PAYER:
                    continue
                for event in examine([batch[2]]):
                    if isinstance(event, UnitSeen):
                        payment = read_payment(event.loop, event.head.delimiters.component)
                        found.append((event.head.interchange.get(13), payment))
        return [payment for _, payment in sorted(found, key=lambda one: one[0])]

    def taken(self) -> dict[tuple[str, ...], int]:
        """Return what each accumulator has taken, cents, from all decisions of the payer."""
        cells: dict[tuple[str, ...], int] = {}
        for _, kept, _ in dossiers.kept_cases(self.payer):
            for one in kept.rounds:
                if one.decided is None:
                    continue
                decision = read_decision(one.decided)
                person = decision.claim.patient
                for move in net_moves(decision):
                    holder = person.first + person.birth if move.cell.scope == "member" else ""
                    name = (decision.claim.subscriber.member, holder, move.cell.bucket, move.cell.tier)
                    cells[name] = cells.get(name, 0) + move.amount
        return {name: cents for name, cents in cells.items() if cents}


def plan_of(scene: Scene) -> Plan:
    """Return the payer's plan."""
    return read_plan(scene.documents.plan)


def fresh(scene: Scene, code: str, name: str, day: str, **changes: Any) -> bytes:
    """Return a claim like the first of the clinic's with this one procedure, on a day without a claim."""
    claim, _ = next(one for one in scene.sent["cedar"] if one[0].lines[0].procedure == "G0402")
    line = msgspec.structs.replace(claim.lines[0], procedure=code, first=day, last=day, charge=18_000)
    made = msgspec.structs.replace(claim, identifier=name, lines=(line,), charge=18_000, first=day, last=day, **changes)
    return written(made)


def written(claim: Claim) -> bytes:
    """Return an 837 with one claim of the clinic."""
    body = set_of((claim,), "0001", TODAY, "0900")
    ends = (Trader("ZZ", "CEDAR"), Trader("ZZ", "HARBOR"))
    control = 100 + crc32("".join(part.text for part in body).encode()) % 900_000_000
    return interchange(ends, Stamp(TODAY, "0900", control), "HC", "005010X222A1", [body])
