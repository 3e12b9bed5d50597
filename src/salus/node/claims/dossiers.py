"""What one party keeps of its cases on the node's desk: each round with the claim, the decision, the remittance."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from salus.agreements.claims.decision import Ruling
from salus.core.encoding import Value, decode, encode
from salus.core.proof.digest import digest
from salus.node.claim_tables import KeptClaim
from salus.node.errors import NotFound
from salus.node.member import MemberNode

DAY_MS: Final = 86_400_000
CAME: Final = "claims-came"
Why = Literal["claim", "replacement", "void", "dispute", "appeal", "correction"]
CONTESTED: Final = frozenset({"dispute", "appeal"})
"""Rounds in which the same claim is decided by a person; it keeps the day on which it came."""


class SentDecision(Value, frozen=True):
    """A decision with all that the provider needs to make it again beside the plan."""

    case: bytes
    round: int
    key: bytes
    rates: bytes
    """JSON list with the provider's own document, or empty list."""
    facts: bytes
    decision: bytes

    def with_rates(self, rates: bytes) -> "SentDecision":
        """Return it with other rates documents, a JSON list."""
        return msgspec.structs.replace(self, rates=rates)


class KeptRuling(Value, frozen=True):
    """A person's ruling, as `decision.Ruling`."""

    step: str
    line: int
    verdict: Literal["allow", "deny", "uphold"]
    basis: str

    def ruling(self) -> Ruling:
        """Return it as a fact."""
        return Ruling(self.step, self.line, self.verdict, self.basis)


class Round(Value, frozen=True):
    """One time that a case is decided."""

    file: bytes
    """The 837 with the claim to decide."""
    key: bytes
    """Opens the commitment to it; empty at the provider where the payer opened the round."""
    received: str
    """Day of the block that brought the claim, CCYYMMDD."""
    number: int
    why: Why = "claim"
    statement: str = ""
    plan: bytes = b""
    """Digest of the plan document that decided, kept under `plan/`."""
    decided: SentDecision | None = None
    appeal_seed: bytes = b""
    """Payer: the one-time key that may appeal the decision."""
    difference: str = ""
    """Provider: the step at which its own recomputation parts, or empty."""
    remittance: str = ""
    """Name of the 835, kept under `835/`; empty before."""
    told: bool = False
    """Whether what this party has to send of the round is in its outbox."""
    taken: bool = False
    """Payer: whether the keeper has carried out what the decision takes."""
    pends: tuple[str, ...] = ()
    """Payer: why a person must look."""
    rulings: tuple[KeptRuling, ...] = ()
    attachment: bytes = b""
    """What came with the answer to a question."""
    informed: bool = False
    """Whether the claim needed more than it said: no interest then."""


class Dossier(Value, frozen=True):
    """What one party keeps of a case."""

    payer_side: bool
    other: str
    """Member id of the other party."""
    link: bytes
    """This party's link of the patient; at the payer empty until a decision was told."""
    salt: bytes
    rounds: tuple[Round, ...] = ()
    notices: tuple[str, ...] = ()
    """Payer: what the patient told, by link-signed notice."""
    families: tuple[bytes, ...] = ()
    """Digests of the subscriber's numbers: at the payer that its rounds were decided under, at the provider as sent."""

    @property
    def open(self) -> bool:
        """Whether this party has something to do: to send at the provider; to decide, tell or pay at the payer."""
        last = self.last
        return not last.told or (self.payer_side and last.decided is not None and not last.remittance)

    @property
    def last(self) -> Round:
        """The round under way or done last."""
        return self.rounds[-1]

    def with_last(self, **changes: object) -> "Dossier":
        """Return it with fields of the last round changed."""
        return msgspec.structs.replace(self, rounds=(*self.rounds[:-1], msgspec.structs.replace(self.last, **changes)))


class Batch(Value, frozen=True):
    """One 835 on its way."""

    other: str
    """Member id of the other party."""
    cases: tuple[bytes, ...]
    file: bytes
    sent: bool = False


def kept_of(node: MemberNode, case: bytes) -> Dossier | None:
    """Return what this member keeps of a case, or None."""
    found = node.desk.claims(case)
    return decode(found[0][1], Dossier) if found else None


def dossier_of(node: MemberNode, case: bytes) -> Dossier:
    """Return what this member keeps of a case. Raises NotFound."""
    found = kept_of(node, case)
    if found is None:
        raise NotFound("claims.unknown", "this member keeps no such case", got=case.hex())
    return found


def kept_cases(node: MemberNode, *, payer_side: bool | None = None) -> Sequence[tuple[bytes, Dossier, int]]:
    """Return (case id, dossier, number) in the order in which the cases came, of one side or of both."""
    found = [(case, decode(body, Dossier), number) for case, body, number in node.desk.claims()]
    return [one for one in found if payer_side is None or one[1].payer_side is payer_side]


def open_cases(node: MemberNode, *, payer_side: bool) -> Sequence[tuple[bytes, Dossier, int]]:
    """Return (case id, dossier, number) of those of one side with which something is to be done, in their order."""
    with node.claiming:
        if payer_side:
            node.memory[CAME] = set[bytes]()
        read = node.desk.open_claims()
    found = [(case, decode(body, Dossier), number) for case, body, number in read]
    return [one for one in found if one[1].payer_side is payer_side]


def family_of(subscriber: str) -> bytes:
    """Return under what the claims of a subscriber's family are found."""
    return digest("salus/v1/claims-family", subscriber.encode())


def cases_of(node: MemberNode, families: Iterable[bytes]) -> list[Dossier]:
    """Return the payer's cases of families, in the order in which they came."""
    return [one for _, one in sent_or_decided(node, families, payer_side=True)]


def sent_or_decided(node: MemberNode, families: Iterable[bytes], *, payer_side: bool) -> list[tuple[bytes, Dossier]]:
    """Return (case id, dossier) of the cases of families on one side, in the order in which they came."""
    found = [(case, decode(body, Dossier)) for case, body, _ in node.desk.claims_of(sorted(set(families)))]
    return [one for one in found if one[1].payer_side is payer_side]


def keep(node: MemberNode, cases: Iterable[tuple[bytes, Dossier]], states: Mapping[str, bytes] | None = None) -> None:
    """Keep dossiers and what stands beside them: all or none, durable on return."""
    kept = [KeptClaim(case, encode(one), one.open, one.families) for case, one in cases]
    node.desk.keep_claims(kept, tuple((states or {}).items()))


def keep_come(
    node: MemberNode, cases: Sequence[tuple[bytes, Dossier]], states: Mapping[str, bytes] | None = None
) -> None:
    """Keep what came while a run may be deciding, so that `current` tells the run. To whom holds `claiming`."""
    keep(node, cases, states)
    came = node.memory.get(CAME)
    if isinstance(came, set):
        came.update(case for case, _ in cases)


def current(node: MemberNode, cases: Iterable[tuple[bytes, Dossier]]) -> list[tuple[bytes, Dossier]]:
    """Return cases that were read as open as they are kept now. To whom holds `claiming` until they are kept again."""
    came = node.memory.get(CAME)
    changed = came if isinstance(came, set) else set[bytes]()
    return [(case, dossier_of(node, case) if case in changed else kept) for case, kept in cases]


def control_of(number: int) -> str:
    """Return the payer's number of a claim from its place in the order of arrival."""
    return f"C{number:08d}"


def take_id(case: bytes, number: int) -> bytes:
    """Return the id of what a round takes at a keeper, 16 bytes."""
    return digest("salus/v1/claims-take", case, number.to_bytes(4, "big"))[:16]


def plan_of(node: MemberNode, one: Round) -> bytes:
    """Return the plan document that decided a round."""
    return node.desk.claim_state(f"plan/{one.plan.hex()}")
