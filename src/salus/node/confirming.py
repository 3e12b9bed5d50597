"""Whether this node may say anything about patients: only once it can know whom it erased.

A node put back from an image of its whole folder holds again whom it erased since, and its own ledger, which tells of
the erasure, is as old. A list of erasures in another place knows. Where the list lies in the folder, others must know:

1. Ask every other active member how high its ledger is; one after the other answers, over any number of attempts.
2. Enough is more than a third of all members: whoever cosigned the newest checkpoint is among them.
3. Wait until the own replica is as high as the highest that was told.
4. The ledger must tell of no deletion that the list does not know (`erasing.forgotten`).

Before that, nothing about patients is served or taken. Who founded a ledger alone accepted in writing that nobody knows.
"""

import contextlib
import threading
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Final

from salus.contracts.membership import port as membership
from salus.core.encoding import MalformedBytes, Value, decode
from salus.node import erasing
from salus.node.config import Config
from salus.node.errors import EdgeError, Malformed, Unavailable
from salus.node.exchange.wire import Handler
from salus.node.member import MemberNode

PATH: Final = "/exchange/ledger/head"
ANSWER_SECONDS: Final = 5.0  # how long one attempt waits for the others
TODO: Final = "wait until other members answer, or keep the list of erasures elsewhere (`erasures_file`)"


class AskHead(Value, frozen=True):
    """Asks how high the ledger is that a member holds."""


class Head(Value, frozen=True):
    """Height of the newest block there."""

    height: int


def handlers(node: MemberNode) -> dict[str, Handler]:
    """Return what answers other members: each says how high its replica is, whether or not it serves anything else."""

    def told(_sender: str, body: bytes) -> Head:
        try:
            decode(body, AskHead)
        except MalformedBytes as error:
            raise Malformed("ledger.bytes", "the question does not decode", got=str(error)) from error
        return Head(node.ledger.head().height)

    return {PATH: told}


def lies_apart(config: Config) -> bool:
    """Say whether the list of erasures lies outside the data folder, so that an image of the folder leaves it alone."""
    listed, folder = Path(config.erasures_file).resolve(), Path(config.data).resolve()
    return bool(config.erasures_file) and not listed.is_relative_to(folder)


def enough(members: int) -> int:
    """Return how many others of so many members must answer: one of them signed each checkpoint that a quorum signed."""
    return max(1, members - 2 * members // 3)


class Confirming:
    """The ledger's head here, confirmed by others or not. Call it for the refusal of whatever is about patients."""

    def __init__(self, node: MemberNode) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._told: dict[str, int] = {}
        self._refusal: EdgeError | None = None
        if not lies_apart(node.config) and not self._alone():
            self._refusal = Unavailable("node.unconfirmed", "no others have confirmed the ledger's head yet", todo=TODO)

    def __call__(self, *, ask: bool) -> EdgeError | None:
        """Return None once confirmed. With `ask`, try it again first, which takes some seconds at most."""
        if self._refusal is None or not ask:
            return self._refusal
        with self._lock:
            if self._refusal is not None:
                self._refusal = self._look()
        return self._refusal

    def _alone(self) -> bool:
        """Say whether one member founded the ledger and nobody else was ever admitted: rows of members stay."""
        return len(list(self._node.ledger.read().range(membership.MEMBERS))) == 1

    def _others(self) -> list[str]:
        state = self._node.ledger.read()
        return [id_ for id_, _ in membership.active(state) if id_ != self._node.member]

    def _look(self) -> EdgeError | None:
        node, others = self._node, self._others()
        self._ask([one for one in others if one not in self._told])
        needed = enough(len(others) + 1)
        if len(self._told) < needed:
            return Unavailable(
                "node.unconfirmed",
                "too few others have confirmed the ledger's head",
                expected=f"{needed} other members",
                got=f"{len(self._told)}",
                todo=TODO,
            )
        highest = max(self._told, key=lambda one: self._told[one])
        try:
            node.wait_for(self._told[highest])
        except Unavailable:
            return Unavailable(
                "node.behind",
                "the ledger here is older than another member's",
                expected=f"block {self._told[highest]}, as at {highest}",
                got=f"block {node.ledger.head().height}",
                todo="wait; if this member orders the ledger, its folder is an old image: restore the newest",
            )
        if erasing.forgotten(node):
            node.stopped = "erasure.list-old"
            return Unavailable(node.stopped, erasing.FORGOTTEN, todo="restore with the newest list")
        return None

    def _ask(self, members: list[str]) -> None:
        """Ask these members at the same time; who answers late is heard at the next attempt."""

        def one(member: str, answered: Future[None]) -> None:
            with contextlib.suppress(EdgeError):  # silent, or no member any more: asked again
                self._told[member] = self._node.peers.ask(member, PATH, AskHead(), Head).height
            answered.set_result(None)

        answers: list[Future[None]] = []
        for member in members:
            answers.append(Future())
            threading.Thread(target=one, args=(member, answers[-1]), name="salus-confirm", daemon=True).start()
        wait(answers, ANSWER_SECONDS)
