"""Step 2: lines billed before. Exact is denied, a match inside one claim or a suspect goes to a person."""

from salus.agreements.claims.duplicates import OWN, rule_for
from salus.agreements.claims.work import Work

NAME = "duplicates"


def apply(work: Work) -> None:
    """Act on the matches in the facts. TRICARE sends an exact match inside one claim to a person, Medicare denies."""
    rule = rule_for(work.plan.duplicates, work.claim)
    lines = {line.line.number: line for line in work.lines}
    for hit in work.facts.duplicates:
        line = lines.get(hit.line)
        if line is None or line.denied:
            continue
        clause = f"duplicate rule {rule}"
        if hit.kind == "crossover":
            work.deny(NAME, line, "OA-18", clause, f"forwarded before as {hit.other}")
        elif hit.kind == "exact" and not (hit.other == OWN and rule == "tricare"):
            work.deny(NAME, line, "CO-18", clause, f"same as a line of {hit.other}")
        else:
            work.pend(NAME, f"line {hit.line} looks like a line of {hit.other}", line)
