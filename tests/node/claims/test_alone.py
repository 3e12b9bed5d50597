"""The use cases of one organisation alone, over files as a command or a route gives them."""

from pathlib import Path

import msgspec
import pytest

from salus.node.claims import adjudicate_claims, audit_remittance, check_claims, check_plan_document, replay_claims
from salus.node.claims.alone import AdjudicateClaims, AuditRemittance
from salus.node.claims.inquiring import CheckClaims
from salus.node.claims.plans import CheckPlan, ReplayClaims
from salus.node.config import Config
from salus.node.errors import Conflict, Malformed
from salus.node.local import Bare
from tests.agreements.claims.cases import MEMBERS, PLAN, RATES, claim, file_of, line

JSON = msgspec.json.encode


@pytest.fixture
def node(tmp_path: Path) -> Bare:
    return Bare(Config(data=str(tmp_path / "data")))


def request(folder: Path, **more: object) -> AdjudicateClaims:
    made = AdjudicateClaims(
        file=file_of(claim(), claim(identifier="A2"), claim(line(1, "S9129", 9000), identifier="A3")).replace(
            b"CLM*A2*150", b"CLM*A2*151"
        ),
        plan=JSON(PLAN),
        rates=JSON([RATES]),
        members=JSON(MEMBERS),
        folder=str(folder),
        received="20250310",
        decided="20250315",
        control=41,
    )
    return msgspec.structs.replace(made, **more)


def test_a_file_of_claims_is_decided_and_its_answers_written(node: Bare, tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    done = adjudicate_claims(node, request(folder))
    assert (done.decided, done.paid, done.refused, done.cents) == (2, 2, 1, 6400)
    assert set(done.files) == {
        "001.999",
        "001.277ca",
        "remittance.835",
        "eob-C00000001.json",
        "eob-C00000002.json",
        "page.html",
    }
    assert {path.name for path in folder.iterdir()} == set(done.files)
    paid = (folder / "remittance.835").read_bytes()
    sound = audit_remittance(node, AuditRemittance(file=paid, rates=JSON([RATES]), plan=JSON(PLAN)))
    assert (sound.sound, sound.faults, sound.shortfalls, sound.missing) == (True, (), (), 0)
    dearer = msgspec.structs.replace(RATES.rates[5], amount=8500)
    contract = msgspec.structs.replace(RATES, rates=(*RATES.rates[:5], dearer, *RATES.rates[6:]))
    short = audit_remittance(node, AuditRemittance(file=paid, rates=JSON([contract])))
    assert short.missing == 500
    assert short.shortfalls == ("claim A3 line 1: agreed $85.00 (A6), allowed $80.00, missing $5.00",)


def test_answers_overwrite_nothing(node: Bare, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(Conflict, match=r"claims\.folder"):
        adjudicate_claims(node, request(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"plan": b"{"}, "claims.plan"),
        ({"plan": JSON(msgspec.structs.replace(PLAN, until="20200101"))}, "claims.plan"),
        ({"rates": b"{}"}, "claims.rates"),
        ({"rates": JSON([msgspec.structs.replace(RATES, provider="1234567890")])}, "claims.rates"),
        ({"members": b"nobody"}, "claims.members"),
        ({"file": b"nothing"}, "claims.unreadable"),
        ({"decided": "20250309"}, "claims.day"),
        ({"received": "29990101", "decided": "29990101"}, "claims.day"),
        ({"received": "20250231"}, "claims.day"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name_and_nothing_is_written(
    node: Bare, tmp_path: Path, change: dict, code: str
) -> None:
    with pytest.raises(Malformed) as caught:
        adjudicate_claims(node, request(tmp_path / "answers", **change))
    assert caught.value.code == code
    assert not (tmp_path / "answers").exists()


def test_a_plan_is_checked(node: Bare) -> None:
    assert check_plan_document(node, CheckPlan(plan=JSON(PLAN))).sound
    gap = msgspec.structs.replace(PLAN, limits=())
    told = check_plan_document(node, CheckPlan(plan=JSON(gap)))
    assert told.faults == ("/benefits/2/limit: unknown-limit, expected a limit of /limits, got therapy",)
    assert not check_plan_document(node, CheckPlan(plan=b"no")).sound


def test_old_claims_are_replayed_under_a_new_version(node: Bare) -> None:
    dearer = msgspec.structs.replace(PLAN.benefits[2], coinsurance=3000)
    new = msgspec.structs.replace(PLAN, version="2025.2", benefits=(*PLAN.benefits[:2], dearer, *PLAN.benefits[3:]))
    ask = ReplayClaims(
        plan=JSON(new),
        old=JSON(PLAN),
        file=file_of(claim(), claim(line(1, "S9129", 9000), identifier="A2")),
        rates=JSON([RATES]),
        members=JSON(MEMBERS),
        day="20250315",
    )
    told = replay_claims(node, ask)
    assert (told.replayed, told.cents) == (2, -800)
    assert [(one.claim, one.status, one.paid, one.patient, one.lines) for one in told.changes] == [
        ("C00000002", "paid", (6400, 5600), (1600, 2400), (1,))
    ]
    assert replay_claims(node, msgspec.structs.replace(ask, plan=ask.old)).changes == ()
    with pytest.raises(Malformed, match=r"claims\.unreadable"):
        replay_claims(node, msgspec.structs.replace(ask, file=b"no"))


def test_a_code_is_refused_from_the_day_on_which_it_was_retired(node: Bare, tmp_path: Path) -> None:
    lists = {"source": "cms.gov", "date": "20250301", "retired_procedures": {"G0402": "20250302"}, "places": ["98"]}
    claims = [claim(line(day=day, place="98"), identifier=day) for day in ("20250301", "20250302")]
    asked = request(tmp_path / "answers", file=file_of(*claims), codes=JSON(lists))
    done = adjudicate_claims(node, asked)
    assert (done.decided, done.refused) == (1, 1)
    page = (tmp_path / "answers" / "page.html").read_text()
    assert (
        "procedure-retired, expected a code in force on 20250302, got HC:G0402; use the code that replaced it" in page
    )
    told = check_claims(node, CheckClaims(file=asked.file, received="20250310", codes=asked.codes))
    assert [fault.split(",")[0] for fault in told.faults] == ["claim 20250302"]
    both = check_claims(node, CheckClaims(file=asked.file, received="20250310"))
    assert all("place-of-service" in fault for fault in both.faults)
    with pytest.raises(Malformed, match=r"claims\.codes"):
        check_claims(node, CheckClaims(file=asked.file, codes=b'{"source": "x", "date": "20250301", "more": 1}'))


def test_the_sample_day_is_decided_as_its_page_says(node: Bare, tmp_path: Path) -> None:
    sample = Path(__file__).parents[3] / "samples" / "claims"
    given = {name: (sample / f"{name}.json").read_bytes() for name in ("plan", "rates", "members")}
    done = adjudicate_claims(
        node, request(tmp_path / "answers", file=(sample / "day.837").read_bytes(), control=1, **given)
    )
    assert (done.decided, done.paid, done.denied, done.voided, done.refused) == (6, 3, 2, 1, 1)
    page = (tmp_path / "answers" / "page.html").read_text()
    assert "<li>claim A7: 2300 CLM02" in page
    assert "The decision C00000004 of before is taken back in full." in page


def test_a_file_of_another_kind_is_named(node: Bare, tmp_path: Path) -> None:
    asked = request(tmp_path / "answers")
    adjudicate_claims(node, asked)
    remittance = (Path(asked.folder) / "remittance.835").read_bytes()
    other = msgspec.structs.replace(asked, folder=str(tmp_path / "more"))
    with pytest.raises(Malformed, match=r"claims\.kind: the file is not a remittance; expected an X12 835; got 837"):
        audit_remittance(node, AuditRemittance(file=asked.file, rates=asked.rates))
    with pytest.raises(
        Malformed, match=r"claims\.kind: the file is not a file of claims; expected an X12 837; got 835"
    ):
        adjudicate_claims(node, msgspec.structs.replace(other, file=remittance))
    with pytest.raises(Malformed, match=r"claims\.kind: the file is not an enrolment; expected an X12 834; got 837"):
        adjudicate_claims(node, msgspec.structs.replace(other, members=asked.file))
    assert not Path(other.folder).exists()
