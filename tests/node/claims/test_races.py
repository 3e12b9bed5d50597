"""Two at once on one claim: what arrives while a payer decides is not lost, and what is paid is paid by one 835."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from salus.contracts.claims import port
from salus.node.claims import (
    decide_claims,
    dispute_decision,
    dossiers,
    remitting,
    rule_on_claim,
    submit_claims,
    submitting,
)
from salus.node.claims.deciding import Inbox, RuleOnClaim
from salus.node.claims.exchange import read_decision
from salus.node.claims.remitting import Remitter
from salus.node.claims.submitting import DisputeDecision, SubmitClaims
from salus.node.errors import Refused
from salus.node.together import Together
from tests.agreements.claims.cases import claim, file_of, line
from tests.node.claims.test_crash import remitted
from tests.node.claims.two import REQUEST, found_two

SECONDS = 20


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    found = found_two(tmp_path)
    yield found
    found.close()


def send(together: Together, *names: str) -> list[bytes]:
    claims = [claim(line(1, "S9129", 9000, f"202502{day:02d}"), identifier=name) for day, name in enumerate(names, 1)]
    made = submit_claims(together.nodes["cedar"], SubmitClaims(payer="harbor", file=file_of(*claims)))
    together.abreast()
    return [bytes.fromhex(case) for case in made.cases]


def amid(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, act: Callable[[], None], *, after: bool = False
) -> None:
    """Have something done once, by another thread, when a function is called, or when it has returned.

    A thread that waits for the one under way is let wait, and is done when that one is.
    """
    honest = getattr(owner, name)
    begun: list[threading.Thread] = []
    under_way.append(begun)

    def amidst(*arguments: Any, **named: Any) -> Any:
        told = honest(*arguments, **named) if after else None
        if not begun:
            begun.append(threading.Thread(target=act))
            begun[0].start()
            begun[0].join(0.5)
        return told if after else honest(*arguments, **named)

    monkeypatch.setattr(owner, name, amidst)


under_way: list[list[threading.Thread]] = []


def ended() -> None:
    """Wait for what was begun amid something."""
    for one in under_way.pop():
        one.join(SECONDS)
        assert not one.is_alive()


@pytest.mark.parametrize(("owner", "name"), [(Remitter, "_fix"), (Inbox, "make"), (remitting, "disclose")])
def test_two_runs_at_once_pay_every_claim_once(
    together: Together, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    send(together, "N1", "N2")
    harbor = together.nodes["harbor"]
    amid(monkeypatch, owner, name, lambda: decide_claims(harbor, REQUEST))
    decide_claims(harbor, REQUEST)
    ended()
    together.abreast()
    decided = [read_decision(one.last.decided) for _, one, _ in dossiers.kept_cases(harbor) if one.last.decided]
    for node in together.nodes.values():
        paid, traces = remitted(node)
        assert {one.control: one.paid + one.interest for one in decided} == paid
        assert len(traces) == 1


def test_a_file_sent_twice_at_once_is_one_file(together: Together, monkeypatch: pytest.MonkeyPatch) -> None:
    cedar = together.nodes["cedar"]

    def twice() -> None:
        with contextlib.suppress(Refused):  # the ledger takes the case of whoever comes first
            send(together, "N1")

    amid(monkeypatch, submitting, "_sound", twice)
    twice()
    ended()
    assert send(together, "N1") == [case for case, _, _ in dossiers.kept_cases(cedar)]
    assert len(list(port.cases(cedar.ledger.read()))) == 1


def test_a_decision_that_comes_before_its_claim_is_noted_as_sent_is_kept(
    together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]

    def answered() -> None:
        together.abreast()
        decide_claims(harbor, REQUEST)

    amid(monkeypatch, submitting, "disclose", answered, after=True)
    (case,) = send(together, "N1")
    ended()
    kept = dossiers.dossier_of(cedar, case)
    assert kept.last.decided is not None
    assert (kept.last.difference, kept.last.told, bool(kept.last.remittance)) == ("", True, True)


@pytest.mark.parametrize(("owner", "name"), [(remitting, "disclose"), (Remitter, "_fix"), (remitting, "handed_on")])
def test_a_dispute_that_comes_while_its_payer_tells_and_pays_is_not_lost(
    together: Together, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    (case,) = send(together, "N1")

    def contested() -> None:
        together.abreast()
        dispute_decision(cedar, DisputeDecision(case=case.hex(), statement="rate A6 applies"))
        together.abreast()

    amid(monkeypatch, owner, name, contested, after=owner is remitting)
    decide_claims(harbor, REQUEST)
    ended()
    together.abreast()
    assert [one.why for one in dossiers.dossier_of(harbor, case).rounds] == ["claim", "dispute"]
    rule_on_claim(harbor, RuleOnClaim(case=case.hex(), verdict="uphold", basis="rate A5 applies"))
    decide_claims(harbor, REQUEST)
    together.abreast()
    kept = dossiers.dossier_of(cedar, case)
    assert kept.last.decided is not None
    assert kept.last.difference == ""
    decision = read_decision(kept.last.decided)
    assert remitted(cedar)[0] == {decision.control: decision.paid + decision.interest}
