"""Prior authorisation: asked by 278, committed, honoured, used up, given back; a payer that forgets one is named."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from salus.interop.x12.claim import Claim, Party, Person
from salus.interop.x12.envelope import interchange
from salus.interop.x12.review import Asked, Review, request_set
from salus.node.claims import (
    approval_figures,
    approvals,
    approve,
    approving,
    ask_approval,
    decide_claims,
    dossiers,
    list_approvals,
    submit_claims,
    timeliness,
)
from salus.node.claims.approving import Approve, AskApproval, AskTimeliness, ListApprovals
from salus.node.claims.exchange import read_decision
from salus.node.claims.figures import AskFigures
from salus.node.claims.submitting import SubmitClaims
from salus.node.errors import Conflict, Malformed
from salus.node.exchange.documents import Telling, disclose
from salus.node.member import MemberNode
from salus.node.together import Together
from salus.vault.journal import Disclosure, Side
from tests.agreements.claims.cases import CLINIC, ENDS, JANE, PAYER, STAMP, claim, file_of, line
from tests.node.claims.two import REQUEST, found_two

DAY = 86_400_000


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    found = found_two(tmp_path)
    yield found
    found.close()


def asked(together: Together, units: int = 2000) -> str:
    review = Review(
        "R1",
        Party(PAYER.name, PAYER.identifier),
        Party(CLINIC.name, CLINIC.identifier),
        Person(JANE.last, JANE.first, "M1", JANE.birth, JANE.sex),
        ("M545",),
        (Asked("R0070", units, "20250301", "20250331"),),
    )
    file = interchange(ENDS, STAMP, "HI", "005010X217", [request_set(review, "0001", ("20250310", "1200"))])
    made = ask_approval(together.nodes["cedar"], AskApproval(payer="harbor", file=file, urgent=True))
    together.abreast()
    return made.case


def decided(together: Together, one: Claim) -> list[str]:
    """Send a claim, have it decided; return the codes that are no cost share."""
    (case,) = submit_claims(together.nodes["cedar"], SubmitClaims(payer="harbor", file=file_of(one))).cases
    together.abreast()
    decide_claims(together.nodes["harbor"], REQUEST)
    together.abreast()
    last = dossiers.dossier_of(together.nodes["cedar"], bytes.fromhex(case)).last
    assert last.decided is not None
    reasons = [reason for part in read_decision(last.decided).lines for reason in part.reasons]
    return [f"{one.group}-{one.code}" for one in reasons if one.group == "CO" and one.code != "45"]


def image(number: int, day: str, **changes: object) -> Claim:
    return claim(line(1, "R0070", 20000, day), identifier=f"A{number}", **changes)


def test_an_approval_is_honoured_until_its_units_are_used_up_and_a_void_gives_them_back(together: Together) -> None:
    case = asked(together)
    assert decided(together, image(1, "20250302")) == ["CO-197"]  # asked for is not approved
    (number,) = approve(together.nodes["harbor"], Approve(case=case, verdict="approve")).numbers
    together.abreast()
    told = list_approvals(together.nodes["cedar"], ListApprovals()).approvals
    assert [(one.status, one.numbers) for one in told] == [("decided", (number,))]

    assert decided(together, image(2, "20250303", authorisation=number)) == []
    assert decided(together, image(3, "20250304")) == []  # found without its number
    assert decided(together, image(4, "20250305")) == ["CO-198"]
    decided(together, image(2, "20250303", frequency="8", original="C00000002"))
    assert decided(together, image(5, "20250306")) == []
    assert decided(together, image(6, "20250228")) == ["CO-197"]  # a day before it began


def test_a_payer_that_forgets_an_approval_is_named_by_the_step(together: Together) -> None:
    case = asked(together)
    approve(together.nodes["harbor"], Approve(case=case, verdict="approve"))
    together.abreast()
    harbor = together.nodes["harbor"]
    kept = approvals.request_of(harbor, bytes.fromhex(case))
    approvals.keep_request(harbor, msgspec.structs.replace(kept, granted=b""))
    assert decided(together, image(1, "20250302")) == ["CO-197"]
    ((_, one, _),) = dossiers.kept_cases(together.nodes["cedar"])
    assert one.last.difference == "authorisation"


def line_at(node: MemberNode) -> Disclosure:
    return Disclosure(Side.CUSTODIAN, node.vault.house_link(), "", "", "", "COVAUTH", "claim", ("Answer 1",))


def test_a_denial_says_why_and_the_answer_cannot_be_another(together: Together) -> None:
    case = asked(together)
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    with pytest.raises(Malformed, match=r"claims\.reason"):
        approve(harbor, Approve(case=case, verdict="deny"))
    approve(harbor, Approve(case=case, verdict="deny", reason="a plain film comes first"))
    together.abreast()
    kept = approvals.request_of(cedar, bytes.fromhex(case))
    assert b"HCR*A3" in kept.answer
    assert b"A PLAIN FILM COMES FIRST" in kept.answer.upper()
    with pytest.raises(Conflict, match=r"claims\.decided"):
        approve(harbor, Approve(case=case, verdict="approve"))

    forged = approving.SentAnswer(1, bytes.fromhex(case), bytes(32), b"ISA", b"")
    disclose(harbor, Telling("cedar", approving.ANSWER, forged, [line_at(harbor)]))
    assert approvals.request_of(cedar, bytes.fromhex(case)) == kept
    stranger = approving.SentRequest(1, bytes.fromhex(case), bytes(16), bytes(32), b"ISA")
    disclose(cedar, Telling("harbor", approving.REQUEST, stranger, [line_at(cedar)]))
    waiting = [code for _, code in cedar.desk.waiting()]
    assert waiting == ["claims.address"]
    assert [code for _, code in harbor.desk.waiting()] == ["claims.commitment"]


def test_timeliness_is_computed_from_the_ledger_alone(together: Together) -> None:
    first, second = asked(together), asked(together)
    approve(together.nodes["harbor"], Approve(case=first, verdict="approve"))
    together.clock.advance(4 * DAY)
    third = asked(together)
    together.abreast()
    (told,) = timeliness(together.nodes["cedar"], AskTimeliness()).payers
    assert (told.payer, told.decided, told.in_time, told.open, told.overdue) == ("harbor", 1, 1, 2, 1)
    approve(together.nodes["harbor"], Approve(case=second, verdict="approve"))
    approve(together.nodes["harbor"], Approve(case=third, verdict="approve"))
    together.abreast()
    (told,) = timeliness(together.nodes["cedar"], AskTimeliness()).payers
    assert (told.decided, told.in_time, told.open, told.overdue) == (3, 2, 0, 0)


def test_a_payers_public_figures_are_of_its_own_requests_and_the_ledgers_times(together: Together) -> None:
    harbor = together.nodes["harbor"]
    for hours, verdict in ((1, "approve"), (3, "deny"), (80, "approve")):
        case = asked(together)
        together.clock.advance(hours * DAY // 24)
        approve(harbor, Approve(case=case, verdict=verdict, reason="a plain film comes first"))
        together.abreast()
    asked(together)
    told = approval_figures(harbor, AskFigures(first="20250101", last="20251231")).figures
    (standard, expedited) = told
    assert (standard.kind, standard.decided, standard.mean_minutes) == ("standard", 0, 0)
    assert (expedited.decided, expedited.approved, expedited.denied, expedited.in_time) == (3, 6666, 3333, 6666)
    assert (expedited.mean_minutes, expedited.median_minutes) == (28 * 60, 3 * 60)
    late = AskFigures(first="20260101", last="20261231")
    assert [one.decided for one in approval_figures(harbor, late).figures] == [0, 0]
    own = AskFigures(first="20250101", last="20251231")
    assert [one.decided for one in approval_figures(together.nodes["cedar"], own).figures] == [0, 0]
    with pytest.raises(Malformed, match=r"claims\.days"):
        approval_figures(harbor, AskFigures(first="20260101", last="20250101"))


def test_a_broken_request_is_not_sent(together: Together) -> None:
    with pytest.raises(Malformed, match=r"claims\.review"):
        ask_approval(together.nodes["cedar"], AskApproval(payer="harbor", file=file_of(claim())))
    assert list_approvals(together.nodes["cedar"], ListApprovals()).approvals == ()
