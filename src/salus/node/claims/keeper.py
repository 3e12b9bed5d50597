"""Accumulators that several payers of one plan share: kept by one of them, reached by the others with signed requests.

claims open-year    the keeper opens the plan year on the ledger and names who may take
claims share-year   another payer of the plan says who keeps it; from then on its claims wait for the keeper
/exchange/claims/cells   the cells of persons and families, each signed, with its path under the newest root
/exchange/claims/takes   takes of decided claims: each carried out whole or not at all
/exchange/claims/settle  takes that an 835 paid

Requests and answers that name patients show, for each, a line of their sender that was committed before (ADR 248).
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Protocol, TypeVar

import msgspec
from msgspec import Meta

from salus.agreements.claims.keeping import (
    Book,
    CellName,
    Entry,
    KeptTake,
    Statement,
    Take,
    Verdict,
    forked,
    limits_of,
    proven,
)
from salus.agreements.claims.plan import Plan
from salus.contracts.claims import port
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof import ed25519
from salus.core.proof.digest import digest
from salus.core.proof.statemap import MapProof
from salus.node.claims import documents
from salus.node.claims.keeper_lines import disclosing, holders_in, require_lines
from salus.node.errors import Forbidden, Malformed, NotFound
from salus.node.exchange.disclosed import Disclosed
from salus.node.exchange.wire import Handler
from salus.node.member import MemberNode
from salus.node.usecase import OPERATOR, Message, use_case

CELLS: Final = "/exchange/claims/cells"
TAKES: Final = "/exchange/claims/takes"
SETTLE: Final = "/exchange/claims/settle"
MAX_HOLDERS: Final = 4_000
V = TypeVar("V", bound=Value)


class KeptYear(Value, frozen=True):
    """A plan year that this member keeps."""

    year: bytes
    secret: bytes
    payers: tuple[str, ...]
    limits: tuple[tuple[str, str, str, int], ...]
    payer: str
    """The keeper's identifier in claims: whose number a holder has."""


class SharedYear(Value, frozen=True):
    """A plan year that another member keeps."""

    year: bytes
    keeper: str


class AskCells(Value, frozen=True):
    """Asks for all cells of holders."""

    year: bytes
    holders: tuple[str, ...]
    lines: tuple[Disclosed, ...] = ()
    """The asker's lines that disclose whom it asks about."""


class CellTold(Value, frozen=True):
    """One cell, as the keeper signs it."""

    name: CellName
    statement: Statement
    salt: bytes
    siblings: tuple[bytes, ...]
    found: tuple[bytes, bytes] | None


class CellsTold(Value, frozen=True):
    """The cells of the holders, under the root that the ledger has at a height."""

    height: int
    cells: tuple[CellTold, ...]
    lines: tuple[Disclosed, ...] = ()
    """The keeper's lines that disclose what is told."""


class YearTold(Value, frozen=True):
    """The cells of some holders in one plan year."""

    year: bytes
    keeper: str
    cells: CellsTold
    limits: tuple[tuple[str, str, str, int], ...]
    """Bucket, scope, tier and maximum, cents; only the keeper tells them."""


class AskTakes(Value, frozen=True):
    """Takes, in the order of the decisions."""

    year: bytes
    takes: tuple[Take, ...]
    lines: tuple[Disclosed, ...] = ()
    """The asker's lines that disclose whose takes these are."""


class Verdicts(Value, frozen=True):
    """What became of each take, in order."""

    verdicts: tuple[Verdict, ...]


class AskSettle(Value, frozen=True):
    """Ids of takes that were paid."""

    year: bytes
    ids: tuple[bytes, ...]


class Settled(Value, frozen=True):
    """How many are known."""

    known: int


class OpenYear(Message, frozen=True):
    """A plan, and the other payers that take from its accumulators."""

    plan: Annotated[bytes, Meta(description="The plan document, JSON.", examples=[b"{}"])]
    payers: Annotated[
        tuple[str, ...], Meta(max_length=16, description="Member ids of the other payers.", examples=[["remedy"]])
    ]


class YearOpened(Message, frozen=True):
    """The plan year stands on the ledger."""

    year: Annotated[str, Meta(description="Its id, hexadecimal: for the other payers.")]


class ShareYear(Message, frozen=True):
    """A plan whose accumulators another member keeps."""

    plan: Annotated[bytes, Meta(description="This payer's plan document, JSON.", examples=[b"{}"])]
    year: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the plan year.", examples=["00" * 16])]


class YearShared(Message, frozen=True):
    """Claims of the plan are decided on the keeper's cells."""

    keeper: Annotated[str, Meta(description="Member id of the keeper, as the ledger has it.")]


class Accumulators(Protocol):
    """Where a payer's takes go."""

    def cells(self, holders: Sequence[str]) -> list[tuple[CellName, int]]:
        """Return what each cell of the holders has taken. Raises Unavailable, Forbidden."""
        ...

    def take(self, takes: Sequence[Take]) -> list[Verdict]:
        """Have takes carried out. Raises Unavailable."""
        ...

    def settle(self, ids: Sequence[bytes]) -> None:
        """Tell which takes were paid. Raises Unavailable."""
        ...


@use_case("claims.open-year", who=OPERATOR)
def open_year(node: MemberNode, request: OpenYear) -> YearOpened:
    """Keep the accumulators of a plan year: on the ledger stands one root for each batch of moves."""
    plan = documents.plan(request.plan)
    name = _named(plan)
    kept = node.desk.claim_state(f"keep/{name}")
    if kept:
        return YearOpened(year=decode(kept, KeptYear).year.hex())
    for payer in request.payers:
        node.keys_of(payer)
    limits = tuple((*key, cents) for key, cents in sorted(limits_of(plan).items()))
    year = KeptYear(
        node.entropy(16), node.entropy(32), tuple(sorted({*request.payers, node.member})), limits, plan.payer
    )
    node.submitter.submit(port.OpenPlanYear(year.year, _empty(year).root()))
    node.desk.keep_claims([], [(f"keep/{name}", encode(year)), (f"kept/{year.year.hex()}", name.encode())])
    return YearOpened(year=year.year.hex())


@use_case("claims.share-year", who=OPERATOR)
def share_year(node: MemberNode, request: ShareYear) -> YearShared:
    """Decide the claims of a plan on accumulators that another member keeps. Raises NotFound."""
    plan = documents.plan(request.plan)
    row = port.plan_year(node.ledger.read(), bytes.fromhex(request.year))
    if row is None:
        raise NotFound("claims.no-year", "the ledger has no such plan year", got=request.year)
    shared = SharedYear(bytes.fromhex(request.year), row.keeper)
    node.desk.keep_claims([], [(f"share/{_named(plan)}", encode(shared))])
    return YearShared(keeper=row.keeper)


def _named(plan: Plan) -> str:
    return f"{plan.payer}/{plan.name}/{plan.since}"


def accumulators_of(node: MemberNode, plan: Plan) -> Accumulators | None:
    """Return where the takes of a plan go; None where this payer alone counts them."""
    kept = node.desk.claim_state(f"keep/{_named(plan)}")
    if kept:
        return _Own(node, decode(kept, KeptYear))
    shared = node.desk.claim_state(f"share/{_named(plan)}")
    return _Remote(node, decode(shared, SharedYear), plan.payer) if shared else None


class _Own:
    """The keeper's own claims: the same book, without a request."""

    def __init__(self, node: MemberNode, year: KeptYear) -> None:
        self._node, self._year = node, year

    def cells(self, holders: Sequence[str]) -> list[tuple[CellName, int]]:
        """Return what each cell of the holders has taken."""
        with self._node.anchoring, _book(self._node, self._year) as lent:
            return [(name, lent.book.value(name)) for name in lent.book.of(holders)]

    def take(self, takes: Sequence[Take]) -> list[Verdict]:
        """Have takes carried out."""
        return _take(self._node, self._year, self._node.member, takes)

    def settle(self, ids: Sequence[bytes]) -> None:
        """Note which takes were paid."""
        _settle(self._node, self._year, self._node.member, ids)


class _Remote:
    """A keeper at another member. What it signs is kept: another value for the same number is a proof of a fork."""

    def __init__(self, node: MemberNode, year: SharedYear, payer: str) -> None:
        self._node, self._year, self._payer = node, year, payer

    def _ask(self, path: str, asked: AskCells | AskTakes, holders: Iterable[str], kind: type[V]) -> V:
        """Ask the keeper; that it is told of these patients is committed before."""
        node, keeper = self._node, self._year.keeper
        with disclosing(node, keeper, self._payer, holders, asked) as lines:
            return node.peers.ask(keeper, path, msgspec.structs.replace(asked, lines=lines), kind)

    def cells(self, holders: Sequence[str]) -> list[tuple[CellName, int]]:
        """Return what each cell of the holders has taken; refuse what is not signed, not proven, or a fork."""
        return [(one.name, one.statement.cents) for one in self.told(holders).cells]

    def told(self, holders: Sequence[str]) -> CellsTold:
        """Return the holders' cells as the keeper signed them; refuse what is not signed, not proven, or a fork."""
        node = self._node
        known = port.plan_year(node.ledger.read(), self._year.year)
        told = self._ask(CELLS, AskCells(self._year.year, tuple(holders)), holders, CellsTold)
        if known is None or told.height < known.height:
            raise self._stale("the cells are older than the root that the ledger had when they were asked for")
        node.wait_for(told.height)
        require_lines(node, self._year.keeper, told, told.lines, [one.name.holder for one in told.cells])
        row = port.plan_year(node.ledger.read(told.height), self._year.year)
        key = node.keys_of(self._year.keeper).signing_key
        kept: list[tuple[str, bytes]] = []
        for one in told.cells:
            said = one.statement
            signed = said.year == self._year.year and ed25519.verify(key, said.signed(), said.signature)
            if row is None or not signed:
                raise Forbidden("claims.cells", "the keeper's answer is not signed", got=self._year.keeper)
            name = f"said/{said.path.hex()}/{said.number:08d}"
            before = node.desk.claim_state(name)
            if before and forked(decode(before, Statement), said, key):
                node.desk.keep_claims([], [(f"fork/{said.path.hex()}", before + encode(said))])
                told_ = "the keeper signed two values for one number: the proof is kept"
                raise Forbidden("claims.fork", told_, got=self._year.keeper, todo="show it to the other payers")
            if not proven(MapProof(one.siblings, one.found), said, one.salt, row.root):
                raise Forbidden("claims.cells", "a cell does not stand under the ledger's root", got=self._year.keeper)
            kept.append((name, encode(said)))
        node.desk.keep_claims([], [*kept, *self._newer(holders, told)])
        return told

    def _newer(self, holders: Sequence[str], told: CellsTold) -> list[tuple[str, bytes]]:
        """Return how far the holders' cells have come, to be kept; refuse one that went back, or is left out."""
        found = {holder: dict[bytes, int]() for holder in holders}
        for one in told.cells:
            found.setdefault(one.name.holder, {})[one.statement.path] = one.statement.number
        states = []
        for holder, numbers in found.items():
            name = f"come-to/{self._year.year.hex()}/{digest('salus/v1/claims-holder', holder.encode()).hex()}"
            body = self._node.desk.claim_state(name)
            before = msgspec.msgpack.decode(body, type=dict[bytes, int]) if body else {}
            if any(numbers.get(path, 0) < number for path, number in before.items()):
                raise self._stale("a cell went back, or was left out, since the keeper told it before")
            if numbers != before:
                states.append((name, msgspec.msgpack.encode(numbers)))
        return states

    def _stale(self, told: str) -> Forbidden:
        return Forbidden(
            "claims.stale", told, got=self._year.keeper, todo="show what it signed before to the other payers"
        )

    def take(self, takes: Sequence[Take]) -> list[Verdict]:
        """Have takes carried out."""
        asked = AskTakes(self._year.year, tuple(takes))
        answered = self._ask(TAKES, asked, holders_in(takes), Verdicts).verdicts
        if len(answered) != len(takes):
            raise Forbidden("claims.takes", "the keeper answered other takes", got=self._year.keeper)
        return list(answered)

    def settle(self, ids: Sequence[bytes]) -> None:
        """Tell which takes were paid."""
        self._node.peers.ask(self._year.keeper, SETTLE, AskSettle(self._year.year, tuple(ids)), Settled)


def _year_of(node: MemberNode, year: bytes, sender: str) -> KeptYear:
    name = node.desk.claim_state(f"kept/{year.hex()}")
    kept = node.desk.claim_state(f"keep/{name.decode()}") if name else b""
    found = decode(kept, KeptYear) if kept else None
    if found is None or sender not in found.payers:
        raise Forbidden("claims.year", "the plan year is not kept here for this payer")
    return found


def _empty(year: KeptYear) -> Book:
    return Book(year.secret, {(bucket, scope, tier): cents for bucket, scope, tier, cents in year.limits})


@dataclass
class _Lent:
    """A book as it stands after so many batches."""

    number: int
    book: Book


@contextlib.contextmanager
def _book(node: MemberNode, year: KeptYear, takes: Iterable[bytes] = ()) -> Iterator[_Lent]:
    """Lend the book of a year, to whom holds `anchoring`: all cells, and of the takes those with these ids.

    The node remembers it while nobody else changes the desk's; what ends by an error is read again from the desk.
    """
    name, number = f"claims-book/{year.year.hex()}", _number(node, year)
    known = node.memory.pop(name, None)
    if isinstance(known, _Lent) and known.number == number:
        lent = known
    else:
        lent = _Lent(number, _empty(year))
        for _, body in node.desk.claim_states(f"cell/{year.year.hex()}/"):
            lent.book.load(*msgspec.msgpack.decode(body, type=tuple[CellName, tuple[Entry, ...]]))
    for id_ in takes:
        body = node.desk.claim_state(f"take/{year.year.hex()}/{id_.hex()}")
        if body:
            lent.book.takes[id_] = decode(body, KeptTake)
    yield lent
    lent.book.takes.clear()
    node.memory[name] = lent


def _number(node: MemberNode, year: KeptYear) -> int:
    return int(node.desk.claim_state(f"batches/{year.year.hex()}") or b"0")


def _keep(node: MemberNode, year: KeptYear, lent: _Lent) -> None:
    """Keep what a batch changed, then put its root on the ledger; a batch that a crash left out is in the next root."""
    prefix, book = year.year.hex(), lent.book
    states = [
        (f"cell/{prefix}/{book.path(name).hex()}", msgspec.msgpack.encode((name, book.cells[name])))
        for name in book.changed_cells
    ]
    states += [(f"take/{prefix}/{id_.hex()}", encode(book.takes[id_])) for id_ in book.changed_takes]
    node.desk.keep_claims([], [*states, (f"batches/{prefix}", str(lent.number + 1).encode())])
    lent.number += 1
    book.changed_cells.clear()
    book.changed_takes.clear()


def _advance(node: MemberNode, year: KeptYear, book: Book) -> None:
    row, root = port.plan_year(node.ledger.read(), year.year), book.root()
    if row is not None and row.root != root:
        outcome = node.submitter.submit(port.AdvancePlanYear(year.year, row.root, root))
        node.wait_for(outcome.height or 0)  # what is proven next is proven under this root


def _take(node: MemberNode, year: KeptYear, payer: str, takes: Sequence[Take]) -> list[Verdict]:
    ids = [id_ for one in takes for id_ in (one.id, one.returns) if id_]
    with node.anchoring, _book(node, year, ids) as lent:  # one batch at a time
        verdicts = [lent.book.take(payer, one) for one in takes]
        _keep(node, year, lent)
        _advance(node, year, lent.book)
    return verdicts


def _settle(node: MemberNode, year: KeptYear, payer: str, ids: Sequence[bytes]) -> int:
    with node.anchoring, _book(node, year, ids) as lent:
        known = lent.book.settle(payer, ids)
        _keep(node, year, lent)
    return known


def told_here(node: MemberNode, payer: str, holders: Sequence[str]) -> list[tuple[str, YearTold]]:
    """Return, by plan, the cells of a payer's holders in every year that this member keeps or shares.

    Raises Unavailable where a keeper does not answer, Forbidden where it answers wrongly.
    """
    found = []
    for name, body in node.desk.claim_states(f"keep/{payer}/"):
        year = decode(body, KeptYear)
        cells = _cells_of(node, year, holders)
        found.append((_plan_in(name), YearTold(year.year, node.member, cells, year.limits)))
    for name, body in node.desk.claim_states(f"share/{payer}/"):
        shared = decode(body, SharedYear)
        cells = _Remote(node, shared, payer).told(holders)
        found.append((_plan_in(name), YearTold(shared.year, shared.keeper, cells, ())))
    return found


def _plan_in(name: str) -> str:
    return name.split("/", 2)[2].rpartition("/")[0]


def _cells_of(node: MemberNode, year: KeptYear, holders: Iterable[str]) -> CellsTold:
    """Return cells signed, with their paths under the root that the ledger has at a height."""
    with node.anchoring, _book(node, year) as lent:
        book = lent.book
        _advance(node, year, book)
        height, names = node.ledger.head().height, book.of(holders)
        found = [(name, book.path(name), book.cells[name][-1], book.salt(name)) for name in names]
        proofs = book.prove(names)
    told = []
    for (name, path, last, salt), proof in zip(found, proofs, strict=True):
        said = Statement(year.year, path, last.number, last.cents)
        said = msgspec.structs.replace(said, signature=node.signing_key.sign(said.signed()))
        told.append(CellTold(name, said, salt, proof.siblings, proof.found))
    return CellsTold(height, tuple(told))


def _answer_cells(node: MemberNode, sender: str, body: bytes) -> CellsTold:
    asked = _read(body, AskCells)
    if len(asked.holders) > MAX_HOLDERS:
        raise Malformed("claims.holders", "too many at once", expected=f"at most {MAX_HOLDERS}")
    year = _year_of(node, asked.year, sender)
    require_lines(node, sender, asked, asked.lines, asked.holders)
    cells = _cells_of(node, year, asked.holders)
    with disclosing(node, sender, year.payer, [one.name.holder for one in cells.cells], cells) as lines:
        return msgspec.structs.replace(cells, lines=lines)


def _answer_takes(node: MemberNode, sender: str, body: bytes) -> Verdicts:
    asked = _read(body, AskTakes)
    year = _year_of(node, asked.year, sender)
    require_lines(node, sender, asked, asked.lines, holders_in(asked.takes))
    return Verdicts(tuple(_take(node, year, sender, asked.takes)))


def _answer_settle(node: MemberNode, sender: str, body: bytes) -> Settled:
    asked = _read(body, AskSettle)
    return Settled(_settle(node, _year_of(node, asked.year, sender), sender, asked.ids))


def _read(body: bytes, kind: type[V]) -> V:
    try:
        return decode(body, kind)
    except MalformedBytes as error:
        raise Malformed("exchange.bytes", "the question does not decode", got=str(error)) from error


def handlers(node: MemberNode) -> dict[str, Handler]:
    """Return what answers other payers' requests, by path."""
    return {
        CELLS: lambda sender, body: _answer_cells(node, sender, body),
        TAKES: lambda sender, body: _answer_takes(node, sender, body),
        SETTLE: lambda sender, body: _answer_settle(node, sender, body),
    }
