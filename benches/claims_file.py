"""A process of its own that takes one file of many claims and prints claims accepted and its peak memory in MB.

python -m benches.claims_file write CLAIMS FOLDER      write the file and the documents that decide it
python -m benches.claims_file answer FOLDER            read, check and answer it by 999 and 277CA
python -m benches.claims_file adjudicate FOLDER        the whole command: 835, explanations and page besides
"""

import sys
from pathlib import Path

import msgspec

from salus.interop.x12.answers import acknowledgment, claim_acknowledgment, verdict
from salus.interop.x12.claim_writer import set_of
from salus.interop.x12.envelope import interchange
from salus.interop.x12.examine import examine
from salus.node.claims.alone import AdjudicateClaims, adjudicate_claims
from salus.node.config import Config
from salus.node.local import Bare
from tests.agreements.claims.cases import ENDS, JANE, MEMBERS, PAYER, PLAN, RATES, STAMP, claim, line

IN_SET = 1_000
EACH = 4
"""Claims of one person."""
CODES = ("G0402", "G0404", "J0696", "G0499")
PIECE = 1 << 16


def write(claims, folder):
    """Write four-line claims, a thousand in each set, four for each person, all of them covered."""
    people = [f"S0000P{number:03d}" for number in range(IN_SET // EACH)]
    some = []
    for number in range(IN_SET):
        person = msgspec.structs.replace(JANE, member=people[number // EACH])
        day = f"2025020{1 + number % EACH}"
        lines = [line(place, code, 15_000 + place, day) for place, code in enumerate(CODES, 1)]
        some.append(claim(*lines, identifier=f"A{number}", subscriber=person, patient=person))
    one = interchange(ENDS, STAMP, "HC", "005010X222A1", [set_of(some, "0001", STAMP.day, STAMP.time)])
    start, end = one.index(b"ST*"), one.index(b"GE*")
    sets = range(1, claims // IN_SET + 1)
    with (folder / "claims.837").open("wb") as file:
        file.write(one[:start])
        for number in sets:
            file.write(one[start:end].replace(b"*0001", b"*%04d" % number).replace(b"S0000", b"S%04d" % number))
        file.write(one[end:].replace(b"GE*1*", b"GE*%d*" % len(sets)))
    covered = [
        msgspec.structs.replace(MEMBERS.members[0], subscriber=person.replace("S0000", f"S{number:04d}"))
        for number in sets
        for person in people
    ]
    documents = {"plan": PLAN, "rates": [RATES], "members": msgspec.structs.replace(MEMBERS, members=tuple(covered))}
    for name, document in documents.items():
        (folder / f"{name}.json").write_bytes(msgspec.json.encode(document))


def answer(folder):
    """Answer the file by 999 and 277CA; return the claims accepted."""
    with (folder / "claims.837").open("rb") as file:
        seen = verdict(examine(iter(lambda: file.read(PIECE), b"")))
    sets = [answer for group in seen.groups for answer in group.sets]
    header = seen.interchanges[0].header
    if not all((acknowledgment(seen.groups, header, STAMP), claim_acknowledgment(sets, header, PAYER, STAMP))):
        raise ValueError("no answer was written")
    return sum(one.accepted for answer in sets if answer.accepted for one in answer.claims)


def adjudicate(folder):
    """Adjudicate the file as the command does; return the claims decided."""
    given = {name: (folder / f"{name}.json").read_bytes() for name in ("plan", "rates", "members")}
    done = adjudicate_claims(
        Bare(Config(data=str(folder / "data"))),
        AdjudicateClaims(
            file=(folder / "claims.837").read_bytes(),
            folder=str(folder / "answers"),
            numbers=str(folder / "numbers.json"),
            received="20250310",
            decided="20250315",
            **given,
        ),
    )
    return done.decided


def _peak_kilobytes():
    """Return the peak of this program alone: `ru_maxrss` begins with what the process had before it became this one."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    if kind == "write":
        write(int(rest[0]), Path(rest[1]))
    else:
        done = {"answer": answer, "adjudicate": adjudicate}[kind](Path(rest[0]))
        sys.stdout.write(f"{done} {_peak_kilobytes() // 1024}\n")
