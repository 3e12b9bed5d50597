"""Coming and going: the first page, signing in, signing out."""

from starlette.responses import Response

from salus.node.errors import NotFound
from salus.portal.rendering import styled
from salus.portal.visiting import Visit, to


def home(visit: Visit) -> Response:
    """Go where whoever is there wants to be; tell a stranger what this is."""
    if visit.session is None:
        return visit.page("home")
    return to("/my/record" if visit.session.wallet else "/patients")


def sign_in_page(visit: Visit) -> Response:
    """Show how to sign in: with the code of a link, or, in the demo, as somebody."""
    return visit.page("sign_in", code=visit.asked("code"), offers=visit.pages.offers)


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
    answer = to("/")
    answer.set_cookie(visit.pages.cookie, token, httponly=True, secure=visit.pages.secure, samesite="strict", path="/")
    return answer


def sign_out(visit: Visit) -> Response:
    """End the session."""
    visit.pages.node.sessions.end(visit.request.cookies.get(visit.pages.cookie, ""))
    answer = to("/")
    answer.delete_cookie(visit.pages.cookie, httponly=True, secure=visit.pages.secure, samesite="strict", path="/")
    return answer


def stylesheet(visit: Visit) -> Response:  # noqa: ARG001 -- a Handler
    """Return the style sheet."""
    return styled()


def nothing(visit: Visit) -> Response:
    """Say that nothing is here. Raises NotFound."""
    raise NotFound("page.none", "there is no such page", got=visit.request.url.path[:64], todo="go to the first page")
