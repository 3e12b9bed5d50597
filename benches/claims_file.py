"""A process of its own that takes one file of many claims and prints claims decided and its peak memory in MB.

python -m benches.claims_file write CLAIMS FOLDER      write the file and the documents that decide it
python -m benches.claims_file adjudicate FOLDER        the whole program `salus claims adjudicate`: 835, explanations and page besides
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

import msgspec

from salus.cli.main import main
from salus.interop.x12.claim_writer import set_of
from salus.interop.x12.envelope import interchange
from tests.agreements.claims.cases import ENDS, JANE, MEMBERS, PLAN, RATES, STAMP, claim, line

IN_SET = 1_000
EACH = 4
"""Claims of one person."""
CODES = ("G0402", "G0404", "J0696", "G0499")


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


def adjudicate(folder):
    """Run the program on the file; return the claims decided."""
    os.environ["SALUS_DATA"] = str(folder / "data")
    words = ["claims", "adjudicate", "--received", "20250310", "--decided", "20250315", "--json"]
    for name in ("plan", "rates", "members"):
        words += [f"--{name}", str(folder / f"{name}.json")]
    words += ["--folder", str(folder / "answers"), "--numbers", str(folder / "numbers.json")]
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        code = main([*words, "--file", str(folder / "claims.837")])
    if code:
        raise ValueError("the program refuses the file")
    return json.loads(told.getvalue())["decided"]


def _peak_kilobytes():
    """Return the peak of this program alone: `ru_maxrss` begins with what the process had before it became this one."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    if kind == "write":
        write(int(rest[0]), Path(rest[1]))
    else:
        done = adjudicate(Path(rest[0]))
        sys.stdout.write(f"{done} {_peak_kilobytes() // 1024}\n")
