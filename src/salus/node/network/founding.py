"""From an empty folder to a node on a ledger: keys, a founder's card, founding, joining."""

import os
import shutil
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.membership.port import Candidate, Genesis, Parameters, Role, possession_bytes
from salus.core.encoding import MalformedBytes, decode, encode
from salus.core.errors import Rejected
from salus.core.proof.digest import digest
from salus.engines.embedded import found
from salus.engines.errors import EngineError
from salus.engines.follower import join
from salus.engines.store import LedgerStore, lmdb_store
from salus.node.confirming import lies_apart
from salus.node.errors import Conflict, Malformed, Refused, Unavailable
from salus.node.exchange.wire import OverHttp
from salus.node.local import now_ms
from salus.node.member import Ports
from salus.node.opening import (
    HTTP_SECONDS,
    KERNEL,
    KEYSTORE,
    LEDGER,
    PASSPHRASE,
    Unfounded,
    keys_of,
    passphrase,
    remote_source,
)
from salus.node.usecase import OPERATOR, Message, use_case
from salus.vault.keystore import Keys, new_keys, save_keystore

CARD: Final = "salus-member:"
RULES: Final = 1


class MakeCard(Message, frozen=True):
    """Who the member is."""

    name: Annotated[str, Meta(description="Legal name of the organisation.", examples=["North Hospital"])]
    roles: Annotated[
        tuple[Role, ...], Meta(min_length=1, description="What it does in the network.", examples=[["provider"]])
    ]
    jurisdiction: Annotated[
        str, Meta(description="Whose law it is under: ISO 3166-1 alpha-2, or 3166-2.", examples=["US-MA"])
    ]
    endpoint: Annotated[
        str,
        Meta(
            description="Where its node answers others: an https URL; empty while it has none.",
            examples=["https://salus.north.example"],
        ),
    ] = ""


class Card(Message, frozen=True):
    """A member's public card."""

    card: Annotated[str, Meta(description="The card: give it to whoever founds the network, or proposes you.")]
    signing_key: Annotated[str, Meta(description="Ed25519 key, hexadecimal: read it to them over another channel.")]


class Found(Message, frozen=True):
    """The network to found. This member orders its ledger."""

    network: Annotated[
        str,
        Meta(
            pattern="^[a-z][a-z0-9-]{1,49}$",
            description="The network's name: lower-case letters, digits, hyphens.",
            examples=["lake-county"],
        ),
    ]
    card: Annotated[str, Meta(description="This member's own card.", examples=["salus-member:lw"])]
    others: Annotated[
        tuple[str, ...], Meta(description="Cards of the other founders.", examples=[["salus-member:lw"]])
    ] = ()
    agreement: Annotated[
        str,
        Meta(
            description="The agreement that all founders signed, as a file; its digest is founded.",
            examples=["agreement.pdf"],
        ),
    ] = ""

    accept_forgetting: Annotated[
        bool,
        Meta(
            description="Accept, founding alone with the list of erasures in the data folder, that this node, put back from an "
            "old image of the folder, cannot know whom it erased since: nobody else holds the ledger that tells.",
            examples=[True],
        ),
    ] = False


class Founded(Message, frozen=True):
    """The ledger stands."""

    network: Annotated[str, Meta(description="Network id, hexadecimal: joining members are told it.")]
    members: Annotated[int, Meta(description="How many founders it has.")]


class Join(Message, frozen=True):
    """The network to join; `ledger.owner` and `ledger.url` in the configuration say where."""

    network: Annotated[
        str, Meta(pattern="^[0-9a-f]{64}$", description="Network id, from somebody you trust.", examples=["0" * 64])
    ]


class Joined(Message, frozen=True):
    """The replica is founded; it follows the owner as soon as the node runs."""

    network: Annotated[str, Meta(description="Network id, hexadecimal.")]


@use_case("network.card", who=OPERATOR)
def card(node: Unfounded, request: MakeCard) -> Card:
    """Make this member's keys, if it has none, and its public card.

    The keys stay here, in `keys.salus` under a passphrase; the card holds the public ones and proves that they are held.
    """
    keys = made_keys(node)
    candidate = candidate_of(keys, request)
    text = CARD + encode(candidate).hex()
    return Card(card=text, signing_key=candidate.signing_key.hex())


@use_case("network.found", who=OPERATOR)
def found_network(node: Unfounded, request: Found) -> Founded:
    """Found a ledger that this member orders and all founders keep.

    One member alone can found one too. A ledger kept by one organisation can be rewritten by it: only checkpoints that
    others hold, a witness's above all, show it. Alone, nobody else knows whom it erased: the list of erasures must lie
    in another place (`erasures_file`), or it is accepted that a node put back from an old image cannot know.
    """
    folder = Path(node.config.data)
    if not request.others and not lies_apart(node.config) and not request.accept_forgetting:
        raise Malformed(
            "network.erasures",
            "put back from an old image of its folder, this node could not know whom it erased",
            expected="erasures_file outside the data folder, on another disk",
            todo="set it, or found with --accept-forgetting",
        )
    founders = sorted((read_card(text) for text in (request.card, *request.others)), key=lambda one: one.id)
    now = node.now()
    genesis = Genesis(
        format=1,
        name=request.network,
        time=now,
        rules=RULES,
        parameters=Parameters(agreement=agreement_digest(request.network, request.agreement)),
        members=tuple(founders),
    )
    document = encode(genesis)
    store = new_store(folder)
    try:
        found(store, KERNEL, document, now)
    except Rejected as error:
        drop_ledger(folder)
        raise Refused(error) from error
    except MalformedBytes as error:
        drop_ledger(folder)
        raise Malformed(
            "network.genesis", "the network cannot be founded like this", got=str(error), todo="make the cards again"
        ) from error
    finally:
        store.close()
    return Founded(network=digest("salus/v1/network", document).hex(), members=len(founders))


@use_case("network.join", who=OPERATOR)
def join_network(node: Unfounded, request: Join) -> Joined:
    """Begin to follow a network that has this member among its founders, or admitted it since."""
    config = node.config
    if not config.ledger.owner or not config.ledger.url:
        raise Malformed(
            "network.owner", "it is not said who orders the ledger", todo="set ledger.owner and ledger.url first"
        )
    keys = keys_of(config)
    transport = OverHttp.with_timeout(HTTP_SECONDS, config.http.tls_authorities)
    ports = Ports(now_ms, os.urandom, transport)
    folder = Path(config.data)
    source = remote_source(config, keys, ports)
    store = new_store(folder)
    try:
        join(store, KERNEL, source, bytes.fromhex(request.network))
    except EngineError as error:
        drop_ledger(folder)
        raise Unavailable(
            "network.join",
            "the owner's ledger could not be taken over",
            got=str(error),
            todo="see that ledger.url is the owner's node and that it runs; compare the network id with the owner's",
        ) from error
    finally:
        store.close()
        source.close()
        transport.close()
    return Joined(network=request.network)


def candidate_of(keys: Keys, told: MakeCard) -> Candidate:
    """Return what a genesis or a proposal says of a member. Raises Malformed."""
    signing, receiving = keys.signing_key(), keys.receive_key()
    public = signing.public_key().public_bytes_raw()
    made = Candidate(
        id=keys.member,
        name=told.name,
        roles=tuple(sorted(dict.fromkeys(told.roles))),
        jurisdiction=told.jurisdiction,
        endpoint=told.endpoint,
        signing_key=public,
        receive_key=receiving.public,
        possession=signing.sign(possession_bytes(keys.member, public, receiving.public)),
    )
    try:
        return decode(encode(made), Candidate)
    except MalformedBytes as error:
        raise Malformed(
            "network.card", "the card does not fit", got=str(error), todo="see `salus network card --help`"
        ) from error


def read_card(text: str) -> Candidate:
    """Return what a card says. Raises Malformed."""
    try:
        return decode(bytes.fromhex(text.strip().removeprefix(CARD)), Candidate)
    except (ValueError, MalformedBytes) as error:
        raise Malformed(
            "network.card", "this is no member's card", expected=f"{CARD}…", todo="copy it whole"
        ) from error


def made_keys(node: Unfounded) -> Keys:
    """Return the member's keys; make keystore and, unless one is named, a passphrase file if there are none."""
    folder = Path(node.config.data)
    if (folder / KEYSTORE).exists() or os.environ.get("CREDENTIALS_DIRECTORY"):
        return keys_of(node.config)
    if not node.config.passphrase_file:
        file = folder / PASSPHRASE
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(os.urandom(24).hex().encode())
    keys = new_keys(node.config.member, os.urandom)
    save_keystore(folder / KEYSTORE, keys, passphrase(node.config), entropy=os.urandom)
    return keys


def agreement_digest(network: str, file: str) -> bytes:
    """Return the digest of the founders' agreement: of its file, or of the network's name where none is named."""
    if not file:
        return digest("salus/v1/agreement", network.encode())
    path = Path(file)
    if not path.is_file():
        raise Malformed(
            "network.agreement", "the agreement is not there", got=path.name, todo="name the file that all signed"
        )
    return digest("salus/v1/agreement", path.read_bytes())


def new_store(folder: Path) -> LedgerStore:
    """Open an empty ledger in a data folder. Raises Conflict if it holds one."""
    if (folder / LEDGER).exists():
        raise Conflict(
            "network.founded",
            "the folder holds a ledger already",
            got=LEDGER,
            todo="run `salus serve`, or name an empty folder (data)",
        )
    return lmdb_store(folder / LEDGER)


def drop_ledger(folder: Path) -> None:
    """Remove a ledger that was not founded."""
    shutil.rmtree(folder / LEDGER, ignore_errors=True)
