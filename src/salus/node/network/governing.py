"""`network propose-…`, `proposals`, `vote`, `rotate-keys`, `new-keys`, `move`: how members decide, and what is each one's own affair."""

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, structs

from salus.contracts.membership.port import (
    BALLOTS,
    PROPOSALS,
    Act,
    ActivateRules,
    Admit,
    Move,
    Parameters,
    Propose,
    Reinstate,
    Remove,
    ReplaceKeys,
    RotateKeys,
    SetParameters,
    SetValidators,
    Suspend,
    Vote,
    expired,
    member,
    needed,
    parameters,
    possession_bytes,
    proposals,
)
from salus.contracts.readable import from_readable, to_readable
from salus.contracts.registry import REGISTRY
from salus.core.encoding import MalformedBytes, decode, encode
from salus.core.errors import InvariantBroken
from salus.core.tables import View
from salus.node.errors import Conflict, Malformed, Unavailable
from salus.node.member import MemberNode
from salus.node.names import GRANT_EXAMPLE, GRANT_PATTERN
from salus.node.network.founding import CARD as CARD_PREFIX
from salus.node.network.founding import Card, MakeCard, candidate_of, read_card
from salus.node.opening import KEYSTORE, NEXT_KEYSTORE, passphrase
from salus.node.records.charts import moment
from salus.node.usecase import OPERATOR, Message, use_case
from salus.vault.keystore import Keys, load_keystore, save_keystore

COSIGN_SECONDS: Final = 10.0
ENGINE_SECONDS: Final = 60.0  # an engine starts in seconds; an idle chain makes a block every ten
MEMBER = Annotated[
    str,
    Meta(
        pattern="^[a-z][a-z0-9-]{1,31}$",
        description="Id of the member.",
        examples=["hospital-b"],
        extra={"positional": True},
    ),
]
CARD = Annotated[
    str,
    Meta(
        max_length=20_000,
        description="The member's card, as its own `salus network card` prints it.",
        examples=["salus-member:lw"],
        extra={"positional": True},
    ),
]


class ProposeAdmit(Message, frozen=True):
    """Who is to be admitted, under the agreement in force."""

    card: CARD


class ProposeSuspend(Message, frozen=True):
    """Who is to be suspended."""

    member: MEMBER


class ProposeReinstate(Message, frozen=True):
    """Whose suspension is to end."""

    member: MEMBER


class ProposeRemove(Message, frozen=True):
    """Who is to be removed for good."""

    member: MEMBER


class ProposeReplaceKeys(Message, frozen=True):
    """Whose keys are to be replaced: a member that lost its own, or of whom a thief has them, makes a new card."""

    card: CARD


class ValidatorLine(Message, frozen=True):
    """A validator as it is to stand."""

    member: Annotated[str, Meta(description="Id of an active member.", examples=["hospital-b"])]
    consensus_key: Annotated[
        str,
        Meta(pattern=GRANT_PATTERN, description="Its Ed25519 key in the consensus engine.", examples=[GRANT_EXAMPLE]),
    ]
    power: Annotated[int, Meta(ge=0, le=1_000_000, description="Its weight; 0 ends its part.", examples=[10])]


class ProposeValidators(Message, frozen=True):
    """Who is to order transactions."""

    changes: Annotated[
        tuple[ValidatorLine, ...],
        Meta(
            min_length=1,
            max_length=128,
            description="Those that change.",
            examples=[[{"member": "hospital-b", "consensus_key": GRANT_EXAMPLE, "power": 10}]],
        ),
    ]


class ProposeParameters(Message, frozen=True):
    """Which parameters are to change."""

    changes: Annotated[
        dict[str, Any],
        Meta(
            min_length=1,
            description="New values by name, as docs/reference/messages.md lists them; the rest stays.",
            examples=[{"anchor_tick": 1000}],
        ),
    ]


class ProposeRules(Message, frozen=True):
    """Which rule version is to hold from when."""

    version: Annotated[int, Meta(ge=1, description="The rule version.", examples=[2])]
    height: Annotated[int, Meta(ge=1, description="First block under it.", examples=[120000])]


class Proposed(Message, frozen=True):
    """A proposal, with this member's ballot for it."""

    proposal: Annotated[str, Meta(description="Its id, hexadecimal.")]
    status: Annotated[str, Meta(description="open, passed or failed.")]
    approve: Annotated[int, Meta(description="Ballots for it so far.")]
    needed: Annotated[int, Meta(description="Ballots for it that are enough.")]


class ListProposals(Message, frozen=True):
    """Which proposals."""

    all: Annotated[bool, Meta(description="Decided ones too.", examples=[True])] = False


class ProposalLine(Message, frozen=True):
    """A proposal."""

    proposal: Annotated[str, Meta(description="Its id, hexadecimal.")]
    act: Annotated[str, Meta(description="What is proposed.")]
    proposer: Annotated[str, Meta(description="Who proposed it.")]
    status: Annotated[str, Meta(description="open, passed, failed, or expired when its time was over.")]
    closes: Annotated[str, Meta(description="The last moment at which a ballot counts, UTC.")]
    approve: Annotated[int, Meta(description="Ballots for it.")]
    reject: Annotated[int, Meta(description="Ballots against it.")]
    needed: Annotated[int, Meta(description="Ballots for it that are enough.")]
    voted: Annotated[bool, Meta(description="Whether this member has voted.")]
    detail: Annotated[str, Meta(description="The act in full, as JSON.")]


class Proposals(Message, frozen=True):
    """What members vote on."""

    proposals: Annotated[tuple[ProposalLine, ...], Meta(description="The oldest first.")]


class CastVote(Message, frozen=True):
    """A ballot of this member."""

    proposal: Annotated[
        str,
        Meta(
            pattern=GRANT_PATTERN,
            description="Id of the proposal.",
            examples=[GRANT_EXAMPLE],
            extra={"positional": True},
        ),
    ]
    approve: Annotated[bool, Meta(description="For it, or against.", examples=[True])]


class Rotate(Message, frozen=True):
    """Asks for nothing more."""


class Rotated(Message, frozen=True):
    """The new keys are in force."""

    signing_key: Annotated[str, Meta(description="The new Ed25519 key, hexadecimal.")]
    height: Annotated[int, Meta(description="Block from which it holds.")]


class NewKeys(Message, frozen=True):
    """Asks for nothing more."""


class MoveNode(Message, frozen=True):
    """Where this member's node answers from now on."""

    endpoint: Annotated[
        str,
        Meta(
            max_length=256,
            pattern="^(https://[!-~]+)?$",
            description="An https URL, or empty while it has none.",
            examples=["https://salus.north.example"],
            extra={"positional": True},
        ),
    ]


class Moved(Message, frozen=True):
    """It stands on the ledger."""

    height: Annotated[int, Meta(description="Block that holds it.")]


@use_case("network.propose-admit", who=OPERATOR)
def propose_admit(node: MemberNode, request: ProposeAdmit) -> Proposed:
    """Propose to admit an organisation from its card, under the consortium's agreement in force."""
    return _propose(node, Admit(read_card(request.card), parameters(node.ledger.read()).agreement))


@use_case("network.propose-suspend", who=OPERATOR)
def propose_suspend(node: MemberNode, request: ProposeSuspend) -> Proposed:
    """Propose to suspend a member: it may not submit, vote, cosign or order until reinstated."""
    return _propose(node, Suspend(request.member))


@use_case("network.propose-reinstate", who=OPERATOR)
def propose_reinstate(node: MemberNode, request: ProposeReinstate) -> Proposed:
    """Propose to end a member's suspension."""
    return _propose(node, Reinstate(request.member))


@use_case("network.propose-remove", who=OPERATOR)
def propose_remove(node: MemberNode, request: ProposeRemove) -> Proposed:
    """Propose to remove a member for good. What it signed stays provable."""
    return _propose(node, Remove(request.member))


@use_case("network.propose-replace-keys", who=OPERATOR)
def propose_replace_keys(node: MemberNode, request: ProposeReplaceKeys) -> Proposed:
    """Propose new keys for a member that lost its own, or of whom a thief has them, from a new card of it."""
    card = read_card(request.card)
    return _propose(node, ReplaceKeys(card.id, card.signing_key, card.receive_key, card.possession))


@use_case("network.propose-validators", who=OPERATOR)
def propose_validators(node: MemberNode, request: ProposeValidators) -> Proposed:
    """Propose who orders transactions."""
    changes = sorted(request.changes, key=lambda one: one.member)
    told = {"type": "set-validators", "changes": [msgspec.to_builtins(one) for one in changes]}
    return _propose(node, _read(told, SetValidators))


@use_case("network.propose-parameters", who=OPERATOR)
def propose_parameters(node: MemberNode, request: ProposeParameters) -> Proposed:
    """Propose other parameters of the network; those that are not named stay."""
    now = to_readable(parameters(node.ledger.read()))
    return _propose(node, SetParameters(_read({**now, **request.changes}, Parameters)))


@use_case("network.propose-rules", who=OPERATOR)
def propose_rules(node: MemberNode, request: ProposeRules) -> Proposed:
    """Propose from which block a rule version holds. A program without it stops cleanly before."""
    return _propose(node, ActivateRules(request.version, request.height))


@use_case("network.proposals", who=OPERATOR)
def list_proposals(node: MemberNode, request: ListProposals) -> Proposals:
    """List the proposals that are open, with the ballots so far."""
    state, now = node.ledger.read(), node.ledger_time()
    lines = []
    for id_, proposal in sorted(proposals(state), key=lambda pair: pair[1].opened):
        over = expired(proposal, now)
        if not request.all and (over or proposal.status.value != "open"):
            continue
        ballots = _ballots(state, id_)
        lines.append(
            ProposalLine(
                proposal=id_.hex(),
                act=str(type(proposal.act).__struct_config__.tag),
                proposer=proposal.proposer,
                status="expired" if over else proposal.status.value,
                closes=moment(proposal.closes),
                approve=sum(ballots.values()),
                reject=len(ballots) - sum(ballots.values()),
                needed=needed(state, proposal.act),
                voted=node.member in ballots,
                detail=json.dumps(to_readable(proposal.act)),
            )
        )
    return Proposals(proposals=tuple(lines))


@use_case("network.vote", who=OPERATOR)
def vote(node: MemberNode, request: CastVote) -> Proposed:
    """Cast this member's one ballot. The ballot that makes the count decisive carries out the act."""
    id_ = bytes.fromhex(request.proposal)
    proposal = node.ledger.read().get(PROPOSALS, id_)
    if request.approve and proposal is not None:
        _able(proposal.act)
    node.submitter.submit(Vote(id_, request.approve))
    return _status(node, id_)


@use_case("network.rotate-keys", who=OPERATOR)
def rotate_keys(node: MemberNode, request: Rotate) -> Rotated:  # noqa: ARG001 -- a use case
    """Exchange this member's own keys. Stop the node first: it signs with the old ones.

    The new keys are durable beside the old before the ledger hears of them; whichever the ledger has in force is what
    the next start takes.
    """
    folder, new = Path(node.config.data), _next_keys(node)
    _await_engine(node)
    signing = new.signing_key()
    public, receive = signing.public_key().public_bytes_raw(), new.receive_key().public
    node.cosigning.hold(public, signing.sign)
    possession = signing.sign(possession_bytes(node.member, public, receive))
    outcome = node.submitter.submit(RotateKeys(public, receive, possession))
    _await_signed(node, outcome.height or 0)
    (folder / NEXT_KEYSTORE).replace(folder / KEYSTORE)
    return Rotated(signing_key=public.hex(), height=outcome.height or 0)


@use_case("network.new-keys", who=OPERATOR)
def make_new_keys(node: MemberNode, request: NewKeys) -> Card:  # noqa: ARG001 -- a use case
    """Make new keys for a member whose keys a thief has, or has exchanged, and the card that the others vote on. Stop the node first.

    The old key signs nothing for it: the others propose the card (`salus network propose-replace-keys`). Vault and records
    stay as they are. The start after the vote takes the new keys; until then the same card is told again.
    """
    row = member(node.ledger.read(), node.member)
    if row is None:
        raise InvariantBroken("a node of no member")
    about = MakeCard(name=row.name, roles=row.roles, jurisdiction=row.jurisdiction, endpoint=row.endpoint)
    made = candidate_of(_next_keys(node), about)
    return Card(card=CARD_PREFIX + encode(made).hex(), signing_key=made.signing_key.hex())


def _next_keys(node: MemberNode) -> Keys:
    """Return the keys that follow the member's own, durable beside them. Raises Conflict."""
    if node.ticking:
        raise Conflict("network.running", "the node is running with the keys", todo="stop `salus serve` first")
    folder, old = Path(node.config.data), node.keys
    if not (folder / KEYSTORE).exists():
        raise Conflict("network.credential", "the keys come from systemd", todo="rotate where the keystore is")
    if (folder / NEXT_KEYSTORE).exists():  # the others may be voting on them
        return load_keystore(folder / NEXT_KEYSTORE, passphrase(node.config))
    new = structs.replace(old, sign=node.entropy(32), receive=node.entropy(32), retired=(old.receive, *old.retired))
    save_keystore(folder / NEXT_KEYSTORE, new, passphrase(node.config), entropy=os.urandom)
    return new


def _await_signed(node: MemberNode, height: int) -> None:
    """Wait until the old key has signed who follows it: the next start hands that on to the others. Raises Unavailable."""
    end = time.monotonic() + COSIGN_SECONDS
    while node.cosigning.book.height < height:
        if time.monotonic() > end:
            raise Unavailable(
                "network.unsigned", "the succession was not signed", todo="start the node: it has both keys"
            )
        time.sleep(0.05)


def _await_engine(node: MemberNode) -> None:
    """Wait until the engine that was started with the node hears blocks. Raises Unavailable."""
    end = time.monotonic() + ENGINE_SECONDS
    while not node.ledger.reachable:
        if time.monotonic() > end:
            raise Unavailable("ledger.unreachable", "no block was heard of", todo="see that the others run; try again")
        time.sleep(0.1)


@use_case("network.move", who=OPERATOR)
def move(node: MemberNode, request: MoveNode) -> Moved:
    """Say on the ledger where this member's node answers from now on."""
    outcome = node.submitter.submit(Move(request.endpoint))
    return Moved(height=outcome.height or 0)


def _propose(node: MemberNode, act: Act) -> Proposed:
    _able(act)
    message = Propose(act)
    try:
        decode(encode(message), Propose)
    except MalformedBytes as error:
        raise Malformed(
            "network.act", "the act does not fit", got=str(error), todo="see docs/reference/messages.md"
        ) from error
    return _status(node, node.submitter.submit(message).tx_id)


def _status(node: MemberNode, id_: bytes) -> Proposed:
    state = node.ledger.read()
    row = state.get(PROPOSALS, id_)
    if row is None:
        raise InvariantBroken("a proposal that was accepted is not there")
    return Proposed(
        proposal=id_.hex(),
        status=row.status.value,
        approve=sum(_ballots(state, id_).values()),
        needed=needed(state, row.act),
    )


def _ballots(state: View, proposal: bytes) -> dict[str, bool]:
    """Return who has voted for a proposal, and who against it."""
    return {key[len(proposal) :].decode("ascii"): row.approve for key, row in state.range(BALLOTS, proposal)}


def _able(act: Act) -> None:
    """Refuse to help to power a rule version that this program lacks: it would stop there. Raises Conflict."""
    if isinstance(act, ActivateRules) and act.version not in REGISTRY.versions:
        raise Conflict(
            "network.rules",
            "this program has no such rule version, and would stop at its first block",
            expected=f"one of {', '.join(map(str, sorted(REGISTRY.versions)))}",
            got=str(act.version),
            todo="upgrade the program here first; every member must before that block",
        )


def _read(told: Any, kind: type[Any]) -> Any:
    """Return what readable JSON says. Raises Malformed."""
    try:
        return from_readable(told, kind)
    except MalformedBytes as error:
        raise Malformed(
            "network.act", "the act does not fit", got=str(error), todo="see docs/reference/messages.md"
        ) from error
