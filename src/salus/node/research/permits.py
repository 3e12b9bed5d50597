"""`research offer`, `apply`, `decide`, `offers`, `permits`, `budget`: what stands between a data set and a study."""

from typing import Annotated, Final

from msgspec import Meta

from salus.agreements.research import accounting
from salus.contracts.research import port
from salus.core.proof.digest import digest
from salus.core.tables import View
from salus.node.errors import Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.research.policy import code_of, policy_of, tokens_of
from salus.node.usecase import OPERATOR, Message, use_case

DAY_MS: Final = 86_400_000
DELTA: Final = 1e-6
ID = r"^[0-9a-f]{32}$"
ID_EXAMPLE: Final = "00" * 16
DataSetId = Annotated[str, Meta(pattern=ID, description="The data set, hexadecimal.", examples=[ID_EXAMPLE])]
PermitId = Annotated[str, Meta(pattern=ID, description="The permit, hexadecimal.", examples=[ID_EXAMPLE])]
DataSetIds = Annotated[
    tuple[str, ...],
    Meta(min_length=1, max_length=64, description="The data sets, hexadecimal.", examples=[[ID_EXAMPLE]]),
]


class OfferData(Message, frozen=True):
    """What one's records may be used for in research, and how answers leave."""

    terms: Annotated[
        bytes, Meta(description="The data-use agreement; its digest goes to the ledger.", examples=[b"Terms"])
    ]
    policy: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            max_length=20,
            description="Classes of the Data Use Ontology: a permission and modifiers.",
            examples=[["DUO:0000006", "DUO:0000046"]],
        ),
    ]
    by_consent: Annotated[
        bool, Meta(description="Count who chose so; else whoever does not object.", examples=[True])
    ] = True
    ways: Annotated[
        tuple[str, ...],
        Meta(min_length=1, max_length=3, description="exact, extract, noisy.", examples=[["exact", "noisy"]]),
    ] = ("exact", "noisy")
    smallest: Annotated[
        int, Meta(ge=3, le=1000, description="No exact result rests on fewer persons.", examples=[10])
    ] = 10
    permit_rho: Annotated[
        int, Meta(ge=0, le=1_000_000_000, description="What one permit may spend, micro-rho.", examples=[1_000_000])
    ] = 1_000_000
    co_signers: Annotated[
        tuple[str, ...],
        Meta(
            max_length=8, description="Members that sign permits too: a data-access body.", examples=[["access-body"]]
        ),
    ] = ()


class DataOffered(Message, frozen=True):
    """The data set is on the ledger."""

    data_set: Annotated[str, Meta(description="Its id, hexadecimal.")]


class ListOffers(Message, frozen=True):
    """Asks for nothing more."""


class OfferLine(Message, frozen=True):
    """One data set."""

    data_set: Annotated[str, Meta(description="Its id, hexadecimal.")]
    custodian: Annotated[str, Meta(description="Who keeps the records.")]
    policy: Annotated[str, Meta(description="What it may be used for.")]
    ways: Annotated[str, Meta(description="Ways out.")]
    basis: Annotated[str, Meta(description="consent, or no objection.")]
    smallest: Annotated[int, Meta(description="No exact result rests on fewer persons.")]
    uses: Annotated[int, Meta(description="Answers it gave: its credit.")]


class Offers(Message, frozen=True):
    """All data sets of the network."""

    offers: Annotated[tuple[OfferLine, ...], Meta(description="In order of their ids.")]


class ApplyForPermit(Message, frozen=True):
    """What the study is."""

    data_sets: DataSetIds
    investigations: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            max_length=10,
            description="What is investigated, in DUO's classes.",
            examples=[["DUO:0000037"]],
        ),
    ]
    summary: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=1000,
            description="In plain words, as patients read it.",
            examples=["Who has gout?"],
        ),
    ]
    days: Annotated[int, Meta(ge=1, le=1830, description="For how many days from now.", examples=[365])]
    ethics: Annotated[
        bytes, Meta(description="The ethics approval; its digest goes to the ledger.", examples=[b"Approved"])
    ] = b""
    diseases: Annotated[
        tuple[str, ...], Meta(max_length=64, description="Diseases studied.", examples=[["MONDO:0005148"]])
    ] = ()
    commercial: Annotated[bool, Meta(description="Whether the use is commercial.", examples=[False])] = False
    for_profit: Annotated[bool, Meta(description="Whether the institution is for profit.", examples=[False])] = False
    duties: Annotated[
        tuple[str, ...],
        Meta(max_length=4, description="Duties taken on, in DUO's classes.", examples=[["DUO:0000019"]]),
    ] = ()
    records: Annotated[bool, Meta(description="Whether extracts of persons' rows are asked for.", examples=[False])] = (
        False
    )


class PermitApplied(Message, frozen=True):
    """The application fits every data set, and waits for signatures."""

    permit: Annotated[str, Meta(description="Its id, hexadecimal.")]
    duties: Annotated[tuple[str, ...], Meta(description="Duties that the study must fulfil.")]


class DecidePermit(Message, frozen=True):
    """A permit at a data set."""

    permit: PermitId
    data_set: DataSetId
    refuse: Annotated[bool, Meta(description="Refuse it, or end it.", examples=[True])] = False


class PermitDecided(Message, frozen=True):
    """How the permit stands at the data set."""

    status: Annotated[str, Meta(description="applied, agreed, refused or suspended.")]
    waiting: Annotated[tuple[str, ...], Meta(description="Who has yet to sign.")]


class ListPermits(Message, frozen=True):
    """Asks for nothing more."""


class PermitLine(Message, frozen=True):
    """A permit at one data set."""

    permit: Annotated[str, Meta(description="Its id, hexadecimal.")]
    data_set: Annotated[str, Meta(description="The data set, hexadecimal.")]
    custodian: Annotated[str, Meta(description="Who keeps the records.")]
    institution: Annotated[str, Meta(description="Who asks.")]
    study: Annotated[str, Meta(description="In plain words.")]
    until: Annotated[str, Meta(description="Until when, UTC.")]
    records: Annotated[bool, Meta(description="Whether extracts of persons' rows may be asked for.")]
    status: Annotated[str, Meta(description="applied, agreed, refused or suspended.")]
    waiting: Annotated[str, Meta(description="Who has yet to sign.")]


class Permits(Message, frozen=True):
    """Permits at the data sets that this member keeps, signs for or asks."""

    permits: Annotated[tuple[PermitLine, ...], Meta(description="In order of their ids.")]


class ShowBudget(Message, frozen=True):
    """Whose budget."""

    custodian: Annotated[str, Meta(description="The custodian; this member if empty.", examples=["north-hospital"])] = (
        ""
    )


class PermitSpent(Message, frozen=True):
    """What one permit spent at one data set."""

    permit: Annotated[str, Meta(description="The permit, hexadecimal.")]
    data_set: Annotated[str, Meta(description="The data set, hexadecimal.")]
    used: Annotated[int, Meta(description="Reserved or spent, micro-rho.")]
    left: Annotated[int, Meta(description="What is left of it, micro-rho.")]
    epsilon: Annotated[float, Meta(description="Epsilon of what is used, at delta 1e-6.")]


class Budget(Message, frozen=True):
    """A custodian's privacy budget in the present period: one for all data sets, studies and analysts."""

    pool: Annotated[int, Meta(description="All there is, micro-rho.")]
    free: Annotated[int, Meta(description="Neither reserved nor spent.")]
    reserved: Annotated[int, Meta(description="For questions registered and not begun.")]
    spent: Annotated[int, Meta(description="By questions begun, for good.")]
    epsilon: Annotated[float, Meta(description="Epsilon of what is spent, at delta 1e-6.")]
    permits: Annotated[tuple[PermitSpent, ...], Meta(description="By permit and data set.")]


def data_set_row(state: View, id_: bytes) -> port.DataSet:
    """Return a data set. Raises NotFound."""
    row = port.data_set(state, id_)
    if row is None:
        raise NotFound(
            "research.no-data-set", "the ledger has no such data set", got=id_.hex(), todo="see `salus research offers`"
        )
    return row


def permit_row(state: View, id_: bytes) -> port.Permit:
    """Return a permit. Raises NotFound."""
    row = port.permit(state, id_)
    if row is None:
        raise NotFound(
            "research.no-permit", "the ledger has no such permit", got=id_.hex(), todo="see `salus research permits`"
        )
    return row


@use_case("research.offer", who=OPERATOR)
def offer_data(node: MemberNode, request: OfferData) -> DataOffered:
    """Offer one's records to research. What a data set may be used for never changes: other terms are another one."""
    data_set = node.entropy(16)
    try:
        ways = tuple(sorted({port.Way(way) for way in request.ways}))
    except ValueError:
        raise Malformed("research.way", "no such way out", expected="exact, extract, noisy") from None
    offer = port.Offer(
        data_set=data_set,
        terms=digest("salus/v1/research-terms", request.terms),
        policy=policy_of(request.policy),
        basis=port.Basis.CONSENT if request.by_consent else port.Basis.NO_OBJECTION,
        ways=ways,
        smallest=request.smallest,
        permit_rho=request.permit_rho,
        co_signers=tuple(sorted({*request.co_signers})),
    )
    node.submitter.submit(offer)
    return DataOffered(data_set=data_set.hex())


@use_case("research.offers", who=OPERATOR)
def list_offers(node: MemberNode, request: ListOffers) -> Offers:  # noqa: ARG001 -- a use case
    """List the data sets of all members."""
    lines = tuple(
        OfferLine(
            data_set=id_.hex(),
            custodian=row.custodian,
            policy=" ".join(tokens_of(row.policy)),
            ways=" ".join(row.ways),
            basis="consent" if row.basis is port.Basis.CONSENT else "no objection",
            smallest=row.smallest,
            uses=row.uses,
        )
        for id_, row in node.ledger.read().range(port.DATA_SETS)
    )
    return Offers(offers=lines)


@use_case("research.apply", who=OPERATOR)
def apply_for_permit(node: MemberNode, request: ApplyForPermit) -> PermitApplied:
    """Ask for a permit. A study that does not fit a data set is refused by every node, by the class that does not fit."""
    permit, state = node.entropy(16), node.ledger.read()
    purpose = port.Purpose(
        investigations=tuple(sorted({code_of(one) for one in request.investigations})),
        diseases=tuple(sorted({*request.diseases})),
        non_profit=not request.for_profit,
        commercial=request.commercial,
        duties=tuple(sorted({code_of(one) for one in request.duties})),
        months=max(1, -(-request.days // 30)),
        publishes=node.ledger_time() + request.days * DAY_MS,
    )
    ids = tuple(sorted(bytes.fromhex(one) for one in request.data_sets))
    ethics = digest("salus/v1/research-ethics", request.ethics) if request.ethics else b""
    ends = node.ledger_time() + request.days * DAY_MS
    node.submitter.submit(port.Apply(permit, ids, purpose, request.summary, ends, ethics, request.records))
    duties = {code for id_ in ids for code in data_set_row(state, id_).policy.modifiers} & {*port.DUTIES}
    return PermitApplied(permit=permit.hex(), duties=tuple(port.name_of(code) for code in sorted(duties)))


@use_case("research.decide", who=OPERATOR)
def decide_permit(node: MemberNode, request: DecidePermit) -> PermitDecided:
    """Agree to a permit at a data set, or refuse it: the custodian's part, or that of a data-access body."""
    permit, data_set = bytes.fromhex(request.permit), bytes.fromhex(request.data_set)
    node.submitter.submit(port.Refuse(permit, data_set) if request.refuse else port.Sign(permit, data_set))
    state = node.ledger.read()
    part = port.permit_part(state, permit, data_set)
    if part is None:
        raise NotFound("research.no-permit", "the permit does not ask for this data set", got=request.permit)
    return PermitDecided(status=part.status.name.lower(), waiting=_waiting(data_set_row(state, data_set), part))


def _waiting(offer: port.DataSet, part: port.Part) -> tuple[str, ...]:
    needed = part.status is port.PermitStatus.APPLIED
    return tuple(sorted({offer.custodian, *offer.co_signers} - {*part.signed})) if needed else ()


@use_case("research.permits", who=OPERATOR)
def list_permits(node: MemberNode, request: ListPermits) -> Permits:  # noqa: ARG001 -- a use case
    """List permits at the data sets that this member keeps, signs for or asks."""
    state, lines = node.ledger.read(), []
    for id_, row in state.range(port.PERMITS):
        for data_set in row.data_sets:
            offer, part = data_set_row(state, data_set), port.permit_part(state, id_, data_set)
            if part is None or node.member not in {row.applicant, offer.custodian, *offer.co_signers}:
                continue
            lines.append(
                PermitLine(
                    permit=id_.hex(),
                    data_set=data_set.hex(),
                    custodian=offer.custodian,
                    institution=row.applicant,
                    study=row.summary,
                    until=moment(row.ends),
                    records=row.records,
                    status=part.status.name.lower(),
                    waiting=" ".join(_waiting(offer, part)),
                )
            )
    return Permits(permits=tuple(lines))


@use_case("research.budget", who=OPERATOR)
def show_budget(node: MemberNode, request: ShowBudget) -> Budget:
    """Show a custodian's privacy budget, and what each permit spent of it. A person known to several counts at each."""
    state, custodian = node.ledger.read(), request.custodian or node.member
    pool = port.pool(state, custodian, node.ledger_time())
    spent = []
    for id_, row in state.range(port.PERMITS):
        for data_set in row.data_sets:
            offer, part = data_set_row(state, data_set), port.permit_part(state, id_, data_set)
            if part is not None and offer.custodian == custodian:
                spent.append(
                    PermitSpent(
                        permit=id_.hex(),
                        data_set=data_set.hex(),
                        used=part.used,
                        left=offer.permit_rho - part.used,
                        epsilon=round(accounting.epsilon(part.used, DELTA), 4),
                    )
                )
    return Budget(
        pool=pool.pool,
        free=pool.free,
        reserved=pool.reserved,
        spent=pool.spent,
        epsilon=round(accounting.epsilon(pool.spent, DELTA), 4),
        permits=tuple(spent),
    )
