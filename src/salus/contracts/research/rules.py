"""The research contract, rule version 1.

What is attacked, and what stops it:

- an unfit study is waved through by one custodian: the matcher runs here, so every node refuses it, by the same class;
- a question is asked first and registered later: a custodian answers what is begun, and only what is registered begins;
- a budget is spent twice, or by a second analyst, study, data set or name: the pool is the custodian's, in a period;
- two questions race for the last micro-ρ: transactions of a block run in order, the second is refused whole;
- probing by refusals: the fifth withheld question suspends the permit at that data set;
- a charge is taken back after a look: only a part that was never begun returns it.

Result data of a step is laid out in its handler's docstring.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import structs

from salus.contracts.contract import Contract
from salus.contracts.membership.port import Role, member, parameters
from salus.contracts.research.duo import Applicant, faults, match, name_of, purpose_faults
from salus.contracts.research.messages import (
    EXAMPLES,
    Answer,
    Apply,
    Attest,
    Begin,
    Fail,
    Offer,
    Publish,
    Refuse,
    Register,
    Release,
    Retry,
    Sign,
    Withhold,
)
from salus.contracts.research.reasons import ResearchReason
from salus.contracts.research.state import (
    BEGIN_BY,
    DATA_SETS,
    ENDED,
    MAX_ATTEMPTS,
    MAX_WITHHELD,
    NUMBER,
    PART,
    PARTS,
    PERMIT,
    PERMITS,
    POOLS,
    QUERIES,
    QUERY_PARTS,
    DataSet,
    Part,
    PartStatus,
    Permit,
    PermitStatus,
    Pool,
    Query,
    QueryPart,
    Way,
    charge,
    pool_key,
)
from salus.core.encoding import Message
from salus.core.errors import Rejected
from salus.core.rules import Context, Rule
from salus.core.tables import View


def offer(ctx: Context, message: Offer) -> bytes:
    """Offer a data set. Returns its id 16 | terms 32 | custodian, ASCII."""
    if ctx.get(DATA_SETS, message.data_set) is not None:
        raise Rejected(ResearchReason.CASE_EXISTS, data_set=message.data_set.hex())
    _ascending(message.ways)
    _ascending(message.co_signers)
    for wrong in faults(message.policy):
        raise Rejected(ResearchReason.NOT_MATCHABLE, duo=name_of(wrong.code), why=wrong.why)

    row = DataSet(
        custodian=ctx.submitter,
        terms=message.terms,
        policy=message.policy,
        basis=message.basis,
        ways=message.ways,
        smallest=message.smallest,
        permit_rho=message.permit_rho,
        co_signers=message.co_signers,
        uses=0,
        height=ctx.height,
    )
    ctx.put(DATA_SETS, message.data_set, row)
    return message.data_set + message.terms + ctx.submitter.encode("ascii")


def apply(ctx: Context, message: Apply) -> bytes:
    """Ask for a permit. Returns its id 16 | ends u64 | applicant, ASCII."""
    if ctx.get(PERMITS, message.permit) is not None:
        raise Rejected(ResearchReason.CASE_EXISTS, permit=message.permit.hex())
    offers = [_data_set(ctx.state, id_) for id_ in message.data_sets]
    applicant = member(ctx.state, ctx.submitter)
    if applicant is None or Role.RESEARCHER not in applicant.roles:
        raise Rejected(ResearchReason.NOT_RESEARCHER, member=ctx.submitter)
    _ascending(message.data_sets)
    for wrong in purpose_faults(message.purpose):
        raise Rejected(ResearchReason.NOT_MATCHABLE, duo=name_of(wrong.code), why=wrong.why)
    who = Applicant(ctx.submitter, applicant.jurisdiction, message.permit, len(message.ethics) == 32)
    for data_set, row in zip(message.data_sets, offers, strict=True):
        for misfit in match(row.policy, message.purpose, who).misfits:
            facts = {"data_set": data_set.hex(), "duo": name_of(misfit.code), "why": misfit.why}
            raise Rejected(ResearchReason.DOES_NOT_FIT, **facts)
    if message.ends <= ctx.time:
        raise Rejected(ResearchReason.PERMIT_OVER, ends=message.ends, time=ctx.time)

    permit = Permit(
        ctx.submitter,
        message.purpose,
        message.ethics,
        message.summary,
        message.data_sets,
        message.ends,
        message.records,
    )
    ctx.put(PERMITS, message.permit, permit)
    for data_set in message.data_sets:
        ctx.put(PARTS, message.permit + data_set, Part(PERMIT[None, "apply"], (), 0, 0, ctx.height))
    return message.permit + message.ends.to_bytes(8, "big") + ctx.submitter.encode("ascii")


def sign(ctx: Context, message: Sign) -> bytes:
    """Agree to a permit. Returns permit 16 | data set 16 | status u8 | signer, ASCII."""
    row, offered = _permit_part(ctx, message)
    if row.status is not PermitStatus.APPLIED or ctx.submitter in row.signed:
        raise Rejected(ResearchReason.WRONG_STATUS, status=row.status.name)
    signed = tuple(sorted((*row.signed, ctx.submitter)))
    last = len(signed) == len({offered.custodian, *offered.co_signers})

    status = PERMIT[row.status, "sign-last" if last else "sign"]
    changed = structs.replace(row, status=status, signed=signed, height=ctx.height)
    ctx.put(PARTS, message.permit + message.data_set, changed)
    return message.permit + message.data_set + bytes((status,)) + ctx.submitter.encode("ascii")


def refuse(ctx: Context, message: Refuse) -> bytes:
    """Refuse or end a permit. Returns permit 16 | data set 16 | status u8 | who refuses, ASCII."""
    row, _ = _permit_part(ctx, message)
    status = PERMIT.get((row.status, "refuse"))
    if status is None:
        raise Rejected(ResearchReason.WRONG_STATUS, status=row.status.name)

    ctx.put(PARTS, message.permit + message.data_set, structs.replace(row, status=status, height=ctx.height))
    return message.permit + message.data_set + bytes((status,)) + ctx.submitter.encode("ascii")


def register(ctx: Context, message: Register) -> bytes:
    """Put a question on record. Returns query 16 | commitment 32 | charge u64 | begin by u64 | analyst's member, ASCII."""
    permit = _permit(ctx.state, message.permit)
    if ctx.get(QUERIES, message.query) is not None:
        raise Rejected(ResearchReason.CASE_EXISTS, query=message.query.hex())
    if permit.applicant != ctx.submitter:
        raise Rejected(ResearchReason.NOT_ENTITLED, applicant=permit.applicant)
    _ascending(message.data_sets)
    asked = [(id_, _data_set(ctx.state, id_), _part(ctx, message.permit, id_)) for id_ in message.data_sets]
    for id_, _, part in asked:
        if part.status is not PermitStatus.AGREED:
            raise Rejected(ResearchReason.WRONG_STATUS, data_set=id_.hex(), status=part.status.name)
    if ctx.time >= permit.ends:
        raise Rejected(ResearchReason.PERMIT_OVER, ends=permit.ends, time=ctx.time)
    for id_, row, _ in asked:
        if message.way not in row.ways or (message.way is Way.EXTRACT and not permit.records):
            raise Rejected(ResearchReason.NOT_OFFERED, data_set=id_.hex(), way=message.way.value)
    rho = _charge(message)
    pools, parts = _reserve(ctx, asked, rho)

    for key, pool in pools.items():
        ctx.put(POOLS, key, pool)
    begin_by = min(ctx.time + BEGIN_BY, permit.ends)
    for id_, part in parts.items():
        ctx.put(PARTS, message.permit + id_, part)
        ctx.put(QUERY_PARTS, message.query + id_, QueryPart(PART[None, "register"], b"", b"", ctx.height))
    row_ = Query(
        permit=message.permit,
        commitment=message.commitment,
        way=message.way,
        sensitivity=message.sensitivity,
        variance=message.variance,
        charge=rho,
        data_sets=message.data_sets,
        period=_period(ctx),
        begin_by=begin_by,
        attempt=1,
        result=b"",
        height=ctx.height,
    )
    ctx.put(QUERIES, message.query, row_)
    told = rho.to_bytes(8, "big") + begin_by.to_bytes(8, "big")
    return message.query + message.commitment + told + ctx.submitter.encode("ascii")


def begin(ctx: Context, message: Begin) -> bytes:
    """Begin at a data set. Returns query 16 | data set 16 | status u8 | population 32 | custodian, ASCII."""
    query, part = _own(ctx, message)
    status = _next(part, "begin")
    permit = _part(ctx, query.permit, message.data_set)
    if permit.status is not PermitStatus.AGREED:
        raise Rejected(ResearchReason.WRONG_STATUS, permit=permit.status.name)
    if ctx.time > query.begin_by:
        raise Rejected(ResearchReason.TOO_LATE, begin_by=query.begin_by, time=ctx.time)

    _settle(ctx, query, message.data_set, spent=True)
    changed = QueryPart(status, message.population, b"", ctx.height)
    return _put(ctx, message, changed, message.population)


def answer(ctx: Context, message: Answer) -> bytes:
    """Commit to an answer. Returns query 16 | data set 16 | status u8 | answer 32 | custodian, ASCII."""
    _, part = _own(ctx, message)
    status = _next(part, "answer")
    offered = _data_set(ctx.state, message.data_set)

    ctx.put(DATA_SETS, message.data_set, structs.replace(offered, uses=offered.uses + 1))
    changed = structs.replace(part, status=status, answer=message.answer, height=ctx.height)
    return _put(ctx, message, changed, message.answer)


def withhold(ctx: Context, message: Withhold) -> bytes:
    """Withhold. Returns query 16 | data set 16 | status u8 | custodian, ASCII."""
    query, part = _own(ctx, message)
    status = _next(part, "withhold")
    begun = part.status is PartStatus.BEGUN
    permit = _part(ctx, query.permit, message.data_set)
    withheld = min(permit.withheld + 1, MAX_WITHHELD)
    standing = (
        PERMIT[permit.status, "suspend"]
        if withheld == MAX_WITHHELD and permit.status is PermitStatus.AGREED
        else permit.status
    )

    if not begun:
        _settle(ctx, query, message.data_set, spent=False)
    if permit.status is PermitStatus.AGREED:
        used = permit.used if begun else permit.used - query.charge
        row = structs.replace(permit, status=standing, withheld=withheld, used=used, height=ctx.height)
        ctx.put(PARTS, query.permit + message.data_set, row)
    return _put(ctx, message, structs.replace(part, status=status, height=ctx.height), b"")


def fail(ctx: Context, message: Fail) -> bytes:
    """Say that a part failed; its charge stays spent. Returns query 16 | data set 16 | status u8 | custodian, ASCII."""
    _, part = _own(ctx, message)
    status = _next(part, "fail")

    return _put(ctx, message, structs.replace(part, status=status, height=ctx.height), b"")


def retry(ctx: Context, message: Retry) -> bytes:
    """Go on without some custodians. Returns query 16 | attempt u8 | analyst's member, ASCII."""
    query = ctx.get(QUERIES, message.query)
    if query is None:
        raise Rejected(ResearchReason.NO_SUCH_QUERY, query=message.query.hex())
    applicant = _permit(ctx.state, query.permit).applicant
    if applicant != ctx.submitter:
        raise Rejected(ResearchReason.NOT_ENTITLED, applicant=applicant)
    _ascending(message.dropped)
    parts = [(id_, _query_part(ctx.state, message.query, id_)[1]) for id_ in message.dropped]
    ended = [(id_, part, _next(part, "retry")) for id_, part in parts]
    if query.way is not Way.EXACT or query.attempt == MAX_ATTEMPTS or query.result:
        facts = {"way": query.way.value, "attempt": query.attempt, "published": bool(query.result)}
        raise Rejected(ResearchReason.WRONG_STATUS, **facts)

    for id_, part, status in ended:
        ctx.put(QUERY_PARTS, message.query + id_, structs.replace(part, status=status, height=ctx.height))
    ctx.put(QUERIES, message.query, structs.replace(query, attempt=query.attempt + 1))
    return message.query + bytes((query.attempt + 1,)) + ctx.submitter.encode("ascii")


def release(ctx: Context, message: Release) -> bytes:
    """Return the charge of a part that was not begun. Returns query 16 | data set 16 | status u8 | who says so, ASCII."""
    query, part = _query_part(ctx.state, message.query, message.data_set)
    status = _next(part, "release")
    if ctx.time <= query.begin_by:
        raise Rejected(ResearchReason.TOO_EARLY, begin_by=query.begin_by, time=ctx.time)
    permit = _part(ctx, query.permit, message.data_set)

    _settle(ctx, query, message.data_set, spent=False)
    if permit.status is PermitStatus.AGREED:
        row = structs.replace(permit, used=permit.used - query.charge, height=ctx.height)
        ctx.put(PARTS, query.permit + message.data_set, row)
    return _put(ctx, message, structs.replace(part, status=status, height=ctx.height), b"")


def attest(ctx: Context, message: Attest) -> bytes:
    """Attest that an extract is deleted. Returns query 16 | data set 16 | status u8 | analyst's member, ASCII."""
    query, part = _query_part(ctx.state, message.query, message.data_set)
    applicant = _permit(ctx.state, query.permit).applicant
    if applicant != ctx.submitter:
        raise Rejected(ResearchReason.NOT_ENTITLED, applicant=applicant)
    status = _next(part, "attest")
    if query.way is not Way.EXTRACT:
        raise Rejected(ResearchReason.WRONG_STATUS, way=query.way.value)

    return _put(ctx, message, structs.replace(part, status=status, height=ctx.height), b"")


def publish(ctx: Context, message: Publish) -> bytes:
    """Publish a result. Returns query 16 | result 32 | analyst's member, ASCII."""
    query = ctx.get(QUERIES, message.query)
    if query is None:
        raise Rejected(ResearchReason.NO_SUCH_QUERY, query=message.query.hex())
    permit = _permit(ctx.state, query.permit)
    if permit.applicant != ctx.submitter:
        raise Rejected(ResearchReason.NOT_ENTITLED, applicant=permit.applicant)
    parts = [_query_part(ctx.state, message.query, id_)[1] for id_ in query.data_sets]
    statuses = [part.status for part in parts]
    if (
        query.result
        or not {PartStatus.ANSWERED, PartStatus.DELETED} & {*statuses}
        or any(status not in ENDED for status in statuses)
    ):
        raise Rejected(ResearchReason.WRONG_STATUS, open=sum(status not in ENDED for status in statuses))

    ctx.put(QUERIES, message.query, structs.replace(query, result=message.result))
    return message.query + message.result + ctx.submitter.encode("ascii")


Step = Begin | Answer | Withhold | Fail | Release | Attest


def _ascending(items: tuple[str, ...] | tuple[bytes, ...]) -> None:
    if list(items) != sorted({*items}):
        raise Rejected(ResearchReason.UNORDERED)


def _data_set(state: View, id_: bytes) -> DataSet:
    row = state.get(DATA_SETS, id_)
    if row is None:
        raise Rejected(ResearchReason.NO_SUCH_DATA_SET, data_set=id_.hex())
    return row


def _permit(state: View, id_: bytes) -> Permit:
    row = state.get(PERMITS, id_)
    if row is None:
        raise Rejected(ResearchReason.NO_SUCH_PERMIT, permit=id_.hex())
    return row


def _part(ctx: Context, permit: bytes, data_set: bytes) -> Part:
    row = ctx.get(PARTS, permit + data_set)
    if row is None:
        raise Rejected(ResearchReason.NO_SUCH_PERMIT, permit=permit.hex(), data_set=data_set.hex())
    return row


def _permit_part(ctx: Context, message: Sign | Refuse) -> tuple[Part, DataSet]:
    """Return a permit at a data set that the submitter may sign. Raises Rejected."""
    offered = _data_set(ctx.state, message.data_set)
    row = _part(ctx, message.permit, message.data_set)
    if ctx.submitter != offered.custodian and ctx.submitter not in offered.co_signers:
        raise Rejected(ResearchReason.NOT_ENTITLED, custodian=offered.custodian)
    return row, offered


def _query_part(state: View, id_: bytes, data_set: bytes) -> tuple[Query, QueryPart]:
    query, part = state.get(QUERIES, id_), state.get(QUERY_PARTS, id_ + data_set)
    if query is None or part is None:
        raise Rejected(ResearchReason.NO_SUCH_QUERY, query=id_.hex(), data_set=data_set.hex())
    return query, part


def _own(ctx: Context, message: Step) -> tuple[Query, QueryPart]:
    """Return a query at a data set of the submitter's. Raises Rejected."""
    query, part = _query_part(ctx.state, message.query, message.data_set)
    custodian = _data_set(ctx.state, message.data_set).custodian
    if ctx.submitter != custodian:
        raise Rejected(ResearchReason.NOT_ENTITLED, custodian=custodian)
    return query, part


def _next(part: QueryPart, step: str) -> PartStatus:
    status = PART.get((part.status, step))
    if status is None:
        raise Rejected(ResearchReason.WRONG_STATUS, status=part.status.name, step=step)
    return status


def _charge(message: Register) -> int:
    noisy = message.way is Way.NOISY
    if (message.sensitivity > 0, message.variance > 0) != (noisy, noisy):
        raise Rejected(ResearchReason.WRONG_NOISE, way=message.way.value)
    return charge(message.sensitivity, message.variance) if noisy else 0


def _reserve(
    ctx: Context, asked: list[tuple[bytes, DataSet, Part]], rho: int
) -> tuple[dict[bytes, Pool], dict[bytes, Part]]:
    """Return the pools and permit parts with the charge reserved in all data sets. Raises Rejected if one lacks it."""
    pools: dict[bytes, Pool] = {}
    parts: dict[bytes, Part] = {}
    for id_, offered, part in asked:
        if part.used + rho > offered.permit_rho:
            left = offered.permit_rho - part.used
            raise Rejected(ResearchReason.PERMIT_SPENT, data_set=id_.hex(), expected=rho, left=left)
        parts[id_] = structs.replace(part, used=part.used + rho, height=ctx.height)
    whole = parameters(ctx.state).research_pool
    for id_, offered, _ in asked:
        key = pool_key(offered.custodian, _period(ctx))
        pool = pools.get(key) or ctx.get(POOLS, key) or Pool(whole, whole, 0, 0)
        if pool.free < rho:
            raise Rejected(ResearchReason.POOL_SPENT, data_set=id_.hex(), expected=rho, left=pool.free)
        pools[key] = structs.replace(pool, free=pool.free - rho, reserved=pool.reserved + rho)
    return pools, parts


def _period(ctx: Context) -> int:
    """Return when the budget's period that holds now began, ms."""
    return ctx.time - ctx.time % parameters(ctx.state).research_period


def _settle(ctx: Context, query: Query, data_set: bytes, *, spent: bool) -> None:
    """Turn what a query reserved at a data set into spent or free."""
    key = pool_key(_data_set(ctx.state, data_set).custodian, query.period)
    pool = ctx.get(POOLS, key) or Pool(0, 0, 0, 0)  # registering has written it
    rho = query.charge
    free, gone = (pool.free, pool.spent + rho) if spent else (pool.free + rho, pool.spent)
    ctx.put(POOLS, key, Pool(pool.pool, free, pool.reserved - rho, gone))


def _put(ctx: Context, message: Step, row: QueryPart, told: bytes) -> bytes:
    ctx.put(QUERY_PARTS, message.query + message.data_set, row)
    return message.query + message.data_set + bytes((row.status,)) + told + ctx.submitter.encode("ascii")


RULES: Final[Mapping[type[Message], Rule]] = {
    Offer: Rule(offer, authored=False),
    Apply: Rule(apply, authored=False),
    Sign: Rule(sign, authored=False),
    Refuse: Rule(refuse, authored=False),
    Register: Rule(register, authored=False),
    Begin: Rule(begin, authored=False),
    Answer: Rule(answer, authored=False),
    Withhold: Rule(withhold, authored=False),
    Fail: Rule(fail, authored=False),
    Retry: Rule(retry, authored=False),
    Release: Rule(release, authored=False),
    Attest: Rule(attest, authored=False),
    Publish: Rule(publish, authored=False),
}
CONTRACT: Final = Contract(
    number=NUMBER,
    name="research",
    rules=RULES,
    tables=(DATA_SETS, PERMITS, PARTS, QUERIES, QUERY_PARTS, POOLS),
    reasons=ResearchReason,
    examples=EXAMPLES,
)
