"""Coming and going: the first page, signing in, signing out."""

import re

from starlette.responses import RedirectResponse, Response

from salus.node.accounts import WALLET, Account, Passkey
from salus.node.errors import Forbidden, NotFound
from salus.node.oidc import PATH as PROVIDER
from salus.node.oidc import Provider
from salus.node.passkeys import MOST
from salus.node.signing_in import enter, keep_account
from salus.node.usecase import Kind
from salus.portal import rendering
from salus.portal.apps import ASK
from salus.portal.duplicates import decides
from salus.portal.rendering import HEADERS, kept, served
from salus.portal.visiting import Visit, to


def home(visit: Visit) -> Response:
    """Go where whoever is there wants to be; tell a stranger what this is."""
    if visit.session is None:
        return visit.page("home")
    if visit.session.caller.kind is Kind.OPERATOR:
        return to("/operator")
    if visit.session.wallet:
        return to("/my/record")
    return to("/duplicates" if decides(visit.caller) else "/patients")


def sign_in_page(visit: Visit) -> Response:
    """Show how to sign in: with a passkey, with the code of a link, or, in the demo, as somebody."""
    return visit.page(
        "sign_in",
        script="passkey.js",
        code=visit.asked("code"),
        offers=visit.pages.offers,
        options=visit.pages.passkeys.to_sign_in(),
        next=_question(visit.asked("next")),
        provider=visit.pages.provider is not None,
    )


def sign_in(visit: Visit) -> Response:
    """Open a session. The one before, if any, ends. Raises Unauthenticated, NotFound."""
    sessions = visit.pages.node.sessions
    sessions.end(visit.request.cookies.get(visit.pages.cookie, ""))
    chosen = visit.one("who")
    if chosen:
        offer = next((one for one in visit.pages.offers if one.id == chosen), None)
        if offer is None:
            raise NotFound("session.offer", "nobody of this name can enter here")
        token = offer.enter()
    else:
        token = sessions.redeem(visit.one("code"))
    return entered(visit, token)


def sign_in_by_passkey(visit: Visit) -> Response:
    """Open the session of whose passkey answered. The one before, if any, ends. Raises Unauthenticated, NotFound."""
    pages = visit.pages
    account = pages.passkeys.sign_in(visit.one("answer"))
    if account.kind == WALLET and account.name not in pages.wallets:
        raise NotFound("session.wallet", "this wallet is not kept here any more", todo="use your own copy of it")
    pages.node.sessions.end(visit.request.cookies.get(pages.cookie, ""))
    return entered(visit, enter(pages.node, account))


def to_provider(visit: Visit) -> Response:
    """Send staff to their organisation's provider. Raises NotFound, Unavailable."""
    address, browser = _provider(visit).start(_question(visit.asked("next")))
    answer = RedirectResponse(address, status_code=303, headers=dict(HEADERS))
    # Lax, because the browser comes back from another site; it opens nothing by itself.
    answer.set_cookie(
        _begun(visit), browser, max_age=600, httponly=True, secure=visit.pages.secure, samesite="lax", path=PROVIDER
    )
    return answer


def from_provider(visit: Visit) -> Response:
    """Open the session of whom the provider names. Raises Unauthenticated, Forbidden, NotFound, Unavailable."""
    told = visit.request.query_params.multi_items()
    token, question = _provider(visit).finish(dict(told), visit.request.cookies.get(_begun(visit), ""))
    visit.pages.node.sessions.end(visit.request.cookies.get(visit.pages.cookie, ""))
    # A page of ours leads on: a strict cookie does not travel with a redirect that another site began.
    answer = visit.page("leading", path=f"{ASK}{question}" if question else "/")
    _give(visit, answer, token)
    answer.delete_cookie(_begun(visit), path=PROVIDER)
    return answer


def _provider(visit: Visit) -> Provider:
    if visit.pages.provider is None:
        raise NotFound("oidc.none", "no provider is configured", todo="sign in another way")
    return visit.pages.provider


def _begun(visit: Visit) -> str:
    return f"salus-{visit.pages.node.member}-oidc"


def entered(visit: Visit, token: str) -> Response:
    """Hand a session's token to the browser and go where its owner wants to be: to a question that waits, else home."""
    question = _question(visit.one("next"))
    answer = to(f"{ASK}{question}" if question else "/")
    _give(visit, answer, token)
    return answer


def _give(visit: Visit, answer: Response, token: str) -> None:
    answer.set_cookie(visit.pages.cookie, token, httponly=True, secure=visit.pages.secure, samesite="strict", path="/")


def _question(name: str) -> str:
    """Return the name of a program's question if it has the form of one: nothing else decides where a browser goes."""
    return name if re.fullmatch("[0-9a-f]{64}", name) else ""


def passkeys(visit: Visit) -> Response:
    """Show the passkeys of who is there, and the form to make one. Raises Unauthenticated, Forbidden."""
    account = _account(visit)
    session = visit.known()
    own = [
        (one, session.name(one, "passkey", one.id.hex())) for one in visit.pages.node.accounts.passkeys(account.handle)
    ]
    full = len(own) >= MOST
    options = "" if full else visit.pages.passkeys.to_make(account, visit.home)
    return visit.page("passkeys", script="passkey.js", own=own, full=full, options=options)


def make_passkey(visit: Visit) -> Response:
    """Keep a passkey that the browser made. Raises Unauthenticated, Forbidden, Conflict."""
    visit.pages.passkeys.make(_account(visit), visit.one("answer"), visit.one("label"))
    return to("/passkeys")


def drop_passkey(visit: Visit) -> Response:
    """Forget a passkey. Raises Unauthenticated, Forbidden, NotFound."""
    account = _account(visit)
    one = visit.known().thing(visit.one("passkey"))
    if not isinstance(one, Passkey):
        raise NotFound("session.address", "this form names no passkey", todo="open the page again")
    visit.pages.node.accounts.drop_passkey(account.handle, one.id)
    return to("/passkeys")


def _account(visit: Visit) -> Account:
    """Return the account of who is there. Raises Unauthenticated, Forbidden."""
    session = visit.known()
    if session.wallet and not session.handle:
        visit.wallet()
        session.handle = keep_account(visit.pages.node, WALLET, session.wallet).handle
    found = visit.pages.node.accounts.account_of(session.handle) if session.handle else None
    if found is None:
        raise Forbidden(
            "passkey.not-yours", "this sign-in may make no passkey", todo="ask your operator for a link that lets you"
        )
    return found


def sign_out(visit: Visit) -> Response:
    """End the session."""
    visit.pages.node.sessions.end(visit.request.cookies.get(visit.pages.cookie, ""))
    answer = to("/")
    answer.delete_cookie(visit.pages.cookie, httponly=True, secure=visit.pages.secure, samesite="strict", path="/")
    return answer


def asset(visit: Visit) -> Response:
    """Return the style sheet. Raises NotFound."""
    return _kept(visit, served(visit.part("name")))


def script(visit: Visit) -> Response:
    """Return a module. Raises NotFound."""
    return _kept(visit, rendering.script(visit.part("name")))


def _kept(visit: Visit, found: tuple[bytes, str] | None) -> Response:
    return nothing(visit) if found is None else kept(*found, visit.request.headers.get("accept-encoding", ""))


def nothing(visit: Visit) -> Response:
    """Say that nothing is here. Raises NotFound."""
    raise NotFound("page.none", "there is no such page", got=visit.request.url.path[:64], todo="go to the first page")
