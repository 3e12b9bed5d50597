"""Code lists that members load: which of them judged a claim, at the payer's door and at its provider's own check."""

import hashlib
import json
from pathlib import Path

import pytest

from salus.contracts.claims import port
from salus.contracts.membership.port import Role
from salus.node.claims import (
    check_claims,
    correct_claim,
    decide_claims,
    dossiers,
    exchange,
    explain_case,
    list_answers,
    load_codes,
    submit_claims,
)
from salus.node.claims.asking import ListAnswers
from salus.node.claims.code_lists import LoadCodes
from salus.node.claims.deciding import CorrectClaim
from salus.node.claims.inquiring import CheckClaims
from salus.node.claims.listing import ExplainCase
from salus.node.claims.submitting import SubmitClaims
from salus.node.errors import Conflict, Malformed
from salus.node.together import Clock, Founder, Together, found_together
from tests.agreements.claims.cases import claim, file_of, line
from tests.node.claims.two import MARCH_2025, REQUEST

DAY_MS = 86_400_000
LISTS = json.dumps(
    {"source": "cms.gov", "date": "20250301", "places": ["77"], "retired_procedures": {"G0403": "20250101"}}
).encode()
TOLD = f"cms.gov, 20250301, sha256 {hashlib.sha256(LISTS).hexdigest()}"
ELSEWHERE = {"facility": "77", "lines": (line(1, "G0404", place="77"),)}


class Hands:
    now = MARCH_2025


def found(folder: Path, hands: Hands) -> Together:
    founders = (
        Founder("cedar", "Cedar Clinic", (Role.PROVIDER,)),
        Founder("harbor", "Harbor Health", (Role.PAYER,)),
    )
    return found_together(folder, founders, clock=Clock(lambda: hands.now))


def submitted(two: Together, file: bytes) -> str:
    (case,) = submit_claims(two.nodes["cedar"], SubmitClaims(payer="harbor", file=file)).cases
    two.abreast()
    decide_claims(two.nodes["harbor"], REQUEST)
    two.abreast()
    return case


def test_lists_judge_from_their_day_on_and_both_sides_say_which(tmp_path: Path) -> None:
    hands = Hands()
    two = found(tmp_path, hands)
    cedar, harbor = two.nodes["cedar"], two.nodes["harbor"]
    early = submitted(two, file_of(claim(line(1, "G0403"), identifier="A1")))
    with pytest.raises(Conflict, match=r"claims\.judged.*expected a day after 20250310"):
        load_codes(harbor, LoadCodes(file=LISTS))
    assert load_codes(harbor, LoadCodes(file=LISTS, since="20250311")).codes == TOLD

    hands.now += DAY_MS
    retired = submitted(two, file_of(claim(line(1, "G0403", day="20250302"), identifier="A2")))
    new = file_of(claim(identifier="A3", **ELSEWHERE))
    with pytest.raises(Malformed, match=r"claims\.none"):
        submit_claims(cedar, SubmitClaims(payer="harbor", file=new))
    assert load_codes(cedar, LoadCodes(file=LISTS)).since == "20250311"
    assert submit_claims(cedar, SubmitClaims(payer="harbor", file=new)).codes == TOLD
    two.abreast()
    decide_claims(harbor, REQUEST)
    two.abreast()
    (other,) = submit_claims(cedar, SubmitClaims(payer="harbor", file=new)).cases

    def row(case: str) -> port.Case:
        return exchange.row_of(cedar, bytes.fromhex(case))

    assert [row(case).status for case in (early, retired, other)] == [
        port.CaseStatus.REMITTED,
        port.CaseStatus.REFUSED,
        port.CaseStatus.REMITTED,
    ]
    answers = list_answers(cedar, ListAnswers(case=retired))
    assert (b"*A7:" in answers.refusal, answers.codes) == (True, TOLD)
    for node in (cedar, harbor):
        told = [explain_case(node, ExplainCase(case=case)).codes for case in (early, other)]
        assert told == ["", TOLD]
    checked = [check_claims(cedar, CheckClaims(file=new, received=day)) for day in ("20250310", "20250311")]
    assert [(one.sound, one.codes) for one in checked] == [(False, ""), (True, TOLD)]
    assert dossiers.dossier_of(cedar, bytes.fromhex(other)).last.difference == ""

    hands.now += DAY_MS
    bare = json.dumps({"source": "cms.gov", "date": "20250312"}).encode()
    for node in (cedar, harbor):
        load_codes(node, LoadCodes(file=bare))  # what was let in before stays readable, and is decided again as it was
    correct_claim(harbor, CorrectClaim(case=other))
    decide_claims(harbor, REQUEST)
    two.abreast()
    again = dossiers.dossier_of(cedar, bytes.fromhex(other)).last
    assert (again.number, again.difference, row(other).status) == (2, "", port.CaseStatus.REMITTED)
    assert explain_case(harbor, ExplainCase(case=other)).codes == TOLD
    for file, since in ((b"{}", ""), (LISTS, "20251399")):
        with pytest.raises(Malformed):
            load_codes(harbor, LoadCodes(file=file, since=since))
    two.close()
