"""A member's commands on a real node: what each does, and what it says of the worst input."""

import json
import stat

import pytest

from tests.cli.conftest import Alone


def test_an_import_counts_what_it_took_and_what_it_refused(alone: Alone) -> None:
    told = json.loads((alone.folder / "imported.json").read_text())
    assert (told["stored"], told["patients"], told["resources"]) == (2, 1, 2)
    assert told["refused"]
    again = alone.told("records", "import", "in.ndjson", "--source", "urn:ehr:north")
    assert (again["stored"], again["unchanged"]) == (0, 2)


def test_what_is_kept_is_for_its_owner_alone(alone: Alone) -> None:
    data = alone.folder / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "keys.salus").stat().st_mode) == 0o600


def test_a_chart_is_journalled_and_anchored_before_it_is_shown(alone: Alone) -> None:
    (found,) = alone.told("records", "find", "--name", "ada")["patients"]
    assert (found["name"], found["birth_date"]) == ("Ada Marigold", "1970-05-05")
    link = found["link"]
    chart = alone.told("records", "chart", "--link", link, "--purpose", "HOPERAT")
    assert [line["type"] for line in chart["lines"]] == ["Observation", "Patient"]
    shown = alone.told("records", "show", str(chart["lines"][0]["number"]))
    assert '"value":72.50' in shown["body"]
    lines = alone.told("journal", "lines", "--link", link)["lines"]
    assert [(one["action"], one["purpose"], one["role"]) for one in lines[-3:]] == [
        ("find", "TREAT", "operator"),
        ("chart", "HOPERAT", "operator"),
        ("read", "TREAT", "operator"),
    ]
    assert all(len(one["transaction"]) == 64 for one in lines)


def test_a_chart_pages_and_filters(alone: Alone) -> None:
    (found,) = alone.told("records", "find", "--identifier", "urn:mrn:north|mrn-0815")["patients"]
    first = alone.told("records", "chart", "--link", found["link"], "--limit", "1")
    second = alone.told("records", "chart", "--link", found["link"], "--limit", "1", "--cursor", first["next"])
    assert (first["total"], [line["type"] for line in second["lines"]], second["next"]) == (2, ["Patient"], "")
    dated = alone.told("records", "chart", "--link", found["link"], "--since", "2026-03")
    assert [line["type"] for line in dated["lines"]] == ["Patient"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["records", "find"], "index.question"),
        (["records", "find", "--birth-date", "yesterday"], "index.question"),
        (["records", "find", "--identifier", "urn:mrn|"], "identifier.form"),
        (["records", "chart"], "chart.whose"),
        (["records", "chart", "--link", "0" * 32], "link.unknown"),
        (["records", "chart", "--grant", "0" * 64], "grant.not-held"),
        (["records", "chart", "--link", "0" * 32, "--grant", "0" * 64], "chart.whose"),
        (["records", "show", "999"], "record.unknown"),
        (["records", "import", "nowhere.json", "--source", "urn:x"], "intake.no-file"),
        (["journal", "lines", "--link", "0" * 32], "link.unknown"),
        (["link", "invite", "--system", "urn:mrn:north", "--value", "nobody"], "link.unknown"),
        (["link", "contact", "--link", "0" * 32, "--address", "a@b.example"], "link.unknown"),
        (["access", "ask", "--classes", "everything"], "access.classes"),
        (["access", "pull", "0" * 64], "grant.not-held"),
        (["erasure", "retain", "0" * 32, "--reason", "archiving"], "erasure.unknown"),
        (["erasure", "cancel", "0" * 32, "--rank", "in-person"], "erasure.unknown"),
    ],
)
def test_a_refusal_names_its_code(alone: Alone, line: list[str], code: str) -> None:
    exit_code, out, err = alone.salus(*line)
    assert (exit_code, out) == (1, "")
    assert err.startswith(f"{code}:"), err


@pytest.mark.parametrize(
    "line",
    [
        ["records", "import", "--source", "urn:x"],
        ["records", "chart", "--link", "xyz"],
        ["records", "show", "first"],
        ["access", "pull"],
        ["link", "contact", "--link", "0" * 32, "--address", "a\nb@c"],
        ["person", "issue", "--subject", "s", "--role", "nurse", "--purposes", "treat", "--key", "0" * 64],
    ],
)
def test_a_malformed_line_is_usage(alone: Alone, line: list[str]) -> None:
    exit_code, out, err = alone.salus(*line)
    assert (exit_code, out) == (2, "")
    assert err.startswith("cli."), err


def test_an_invitation_holds_what_a_wallet_needs(alone: Alone) -> None:
    told = alone.told("link", "invite", "--system", "urn:mrn:north", "--value", "mrn-0815")
    assert told["invitation"].startswith("salus-invitation:")
    (link,) = alone.told("link", "list")["links"]
    assert (link["link"], link["standing"], link["enrolled"], link["records"]) == (told["link"], "open", False, 2)
    assert alone.told("link", "contact", "--link", told["link"], "--address", "ada@example.org")


def test_a_request_for_access_stands_on_the_worklist_until_it_is_answered(alone: Alone) -> None:
    asked = alone.told("access", "ask", "--classes", "general", "--roles", "physician")
    assert asked["code"].startswith("salus-access:")
    assert asked["id"] in [one["id"] for one in alone.told("access", "list")["requests"]]
    assert ("access", asked["id"]) in [(one["kind"], one["subject"]) for one in alone.told("worklist")["tasks"]]
    assert alone.told("deliveries", "waiting") == {"deliveries": []}


def test_everything_kept_can_be_checked_and_anchored(alone: Alone) -> None:
    told = alone.told("records", "check")
    assert (told["damage"], told["unanchored"], told["index_behind"]) == ([], 0, False)
    assert told["records"] == 2
    assert alone.told("records", "anchor") == {"height": 0, "transaction": ""}
    assert alone.told("erasure", "list") == {"cases": []}
    assert alone.told("erasure", "advance") == {"moved": 0}
