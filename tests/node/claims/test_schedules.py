"""Fee schedules made of CMS's files, loaded, and held against a decision by its provider."""

from pathlib import Path

import msgspec
import pytest

from salus.agreements.claims.plan import ScheduleReference
from salus.agreements.claims.tables import PriceTable, read_schedule
from salus.node.claims import (
    adjudicate_claims,
    dossiers,
    load_schedule,
    make_schedule,
    recompute_decision,
    submit_claims,
)
from salus.node.claims.deciding import Inbox
from salus.node.claims.listing import RecomputeDecision
from salus.node.claims.remitting import Remitter
from salus.node.claims.schedules import LoadSchedule, MakeSchedule
from salus.node.claims.submitting import SubmitClaims
from salus.node.config import Config
from salus.node.errors import Malformed
from salus.node.local import Bare
from tests.agreements.claims.cases import MEMBERS, PLAN, claim, file_of, line
from tests.node.claims.test_alone import request
from tests.node.claims.test_tables import PLACE, VALUES
from tests.node.claims.two import JSON, found_two

replace = msgspec.structs.replace
MAKE = MakeSchedule(
    file=VALUES.encode(),
    locality=JSON(PLACE),
    setting="office",
    name="MPFS office",
    version="2025D",
    source="cms.gov, RVU25D",
    date="20251001",
)


def test_relative_values_price_what_no_contract_does(tmp_path: Path) -> None:
    node = Bare(Config(data=str(tmp_path / "data")))
    made = make_schedule(node, MAKE)
    assert (made.prices, made.left_out) == (3, 1)
    loaded = load_schedule(node, LoadSchedule(file=made.schedule.encode(), percent=10_000))
    reference = msgspec.json.decode(loaded.reference, type=ScheduleReference)
    assert (reference.title, reference.source, reference.date) == ("MPFS office 2025D", "cms.gov, RVU25D", "20251001")
    plan = replace(PLAN, fee_schedules=(reference,))
    asked = request(tmp_path / "answers", plan=JSON(plan), rates=b"[]", file=file_of(claim(line(1, "G0404", 200_000))))
    adjudicate_claims(node, asked)
    page = (tmp_path / "answers" / "page.html").read_text()
    assert "100 % of MPFS office 2025D, no contract: $1,339.81 allowed" in page  # the price that CMS published there
    kept = tmp_path / "data" / "claim-tables" / f"{reference.digest}.table"
    kept.write_bytes(kept.read_bytes().replace(b'"2903"', b"2904").replace(b"2903", b"2904"))
    with pytest.raises(Malformed, match="is not the table that the plan names"):
        adjudicate_claims(node, replace(asked, folder=str(tmp_path / "other")))


def test_what_is_no_schedule_is_refused(tmp_path: Path) -> None:
    node = Bare(Config(data=str(tmp_path / "data")))
    for file, told in (
        (b"{}", "cannot be read"),
        (b'{"name":"x","version":"1","source":"s","date":"20250101","rates":[]}', "empty at /rates"),
    ):
        with pytest.raises(Malformed, match=told):
            load_schedule(node, LoadSchedule(file=file))
    with pytest.raises(Malformed, match="no row with a price"):
        make_schedule(node, replace(MAKE, file=b"x"))
    with pytest.raises(Malformed, match="cannot be written"):
        load_schedule(node, LoadSchedule(file=make_schedule(node, MAKE).schedule.encode(), folder="/proc/nowhere"))


def test_a_provider_that_has_the_schedule_names_other_prices(tmp_path: Path) -> None:
    two = found_two(tmp_path / "two")
    cedar, harbor = two.nodes["cedar"], two.nodes["harbor"]
    document = make_schedule(cedar, MAKE).schedule.encode()
    loaded = load_schedule(cedar, LoadSchedule(file=document))
    plan = replace(PLAN, fee_schedules=(msgspec.json.decode(loaded.reference, type=ScheduleReference),))
    other = read_schedule(document)
    low = replace(other, rates=tuple(replace(one, work=one.work // 2) for one in other.rates))
    file = file_of(claim(line(1, "G0402", 900_000, units=10_000)))
    (case,) = submit_claims(cedar, SubmitClaims(payer="harbor", file=file)).cases
    two.abreast()
    inbox = Inbox(harbor, plan, [], MEMBERS, JSON(plan), tables={loaded.digest: PriceTable(low)})
    inbox.accept()
    inbox.decide()
    Remitter(harbor, plan, JSON(plan), MEMBERS, inbox.made).remit()
    two.abreast()
    assert dossiers.dossier_of(cedar, bytes.fromhex(case)).last.difference == "pricing"
    told = recompute_decision(cedar, RecomputeDecision(case=case, rates=b"[]"))
    assert told.step == "pricing"
    assert told.own > told.decided
    two.close()
