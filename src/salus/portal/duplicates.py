"""For registrars: pairs of patients that may be one person, side by side, decided, and taken back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from salus.node.errors import Conflict, Forbidden, NotFound
from salus.node.identity import compare, decide, list_pairs, show, undo
from salus.node.records.charts import find_patients
from salus.node.sessions import Session
from salus.node.usecase import Caller
from salus.portal.charting import EMPTY, sought
from salus.portal.visiting import Visit, to

STANDINGS: Final = ("waiting", "same", "different")
MOST: Final = 100
"""Pairs on one page: a morning's work, the likeliest first; what is decided makes room for the next."""
ROWS: Final = (
    ("names", ("family", "given")),
    ("birth_date", ("birth date",)),
    ("gender", ("gender",)),
    ("identifiers", ("identifier",)),
    ("contacts", ("phone", "email", "address")),
)
"""What is shown of each of the two, and the fields that were compared in it."""


def decides(caller: Caller) -> bool:
    """Tell whether a caller decides on pairs: a registrar who may read for the organisation's running."""
    return caller.role == "registrar" and "HOPERAT" in caller.purposes


@dataclass(frozen=True, slots=True)
class OnePair:
    """A pair that an address of this session names."""

    pair: str


@dataclass(frozen=True, slots=True)
class OneLink:
    """A patient's link that a form of this session names."""

    link: str


def pairs(visit: Visit) -> Response:
    """Show the pairs that wait for a decision, or that were found to be of one person or of two: never who they are."""
    session = visit.staff()
    asked = visit.asked("standing")
    standing = asked if asked in STANDINGS else STANDINGS[0]
    found = visit.call(list_pairs, standing=standing, limit=MOST).pairs
    lines = [(one, f"/duplicates/{pair_name(session, one.pair)}") for one in found]
    return visit.page("duplicates", lines=lines, standing=standing, standings=STANDINGS, full=len(lines) == MOST)


def pair(visit: Visit) -> Response:
    """Show two patients side by side, with what speaks for and against their being one. Raises NotFound."""
    name = visit.part("name")
    found = visit.call(show, pair=_named(visit, name).pair)
    says = {one.field: one for one in found.line.evidence}
    rows = [
        (shown, [getattr(side, shown) for side in found.sides], [says[one] for one in fields if one in says])
        for shown, fields in ROWS
    ]
    return visit.page("pair", name=name, found=found, rows=rows)


def by_hand(visit: Visit) -> Response:
    """Show the search for two patients whom no match has found, and whom the last one finds now. Raises Forbidden."""
    session = visit.staff()
    if not visit.caller.may(compare.who):
        raise Forbidden("http.not-for-you", "this is not for your role", expected=str(compare.who), todo="ask who may")
    sides = []
    for search in session.two or ():
        found = visit.call(find_patients, **search, purpose="HOPERAT").patients
        sides.append([(one, session.name(OneLink(one.link), "link", one.link)) for one in found if one.link])
    return visit.page("compare", searches=session.two or (EMPTY, EMPTY), sides=sides)


def look_for(visit: Visit) -> Response:
    """Keep the two searches in the session, so that no address tells them. Raises Malformed."""
    visit.staff().two = (sought(visit, "1"), sought(visit, "2"))
    return to("/duplicates/compare")


def lay_beside(visit: Visit) -> Response:
    """Keep two patients as a pair that waits for a decision, and show it. Raises NotFound, Malformed."""
    session = visit.staff()
    two = [session.thing(visit.one(side)) for side in ("one", "other")]
    links = [one.link for one in two if isinstance(one, OneLink)]
    if len(links) < 2:
        raise NotFound("session.address", "this form names no two patients", todo="choose one on each side")
    shown = visit.call(compare, one=links[0], other=links[1])
    return to(f"/duplicates/{pair_name(session, shown.line.pair)}")


def settle(visit: Visit) -> Response:
    """Say that the two are one person, or two. Raises NotFound, Malformed, Conflict."""
    one = _named(visit, visit.one("pair"))
    return _turned(
        visit,
        lambda: visit.call(
            decide, pair=one.pair, standing=visit.one("standing"), reason=visit.one("reason"), stood=visit.one("stood")
        ),
    )


def take_back(visit: Visit) -> Response:
    """Put a pair back to wait. Raises NotFound, Malformed, Conflict."""
    one = _named(visit, visit.one("pair"))
    return _turned(visit, lambda: visit.call(undo, pair=one.pair, reason=visit.one("reason"), stood=visit.one("stood")))


def pair_name(session: Session, pair: str) -> str:
    """Return the name, in addresses of this session, of a pair."""
    return session.name(OnePair(pair), "pair", pair)


def _turned(visit: Visit, turn: Callable[[], object]) -> Response:
    """Decide, and show the pair as it stands now: so after a second click too, which finds it decided."""
    try:
        turn()
    except Conflict as error:
        if error.code != "identity.decided":
            raise
    return to(f"/duplicates/{visit.one('pair')}")


def _named(visit: Visit, name: str) -> OnePair:
    """Return the pair that an address or a form names. Raises Unauthenticated, Forbidden, NotFound."""
    one = visit.staff().thing(name)
    if not isinstance(one, OnePair):
        raise NotFound("session.address", "this address names no pair", todo="go back to the list")
    return one
