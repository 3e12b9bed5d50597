"""Step 5: the provider's standing with this plan on the day of service."""

from salus.agreements.claims.work import Work

NAME = "provider"


def apply(work: Work) -> None:
    """Deny a provider that is not admitted; deny one outside where the plan has no tier for it."""
    if work.facts.provider == "not-admitted":
        work.deny_all(NAME, "CO-B7", "provider admission", "the provider was not admitted on that day")
    elif work.facts.provider == "outside":
        known = {benefit.tier for benefit in work.plan.benefits}
        if work.plan.tiers[-1] not in known:
            work.deny_all(NAME, "CO-242", "network", "the plan pays network providers only")
