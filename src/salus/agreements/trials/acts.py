"""What is done in a trial at a site: numbered, chained, signed acts. Values and their checks; `conduct` judges them.

    act digest    digest("salus/v1/trial-act", act bytes)
    previous      the digest of the act before it in the same chain; 32 zero bytes for the first
    signature     Ed25519(person's key, framed("salus/v1/trial-act", act bytes))
    of a run      Ed25519(person's key, framed("salus/v1/trial-acts", digest of each act)): 2 to 50 acts of one person that
                  follow each other in a chain. It stands with the last of them; the others carry none.

A site has one chain of delegations, and one chain for each participant. Eligibility and delegations are signed one by one:
others are shown them without the chain.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof import ed25519
from salus.core.proof.digest import digest, framed

LABEL: Final = "salus/v1/trial-act"
RUN_LABEL: Final = "salus/v1/trial-acts"
FIRST: Final = bytes(32)
MOST_IN_RUN: Final = 50  # forms that a person looks through and signs at once
MAX_FIELDS: Final = 200
MAX_TEXT: Final = 2000
MOST_HELD: Final = 1 << 16
_HELD: Final[set[bytes]] = set()
"""Digests of what signatures held over: a chain is judged anew with each act that is added."""


class Act(Value, frozen=True):
    """One act."""

    study: bytes
    site: str
    """Member id."""
    subject: bytes
    """16 random bytes that stand for the participant at this site; empty in the chain of delegations."""
    number: int
    """Place in its chain, from 1."""
    previous: bytes
    """Digest of the act before."""
    entered: int
    """When it was entered, Unix ms."""
    clinical: str
    """When it happened, ISO 8601 date or date and time; empty if that is no question."""
    kind: str
    """One of `conduct.KINDS`."""
    by: bytes
    """The person's public key, 32 bytes."""
    fields: tuple[tuple[str, str], ...]
    """(name, value), ascending by name; numbers as they were written."""


class SignedAct(Value, frozen=True):
    """An act's bytes with the person's signature."""

    act: bytes
    signature: bytes
    """64 bytes; empty where that of a later act, the last of the run, signs this one too."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """An act with when it was anchored."""

    signed: SignedAct
    at: int
    """Block time of its anchor, ms; 0 while it has none."""


def act_digest(act: bytes) -> bytes:
    """Return the digest by which the next act names this one."""
    return digest(LABEL, act)


def signing_bytes(act: Act) -> bytes:
    """Return what the person's key signs."""
    return framed(LABEL, (encode(act),))


def run_signing_bytes(acts: Sequence[bytes]) -> bytes:
    """Return what the person's key signs for acts that it signs at once: their bytes, in the order of the chain."""
    if len(acts) == 1:
        return framed(LABEL, (acts[0],))
    return framed(RUN_LABEL, tuple(act_digest(act) for act in acts))


def read(signed: SignedAct) -> Act | None:
    """Return an act whose bytes decode and whose own signature holds, within its limits; else None."""
    return read_all((signed,))[0]


def read_all(chain: Sequence[SignedAct]) -> list[Act | None]:
    """Return acts in order, each whose bytes decode within their limits and that a signature covers; None for the others.

    A run is of one person; where its signature does not hold, or is missing, none of its acts does.
    """
    found: list[Act | None] = []
    for run in runs(chain):
        acts = [_decoded(one.act) for one in run]
        by = None if acts[0] is None else acts[0].by
        of_one = by is not None and len(run) <= MOST_IN_RUN and all(act is not None and act.by == by for act in acts)
        found += acts if by is not None and of_one and _holds(by, run) else [None] * len(run)
    return found


def runs(chain: Sequence[SignedAct]) -> Iterator[Sequence[SignedAct]]:
    """Yield what is signed together, in order: acts without a signature go with the next that has one."""
    start = 0
    for at, one in enumerate(chain, 1):
        if one.signature or at == len(chain):
            yield chain[start:at]
            start = at


def _decoded(data: bytes) -> Act | None:
    try:
        act = decode(data, Act)
    except MalformedBytes:
        return None
    sound = len(act.by) == ed25519.KEY_BYTES and len(act.fields) <= MAX_FIELDS
    sound = sound and all(len(name) <= MAX_TEXT and len(value) <= MAX_TEXT for name, value in act.fields)
    sound = sound and [name for name, _ in act.fields] == sorted({name for name, _ in act.fields})
    return act if sound else None


def _holds(by: bytes, run: Sequence[SignedAct]) -> bool:
    signature, signed = run[-1].signature, run_signing_bytes([one.act for one in run])
    held = digest("salus/v1/trial-act-held", signed, signature)  # nothing of a participant is kept
    if held in _HELD:
        return True
    if not ed25519.verify(by, signed, signature):
        return False
    if len(_HELD) >= MOST_HELD:
        _HELD.clear()
    _HELD.add(held)
    return True


@dataclass(frozen=True, slots=True)
class Delegation:
    """That a person may act in a role for a while."""

    person: bytes
    role: str
    since: int
    until: int


def delegations(chain: Sequence[SignedAct], investigator: bytes) -> tuple[Delegation, ...]:
    """Return the delegations that the principal investigator's key gave, in order; the chain ends where it breaks.

    The investigator acts as `investigator` without one. `revoke` ends a person's delegations from its entry.
    """
    given = [Delegation(investigator, "investigator", 0, (1 << 53) - 1)]
    previous = FIRST
    for number, signed in enumerate(chain, 1):
        act = read(signed)
        if act is None or (act.number, act.previous, act.subject, act.by) != (number, previous, b"", investigator):
            break
        previous = act_digest(signed.act)
        told = dict(act.fields)
        try:
            person, until = bytes.fromhex(told.get("person", "")), int(told.get("until", "0"))
        except ValueError:
            break
        if act.kind == "delegate":
            given.append(Delegation(person, told.get("role", ""), act.entered, until))
        else:
            given = [
                Delegation(one.person, one.role, one.since, min(one.until, act.entered))
                if one.person == person
                else one
                for one in given
            ]
    return tuple(given)


def may(given: Sequence[Delegation], person: bytes, roles: Sequence[str], at: int) -> bool:
    """Return whether a person acts in one of some roles at a time (ms)."""
    return any(one.person == person and one.role in roles and one.since <= at < one.until for one in given)
