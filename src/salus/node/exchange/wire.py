"""How members speak to each other: signed requests, answered by one handler, in process or over HTTP alike.

A request is signed by the member's ledger key (RFC 9421, see `signatures`) and names both parties. The receiver looks the
key up in the state of its own ledger, so a suspended member's requests are refused by everyone from that block on.
"""

import base64
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeVar
from urllib.parse import urlsplit

import httpx
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.errors import SalusError
from salus.core.proof.httpsig import HttpRequest, sign
from salus.node.errors import EdgeError, Fault, Forbidden, Malformed, NotFound, Unavailable, asked_of
from salus.node.exchange.signatures import Nonces, verify
from salus.node.exchange.tls import OTHER_KEY, KeyContext
from salus.node.mapping import edge_error

MEDIA_TYPE: Final = "application/vnd.salus.exchange+msgpack"
TAG: Final = "salus-exchange"
ALSO: Final = ("salus-receiver",)
OWN: Final = "https://own.invalid"
"""Where a member's questions to itself are said to go: RFC 2606, a name that nothing has."""
A = TypeVar("A", bound=Value)
MAX_BODY_BYTES: Final = 16 * 1024 * 1024  # a question: the largest delivers a document of some megabytes
# An answer of a pull holds 8 MB of records or one larger one (64 MB, padded by at most an eighth), and the house's.
MAX_ANSWER_BYTES: Final = 96 * 1024 * 1024
CHUNK_BYTES: Final = 64 * 1024
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an HTTP status and a body."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Address:
    """Where a member's node answers, and how it is known there."""

    url: str
    """Its URL without a path; empty: it has no node."""
    keys: frozenset[bytes] = frozenset()
    """TLS keys that the member certified, see `tls`; none: its certificate is from an authority."""


class Transport(Protocol):
    """Carries a request to a member's node. Raises Unavailable when the node cannot be reached."""

    def send(self, address: Address, request: HttpRequest) -> Answer:
        """Send the request; `address` is the member's on the ledger."""
        ...


class Refusal(Value, frozen=True):
    """A refusal as it travels between members."""

    code: str
    message: str
    expected: str
    got: str
    todo: str


class RemoteRefusal(EdgeError):
    """What another member refused, with its own code and words."""

    def __init__(self, member: str, status: int, refusal: Refusal) -> None:
        self.fault = Fault(status if 400 <= status < 600 else 502, "processing")
        self.member = member
        super().__init__(refusal.code, refusal.message, expected=refusal.expected, got=refusal.got, todo=refusal.todo)


Handler = Callable[[str, bytes], Value]
"""(sender's member id, body) → answer. Raises EdgeError."""


class Door:
    """Receives other members' requests and hands each to its handler."""

    def __init__(
        self,
        member: str,
        keys_of: Callable[[str], Sequence[bytes]],
        clock: Callable[[], int],
        handlers: Mapping[str, Handler],
    ) -> None:
        """`keys_of` returns the signing keys of an active member, none for any other; `handlers` by path."""
        self._member = member
        self._keys_of = keys_of
        self._clock = clock
        self._handlers = handlers
        self._nonces = Nonces()

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that are answered."""
        return tuple(self._handlers)

    def answer(self, request: HttpRequest) -> Answer:
        """Authenticate and carry out a request. A refusal is an answer too, without personal data."""
        try:
            sender = self._authenticate(request)
            handler = self._handlers.get(urlsplit(request.target_uri).path)
            if handler is None:
                raise NotFound("exchange.no-route", "nothing is here")
            return Answer(200, encode(handler(sender, request.body)))
        except SalusError as error:
            return refusal_of(error)

    def _authenticate(self, request: HttpRequest) -> str:
        """Return the member that signed the request."""
        if len(request.body) > MAX_BODY_BYTES:
            raise Malformed("exchange.too-large", "the body is too large", expected=f"at most {MAX_BODY_BYTES} bytes")
        if request.fields.get("salus-receiver") != self._member:
            raise Forbidden("exchange.receiver", "the request is for another member", expected=self._member)
        now = self._clock()
        signer = verify(request, self._keys_of, now=now, tag=TAG, also=ALSO)
        self._nonces.use(signer, now)
        return signer.keyid


class Peers:
    """Sends this member's requests to others."""

    def __init__(
        self,
        member: str,
        key: Ed25519PrivateKey,
        transport: Transport,
        address_of: Callable[[str], Address],
        *,
        clock: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._member = member
        self._key = key
        self._transport = transport
        self._address_of = address_of
        self._clock = clock
        self._entropy = entropy
        self.own: Door | None = None
        """What answers this member's questions to itself, as one that asks and keeps records: they take no network."""
        self.faults: Counter[tuple[str, str]] = Counter()
        """How often which member did not answer, or answered what does not hold (code), since this process began."""

    def faulted(self, member: str, code: str) -> None:
        """Count a fault of another member; the first of each kind is logged under its name."""
        self.faults[member, code] += 1
        if self.faults[member, code] == 1:
            _log.warning("peer.fault", member=self._member, peer=member, code=code)

    def ask(self, member: str, path: str, question: Value, answer: type[A]) -> A:
        """Send `question` to a member and return its answer. Raises RemoteRefusal or Unavailable."""
        with asked_of(member):
            return self._asked(member, path, question, answer)

    def _asked(self, member: str, path: str, question: Value, answer: type[A]) -> A:
        address = self._address_of(member)
        own = self.own if member == self._member else None
        if own is not None:
            address = Address(OWN)
        if not address.url:
            raise Unavailable("exchange.no-endpoint", "the member has no node on the network", got=member)
        fields = {"content-type": MEDIA_TYPE, "salus-receiver": member}
        request = HttpRequest("POST", address.url + path, fields, encode(question))
        nonce = base64.urlsafe_b64encode(self._entropy(16)).rstrip(b"=").decode()
        signed = sign(request, self._key.sign, keyid=self._member, now=self._clock(), nonce=nonce, tag=TAG, also=ALSO)
        wire = HttpRequest("POST", request.target_uri, {**fields, **signed}, request.body)
        try:
            answered = self._transport.send(address, wire) if own is None else own.answer(wire)
            return decode(read_answer(member, answered), answer)
        except MalformedBytes as error:
            self.faulted(member, "exchange.answer")
            raise Unavailable("exchange.answer", "the other node answered what is no answer", got=member) from error
        except Unavailable as error:
            self.faulted(member, error.code)
            raise


class InProcess:
    """The twin of HTTP: doors in this process, by endpoint. What is `down` cannot be reached."""

    def __init__(self) -> None:
        self.doors: dict[str, Door] = {}
        self.down: set[str] = set()
        self.wallets: dict[str, Callable[[str, bytes], Answer]] = {}
        """What answers wallets, by endpoint."""

    def send(self, address: Address, request: HttpRequest) -> Answer:
        """Hand the request to the door of the address. Raises Unavailable."""
        door = self.doors.get(address.url)
        if door is None or address.url in self.down:
            raise Unavailable("exchange.unreachable", "the node cannot be reached", got=address.url, todo="try again")
        path = request.target_uri.removeprefix(address.url)
        if path.startswith("/patient/"):
            return self.wallets[address.url](path, request.body)
        return door.answer(request)


def post(client: httpx.Client, member: str, url: str, fields: Mapping[str, str], body: bytes) -> Answer:
    """Post to a member's node and read its answer: plain bytes, at most MAX_ANSWER_BYTES. Raises Unavailable."""
    told = {**fields, "accept-encoding": "identity"}
    read = bytearray()
    try:
        with client.stream("POST", url, content=body, headers=told) as answer:
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise Unavailable("exchange.answer", "the other node packed its answer unasked", got=member)
            for chunk in answer.iter_raw(CHUNK_BYTES):
                read += chunk
                if len(read) > MAX_ANSWER_BYTES:
                    raise Unavailable(
                        "exchange.answer-too-large",
                        "the other node answers more than an answer may hold",
                        expected=f"at most {MAX_ANSWER_BYTES} bytes",
                        got=member,
                    )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(
            "exchange.unreachable", "the node cannot be reached", got=f"{member} ({type(error).__name__})"
        ) from error
    return Answer(answer.status_code, bytes(read))


class OverHttp:
    """Requests over HTTP, with one pool of connections for all members of an authority, and one for each set of keys."""

    def __init__(self, usual: Callable[[], httpx.Client], keyed: Callable[[ssl.SSLContext], httpx.Client]) -> None:
        """`usual` makes the client that holds timeouts and TLS settings for an authority; `keyed` one with other settings."""
        self._usual = usual
        self._keyed = keyed
        self._clients: dict[frozenset[bytes], httpx.Client] = {}
        """By a node's certified keys; without any, the usual one."""
        self._making = threading.Lock()

    @classmethod
    def with_timeout(cls, seconds: float, authorities: str = "") -> Self:
        """Return a transport with clients of its own; `authorities` is a PEM file of more than the system trusts.

        Raises OSError, of which SSLError is one, when that file does not read.
        """
        if authorities:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(authorities)

        def client(settings: ssl.SSLContext) -> httpx.Client:
            return httpx.Client(timeout=seconds, limits=httpx.Limits(max_connections=32), verify=settings)

        def usual() -> httpx.Client:  # reading all that a system trusts takes 40 ms, and most commands ask nobody
            trust = ssl.create_default_context()
            if authorities:
                trust.load_verify_locations(authorities)
            return client(trust)

        return cls(usual, client)

    def close(self) -> None:
        """Let every connection go."""
        for client in self._clients.values():
            client.close()

    def send(self, address: Address, request: HttpRequest) -> Answer:
        """Send the request. Raises Unavailable when the node cannot be reached, is another, or answers too much."""
        return post(self._to(address), address.url, request.target_uri, request.fields, request.body)

    def _to(self, address: Address) -> httpx.Client:
        """Return the client that knows the node. A pool serves one set of keys: a rotation leaves the old connections."""
        if address.keys and not address.url.startswith("https://"):
            raise Unavailable(OTHER_KEY, "the member certified a TLS key, and its node is asked without TLS")
        with self._making:
            client = self._clients.get(address.keys)
            if client is None:
                client = self._keyed(KeyContext.of(address.keys)) if address.keys else self._usual()
                self._clients[address.keys] = client
            return client


def refusal_of(error: SalusError) -> Answer:
    """Return an error as an answer. Raises the error itself when it is a bug of ours."""
    told = edge_error(error)
    if told is None:
        raise error
    return Answer(told.fault.status, encode(Refusal(told.code, told.message, told.expected, told.got, told.todo)))


def read_answer(member: str, answer: Answer) -> bytes:
    """Return the body of an answer that is no refusal. Raises RemoteRefusal or Unavailable."""
    if answer.status == 200:
        return answer.body
    try:
        raise RemoteRefusal(member, answer.status, decode(answer.body, Refusal))
    except MalformedBytes as error:
        raise Unavailable("exchange.answer", "the other node answered what is no answer", got=member) from error
