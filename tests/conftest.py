"""How the whole suite runs: one domain with --only, and the coverage floors that a full run owes."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import floors

# How fast a machine is fails no property, and a run finds what the last one found; the long runs draw afresh.
settings.register_profile("soak", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("test", settings.get_profile("soak"), derandomize=True)


def pytest_configure(config):
    settings.load_profile("soak" if config.option.markexpr == "soak" else "test")


@pytest.fixture(scope="session", autouse=True)
def cheap_passphrases():
    """Let keystores and wallets cost their openers the least a file may state: tests open thousands of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("salus.vault.locked.COST", 14)
        yield


# The folders and test files that belong to a domain, beside those of its own name.
DOMAINS = {
    "claims": {"x12"},
    "supply": {"epcis", "gs1"},
    "trials": {"cdisc"},
    "fhir": {"ehr", "intake", "index", "hl7v2", "ccda", "terminology"},
}
LONGEST = (
    "processes/test_one_door.py",
    "faults/test_faults.py",
    "tests/test_docs.py",
    "portal/test_wallet.py",
    "node/test_network.py",
    "processes/test_killed.py",
    "attacks/test_windows.py",
    "attacks/test_patient.py",
    "node/test_following_trust.py",
    "processes/test_three_members.py",
    "contracts/test_trials_machine.py",
    "contracts/test_supply_machine.py",
    "contracts/test_named_ends.py",
    "core/test_map.py",
    "claims/test_demo.py",
    "trials/test_demo.py",
    "http/test_described.py",
    "portal/test_browser.py",
    "portal/test_scan.py",
    "cli/test_network_commands.py",
    "cli/test_member_commands.py",
    "cli/test_wallet_commands.py",
    "cli/test_serve_demo.py",
    "cli/test_serve.py",
    "processes/test_killed_studies.py",
    "processes/test_killed_goods.py",
    "tests/test_tidy.py",
    "vault/test_powerloss.py",
    "supply/test_resuming.py",
    "supply/test_demo.py",
    "research/test_network.py",
    "research/test_models.py",
    "cometbft/test_network.py",
    "node/claims/test_secondary.py",
)
"""Files of tests that take longest, the longest first; what waits for processes, beside what computes. A file is run by one worker: its tests share what they found."""
MISSED = pytest.StashKey[list[str]]()
PROGRAMS = "COVERAGE_PROCESS_CONFIG"
"""By this variable of the environment coverage measures the programs that tests start."""


def pytest_addoption(parser):
    parser.addoption("--floors", action="store_true", help="with --cov: fail if a part has less coverage than it owes")
    parser.addoption("--only", metavar="DOMAIN", help="run the tests of one domain: claims, supply, trials, fhir, ...")


def pytest_ignore_collect(collection_path, config):
    domain = config.getoption("--only")
    if not domain or collection_path.suffix != ".py":
        return None
    names = {domain} | DOMAINS.get(domain, set())
    places = {*collection_path.relative_to(config.rootpath).parts, collection_path.stem.removeprefix("test_")}
    return None if places & names else True


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest: one that begins last keeps everybody waiting."""
    places = {name: place for place, name in enumerate(LONGEST)}

    def place(item):
        return next((places[name] for name in LONGEST if item.path.as_posix().endswith(name)), len(LONGEST))

    items.sort(key=place)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):  # noqa: ARG001 -- the hook's name for it
    """Let the collector of garbage rest while thousands of tests are made, and look at none of them again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Run what is marked `unmeasured` without the tracing of coverage, here and in the processes that it starts."""
    plugin = item.config.pluginmanager.getplugin("_cov")
    measured = plugin.cov_controller if plugin else None
    if not measured or not item.get_closest_marker("unmeasured"):
        return (yield)
    measured.pause()
    for_programs = os.environ.pop(PROGRAMS, None)
    try:
        return (yield)
    finally:
        if for_programs is not None:
            os.environ[PROGRAMS] = for_programs
        measured.resume()


def pytest_sessionfinish(session, exitstatus):
    """Fail a run of all tests whose coverage is below a floor; pytest-cov has put the measures of all workers together."""
    config = session.config
    if not config.getoption("--floors") or hasattr(config, "workerinput") or exitstatus != pytest.ExitCode.OK:
        return
    config.stash[MISSED] = floors.missed(floors.reported(sorted(Path("src").rglob("*.py"))))
    if config.stash[MISSED]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash.get(MISSED, []):
        terminalreporter.write_line(f"coverage floor missed: {line}", red=True)
