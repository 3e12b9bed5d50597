"""`research replay`: a bundle held against a trust file alone, everything that was decided decided anew.

1. the file is whole; 2. every step stands on the ledger, in the order of the log; 3. the publication commits to the content;
4. the question opens to the document, way, sensitivity and charge are those of the document; 5. each data set was offered for
this way, the study fits it, and everybody had signed before the question was registered; 6. every custodian that answered had
begun before; 7. the answers open what was committed, or the vectors are signed and lead along Newton's path; 8. the figures are
those of the result: noisy ones exactly, estimates within 1e-9.
"""

import hashlib
import itertools
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from salus.agreements.research.document import Query, QueryRefused, read
from salus.agreements.research.errors import MalformedVector, NoFit
from salus.contracts.membership.port import Keys, Member
from salus.contracts.research import port
from salus.core.encoding import MalformedBytes, Value, decode
from salus.core.proof import ed25519, trust
from salus.core.proof.errors import Unproven
from salus.core.proof.receipt import Receipt
from salus.node.errors import Conflict, EdgeError, Malformed, NotFound
from salus.node.patient.proof import check_member, check_receipt
from salus.node.research import evidence
from salus.node.research.answering import equipped
from salus.node.research.asking import noisy_lines
from salus.node.research.bundle import Content, File, Item
from salus.node.research.relaying import Rounds, estimate
from salus.node.research.rounds import answer_commitment, signed_bytes
from salus.node.research.wire import answer_commitment as noisy_commitment
from salus.node.research.wire import commitment, sensitivity_of, way_of
from salus.node.usecase import OPERATOR, Message, Node, use_case

NEAR: Final = 1e-9
DIGEST: Final = 32
MAX_BUNDLE: Final = 64 << 20
V = TypeVar("V", bound=Value)


class ReplayBundle(Message, frozen=True):
    """A bundle, and what the reader believes of the ledger."""

    bundle: Annotated[bytes, Meta(description="The bundle's file.", examples=[b"bundle"], extra={"positional": True})]
    trust: Annotated[bytes, Meta(description="The network's trust file.", examples=[b"{}"])]
    data: Annotated[str, Meta(description="Also ask the same of FHIR files in this folder.", examples=["fhir"])] = ""


class BundleReplayed(Message, frozen=True):
    """The bundle holds. What does not is refused, and says where."""

    citation: Annotated[str, Meta(description="SHA-256 of the content.")]
    title: Annotated[str, Meta(description="What the question calls itself.")]
    way: Annotated[str, Meta(description="noisy or exact.")]
    custodians: Annotated[tuple[str, ...], Meta(description="Who answered.")]
    charge: Annotated[int, Meta(description="What it cost at each data set, micro-rho.")]
    steps: Annotated[int, Meta(description="Steps proven on the ledger.")]
    lines: Annotated[tuple[dict[str, Any], ...], Meta(description="The figures, as made again.")]
    own: Annotated[tuple[dict[str, Any], ...], Meta(description="Exact figures of one's own files, for comparison.")]


class _Told(NamedTuple):
    """A step as proven."""

    place: int
    submitter: str
    key: bytes
    message: Any


def broken(what: str) -> Conflict:
    """Return the refusal of a bundle that does not hold."""
    return Conflict("research.bundle", what, todo="do not rely on this result")


def decoded(data: bytes, kind: type[V]) -> V:
    """Return a part of a bundle. Raises Malformed."""
    try:
        return decode(data, kind)
    except MalformedBytes:
        raise Malformed("research.bundle", "the file is no bundle") from None


@use_case("research.replay", who=OPERATOR)
def replay_bundle(node: Node, request: ReplayBundle) -> BundleReplayed:  # noqa: ARG001 -- a use case's shape
    """Replay a published result offline: proofs, permit, match, charge, sums, figures. Nothing of the analyst is believed."""
    equipped()
    try:
        believed = trust.Trust.from_json(request.trust)
    except Unproven as error:
        raise Malformed("research.trust", "this is no trust file", got=str(error)) from None
    file, content, citation = opened(request.bundle)
    told = [_proven(believed, item) for item in content.items]
    query, register = _question(content, told)
    if register.message.way is port.Way.EXTRACT:
        raise broken("an extract is no figure that can be replayed")
    _published(_proven(believed, file.publication), told, register, citation)
    offers = _permitted(believed, content, told, register)
    answered = _answered(told, register, offers)
    lines = _lines(content, query, register, answered)
    return BundleReplayed(
        citation=citation.hex(),
        title=query.title,
        way=register.message.way.value,
        custodians=tuple(one.submitter for one in answered.values()),
        charge=_charge(register.message),
        steps=len(told) + 1,
        lines=tuple(lines),
        own=tuple(_own(query, request.data)) if request.data else (),
    )


def opened(bundle: bytes) -> tuple[File, Content, bytes]:
    """Return a bundle's file, its content, and the digest of that, by which it is cited. Raises Conflict, Malformed."""
    whole, seal = bundle[:-DIGEST], bundle[-DIGEST:]
    if len(bundle) > MAX_BUNDLE or hashlib.sha256(whole).digest() != seal:
        raise broken("the file is damaged: its digest is another")
    file = decoded(whole, File)
    return file, decoded(file.content, Content), hashlib.sha256(file.content).digest()


def _proven(believed: trust.Trust, item: Item) -> _Told:
    """Return a step that the ledger holds, applied, under the trust file. Raises Conflict."""
    try:
        leaf = check_receipt(believed, hashlib.sha256(item.body).digest(), item.receipt)
        found = evidence.message_of(item.body)
        index = Receipt.decode(item.receipt).index
    except (EdgeError, Unproven, MalformedBytes) as error:
        raise broken(f"a step is not proven: {error}") from None
    if found is None or leaf.code != 0 or found[0].network != believed.network:
        raise broken("a step is none of research, was rejected, or is of another network")
    return _Told(index, found[0].submitter, found[0].submitter_key, found[1])


def _only(told: list[_Told], kind: type[Any], field: str, value: bytes) -> _Told:
    """Return the one step of a kind whose field has a value. Raises Conflict."""
    found = [one for one in told if isinstance(one.message, kind) and getattr(one.message, field) == value]
    if len(found) != 1:
        raise broken(f"{len(found)} steps where one is expected")
    return found[0]


def _question(content: Content, told: list[_Told]) -> tuple[Query, _Told]:
    if any(left.place >= right.place for left, right in itertools.pairwise(told)):
        raise broken("the steps are not in the order of the log")
    question = content.question
    register = _only(told, port.Register, "query", question.query)
    if commitment(question.salt, question.document) != register.message.commitment:
        raise broken("the document is not the one that was registered")
    try:
        query = read(question.document)
    except QueryRefused as wrong:
        raise broken(str(wrong)) from None
    if (register.message.way, register.message.sensitivity) != (way_of(query), sensitivity_of(query)):
        raise broken("way or sensitivity are not those of the document")
    return query, register


def _charge(register: port.Register) -> int:
    return port.charge(register.sensitivity, register.variance) if register.way is port.Way.NOISY else 0


def _published(publication: _Told, told: list[_Told], register: _Told, citation: bytes) -> None:
    if publication.message != port.Publish(register.message.query, citation):
        raise broken("the publication is of another content")
    if publication.submitter != register.submitter or publication.place <= told[-1].place:
        raise broken("the publication is another member's, or came before the answers")


def _permitted(believed: trust.Trust, content: Content, told: list[_Told], register: _Told) -> dict[bytes, _Told]:
    """Return the offers of the data sets asked, each of which the study fits and whose signatures are all there."""
    asked = register.message
    apply = _only(told, port.Apply, "permit", asked.permit)
    if apply.submitter != register.submitter or not {*asked.data_sets} <= {*apply.message.data_sets}:
        raise broken("the permit is another member's, or of other data sets")
    who = port.Applicant(
        apply.submitter,
        _jurisdiction(believed, content, apply.submitter),
        asked.permit,
        len(apply.message.ethics) == DIGEST,
    )
    offers = {}
    for data_set in asked.data_sets:
        offer = _only(told, port.Offer, "data_set", data_set)
        misfits = port.match(offer.message.policy, apply.message.purpose, who).misfits
        if misfits or asked.way not in offer.message.ways:
            raise broken("the study does not fit a data set, or the way was not offered")
        before = [one for one in told if one.place < register.place]
        signed = {one.submitter for one in before if one.message == port.Sign(asked.permit, data_set)}
        refused = any(one.message == port.Refuse(asked.permit, data_set) for one in before)
        if refused or not {offer.submitter, *offer.message.co_signers} <= signed:
            raise broken("the permit had not been signed by everybody")
        offers[data_set] = offer
    return offers


def _jurisdiction(believed: trust.Trust, content: Content, applicant: str) -> str:
    proof = content.applicant
    try:
        keys, _ = decode(proof.keys, Keys), decode(proof.member, Member)
        return check_member(believed, applicant, keys.signing_key, keys.receive_key, proof).jurisdiction
    except (EdgeError, MalformedBytes, Unproven) as error:
        raise broken(f"the analyst's member row is not proven: {error}") from None


def _answered(told: list[_Told], register: _Told, offers: dict[bytes, _Told]) -> dict[bytes, _Told]:
    """Return the answers by data set; each is the custodian's, after its begin, after the registration."""
    found = {}
    for one in told:
        if not isinstance(one.message, port.Answer):
            continue
        data_set, query = one.message.data_set, register.message.query
        begin = _only(told, port.Begin, "data_set", data_set)
        owner = offers[data_set].submitter if data_set in offers else ""
        if {one.submitter, begin.submitter} != {owner} or {one.message.query, begin.message.query} != {query}:
            raise broken("a step is another custodian's, or of another question")
        if not register.place < begin.place < one.place:
            raise broken("an answer came before its begin, or a begin before the registration")
        found[data_set] = one
    if not found:
        raise broken("nobody answered")
    return found


def _lines(content: Content, query: Query, register: _Told, answered: dict[bytes, _Told]) -> list[dict[str, Any]]:
    told = msgspec.json.decode(content.lines)
    if register.message.way is port.Way.NOISY:
        if {one.data_set for one in content.answers} != {*answered}:
            raise broken("the answers are not those on the ledger")
        for one in content.answers:
            if noisy_commitment(one.values, one.salt) != answered[one.data_set].message.answer:
                raise broken("an answer is not the one that was committed")
        lines = _noisy(content, query, register)
        if msgspec.json.decode(msgspec.json.encode(lines)) != told:
            raise broken("the figures are not those of the answers")
        return lines
    lines = _exact(content, query, answered)
    if len(lines) != len(told) or not all(_near(mine, theirs) for mine, theirs in zip(lines, told, strict=True)):
        raise broken("the estimates are not those of the vectors")
    return lines


def _noisy(content: Content, query: Query, register: _Told) -> list[dict[str, Any]]:
    smallest = 0
    for item in content.items:
        found = evidence.message_of(item.body)
        if found is not None and isinstance(found[1], port.Offer):
            smallest = max(smallest, found[1].smallest)
    return [dict(line) for line in noisy_lines(query, register.message, list(content.answers), smallest)]


def _near(mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    if {*mine} | {"custodians"} != {*theirs}:
        return False
    return all(_close(value, theirs[name]) for name, value in mine.items())


def _close(mine: object, theirs: Any) -> bool:
    if isinstance(mine, list):
        return len(mine) == len(theirs) and all(_close(*pair) for pair in zip(mine, theirs, strict=True))
    if isinstance(mine, float):
        return bool(abs(mine - theirs) <= NEAR * max(1.0, abs(mine)))
    return bool(mine == theirs)


def _exact(content: Content, query: Query, answered: dict[bytes, _Told]) -> list[dict[str, Any]]:
    """Return the estimates of the masked vectors: signed, committed to, and added up along Newton's path."""
    import numpy as np  # noqa: PLC0415 -- the extra may not be installed

    from salus.agreements.research import models, scaling  # noqa: PLC0415 -- the same
    from salus.agreements.research.rounds import total_of  # noqa: PLC0415 -- the same

    shown = decoded(content.rounds, Rounds)
    model = scaling.model_of(query)
    if {*shown.data_sets} != {*answered} or model is None or not shown.rounds:
        raise broken("the vectors are not those of the custodians that answered")
    for place, data_set in enumerate(shown.data_sets):
        mine = [one.vectors[place] for one in shown.rounds if len(one.vectors) == len(shown.data_sets)]
        if answer_commitment([one.unmasked for one in mine]) != answered[data_set].message.answer:
            raise broken("the vectors are not those that a custodian committed to")
    terms = scaling.terms(query, model)
    path = models.path(len(terms))
    next(path)
    for turn, one in enumerate(shown.rounds):
        for data_set, vector in zip(shown.data_sets, one.vectors, strict=True):
            signed = signed_bytes(content.question.query, shown.attempt, turn, vector)
            if vector.data_set != data_set or not ed25519.verify(answered[data_set].key, signed, vector.signature):
                raise broken("a vector is not signed by its custodian")
        words = {each.data_set.hex(): np.frombuffer(each.vector, dtype="<u8").astype(np.uint64) for each in one.vectors}
        try:
            sums = total_of(words, len(terms))
            path.send(sums)
        except StopIteration as end:
            if turn != len(shown.rounds) - 1:
                raise broken("there are vectors beyond the end of the path") from None
            return estimate(query, end.value, sums, terms)
        except (MalformedVector, NoFit, ValueError) as wrong:
            raise broken(str(wrong)) from None
    raise broken("the vectors do not lead to an estimate")


def _own(query: Query, folder: str) -> list[dict[str, Any]]:
    from salus.node.research import alone, figures  # noqa: PLC0415 -- the extra may not be installed

    if not Path(folder).is_dir():
        raise NotFound("research.input", "the folder is not there")
    try:
        return [dict(line) for line in figures.figures(figures.frame(query, alone.resources(Path(folder))))]
    except (QueryRefused, NoFit) as wrong:
        raise Malformed("research.figures", str(wrong)) from None
