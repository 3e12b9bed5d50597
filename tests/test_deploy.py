"""The examples of a unit and a compose file name only what there is."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from salus.cli.commands import parser
from salus.node.config import keys, read, variable

DEPLOY = Path(__file__).parents[1] / "deploy"
HOW_TO = DEPLOY.parent / "docs" / "how-to" / "run-a-network.md"


def test_every_key_is_one_of_the_configuration():
    known = {variable(path) for path, _ in keys()} | {"SALUS_CONFIG"}
    text = "".join(path.read_text() for path in DEPLOY.iterdir())
    named = set(re.findall(r"SALUS_[A-Z_]+", text))
    assert named
    assert named <= known


def test_the_compose_files_environment_reads():
    pairs = re.findall(r'^      (SALUS_[A-Z_]+): "?([^"\n]+)"?$', (DEPLOY / "compose.yaml").read_text(), re.MULTILINE)
    config = read(None, dict(pairs))
    assert (config.http.port, config.consensus.listen) == (8480, "0.0.0.0:26656")


def test_the_unit_is_one(tmp_path):
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not here")
    unit = tmp_path / "salus.service"
    unit.write_text((DEPLOY / "salus.service").read_text().replace("/opt/salus/bin/salus", "/bin/true"))
    told = subprocess.run([tool, "verify", str(unit)], capture_output=True, text=True, check=False, timeout=300)
    assert [line for line in told.stderr.splitlines() if "salus.service" in line] == []


@pytest.mark.unmeasured
def test_every_command_of_the_page_is_one(capsys):
    commands = set(re.findall(r"`?salus ((?:[a-z][a-z-]+ ?){1,2})", HOW_TO.read_text()))
    assert len(commands) > 12
    for command in commands:
        words = command.split()
        if words[0] == "serve":
            words = ["serve"]
        with pytest.raises(SystemExit) as ended:
            parser().parse_args([*words, "--help"])
        assert ended.value.code == 0, command
    capsys.readouterr()
