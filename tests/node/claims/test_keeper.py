"""Two payers of one plan and the accumulators that one of them keeps: no fork, no double take, no decision without it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from salus.agreements.claims.keeping import Amount, CellName, Entry, Take
from salus.contracts.claims import port
from salus.contracts.membership.port import Role
from salus.core.encoding import decode, encode
from salus.interop.x12.claim import Claim
from salus.node.claims import (
    decide_claims,
    dossiers,
    keeper,
    list_cases,
    open_year,
    share_year,
    submit_claims,
    withdraw_claim,
)
from salus.node.claims.asking import WithdrawClaim
from salus.node.claims.counting import AccumulatorLine, AskAccumulators, asked, held, list_accumulators
from salus.node.claims.deciding import DecideClaims, Inbox
from salus.node.claims.exchange import read_decision
from salus.node.claims.keeper import OpenYear, ShareYear
from salus.node.claims.keeper_lines import disclosing, require_lines, subjects_of
from salus.node.claims.listing import ListCases
from salus.node.claims.own_cells import OwnYear
from salus.node.claims.submitting import SubmitClaims
from salus.node.demo.serving import Hosted
from salus.node.errors import Forbidden, Malformed, Unavailable
from salus.node.exchange.wire import RemoteRefusal
from salus.node.together import Clock, Founder, Together, found_together
from salus.vault.journal import Side
from tests.agreements.claims.cases import JOHN, MEMBERS, PAYER, PLAN, RATES, claim, file_of, line
from tests.node.claims.dying import dying

JSON = msgspec.json.encode
TRIES = 12
REMEDY = msgspec.structs.replace(PAYER, identifier="REMEDY1", name="REMEDY PHARMACY PLAN")
CODES = {"harbor": "HARBOR1", "remedy": "REMEDY1"}
DEDUCTIBLE = CellName("M1|19800101|JANE", "deductible", "member", "in", "20250101")


def plan_of(member: str) -> bytes:
    return JSON(msgspec.structs.replace(PLAN, payer=CODES[member]))


def request(member: str) -> DecideClaims:
    return DecideClaims(
        plan=plan_of(member),
        rates=JSON([msgspec.structs.replace(RATES, payer=CODES[member])]),
        members=JSON(msgspec.structs.replace(MEMBERS, payer=CODES[member])),
    )


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    founders = (
        Founder("cedar", "Cedar Clinic", (Role.PROVIDER,)),
        Founder("harbor", "Harbor Health", (Role.PAYER,)),
        Founder("remedy", "Remedy Pharmacy Plan", (Role.PAYER,)),
    )
    found = found_together(tmp_path, founders, clock=Clock(lambda: 1_741_608_000_000))
    opened = open_year(found.nodes["harbor"], OpenYear(plan=plan_of("harbor"), payers=("remedy",)))
    found.abreast()
    shared = share_year(found.nodes["remedy"], ShareYear(plan=plan_of("remedy"), year=opened.year))
    assert shared.keeper == "harbor"
    yield found
    found.close()


def send(together: Together, payer: str, one: Claim) -> None:
    if payer == "remedy":
        one = msgspec.structs.replace(one, payer=REMEDY, receiver=REMEDY)
    submit_claims(together.nodes["cedar"], SubmitClaims(payer=payer, file=file_of(one)))
    together.abreast()


def run(together: Together, payer: str) -> tuple[int, int]:
    done = decide_claims(together.nodes[payer], request(payer))
    together.abreast()
    return done.decided, done.waiting


def shares(together: Together, payer: str) -> list[tuple[str, int]]:
    """What the last decided claim takes off for cost shares."""
    _, kept, _ = dossiers.kept_cases(together.nodes[payer], payer_side=True)[-1]
    assert kept.last.decided is not None
    reasons = [reason for part in read_decision(kept.last.decided).lines for reason in part.reasons]
    return [(f"{one.group}-{one.code}", one.amount) for one in reasons if one.group == "PR"]


def kept(together: Together) -> dict[CellName, int]:
    harbor = together.nodes["harbor"]
    cells = (
        msgspec.msgpack.decode(body, type=tuple[CellName, tuple[Entry, ...]])
        for _, body in harbor.desk.claim_states("cell/")
    )
    return {name: history[-1].cents for name, history in cells}


def test_one_payer_counts_on_from_what_the_other_took(together: Together) -> None:
    send(together, "harbor", claim(line(1, "R0070", 60000, units=3000), authorisation=""))
    send(together, "harbor", claim(line(1, "G0404", 45000, "20250302", units=2000), identifier="B1"))
    assert run(together, "harbor") == (2, 0)
    assert kept(together)[DEDUCTIBLE] == 38000  # 2 x 200 less the copay

    send(together, "remedy", claim(line(1, "G0404", 30000, "20250303"), identifier="C1"))
    assert run(together, "remedy") == (1, 0)

    assert ("PR-1", 12000) in shares(together, "remedy")  # what is left of 500
    assert kept(together)[DEDUCTIBLE] == 50000
    takes = [decode(body, keeper.KeptTake) for _, body in together.nodes["harbor"].desk.claim_states("take/")]
    assert {(one.payer, one.committed) for one in takes} == {("harbor", True), ("remedy", True)}
    ((_, row),) = [(one, port.plan_year(together.owner.ledger.read(), one)) for one in _years(together)]
    assert row is not None
    assert row.number >= 3


def _years(together: Together) -> list[bytes]:
    names = [name for name, _ in together.nodes["harbor"].desk.claim_states("kept/")]
    return [bytes.fromhex(name.removeprefix("kept/")) for name in names]


def test_a_void_gives_back_what_was_taken_to_the_cent(together: Together) -> None:
    send(together, "harbor", claim(line(1, "G0404", 45000, units=2000)))
    run(together, "harbor")
    before = kept(together)
    send(together, "remedy", claim(line(1, "G0404", 30000, "20250303"), identifier="C1"))
    run(together, "remedy")
    assert kept(together) != before
    void = claim(line(1, "G0404", 30000, "20250303"), identifier="C1", frequency="8", original="C00000001")
    send(together, "remedy", void)
    assert run(together, "remedy") == (1, 0)
    assert {name: cents for name, cents in kept(together).items() if cents} == before


def test_without_the_keeper_a_claim_waits_and_says_so(together: Together) -> None:
    send(together, "remedy", claim(line(1, "G0404", 30000)))
    together.transport.down.add("https://harbor.example")
    assert run(together, "remedy") == (0, 1)
    (told,) = list_cases(together.nodes["remedy"], ListCases()).cases
    assert told.waits == ("keeper: exchange.unreachable: the claim waits for the accumulators",)
    assert told.status == "accepted"
    together.transport.down.clear()
    assert run(together, "remedy") == (1, 0)
    assert list_cases(together.nodes["remedy"], ListCases()).cases[0].waits == ()


def test_a_decision_that_saw_what_moved_is_made_again(together: Together) -> None:
    remedy = together.nodes["remedy"]
    send(together, "remedy", claim(line(1, "G0404", 30000)))
    send(together, "harbor", claim(line(1, "G0404", 60000, "20250303", units=3000), identifier="B1"))
    plan = msgspec.structs.replace(PLAN, payer="REMEDY1")
    rates = msgspec.structs.replace(RATES, payer="REMEDY1")
    inbox = Inbox(remedy, plan, [rates], msgspec.structs.replace(MEMBERS, payer="REMEDY1"), plan_of("remedy"))
    inbox.accept()
    inbox.make()
    run(together, "harbor")  # takes the whole deductible meanwhile
    assert kept(together)[DEDUCTIBLE] == 50000
    assert inbox.take() == 1
    assert inbox.decide() == (1, 0)
    assert "PR-1" not in {code for code, _ in shares(together, "remedy")}
    assert kept(together)[DEDUCTIBLE] == 50000


def test_a_keeper_that_forks_is_refused_and_proven(together: Together) -> None:
    harbor, remedy = together.nodes["harbor"], together.nodes["remedy"]
    send(together, "remedy", claim(line(1, "G0404", 30000)))
    run(together, "remedy")
    accumulators = keeper.accumulators_of(remedy, msgspec.structs.replace(PLAN, payer="REMEDY1"))
    assert accumulators is not None
    assert dict(accumulators.cells(["M1|19800101|JANE"]))[DEDUCTIBLE] > 0
    for name, body in harbor.desk.claim_states("cell/"):
        cell, history = msgspec.msgpack.decode(body, type=tuple[CellName, tuple[Entry, ...]])
        if cell == DEDUCTIBLE:
            other = (*history[:-1], msgspec.structs.replace(history[-1], cents=history[-1].cents + 1))
            batches = f"batches/{name.split('/')[1]}"  # as another process of the keeper's would
            harbor.desk.keep_claims([], [(name, msgspec.msgpack.encode((cell, other))), (batches, b"99")])
    with pytest.raises(Forbidden, match=r"claims\.fork"):
        accumulators.cells(["M1|19800101|JANE"])
    ((_, proof),) = remedy.desk.claim_states("fork/")
    assert proof


@pytest.mark.parametrize("lie", ["older", "left out"])
def test_a_keeper_that_answers_with_stale_cells_is_refused_by_name(
    together: Together, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    """It tells again what it signed before a take, or leaves a cell out: nothing is decided on that."""
    remedy, honest = together.nodes["remedy"], keeper._cells_of
    answers: list[keeper.CellsTold] = []

    def told(*arguments: object) -> keeper.CellsTold:
        answers.append(honest(*arguments))  # type: ignore[arg-type]
        return answers[-1]

    monkeypatch.setattr(keeper, "_cells_of", told)
    for number in (1, 2) if lie == "left out" else (1,):
        send(together, "remedy", claim(line(1, "G0404", 5000, f"2025030{number}"), identifier=f"C{number}"))
        run(together, "remedy")
    assert kept(together)[DEDUCTIBLE] > 0
    before, last = answers[0], answers[-1]
    assert (before.cells, bool(last.cells)) == ((), lie == "left out")
    left_out = msgspec.structs.replace(last, height=together.owner.ledger.head().height, cells=())
    send(together, "remedy", claim(line(1, "G0404", 5000, "20250303"), identifier="C3"))
    monkeypatch.setattr(keeper, "_cells_of", lambda *_: before if lie == "older" else left_out)
    with pytest.raises(Forbidden, match=r"claims\.stale"):
        decide_claims(remedy, request("remedy"))
    monkeypatch.setattr(keeper, "_cells_of", honest)
    assert [one.status for one in list_cases(remedy, ListCases()).cases][-2:] == ["remitted", "accepted"]
    assert run(together, "remedy") == (1, 0)


def test_what_is_withdrawn_after_it_took_is_given_back(together: Together) -> None:
    remedy, cedar = together.nodes["remedy"], together.nodes["cedar"]
    send(together, "remedy", claim(line(1, "G0404", 30000)))
    plan = msgspec.structs.replace(PLAN, payer="REMEDY1")
    rates = msgspec.structs.replace(RATES, payer="REMEDY1")
    inbox = Inbox(remedy, plan, [rates], msgspec.structs.replace(MEMBERS, payer="REMEDY1"), plan_of("remedy"))
    inbox.accept()
    inbox.make()
    inbox.take()
    together.abreast()
    assert kept(together)[DEDUCTIBLE] > 0
    ((case, _, _),) = dossiers.kept_cases(cedar)
    withdraw_claim(cedar, WithdrawClaim(case=case.hex()))
    together.abreast()
    for down in ({"https://harbor.example"}, set()):
        together.transport.down |= down
        run(together, "remedy")
        assert (kept(together)[DEDUCTIBLE] > 0) is bool(down)
        together.transport.down.clear()
    assert remedy.desk.open_claims() == []


def test_a_batch_that_was_not_kept_is_forgotten(together: Together) -> None:
    harbor = together.nodes["harbor"]
    own = keeper.accumulators_of(harbor, PLAN)
    assert own is not None
    fresh = Take(b"t" * 16, b"", (Amount(DEDUCTIBLE, 700),), (Amount(DEDUCTIBLE, 0),))
    assert own.cells([DEDUCTIBLE.holder]) == []
    with dying(harbor, 0) as seen:
        own.take([fresh])
    assert seen == ["died"]
    assert own.cells([DEDUCTIBLE.holder]) == []
    assert own.take([fresh]) == ["taken"]
    assert own.cells([DEDUCTIBLE.holder]) == [(DEDUCTIBLE, 700)]
    (year,) = _years(together)
    row = port.plan_year(together.owner.ledger.read(), year)
    harbor.memory.clear()
    assert own.take([fresh]) == ["taken"]  # the first answer, by a process begun anew
    assert row == port.plan_year(together.owner.ledger.read(), year)


def test_a_member_that_is_no_payer_of_the_plan_learns_nothing(together: Together) -> None:
    year = _years(together)[0]
    cedar = together.nodes["cedar"]
    handler = keeper.handlers(together.nodes["harbor"])[keeper.CELLS]
    with pytest.raises(Forbidden, match=r"claims\.year"):
        handler("cedar", encode(keeper.AskCells(year, ("M1",))))
    with pytest.raises(Forbidden, match=r"claims\.year"):
        handler("remedy", encode(keeper.AskCells(bytes(16), ("M1",))))
    assert cedar.desk.claim_states("said/") == []


def test_what_names_a_patient_is_taken_only_with_its_line(together: Together) -> None:
    harbor, remedy = together.nodes["harbor"], together.nodes["remedy"]
    send(together, "remedy", claim(line(1, "G0404", 30000)))
    run(together, "remedy")
    person = DEDUCTIBLE.holder
    asker = remedy.vault.open_link("urn:payer:REMEDY1", person)
    told = [one.disclosure for one in remedy.vault.lines(Side.CUSTODIAN, asker) if one.disclosure.member == "harbor"]
    assert [one.what for one in told] == [("Accumulators 1",)] * 2  # the cells asked for, the take
    before, year = kept(together), _years(together)[0]
    handlers = keeper.handlers(harbor)

    bare = keeper.AskCells(year, (person, "M1"))
    with pytest.raises(Forbidden, match=r"delivery\.undisclosed"):
        handlers[keeper.CELLS]("remedy", encode(bare))
    ((_, kept_, _),) = dossiers.kept_cases(remedy, payer_side=True)
    amount = Amount(DEDUCTIBLE, 100)
    takes = keeper.AskTakes(year, (Take(bytes(16), b"", (amount,), (amount,)),))
    with pytest.raises(Forbidden, match=r"delivery\.undisclosed"):
        handlers[keeper.TAKES]("remedy", encode(takes))
    with disclosing(remedy, "harbor", "REMEDY1", (person,), bare) as lines:
        together.abreast()
    with pytest.raises(Malformed, match=r"delivery\.disclosure"):  # the line is about another request
        handlers[keeper.TAKES]("remedy", encode(msgspec.structs.replace(takes, lines=lines)))
    assert kept(together) == before
    assert kept_.last.taken

    answered = decode(
        encode(handlers[keeper.CELLS]("remedy", encode(msgspec.structs.replace(bare, lines=lines)))), keeper.CellsTold
    )
    together.abreast()
    link = harbor.vault.open_link("urn:payer:HARBOR1", person)
    told = [one.disclosure for one in harbor.vault.lines(Side.CUSTODIAN, link) if one.disclosure.member == "remedy"]
    assert told[-1].what == ("Accumulators 1",)
    holders = [one.name.holder for one in answered.cells]
    require_lines(remedy, "harbor", answered, answered.lines, holders)
    with pytest.raises(Forbidden, match=r"delivery\.undisclosed"):
        require_lines(remedy, "harbor", answered, (), holders)


def test_a_family_is_owed_a_line_where_no_person_of_it_is_named() -> None:
    assert subjects_of(["M1", "M1|19800101|JANE", "M2", "M2"]) == ["M1|19800101|JANE", "M2"]


def joined(together: Together, person: str) -> Hosted:
    hosted = Hosted(together)
    for member, code in CODES.items():
        vault = together.nodes[member].vault
        hosted.holder.join(member, vault.invite(vault.open_link(f"urn:payer:{code}", person)))
    return hosted


def positions(wallet: Hosted) -> tuple[AccumulatorLine, ...]:
    """The positions once every member could prove them: a loaded machine may be late with a checkpoint."""
    for _ in range(TRIES):  # each waits some seconds at the members
        told = list_accumulators(wallet, AskAccumulators())
        if not told.silent:
            break
    assert told.silent == ()
    return told.positions


def own_year(wallet: Hosted, member: str) -> OwnYear:
    for _ in range(TRIES):
        with contextlib.suppress(Unavailable, RemoteRefusal):
            (year,) = asked(wallet.holder, member)
            return year
    pytest.fail("the member proves nothing")


def test_a_patient_sees_the_own_positions_proven_and_only_the_subscriber_the_familys(together: Together) -> None:
    send(together, "harbor", claim(line(1, "G0404", 45000, units=2000)))
    child = claim(line(1, "G0402", 15000), identifier="J1", patient=JOHN, relationship="19")
    send(together, "harbor", child)
    assert run(together, "harbor") == (2, 0)
    send(together, "remedy", claim(line(1, "G0404", 30000, "20250303"), identifier="C1"))
    assert run(together, "remedy") == (1, 0)
    own = joined(together, DEDUCTIBLE.holder)
    told = positions(own)
    mine = {(one.what, one.whose, one.told_by): (one.taken, one.most, one.number) for one in told}
    assert mine["deductible", "member", "harbor"] == (kept(together)[DEDUCTIBLE], 50000, 2)
    assert mine["deductible", "member", "remedy"] == (kept(together)[DEDUCTIBLE], 0, 2)
    family = next(
        cents for name, cents in kept(together).items() if name.scope == "family" and name.bucket == "deductible"
    )
    assert mine["deductible", "family", "harbor"] == (family, 80000, 3)
    assert {one.keeper for one in told} == {"harbor"}

    johns = positions(joined(together, "M1|20100505|JOHN"))
    assert {(one.whose, one.told_by) for one in johns} == {("member", "harbor"), ("member", "remedy")}
    assert all(one.taken < mine["deductible", "member", "harbor"][0] for one in johns if one.what == "deductible")

    year = own_year(own, "remedy")
    (first, *others) = year.told.cells.cells
    replace = msgspec.structs.replace
    dearer = replace(first, statement=replace(first.statement, cents=first.statement.cents + 1))
    key = together.nodes["harbor"].signing_key
    signed = replace(dearer, statement=replace(dearer.statement, signature=key.sign(dearer.statement.signed())))
    for cell in (dearer, signed, replace(first, salt=bytes(32)), replace(first, siblings=())):
        cells = replace(year.told.cells, cells=(cell, *others))
        with pytest.raises(Forbidden, match=r"wallet\.accumulators"):
            held(own.holder, "remedy", replace(year, told=replace(year.told, cells=cells)))
    with pytest.raises(Forbidden, match=r"wallet\.accumulators"):
        held(own.holder, "remedy", replace(year, told=replace(year.told, keeper="remedy")))
    with pytest.raises(Forbidden, match=r"wallet\.row"):
        held(own.holder, "remedy", replace(year, row=year.row[:-1] + bytes([year.row[-1] ^ 1])))
