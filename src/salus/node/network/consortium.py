"""`network share`, `assemble`, `hand-over`, `begin`: a consortium over machines, new or from an embedded ledger that goes on.

Every key is made on the node that owns it. What travels are shares (an engine's public keys and address, signed by its
member) and one founding file, the same for all: CometBFT's genesis, and where the engines meet.
"""

import itertools
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from salus.contracts.membership.port import Genesis, Parameters, ValidatorChange, key_at, validators
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.errors import Rejected
from salus.core.proof.digest import digest, framed
from salus.core.proof.ed25519 import verify
from salus.engines.cometbft.home import Peer, genesis_json, made_keys, write_genesis, write_peers
from salus.engines.embedded import found
from salus.node.config import Config
from salus.node.errors import Conflict, Forbidden, Malformed, NotFound, Refused
from salus.node.member import MemberNode
from salus.node.network.cometbft import has_engine, home_of
from salus.node.network.founding import RULES, agreement_digest, drop_ledger, new_store, read_card
from salus.node.network.founding import made_keys as made_member_keys
from salus.node.opening import KERNEL, Unfounded, keys_of
from salus.node.usecase import OPERATOR, Message, Node, use_case
from salus.vault.enrolment import Signed

BFT_MEMBERS: Final = 4  # fewer cannot outvote one that lies
POWER: Final = 10
SHARE: Final = "salus-share:"
LABEL: Final = "salus/v1/engine-share"
FORMAT: Final = "salus/v1/founding"
EXAMPLE: Final = "salus-share:lw"
SHARES = Annotated[
    tuple[str, ...],
    Meta(
        min_length=1, description="The validators' shares, as `salus network share` prints them.", examples=[[EXAMPLE]]
    ),
]


class Share(Value, frozen=True):
    """A member's engine, as others meet it; signed with the member's key under `LABEL`."""

    format: int
    member: str
    consensus_key: bytes
    node_id: str
    address: str
    """host:port of the engine."""


class Founding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The founding file, JSON."""

    format: str
    genesis: dict[str, Any]
    peers: dict[str, str]
    """Member → id@host:port of its engine."""

    @property
    def document(self) -> bytes:
        """The ledger's genesis document."""
        return bytes.fromhex(self.genesis["app_state"]["document"])

    @property
    def height(self) -> int:
        """The last block that another engine ordered; 0: the founding itself."""
        return int(self.genesis["initial_height"]) - 1

    @property
    def app_hash(self) -> bytes:
        """The ledger's digest there; nothing for a new one."""
        return bytes.fromhex(self.genesis["app_state"]["app_hash"])

    @property
    def time(self) -> int:
        """Time of CometBFT's first block, Unix ms."""
        return round(datetime.fromisoformat(self.genesis["genesis_time"]).timestamp() * 1000)

    def encode(self) -> bytes:
        """Return the file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1)


class MakeShare(Message, frozen=True):
    """Where the engine will be met."""

    address: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9.\-\[\]:]{1,255}:[0-9]{1,5}$",
            description="host:port at which other members' engines reach this one.",
            examples=["salus.north.example:26656"],
        ),
    ]


class MadeShare(Message, frozen=True):
    """A member's public share."""

    share: Annotated[str, Meta(description="The share: give it to whoever assembles the founding.")]
    consensus_key: Annotated[str, Meta(description="Ed25519 key of its votes, hexadecimal, for a vote on validators.")]


class Assemble(Message, frozen=True):
    """What to found, and by whom."""

    network: Annotated[
        str,
        Meta(
            pattern="^[a-z][a-z0-9-]{1,49}$",
            description="The network's name: lower-case letters, digits, hyphens.",
            examples=["lake-county"],
        ),
    ]
    cards: Annotated[
        tuple[str, ...], Meta(min_length=1, description="Cards of all founders.", examples=[["salus-member:lw"]])
    ]
    shares: SHARES
    agreement: Annotated[
        str,
        Meta(
            description="The agreement that all founders signed, as a file; its digest is founded.",
            examples=["agreement.pdf"],
        ),
    ] = ""


class Assembled(Message, frozen=True):
    """The founding, the same for every member."""

    founding: Annotated[bytes, Meta(description="The file for `salus network begin`.")]
    network: Annotated[str, Meta(description="Network id, hexadecimal: read it to each other.")]
    tolerated: Annotated[int, Meta(description="How many members may lie or be down without harm to the others.")]


class HandOver(Message, frozen=True):
    """Who orders from now on: the validators that the members voted for."""

    shares: SHARES


class HandedOver(Message, frozen=True):
    """From here on this node orders no more by itself."""

    founding: Annotated[bytes, Meta(description="The file for `salus network begin` at every other member.")]
    height: Annotated[int, Meta(description="The last block that this node ordered.")]
    digest: Annotated[str, Meta(description="The ledger's digest there, hexadecimal.")]


class Begin(Message, frozen=True):
    """What all begin from."""

    founding: Annotated[
        bytes, Meta(description="The founding file, from `salus network assemble` or `hand-over`.", examples=[b"{}"])
    ]


class Begun(Message, frozen=True):
    """The engine's folder is ready: `salus serve` next."""

    network: Annotated[str, Meta(description="Network id, hexadecimal: compare it with the others'.")]
    height: Annotated[int, Meta(description="Block after which CometBFT orders.")]
    validates: Annotated[bool, Meta(description="Whether this member has a vote in it.")]
    members: Annotated[
        tuple[str, ...], Meta(description="Who founded the ledger: all that you expect, and nobody else.")
    ]


@use_case("network.share", who=OPERATOR)
def share(node: Node, request: MakeShare) -> MadeShare:
    """Make this member's engine keys, if it has none, and its public share.

    The keys stay here, in the engine's folder; the share holds the public ones, signed with the member's key.
    """
    keys = made_member_keys(node) if isinstance(node, Unfounded) else keys_of(node.config)
    engine = made_keys(home_of(node.config))
    data = encode(Share(1, keys.member, engine.consensus_key, engine.node_id, request.address))
    signed = Signed(data, keys.signing_key().sign(framed(LABEL, (data,))))
    return MadeShare(share=SHARE + encode(signed).hex(), consensus_key=engine.consensus_key.hex())


@use_case("network.assemble", who=OPERATOR)
def assemble_network(node: Node, request: Assemble) -> Assembled:
    """Put the founders' cards and shares together to the founding of a consortium.

    Whoever shares validates; the other founders run full nodes without a vote. Any founder may assemble: each sees in
    `begin` that its own keys stand in it, and all compare the network id.
    """
    founders = sorted((read_card(text) for text in request.cards), key=lambda one: one.id)
    twice = sorted({one.id for one, after in itertools.pairwise(founders) if one.id == after.id})
    if twice:
        raise Conflict(
            "network.same-id",
            "two cards are of one member",
            expected="an id of its own on each card",
            got=", ".join(twice),
            todo="each member sets `member` in its configuration, and makes its card again in a new data folder",
        )
    shares = [_held(text, {one.id: one.signing_key for one in founders}) for text in request.shares]
    if len({one.member for one in shares}) < BFT_MEMBERS:
        raise Conflict(
            "network.few",
            "too few to outvote one that lies",
            expected=f"shares of {BFT_MEMBERS} members",
            got=str(len(shares)),
            todo="found a ledger that one member orders: `salus network found`",
        )
    now = node.now()
    document = encode(
        Genesis(
            format=1,
            name=request.network,
            time=now,
            rules=RULES,
            parameters=Parameters(agreement=agreement_digest(request.network, request.agreement)),
            members=tuple(founders),
            validators=tuple(
                ValidatorChange(one.member, one.consensus_key, POWER)
                for one in sorted(shares, key=lambda one: one.member)
            ),
        )
    )
    genesis = genesis_json(document, chain_id=request.network, time=now + 1, validators=[])
    made = Founding(FORMAT, genesis, _peers(shares))
    network = digest("salus/v1/network", document).hex()
    return Assembled(founding=made.encode(), network=network, tolerated=(len(shares) - 1) // 3)


@use_case("network.hand-over", who=OPERATOR)
def hand_over(node: MemberNode, request: HandOver) -> HandedOver:
    """Let the ledger that this node orders go on under CometBFT, ordered by the validators that the members voted for.

    Before: every member makes a share, and a ballot sets the validators (`propose-validators`). Stop `salus serve` here,
    hand over, give the founding to all; each stops, begins from it, and serves again. Every receipt stays valid.
    """
    _at_rest(node)
    if node.config.ledger.owner:
        raise Conflict(
            "network.owner",
            "another member orders this ledger",
            got=node.config.ledger.owner,
            todo="it hands over; begin here from the file that it gives you",
        )
    state, head = node.ledger.read(), node.ledger.head()
    voted = {member: row.consensus_key for member, row in validators(state) if row.power}
    keys = {member: row.signing_key for member in voted if (row := key_at(state, member)) is not None}
    shares = {one.member: one for one in (_held(text, keys) for text in request.shares)}
    missing = [member for member in voted if member not in shares]
    if len(voted) < BFT_MEMBERS or missing:
        raise Conflict(
            "network.few",
            "the ledger has too few validators, or the share of one is missing",
            expected=f"{BFT_MEMBERS} validators and a share of each",
            got=f"{len(voted)} validators, no share of {', '.join(missing) or 'none'}",
            todo="vote on `salus network propose-validators` first",
        )
    for member, one in shares.items():
        if voted.get(member) != one.consensus_key:
            raise Forbidden(
                "network.share",
                "a share names another key than the members voted for",
                got=member,
                todo="ask it for its share of today, or vote on `salus network propose-validators` again",
            )
    genesis = genesis_json(
        node.ledger.store.document,
        chain_id=decode(node.ledger.store.document, Genesis).name,
        time=max(node.now(), head.time + 1),
        validators=[],
        initial_height=head.height + 1,
        app_hash=head.app_hash,
    )
    made = Founding(FORMAT, genesis, _peers(shares.values()))
    _install(node.config, made)
    return HandedOver(founding=made.encode(), height=head.height, digest=head.app_hash.hex())


@use_case("network.begin", who=OPERATOR)
def begin(node: Node, request: Begin) -> Begun:
    """Begin from a founding file: a new consortium, or one in which a ledger followed so far goes on.

    Refuses a founding that names other keys for this member than it has, or another ledger than it followed.
    """
    try:
        founding = msgspec.json.decode(request.founding, type=Founding)
        told = (founding.format, founding.document, founding.height, founding.app_hash, founding.time)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise Malformed("network.founding", "this is no founding file", todo="take it over whole") from error
    if told[0] != FORMAT:
        raise Malformed(
            "network.founding", "the founding is of another format", expected=FORMAT, todo="use one version of Salus"
        )
    engine = made_keys(home_of(node.config))
    here = founding.peers.get(node.config.member, "")
    if here and here.partition("@")[0] != engine.node_id:
        raise Forbidden("network.share", "the founding names another engine for this member", todo="share again")
    if isinstance(node, MemberNode):
        _compare(node, founding)
        voted = {row.consensus_key for _, row in validators(node.ledger.read()) if row.power}
    elif isinstance(node, Unfounded):
        voted = _found(node.config, founding)
    else:
        raise Conflict("node.stage", "there is no data folder to begin in", todo="run `salus network card` first")
    _install(node.config, founding)
    return Begun(
        network=digest("salus/v1/network", founding.document).hex(),
        height=founding.height,
        validates=engine.consensus_key in voted,
        members=tuple(one.id for one in decode(founding.document, Genesis).members),
    )


def _found(config: Config, founding: Founding) -> set[bytes]:
    """Found the ledger of a new consortium; return the validators' keys. Raises Forbidden without our own card."""
    if founding.height:
        raise NotFound(
            "network.replica",
            "there is no replica here of the ledger that goes on",
            todo="follow it first (`salus network join`), or join the consortium by an invitation",
        )
    keys, folder = keys_of(config), Path(config.data)
    try:
        genesis = decode(founding.document, Genesis)
    except MalformedBytes as error:
        raise Malformed(
            "network.founding", "the founding holds no genesis document", todo="take it over whole"
        ) from error
    ours = [one.signing_key for one in genesis.members if one.id == config.member]
    if ours != [keys.signing_key().public_key().public_bytes_raw()]:
        raise Forbidden(
            "network.card",
            "the founding does not hold this member's own card",
            expected=f"{config.member} with the key of {config.data}",
            got=", ".join(one.id for one in genesis.members),
            todo="give whoever assembles the card that `salus network card` prints here, and begin from the new file",
        )
    store = new_store(folder)
    try:
        # The first block has the genesis time itself, and block time must rise.
        found(store, KERNEL, founding.document, founding.time - 1)
    except (Rejected, MalformedBytes) as error:
        drop_ledger(folder)
        if isinstance(error, Rejected):
            raise Refused(error) from error
        raise Malformed(
            "network.founding", "the ledger cannot be founded like this", got=str(error), todo="assemble it again"
        ) from error
    finally:
        store.close()
    return {one.consensus_key for one in genesis.validators if one.power}


def _compare(node: MemberNode, founding: Founding) -> None:
    """Check that the own replica ends exactly where the founding says that the ledger goes on."""
    _at_rest(node)
    node.wait_for(founding.height)
    head = node.ledger.head()
    if node.ledger.store.document != founding.document or head.height < founding.height:
        raise Forbidden(
            "network.other-ledger",
            "the founding is of another ledger than the one here",
            todo="begin in a data folder of its own, or ask for the right file",
        )
    if node.ledger.store.header(founding.height).app_hash != founding.app_hash:
        raise Forbidden(
            "network.other-ledger",
            "the founding has another history than the replica here",
            got=f"height {founding.height}",
            todo="do not begin; call the others: somebody rewrote history",
        )
    if head.height > founding.height:
        raise Conflict(
            "network.beyond",
            "the replica here is beyond that block already",
            expected=str(founding.height),
            got=str(head.height),
            todo="move the ledger's folder away and join by an invitation",
        )


def _at_rest(node: MemberNode) -> None:
    if node.ticking:
        raise Conflict("network.running", "the node is running", todo="stop `salus serve` first")
    if has_engine(node.config):
        raise Conflict("network.engine", "CometBFT orders this ledger already", todo="run `salus serve`")


def _held(text: str, keys: dict[str, bytes]) -> Share:
    """Return a share that one of the members with these keys signed. Raises Malformed or Forbidden."""
    try:
        signed = decode(bytes.fromhex(text.strip().removeprefix(SHARE)), Signed)
        told = decode(signed.data, Share)
    except (ValueError, MalformedBytes) as error:
        raise Malformed("network.share", "this is no share", expected=f"{SHARE}…", todo="copy it whole") from error
    key = keys.get(told.member)
    if key is None or not verify(key, framed(LABEL, (signed.data,)), signed.signature):
        raise Forbidden(
            "network.share",
            "the share is not signed by a member that belongs here",
            expected=f"one of {', '.join(sorted(keys))}, by the key on its card",
            got=told.member,
            todo="ask that member for its card and share of today; each member has an id of its own (`member`)",
        )
    return told


def _peers(shares: Iterable[Share]) -> dict[str, str]:
    return {one.member: f"{one.node_id}@{one.address}" for one in sorted(shares, key=lambda one: one.member)}


def _install(config: Config, founding: Founding) -> None:
    """Write the engine's genesis and its peers; from then on the node opens as one of a consortium."""
    home = home_of(config)
    made_keys(home)
    write_peers(home, met(founding))
    write_genesis(home, founding.genesis)


def met(founding: Founding) -> dict[str, Peer]:
    """Return where each member's engine is met. Raises Malformed."""
    peers = {}
    for member, text in founding.peers.items():
        node_id, _, address = text.partition("@")
        if not address:
            raise Malformed(
                "network.founding",
                "this is no engine's address",
                expected="id@host:port",
                got=text,
                todo="take the file over whole",
            )
        peers[member] = Peer(node_id, address)
    return peers
