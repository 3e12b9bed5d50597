"""The routes of a member's pages."""

from typing import Final

from starlette.routing import BaseRoute, Route

from salus.portal import (
    apps,
    asking,
    charting,
    entering,
    giving,
    ledger,
    mine,
    operating,
    reviewing,
    scanning,
    walleting,
    wishing,
)
from salus.portal.visiting import Handler, Pages, endpoint

GET: Final[tuple[tuple[str, Handler], ...]] = (
    ("/", entering.home),
    ("/sign-in", entering.sign_in_page),
    ("/assets/{digest}/{name}", entering.asset),
    ("/scripts/{digest}/{name:path}", entering.script),
    ("/sign-in/oidc", entering.to_provider),
    ("/sign-in/oidc/done", entering.from_provider),
    ("/passkeys", entering.passkeys),
    ("/wallet", walleting.wallet),
    ("/patients", charting.patients),
    ("/chart/{name}", charting.summary),
    ("/chart/{name}/timeline", charting.timeline),
    ("/chart/{name}/results", charting.results),
    ("/chart/{name}/apps", apps.chart_apps),
    ("/chart/{name}/results/{measure}", charting.measure),
    ("/record/{name}", charting.record),
    ("/smart/authorize", apps.authorize),
    ("/apps", apps.mine),
    ("/apps/ask/{name}", apps.ask),
    ("/access", asking.permissions),
    ("/access/{name}", asking.code),
    ("/emergency", asking.emergency),
    ("/emergency/{name}", asking.emergency_summary),
    ("/worklist", asking.todo),
    ("/scan", scanning.form),
    ("/reviews", reviewing.reviews),
    ("/operator", operating.overview),
    ("/operator/proposals", operating.proposals),
    ("/operator/waiting", operating.waiting_deliveries),
    ("/operator/people", operating.people),
    ("/my/record", mine.record),
    ("/my/record/{name}", mine.one),
    ("/my/export.json", wishing.export),
    ("/my/summary", wishing.summary),
    ("/my/requests", wishing.requests),
    ("/my/share", giving.form),
    ("/my/share/{name}", giving.one),
    ("/my/sharing", mine.sharing),
    ("/my/looked", mine.looked),
    ("/my/looked.csv", mine.looked_csv),
    ("/ledger", ledger.blocks),
    ("/ledger/blocks.csv", ledger.blocks_csv),
    ("/ledger/blocks/{height}", ledger.block),
    ("/ledger/find", ledger.find),
    ("/ledger/members", ledger.members),
    ("/ledger/members.csv", ledger.members_csv),
    ("/ledger/verify", ledger.verify),
    ("/ledger/trust.json", ledger.trust),
    ("/ledger/path", ledger.path),
    ("/ledger/transactions/{id}", ledger.transaction),
    ("/ledger/transactions/{id}/receipt", ledger.receipt),
)
POST: Final[tuple[tuple[str, Handler], ...]] = (
    ("/sign-in", entering.sign_in),
    ("/sign-in/passkey", entering.sign_in_by_passkey),
    ("/sign-out", entering.sign_out),
    ("/passkeys", entering.make_passkey),
    ("/passkeys/drop", entering.drop_passkey),
    ("/patients", charting.search),
    ("/patients/forget", charting.forget),
    ("/apps/find", apps.find),
    ("/apps/allow", apps.allow),
    ("/apps/deny", apps.deny),
    ("/apps/launch", apps.launch),
    ("/apps/stop", apps.stop),
    ("/access", asking.ask),
    ("/access/pull", asking.pull),
    ("/emergency", asking.open_emergency_access),
    ("/emergency/review", asking.review),
    ("/my/stop", mine.stop_sharing),
    ("/my/correct", wishing.ask_correction),
    ("/my/erase", wishing.ask_erasure),
    ("/my/share", giving.read),
    ("/my/share/preview", giving.show),
    ("/my/share/give", giving.give),
    ("/reviews/correction", reviewing.answer),
    ("/scan", scanning.scan),
    ("/operator/vote", operating.cast),
    ("/operator/dismiss", operating.dismiss_person),
)
OURS: Final = (
    "/access",
    "/apps",
    "/chart",
    "/emergency",
    "/ledger",
    "/my",
    "/operator",
    "/patients",
    "/record",
    "/reviews",
)


def routes(pages: Pages) -> list[BaseRoute]:
    """Return the routes. Below the pages' own addresses, what is not there is said by a page."""
    found = [Route(path, endpoint(pages, handler), methods=["GET"]) for path, handler in GET]
    found += [Route(path, endpoint(pages, handler), methods=["POST"]) for path, handler in POST]
    found += [Route(f"{path}/{{rest:path}}", endpoint(pages, entering.nothing), methods=["GET"]) for path in OURS]
    return list(found)
