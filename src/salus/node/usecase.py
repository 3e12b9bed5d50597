"""What a use case is: a function over a node, from one frozen request to one frozen response.

    @use_case("link.invite", who=staff("registrar"))
    def invite(node: Node, request: Invite) -> Invited:
        \"\"\"Invite a patient to take the key of a link. ...\"\"\"

The name is all that the edges need: `salus link invite`, `POST /api/link/invite` and the reference pages derive from
it, from the docstring and from the fields of the two structs. A use case that needs more than its request asks by
keyword: `caller` for who asks, `progress` to tell how far long work has come.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, Protocol, TypeVar, cast, get_type_hints

import msgspec
from msgspec import Meta

from salus.node.config import Config
from salus.node.errors import Conflict, EdgeError
from salus.node.fields import gaps

if TYPE_CHECKING:
    from salus.node.smart.scopes import Access
else:
    Access = Any  # commands on files import no scopes; whoever keeps a caller keeps one without a program

N = TypeVar("N")
Q = TypeVar("Q", bound=msgspec.Struct)
R = TypeVar("R", bound=msgspec.Struct)
RAISES: Final = re.compile(r"\s*\bRaises [^.]*\.(?=\s|$)")
"""What a docstring says to whoever calls the function; commands and routes refuse by code."""
OF_NO_PATIENT: Final = frozenset(
    {"about", "backup", "deliveries", "erasure", "export", "ledger", "network", "operator", "replay", "tx"}
)
"""Domains whose use cases say nothing about patients: they run while a node cannot know whom it erased."""


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request or response of a use case. Every field carries its description; every field of a request an example."""


class Verdict(Message, frozen=True):
    """A response that judges what was shown: its command ends with exit code 1 where that is not sound."""

    sound: Annotated[bool, Meta(description="Whether nothing was found; if not, the command's exit code is 1.")]


class Node(Protocol):
    """What the edges need of a node. What its use cases need is between them and the node's own class."""

    @property
    def config(self) -> Config:
        """The configuration it was opened with."""

    def now(self) -> int:
        """Return the node's clock, in Unix milliseconds."""

    def signing_keys(self, member: str) -> Sequence[bytes]:
        """Return the Ed25519 keys (32 bytes each) with which an active member signs now; none of any other."""

    def trouble(self) -> str:
        """Return "" while it serves, else the code of what keeps it from serving."""

    def withheld(self, *, ask: bool) -> EdgeError | None:
        """Return why it says and takes nothing about patients now, or None; `ask`: find out anew, which may take seconds."""

    def measures(self) -> Mapping[str, int | float]:
        """Return the present value of each gauge that it keeps, by name (`ledger_height`): numbers about no person."""

    def close(self) -> None:
        """Finish what is under way and let everything go."""


class Kind(Enum):
    """Whom a use case is for."""

    ANYONE = "anyone"
    OPERATOR = "operator"
    PERSON = "person"
    PATIENT = "patient"


@dataclass(frozen=True)
class Who:
    """Who may ask: everyone, the operator of this node, or a person in one of `roles` (empty: in any role)."""

    kind: Kind
    roles: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Return it as the reference says it."""
        return " or ".join(sorted(self.roles)) if self.roles else self.kind.value


ANYONE = Who(Kind.ANYONE)
OPERATOR = Who(Kind.OPERATOR)
PATIENT = Who(Kind.PATIENT)
"""Whoever holds a wallet's file: these use cases run on the wallet, not on a node, and are no routes."""


def person(*roles: str) -> Who:
    """Let those ask who show a person credential in one of the roles; without roles, in any. The operator may too."""
    return Who(Kind.PERSON, frozenset(roles))


def _in_a_phrase(docstring: str) -> str:
    """Return a docstring's first sentence as a phrase within another one."""
    first = docstring.partition(".")[0]
    return first[:1].lower() + first[1:]


@dataclass(frozen=True)
class Caller:
    """Who asks, as the edge has authenticated it: the operator at the node's own socket, or a person by credential."""

    kind: Kind
    member: str = ""
    subject: str = ""  # pairwise, of the person credential
    role: str = ""
    purposes: tuple[str, ...] = ()
    credential: str = ""
    """What the person showed, for other members to check when something is pulled in the person's name."""
    access: "Access | None" = None
    """What the program that asks for the person may do; None: the person asks without one."""

    def may(self, who: Who) -> bool:
        """Tell whether this caller is among those."""
        if who.kind is Kind.ANYONE or self.kind is Kind.OPERATOR:
            return True
        return who.kind is Kind.PERSON and self.kind is Kind.PERSON and (not who.roles or self.role in who.roles)


NOBODY = Caller(Kind.ANYONE)
LOCAL_OPERATOR = Caller(Kind.OPERATOR)


class Progress(Protocol):
    """Told by long work how far it has come. The command line draws it; elsewhere nobody listens."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """`done` of `total` steps (0: unknown) of `what`, a few words without personal data."""


def unheard(done: int, total: int, what: str) -> None:
    """Take progress that nobody watches."""


@dataclass(frozen=True)
class UseCase(Generic[N, Q, R]):
    """A registered use case; calling it is calling its function."""

    name: str
    who: Who
    run: Callable[..., R]
    request: type[Q]
    response: type[R]
    summary: str
    description: str
    asks: frozenset[str]  # of {"caller", "progress"}
    needs: type | None = None  # the class of node it runs on; None: any

    @property
    def words(self) -> tuple[str, ...]:
        """The words of its command and the segments of its route."""
        return tuple(self.name.split("."))

    @property
    def path(self) -> str:
        """The path of its HTTP route. Always POST: what is asked never stands in a URL."""
        return "/api/" + "/".join(self.words)

    def __call__(self, node: N, request: Q, *, caller: Caller = LOCAL_OPERATOR, progress: Progress = unheard) -> R:
        """Run it. The edge has checked that `caller` may. Raises Conflict on a node that is not, or already, founded."""
        if self.needs is not None and not isinstance(node, self.needs):
            raise Conflict(
                "node.stage",
                "this is not at the stage for it",
                expected=_in_a_phrase(self.needs.__doc__ or ""),
                todo=getattr(
                    self.needs, "MADE_BY", "`salus network found` or `salus network join` makes a folder a node"
                ),
            )
        on_member = self.needs is not None and self.who.kind is not Kind.PATIENT  # else without a node, or on a wallet
        if on_member and self.words[0] not in OF_NO_PATIENT:
            refusal = cast("Node", node).withheld(ask=True)
            if refusal is not None:
                raise refusal
        offered = {"caller": caller, "progress": progress}
        return self.run(node, request, **{name: offered[name] for name in self.asks})


def use_case(name: str, *, who: Who) -> Callable[[Callable[..., R]], UseCase[Any, Any, R]]:
    """Declare a function (node, request, *, caller, progress) -> response as the use case `name`.

    Raises TypeError when the declaration is incomplete: name not `domain.verb`, no docstring, a struct that is not
    frozen and closed, a field without description or a request's field without example.
    """

    def declare(function: Callable[..., R]) -> UseCase[Any, Any, R]:
        if not all(word.isascii() and word.replace("-", "").isalnum() and word.islower() for word in name.split(".")):
            raise TypeError(f"use case {name!r}: lower-case words joined by dots")
        told = inspect.getdoc(function)
        if not told:
            raise TypeError(f"use case {name}: no docstring")
        told = RAISES.sub("", told)
        summary, _, description = told.partition("\n")
        hints = get_type_hints(function)
        parameters = list(inspect.signature(function).parameters.values())
        asks = frozenset(each.name for each in parameters[2:])
        if len(parameters) < 2 or asks - {"caller", "progress"}:
            raise TypeError(f"use case {name}: takes (node, request, *, caller, progress)")
        request, response = hints[parameters[1].name], hints["return"]
        for struct, examples in ((request, True), (response, False)):
            for gap in gaps(struct, examples=examples):
                raise TypeError(f"use case {name}: {gap}")
        kind = hints.get(parameters[0].name)
        needs = None if kind is Node or not isinstance(kind, type) else kind
        return UseCase(name, who, function, request, response, summary, description.strip(), asks, needs)

    return declare
