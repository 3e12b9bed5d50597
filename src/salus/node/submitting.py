"""How a node speaks to its ledger: bodies built, signed, sent, and their outcome waited for."""

from collections.abc import Callable
from concurrent.futures import TimeoutError as Timeout
from typing import Any, Final, Union

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core.encoding import MalformedBytes, Message, decode
from salus.core.transaction import Body, build_body, sign_body
from salus.engines.errors import Busy, ClockJumped, EngineError, StoreFull
from salus.engines.ports import Ledger, Outcome
from salus.node.errors import Malformed, Refused, Unavailable

LIFE_MS: Final = 5 * 60 * 1000  # half of what the ledger takes, so that a clock a little ahead does no harm
WAIT_SECONDS: Final = 5.0  # care does not wait longer than this for consensus


class Submitter:
    """Sends this member's transactions. Thread-safe."""

    def __init__(
        self,
        ledger: Ledger,
        network: bytes,
        member: str,
        key: Ed25519PrivateKey,
        *,
        clock: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._ledger = ledger
        self._network = network
        self._member = member
        self._key = key
        self._clock = clock
        self._entropy = entropy

    def body(self, message: Message, author_key: bytes = b"") -> bytes:
        """Return a fresh body for `message`; with `author_key`, one that this author is to sign as well."""
        return build_body(
            message,
            network=self._network,
            submitter=self._member,
            submitter_key=self._key.public_key().public_bytes_raw(),
            expiry=max(self._clock(), self._ledger.head().time) + LIFE_MS,
            nonce=self._entropy(16),
            author_key=author_key,
        )

    def submit(self, message: Message) -> Outcome:
        """Send `message` for the member itself and wait until it is durable.

        Raises Refused if the ledger refuses it, Unavailable if it does not answer in five seconds.
        """
        return self._send(sign_body(self.body(message), self._key))

    def carry(self, body: bytes, author_signature: bytes, allowed: tuple[type[Message], ...]) -> Outcome:
        """Send a body that its author built for this member and signed. Raises Malformed, Refused, Unavailable.

        `allowed` are the messages that authors may have carried: the member signs nothing else unseen.
        """
        try:
            read = decode(body, Body)
            kind: Any = Union[allowed]  # noqa: UP007 - a union of types given as values
            decode(bytes(read.message), kind)
        except MalformedBytes as error:
            raise Malformed("ledger.body", "not a body that this member carries for others", got=str(error)) from error
        if read.submitter != self._member or read.submitter_key != self._key.public_key().public_bytes_raw():
            raise Malformed(
                "ledger.submitter", "the body names another submitter", expected=self._member, got=read.submitter
            )
        return self._send(sign_body(body, self._key, author_signature=author_signature))

    def _send(self, wire: bytes) -> Outcome:
        try:
            outcome = self._ledger.submit(wire).result(WAIT_SECONDS)
        except Timeout as error:
            raise Unavailable("ledger.timeout", "the ledger did not answer", todo="try again") from error
        except Busy as error:
            raise Unavailable("ledger.busy", str(error), todo="try again") from error
        except ClockJumped as error:
            raise Unavailable("ledger.clock", str(error), todo="set the clock, or ledger.accept_clock") from error
        except StoreFull as error:
            raise Unavailable(
                "ledger.full", str(error), todo="make room on the disk, or raise ledger.map_bytes"
            ) from error
        except EngineError as error:
            raise Unavailable("ledger.stopped", str(error), todo="see `salus doctor`") from error
        if outcome.refusal is not None:
            raise Refused(outcome.refusal)
        if not outcome.applied:
            raise Unavailable("ledger.refused", f"the ledger refused the transaction (code {outcome.code})")
        return outcome
