"""What each pane says when there is nothing to show, while it is at work, and when the node cannot show it."""

import pytest

from salus.node.errors import Unavailable
from salus.node.usecase import LOCAL_OPERATOR
from salus.portal.rendering import text
from tests.portal.conftest import form, links

EMPTY = {
    "operator": {
        "/operator/proposals": ("proposals.empty",),
        "/operator/waiting": ("waiting.empty",),
        "/operator/messages": ("letters.empty",),
        "/operator/people": ("people.no_accounts", "people.no_apps"),
    },
    "staff": {
        "/access": ("access.held_empty", "access.waiting_empty"),
        "/reviews": ("emergency.empty", "reviews.no_corrections"),
        "/worklist": ("worklist.empty",),
        "/duplicates": ("duplicates.empty",),
        "/duplicates?standing=same": ("duplicates.none_same",),
        "/duplicates?standing=different": ("duplicates.none_different",),
        "/apps": ("apps.empty",),
    },
    "patient": {
        "/my/record?kind=Claim": ("my.empty",),
        "/my/sharing": ("sharing.empty",),
        "/my/looked?by=nobody": ("looked.empty",),
        "/my/requests": ("correct.empty",),
        "/my/summary": ("summary.none",),
        "/passkeys": ("passkeys.empty",),
        "/apps": ("apps.empty",),
    },
    "anyone": {"/ledger?before=1": ("ledger.empty",)},
}
CHART = {
    "": ("chart.none",),
    "/timeline?type=Procedure": ("timeline.empty",),
    "/results": ("results.empty",),
    "/apps": ("apps.none",),
}


@pytest.fixture(scope="module")
def entered(sites):
    """Everybody, signed in where nothing has happened yet."""
    north = sites["north"]
    operator = north.browser()
    operator.cookies.set("salus-north", north.node.sessions.open(LOCAL_OPERATOR, north.node.now() + 3_600_000))
    staff = north.staff("registrar", ("TREAT", "HOPERAT"))
    return {"staff": staff, "patient": north.patient(), "operator": operator, "anyone": north.browser()}


def says(page, key, language="en", **facts) -> bool:
    return text(language, key, **facts).replace("'", "&#39;") in page.text


@pytest.mark.parametrize(("who", "path"), [(who, path) for who, panes in EMPTY.items() for path in panes])
def test_a_pane_with_nothing_in_it_says_so(entered, who, path) -> None:
    for language in ("en", "de"):
        page = entered[who].get(path, headers={"accept-language": language})
        assert page.status_code == 200
        assert [key for key in EMPTY[who][path] if not says(page, key, language)] == []


def test_a_chart_with_nothing_in_it_says_so_and_so_does_a_search(entered) -> None:
    staff = entered["staff"]
    token = form(staff.get("/patients").text, "/patients")
    assert says(staff.post("/patients", data={**token, "name": "zz"}), "find.empty")
    chart = links(staff.post("/patients", data={**token, "name": "third"}).text, "/chart/")[0]
    for path, keys in CHART.items():
        assert [key for key in keys if not says(staff.get(chart + path), key)] == []


PATHS = {
    "staff": ("/patients", "/access", "/reviews", "/worklist", "/duplicates", "/emergency"),
    "patient": ("/my/record", "/my/sharing", "/my/looked", "/my/requests", "/my/summary", "/my/keys"),
    "operator": ("/operator", "/operator/proposals", "/operator/waiting", "/operator/messages", "/operator/people"),
    "anyone": ("/", "/sign-in", "/ledger", "/ledger/members", "/ledger/verify", "/wallet"),
}


@pytest.mark.parametrize("who", PATHS)
def test_a_node_that_takes_nothing_more_still_shows_each_pane_or_says_why_not(north, entered, who) -> None:
    north.node.stopped = "ledger.stopped"
    try:
        pages = {path: entered[who].get(path) for path in PATHS[who]}
    finally:
        north.node.stopped = ""
    for path, page in pages.items():
        told = says(page, "refused.title") and "ledger.stopped" in page.text
        assert (page.status_code == 200) or (page.status_code == 503 and told), path
    if who == "anyone":
        assert says(pages["/ledger"], "ledger.stopped", code="ledger.stopped")


WITHHELD = Unavailable("node.unconfirmed", "too few others have confirmed the ledger's head", todo="wait")


@pytest.mark.parametrize("who", PATHS)
def test_a_node_that_cannot_know_whom_it_erased_says_so_on_every_page_about_patients(north, entered, who) -> None:
    usual = north.node.withholding
    north.node.withholding = lambda *, ask: WITHHELD  # noqa: ARG005 -- as `Confirming`
    try:
        pages = {path: entered[who].get(path) for path in PATHS[who]}
        fhir = north.browser().get("/fhir/Patient", headers={"accept": "text/html"})
    finally:
        north.node.withholding = usual
    assert (fhir.status_code, "node.unconfirmed" in fhir.text) == (503, True)
    for path, page in pages.items():
        assert page.headers["content-type"].startswith("text/html"), path
        if who == "anyone":
            assert page.status_code == 200, path
        else:
            assert (page.status_code, "node.unconfirmed" in page.text, says(page, "refused.title")) == (503, True, True)
