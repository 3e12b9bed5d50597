"""A node killed (SIGKILL), or its disk full, amid writes that share a commit: what was acknowledged is there, the rest whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from salus.node.fhir.answers import Request
from salus.node.fhir.server import FhirServer
from salus.node.usecase import LOCAL_OPERATOR
from tests.processes.members import Member
from tests.processes.test_killed import KILLED, alone, opened, taken_in
from tests.processes.writers import CLIENTS, STEPS

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]
__all__ = ["alone"]


def written(one: Member, *arguments: str) -> tuple[int, list[str]]:
    """Return the exit code of the writers and what their clients were told."""
    taken_in(one)
    done = subprocess.run(
        [sys.executable, "-m", "tests.processes.writers", *arguments],
        env=os.environ | one.environment | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        cwd=one.home,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=600,
    )
    return done.returncode, done.stdout.split()


def found(one: Member) -> set[str]:
    """Return the Observations of patient p1 after a restart; nothing is damaged, everything is indexed and opens."""
    with opened(one) as node:
        assert node.vault.check().damage == ()
        assert node.vault.since(node.index.position(), 1) == []
        server = FhirServer(node)
        names = {f"{ref.type}/{ref.id}" for ref in node.vault.since(0) if ref.type == "Observation"}
        for name in names:
            assert server.answer(LOCAL_OPERATOR, "", Request("GET", name)).status == 200
        return names - {"Observation/o1", "Observation/o2"}


@pytest.mark.parametrize(
    "step", [one if one.startswith("committed") else pytest.param(one, marks=pytest.mark.soak) for one in STEPS]
)
def test_amid_writes_that_share_a_commit(alone: Member, step: str) -> None:
    code, told = written(alone, step)
    assert code == KILLED
    assert len(told) <= 1  # the first write's answer may be on its way; the others had none
    kept = found(alone)
    assert set(told) <= kept
    assert len(kept) in ({CLIENTS} if step in {"committed, not indexed", "indexed, not answered"} else {1})


@pytest.mark.soak
@pytest.mark.parametrize("step", STEPS)
def test_amid_a_disk_that_fills_up(alone: Member, step: str) -> None:
    code, told = written(alone, step, "full")
    assert code == 0
    names = {one for one in told if one.startswith("Observation/")}
    assert set(told) - names <= {"vault.full", "vault.stopped", "fhir.not-indexed"}
    assert names <= found(alone)
