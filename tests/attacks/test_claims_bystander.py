"""A member that has nothing to do with any claim holds the ledger and its own files: what the nodes really wrote tells nothing.

The claims go through the members' nodes, so that whatever a node derives from a patient, a claim or a file would show: its case
ids, salts, keys and the order of its messages. `test_claims_linkage` asks the same of what the rules leave to their callers.
"""

import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from salus.agreements.claims.alone import sound_claims
from salus.agreements.claims.members import Member, Members
from salus.contracts.claims.port import Case, cases, payer_digest
from salus.contracts.membership.port import Role
from salus.interop.x12.claim import Claim, Person
from salus.node.claims import decide_claims, dossiers, submit_claims
from salus.node.claims.deciding import DecideClaims
from salus.node.claims.exchange import submission_commitment
from salus.node.claims.submitting import SubmitClaims
from salus.node.together import Clock, Founder, Together, found_together
from tests.agreements.claims.cases import JANE, PLAN, RATES, claim, file_of, line
from tests.attacks.test_claims_linkage import MEASURES, MOST, auc

JSON = msgspec.json.encode
MARCH_2025 = 1_741_608_000_000
FILES = 4
Row = tuple[int, bytes, Case]


def person(number: int) -> Person:
    return msgspec.structs.replace(JANE, member=f"HK{number:06d}", last=f"ROWAN{number:06d}")


def visit(number: int, day: int) -> Claim:
    who = person(number)
    made = claim(line(1, "S9129", 9001 + number, f"202503{day:02d}"), identifier=f"V{number:06d}D{day}")
    return msgspec.structs.replace(made, subscriber=who, patient=who)


def billed(folder: Path, patients: int) -> Together:
    """Bill two visits of each patient in files of mixed patients; each file is decided and paid before the next comes."""
    founders = (
        Founder("cedar", "Cedar Clinic", (Role.PROVIDER,)),
        Founder("harbor", "Harbor Health", (Role.PAYER,)),
        Founder("other", "Other Payer", (Role.PAYER,)),
    )
    together = found_together(folder, founders, clock=Clock(lambda: MARCH_2025))
    members = tuple(
        Member(subscriber=one.member, last=one.last, first=one.first, birth=one.birth, sex=one.sex, since="20240101")
        for one in map(person, range(patients))
    )
    request = DecideClaims(
        plan=JSON(PLAN), rates=JSON([RATES]), members=JSON(Members(payer="HARBOR1", members=members))
    )
    visits = [visit(number, day) for number in range(patients) for day in (3, 4)]
    random.Random(patients).shuffle(visits)
    for place in range(FILES):
        file = file_of(*visits[place::FILES])
        submit_claims(together.nodes["cedar"], SubmitClaims(payer="harbor", file=file))
        together.abreast()
        assert decide_claims(together.nodes["harbor"], request).waiting == 0
        together.abreast()
    return together


def sent(together: Together) -> dict[bytes, bytes]:
    """Return the file of each case, as the clinic keeps it."""
    return {case: kept.last.file for case, kept, _ in dossiers.kept_cases(together.nodes["cedar"])}


def owners(together: Together) -> dict[bytes, str]:
    found = {}
    for case, file in sent(together).items():
        (one,) = sound_claims([file], "20250310")
        found[case] = one.subscriber.member
    return found


def test_a_bystanders_files_hold_no_word_and_its_ledger_no_value_twice(tmp_path: Path) -> None:
    together = billed(tmp_path, 30)
    owner = owners(together)
    rows = list(cases(together.nodes["other"].ledger.read()))
    assert {case for case, _ in rows} == set(owner)
    assert Counter(owner.values()).most_common()[-1][1] == 2
    values = [
        value for case, row in rows for value in (case, row.submission, row.decision, row.payer_digest, row.appeal_key)
    ]
    windows = Counter(value[at : at + 6] for value in values for at in range(len(value) - 5))
    assert max(windows.values()) == 1  # nothing of a patient, link or file is in two values, nor in a part of them
    assert all(len(value) in {16, 32} for value in values)
    for case, file in sent(together).items():
        keys = (bytes(32), case.ljust(32, b"\0"), bytes(16) + case)
        guesses = {submission_commitment(key, file) for key in keys}
        guesses |= {payer_digest(salt, case, "harbor") for salt in (bytes(16), case)}
        assert guesses.isdisjoint(values)
    together.close()
    words = [b"ROWAN", b"HK00", b"S9129", b"J069", b"20250303", b"20250304", b"V0000", b"DOE", b"CLM*", b"CLP*"]
    files = [path for path in (tmp_path / "other").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) > 10_000
    for path in files:
        data = path.read_bytes()
        assert not [word for word in words if word in data], path.name


@pytest.mark.soak
def test_a_bystander_does_not_tell_two_claims_of_one_patient_from_others(tmp_path: Path) -> None:
    together = billed(tmp_path, 1_000)
    owner = owners(together)
    rows: list[Row] = [
        (place, case, row) for place, (case, row) in enumerate(cases(together.nodes["other"].ledger.read()))
    ]
    together.close()
    chance = random.Random(1)
    mine: dict[str, list[Row]] = {}
    for one in rows:
        mine.setdefault(owner[one[1]], []).append(one)
    same = [(one, other) for one, other in mine.values()]
    apart = []
    while len(apart) < len(same):
        one, other = chance.sample(rows, 2)
        if owner[one[1]] != owner[other[1]]:
            apart.append((one, other))
    assert len(same) == 1_000
    for name, measure in MEASURES.items():
        found = auc([measure(pair) for pair in same], [measure(pair) for pair in apart])
        assert 1 - MOST <= found <= MOST, f"{name}: {found:.3f}"
