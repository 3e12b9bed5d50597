"""A process of its own that reads, checks and answers one file of many claims, and prints its peak memory.

python -m benches.claims_file CLAIMS
"""

import sys
from pathlib import Path

from salus.interop.x12.answers import acknowledgment, claim_acknowledgment, verdict
from salus.interop.x12.claim_writer import set_of
from salus.interop.x12.envelope import interchange
from salus.interop.x12.examine import examine
from tests.agreements.claims.cases import ENDS, PAYER, STAMP, claim, line

IN_SET = 1_000
CODES = ("G0402", "G0404", "J0696", "G0499")


def chunks(claims):
    """Yield a file in pieces of one set: four-line claims, a thousand in each set."""
    some = [
        claim(
            *(line(place, code, 15_000 + place, f"202502{1 + number % 28:02d}") for place, code in enumerate(CODES, 1)),
            identifier=f"A{number}",
        )
        for number in range(IN_SET)
    ]
    one = interchange(ENDS, STAMP, "HC", "005010X222A1", [set_of(some, "0001", STAMP.day, STAMP.time)])
    start, end = one.index(b"ST*"), one.index(b"GE*")
    yield one[:start]
    for number in range(1, claims // IN_SET + 1):
        yield one[start:end].replace(b"*0001", b"*%04d" % number)
    yield one[end:].replace(b"GE*1*", b"GE*%d*" % (claims // IN_SET))


def main(claims):
    """Answer the file by 999 and 277CA; print claims accepted and the peak of resident memory in MB."""
    seen = verdict(examine(chunks(claims)))
    sets = [answer for group in seen.groups for answer in group.sets]
    header = seen.interchanges[0].header
    answers = acknowledgment(seen.groups, header, STAMP), claim_acknowledgment(sets, header, PAYER, STAMP)
    accepted = sum(one.accepted for answer in sets if answer.accepted for one in answer.claims)
    if not all(answers):
        raise ValueError("no answer was written")
    sys.stdout.write(f"{accepted} {_peak_kilobytes() // 1024}\n")


def _peak_kilobytes():
    """Return the peak of this program alone: `ru_maxrss` begins with what the process had before it became this one."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    main(int(sys.argv[1]))
