"""Which benefit a line falls under: the first category of the plan that fits, in the provider's tier."""

from salus.agreements.claims.plan import Benefit, Category, Plan
from salus.interop.x12.claim import Claim, Line


def place_of(claim: Claim, line: Line) -> str:
    """Return the place of service of a line; none of a facility's claim, which tells its type of bill in that element."""
    return line.place or claim.facility if claim.kind == "P" else ""


def fits(category: Category, claim: Claim, line: Line) -> bool:
    """Tell whether a line is of a category."""
    return (
        (not category.kind or category.kind == claim.kind)
        and (not category.procedures or line.procedure.startswith(category.procedures))
        and (not category.revenue or line.revenue.startswith(category.revenue))
        and (not category.places or place_of(claim, line) in category.places)
    )


def category_of(plan: Plan, claim: Claim, line: Line) -> str:
    """Return the name of a line's category, empty where none fits."""
    return next((category.category for category in plan.categories if fits(category, claim, line)), "")


def benefit_of(plan: Plan, category: str, tier: str) -> Benefit | None:
    """Return the benefit of a category in a tier, None where the plan has none."""
    return next((part for part in plan.benefits if part.category == category and part.tier == tier), None)
