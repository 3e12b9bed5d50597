"""The research contract beside a model of its own: permits, questions and what is left of budgets, nothing of rows or proofs.

Every message is told to both: they must agree on whether it is taken, after each message on every row that it touched, and
at every block on all pools. The model adds up what questions reserve and spend from the questions themselves.
"""

import sys
from random import Random
from types import SimpleNamespace as Thing

from salus.contracts.membership.port import Role
from salus.contracts.registry import REGISTRY
from salus.contracts.research import port as p
from salus.contracts.research import state
from salus.core.errors import Rejected
from salus.core.rules import Context
from salus.core.tables import Overlay

from .ledger import DAY, START, candidate
from .rows import Rows, founded

HOSPITALS = ("hospital-a", "hospital-b", "hospital-c")
ANALYSTS = ("company", "university")
WHO = ("body", *ANALYSTS, *HOSPITALS)
MEMBERS = tuple(
    candidate(name, roles=(Role.RESEARCHER if name in ANALYSTS else Role.PROVIDER,)) for name in sorted(WHO)
)
POOL, PERIOD, BEGIN_BY = 10_000_000, 90 * DAY, 7 * DAY  # as the network's parameters and the contract have them
SETS, PERMITS = range(1, 7), range(20, 32)
HEALTH, NON_PROFIT, NOWHERE = 6, 46, 9_999  # DUO's classes; the last is none
D = bytes(32)
W = p.Way
WAYS = ((W.EXACT, W.NOISY), (W.NOISY,), (W.EXACT, W.EXTRACT, W.NOISY))
OPEN = ("registered", "begun")
ENDS = {"begin": "begun", "answer": "answered", "withhold": "withheld", "fail": "failed", "release": "released"}
FROM = {
    "begin": {"registered"},
    "answer": {"begun"},
    "withhold": {"registered", "begun"},
    "fail": {"begun"},
    "release": {"registered"},
}
FOUNDED = founded(MEMBERS)
RULES = REGISTRY.versions[1].rules


def id_of(number):
    return number.to_bytes(16, "big")


class No(Exception):
    """The model takes no such message."""


class Twin:
    """Contract and model, told the same."""

    def __init__(self):
        self.rows = dict(FOUNDED)
        self.view = Rows(self.rows)
        self.time, self.height, self.sent = START, 1, 0
        self.told = []
        self.sets = {}
        self.permits = {}
        self.standing = {}  # (permit, data set)
        self.questions = {}
        self.parts = {}  # (question, data set)
        self.pools = set()  # (custodian, period) that somebody has asked

    # Both -------------------------------------------------------------------------------------------------------

    def block(self, *messages, later=1000):
        """Tell a block of (message, submitter) to both, and hold them against each other."""
        self.height += 1
        self.time += later
        for message, by in messages:
            self.sent += 1
            self.told.append((message, by))
            taken = self.contract(message, by)
            expected = self.model(message, by)
            assert taken == expected, f"contract {taken}, model {expected}: {message} by {by}"
        self.budgets()

    def contract(self, message, by):
        own = Overlay(self.view)
        rule = RULES[type(message)]
        assert not rule.authored
        try:
            rule.handle(Context(self.height, self.time, by, b"", self.sent.to_bytes(32, "big"), own), message)
        except Rejected:
            return False
        assert own.outgrown() == ""
        own.verify()
        for written in own.written.values():
            self.rows[written.table.number, written.key] = written.row
        self.touched = own.written.values()
        return True

    def model(self, message, by):
        try:
            getattr(self, type(message).__name__.lower())(message, by)
        except No:
            return False
        for written in self.touched:
            self.both(written.table, written.key, written.row)
        return True

    def both(self, table, key, row):
        """Hold how a row stands against how the model has it."""
        if table is state.DATA_SETS:
            one = self.sets[key]
            assert (row.custodian, row.uses, row.height) == (one.custodian, one.uses, one.height)
        elif table is state.PARTS:
            one = self.standing[key[:16], key[16:]]
            seen = (row.status.name.lower(), {*row.signed}, row.used, row.withheld)
            assert seen == (one.status, one.signed, self.used(key[:16], key[16:]), one.withheld)
        elif table is state.QUERIES:
            one = self.questions[key]
            seen = (
                row.permit,
                row.way,
                row.charge,
                row.data_sets,
                row.period,
                row.begin_by,
                row.attempt,
                bool(row.result),
            )
            assert seen == (
                one.permit,
                one.way,
                one.rho,
                one.sets,
                one.period,
                one.begin_by,
                one.attempt,
                one.published,
            )
        elif table is state.QUERY_PARTS:
            one = self.parts[key[:16], key[16:]]
            assert (row.status.name.lower(), row.population, row.answer) == (one.status, one.population, one.answer)

    def budgets(self):
        """Hold every pool against what the questions of its period reserve and spend."""
        sums = {pool: [0, 0] for pool in self.pools}
        for (id_, data_set), part in self.parts.items():
            question = self.questions[id_]
            if question.rho:
                found = sums[self.sets[data_set].custodian, question.period]
                found[0] += question.rho * (part.status == "registered")
                found[1] += question.rho * part.spent
        for (custodian, period), (reserved, spent) in sums.items():
            row = self.rows.get((state.POOLS.number, state.pool_key(custodian, period)), state.Pool(POOL, POOL, 0, 0))
            seen = (row.pool, row.free, row.reserved, row.spent)
            assert seen == (POOL, POOL - reserved - spent, reserved, spent), f"pool of {custodian}: {seen}"
            assert row.free >= 0

    def everything(self):
        """Hold every row, touched or not, and how many there are."""
        tables = {table.number: table for table in REGISTRY.versions[1].tables}
        counts = dict.fromkeys((state.DATA_SETS, state.PERMITS, state.PARTS, state.QUERIES, state.QUERY_PARTS), 0)
        for (number, key), row in self.rows.items():
            self.both(tables[number], key, row)
            if tables[number] in counts:
                counts[tables[number]] += 1
        own = (self.sets, self.permits, self.standing, self.questions, self.parts)
        assert list(counts.values()) == [len(one) for one in own]

    # The model's own --------------------------------------------------------------------------------------------

    def used(self, permit, data_set):
        """What a permit has reserved or spent at a data set: what returned later than its end is not given back to it."""
        standing = self.standing[permit, data_set]
        if standing.frozen is not None:
            return standing.frozen
        return sum(
            self.questions[id_].rho
            for (id_, one), part in self.parts.items()
            if one == data_set and self.questions[id_].permit == permit and (part.spent or part.status == "registered")
        )

    def free(self, custodian, period):
        return POOL - sum(
            self.questions[id_].rho
            for (id_, data_set), part in self.parts.items()
            if (self.sets[data_set].custodian, self.questions[id_].period) == (custodian, period)
            and (part.spent or part.status == "registered")
        )

    def ended(self, permit, data_set, status):
        standing = self.standing[permit, data_set]
        standing.frozen = self.used(permit, data_set)
        standing.status = status

    def now(self):
        return self.time - self.time % PERIOD

    # Messages ---------------------------------------------------------------------------------------------------

    def offer(self, m, by):
        if m.data_set in self.sets or m.policy.permission == NOWHERE:
            raise No
        if list(m.ways) != sorted({*m.ways}) or list(m.co_signers) != sorted({*m.co_signers}):
            raise No
        self.sets[m.data_set] = Thing(
            custodian=by, ways=m.ways, most=m.permit_rho, signers={by, *m.co_signers}, uses=0, height=self.height
        )

    def apply(self, m, by):
        if m.permit in self.permits or by not in ANALYSTS or any(one not in self.sets for one in m.data_sets):
            raise No
        if list(m.data_sets) != sorted({*m.data_sets}) or m.purpose.commercial or m.ends <= self.time:
            raise No
        self.permits[m.permit] = Thing(applicant=by, sets=m.data_sets, ends=m.ends, records=m.records)
        for one in m.data_sets:
            self.standing[m.permit, one] = Thing(status="applied", signed=set(), withheld=0, frozen=None)

    def entitled(self, m, by):
        standing = self.standing.get((m.permit, m.data_set))
        if standing is None or by not in self.sets[m.data_set].signers:
            raise No
        return standing

    def sign(self, m, by):
        standing = self.entitled(m, by)
        if standing.status != "applied" or by in standing.signed:
            raise No
        standing.signed |= {by}
        if standing.signed == self.sets[m.data_set].signers:
            standing.status = "agreed"

    def refuse(self, m, by):
        if self.entitled(m, by).status == "refused":
            raise No
        self.ended(m.permit, m.data_set, "refused")

    def register(self, m, by):
        permit = self.permits.get(m.permit)
        if permit is None or m.query in self.questions or permit.applicant != by or self.time >= permit.ends:
            raise No
        if list(m.data_sets) != sorted({*m.data_sets}):
            raise No
        noisy = m.way is W.NOISY
        if any((one > 0) != noisy for one in (m.sensitivity, m.variance)):
            raise No
        rho = -(-500_000 * m.sensitivity // m.variance) if noisy else 0
        asked = {}
        for one in m.data_sets:
            standing = self.standing.get((m.permit, one))
            if standing is None or standing.status != "agreed" or m.way not in self.sets[one].ways:
                raise No
            if m.way is W.EXTRACT and not permit.records:
                raise No
            custodian = self.sets[one].custodian
            asked[custodian] = asked.get(custodian, 0) + rho
            if rho and self.used(m.permit, one) + rho > self.sets[one].most:
                raise No
        if rho and any(self.free(custodian, self.now()) < need for custodian, need in asked.items()):
            raise No
        self.questions[m.query] = Thing(
            permit=m.permit,
            way=m.way,
            rho=rho,
            sets=m.data_sets,
            period=self.now(),
            begin_by=min(self.time + BEGIN_BY, permit.ends),
            attempt=1,
            published=False,
        )
        self.pools |= {(custodian, self.now()) for custodian in asked}
        for one in m.data_sets:
            self.parts[m.query, one] = Thing(status="registered", spent=False, population=b"", answer=b"")

    def step(self, m, by, kind):
        """Take a step of a part; return question, part and how its permit stands."""
        part = self.parts.get((m.query, m.data_set))
        if part is None or part.status not in FROM[kind]:
            raise No
        if kind != "release" and by != self.sets[m.data_set].custodian:
            raise No
        question = self.questions[m.query]
        return question, part, self.standing[question.permit, m.data_set]

    def begin(self, m, by):
        question, part, standing = self.step(m, by, "begin")
        if standing.status != "agreed" or self.time > question.begin_by:
            raise No
        part.status, part.spent, part.population = "begun", True, m.population

    def answer(self, m, by):
        _, part, _ = self.step(m, by, "answer")
        part.status, part.answer = "answered", m.answer
        self.sets[m.data_set].uses += 1

    def withhold(self, m, by):
        question, part, standing = self.step(m, by, "withhold")
        part.status = "withheld"
        if standing.status == "agreed":
            standing.withheld += 1
            if standing.withheld == 5:
                self.ended(question.permit, m.data_set, "suspended")

    def fail(self, m, by):
        _, part, _ = self.step(m, by, "fail")
        part.status = "failed"

    def release(self, m, by):
        question, part, _ = self.step(m, by, "release")
        if self.time <= question.begin_by:
            raise No
        part.status = "released"

    def retry(self, m, by):
        question = self.questions.get(m.query)
        if question is None or self.permits[question.permit].applicant != by:
            raise No
        if list(m.dropped) != sorted({*m.dropped}) or question.way is not W.EXACT:
            raise No
        if question.attempt == 3 or question.published:
            raise No
        parts = [self.parts.get((m.query, one)) for one in m.dropped]
        if any(part is None or part.status not in {"begun", "withheld", "failed"} for part in parts):
            raise No
        question.attempt += 1
        for part in parts:
            part.status = "failed" if part.status == "begun" else part.status

    def attest(self, m, by):
        part = self.parts.get((m.query, m.data_set))
        if part is None or self.permits[self.questions[m.query].permit].applicant != by:
            raise No
        if part.status != "answered" or self.questions[m.query].way is not W.EXTRACT:
            raise No
        part.status = "deleted"

    def publish(self, m, by):
        question = self.questions.get(m.query)
        if question is None or self.permits[question.permit].applicant != by or question.published:
            raise No
        standing = {self.parts[m.query, one].status for one in question.sets}
        if standing & {*OPEN} or not standing & {"answered", "deleted"}:
            raise No
        question.published = True


class Chance:
    """Proposes messages, most of them such as somebody may send. `pick` returns one of a sequence."""

    def __init__(self, twin, pick):
        self.twin, self.pick = twin, pick

    def one_in(self, n):
        return self.pick(range(n)) == 0

    def by(self, *likely):
        return self.pick(WHO) if not likely or self.one_in(8) else self.pick(likely)

    def some(self, ids, most=3):
        """Return a few of them, now and then not in order, or one twice."""
        found = [self.pick(ids) for _ in range(self.pick(range(most)) + 1)]
        return tuple(found) if self.one_in(12) else tuple(sorted({*found}))

    def message(self):
        """Return (message, who) of any kind."""
        twin = self.twin
        if len(twin.sets) < 3:
            return self.offer()
        if not twin.permits:
            return self.apply()
        return getattr(self, self.pick(KINDS))()

    def offer(self):
        policy = p.Policy(NOWHERE if self.one_in(10) else HEALTH, (NON_PROFIT,))
        signers = self.pick(((), (), ("body",), ("body", "hospital-c"), ("hospital-c", "body")))
        ways = self.pick(WAYS) if not self.one_in(10) else (W.NOISY, W.EXACT)
        most = self.pick((900_000, 3_000_000, 20_000_000, 20_000_000))
        sent = p.Offer(id_of(self.pick(SETS)), D, policy, p.Basis.CONSENT, ways, 10, most, signers)
        return sent, self.by(*HOSPITALS)

    def apply(self):
        twin = self.twin
        sets = self.some([*twin.sets]) if not self.one_in(20) else (id_of(99),)
        purpose = p.Purpose((37,), non_profit=True, commercial=self.one_in(8))
        ends = twin.time + self.pick((0, 20, 150, 400)) * DAY
        sent = p.Apply(id_of(self.pick(PERMITS)), sets, purpose, "A study.", ends, D, records=self.one_in(2))
        return sent, self.by(*ANALYSTS)

    def place(self, *statuses):
        """Return a permit's place, mostly of a standing."""
        fit = [one for one, each in self.twin.standing.items() if each.status in statuses]
        return self.pick(fit if fit and not self.one_in(6) else [*self.twin.standing])

    def sign(self):
        permit, data_set = self.place("applied")
        left = self.twin.sets[data_set].signers - self.twin.standing[permit, data_set].signed
        return p.Sign(permit, data_set), self.by(*sorted(left))

    def refuse(self):
        permit, data_set = self.place(*self.pick((("suspended", "refused"),) * 3 + (("applied", "agreed"),)))
        by = self.by(*sorted(self.twin.sets[data_set].signers)) if self.one_in(3) else self.pick(ANALYSTS)
        return p.Refuse(permit, data_set), by

    def register(self):
        twin = self.twin
        permit = self.place("agreed")[0]
        agreed = [one for one in twin.permits[permit].sets if twin.standing[permit, one].status == "agreed"]
        sets = self.some(agreed if agreed and not self.one_in(8) else [*twin.sets])
        ways = [way for way in twin.sets[sets[0]].ways if way is not W.EXTRACT or twin.permits[permit].records]
        way = self.pick(ways if not self.one_in(8) else [*W])
        noise = (self.pick((1, 4)), self.pick((1, 1, 2, 50))) if way is W.NOISY else (0, 0)
        if self.one_in(24):
            noise = self.pick(((0, 0), (1, 0), (0, 5), (1, 9)))
        query = id_of(1_000 + twin.sent) if not self.one_in(30) else self.pick([*twin.questions, id_of(1)])
        return p.Register(query, permit, sets, D, way, *noise), self.by(twin.permits[permit].applicant)

    def part(self, *statuses):
        """Return a question's part, mostly of a standing."""
        fit = [one for one, each in self.twin.parts.items() if each.status in statuses]
        if fit and not self.one_in(8):
            return self.pick(fit)
        return self.pick([*self.twin.parts]) if self.twin.parts and not self.one_in(8) else (id_of(1), id_of(1))

    def at(self, kind, statuses, *more):
        query, data_set = self.part(*statuses)
        offered = self.twin.sets.get(data_set)
        return kind(query, data_set, *more), self.by(*([offered.custodian] if offered else ()))

    def begin(self):
        return self.at(p.Begin, ("registered",), D)

    def answer(self):
        return self.at(p.Answer, ("begun",), D)

    def withhold(self):
        return self.at(p.Withhold, self.pick((("registered",), ("begun",))))

    def fail(self):
        return self.at(p.Fail, ("begun",))

    def release(self):
        return self.at(p.Release, ("registered",))

    def asked_by(self, query):
        question = self.twin.questions.get(query)
        return self.by(*([self.twin.permits[question.permit].applicant] if question else ()))

    def retry(self):
        query, data_set = self.part(*self.pick((("begun",), ("failed", "withheld"))))
        more = [data_set, *(one for id_, one in self.twin.parts if id_ == query)]
        return p.Retry(query, self.some(more) if self.one_in(3) else (data_set,)), self.asked_by(query)

    def attest(self):
        query, data_set = self.part("answered")
        return p.Attest(query, data_set), self.asked_by(query)

    def publish(self):
        query, _ = self.part("answered", "deleted")
        return p.Publish(query, D), self.asked_by(query)


KINDS = (
    *("register", "begin") * 8,
    *("answer", "sign") * 4,
    *("withhold", "retry", "publish") * 2,
    *("release", "attest", "apply", "offer", "fail", "refuse"),
)


def walk(seed, steps, each=200):
    """Tell `steps` random messages, a new world every `each`; yield each world at its end. Raises AssertionError.

    Coverage is measured in the first world alone: the others go the same ways, and counting lines takes most of their time.
    """
    random, told, tracing = Random(seed), 0, sys.gettrace()
    try:
        while told < steps:
            twin = _world(random, min(each, steps - told))
            told += twin.sent
            sys.settrace(None)
            yield twin
    finally:
        sys.settrace(tracing)


def _world(random, steps):
    """Tell one world's messages."""
    twin = Twin()
    chance = Chance(twin, random.choice)
    while twin.sent < steps:
        count = 1 if random.random() < 0.8 else 3
        later = 1000 if random.random() < 0.97 else random.choice((1, 8, 40)) * DAY
        twin.block(*(chance.message() for _ in range(count)), later=later)
    twin.everything()
    return twin
