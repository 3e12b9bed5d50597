"""Step 1: is the claim new, a replacement (frequency 7) or a void (8)? What it refers to must be known."""

from salus.agreements.claims.work import Work

NAME = "identity"


def apply(work: Work) -> None:
    """Deny what refers to nothing; mark a void, which pays nothing of its own."""
    frequency = work.claim.frequency
    if frequency not in {"7", "8"}:
        if work.facts.original is not None:
            work.note(NAME, None, "decided again: the earlier decision is taken back", "original reference")
        return
    if work.facts.original is None:
        work.deny_all(NAME, "CO-129", "original reference", f"no claim {frequency} can refer to")
    elif frequency == "8":
        work.voided = True
        work.note(NAME, None, "void: the earlier decision is taken back", "original reference")
    else:
        work.note(NAME, None, "replacement: the earlier decision is taken back", "original reference")
