"""`research audit`: whether those whom a custodian counted had chosen it, from leaves that a later block draws.

A begin commits to those counted before the block after it exists, and the digest of that block draws points of the map. The
custodian shows where the way to each point ends: nothing, or one leaf, which it opens to the choice behind it. The auditor
holds proof and choice against its own replica. It learns those choices' terms, and neither who chose nor how many did.
"""

from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from salus.agreements.grants import GrantRefused, check_document
from salus.agreements.research import population
from salus.contracts.consent import port as consent
from salus.contracts.membership import port as membership
from salus.contracts.research import port
from salus.core.encoding import MalformedBytes, Value, decode
from salus.core.proof import statemap
from salus.core.proof.errors import Unproven
from salus.core.proof.statemap import MapProof
from salus.engines.errors import NotKept
from salus.node.errors import Conflict, Forbidden, Malformed
from salus.node.member import MemberNode
from salus.node.research import choices, evidence
from salus.node.research.answering import QueryId
from salus.node.research.permits import ID, ID_EXAMPLE, data_set_row, permit_row
from salus.node.research.wire import Choice, held, query_row
from salus.node.usecase import OPERATOR, Message, Verdict, use_case

PATH: Final = "/exchange/research-audit"
POINTS: Final = 32
"""Drawn for each question, the same for every auditor: asking again opens no more."""


class Draw(Value, frozen=True):
    """Open the leaves that the block after a begin draws."""

    query: bytes
    data_set: bytes
    height: int
    """A block that the auditor has seen, after the begin's."""


class Leaf(Value, frozen=True):
    """Where the way to a point ends, and what is committed there."""

    siblings: tuple[bytes, ...]
    found: tuple[bytes, bytes] | None
    """(path, value) of the leaf at the end, or nothing."""
    salt: bytes = b""
    choice: bytes = b""
    """Grant id of the choice, or 32 zero bytes: nobody objected."""
    document: bytes = b""
    document_salt: bytes = b""
    digests: tuple[bytes, ...] = ()
    """The choice's document with what opens the grant's commitment; empty where nobody objected, or after an erasure."""


class Drawn(Value, frozen=True):
    """One leaf for each point."""

    leaves: tuple[Leaf, ...]


class AuditPopulation(Message, frozen=True):
    """A question at one custodian."""

    query: QueryId
    data_set: Annotated[str, Meta(pattern=ID, description="Its data set, hexadecimal.", examples=[ID_EXAMPLE])]


class PopulationAudited(Verdict, frozen=True):
    """What the leaves say."""

    custodian: Annotated[str, Meta(description="Who counted.")]
    block: Annotated[int, Meta(description="Height of the block that drew the points.")]
    points: Annotated[int, Meta(description="How many were drawn.")]
    leaves: Annotated[int, Meta(description="Different leaves that they ended at, all opened.")]
    choices: Annotated[int, Meta(description="Of them, resting on a choice that held and fits the study.")]
    erased: Annotated[
        int,
        Meta(
            description="Of them, resting on a choice that held and whose terms were erased with the person's records."
        ),
    ]
    unobjected: Annotated[int, Meta(description="Of them, resting on no objection, where the offer allows it.")]
    faults: Annotated[tuple[str, ...], Meta(description="What does not hold, by the number of its point.")]


class _Begun(NamedTuple):
    """A begin, as the ledger has it."""

    row: port.Query
    offer: port.DataSet
    root: bytes
    height: int


def points(block: bytes, query: bytes, data_set: bytes) -> list[bytes]:
    """Return the points that a block's digest (32 bytes) draws in the map of a question at a data set."""
    return [population.drawn(block, query, data_set, number) for number in range(POINTS)]


def answer(node: MemberNode, sender: str, body: bytes) -> Drawn:
    """Open the drawn leaves to an auditor: who co-signs the data set's permits, or a regulator. Raises EdgeError."""
    try:
        asked = decode(body, Draw)
    except MalformedBytes as error:
        raise Malformed("research.bytes", "the question does not decode", got=str(error)) from error
    node.wait_for(asked.height)
    begun = _begun(node, asked.query, asked.data_set)
    require_auditor(node, sender, begun.offer)
    kept = held(node, asked.query, asked.data_set)
    people = population.Population(dict(kept.leaves))
    paths = {path: one for (path, _), one in zip(kept.leaves, kept.counted, strict=True)}
    leaves = []
    for point in points(_drawing(node, begun.height), asked.query, asked.data_set):
        proof = people.prove(point)
        leaf = Leaf(proof.siblings, proof.found)
        if proof.found is not None:
            one = paths[proof.found[0]]
            leaf = msgspec.structs.replace(leaf, salt=population.salt_of(kept.salt, one.link), choice=one.choice)
            for _, told in node.desk.research("choice", one.link + one.choice):
                shown = decode(told, Choice).shown
                leaf = msgspec.structs.replace(
                    leaf, document=shown.document, document_salt=shown.document_salt, digests=shown.digests
                )
        leaves.append(leaf)
    return Drawn(tuple(leaves))


def require_auditor(node: MemberNode, sender: str, offer: port.DataSet) -> None:
    """Check that a member may audit an own data set: it co-signs its permits, or is a regulator. Raises Forbidden."""
    auditor = membership.member(node.ledger.read(), sender)
    regulator = auditor is not None and membership.Role.REGULATOR in auditor.roles
    if offer.custodian != node.member or not (regulator or sender in offer.co_signers):
        raise Forbidden("research.auditor", "this is opened to who co-signs the data set's permits, and to regulators")


@use_case("research.audit", who=OPERATOR)
def audit_population(node: MemberNode, request: AuditPopulation) -> PopulationAudited:
    """Hold leaves of a question's population, drawn by the block after its begin, against choices on the ledger.

    For who co-signs the data set's permits, and for regulators.
    """
    query, data_set = bytes.fromhex(request.query), bytes.fromhex(request.data_set)
    begun = _begun(node, query, data_set)
    drawing = points(_drawing(node, begun.height), query, data_set)
    question = Draw(query, data_set, node.ledger.head().height)
    told = node.peers.ask(begun.offer.custodian, PATH, question, Drawn)
    faults: list[str] = []
    seen: dict[bytes, Leaf] = {}
    if len(told.leaves) != len(drawing):
        faults.append("the custodian does not answer for every point")
    for number, (point, leaf) in enumerate(zip(drawing, told.leaves, strict=False)):
        fault = _fault(node, begun, point, leaf)
        if fault:
            faults.append(f"point {number}: {fault}")
        elif leaf.found is not None:
            seen[leaf.found[0]] = leaf
    free = sum(leaf.choice == choices.NO_CHOICE for leaf in seen.values())
    erased = sum(leaf.choice != choices.NO_CHOICE and not leaf.document for leaf in seen.values())
    return PopulationAudited(
        sound=not faults,
        custodian=begun.offer.custodian,
        block=begun.height + 1,
        points=len(drawing),
        leaves=len(seen),
        choices=len(seen) - free - erased,
        erased=erased,
        unobjected=free,
        faults=tuple(faults),
    )


def _begun(node: MemberNode, query: bytes, data_set: bytes) -> _Begun:
    """Return the begin of a question at a data set. Raises NotFound, Conflict."""
    row, state = query_row(node, query), node.ledger.read()
    offer, part = data_set_row(state, data_set), port.query_part(state, query, data_set)
    for step in evidence.steps(node, row.height, 0 if part is None else part.height):
        told = step.message
        if isinstance(told, port.Begin) and (told.query, told.data_set) == (query, data_set):
            return _Begun(row, offer, told.population, step.height)
    raise Conflict("research.not-begun", "the question was not begun there", got=data_set.hex())


def _drawing(node: MemberNode, begun: int) -> bytes:
    try:
        return node.ledger.store.header(begun + 1).app_hash
    except NotKept:
        raise Conflict(
            "research.draw", "no block follows the begin, or it is not kept here", todo="ask again later"
        ) from None


def _fault(node: MemberNode, begun: _Begun, point: bytes, leaf: Leaf) -> str:
    """Return what does not hold of a leaf, or an empty text."""
    try:
        statemap.verify(MapProof(leaf.siblings, leaf.found), point, begun.root)
    except Unproven:
        return "the proof does not lead to the root of the begin"
    if leaf.found is None:
        return ""
    if leaf.found[1] != population.value(leaf.salt, leaf.choice):
        return "the leaf does not open to a choice"
    if leaf.choice == choices.NO_CHOICE:
        free = begun.offer.basis is port.Basis.NO_OBJECTION and begun.row.way is not port.Way.EXTRACT
        return "" if free else "somebody was counted without a choice"
    return _choice_fault(node, begun, leaf)


def _choice_fault(node: MemberNode, begun: _Begun, leaf: Leaf) -> str:
    row = consent.granted(node.ledger.read(), leaf.choice)
    if row is None:
        return "the ledger has no such choice"
    heights = (begun.row.height, begun.height)
    try:
        times = [(node.ledger.read(one), node.ledger.store.header(one).time) for one in heights]
    except NotKept:
        return "this replica does not keep the blocks of registration and begin"
    if not all(consent.live(then, leaf.choice, time) for then, time in times):
        return "the choice did not hold at registration and begin"
    return _terms_fault(node, begun, leaf, row.commitment) if leaf.document else ""


def _terms_fault(node: MemberNode, begun: _Begun, leaf: Leaf, commitment: bytes) -> str:
    try:
        document = check_document(
            leaf.document,
            leaf.document_salt,
            leaf.digests,
            network=node.network,
            grantee=choices.NOBODY,
            commitment=commitment,
        )
    except GrantRefused as error:
        return f"the choice's terms do not open: {error.code}"
    permit = permit_row(node.ledger.read(), begun.row.permit)
    study = choices.Study(begun.offer, begun.row.permit, permit, begun.row.way.value, begun.row.height)
    if document.purposes != (choices.PURPOSE,) or choices.misfit(node, study, document.obligations):
        return "the choice does not fit the study"
    return ""
