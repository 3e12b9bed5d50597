"""Partner documents and control numbers in one organisation's files, and at a node that submits."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from salus.agreements.claims.partner import Partner, PartnerRule, Separators
from salus.interop.x12.envelope import Stamp
from salus.node.claims import adjudicate_claims, dossiers, submit_claims
from salus.node.claims.alone import AdjudicateClaims, ClaimsAdjudicated
from salus.node.claims.control import control_for
from salus.node.claims.submitting import SubmitClaims
from salus.node.config import Config
from salus.node.errors import Conflict, Malformed
from salus.node.local import Bare
from salus.node.together import Together
from tests.agreements.claims.cases import MEMBERS, PLAN, RATES, claim, file_of, stay
from tests.agreements.claims.cases import line as line_of
from tests.interop.x12.oracles import pyx12_accepts
from tests.node.claims.two import found_two

JSON = msgspec.json.encode
PARTNER = Partner(name="Cedar", identifier="CEDAR", receiver="HARBOR", separators=Separators())
TAXONOMY = PartnerRule(level=7, clause="guide 4.2", loop="2000A", tag="PRV", qualifier="BI", element=3)
COMMERCIAL = PartnerRule(level=6, clause="guide 1.1", kind="P", loop="2000B", tag="SBR", element=9, values=("CI", "12"))


class Runs:
    """Runs of one organisation, each into a folder of its own, with one memory."""

    def __init__(self, folder: Path) -> None:
        self._node = Bare(Config(data=str(folder / "data")))
        self._folder = folder
        self._count = 0

    def run(self, file: bytes, **more: object) -> tuple[ClaimsAdjudicated, dict[str, bytes]]:
        self._count += 1
        folder = self._folder / str(self._count)
        given = {"plan": JSON(PLAN), "rates": JSON([RATES]), "members": JSON(MEMBERS)}
        days = {"received": "20250310", "decided": "20250315", "numbers": str(self._folder / "numbers.json")}
        done = adjudicate_claims(self._node, AdjudicateClaims(file=file, folder=str(folder), **given, **(days | more)))
        return done, {name: (folder / name).read_bytes() for name in done.files}


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def numbered(control: int, *claims: object, day: str = "20250310") -> bytes:
    return file_of(*(claims or (claim(),)), stamp=Stamp(day, "1200", control))


def controls(files: dict[str, bytes]) -> list[int]:
    return [int(text[90:99]) for name, text in files.items() if not name.endswith((".json", ".html"))]


def test_the_same_bytes_get_the_first_answer_and_no_number_goes_out_twice(runs: Runs) -> None:
    first, files = runs.run(numbered(1))
    second, others = runs.run(numbered(2, claim(line_of(day="20250302"), identifier="A2")))
    again, same = runs.run(numbered(1), received="20250320", decided="20250401")
    assert (again.again, same) == (True, files)
    assert (first.again, second.again, second.gaps) == (False, False, ())
    sent = controls(files) + controls(others)
    assert sent == list(range(1, len(sent) + 1))
    assert {name for name in others if name.startswith("eob")} == {"eob-C00000002.json"}
    _, third = runs.run(numbered(3, claim(line_of(day="20250303"), identifier="A3")))
    assert controls(third)[0] == len(sent) + 1


def test_a_used_number_with_other_bytes_gets_a_ta1_and_nothing_else(runs: Runs) -> None:
    runs.run(numbered(1))
    done, files = runs.run(numbered(1, claim(identifier="OTHER")))
    assert (done.envelopes, done.files, done.decided) == (("025",), ("001.ta1",), 0)
    assert b"TA1*000000001*250310*1200*R*025~" in files["001.ta1"]
    assert pyx12_accepts(files["001.ta1"]) is True
    twice = numbered(5) + numbered(5, claim(identifier="OTHER"))
    assert runs.run(twice)[0].envelopes == ("025",)
    assert runs.run(numbered(5))[0].envelopes == ()


def test_what_a_sender_skipped_is_told_and_may_come_late(runs: Runs) -> None:
    assert runs.run(numbered(10))[0].gaps == ()
    assert runs.run(numbered(13, claim(identifier="A2")))[0].gaps == ("000000011 to 000000012",)
    late, _ = runs.run(numbered(12, claim(identifier="A3")))
    assert (late.gaps, late.envelopes) == ((), ())
    assert runs.run(numbered(14, claim(identifier="A4")))[0].gaps == ()


def test_a_damaged_memory_is_refused_and_not_begun_anew(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "numbers.json").write_bytes(b"{")
    with pytest.raises(Malformed, match=r"claims\.numbers"):
        runs.run(numbered(1))
    assert (tmp_path / "numbers.json").read_bytes() == b"{"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"separators": Separators(element="|")}, "026"),
        ({"separators": Separators(repetition="!")}, "016"),
        ({"separators": Separators(component=">")}, "027"),
        ({"separators": Separators(terminator="'")}, "004"),
        ({"qualifier": "30"}, "005"),
        ({"identifier": "BIRCH"}, "006"),
        ({"receiver_qualifier": "30"}, "007"),
        ({"receiver": "MERIDIAN"}, "008"),
        ({"usage": "T"}, "020"),
    ],
)
def test_an_envelope_that_is_not_the_agreed_one_is_refused_by_its_note_code(
    runs: Runs, change: dict, code: str
) -> None:
    assert runs.run(numbered(1), partner=JSON(PARTNER))[0].envelopes == ()
    done, files = runs.run(numbered(2), partner=JSON(msgspec.structs.replace(PARTNER, **change)))
    assert (done.envelopes, done.decided, list(files)) == ((code,), 0, ["001.ta1"])


def test_a_version_and_a_batch_that_were_not_agreed_are_refused_by_999(runs: Runs) -> None:
    one = msgspec.structs.replace(PARTNER, versions=("005010X223A2",))
    done, files = runs.run(numbered(1), partner=JSON(one))
    assert (done.decided, done.refused) == (0, 1)
    assert b"IK5*R*1~" in files["001.999"]
    small = msgspec.structs.replace(PARTNER, most_claims=1)
    done, files = runs.run(numbered(2, claim(), claim(identifier="A2")), partner=JSON(small))
    assert (done.decided, done.refused) == (0, 2)
    assert b"IK3*ST*1**4~" in files["001.999"]
    assert all(pyx12_accepts(text) is True for name, text in files.items() if name.endswith("999"))


def test_a_partners_own_rules_refuse_a_claim_and_the_others_go_on(runs: Runs) -> None:
    partner = msgspec.structs.replace(PARTNER, rules=(TAXONOMY, COMMERCIAL))
    other = claim(identifier="A2", filing="HM")
    done, files = runs.run(numbered(1, claim(), other), partner=JSON(partner))
    assert (done.decided, done.refused) == (1, 1)
    page = files["page.html"].decode()
    assert "claim A2: 2000B SBR09" in page
    assert "as the partner's guide asks in guide 1.1" in page
    hospital = numbered(2, stay(line_of(1, "", 120000), filing="HM"))
    assert runs.run(hospital, partner=JSON(partner))[0].refused == 0
    missing = PartnerRule(level=7, clause="guide 9", loop="2300", tag="REF", qualifier="D9", element=2)
    done, _ = runs.run(numbered(3), partner=JSON(msgspec.structs.replace(PARTNER, rules=(missing,))))
    assert (done.decided, done.refused) == (0, 1)


def test_a_partner_document_that_is_none_is_refused(runs: Runs) -> None:
    with pytest.raises(Malformed, match=r"claims\.partner"):
        runs.run(numbered(1), partner=b"{}")


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    found = found_two(tmp_path_factory.mktemp("together"))
    yield found
    found.close()


def test_a_node_sends_no_file_under_a_used_number_and_tells_what_was_skipped(together: Together) -> None:
    cedar = together.nodes["cedar"]
    first = SubmitClaims(payer="harbor", file=numbered(1))
    sent = submit_claims(cedar, first)
    before = len(dossiers.kept_cases(cedar))
    with pytest.raises(Conflict, match=r"claims\.control-number"):
        submit_claims(cedar, SubmitClaims(payer="harbor", file=numbered(1, claim(identifier="OTHER"))))
    assert len(dossiers.kept_cases(cedar)) == before
    assert submit_claims(cedar, first) == sent
    skipping = submit_claims(cedar, SubmitClaims(payer="harbor", file=numbered(4, claim(identifier="A4"))))
    assert skipping.gaps == ("000000002 to 000000003",)


def test_what_a_node_writes_is_counted_for_each_receiver(together: Together) -> None:
    cedar = together.nodes["cedar"]
    told = [control_for(cedar, *one) for one in (("H", b"a"), ("H", b"b"), ("M", b"a"), ("H", b"a"), ("H", b"c"))]
    assert told == [1, 2, 1, 1, 3]
