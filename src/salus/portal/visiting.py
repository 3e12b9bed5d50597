"""One visit of a page: who is there, which form came, and how it reaches a use case."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from salus.contracts.membership import port as membership
from salus.core.errors import SalusError
from salus.core.proof.errors import Unproven
from salus.http.derive import body_of
from salus.http.middleware import first_part
from salus.node.errors import EdgeError, Forbidden, Malformed, Unauthenticated
from salus.node.fields import shape_error
from salus.node.mapping import edge_error
from salus.node.member import MemberNode
from salus.node.oidc import Provider
from salus.node.passkeys import Passkeys
from salus.node.sessions import Session
from salus.node.smart.authorising import AuthorisationServer
from salus.node.usecase import NOBODY, Caller, Kind, UseCase
from salus.node.wallet.file import OpenWallet
from salus.portal.refusals import KEYS, KEYS_AT_WORK, key_at_work, key_of
from salus.portal.rendering import HEADERS, language_of, page, text

AnyCase = UseCase[Any, Any, Any]
OF_NO_PATIENT: Final = frozenset({"", "assets", "ledger", "scripts", "sign-in", "sign-out", "wallet"})
"""First parts of the addresses of pages that are about no patient: shown while the node knows not whom it erased."""
NOBODY_THERE: Final = frozenset({"session.none", "http.not-for-you"})  # a stranger is led to the sign-in
MAX_FORM: Final = 64 * 1024  # the longest form holds a review of 10,000 characters
MAX_FIELDS: Final = 100
TOKEN: Final = "form"  # noqa: S105 -- a field's name


@dataclass(frozen=True, slots=True)
class Offer:
    """Somebody whom the sign-in page lets in at a click: in the demo only."""

    id: str
    name: str
    what: str
    """Role, or what the wallet is, in words."""
    enter: Callable[[], str]
    """Opens the session and returns its token."""


@dataclass(frozen=True)
class Pages:
    """What the pages of a node are made of."""

    node: MemberNode
    secure: bool
    """Whether browsers reach them over TLS only: the cookie then travels no other way."""
    offers: tuple[Offer, ...] = ()
    wallets: Mapping[str, OpenWallet] = field(default_factory=dict)
    """Wallets that this member hosts, by name."""
    origin: str = ""
    """Where browsers reach them; empty: the node's public URL."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Where browsers reach other members' nodes, if not at their address on the ledger."""

    @cached_property
    def passkeys(self) -> Passkeys:
        """The passkeys that open sessions here."""
        return Passkeys(self.node, (self.origin or self.node.config.http.public_url).rstrip("/"))

    @cached_property
    def provider(self) -> Provider | None:
        """Where staff sign in, if the configuration names a place."""
        return Provider(self.node, self.origin) if self.node.config.oidc.issuer else None

    @cached_property
    def programs(self) -> AuthorisationServer:
        """What programs ask of people here."""
        return AuthorisationServer(self.node, self.origin)

    @property
    def cookie(self) -> str:
        """The cookie's name. Cookies do not tell ports apart, so the member's id does."""
        return f"{'__Host-' if self.secure else ''}salus-{self.node.member}"


@dataclass(frozen=True)
class Visit:
    """A request of a page, its session and its form."""

    pages: Pages
    request: Request
    session: Session | None
    form: Mapping[str, tuple[str, ...]]

    @property
    def caller(self) -> Caller:
        """Who asks, for use cases."""
        return self.session.caller if self.session else NOBODY

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def one(self, name: str) -> str:
        """Return a field of the form, stripped; nothing if it did not come."""
        return self.form.get(name, ("",))[0].strip()

    def asked(self, name: str) -> str:
        """Return a parameter of the address, stripped."""
        return self.request.query_params.get(name, "").strip()

    def known(self) -> Session:
        """Return the session. Raises Unauthenticated."""
        if self.session is None:
            raise Unauthenticated("session.none", "nobody is signed in", todo="sign in")
        return self.session

    def staff(self) -> Session:
        """Return the session of a person of this member. Raises Unauthenticated, Forbidden."""
        session = self.known()
        if session.caller.kind is not Kind.PERSON:
            raise Forbidden("page.staff", "this page is for people who work here", todo="sign out and in again")
        return session

    def operator(self) -> Session:
        """Return the session of this node's operator. Raises Unauthenticated, Forbidden."""
        session = self.known()
        if session.caller.kind is not Kind.OPERATOR:
            raise Forbidden("page.operator", "this page is for the operator", todo="`salus operator sign-in`")
        return session

    def wallet(self) -> OpenWallet:
        """Return the hosted wallet that the session is for. Raises Unauthenticated, Forbidden."""
        found = self.pages.wallets.get(self.known().wallet)
        if found is None:
            raise Forbidden("page.patient", "this page is for patients", todo="sign out and in again")
        return found

    def call(self, case: AnyCase, **fields: Any) -> Any:
        """Call a use case as who is signed in. Raises Malformed, Unauthenticated, Forbidden and what it raises."""
        if not self.caller.may(case.who):
            raise (Unauthenticated if self.caller is NOBODY else Forbidden)(
                "http.not-for-you", "this is not for your role", expected=str(case.who), todo="ask who may"
            )
        return case(self.pages.node, _request(case, fields), caller=self.caller)

    def on_wallet(self, case: AnyCase, **fields: Any) -> Any:
        """Call a use case on the hosted wallet. Raises as `call`."""
        wallet = self.wallet()
        with wallet.turn:
            try:
                return case(wallet, _request(case, fields))
            finally:
                wallet.save()

    @property
    def home(self) -> str:
        """The member's name as the ledger has it."""
        return self.named(self.pages.node.member)

    @cached_property
    def _names(self) -> dict[str, str]:
        return {}

    def named(self, *members: str) -> str:
        """Return members as the ledger names them."""
        for one in members:
            if one not in self._names:
                self._names[one] = _name(self.pages.node, one)
        return ", ".join(self._names[one] for one in members)

    @property
    def language(self) -> str:
        """The language that the browser asks for."""
        return language_of(self.request.headers.get("accept-language", ""))

    def why(self, code: str, member: str = "") -> str:
        """Return a refusal of a member (this one if empty) in plain words, for who is there.

        Who is not signed in may be a patient: what has words for patients is told in those.
        """
        at_work = not self.session.wallet if self.session else code not in KEYS and code in KEYS_AT_WORK
        key = f"declined.{key_at_work(code)}" if at_work else f"refusals.{key_of(code)}"
        return text(self.language, key, member=self.named(member or self.pages.node.member), code=code)

    def page(
        self,
        template: str,
        status: int = 200,
        *,
        script: str = "",
        answered: Iterable[str] = (),
        reached: Iterable[str] = (),
        **values: Any,
    ) -> Response:
        """Return a page for whoever is there.

        `script` is the name of its script, `answered` the programs that its forms end at, `reached` whom the script asks.
        """
        return page(
            template,
            status,
            language=self.language,
            script=script,
            answered=answered,
            origins=reached,
            session=self.session,
            operator=self.caller.kind is Kind.OPERATOR,
            wallet=bool(self.session and self.session.wallet),
            member=self.pages.node.member,
            home=self.home,
            named=self.named,
            why=self.why,
            here=self.request.url.path,
            token=self.session.form_token if self.session else lambda _: "",
            **values,
        )


def _request(case: AnyCase, fields: Mapping[str, Any]) -> Any:
    try:
        return msgspec.convert(dict(fields), case.request, strict=False)
    except msgspec.ValidationError as error:
        raise Malformed("form.invalid", f"the form does not fit: {shape_error(error)}", todo="mend it") from error


def _name(node: MemberNode, member: str) -> str:
    """Return a member's name as the ledger has it; its id where the ledger has none."""
    row = membership.member(node.ledger.read(), member)
    return member if row is None else row.name


def to(path: str) -> Response:
    """Go to another page, as a GET: a reload repeats nothing."""
    return RedirectResponse(path, status_code=303, headers=dict(HEADERS))


Handler = Callable[[Visit], Response]


def endpoint(pages: Pages, handler: Handler) -> Callable[[Request], Any]:
    """Return the endpoint of a page. Refusals become pages of their own; a stranger is led to the sign-in."""

    async def answer(request: Request) -> Response:
        session = pages.node.sessions.find(request.cookies.get(pages.cookie, ""))
        visit = Visit(pages, request, session, {})
        try:
            if pages.node.withheld(ask=False) is not None and first_part(request.url.path) not in OF_NO_PATIENT:
                refusal = await run_in_threadpool(pages.node.withheld, ask=True)
                if refusal is not None:
                    return refused(visit, refusal)
            if request.method == "POST":
                visit = Visit(pages, request, session, _checked(request, session, await body_of(request, MAX_FORM)))
            return await run_in_threadpool(handler, visit)
        except (SalusError, Unproven) as error:
            told = edge_error(error)
            if told is None:
                raise
            if told.code in NOBODY_THERE and request.method == "GET" and session is None:
                return to("/sign-in")
            return refused(visit, told)

    return answer


def refused(visit: Visit, error: EdgeError) -> Response:
    """Return the page of a refusal: what happened, and what to do, in plain words of the page's language.

    Who works here finds beside them the words of what refused it, for the operator.
    """
    works_here = visit.session is not None and not visit.session.wallet
    told = visit.why(error.code, error.member)
    return visit.page("refused", error.fault.status, error=error, told=told, works_here=works_here)


def _checked(request: Request, session: Session | None, body: bytes) -> dict[str, tuple[str, ...]]:
    """Return a form's fields if the form is one of ours. Raises Malformed, Forbidden."""
    own = {f"{scheme}://{request.headers.get('host', '')}" for scheme in ("http", "https")}
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    foreign = Forbidden("form.foreign", "this form does not come from this page", todo="open the page again")
    if (origin is not None and origin not in own) or site not in {"same-origin", "none"}:
        raise foreign
    try:
        fields = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise Malformed("form.bytes", "this is no form") from error
    if session is not None:
        sent = fields.get(TOKEN, [""])[0]
        if not compare_digest(sent, session.form_token(request.url.path)):
            raise foreign
    return {name: tuple(values) for name, values in fields.items()}
