"""A payer that counts other lines of the day than its provider's own claims have is named as its decision arrives."""

from pathlib import Path

import msgspec

from salus.agreements.claims.decision import Decision
from salus.node.claims import decide_claims, dossiers, list_cases, recompute_decision, submit_claims
from salus.node.claims.listing import ListCases, RecomputeDecision
from salus.node.claims.submitting import SubmitClaims
from salus.node.together import Together
from tests.agreements.claims.cases import RATES, claim, file_of, line
from tests.node.claims.two import JSON, REQUEST, found_two

replace = msgspec.structs.replace


def decided(two: Together, procedure: str, name: str, day: str = "20250301") -> str:
    """Submit one line to the payer and have it decided; return its case."""
    cedar, harbor = two.nodes["cedar"], two.nodes["harbor"]
    file = file_of(claim(line(1, procedure, day=day), identifier=name))
    (case,) = submit_claims(cedar, SubmitClaims(payer="harbor", file=file)).cases
    two.abreast()
    decide_claims(harbor, REQUEST)
    two.abreast()
    return case


def forget(two: Together, case: str, decision: Decision | None) -> dossiers.Dossier:
    """Have the payer believe that it decided otherwise, or not at all; return what it kept."""
    harbor = two.nodes["harbor"]
    kept = dossiers.dossier_of(harbor, bytes.fromhex(case))
    sent = kept.last.decided
    assert sent is not None
    other = replace(sent, decision=msgspec.msgpack.encode(decision)) if decision is not None else None
    dossiers.keep(harbor, [(bytes.fromhex(case), kept.with_last(decided=other))])
    return kept


def test_lines_left_out_and_invented_are_named_by_the_provider(tmp_path: Path) -> None:
    two = found_two(tmp_path)
    cedar, harbor = two.nodes["cedar"], two.nodes["harbor"]
    cases = [decided(two, "G0402", "A1"), decided(two, "G0403", "A2")]
    kept = dossiers.dossier_of(cedar, bytes.fromhex(cases[1])).last
    honest = msgspec.msgpack.decode(kept.decided.decision, type=Decision) if kept.decided else None
    assert honest is not None
    assert [reason.code for reason in honest.lines[0].reasons] == ["97"]

    cases.append(decided(two, "G0402", "A3", "20250302"))
    true = forget(two, cases[2], None)
    cases.append(decided(two, "G0403", "A4", "20250302"))
    dossiers.keep(harbor, [(bytes.fromhex(cases[2]), true)])

    first = dossiers.dossier_of(harbor, bytes.fromhex(cases[0])).last.decided
    assert first is not None
    told = msgspec.msgpack.decode(first.decision, type=Decision)
    moved = replace(told, claim=replace(told.claim, lines=(line(1, "G0402", day="20250303"),)))
    true = forget(two, cases[0], moved)
    cases.append(decided(two, "G0403", "A5", "20250303"))
    dossiers.keep(harbor, [(bytes.fromhex(cases[0]), true)])

    assert [one.differs for one in list_cases(cedar, ListCases()).cases] == ["", "", "", "coding", "coding"]
    asked = [RecomputeDecision(case=case, rates=JSON([RATES])) for case in cases]
    told = [recompute_decision(cedar, one).step for one in asked]
    assert told == ["", "", "coding", "coding", "coding"]  # of two decided on one day, neither counts the other
    two.close()


def test_a_claim_that_waits_is_in_the_history_of_those_after_it(tmp_path: Path) -> None:
    two = found_two(tmp_path)
    harbor = two.nodes["harbor"]
    decided(two, "G0403", "A1")
    decided(two, "G0402", "A2")  # its second was paid before: a person must look
    decided(two, "G0402", "A3")
    told = [(one.status, len(one.waits)) for one in list_cases(harbor, ListCases()).cases]
    assert told == [("remitted", 0), ("accepted", 1), ("remitted", 0)]
    assert [one.differs for one in list_cases(two.nodes["cedar"], ListCases()).cases] == ["", "", ""]
    two.close()
