"""An outsider with the whole ledger looks for the claims of one patient: pairs of them look like any other pair.

A thousand patients, two claims each, of one clinic and one payer: which two members share a case shows, and is held equal here.
That a crossover follows one of the cases remitted just before shows, too; which one does not.
The outsider may use everything that stands in rows and messages; each measure is scored by its AUC, the chance that it ranks a
pair of one patient above a pair of two. 0.5 is guessing.
"""

import random
from collections.abc import Callable, Iterator

from salus.agreements.claims.members import person_of
from salus.contracts.claims.port import (
    CASES,
    Accept,
    Case,
    Clock,
    Cross,
    Crossing,
    Decide,
    Decided,
    Kind,
    Opening,
    Remit,
    Submission,
    Submit,
    appeal_key_digest,
    cases,
    payer_digest,
)
from salus.contracts.membership.port import Role
from salus.core.encoding import encode
from salus.node.claims.exchange import submission_commitment
from tests.agreements.claims.cases import JANE, claim, file_of, line
from tests.contracts.ledger import Ledger, candidate

PATIENTS = 1_000
BATCH = 250
MOST = 0.55
CLINIC, PAYER, SECOND = "clinic-a", "payer-b", "payer-c"
Pair = tuple[tuple[int, bytes, Case], tuple[int, bytes, Case]]


def filled(chance: random.Random) -> tuple[Ledger, dict[bytes, int], list[bytes]]:
    """Return a ledger with two claims of each patient, decided and remitted; whose each case is; all that was hidden."""
    ledger = Ledger.founded(
        members=(candidate(CLINIC), candidate(PAYER, roles=(Role.PAYER,)), candidate(SECOND, roles=(Role.PAYER,)))
    )
    owner: dict[bytes, int] = {}
    salts: dict[bytes, bytes] = {}
    hidden: list[bytes] = []
    visits = [patient for patient in range(PATIENTS) for _ in range(2)]
    chance.shuffle(visits)
    for start in range(0, len(visits), BATCH):
        some: list[Submission] = []
        for patient in visits[start : start + BATCH]:
            case, salt, key = chance.randbytes(16), chance.randbytes(16), chance.randbytes(32)
            owner[case], salts[case] = patient, salt
            file = _file(patient)
            hidden.append(file)
            some.append(Submission(case, payer_digest(salt, case, PAYER), submission_commitment(key, file)))
        some.sort(key=lambda one: one.case)
        ids = [one.case for one in some]
        ledger.send(Submit(Kind.CLAIM, Clock.DAYS_3, Clock.DAYS_30, tuple(some)), CLINIC)
        ledger.send(Accept(tuple(Opening(case, salts[case]) for case in ids)), PAYER)
        told = tuple(Decided(case, chance.randbytes(32), appeal_key_digest(chance.randbytes(32))) for case in ids)
        ledger.send(Decide(told), PAYER)
        ledger.send(Remit(tuple(ids)), PAYER)
        _cross(ledger, chance, owner, ids[:50])
    return ledger, owner, hidden


_BASE = file_of(claim(line(), identifier="P0000000", subscriber=JANE, patient=JANE))


def _file(patient: int) -> bytes:
    """Return a claim of a patient: the same bytes for both visits, which is the worst case."""
    return _BASE.replace(b"P0000000", f"P{patient:07d}".encode())


def _cross(ledger: Ledger, chance: random.Random, owner: dict[bytes, int], first: list[bytes]) -> None:
    """Hand some on: a crossover follows its first case at once."""
    some = []
    for case in first:
        own, salt = chance.randbytes(16), chance.randbytes(16)
        owner[own] = owner[case]
        some.append(Crossing(own, CLINIC, payer_digest(salt, own, SECOND), chance.randbytes(32)))
    ledger.send(Cross(Clock.DAYS_3, Clock.DAYS_30, tuple(sorted(some, key=lambda one: one.case))), PAYER)


def near(one: bytes, other: bytes) -> float:
    return -(int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


MEASURES: dict[str, Callable[[Pair], float]] = {
    "case ids alike": lambda pair: near(pair[0][1], pair[1][1]),
    "case ids near": lambda pair: -abs(int.from_bytes(pair[0][1], "big") - int.from_bytes(pair[1][1], "big")) / 2**128,
    "addresses alike": lambda pair: near(pair[0][2].payer_digest, pair[1][2].payer_digest),
    "submissions alike": lambda pair: near(pair[0][2].submission, pair[1][2].submission),
    "decisions alike": lambda pair: near(pair[0][2].decision, pair[1][2].decision),
    "appeal keys alike": lambda pair: near(pair[0][2].appeal_key, pair[1][2].appeal_key),
    "any field the same": lambda pair: float(
        bool(
            {pair[0][2].payer_digest, pair[0][2].submission, pair[0][2].decision}
            & {pair[1][2].payer_digest, pair[1][2].submission, pair[1][2].decision}
        )
    ),
    "near in time": lambda pair: -abs(pair[0][2].height - pair[1][2].height),
    "near in order": lambda pair: -abs(pair[0][0] - pair[1][0]),
    "deadlines near": lambda pair: -abs(pair[0][2].due - pair[1][2].due),
    "rows of one size": lambda pair: -abs(len(encode(pair[0][2])) - len(encode(pair[1][2]))),
}


def auc(same: list[float], other: list[float]) -> float:
    """Return the chance that a pair of one patient scores above a pair of two; ties count half."""
    ranked = sorted([(score, 1) for score in same] + [(score, 0) for score in other])
    total, place = 0.0, 0
    while place < len(ranked):
        end = place
        while end < len(ranked) and ranked[end][0] == ranked[place][0]:
            end += 1
        mean = (place + 1 + end) / 2
        total += mean * sum(kind for _, kind in ranked[place:end])
        place = end
    count = len(same)
    return (total - count * (count + 1) / 2) / (count * len(other))


def pairs(
    rows: list[tuple[int, bytes, Case]], owner: dict[bytes, int], chance: random.Random
) -> Iterator[tuple[Pair, bool]]:
    """Yield each pair of one patient at one payer, and as many pairs of two patients of the same members."""
    for payer in (PAYER, ""):
        of_members = [one for one in rows if one[2].payer == payer]
        by_patient: dict[int, list[tuple[int, bytes, Case]]] = {}
        for one in of_members:
            by_patient.setdefault(owner[one[1]], []).append(one)
        for one in by_patient.values():
            for place, first in enumerate(one):
                for second in one[place + 1 :]:
                    yield (first, second), True
                    yield _apart(of_members, owner, chance), False

    yield from _crossed(rows, owner, chance)


def _crossed(
    rows: list[tuple[int, bytes, Case]], owner: dict[bytes, int], chance: random.Random
) -> Iterator[tuple[Pair, bool]]:
    """Yield each crossover with its first case, and with another of the same batch: that it follows one of them shows."""
    batches: dict[int, list[tuple[int, bytes, Case]]] = {}
    for one in rows:
        if one[2].payer == PAYER:
            batches.setdefault(one[2].height, []).append(one)
    for one in rows:
        if one[2].payer:
            continue
        batch = batches[one[2].height - 1]
        for first in batch:
            if owner[first[1]] == owner[one[1]]:
                yield (first, one), True
                yield (chance.choice([other for other in batch if owner[other[1]] != owner[one[1]]]), one), False


def _apart(rows: list[tuple[int, bytes, Case]], owner: dict[bytes, int], chance: random.Random) -> Pair:
    while True:
        one, other = chance.choice(rows), chance.choice(rows)
        if owner[one[1]] != owner[other[1]]:
            return one, other


def test_claims_of_one_patient_are_not_told_from_others() -> None:
    chance = random.Random(20260101)
    ledger, owner, _ = filled(chance)
    rows = [(place, case, row) for place, (case, row) in enumerate(cases(ledger.state))]
    told = list(pairs(rows, owner, chance))
    assert sum(same for _, same in told) >= PATIENTS
    for name, measure in MEASURES.items():
        scores = {kind: [measure(pair) for pair, same in told if same is kind] for kind in (True, False)}
        found = auc(scores[True], scores[False])
        assert 1 - MOST <= found <= MOST, f"{name}: {found:.3f}"


def test_the_score_finds_what_does_tell() -> None:
    """The measure of the attack itself: a case id that holds the patient is found."""
    chance = random.Random(3)
    same = [near(bytes([n % 256]) * 16, bytes([n % 256]) * 15 + chance.randbytes(1)) for n in range(200)]
    other = [near(chance.randbytes(16), chance.randbytes(16)) for _ in range(200)]
    assert auc(same, other) > 0.99
    assert abs(auc(other, other) - 0.5) < 1e-9


def test_no_row_or_message_is_reproduced_with_everything_known_but_the_keys() -> None:
    """With identifiers, codes, dates and amounts known, the guess of a commitment under a known or no key finds none."""
    chance = random.Random(5)
    ledger, _, hidden = filled(chance)
    held = {value for _, row in cases(ledger.state) for value in (row.submission, row.decision, row.payer_digest)}
    ids = [case for case, _ in cases(ledger.state)]
    guesses = {submission_commitment(bytes(32), file) for file in hidden}
    guesses |= {submission_commitment(case.ljust(32, b"\0"), file) for case, file in zip(ids, hidden, strict=False)}
    guesses |= {payer_digest(salt, case, who) for case in ids for who in (PAYER, SECOND) for salt in (bytes(16), case)}
    assert held.isdisjoint(guesses)
    words = {person_of(claim()).encode(), JANE.last.encode(), b"G0402", b"J069"}
    stored = b"".join(encode(row) for row in (ledger.state.get(CASES, case) for case in ids) if row is not None)
    assert all(word not in stored for word in words if len(word) > 4)
