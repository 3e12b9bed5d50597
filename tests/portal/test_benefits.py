"""An explanation of benefits as patients read it: who billed, who decided, what is paid and left, why, how to object."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from salus.agreements.claims.decide import decide
from salus.agreements.claims.eob import explanation
from salus.node.records.intake import Intake
from salus.portal.benefits import KIND, Amount, benefits, money
from salus.portal.rendering import script_path
from tests.agreements.claims.cases import PLAN, RATES, claim, facts, line
from tests.portal.conftest import links
from tests.portal.test_browser import look


def told(**changes: Any) -> dict[str, Any]:
    made = decide(claim(line(), line(2, "G0403", 7000)), PLAN, RATES, facts(control="H1"))
    return msgspec.json.decode(msgspec.json.encode(explanation(made) | changes))


def written(**changes: Any) -> str:
    return msgspec.json.encode(told(**changes)).decode()


def test_a_bill_is_told_by_its_sums_and_lines() -> None:
    found = benefits(KIND, written())
    assert found is not None
    assert (found.provider, found.payer, found.outcome) == ("CEDAR CLINIC", "HARBOR HEALTH", "paid")
    sums = [one.value for one in (found.billed, found.paid, found.yours) if one is not None]
    assert sums == [Decimal(220), Decimal(0), Decimal(100)]
    assert found.contestable
    first, second = found.lines
    assert (first.what, first.day) == ("G0402", "2025-03-01")
    assert [(one.amount, one.code) for one in second.taken] == [(Amount(Decimal(70), "USD"), "97")]
    assert [one.code for one in first.taken] == ["45", "3", "1"]


def test_what_was_taken_back_owes_nothing_and_is_not_contested() -> None:
    found = benefits(KIND, written(status="cancelled"))
    assert found is not None
    assert (found.outcome, found.paid, found.yours, found.contestable) == ("cancelled", None, None, False)


@pytest.mark.parametrize(
    "body",
    [
        '{"total": 1, "item": {"a": 1}, "identifier": ["x"], "payment": [], "provider": "x"}',
        '{"total": [3, {"category": {"coding": "x"}, "amount": {"value": "9"}}], "item": ["x", {"adjudication": [1]}]}',
        "[1, 2]",
        '{"total": [{"category": {"coding": []}, "amount": {"value": true}}]}',
    ],
)
def test_what_another_system_wrote_crookedly_is_left_out(body: str) -> None:
    found = benefits(KIND, body)
    assert found is not None
    assert (found.billed, found.paid, found.yours, found.provider) == (None, None, None, "")
    assert (benefits("Observation", body), benefits(KIND, body[:-1])) == (None, None)


def test_money_is_written_as_the_language_does() -> None:
    amount = Amount(Decimal("1220.5"), "USD")
    assert (money("en", amount), money("de", amount)) == ("$1,220.50", "1.220,50 $")
    assert (money("en", Amount(Decimal(3), "CHF")), money("de", Amount(Decimal(3), ""))) == ("CHF 3.00", "3,00")


@pytest.fixture(scope="module")
def billed(sites, tmp_path_factory):
    """The first patient's record holds a bill, and one that was taken back."""
    file = tmp_path_factory.mktemp("bills") / "bills.ndjson"
    patient = {"reference": "Patient/p1"}
    file.write_text(f"{written(id='b1', patient=patient)}\n{written(id='b2', patient=patient, status='cancelled')}\n")
    Intake(sites["north"].node, "urn:source:north").run([file])
    return sites["north"]


def test_the_hosted_patient_reads_it_in_both_languages(billed) -> None:
    browser = billed.patient()
    paths = links(browser.get("/my/record", params={"kind": KIND}).text, "/my/record/")
    pages = sorted((browser.get(path).text for path in paths), key=lambda one: "Taken back" in one)
    for words in ("Who billed", "CEDAR CLINIC", "You owe", "$100.00", "is part of another line", "salus wallet appeal"):
        assert words in pages[0], words
    assert "Taken back. You owe nothing." in pages[1]
    assert "$100.00" not in pages[1].partition("<pre")[0]
    german = {"accept-language": "de"}
    page = next(
        text for path in paths if "zurückgenommen" not in (text := browser.get(path, headers=german).text).lower()
    )
    for words in ("Wer die Rechnung stellt", "Sie zahlen", "100,00 $", "gehört zu einer anderen Zeile", "Einspruch"):
        assert words in page, words


@pytest.mark.parametrize(("language", "owed"), [("en-US", "$100.00"), ("de-DE", "100,00\xa0$")])
def test_the_wallet_in_the_browser_says_the_same(chromium, address, language: str, owed: str) -> None:
    context = chromium.new_context(locale=language, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{address}/wallet")
    page.evaluate(
        """async ([path, one, gone]) => {
          const { explained } = await import(path);
          const told = JSON.parse(document.querySelector("#wallet").dataset.texts);
          const page = { t: (key) => told[key], when: (day) => day, told };
          const main = document.querySelector("main");
          const head = document.createElement("h1");
          head.textContent = "A bill";
          main.replaceChildren(head, ...explained(one, page), ...explained(gone, page), ...explained(
            { ...one, total: [{ amount: { value: "1", currency: "dollars" } }], item: "x", identifier: 7 }, page), ...explained({ resourceType: "Patient" }, page));
        }""",
        [script_path("benefits.js"), told(), told(status="cancelled")],
    )
    text = page.locator("main").inner_text()
    assert text.count(owed) == 2  # the sum, and its line
    assert ("salus wallet appeal" in text, "CEDAR CLINIC" in text, "HARBOR HEALTH" in text) == (True, True, True)
    assert look(page) == []
    context.close()
