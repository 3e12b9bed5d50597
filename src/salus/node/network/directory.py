"""`network members`, `status`, `trust`, `receipt`: what the ledger says, and what others start from to check it."""

from typing import Annotated

from msgspec import Meta

from salus.contracts.membership import port as membership
from salus.core.proof.cose import kid_of
from salus.core.proof.receipt import ConsistencyPath
from salus.core.proof.trust import quorum
from salus.engines.receipts import PATIENCE
from salus.node.member import MemberNode
from salus.node.names import GRANT_EXAMPLE, GRANT_PATTERN
from salus.node.network.cometbft import has_engine
from salus.node.usecase import ANYONE, Message, use_case


class ListMembers(Message, frozen=True):
    """Asks for nothing more."""


class MemberLine(Message, frozen=True):
    """A member as the ledger has it."""

    id: Annotated[str, Meta(description="Its id.")]
    name: Annotated[str, Meta(description="Legal name of the organisation.")]
    roles: Annotated[str, Meta(description="What it does in the network.")]
    jurisdiction: Annotated[str, Meta(description="Whose law it is under.")]
    endpoint: Annotated[str, Meta(description="Where its node answers.")]
    standing: Annotated[str, Meta(description="active, suspended or removed.")]
    signing_key: Annotated[str, Meta(description="Its Ed25519 key in force, hexadecimal.")]
    tls_keys: Annotated[
        str,
        Meta(description="Keys with which its node answers, SHA-256 of each, hexadecimal; empty: any of an authority."),
    ]


class Members(Message, frozen=True):
    """Who is in the network."""

    members: Annotated[tuple[MemberLine, ...], Meta(description="In order of their ids.")]


class AskStatus(Message, frozen=True):
    """Asks for nothing more."""


class Status(Message, frozen=True):
    """Where the ledger stands, as this node sees it."""

    network: Annotated[str, Meta(description="Network id, hexadecimal.")]
    orders: Annotated[str, Meta(description="Member that orders transactions; empty where the validators do.")]
    height: Annotated[int, Meta(description="Newest block.")]
    log_size: Annotated[int, Meta(description="Leaves in the log.")]
    head_age_seconds: Annotated[int, Meta(description="Age of the newest block: it grows while nothing happens.")]
    reachable: Annotated[bool, Meta(description="Whether who orders was heard of a moment ago.")]
    checkpoint_size: Annotated[
        int, Meta(description="Size of the newest checkpoint that enough members signed; 0: none.")
    ]
    cosigned_by: Annotated[tuple[str, ...], Meta(description="Members that signed it.")]
    cosigners: Annotated[int, Meta(description="Members whose signature counts.")]
    needed: Annotated[int, Meta(description="How many must sign.")]
    stopped: Annotated[str, Meta(description="Why nothing more is taken here; empty while all is well.")]
    two_roots: Annotated[str, Meta(description="Evidence that somebody rewrote history: call the others. Empty: none.")]


class AskTrust(Message, frozen=True):
    """What a verifier should require."""

    witnesses: Annotated[
        int, Meta(ge=0, le=32, description="How many outside witnesses must have signed.", examples=[1])
    ] = 0


class TrustFile(Message, frozen=True):
    """What a verifier starts from. Give it to others over a channel they trust."""

    trust: Annotated[
        str, Meta(description="The trust file, for `salus verify --trust` and `salus wallet new --trust`.")
    ]


class AskReceipt(Message, frozen=True):
    """Which transaction."""

    transaction: Annotated[
        str,
        Meta(
            pattern=GRANT_PATTERN,
            description="Its id, hexadecimal.",
            examples=[GRANT_EXAMPLE],
            extra={"positional": True},
        ),
    ]


class ReceiptFile(Message, frozen=True):
    """A transaction's receipt."""

    receipt: Annotated[bytes, Meta(description="COSE receipt (RFC 9942) with its leaf, for `salus verify`.")]
    size: Annotated[int, Meta(description="Size of the checkpoint it stands under.")]


class AskPath(Message, frozen=True):
    """Between which sizes of the log."""

    old: Annotated[int, Meta(ge=0, le=2**53, description="The smaller size: a receipt's.", examples=[3])]
    new: Annotated[int, Meta(ge=0, le=2**53, description="The larger one: a trust file's.", examples=[9])]


class PathFile(Message, frozen=True):
    """A consistency path (RFC 9162 section 2.1.4)."""

    path: Annotated[bytes, Meta(description="What carries an older receipt to a trust file, for `salus verify`.")]


@use_case("network.members", who=ANYONE)
def list_members(node: MemberNode, request: ListMembers) -> Members:  # noqa: ARG001 -- a use case
    """List the members of the network with their standing, address and key."""
    state = node.ledger.read()
    lines = []
    for key, row in state.range(membership.MEMBERS):
        id_ = key.decode("ascii")
        keys = membership.key_at(state, id_)
        lines.append(
            MemberLine(
                id=id_,
                name=row.name,
                roles=" ".join(row.roles),
                jurisdiction=row.jurisdiction,
                endpoint=row.endpoint,
                standing=row.standing.value,
                signing_key=keys.signing_key.hex() if keys else "",
                tls_keys=" ".join(key.hex() for key in membership.tls_keys(state, id_)),
            )
        )
    return Members(members=tuple(lines))


@use_case("network.status", who=ANYONE)
def status(node: MemberNode, request: AskStatus) -> Status:  # noqa: ARG001 -- a use case
    """Say where the ledger stands: height, age, who has signed the newest checkpoint, why it stopped, two roots."""
    head, newest = node.ledger.head(), node.cosigning.newest()
    cosigners = membership.cosigners(node.ledger.read())
    signed = {kid for kid, _ in newest.cosignatures} if newest else set()
    return Status(
        network=node.network.hex(),
        orders="" if has_engine(node.config) else node.config.ledger.owner or node.member,
        height=head.height,
        log_size=head.log_size,
        head_age_seconds=max(0, node.now() - head.time) // 1000,
        reachable=node.ledger.reachable,
        checkpoint_size=newest.size if newest else 0,
        cosigned_by=tuple(one.member for one in cosigners if kid_of(one.signing_key) in signed),
        cosigners=len(cosigners),
        needed=quorum(len(cosigners)),
        stopped=node.trouble(),
        two_roots=str(node.cosigning.fork or ""),
    )


@use_case("network.trust", who=ANYONE)
def trust_file(node: MemberNode, request: AskTrust) -> TrustFile:
    """Write down what a verifier starts from: network, newest checkpoint, cosigners, witnesses.

    Whoever gets it from the wrong hands verifies the wrong ledger.
    """
    node.cosigning.covering(0, PATIENCE)
    return TrustFile(trust=node.cosigning.trust(request.witnesses).to_json())


@use_case("network.receipt", who=ANYONE)
def receipt_of(node: MemberNode, request: AskReceipt) -> ReceiptFile:
    """Make the receipt of a transaction: an offline proof that the log holds it, and what became of it."""
    receipt = node.prover.receipt(bytes.fromhex(request.transaction))
    return ReceiptFile(receipt=receipt.encode(), size=receipt.checkpoint.size)


@use_case("network.path", who=ANYONE)
def path_of(node: MemberNode, request: AskPath) -> PathFile:
    """Prove that the log of the larger size begins with that of the smaller: what an older receipt takes."""
    nodes = node.prover.consistency(request.old, request.new)
    return PathFile(path=ConsistencyPath(request.old, request.new, nodes).encode())
