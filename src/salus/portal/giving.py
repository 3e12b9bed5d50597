"""For patients: answer a request for access. What is asked, what of it to give, exactly what would be seen, then give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from salus.node.errors import Malformed, NotFound
from salus.node.wallet.joining import show as show_wallet
from salus.node.wallet.reading import list_own
from salus.node.wallet.sharing import RequestRead, grant, read_request
from salus.node.wallet.wishing import preview
from salus.portal.visiting import Visit, to

DAYS: Final = (1, 7, 30, 90, 365)
USUAL: Final = 30


@dataclass(frozen=True, slots=True)
class OneRequest:
    """A request that an address or form of this session names."""

    code: str
    asked: RequestRead
    once: str
    """The form that gives is good once."""


def form(visit: Visit) -> Response:
    """Show where the code of a request goes."""
    visit.wallet()
    return visit.page("my_share")


def read(visit: Visit) -> Response:
    """Read a code, keep the request in the session. Raises as `wallet.request`."""
    code = visit.one("code")
    asked = visit.on_wallet(read_request, code=code)
    once = visit.pages.node.entropy(16).hex()
    return to(f"/my/share/{visit.known().name(OneRequest(code, asked, once), 'share', once)}")


def one(visit: Visit) -> Response:
    """Show exactly what is asked, and what of it can be given. Raises NotFound."""
    return _choice(visit, _request(visit, visit.part("name")), visit.part("name"), {}, None)


def show(visit: Visit) -> Response:
    """Show exactly what would be seen. Nothing is given. Raises NotFound, Malformed."""
    name = visit.one("request")
    request = _request(visit, name)
    chosen = _chosen(visit)
    found = visit.on_wallet(preview, code=request.code, **chosen)
    labels = {(one.member, one.type, one.id): one for one in visit.on_wallet(list_own).records}
    seen = [(line, labels.get((line.member, line.type, line.id))) for line in found.records]
    return _choice(visit, request, name, {**chosen, "days": visit.one("days")}, (seen, found.more))


def give(visit: Visit) -> Response:
    """Give what was chosen, once for each request read: a second click changes nothing. Raises NotFound, Malformed."""
    session = visit.known()
    request = _request(visit, visit.one("request"))
    once = f"share {request.once}"
    with session.lock:
        if once not in session.done:
            days = visit.one("days")
            visit.on_wallet(grant, code=request.code, days=days or USUAL, **_chosen(visit))
            session.done[once] = "given"
    return to("/my/sharing")


def _request(visit: Visit, name: str) -> OneRequest:
    visit.wallet()
    found = visit.known().thing(name)
    if not isinstance(found, OneRequest):
        raise NotFound("session.address", "this address names no request", todo="read the code again")
    return found


def _chosen(visit: Visit) -> dict[str, Any]:
    """Return what the form says is to be given. Raises Malformed when nothing is: an empty choice never means all."""
    if not visit.form.get("class") or not visit.form.get("from"):
        raise Malformed("share.nothing", "nothing was chosen", todo="choose what, and from where; or leave the page")
    return {
        "classes": visit.form.get("class", ()),
        "share_from": visit.form.get("from", ()),
        "since": visit.one("since"),
        "until": visit.one("until"),
    }


def _choice(visit: Visit, request: OneRequest, name: str, chosen: Mapping[str, Any], seen: Any) -> Response:
    members = [one.member for one in visit.on_wallet(show_wallet).members if one.member != request.asked.member]
    days = chosen.get("days", "")
    return visit.page(
        "my_share_one",
        name=name,
        asked=request.asked,
        members=members,
        classes=chosen.get("classes") or request.asked.classes,
        sources=chosen.get("share_from") or members,
        since=chosen.get("since", ""),
        until=chosen.get("until", ""),
        days=DAYS,
        chosen_days=int(days) if days.isdigit() and int(days) in DAYS else USUAL,
        seen=seen,
        hosting=request.asked.member == visit.pages.node.member,
    )
