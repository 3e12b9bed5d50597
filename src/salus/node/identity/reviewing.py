"""`identity list`, `show`, `decide`, `undo`, `compare`: the queue of doubtful matches, and what people make of it."""

from typing import Annotated, Literal

from msgspec import Meta

from salus.index.search_scope import Scope
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.identity.comparing import NOBODY, description, likeness
from salus.node.member import MemberNode
from salus.node.names import LINK_EXAMPLE, LINK_PATTERN
from salus.node.pairs import Pair, in_standing, pair_id, pair_of, settle
from salus.node.pairs import note as note_pair
from salus.node.reading import journal_own, own_scope, require_purpose
from salus.node.records.charts import PURPOSE, moment
from salus.node.usecase import Caller, Message, person, use_case

PAIR = Annotated[
    str,
    Meta(
        pattern=LINK_PATTERN,
        description="The pair, hexadecimal.",
        examples=[LINK_EXAMPLE],
        extra={"positional": True},
    ),
]
REASON = Annotated[
    str,
    Meta(min_length=1, max_length=500, description="Why, for whoever looks later.", examples=["same passport shown"]),
]


class ListPairs(Message, frozen=True):
    """Which pairs."""

    standing: Annotated[
        Literal["waiting", "same", "different"], Meta(description="What was found.", examples=["waiting"])
    ] = "waiting"
    limit: Annotated[int, Meta(ge=1, le=1000, description="Pairs at most.", examples=[100])] = 100
    purpose: PURPOSE = "HOPERAT"


class Evidence(Message, frozen=True):
    """What one field says."""

    field: Annotated[str, Meta(description="The field.")]
    says: Annotated[str, Meta(description="same, near or different.")]
    weight: Annotated[int, Meta(description="Its weight, tenths of a bit.")]


class PairLine(Message, frozen=True):
    """Two links, without who they are."""

    pair: Annotated[str, Meta(description="The pair, hexadecimal.")]
    one: Annotated[str, Meta(description="A link, hexadecimal.")]
    other: Annotated[str, Meta(description="Another link, hexadecimal.")]
    standing: Annotated[str, Meta(description="waiting, same or different.")]
    score: Annotated[int, Meta(description="Evidence that they are one person, tenths of a bit.")]
    evidence: Annotated[tuple[Evidence, ...], Meta(description="What makes the score.")]


class PairList(Message, frozen=True):
    """Pairs, the likeliest first."""

    pairs: Annotated[tuple[PairLine, ...], Meta(description="The pairs.")]


class ShowPair(Message, frozen=True):
    """Which pair."""

    pair: PAIR
    purpose: PURPOSE = "HOPERAT"


class Side(Message, frozen=True):
    """One of the two, as it is compared."""

    link: Annotated[str, Meta(description="Its link, hexadecimal.")]
    name: Annotated[str, Meta(description="Name for display; empty where the records are closed.")]
    names: Annotated[tuple[str, ...], Meta(description="Family names, then given names.")]
    birth_date: Annotated[str, Meta(description="Date of birth as written.")]
    gender: Annotated[str, Meta(description="Administrative gender.")]
    identifiers: Annotated[tuple[str, ...], Meta(description="Identifiers, as SYSTEM|VALUE.")]
    contacts: Annotated[tuple[str, ...], Meta(description="Telephone numbers (last nine figures), e-mail, addresses.")]


class Decided(Message, frozen=True):
    """One decision."""

    standing: Annotated[str, Meta(description="waiting, same or different.")]
    by: Annotated[str, Meta(description="Subject of the person, `operator`, or `rule`.")]
    reason: Annotated[str, Meta(description="Why.")]
    at: Annotated[str, Meta(description="When, UTC.")]


class PairShown(Message, frozen=True):
    """A pair explained."""

    line: Annotated[PairLine, Meta(description="What it is and what makes its score.")]
    sides: Annotated[tuple[Side, ...], Meta(description="The two.")]
    decisions: Annotated[tuple[Decided, ...], Meta(description="Oldest first.")]
    party: Annotated[tuple[str, ...], Meta(description="All links joined with the first of them, itself included.")]


STOOD = Annotated[
    Literal["", "waiting", "same", "different"],
    Meta(
        description="How the pair stood when it was looked at: refused where somebody decided it since; empty: not asked.",
        examples=["waiting"],
    ),
]


class Decide(Message, frozen=True):
    """Which pair is what."""

    pair: PAIR
    standing: Annotated[Literal["same", "different"], Meta(description="One patient, or two.", examples=["same"])]
    reason: REASON
    stood: STOOD = ""
    purpose: PURPOSE = "HOPERAT"


class Undo(Message, frozen=True):
    """Which decision to take back."""

    pair: PAIR
    reason: REASON
    stood: STOOD = ""
    purpose: PURPOSE = "HOPERAT"


class Compare(Message, frozen=True):
    """Which two links."""

    one: Annotated[str, Meta(pattern=LINK_PATTERN, description="A patient's link.", examples=[LINK_EXAMPLE])]
    other: Annotated[str, Meta(pattern=LINK_PATTERN, description="Another one.", examples=["ff" * 16])]
    purpose: PURPOSE = "HOPERAT"


@use_case("identity.list", who=person("registrar"))
def list_pairs(node: MemberNode, request: ListPairs, *, caller: Caller) -> PairList:
    """List pairs of links that wait for a decision, or that were found to be of one patient or of two."""
    require_purpose(caller, request.purpose)
    scope = own_scope(node, caller, request.purpose)
    found = sorted(in_standing(node, request.standing), key=lambda one: (-one.score, one.id))
    lines: list[PairLine] = []
    for one in found:
        if len(lines) == request.limit:
            break
        if _in_scope(node, scope, one):
            lines.append(_line(one))
    return PairList(pairs=tuple(lines))


@use_case("identity.show", who=person("registrar"))
def show(node: MemberNode, request: ShowPair, *, caller: Caller) -> PairShown:
    """Show two patients side by side, what speaks for and against their being one, and what was decided.

    Journalled in both patients' logs before it is shown.
    """
    return _shown(node, _seen(node, request.pair, caller, request.purpose), caller, request.purpose)


@use_case("identity.decide", who=person("registrar"))
def decide(node: MemberNode, request: Decide, *, caller: Caller) -> PairLine:
    """Say that two links are of one patient, or of two. Joined, their charts are shown as one, and denials of consent rule both.

    Refused where it contradicts another decision. Nothing is moved; `identity undo` takes it back.
    """
    with node.identifying:
        pair = _seen(node, request.pair, caller, request.purpose)
        _as_looked_at(pair, request.stood, request.standing)
        return _line(settle(node, pair, request.standing, _who(caller), request.reason))


@use_case("identity.undo", who=person("registrar"))
def undo(node: MemberNode, request: Undo, *, caller: Caller) -> PairLine:
    """Take a decision back, whoever or whatever made it: the pair waits again, and no rule decides it any more."""
    with node.identifying:
        pair = _seen(node, request.pair, caller, request.purpose)
        _as_looked_at(pair, request.stood, "waiting")
        return _line(settle(node, pair, "waiting", _who(caller), request.reason))


@use_case("identity.compare", who=person("registrar"))
def compare(node: MemberNode, request: Compare, *, caller: Caller) -> PairShown:
    """Compare two links that no match has found, and keep the pair for a decision. Journalled in both patients' logs."""
    require_purpose(caller, request.purpose)
    one, other = bytes.fromhex(request.one), bytes.fromhex(request.other)
    if one == other:
        raise Malformed("identity.one", "it is the same link twice", expected="two links")
    scope = own_scope(node, caller, request.purpose)
    if not all(node.index.search.patients(scope, link) for link in (one, other)):
        raise NotFound("link.unknown", "no patient has this link here", todo="see `salus records find`")
    with node.identifying:
        note_pair(node, (one, other), likeness(node, one, other), asked=True)
    return _shown(node, pair_of(node, pair_id(one, other)), caller, request.purpose)


def _seen(node: MemberNode, id_: str, caller: Caller, purpose: str) -> Pair:
    """Return a pair of which the caller may see both patients. Raises NotFound, as for one that is not there."""
    require_purpose(caller, purpose)
    pair = pair_of(node, bytes.fromhex(id_))
    if not _in_scope(node, own_scope(node, caller, purpose), pair):
        raise NotFound("identity.unknown", "there is no such pair", todo="see `salus identity list`")
    return pair


def _as_looked_at(pair: Pair, stood: str, asked: str) -> None:
    """Refuse what was decided on a view that no longer holds; that it stands so already is told by `settle`. Raises Conflict."""
    if stood and pair.standing not in {stood, asked}:
        raise Conflict(
            "identity.meanwhile",
            "somebody has decided it meanwhile",
            expected=stood,
            got=pair.standing,
            todo="look again",
        )


def _in_scope(node: MemberNode, scope: Scope, pair: Pair) -> bool:
    return all(node.index.search.patients(scope, link) for link in (pair.one, pair.other))


def _who(caller: Caller) -> str:
    return caller.subject or "operator"


def _line(pair: Pair) -> PairLine:
    return PairLine(
        pair=pair.id.hex(),
        one=pair.one.hex(),
        other=pair.other.hex(),
        standing=pair.standing,
        score=pair.score,
        evidence=tuple(Evidence(field=field, says=says, weight=weight) for field, says, weight in pair.reasons),
    )


def _shown(node: MemberNode, pair: Pair, caller: Caller, purpose: str) -> PairShown:
    for link in (pair.one, pair.other):
        journal_own(node, caller, link, purpose=purpose, action="identity", what=("Patient 1",))
    return PairShown(
        line=_line(pair),
        sides=tuple(_side(node, link) for link in (pair.one, pair.other)),
        decisions=tuple(
            Decided(standing=turn.standing, by=turn.by, reason=turn.reason, at=moment(turn.at)) for turn in pair.turns
        ),
        party=tuple(link.hex() for link in node.index.joined_with(pair.one)),
    )


def _side(node: MemberNode, link: bytes) -> Side:
    patient = node.index.likely.of_link(link)
    if patient is None:
        raise NotFound("identity.unknown", "there is no such pair", todo="see `salus identity list`")
    told = description(node, patient)
    name = "" if told is None else node.index.likely.name(patient)
    told = told or NOBODY
    return Side(
        link=link.hex(),
        name=name,
        names=(*sorted(told.families), *sorted(told.givens)),
        birth_date=told.birth_date,
        gender=told.gender,
        identifiers=tuple(sorted(f"{system}|{value}" for system, value in told.identifiers)),
        contacts=(
            *sorted(told.phones),
            *sorted(told.emails),
            *sorted(f"{code} {street}" for code, street in told.addresses),
        ),
    )
