"""A member alone on a ledger, founded and used through the command line as its operator would."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from salus.cli import main as program

FHIR = (
    '{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn:north","value":"mrn-0815"}],'
    '"name":[{"family":"Marigold","given":["Ada"]}],"gender":"female","birthDate":"1970-05-05"}\n'
    '{"resourceType":"Observation","id":"o1","status":"final","subject":{"reference":"Patient/p1"},'
    '"effectiveDateTime":"2026-02-03","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},'
    '"valueQuantity":{"value":72.50,"unit":"/min"}}\n'
    '{"resourceType":"Nonsense","id":"o2"}\n'
)


@dataclass
class Alone:
    """The data folder of a member that founded a ledger by itself, with one patient taken in."""

    folder: Path
    capture: Any = None

    def salus(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command line; return its exit code and what it printed."""
        code = program.main(arguments)
        printed = self.capture.readouterr()
        return code, printed.out, printed.err

    def told(self, *arguments: str) -> Any:
        """Run a use case that must succeed and return its response."""
        code, out, err = self.salus(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("north")
    with pytest.MonkeyPatch.context() as patch:
        set_up(patch, folder)
        card = folder / "card.json"
        patch.setattr("builtins.print", lambda *told, **_: card.write_text(str(told[0])))
        assert (
            program.main(
                ["network", "card", "--name", "North", "--roles", "provider", "--jurisdiction", "DE", "--json"]
            )
            == 0
        )
        text = json.loads(card.read_text())["card"]
        found = ["network", "found", "--network", "lake-county", "--card", text, "--accept-forgetting", "--json"]
        assert program.main(found) == 0
        (folder / "in.ndjson").write_text(FHIR)
        assert program.main(["records", "import", "in.ndjson", "--source", "urn:ehr:north", "--json"]) == 0
        (folder / "imported.json").write_text(card.read_text())
    return folder


def set_up(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make the process one that stands in `folder`, with a node's configuration in its environment."""
    patch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("SALUS_")]:
        patch.delenv(name)
    patch.setenv("SALUS_MEMBER", "north")
    patch.setenv("SALUS_DATA", str(folder / "data"))
    patch.setenv("SALUS_RUNTIME", str(folder / "run"))
    patch.setenv("COLUMNS", "200")


@pytest.fixture
def alone(founded: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Alone:
    set_up(monkeypatch, founded)
    return Alone(founded, capfd)
