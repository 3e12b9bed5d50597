"""`app register`, `list`, `remove`: programs that may ask for access, each registered for a member of the ledger.

A program acts only while the member that it is registered for is active on the ledger: whom the consortium suspends loses
its programs at every member with the same block. Where a program answers (redirect URIs) is compared character by
character. A program that holds a key signs for itself (private_key_jwt, RFC 7523; RS384 or ES384 as SMART 2.2 section 5
asks); one that runs in a browser or on a phone has none and proves by PKCE that it is the one that asked.
"""

from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from msgspec import Meta

from salus.node.errors import Malformed, NotFound, Unauthenticated
from salus.node.member import MemberNode
from salus.node.smart.scopes import Asked, only, read_scopes
from salus.node.usecase import OPERATOR, Message, use_case

SYSTEM: Final = "system"
MIN_RSA_BITS: Final = 2048
MIN_RSA_TEXT: Final = 342  # characters of a modulus of that many bits in base64url
LOOPBACK: Final = frozenset({"127.0.0.1", "[::1]", "localhost"})
ID = Annotated[
    str,
    Meta(
        pattern="^[a-z0-9][a-z0-9-]{1,63}$",
        description="Id that the program sends as client_id.",
        examples=["growth-chart"],
    ),
]
URI = Annotated[str, Meta(max_length=1000)]


class Client(msgspec.Struct, frozen=True):
    """A program's registration."""

    id: str
    name: str
    member: str
    """Member of the ledger that answers for it."""
    redirects: tuple[str, ...]
    launch: str
    scopes: str
    """The widest that it may ask."""
    jwks: str
    """Its public keys (RFC 7517, JSON); empty: it is a public client."""
    role: str = ""
    purposes: tuple[str, ...] = ()
    """As which role and for which purposes it acts for itself (backend service); empty: it does not."""

    @property
    def widest(self) -> Asked:
        """The widest scopes that it may ask."""
        return read_scopes(self.scopes)


class RegisterApp(Message, frozen=True):
    """A program and what it may ask at the most."""

    id: ID
    name: Annotated[
        str, Meta(min_length=1, max_length=80, description="Name that people are shown.", examples=["Growth chart"])
    ]
    member: Annotated[
        str,
        Meta(
            pattern="^[a-z][a-z0-9-]{1,31}$",
            description="Active member of the ledger that answers for it.",
            examples=["north-hospital"],
        ),
    ]
    scopes: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=8192,
            description="The widest scopes that it may ask, with blanks between them.",
            examples=["launch/patient patient/Observation.rs offline_access"],
        ),
    ]
    redirect: Annotated[
        tuple[URI, ...],
        Meta(
            max_length=10,
            description="Where it is answered: https, http on this machine, or a scheme of its own with a dot.",
            examples=[["https://app.example/callback"]],
        ),
    ] = ()
    launch: Annotated[
        str,
        Meta(
            max_length=1000,
            description="Where it is opened from a chart (EHR launch); empty: not.",
            examples=["https://app.example/launch"],
        ),
    ] = ""
    jwks: Annotated[
        bytes,
        Meta(
            max_length=65536,
            description="Its public keys as a JWK Set, for private_key_jwt; none: it is a public client.",
            examples=['{"keys": []}'],
        ),
    ] = b""
    role: Annotated[
        str,
        Meta(
            max_length=64,
            description="Role as which it acts for itself, as a backend service; empty: it does not.",
            examples=["quality-registry"],
        ),
    ] = ""
    purposes: Annotated[
        tuple[Annotated[str, Meta(pattern="^[A-Z]{2,16}$")], ...],
        Meta(description="What for, as a backend service: codes of v3-ActReason.", examples=[["HOPERAT"]]),
    ] = ()


class AppRegistered(Message, frozen=True):
    """It may ask now."""

    id: Annotated[str, Meta(description="Its id.")]
    scopes: Annotated[str, Meta(description="What it may ask at the most, as it was understood.")]


class ListApps(Message, frozen=True):
    """Asks for nothing more."""


class AppLine(Message, frozen=True):
    """A program."""

    id: Annotated[str, Meta(description="Its id.")]
    name: Annotated[str, Meta(description="Its name.")]
    member: Annotated[str, Meta(description="Member that answers for it.")]
    active: Annotated[bool, Meta(description="Whether that member is active on the ledger.")]
    kind: Annotated[str, Meta(description="public, confidential, or backend.")]
    scopes: Annotated[str, Meta(description="What it may ask at the most.")]


class AppsListed(Message, frozen=True):
    """All programs."""

    apps: Annotated[tuple[AppLine, ...], Meta(description="By id.")]


class RemoveApp(Message, frozen=True):
    """Which program."""

    id: Annotated[
        str,
        Meta(
            pattern="^[a-z0-9][a-z0-9-]{1,63}$",
            description="Its id.",
            examples=["growth-chart"],
            extra={"positional": True},
        ),
    ]


class AppRemoved(Message, frozen=True):
    """It can ask nothing more, and its tokens opened their last."""

    id: Annotated[str, Meta(description="Its id.")]


@use_case("app.register", who=OPERATOR)
def register_app(node: MemberNode, request: RegisterApp) -> AppRegistered:
    """Register a program that may ask people for access, or act as a backend service; again, to change it."""
    if not node.signing_keys(request.member):
        raise NotFound(
            "app.member", "no active member has this id", got=request.member, todo="see `salus ledger members`"
        )
    widest = read_scopes(request.scopes)
    if not widest.rules:
        raise Malformed("app.scopes", "no scope opens anything", expected="patient/Observation.rs …")
    for uri in (*request.redirect, *((request.launch,) if request.launch else ())):
        _check_uri(uri)
    if request.jwks:
        keys_of(request.jwks)
    if bool(request.role) != bool(request.purposes) or (request.role and not request.jwks):
        raise Malformed("app.backend", "a backend service needs a role, purposes and keys", expected="all three")
    if not request.role and not request.redirect:
        raise Malformed("app.redirect", "a program that people use needs an address to be answered at")
    client = Client(
        id=request.id,
        name=request.name,
        member=request.member,
        redirects=request.redirect,
        launch=request.launch,
        scopes=request.scopes,
        jwks=request.jwks.decode(),
        role=request.role,
        purposes=request.purposes,
    )
    node.programs.end_client(client.id)
    node.accounts.keep_app(client.id, msgspec.msgpack.encode(client))
    return AppRegistered(id=client.id, scopes=" ".join(rule.text for rule in widest.rules))


@use_case("app.list", who=OPERATOR)
def list_apps(node: MemberNode, request: ListApps) -> AppsListed:  # noqa: ARG001 -- a use case
    """List the programs that may ask."""
    return AppsListed(
        apps=tuple(
            AppLine(
                id=one.id,
                name=one.name,
                member=one.member,
                active=bool(node.signing_keys(one.member)),
                kind="backend" if one.role else "confidential" if one.jwks else "public",
                scopes=one.scopes,
            )
            for one in map(_decoded, node.accounts.apps())
        )
    )


@use_case("app.remove", who=OPERATOR)
def remove_app(node: MemberNode, request: RemoveApp) -> AppRemoved:
    """Remove a program: its tokens and what people allowed it end now."""
    if not node.accounts.drop_app(request.id):
        raise NotFound("app.unknown", "no program has this id", got=request.id, todo="see `salus app list`")
    node.programs.end_client(request.id)
    return AppRemoved(id=request.id)


def client_of(node: MemberNode, id_: str) -> Client:
    """Return a program whose member is active on the ledger. Raises Unauthenticated."""
    found = next(map(_decoded, node.accounts.apps(id_)), None)
    if found is None or not node.signing_keys(found.member):
        raise Unauthenticated("smart.invalid-client", "no such program may ask here", todo="have it registered")
    return found


def launchable(node: MemberNode) -> list[Client]:
    """Return the programs that can be opened from a chart."""
    found = map(_decoded, node.accounts.apps())
    return [one for one in found if one.launch and node.signing_keys(one.member)]


def own_scopes(client: Client) -> Asked:
    """Return what a backend service may do for itself: scopes of the level `system`."""
    return only(client.widest, "cruds", {SYSTEM})


def _decoded(body: bytes) -> Client:
    return msgspec.msgpack.decode(body, type=Client)


def keys_of(jwks: bytes) -> KeySet:
    """Return a JWK Set of public RSA (2048 bits or more) and P-384 keys with ids. Raises Malformed."""
    refused = Malformed(
        "app.keys",
        "these are no keys that programs may sign with",
        expected="a JWK Set of public RSA keys of 2048 bits or more, or P-384, each with its own kid",
    )
    try:
        document: Any = msgspec.json.decode(jwks)
        if not all(_plausible(one) for one in document["keys"]):
            raise refused
        keys = KeySet.import_key_set(document)
    except (msgspec.DecodeError, UnicodeDecodeError, JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise refused from None
    ids = [one.get("kid") for one in document["keys"]]
    good = all(isinstance(one, str) and one for one in ids) and len(set(ids)) == len(ids) > 0
    if not good or not all(_good(key) for key in keys.keys):
        raise refused
    return keys


def _plausible(key: Any) -> bool:
    """Tell whether a key is of a kind that is taken: the library warns of weaker ones instead of refusing them."""
    return key["kty"] == "EC" or (key["kty"] == "RSA" and len(key["n"]) >= MIN_RSA_TEXT)


def _good(key: Any) -> bool:
    if key.is_private:
        return False
    if isinstance(key, RSAKey):
        return key.raw_value.key_size >= MIN_RSA_BITS
    return isinstance(key, ECKey) and key.curve_name == "P-384"


def _check_uri(uri: str) -> None:
    """Raise Malformed unless a program may be answered there."""
    told = urlsplit(uri)
    ours = told.scheme == "https" and told.hostname
    local = told.scheme == "http" and told.hostname in {host.strip("[]") for host in LOOPBACK}
    own = "." in told.scheme and not told.netloc
    plain = uri.isascii() and uri.isprintable() and not set(uri) & set(" \"'<>\\;,")
    if "#" in uri or "@" in told.netloc or not plain or not (ours or local or own):
        raise Malformed(
            "app.uri",
            "no program can be answered there",
            expected="https://…, http://localhost…, or a scheme of its own such as org.example.app:/callback",
        )
