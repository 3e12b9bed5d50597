"""Wallets that this member keeps for patients who chose so: opened by staff after proofing, used through the pages.

The root and the state lie in the accounts' file, encrypted, in backups too. The member can do what the patient can; every
page says so, and every other member that the wallet joins is told who keeps it (`salus.node.hosted`).
"""

import threading
from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from msgspec import Meta

from salus.core.encoding import decode, encode
from salus.core.proof.httpsig import HttpRequest
from salus.core.proof.trust import Trust
from salus.node.accounts import WALLET, HostedRow
from salus.node.errors import Conflict, NotFound, Unavailable
from salus.node.exchange.wire import MEDIA_TYPE, Answer
from salus.node.hosted import SayHosted, line_of_staff
from salus.node.member import MemberNode
from salus.node.patient import door
from salus.node.patient import messages as m
from salus.node.records.charts import moment
from salus.node.signing_in import PATH, SESSION_MS, SignInLink, keep_account
from salus.node.usecase import NOBODY, OPERATOR, Caller, Message, person, use_case
from salus.node.wallet.file import FORMAT, Kept, OpenWallet
from salus.node.wallet.holder import Holder
from salus.vault.enrolled import KeyStanding
from salus.vault.errors import UnknownLink
from salus.vault.wallet import Wallet

CACHE: Final = "hosting"


class HostedWallet(OpenWallet):
    """A patient's wallet that this member keeps. One visit uses it at a time (`turn`)."""

    def __init__(self, node: MemberNode, row: HostedRow) -> None:
        self.turn = threading.RLock()
        self.urls = {}
        self._node = node
        self._row = row
        kept = decode(row.body, Kept)
        wallet = Wallet(kept.root, kept.state, clock=node.now, entropy=node.entropy)
        self._root = kept.root
        self.holder = Holder(wallet, Trust.from_json(kept.trust), self, node.now, node.entropy)

    @property
    def link(self) -> bytes:
        """The patient's link here."""
        return self._row.link

    def ask(self, member: str, path: str, body: bytes) -> Answer:
        """Carry a question to a member's node: this one directly, another where the ledger says. Raises Unavailable."""
        self.save()
        if member == self._node.member:
            return door.answer(self._node, path, body)
        request = HttpRequest("POST", self.place_of(member) + path, {"content-type": MEDIA_TYPE}, body)
        return self._node.ports.transport.send(self._node.address_of(member), request)

    def place_of(self, member: str) -> str:
        """Return where a member's node answers, as the ledger has it. Raises NotFound."""
        found = self._node.endpoint_of(member).rstrip("/")
        if not found:
            raise NotFound("wallet.nowhere", "the ledger says not where this member answers", got=member)
        return found

    def joined(self, member: str) -> None:
        """Tell a member that was joined who keeps this wallet. Raises Unavailable, RemoteRefusal."""
        if member != self._node.member:
            self.holder.instruct(member, "hosted", SayHosted(self._node.member), m.Done)
            self.save()

    def save(self) -> None:
        """Write what changed, durably."""
        state, trust = self.holder.wallet.state, self.holder.trust.to_json().encode()
        body = encode(Kept(FORMAT, self._root, state, trust, ()))
        if body != self._row.body:
            self._row = HostedRow(self._row.name, self._row.link, body, self._row.made)
            self._node.accounts.keep_hosted(self._row)

    def close(self) -> None:
        """Write what changed."""
        self.save()


class HostedWallets(Mapping[str, OpenWallet]):
    """The wallets that a node keeps, by name; each is opened once in a process."""

    def __init__(self, node: MemberNode) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._open: dict[str, HostedWallet] = {}

    def __getitem__(self, name: str) -> HostedWallet:
        with self._lock:
            row = self._node.accounts.hosted(name)
            if row is None:
                self._open.pop(name, None)
                raise KeyError(name)
            if name not in self._open:
                self._open[name] = HostedWallet(self._node, row)
            return self._open[name]

    def __iter__(self) -> Iterator[str]:
        return iter([one.name for one in self._node.accounts.all_hosted()])

    def __len__(self) -> int:
        return len(self._node.accounts.all_hosted())


def wallets_of(node: MemberNode) -> HostedWallets:
    """Return the wallets that a node keeps: one collection in a process, so that no wallet is open twice."""
    found = node.memory.setdefault(CACHE, HostedWallets(node))
    if not isinstance(found, HostedWallets):
        raise TypeError(CACHE)
    return found


class OpenHosting(Message, frozen=True):
    """Whose wallet to keep: a patient of this member who chose so, and whose identity was proofed."""

    system: Annotated[
        str, Meta(max_length=256, description="Who assigned the identifier: a URI.", examples=["urn:mrn:north"])
    ]
    value: Annotated[str, Meta(max_length=256, description="The identifier.", examples=["4711"])]


class SignInHosted(OpenHosting, frozen=True):
    """Whom to let in again, after proofing who the person is."""


class EndHosting(OpenHosting, frozen=True):
    """Whose wallet to keep no longer."""


class HostingEnded(Message, frozen=True):
    """The keys are gone here. Without a recovery sheet or another copy they are gone for good."""

    wallet: Annotated[str, Meta(description="Name of the wallet.")]


class ListHosted(Message, frozen=True):
    """Asks for nothing more."""


class HostedLine(Message, frozen=True):
    """A wallet, without whose it is."""

    wallet: Annotated[str, Meta(description="Its name.")]
    members: Annotated[int, Meta(description="Members that it has joined.")]
    opened: Annotated[str, Meta(description="When it was opened, UTC.")]


class HostedListed(Message, frozen=True):
    """The wallets kept here."""

    wallets: Annotated[tuple[HostedLine, ...], Meta(description="Oldest first.")]


@use_case("hosting.open", who=person("registrar"))
def open_hosting(node: MemberNode, request: OpenHosting, *, caller: Caller) -> SignInLink:
    """Keep a wallet for a patient who chose so, after proofing who the person is. The node must be running.

    Hand the link to the patient and to nobody else: it is good once, for ten minutes. The patient then makes a passkey.
    Whoever keeps a wallet can do what the patient can; who opened it stands in the patient's own log.
    """
    _serving(node)
    link = _link(node, request)
    if _enrolled(node, link):
        raise Conflict(
            "hosting.enrolled", "a wallet holds the key of this link", todo="`salus hosting sign-in`, if here"
        )
    name = f"wallet-{node.entropy(8).hex()}"
    root = node.entropy(32)
    state = Wallet(root, clock=node.now, entropy=node.entropy).state
    body = encode(Kept(FORMAT, root, state, node.cosigning.trust().to_json().encode(), ()))
    node.accounts.keep_hosted(HostedRow(name, link, body, node.now()))
    made = wallets_of(node)[name]
    made.holder.join(node.member, node.vault.invite(link))
    made.save()
    node.vault.journal([line_of_staff(node, link, "open-wallet", caller)])
    return _let_in(node, name)


@use_case("hosting.sign-in", who=person("registrar"))
def sign_in_hosted(node: MemberNode, request: SignInHosted, *, caller: Caller) -> SignInLink:
    """Make a new link for the patient of a wallet kept here, after proofing: a passkey was lost. The node must be running."""
    _serving(node)
    row = _row(node, request)
    node.vault.journal([line_of_staff(node, row.link, "open-wallet", caller)])
    return _let_in(node, row.name)


@use_case("hosting.end", who=person("registrar"))
def end_hosting(node: MemberNode, request: EndHosting, *, caller: Caller) -> HostingEnded:
    """Keep a wallet no longer, on the patient's word in person: its keys, passkeys and sessions here are gone.

    The patient makes a recovery sheet first, or another organisation gives a new invitation to an own wallet.
    """
    row = _row(node, request)
    node.vault.journal([line_of_staff(node, row.link, "end-wallet", caller)])
    node.accounts.drop_hosted(row.name)
    account = node.accounts.account(WALLET, row.name)
    if account:
        node.accounts.drop_account(account.handle)
    node.accounts.drop_authorisations(f"{WALLET} {row.name}")
    node.sessions.end_all_of_wallet(row.name)
    return HostingEnded(wallet=row.name)


@use_case("hosting.list", who=OPERATOR)
def list_hosted(node: MemberNode, request: ListHosted) -> HostedListed:  # noqa: ARG001 -- a use case
    """List the wallets kept here, without whose they are."""
    return HostedListed(
        wallets=tuple(
            HostedLine(wallet=one.name, members=len(decode(one.body, Kept).state.links), opened=moment(one.made))
            for one in node.accounts.all_hosted()
        )
    )


def _link(node: MemberNode, request: OpenHosting) -> bytes:
    link = node.vault.find_link(request.system, request.value)
    if link is None:
        raise NotFound(
            "link.unknown", "no patient here has this identifier", todo="take the patient's records in first"
        )
    return link


def _row(node: MemberNode, request: OpenHosting) -> HostedRow:
    found = node.accounts.hosted_for(_link(node, request))
    if found is None:
        raise NotFound("hosting.none", "no wallet of this patient is kept here", todo="`salus hosting open`")
    return found


def _enrolled(node: MemberNode, link: bytes) -> bool:
    try:
        return node.vault.link_key(link).standing is KeyStanding.OBEYED
    except UnknownLink:
        return False


def _serving(node: MemberNode) -> None:
    if not node.ticking:
        raise Unavailable("session.not-serving", "no node runs that could show pages", todo="start `salus serve` first")


def _let_in(node: MemberNode, name: str) -> SignInLink:
    """Return a link that opens the pages of a wallet, once; in that session the patient may make a passkey."""
    ends = node.now() + SESSION_MS
    code = node.sessions.invite(NOBODY, ends, handle=keep_account(node, WALLET, name).handle, wallet=name)
    base = node.config.http.public_url.rstrip("/")
    return SignInLink(link=f"{base}{PATH}?code={code}", ends=moment(ends))
