"""What programs are in the middle of at one node: questions to people, launches, codes, tokens."""

from collections.abc import Callable
from typing import Final

import msgspec

from salus.node.smart.expiring import Expiring
from salus.node.smart.scopes import Asked
from salus.node.usecase import Caller

TOKEN_SECONDS: Final = 300  # SMART 2.2 section 2.0.7 asks for at most an hour; backend services for at most 5 minutes
CODE_MS: Final = 60_000  # RFC 6749 4.1.2 asks for at most 10 minutes
LAUNCH_MS: Final = 5 * 60_000
QUESTION_MS: Final = 10 * 60_000
REPLAY_MS: Final = 10 * 60_000
MOST: Final = 2_000
MOST_TOKENS: Final = 20_000


class Question(msgspec.Struct, frozen=True):
    """What a program asks a person to allow: an authorization request that holds (RFC 6749 4.1.1, SMART 2.2 section 2.0.9)."""

    client: str
    redirect: str
    state: str
    challenge: str
    """PKCE S256 (RFC 7636)."""
    asked: Asked
    launch: str = ""
    """Name of the launch that this answers, checked."""


class Launch(msgspec.Struct, frozen=True):
    """An app opened from a chart: the chart's patient, for the session that opened it."""

    client: str
    session: bytes
    """Key of the session."""
    link: bytes
    patient: str
    """Id of the Patient resource."""


class Allowed(msgspec.Struct, frozen=True):
    """What a person allowed a program, before or beside its tokens."""

    authorisation: bytes
    """16 random bytes; tokens of one authorisation end together."""
    client: str
    caller: Caller
    asked: Asked
    link: bytes = b""
    patient: str = ""
    own: bool = False
    ends: int = 0
    """When refreshing ends, Unix ms; 0: it is not refreshed."""


class Code(msgspec.Struct, frozen=True):
    """What an authorization code stands for."""

    allowed: Allowed
    redirect: str
    challenge: str


class Programs:
    """The short-lived state of one node's programs; gone when the process ends, except refresh tokens."""

    def __init__(self, clock: Callable[[], int], entropy: Callable[[int], bytes]) -> None:
        self.questions: Expiring[Question] = Expiring(clock, entropy, lasts=QUESTION_MS, most=MOST)
        self.launches: Expiring[Launch] = Expiring(clock, entropy, lasts=LAUNCH_MS, most=MOST)
        self.codes: Expiring[Code] = Expiring(clock, entropy, lasts=CODE_MS, most=MOST)
        self.tokens: Expiring[Allowed] = Expiring(clock, entropy, lasts=TOKEN_SECONDS * 1000, most=MOST_TOKENS)
        self.spent: Expiring[tuple[bytes, bytes]] = Expiring(clock, entropy, lasts=REPLAY_MS, most=MOST)

    def end(self, authorisation: bytes) -> None:
        """End every token of an authorisation."""
        self.tokens.drop_where(lambda one: one.authorisation == authorisation)
        self.codes.drop_where(lambda one: one.allowed.authorisation == authorisation)

    def end_all_of(self, subject: str) -> None:
        """End every token and code of a person of this member."""
        self.tokens.drop_where(lambda one: one.caller.subject == subject)
        self.codes.drop_where(lambda one: one.allowed.caller.subject == subject)

    def end_client(self, client: str) -> None:
        """End everything of a program."""
        self.tokens.drop_where(lambda one: one.client == client)
        self.codes.drop_where(lambda one: one.allowed.client == client)
        self.questions.drop_where(lambda one: one.client == client)
        self.launches.drop_where(lambda one: one.client == client)
