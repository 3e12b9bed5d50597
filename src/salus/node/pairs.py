"""Pairs of links that may be of one patient, and the parties that those found to be the same form.

    waiting ──person──> same | different        same | different ──undo──> waiting
    (none)  ──rule────> same                    same by rule ──evidence gone──> waiting

Joined links are shown in one chart, and what a consent denies under one of them it denies under all. Nothing is moved: each
record stays under its link, its wallet and its grants, so that undoing is forgetting. A "same" that would put a pair found
"different" into one party is refused, and so is a "different" of two links that others hold together.
"""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from salus.core.encoding import decode, encode
from salus.core.proof.digest import digest
from salus.interop.fhir.matching import DOUBTFUL, Likeness
from salus.node.errors import Conflict, NotFound
from salus.node.member import MemberNode

Standing = Literal["waiting", "same", "different"]
RULE: Final = "rule"
"""Who decided where nobody did: one assigner's identifier, the same birth date, and nothing that speaks against it."""


class Turn(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One decision. by: subject of the person, `operator`, or `rule`. at: Unix ms."""

    standing: str
    by: str
    reason: str
    at: int


class Pair(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is known of two links. one < other. score: tenths of a bit. reasons: (field, what it says, weight)."""

    one: bytes
    other: bytes
    score: int
    reasons: tuple[tuple[str, str, int], ...]
    certain: bool
    standing: Standing
    turns: tuple[Turn, ...] = ()

    @property
    def id(self) -> bytes:
        """Its id, 16 bytes: the same for the same links."""
        return pair_id(self.one, self.other)

    @property
    def by_person(self) -> bool:
        """Whether a person has ever decided it: then no rule does any more."""
        return any(turn.by != RULE for turn in self.turns)


def pair_id(one: bytes, other: bytes) -> bytes:
    """Return the id of two links' pair, in whichever order."""
    return digest("salus/v1/identity-pair", min(one, other), max(one, other))[:16]


def waiting(node: MemberNode) -> list[Pair]:
    """Return the pairs that a person must decide, the likeliest first."""
    return sorted(in_standing(node, "waiting"), key=lambda one: (-one.score, one.id))


def in_standing(node: MemberNode, standing: Standing) -> list[Pair]:
    """Return the pairs in a standing, in order of ids."""
    return [decode(body, Pair) for body in node.desk.pairs(standing)]


def pair_of(node: MemberNode, id_: bytes) -> Pair:
    """Return a pair. Raises NotFound."""
    body = node.desk.pair(id_)
    if body is None:
        raise NotFound("identity.unknown", "there is no such pair", todo="see `salus identity list`")
    return decode(body, Pair)


def joined_with(node: MemberNode, link: bytes) -> list[bytes]:
    """Return the links of a link's patient: itself first, then those joined with it."""
    return node.index.joined_with(link)


def parties(same: Iterable[Pair]) -> list[tuple[bytes, ...]]:
    """Return the components of pairs found the same, each ascending, in order of their first links."""
    leader: dict[bytes, bytes] = {}

    def lead(link: bytes) -> bytes:
        while (up := leader.setdefault(link, link)) != link:
            link = leader[link] = leader[up]
        return link

    for pair in same:
        first, second = sorted((lead(pair.one), lead(pair.other)))
        leader[second] = first
    found: dict[bytes, list[bytes]] = {}
    for link in sorted(leader):
        found.setdefault(lead(link), []).append(link)
    return sorted(tuple(party) for party in found.values())


def note(node: MemberNode, links: tuple[bytes, bytes], likeness: Likeness, *, asked: bool = False) -> Standing | None:
    """Keep what a comparison of two links says and what follows by rule; return a new standing, None without.

    asked: a person asks for it; it is kept however unlikely it is. A person's decision stands whatever the evidence; the evidence is kept up with. The caller holds `identifying`
    and tells the index.
    """
    one, other = sorted(links)
    body = node.desk.pair(pair_id(one, other))
    known = None if body is None else decode(body, Pair)
    told = Pair(one, other, likeness.score, likeness.reasons, likeness.certain, "waiting")
    if known is None:
        if not (asked or likeness.certain or doubtful(likeness)):
            return None
        _keep(node, _by_rule(node, told))
        return pair_of(node, told.id).standing
    told = msgspec.structs.replace(told, standing=known.standing, turns=known.turns)
    if known.by_person:
        _keep(node, told)
        return None
    if known.standing == "same" and not likeness.certain:
        turn = Turn("waiting", RULE, "the evidence has changed", node.now())
        told = msgspec.structs.replace(told, standing="waiting", turns=(*known.turns, turn))
    elif known.standing == "waiting" and not (asked or doubtful(likeness)):
        node.desk.drop_pair(told.id)
        return None
    else:
        told = _by_rule(node, told)
    _keep(node, told)
    return told.standing if told.standing != known.standing else None


def doubtful(likeness: Likeness) -> bool:
    """Tell whether a person looks at it: likely enough, or an identifier is shared though something speaks against it."""
    return likeness.score >= DOUBTFUL or any(
        (field, says) == ("identifier", "same") for field, says, _ in likeness.reasons
    )


def settle(node: MemberNode, pair: Pair, standing: Standing, by: str, reason: str) -> Pair:
    """Decide a pair, or put it back to wait. Raises Conflict; then nothing has changed. The caller holds `identifying`."""
    if pair.standing == standing:
        raise Conflict("identity.decided", "the pair stands so already", got=standing)
    if standing == "same" and (apart := _apart(node, pair)) is not None:
        raise Conflict(
            "identity.apart",
            "it would join two links that were found to be of different patients",
            got=apart.id.hex(),
            todo="look at that pair; `salus identity undo` puts it back to wait",
        )
    if standing == "different" and _together(node, pair):
        raise Conflict(
            "identity.together", "other pairs hold these links together", todo="undo one of those between them first"
        )
    turn = Turn(standing, by, reason, node.now())
    told = msgspec.structs.replace(pair, standing=standing, turns=(*pair.turns, turn))
    _keep(node, told)
    tell_index(node)
    return told


def forget(node: MemberNode, link: bytes) -> None:
    """Forget every pair of a link whose records are erased."""
    with node.identifying:
        node.desk.drop_pairs(link)
        tell_index(node)


def tell_index(node: MemberNode) -> None:
    """Tell the index which links are joined: after each decision, and when the node opens. From then on it is so everywhere.

    Charts and consents follow the index alone, which takes both up in one commit.
    """
    node.index.join(parties(in_standing(node, "same")))


def _by_rule(node: MemberNode, pair: Pair) -> Pair:
    """Return a pair that waits as the rule settles it: the same where it is certain, unless it was found otherwise."""
    if not pair.certain or pair.standing == "same" or _apart(node, pair) is not None:
        return pair
    turn = Turn("same", RULE, "the same identifier of one assigner, and nothing speaks against it", node.now())
    return msgspec.structs.replace(pair, standing="same", turns=(*pair.turns, turn))


def _apart(node: MemberNode, pair: Pair) -> Pair | None:
    """Return a pair found different that "same" of this one would put into one party."""
    apart = [one for one in in_standing(node, "different") if one.id != pair.id]
    if not apart:
        return None
    others = [one for one in in_standing(node, "same") if one.id != pair.id]
    party = next(set(party) for party in parties([*others, pair]) if pair.one in party)
    return next((one for one in apart if {one.one, one.other} <= party), None)


def _together(node: MemberNode, pair: Pair) -> bool:
    others = [one for one in in_standing(node, "same") if one.id != pair.id]
    return any({pair.one, pair.other} <= set(party) for party in parties(others))


def _keep(node: MemberNode, pair: Pair) -> None:
    node.desk.keep_pair(pair.id, (pair.one, pair.other), pair.standing, encode(pair))
