"""Acts played against the sample's definition: every verdict and deviation is told by line."""

import gzip
import json

import msgspec
import pytest

from salus.node.config import Config
from salus.node.demo.trial_scene import sample
from salus.node.errors import Malformed
from salus.node.local import Bare
from salus.node.trials import rehearse_trial
from salus.node.trials.rehearsing import RehearseTrial, TrialRehearsed
from tests.interop.cdisc.odm_files import form_2

FORM = json.loads(sample("terms-1"))["consent_form"]
CRITERIA = {"adult": "yes", "pain": "yes", "allergy": "no", "other-trial": "no"}
SOUND = [
    ("2026-01-01T09:00:00Z", "coordinator", "consent", "", {"form": FORM}),
    ("2026-01-01T10:00:00Z", "coordinator", "visit", "2026-01-01", {"visit": "screen"}),
    ("2026-01-01T11:00:00Z", "coordinator", "screen", "", CRITERIA),
    ("2026-01-02T09:00:00Z", "investigator", "eligible", "", {}),
    ("2026-01-14T09:00:00Z", "pharmacist", "randomised", "", {"enrolment": "ab"}),
    ("2026-01-15T10:00:00Z", "coordinator", "visit", "2026-01-15", {"visit": "base"}),
    ("2026-01-15T10:03:00Z", "coordinator", "form", "", {"visit": "base", "activity": "measure", "item.PAIN": "6", "item.PULSE": "70"}),
    ("2026-01-15T10:05:00Z", "investigator", "sign", "", {"visit": "base"}),
]  # fmt: skip


def line(act, **changes):
    at, role, kind, clinical, fields = act
    return {"subject": "S1", "at": at, "role": role, "kind": kind, "clinical": clinical, "fields": fields} | changes


def played(lines, **changes) -> TrialRehearsed:
    acts = b"\n".join(json.dumps(each).encode() for each in lines)
    request = RehearseTrial(
        protocol=sample("protocol-1"), terms=sample("terms-1"), analysis=sample("analysis"), acts=acts
    )
    return rehearse_trial(Bare(Config()), msgspec.structs.replace(request, **changes))


def test_sound_acts_give_no_verdict():
    told = played([line(act) for act in SOUND])
    assert told.sound
    assert told.participants == ("S1: on-study, 0 open queries, 1 visits to be paid",)


def test_a_definition_that_is_none_names_its_part():
    packed = gzip.compress(sample("protocol-1"))
    assert played([line(act) for act in SOUND], protocol=packed).sound
    for part, data in (("protocol", b"{}"), ("terms", b"{}"), ("analysis", b"{}"), ("forms", b"<ODM/>")):
        with pytest.raises(Malformed, match=rf"{part}: \w"):
            played([], acts=b"", **{part: data})


def test_forms_from_odm_raise_their_queries():
    entered = {"item": "base/measure/1/PAIN", "value": "10.5", "reason": "mistyped"}
    lines = [*(line(act) for act in SOUND), line(("2026-01-15T11:00:00Z", "coordinator", "change", "", entered))]
    assert played(lines).participants == ("S1: on-study, 1 open queries, 0 visits to be paid",)
    told = played(lines, forms=form_2().encode())
    assert told.participants == ("S1: on-study, 2 open queries, 0 visits to be paid",)


def test_every_fault_is_told_by_its_line():
    lines = [line(act) for act in SOUND]
    lines += [
        line(("2026-01-20T10:00:00Z", "coordinator", "visit", "2026-01-20", {"visit": "week2"})),
        line(("2026-01-21T10:00:00Z", "monitor", "change", "", {})),
        line(("2026-01-22T10:00:00Z", "coordinator", "adverse", "", {}), anchored="2026-01-23T10:00:00Z"),
        line(("2026-01-22T10:00:00Z", "coordinator", "visit", "2026-01-22", {"visit": "screen"}), subject="S2"),
    ]
    told = played(lines, locked="2026-02-01T00:00:00+00:00")
    assert [each.split(",")[0] + each.split(":")[1].split(",")[0] for each in told.verdicts] == [
        "line 10 NOT_DELEGATED",
        "line 11 BACKDATED",
        "line 12 NO_CONSENT",
    ]
    assert told.deviations[0].startswith("line 9, S1: WINDOW, 2026-01-15 + 14 days = 2026-01-29")
    assert not told.sound


@pytest.mark.parametrize(
    "acts", [b"", b"{}", b"[1]", b'{"subject": "S1", "at": "2026-01-01T09:00:00", "role": "x", "kind": "y"}']
)
def test_acts_that_cannot_be_read_are_refused(acts):
    with pytest.raises(Malformed):
        played([], acts=acts)
