"""For the operator: how the node and the network stand, proposals and ballots, what waits, who and what may come in."""

import json
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from salus.contracts.membership.port import parameters
from salus.contracts.readable import to_readable
from salus.node.errors import NotFound
from salus.node.listening.browsing import list_messages, replay
from salus.node.listening.taking import HELD
from salus.node.network.directory import list_members, status
from salus.node.network.governing import list_proposals, vote
from salus.node.signing_in import dismiss, list_accounts
from salus.node.smart.clients import list_apps
from salus.node.upkeep.backups import backup_days
from salus.node.worklist import waiting
from salus.portal.ledger import as_csv
from salus.portal.rendering import plain, span, text
from salus.portal.visiting import Visit, to

THRESHOLD: Final = "thresholds."
SPANS: Final = frozenset(
    {"anchor_tick", "proposal_period", "grant_rounding", "grant_longest", "erasure_wait", "erasure_decide"}
    | {"erasure_backups", "retention_review", "research_period"}
)
"""Parameters in milliseconds."""
MOST: Final = 1_000
"""Messages on one page: whoever has more of them held has one cause to mend, not a thousand."""


@dataclass(frozen=True, slots=True)
class OneProposal:
    """A proposal that a form of this session names."""

    proposal: str


def overview(visit: Visit) -> Response:
    """Show how the node stands."""
    visit.operator()
    own = next((one for one in visit.call(list_members).members if one.id == visit.pages.node.member), None)
    return visit.page(
        "operator",
        stands=visit.call(status),
        own=own,
        waits=len(visit.call(waiting).deliveries),
        held=len(visit.call(list_messages, state=HELD, limit=MOST).messages),
        days=visit.call(backup_days).days,
    )


def proposals(visit: Visit) -> Response:
    """Show what members vote on, and the ballots."""
    session = visit.operator()
    lines = [
        (one, session.name(OneProposal(one.proposal), "proposal", one.proposal), changes(visit, one.act, one.detail))
        for one in reversed(visit.call(list_proposals, all=True).proposals)
    ]
    return visit.page("proposals", lines=lines)


def changes(visit: Visit, act: str, detail: str) -> list[tuple[str, str, str]]:
    """Return what an act would change, in words: (what, as it stands, as it would); of parameters those that differ."""
    told = json.loads(detail)
    if act != "set-parameters":
        return [(_what(visit, name), "", _worth(visit, name, value)) for name, value in told.items() if name != "type"]
    stands = to_readable(parameters(visit.pages.node.ledger.read()))
    pairs = [(name, stands.get(name), value) for name, value in told["parameters"].items() if name != "thresholds"]
    pairs += [
        (f"{THRESHOLD}{name}", stands["thresholds"].get(name), value)
        for name, value in told["parameters"]["thresholds"].items()
    ]
    return [
        (_what(visit, name), _worth(visit, name, now), _worth(visit, name, then))
        for name, now, then in pairs
        if now != then
    ]


def _what(visit: Visit, name: str) -> str:
    if name.startswith(THRESHOLD):
        act = plain(visit.language, name.removeprefix(THRESHOLD).replace("_", "-"), "acts")
        return text(visit.language, "parameters.threshold", act=act)
    return plain(visit.language, name, "parameters")


def _worth(visit: Visit, name: str, value: Any) -> str:
    """Return a value as a person reads it: a time in its largest unit, a share of the members, a member by its name."""
    if name.startswith(THRESHOLD):
        return f"{value['numerator']}/{value['denominator']}"
    if name in SPANS:
        return span(visit.language, value)
    if name == "member":
        return visit.named(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return plain(visit.language, str(value).lower(), "parameters") if isinstance(value, bool) else str(value)


def cast(visit: Visit) -> Response:
    """Cast this member's one ballot; the ledger takes no second one. Raises NotFound, Refused."""
    one = visit.operator().thing(visit.one("proposal"))
    if not isinstance(one, OneProposal):
        raise NotFound("session.address", "this form names no proposal", todo="open the page again")
    visit.call(vote, proposal=one.proposal, approve=visit.one("ballot") == "approve")
    return to("/operator/proposals")


def waiting_deliveries(visit: Visit) -> Response:
    """Show what waits to go out."""
    visit.operator()
    return visit.page("waiting", lines=visit.call(waiting).deliveries)


def waiting_csv(visit: Visit) -> Response:
    """Return what waits to go out as CSV."""
    visit.operator()
    return as_csv("waiting", visit.call(waiting).deliveries)


def letters(visit: Visit) -> Response:
    """Show the messages of intake that are held for a person: where they came from and why, never what they say."""
    visit.operator()
    return visit.page("letters", lines=visit.call(list_messages, state=HELD, limit=MOST).messages, most=MOST)


def letters_csv(visit: Visit) -> Response:
    """Return the messages that are held as CSV."""
    visit.operator()
    return as_csv("held-messages", visit.call(list_messages, state=HELD, limit=MOST).messages)


def try_again(visit: Visit) -> Response:
    """Try one message again; a second click finds it taken, or held as before. Raises NotFound."""
    visit.operator()
    visit.call(replay, id=(visit.one("message"),))
    return to("/operator/messages")


def proposals_csv(visit: Visit) -> Response:
    """Return every proposal as CSV."""
    visit.operator()
    return as_csv("proposals", visit.call(list_proposals, all=True).proposals)


def people(visit: Visit) -> Response:
    """Show who may come back with a passkey, and which programs may ask."""
    visit.operator()
    return visit.page("people", accounts=visit.call(list_accounts).accounts, apps=visit.call(list_apps).apps)


def people_csv(visit: Visit) -> Response:
    """Return who may come back with a passkey as CSV."""
    visit.operator()
    return as_csv("accounts", visit.call(list_accounts).accounts)


def apps_csv(visit: Visit) -> Response:
    """Return which programs may ask as CSV."""
    visit.operator()
    return as_csv("programs", visit.call(list_apps).apps)


def dismiss_person(visit: Visit) -> Response:
    """Let a person in no more."""
    visit.operator()
    visit.call(dismiss, subject=visit.one("subject"))
    return to("/operator/people")
