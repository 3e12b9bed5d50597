"""For the operator: how the node and the network stand, proposals and ballots, what waits, who and what may come in."""

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

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
from salus.portal.visiting import Visit, to

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
        (one, session.name(OneProposal(one.proposal), "proposal", one.proposal))
        for one in reversed(visit.call(list_proposals, all=True).proposals)
    ]
    return visit.page("proposals", lines=lines)


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
