"""The keeper's book under any interleaving of three payers, and what proves that it forked."""

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from salus.agreements.claims.keeping import Amount, Book, CellName, Statement, Take, forked, leaf_of, limits_of, proven
from salus.agreements.claims.plan import Accumulator
from salus.core.proof.digest import digest
from tests.agreements.claims.cases import PLAN

SECRET = bytes(range(32))
LIMITS = {("out-of-pocket", "member", "in"): 100, ("out-of-pocket", "family", "in"): 150}
PERSONS = ("ann", "bob")
WHO = ("med", "drug", "eye")


def name(holder: str, scope: str) -> CellName:
    return CellName(holder, "out-of-pocket", scope, "in", "20250101")


def take(number: int, person: str, cents: int, seen: dict[CellName, int], returns: bytes = b"") -> Take:
    cells = (name(person, "member"), name("fam", "family"))
    return Take(
        digest("test", number.to_bytes(4, "big"))[:16],
        returns,
        tuple(Amount(cell, cents) for cell in cells),
        tuple(Amount(cell, seen[cell]) for cell in cells),
    )


ANN_AND_BOB = tuple(name(one, "member") for one in PERSONS)


class Payers(RuleBasedStateMachine):
    """Three payers that read, take, correct, give back and pay in any order; each may decide on what is no longer so.

    What stands is told by plain sums of the takes that were carried out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.book = Book(SECRET, LIMITS)
        self.number = 0
        self.views: dict[str, dict[CellName, int]] = {}
        self.stands: dict[bytes, tuple[str, int, str]] = {}
        self.paid: set[bytes] = set()
        self.asked: list[tuple[str, Take, str]] = []
        self.told: dict[tuple[CellName, int], int] = {}
        self.roots: dict[bytes, dict[CellName, int]] = {}

    def sums(self, without: bytes = b"") -> dict[CellName, int]:
        """Return what stands in each cell, one take left out."""
        left = [(cents, who) for id_, (_, cents, who) in self.stands.items() if id_ != without]
        members = {name(one, "member"): sum(cents for cents, who in left if who == one) for one in PERSONS}
        return members | {name("fam", "family"): sum(cents for cents, _ in left)}

    @rule(payer=st.sampled_from(WHO))
    def reads(self, payer: str) -> None:
        self.views[payer] = {one: self.book.value(one) for one in (*ANN_AND_BOB, name("fam", "family"))}
        assert self.views[payer] == self.sums()

    @rule(payer=st.sampled_from(WHO), person=st.sampled_from(PERSONS), cents=st.integers(0, 120), fresh=st.booleans())
    def takes(self, payer: str, person: str, cents: int, *, fresh: bool) -> None:
        if fresh or payer not in self.views:
            self.reads(payer)
        self.asks(payer, person, cents, self.views[payer], b"")

    @precondition(lambda self: self.stands)
    @rule(data=st.data(), cents=st.integers(0, 120), fresh=st.booleans())
    def corrects(self, data: st.DataObject, cents: int, *, fresh: bool) -> None:
        """Take anew what is given back first, in one step; a balance is seen without what comes back."""
        id_ = data.draw(st.sampled_from(sorted(self.stands)))
        payer = data.draw(st.sampled_from((self.stands[id_][0], *WHO)))
        _, before, person = self.stands[id_]
        if fresh or payer not in self.views:
            self.reads(payer)
        mine = {name(person, "member"), name("fam", "family")}
        seen = {cell: held - before * (cell in mine) for cell, held in self.views[payer].items()}
        self.asks(payer, person, cents, seen, id_)

    @precondition(lambda self: self.stands)
    @rule(data=st.data())
    def gives_back(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.stands)))
        payer = data.draw(st.sampled_from((self.stands[id_][0], *WHO)))
        self.number += 1
        back = Take(digest("test", self.number.to_bytes(4, "big"))[:16], id_, (), ())
        own = payer == self.stands[id_][0]
        assert self.book.take(payer, back) == ("taken" if own else "no-such-take")
        if own:
            del self.stands[id_]
            assert self.book.take(payer, back) == "taken"  # again: the first answer
            again = msgspec.structs.replace(back, id=digest("again", back.id)[:16])
            assert self.book.take(payer, again) == "no-such-take"

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), payer=st.sampled_from(WHO))
    def sends_again(self, data: st.DataObject, payer: str) -> None:
        """Whatever was carried out is answered as before, and only to who asked."""
        first, asked, verdict = data.draw(st.sampled_from(self.asked))
        if verdict == "taken":
            assert self.book.take(payer, asked) == ("taken" if payer == first else "other")

    @precondition(lambda self: self.stands)
    @rule(data=st.data(), payer=st.sampled_from(WHO))
    def pays(self, data: st.DataObject, payer: str) -> None:
        """A take that is paid stands as before, and can be given back as before."""
        some = data.draw(st.lists(st.sampled_from(sorted(self.stands)), unique=True))
        own = {id_ for id_ in some if self.stands[id_][0] == payer}
        assert self.book.settle(payer, [*some, bytes(16)]) == len(own)
        self.paid |= own
        assert all(self.book.takes[id_].committed == (id_ in self.paid) for id_ in self.stands)

    def asks(self, payer: str, person: str, cents: int, seen: dict[CellName, int], returns: bytes) -> None:
        """Send a take; hold the answer against what stands."""
        self.number += 1
        asked = take(self.number, person, cents, seen, returns)
        left, cells = self.sums(returns), (name(person, "member"), name("fam", "family"))
        if returns and self.stands[returns][0] != payer:
            expected = "no-such-take"
        elif any(seen[cell] != left[cell] for cell in cells):
            expected = "moved"
        elif left[cells[0]] + cents > 100 or left[cells[1]] + cents > 150:
            expected = "over"
        else:
            expected = "taken"
        assert self.book.take(payer, asked) == expected
        self.asked.append((payer, asked, expected))
        if expected == "taken":
            self.stands.pop(returns, None)
            self.stands[asked.id] = (payer, cents, person)

    @invariant()
    def forks_nothing(self) -> None:
        """What was ever told of a cell's number stands; a root proves one value of each cell, the same to every payer."""
        for cell, history in self.book.cells.items():
            assert [one.number for one in history] == list(range(1, len(history) + 1))
            for one in history:
                assert self.told.setdefault((cell, one.number), one.cents) == one.cents
        values = {cell: self.book.value(cell) for cell in self.book.cells}
        assert self.roots.setdefault(self.book.root(), values) == values

    @invariant()
    def grows_as_if_made_anew(self) -> None:
        """The root, and the proof of every cell, are those of a book that never grew."""
        anew = Book(SECRET, LIMITS)
        for cell, history in sorted(self.book.cells.items(), key=lambda one: msgspec.structs.astuple(one[0])):
            anew.load(cell, history)
        cells = list(anew.cells)
        assert (self.book.root(), self.book.prove(cells)) == (anew.root(), anew.prove(cells))
        holders = ("fam", *PERSONS)
        assert set(self.book.of(holders)) == set(anew.of(holders)) == set(cells)

    @invariant()
    def holds(self) -> None:
        held = self.sums()
        assert {cell: self.book.value(cell) for cell in held} == held
        assert held[name("fam", "family")] <= 150
        assert all(held[cell] <= 100 for cell in ANN_AND_BOB)


Payers.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestPayers = Payers.TestCase


def test_a_take_is_all_or_none_and_the_same_id_gets_the_same_answer() -> None:
    book = Book(SECRET, LIMITS)
    nothing = {name("ann", "member"): 0, name("fam", "family"): 0, name("bob", "member"): 0}
    first = take(1, "ann", 90, nothing)
    assert book.take("med", first) == "taken"
    assert book.take("med", first) == "taken"
    assert book.take("drug", first) == "other"
    stale = take(2, "bob", 10, nothing)
    assert book.take("drug", stale) == "moved"  # the family's cell moved
    fresh = take(3, "bob", 61, nothing | {name("fam", "family"): 90})
    assert book.take("drug", fresh) == "over"
    assert book.value(name("bob", "member")) == 0
    below = msgspec.structs.replace(fresh, moves=(Amount(name("bob", "member"), -5),))
    assert book.take("drug", below) == "over"
    assert book.settle("med", [first.id]) == 1
    assert book.settle("drug", [first.id]) == 0


def test_an_aggregate_maximum_bounds_the_family_alone_and_one_without_family_the_member() -> None:
    def limits(**changes: object) -> dict[tuple[str, str, str], int]:
        rule = Accumulator(bucket="deductible", tier="in", clause="2", individual=100, **changes)
        return limits_of(msgspec.structs.replace(PLAN, accumulators=(rule,)))

    own, ours = ("deductible", "member", "in"), ("deductible", "family", "in")
    assert limits() == {own: 100}
    assert limits(family=150) == {own: 100, ours: 150}
    assert limits(family=150, method="aggregate") == {ours: 150}


def test_two_values_of_one_number_prove_a_fork_and_nothing_else_does() -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()

    def said(number: int, cents: int) -> Statement:
        plain = Statement(bytes(16), bytes(32), number, cents)
        return msgspec.structs.replace(plain, signature=key.sign(plain.signed()))

    assert forked(said(1, 10), said(1, 20), public)
    assert not forked(said(1, 10), said(1, 10), public)
    assert not forked(said(1, 10), said(2, 20), public)
    forged = msgspec.structs.replace(said(1, 10), cents=20)
    assert not forked(said(1, 10), forged, public)


def test_a_cell_is_proven_under_the_root_and_no_other_value_is() -> None:
    book = Book(SECRET, limits_of(PLAN))
    seen = {name("ann", "member"): 0, name("fam", "family"): 0}
    assert book.take("med", take(1, "ann", 90, seen)) == "taken"
    cell = name("ann", "member")
    (proof,) = book.prove([cell])
    statement = Statement(bytes(16), book.path(cell), 1, 90)
    assert proven(proof, statement, book.salt(cell), book.root())
    assert not proven(proof, msgspec.structs.replace(statement, cents=91), book.salt(cell), book.root())
    assert leaf_of(book.salt(cell), 1, 90) != leaf_of(bytes(32), 1, 90)
    before = book.root()
    assert book.take("med", take(2, "ann", 1, {cell: 90, name("fam", "family"): 90})) == "taken"
    assert book.root() != before
