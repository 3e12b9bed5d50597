"""The keeper's book under any interleaving of three payers, and what proves that it forked."""

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from salus.agreements.claims.keeping import Amount, Book, CellName, Statement, Take, forked, leaf_of, limits_of, proven
from salus.core.proof.digest import digest
from tests.agreements.claims.cases import PLAN

SECRET = bytes(range(32))
LIMITS = {("out-of-pocket", "member", "in"): 100, ("out-of-pocket", "family", "in"): 150}
PERSONS = ("ann", "bob")


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


class Payers(RuleBasedStateMachine):
    """Three payers that read, decide and take in any order; each may decide on what is no longer so."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book(SECRET, LIMITS)
        self.number = 0
        self.views: dict[str, dict[CellName, int]] = {}
        self.stands: dict[bytes, tuple[str, int, str]] = {}
        self.told: dict[tuple[CellName, int], int] = {}
        self.roots: dict[bytes, dict[CellName, int]] = {}

    @rule(payer=st.sampled_from(("med", "drug", "eye")))
    def reads(self, payer: str) -> None:
        names = (*(name(one, "member") for one in PERSONS), name("fam", "family"))
        self.views[payer] = {one: self.book.value(one) for one in names}

    @rule(payer=st.sampled_from(("med", "drug", "eye")), person=st.sampled_from(PERSONS), cents=st.integers(0, 120))
    def takes(self, payer: str, person: str, cents: int) -> None:
        if payer not in self.views:
            return
        self.number += 1
        asked = take(self.number, person, cents, self.views[payer])
        before = {one: self.book.value(one.name) for one in asked.moves}
        verdict = self.book.take(payer, asked)
        if verdict == "taken":
            self.stands[asked.id] = (payer, cents, person)
        else:
            assert before == {one: self.book.value(one.name) for one in asked.moves}
        if verdict in {"taken", "over"}:
            assert all(self.views[payer][one.name] == before[one] for one in asked.moves)

    @rule(data=st.data())
    def gives_back(self, data: st.DataObject) -> None:
        if not self.stands:
            return
        id_ = data.draw(st.sampled_from(sorted(self.stands)))
        payer, _, person = self.stands[id_]
        self.number += 1
        back = Take(digest("test", self.number.to_bytes(4, "big"))[:16], id_, (), ())
        thief = data.draw(st.sampled_from(("med", "drug", "eye")))
        if thief != payer:
            assert self.book.take(thief, back) == "no-such-take"
            return
        assert self.book.take(payer, back) == "taken"
        assert self.book.take(payer, back) == "taken"  # again: the first answer
        again = msgspec.structs.replace(back, id=bytes(16))
        assert self.book.take(payer, again) == "no-such-take"
        del self.stands[id_]
        self.views.pop(person, None)

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
        family = self.book.value(name("fam", "family"))
        assert family == sum(cents for _, cents, _ in self.stands.values()) <= 150
        for person in PERSONS:
            taken = self.book.value(name(person, "member"))
            assert taken == sum(cents for _, cents, who in self.stands.values() if who == person) <= 100


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
