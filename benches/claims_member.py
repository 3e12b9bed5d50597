"""One member of the claims' bench on four nodes: provider of its own batches of claims, payer of another's.

What travels sealed between the two (salts, claims, decisions) follows from the batch's number, so that the pipe's bench moves
what the ledger moves and nothing else.
"""

import hashlib
import time
from collections import deque
from functools import lru_cache
from typing import Any

from benches.consortium_member import Member, obey
from salus.contracts.claims.port import (
    Accept,
    Case,
    Clock,
    Decide,
    Decided,
    Kind,
    Opening,
    Submission,
    Submit,
    appeal_key_digest,
    case,
    payer_digest,
)

LATE_SECONDS = 5.0
"""How long a payer goes on looking for batches after the last may have been sent: one takes less to get here."""


class ClaimsMember(Member):
    """A member with two words more."""

    @staticmethod
    @lru_cache(maxsize=64)
    def batch(provider: str, number: int, size: int) -> list[tuple[bytes, bytes]]:
        """Return case ids and salts of a batch, ascending by id."""
        seeds = (hashlib.sha256(f"{provider}/{number}/{place}".encode()).digest() for place in range(size))
        return sorted((seed[:16], seed[16:]) for seed in seeds)

    def claims(self, payer: str, provider: str, seconds: float, size: int, outstanding: int) -> dict[str, Any]:
        """Open batches of claims at `payer`, accept and decide those of `provider`, for so long; return when each was what.

        Keys of the answer: `sent`, `decided`: batch number to monotonic seconds, own batches and the other's; `cpu`: seconds.
        """
        sent: dict[int, float] = {}
        decided: dict[int, float] = {}
        own: dict[int, Any] = {}
        steps: deque[tuple[str, int, Any]] = deque()
        cpu, seen, end = time.process_time(), 0, time.monotonic() + seconds
        while time.monotonic() < end + LATE_SECONDS or steps or own:
            while len(own) < outstanding and time.monotonic() < end:
                number = len(sent)
                sent[number] = time.monotonic()
                own[number] = self._submit(number, payer, size)
            state = self.ledger.read()
            for number in [one for one, outcome in own.items() if outcome.done() and self._decided(state, one, size)]:
                self._applied(own.pop(number))
            if self._there(state, provider, seen, size):
                steps.append(("accept", seen, self._accept(provider, seen, size)))
                seen += 1
            while steps and steps[0][2].done():
                step, number, outcome = steps.popleft()
                self._applied(outcome)
                if step == "accept":
                    steps.append(("decide", number, self._decide(provider, number, size)))
                else:
                    decided[number] = time.monotonic()
            time.sleep(0.005)
        return {"sent": sent, "decided": decided, "cpu": time.process_time() - cpu}

    def _there(self, state: Any, provider: str, number: int, size: int) -> bool:
        return case(state, self.batch(provider, number, size)[0][0]) is not None

    def _decided(self, state: Any, number: int, size: int) -> bool:
        row: Case | None = case(state, self.batch(self._name, number, size)[0][0])
        return row is not None and bool(row.decision)

    @staticmethod
    def _applied(outcome: Any) -> None:
        if outcome.result(60).code != 0:
            raise ValueError(f"a step was refused: {outcome.result(60).code}")

    def _submit(self, number: int, payer: str, size: int) -> Any:
        cases = tuple(
            Submission(id_, payer_digest(salt, id_, payer), hashlib.sha256(salt).digest())
            for id_, salt in self.batch(self._name, number, size)
        )
        return self.ledger.submit(self.sign(Submit(Kind.CLAIM, Clock.DAYS_3, Clock.DAYS_30, cases)))

    def _accept(self, provider: str, number: int, size: int) -> Any:
        cases = tuple(Opening(id_, salt) for id_, salt in self.batch(provider, number, size))
        return self.ledger.submit(self.sign(Accept(cases)))

    def _decide(self, provider: str, number: int, size: int) -> Any:
        key = appeal_key_digest(bytes(32))
        cases = tuple(
            Decided(id_, hashlib.sha256(salt).digest(), key) for id_, salt in self.batch(provider, number, size)
        )
        return self.ledger.submit(self.sign(Decide(cases)))


def serve(pipe: Any, name: str, key: bytes, told: dict[str, Any]) -> None:
    """Do what the pipe says until it says `close`."""
    obey(ClaimsMember(name, key, **told), pipe, ("begin", "seen", "claims"))
