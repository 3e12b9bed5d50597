"""`trial rehearse`: given acts and times played against a definition, every verdict told. Nothing is stored or signed.

Acts are NDJSON, one a line, in order:

    {"subject": "S1", "at": "2026-01-05T10:00:00Z", "role": "coordinator", "kind": "visit", "clinical": "2026-01-05",
     "fields": {"visit": "screen"}, "anchored": "2026-01-05T10:00:05Z"}

`role` is whose key signs; who signs a visit has signed in at that time, unless `renewed` (ms) says otherwise; `anchored` may be left out and is then the same time. The same rules judge as at a site.
"""

import datetime as dt
import hashlib
from typing import Annotated, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from salus.agreements.trials.acts import FIRST, Act, Anchored, Delegation, SignedAct, act_digest, signing_bytes
from salus.agreements.trials.conduct import ROLES, Adoption, Conditions, conduct
from salus.core.encoding import encode
from salus.node.errors import Malformed
from salus.node.trials.alone import unpacked
from salus.node.trials.sight import compiled
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case

MOST_ACTS: Final = 100_000
FOREVER: Final = (1 << 53) - 1


class RehearseTrial(Message, frozen=True):
    """A definition and acts to play."""

    protocol: Annotated[bytes, Meta(description="USDM 4.0, JSON, gzip or not.", examples=[b"{}"])]
    terms: Annotated[bytes, Meta(description="The terms, JSON.", examples=[b"{}"])]
    analysis: Annotated[bytes, Meta(description="The analysis plan, ARS v1, JSON.", examples=[b"{}"])]
    acts: Annotated[bytes, Meta(description="The acts, NDJSON.", examples=[b"{}"])]
    forms: Annotated[
        bytes, Meta(description="The forms, ODM 2.0 or 1.3.2, XML; empty: the protocol's concepts.", examples=[b""])
    ] = b""
    locked: Annotated[str, Meta(description="When the data is locked, ISO 8601; empty: never.", examples=[""])] = ""


class TrialRehearsed(Verdict, frozen=True):
    """What the rules say of each act."""

    sound: Annotated[bool, Meta(description="Whether every act was taken, without a deviation.")]
    verdicts: Annotated[tuple[str, ...], Meta(description="Acts not taken: line, subject, code, why.")]
    deviations: Annotated[tuple[str, ...], Meta(description="Line or 0, subject, code, arithmetic.")]
    participants: Annotated[tuple[str, ...], Meta(description="Subject, status, open queries, visits to be paid.")]


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    subject: Annotated[str, Meta(min_length=1, max_length=64)]
    at: dt.datetime
    role: str
    kind: str
    clinical: str = ""
    fields: dict[str, str] = {}
    anchored: dt.datetime | None = None


def _ms(time: dt.datetime) -> int:
    if time.tzinfo is None:
        raise Malformed("trials.time", "a time has a zone", expected="2026-01-05T10:00:00Z")
    return int(time.timestamp() * 1000)


def _key(role: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"rehearsal {role}".encode()).digest())


def _public(role: str) -> bytes:
    return _key(role).public_key().public_bytes_raw()


@use_case("trial.rehearse", who=OPERATOR)
def rehearse_trial(node: Node, request: RehearseTrial) -> TrialRehearsed:  # noqa: ARG001 -- a use case's shape
    """Play acts against a definition and tell every verdict, as a site and its sponsor would reach it."""
    plan, terms = compiled(unpacked(request.protocol), request.terms, request.analysis, request.forms)
    try:
        told = [msgspec.json.decode(line, type=_Line) for line in request.acts.splitlines() if line.strip()]
        locked = _ms(dt.datetime.fromisoformat(request.locked)) if request.locked else 0
    except (msgspec.DecodeError, ValueError) as error:
        raise Malformed("trials.rehearsal", "the acts cannot be read", got=str(error)) from None
    if not told or len(told) > MOST_ACTS:
        raise Malformed("trials.rehearsal", "acts are to be played", expected=f"1 to {MOST_ACTS}", got=str(len(told)))
    roles = {role for kinds in ROLES.values() for role in kinds}
    chains: dict[str, list[Anchored]] = {}
    lines: dict[str, list[int]] = {}
    for number, line in enumerate(told, 1):
        chains.setdefault(line.subject, []).append(_act(line, chains.get(line.subject, [])))
        lines.setdefault(line.subject, []).append(number)
    first = min(_ms(line.at) for line in told)
    under = Conditions(
        plans={1: (plan, terms)},
        adopted=(Adoption(first - 1, 1),),
        given=tuple(Delegation(_public(role), role, 0, FOREVER) for role in sorted(roles)),
        locked_at=locked,
        registered=first - 1,
        now=max(_ms(line.at) for line in told),
    )
    verdicts, deviations, people = [], [], []
    for subject, chain in chains.items():
        state = conduct(chain, under)
        at = [0, *lines[subject]]
        verdicts += [(at[each.number], f"{subject}: {each.code}, {each.told}") for each in state.verdicts]
        deviations += [(at[each.number], f"{subject}: {each.code}, {each.told}") for each in state.deviations]
        queries = sum(query.state != "closed" for query in state.queries)
        payable = sum(state.payable(visit) for visit in state.visits)
        people.append(f"{subject}: {state.status.value}, {queries} open queries, {payable} visits to be paid")
    return TrialRehearsed(
        sound=not verdicts and not deviations,
        verdicts=tuple(f"line {number}, {text}" for number, text in sorted(verdicts)),
        deviations=tuple(f"line {number}, {text}" for number, text in sorted(deviations)),
        participants=tuple(people),
    )


def _act(line: _Line, chain: list[Anchored]) -> Anchored:
    signed = {"meaning": "reviewed", "renewed": str(_ms(line.at))} if line.kind == "sign" else {}
    act = Act(
        study=bytes(16),
        site="rehearsal",
        subject=hashlib.sha256(line.subject.encode()).digest()[:16],
        number=len(chain) + 1,
        previous=act_digest(chain[-1].signed.act) if chain else FIRST,
        entered=_ms(line.at),
        clinical=line.clinical,
        kind=line.kind,
        by=_public(line.role),
        fields=tuple(sorted((signed | line.fields).items())),
    )
    return Anchored(SignedAct(encode(act), _key(line.role).sign(signing_bytes(act))), _ms(line.anchored or line.at))
