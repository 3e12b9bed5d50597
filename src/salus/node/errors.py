"""What the edges refuse, by whose fault it is, and how every refusal looks outside.

    SalusError
    └── EdgeError
        ├── Malformed        the sender's: what came is not what is asked for
        ├── Unauthenticated  nobody has signed, or the signature does not hold
        ├── Forbidden        who asks may not
        ├── NotFound         there is no such thing, or none that the asker may know of
        ├── Conflict         what stands already forbids it
        ├── Unavailable      the world's: try again later
        └── Refused          the ledger's own refusal of a transaction

A message says what happened, what was expected, what came and what to do. None of the four holds anything personal:
they reach logs, terminals and other members.
"""

import ast
import inspect
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

from salus.core.errors import Reason, Rejected, SalusError


@dataclass(frozen=True)
class Fault:
    """How a kind of refusal looks outside: HTTP status (RFC 9110) and FHIR R4 `issue-type` code."""

    status: int
    issue: str


MALFORMED: Final = Fault(400, "invalid")
UNSIGNED: Final = Fault(401, "login")
FORBIDDEN: Final = Fault(403, "forbidden")
NOT_FOUND: Final = Fault(404, "not-found")
CONFLICT: Final = Fault(409, "conflict")
RULE: Final = Fault(422, "business-rule")
THROTTLED: Final = Fault(429, "throttled")
BROKEN: Final = Fault(500, "exception")
UNAVAILABLE: Final = Fault(503, "transient")


class EdgeError(SalusError):
    """A refusal at an edge: a stable code (`link.unknown`) and four short texts without personal data."""

    fault: Fault = BROKEN
    member: str = ""
    """The other member that refused, or did not answer; empty: this one."""

    def __init__(self, code: str, message: str, *, expected: str = "", got: str = "", todo: str = "") -> None:
        self.code = code
        self.message = message
        self.expected = expected
        self.got = got
        self.todo = todo
        super().__init__(self.told())

    def told(self) -> str:
        """Return the refusal as one line for a terminal or a log."""
        parts = [self.message]
        parts += [f"expected {self.expected}"] if self.expected else []
        parts += [f"got {self.got}"] if self.got else []
        parts += [self.todo] if self.todo else []
        return f"{self.code}: " + "; ".join(parts)


@contextmanager
def asked_of(member: str) -> Iterator[None]:
    """Note whom it was asked of in an error that names no member."""
    try:
        yield
    except EdgeError as error:
        error.member = error.member or member
        raise


class Malformed(EdgeError):
    """What came is not what is asked for."""

    fault = MALFORMED


class Unauthenticated(EdgeError):
    """Nobody has signed, or the signature does not hold."""

    fault = UNSIGNED


class Forbidden(EdgeError):
    """Who asks may not."""

    fault = FORBIDDEN


class NotFound(EdgeError):
    """There is no such thing, or none that the asker may know of."""

    fault = NOT_FOUND


class Conflict(EdgeError):
    """What stands already forbids it."""

    fault = CONFLICT


class Unavailable(EdgeError):
    """The world does not let it happen now."""

    fault = UNAVAILABLE


# Each reason of the ledger by the package that gives it and its name. `tests/node/test_errors.py` walks all reasons.
REASONS: Final[dict[str, Fault]] = {
    "kernel.MALFORMED": MALFORMED,
    "kernel.OTHER_NETWORK": RULE,
    "kernel.BAD_SIGNATURE": UNSIGNED,
    "kernel.AUTHOR_EXPECTED": RULE,
    "kernel.AUTHOR_UNEXPECTED": RULE,
    "kernel.EXPIRED": CONFLICT,
    "kernel.EXPIRES_TOO_LATE": RULE,
    "kernel.REPLAYED": CONFLICT,
    "kernel.ROW_LIMIT": RULE,
    "membership.UNKNOWN_MEMBER": FORBIDDEN,
    "membership.NOT_ACTIVE": FORBIDDEN,
    "membership.NOT_CURRENT_KEY": FORBIDDEN,
    "membership.NO_SUCH_PROPOSAL": NOT_FOUND,
    "membership.PROPOSAL_CLOSED": CONFLICT,
    "membership.ALREADY_VOTED": CONFLICT,
    "membership.NO_SUCH_MEMBER": NOT_FOUND,
    "membership.WRONG_STANDING": CONFLICT,
    "membership.ID_TAKEN": CONFLICT,
    "membership.TOO_MANY_MEMBERS": RULE,
    "membership.OTHER_AGREEMENT": RULE,
    "membership.UNORDERED": MALFORMED,
    "membership.KEY_USED": CONFLICT,
    "membership.NO_POSSESSION": FORBIDDEN,
    "membership.CONSENSUS_KEY_TAKEN": CONFLICT,
    "membership.LAST_MEMBER": RULE,
    "membership.LAST_VALIDATOR": RULE,
    "membership.NOT_NEWER": RULE,
    "records.CASE_EXISTS": CONFLICT,
    "records.NO_SUCH_CASE": NOT_FOUND,
    "records.NOT_HOLDER": FORBIDDEN,
    "records.WRONG_STATUS": CONFLICT,
    "records.TOO_EARLY": CONFLICT,
    "records.TOO_LATE": CONFLICT,
    "records.RANK_TOO_LOW": FORBIDDEN,
    "records.EMERGENCY_LIMIT": THROTTLED,
    "records.NO_SUCH_EMERGENCY": NOT_FOUND,
    "records.NOT_SUBMITTER": FORBIDDEN,
    "records.ALREADY_REVIEWED": CONFLICT,
    "consent.ALREADY_GRANTED": CONFLICT,
    "consent.NOT_ROUNDED": MALFORMED,
    "consent.ALREADY_OVER": RULE,
    "consent.EXPIRY_TOO_FAR": RULE,
    "consent.NOT_GRANTED": NOT_FOUND,
    "consent.ALREADY_REVOKED": CONFLICT,
    "research.CASE_EXISTS": CONFLICT,
    "research.NO_SUCH_DATA_SET": NOT_FOUND,
    "research.NO_SUCH_PERMIT": NOT_FOUND,
    "research.NO_SUCH_QUERY": NOT_FOUND,
    "research.NOT_RESEARCHER": FORBIDDEN,
    "research.NOT_ENTITLED": FORBIDDEN,
    "research.UNORDERED": MALFORMED,
    "research.NOT_MATCHABLE": MALFORMED,
    "research.DOES_NOT_FIT": FORBIDDEN,
    "research.WRONG_STATUS": CONFLICT,
    "research.PERMIT_OVER": RULE,
    "research.NOT_OFFERED": FORBIDDEN,
    "research.WRONG_NOISE": MALFORMED,
    "research.PERMIT_SPENT": THROTTLED,
    "research.POOL_SPENT": THROTTLED,
    "research.TOO_EARLY": CONFLICT,
    "research.TOO_LATE": CONFLICT,
    "claims.UNORDERED": MALFORMED,
    "claims.NOT_PROVIDER": FORBIDDEN,
    "claims.NOT_PAYER": FORBIDDEN,
    "claims.CASE_EXISTS": CONFLICT,
    "claims.NO_SUCH_CASE": NOT_FOUND,
    "claims.NOT_THE_PAYER": FORBIDDEN,
    "claims.NOT_PARTY": FORBIDDEN,
    "claims.WRONG_STATUS": CONFLICT,
    "claims.TOO_EARLY": CONFLICT,
    "claims.NOT_APPEAL_KEY": FORBIDDEN,
    "claims.YEAR_EXISTS": CONFLICT,
    "claims.NO_SUCH_YEAR": NOT_FOUND,
    "claims.NOT_KEEPER": FORBIDDEN,
    "claims.OTHER_ROOT": CONFLICT,
    "trials.CASE_EXISTS": CONFLICT,
    "trials.NO_SUCH_STUDY": NOT_FOUND,
    "trials.NOT_SPONSOR": FORBIDDEN,
    "trials.UNORDERED": MALFORMED,
    "trials.UNKNOWN_PARTY": NOT_FOUND,
    "trials.PARTS_MISSING": RULE,
    "trials.PARTS_MEET": RULE,
    "trials.NO_THRESHOLD": RULE,
    "trials.NOT_PARTY": FORBIDDEN,
    "trials.NO_SUCH_CASE": NOT_FOUND,
    "trials.WRONG_STATUS": CONFLICT,
    "trials.ALREADY_SIGNED": CONFLICT,
    "trials.TOO_MANY": RULE,
    "trials.NOT_NEWEST": CONFLICT,
    "trials.SITE_NOT_ACTIVE": FORBIDDEN,
    "trials.OUTCOMES_OPEN": CONFLICT,
    "trials.WRONG_KIND": RULE,
    "supply.UNORDERED": MALFORMED,
    "supply.NOT_REGULATOR": FORBIDDEN,
    "supply.NO_SUCH_MEMBER": NOT_FOUND,
    "supply.TICKET_INVALID": FORBIDDEN,
    "supply.TICKET_OVER": FORBIDDEN,
    "supply.TICKET_VOID": FORBIDDEN,
    "supply.NOT_LICENSED": FORBIDDEN,
    "supply.EXISTS": CONFLICT,
    "supply.NO_SUCH_LOT": NOT_FOUND,
    "supply.BAD_PROOF": MALFORMED,
    "supply.NO_SUCH_HOLDING": NOT_FOUND,
    "supply.NOT_INSIDE": RULE,
    "supply.NOT_OWNER": FORBIDDEN,
    "supply.NOT_RECEIVER": FORBIDDEN,
    "supply.NOT_CUSTODIAN": FORBIDDEN,
    "supply.NOT_MAKER": FORBIDDEN,
    "supply.WRONG_STATUS": CONFLICT,
    "supply.RECALLED": CONFLICT,
    "supply.NOT_UNDOABLE": RULE,
    "supply.TOO_LATE": CONFLICT,
    "supply.TOO_MANY_LOTS": RULE,
    "supply.TOO_DEEP": RULE,
}


def reason_name(reason: Reason) -> str:
    """Return `consent.GRANT_UNKNOWN`: the package that gives the reason (`kernel` for the core's own) and its name."""
    parts = type(reason).__module__.split(".")
    package = parts[2] if parts[1] == "contracts" else "kernel"
    return f"{package}.{reason.name}"


class Refused(EdgeError):
    """The ledger refused a transaction: the reason's name is the code, its facts are what came."""

    def __init__(self, rejected: Rejected) -> None:
        self.fault = REASONS[reason_name(rejected.reason)]
        facts = ", ".join(f"{name} {value}" for name, value in rejected.facts.items())
        super().__init__(
            reason_name(rejected.reason),
            f"the ledger refused the transaction (code {rejected.reason.code}): {meaning(rejected.reason)}",
            got=facts,
            todo="nothing was changed; see docs/reference/reasons.md",
        )


def meaning(reason: Reason) -> str:
    """Return what a reason of the ledger means, without its full stop; nothing where the program came without its source."""
    return _meanings(type(reason)).get(reason.name, "").removesuffix(".")


@cache
def _meanings(kind: type[Reason]) -> dict[str, str]:
    """Return the docstring below each member of an enumeration of reasons."""
    try:
        source = inspect.getsource(kind)
    except OSError:
        return {}
    (body,) = (node.body for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef))
    return {
        ast.unparse(member.targets[0]): inspect.cleandoc(str(below.value.value))
        for member, below in itertools.pairwise(body)
        if isinstance(member, ast.Assign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
    }
