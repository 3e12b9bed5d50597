"""The demo's verdict: 0 only if everything held, and then three commands that can be typed as they stand."""

import os
import signal
import tempfile

import pytest

from salus.cli import demo
from salus.cli.main import main
from salus.core.errors import SalusError
from salus.node.demo.telling import Telling
from salus.node.errors import Conflict
from salus.vault.errors import SealBroken


class Tale:
    """A chapter of one step, which does what it is given."""

    name = "tale"
    title = "A tale"
    budget_seconds = 1

    def __init__(self, act):
        self.act = act

    def tell(self, telling: Telling, _source):
        telling.next_commands += ["salus --help"]
        with telling.step("Once", "Something is shown.") as step:
            self.act(step)


def raised(step, claim, error):
    with step.refused(claim, SalusError):
        raise error


def refused_nothing(step):
    with step.refused("a lie", SalusError):
        pass


def ends(_step):
    raise SealBroken("nothing to tell it with")


@pytest.fixture
def told(monkeypatch, tmp_path, capfd):
    def tell(act):
        monkeypatch.setitem(demo.CHAPTERS, demo.DEFAULT, Tale(act))
        report = tmp_path / "report.html"
        code = main(["demo", "--report", str(report)])
        return code, capfd.readouterr().out, report.read_text()

    return tell


def test_a_step_that_held_ends_with_0_and_what_to_try_next(told):
    code, out, report = told(lambda step: raised(step, "a lie", SealBroken("x")))
    assert (code, "Everything held: 1 steps" in out, "try next" in out) == (0, True, True)
    assert "refused (vault.seal-broken)" in out
    assert "vault.seal-broken" in report


@pytest.mark.parametrize("act", [refused_nothing, lambda step: step.holds("truth", truth=False), ends])
def test_a_step_that_does_not_hold_ends_with_1(told, act):
    code, out, report = told(act)
    assert (code, "NOT everything held" in out, "try next" in out) == (1, True, False)
    assert report


def test_a_demo_told_to_end_cleans_up_as_after_ctrl_c(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setitem(demo.CHAPTERS, demo.DEFAULT, Tale(lambda _step: os.kill(os.getpid(), signal.SIGTERM)))
    before = signal.getsignal(signal.SIGTERM)
    assert main(["demo", "--report", str(tmp_path / "report.html")]) == 130
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_refusal_is_told_by_its_code(told):
    assert "refused (lease.ended)" in told(lambda step: raised(step, "again", Conflict("lease.ended", "x")))[1]


@pytest.mark.parametrize(
    ("on_path", "started", "typed"),
    [
        ("/usr/bin/salus", "/usr/bin/salus", "salus --help"),
        (None, ".venv/bin/salus", ".venv/bin/salus --help"),
        (None, "/src/salus/__main__.py", "python -m salus --help"),
    ],
)
def test_a_command_can_be_typed_as_it_stands(on_path, started, typed):
    assert demo.spelled_out("salus --help", on_path, started) == typed


def test_a_protocol_is_for_its_chapter_and_must_be_there(tmp_path, capfd):
    report = ["--report", str(tmp_path / "report.html")]
    (tmp_path / "protocol.json").write_bytes(b"{}")
    for chapter, name in (("claims", "protocol.json"), ("trial", "nowhere.json"), ("trial", "protocol.json")):
        assert main(["demo", chapter, "--protocol", str(tmp_path / name), *report])
    assert not (tmp_path / "report.html").exists()
    told = capfd.readouterr().err
    assert [code in told for code in ("demo.protocol", "cli.unreadable", "trials.protocol")] == [True] * 3
