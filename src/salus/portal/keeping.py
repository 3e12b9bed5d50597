"""A wallet that a member keeps: its patient's keys and places; and elsewhere the patient's word before the keeper reads."""

from starlette.responses import Response

from salus.node import hosted
from salus.node.hosted import Terms
from salus.node.hosting_tables import Question
from salus.node.wallet.joining import join, show
from salus.node.wallet.restoring import sheet
from salus.portal.visiting import Visit, to


def keys(visit: Visit) -> Response:
    """Show the places that the wallet has joined, and how to take its keys along."""
    members = [one.member for one in visit.on_wallet(show).members]
    return visit.page("my_keys", members=members)


def add(visit: Visit) -> Response:
    """Join another place by the invitation that it gave. Raises Malformed, Forbidden, Unavailable."""
    visit.on_wallet(join, invitation=visit.one("invitation"))
    return to("/my/keys")


def make_sheet(visit: Visit) -> Response:
    """Make a recovery sheet and show it once. With it the patient opens the wallet in a browser of their own."""
    made = visit.on_wallet(sheet)
    return visit.page("my_sheet", sheet=made.sheet, members=made.members)


def confirm(visit: Visit) -> Response:
    """Show what the member that keeps a wallet would read here, to whoever has the code sent to the patient. Raises NotFound."""
    code = visit.asked("code")
    found = hosted.asked_by_code(visit.pages.node, code) if code else None
    return _page(visit, code, found)


def say(visit: Visit) -> Response:
    """Take the patient's word, or, with a code alone, show what it is about. Raises NotFound."""
    code, word = visit.one("code"), visit.one("word")
    found = hosted.asked_by_code(visit.pages.node, code)
    if word not in {"yes", "no"}:
        return _page(visit, code, found)
    hosted.answer(visit.pages.node, found[0], yes=word == "yes")
    return visit.page("confirm", code="", asked=None, word=word)


def _page(visit: Visit, code: str, found: tuple[Question, Terms] | None) -> Response:
    return visit.page("confirm", code=code, asked=found[1] if found else None, word="")
