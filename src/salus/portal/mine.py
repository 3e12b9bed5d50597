"""For patients whose wallet this member hosts: the record, who can see it, who has looked, stop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from salus.node.errors import NotFound
from salus.node.wallet.log import FOREIGN, LEFT_OUT, NO_LINE, OLDER, SHORTER
from salus.node.wallet.reading import OwnRecord, list_own
from salus.node.wallet.seeing import SeenLine, read_log
from salus.node.wallet.sharing import list_grants, stop
from salus.portal.benefits import benefits
from salus.portal.charting import indented, measured
from salus.portal.ledger import as_csv
from salus.portal.visiting import Visit, to

PAGE: Final = 50
OWN: Final = "PATRQT"  # v3-ActReason: the patient asked

HOLES: Final = {
    LEFT_OUT: "left_out",
    OLDER: "older",
    FOREIGN: "foreign",
    SHORTER: "shorter",
    NO_LINE: "broken",
    "exchange.unreachable": "unreachable",
}
"""What is missing from a log, to the name of its words; any other code is a member's refusal."""


@dataclass(frozen=True, slots=True)
class OnePermission:
    """A permission that an address or form of this session names."""

    grant: str


def record(visit: Visit) -> Response:
    """Show the own record, newest first, of all members or by kind."""
    session = visit.known()
    kind, page = visit.asked("kind"), visit.asked("page")
    at = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 0
    found = visit.on_wallet(list_own)
    kinds = sorted({one.type for one in found.records})
    chosen = [one for one in found.records if not kind or one.type == kind]
    lines = [
        (
            one,
            f"/my/record/{session.name(one, 'own', one.member, one.type, one.id, str(one.version))}",
            ", ".join(f"{value} {unit}".strip() for _, _, value, unit in measured(one.type, one.body)),
        )
        for one in chosen[at * PAGE : (at + 1) * PAGE]
    ]
    return visit.page(
        "my_record",
        lines=lines,
        total=len(chosen),
        missing=found.missing,
        kind=kind if kind in kinds else "",
        kinds=kinds,
        at=at,
        more=len(chosen) > (at + 1) * PAGE,
    )


def one(visit: Visit) -> Response:
    """Show one record in plain words with the original beside it. Raises NotFound."""
    visit.wallet()
    found = visit.known().thing(visit.part("name"))
    if not isinstance(found, OwnRecord):
        raise NotFound("session.address", "this address names no record")
    values = [(what, f"{value} {unit}".strip()) for _, what, value, unit in measured(found.type, found.body)]
    explained = benefits(found.type, found.body)
    return visit.page(
        "my_one", record=found, values=values, text=indented(found.body), name=visit.part("name"), benefits=explained
    )


def sharing(visit: Visit) -> Response:
    """Show who can see, and who no longer can."""
    session = visit.known()
    grants = [
        (each, session.name(OnePermission(each.grant), "permission", each.grant))
        for each in reversed(visit.on_wallet(list_grants).grants)
    ]
    return visit.page(
        "my_sharing",
        live=[pair for pair in grants if pair[0].standing == "live"],
        past=[pair for pair in grants if pair[0].standing != "live"],
    )


def stop_sharing(visit: Visit) -> Response:
    """Stop one permission. A second click finds it stopped. Raises NotFound."""
    visit.wallet()
    asked = visit.known().thing(visit.one("permission"))
    if not isinstance(asked, OnePermission):
        raise NotFound("session.address", "this form names no permission", todo="open the page again")
    with visit.known().lock:
        standing = {each.grant: each.standing for each in visit.on_wallet(list_grants).grants}
        if standing.get(asked.grant) == "live":
            visit.on_wallet(stop, grant=asked.grant)
    return to("/my/sharing")


def looked(visit: Visit) -> Response:
    """Show who has looked, over all members, newest first, as the address asks."""
    log = visit.on_wallet(read_log)
    chosen = _chosen(visit, log.lines)
    members = sorted({_reader(each.told_by, each.side, each.member) for each in log.lines})
    purposes = sorted({each.purpose for each in log.lines})
    asked = {name: visit.asked(name) for name in ("by", "why", "since", "until", "own")}
    return visit.page(
        "my_looked",
        lines=chosen,
        total=len(log.lines),
        members=members,
        purposes=purposes,
        asked=asked,
        query=urlencode({name: value for name, value in asked.items() if value}),
        gaps=log.gaps,
        holes=HOLES,
    )


def looked_csv(visit: Visit) -> Response:
    """Return the lines that the address asks for as CSV, newest first."""
    return as_csv("who-has-looked", _chosen(visit, visit.on_wallet(read_log).lines))


def _chosen(visit: Visit, lines: Sequence[SeenLine]) -> list[SeenLine]:
    """Return the lines by who, why and when, newest first; own visits only where they are asked for."""
    by, why, since, until = (visit.asked(name) for name in ("by", "why", "since", "until"))
    return [
        each
        for each in reversed(lines)
        if (visit.asked("own") or why == OWN or each.purpose != OWN)
        and (not by or _reader(each.told_by, each.side, each.member) == by)
        and (not why or each.purpose == why)
        and (not since or each.time >= since)
        and (not until or each.time < until)
    ]


def _reader(told_by: str, side: str, member: str) -> str:
    """Return who read: of a grantee's line the member that tells it, of a custodian's the one it names."""
    return told_by if side == "grantee" else member
