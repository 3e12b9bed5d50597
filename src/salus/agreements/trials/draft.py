"""A first study definition from a protocol alone: terms and analysis plan with every gap marked, so that none is signed.

What USDM does not structure (strata, block sizes, time frames, analyses, the form of consent) is left as a gap: each is a
value that `check_terms` refuses, and a line here that says who has to fill it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from salus.agreements.trials.plan import Plan
from salus.interop.cdisc.findings import Finding

GAP: Final = "To be determined"
NO_FORM: Final = "0" * 64
LONGEST: Final = 200  # signs of a name in terms


@dataclass(frozen=True, slots=True)
class Drafted:
    """Terms and analysis plan as JSON values, and what is still open in them."""

    terms: dict[str, Any]
    analysis: dict[str, Any]
    gaps: tuple[Finding, ...]
    """Rule `gap`, JSON pointer into the terms or, with `analysis:` before it, the plan, and what is to be filled in."""


def draft(plan: Plan) -> Drafted:
    """Return the first terms and analysis plan of a protocol. A protocol with fewer than two arms gets no draw."""
    outcomes = list(_outcomes(plan))
    terms = {
        "format": 1,
        "title": plan.study[:LONGEST] or GAP,
        "randomisation": _randomisation(plan),
        "outcomes": outcomes or [_outcome("", "primary", GAP)],
        "consent_form": NO_FORM,
        "criteria": [{"id": each.id, "by": "attest"} for each in plan.criteria],
    }
    analysis = {
        "id": "analysis-plan",
        "name": "Analysis plan",
        "analyses": [{"id": each["analysis"], "name": each["measure"]} for each in outcomes],
    }
    return Drafted(terms, analysis, tuple(_gaps(terms)))


def _randomisation(plan: Plan) -> dict[str, Any]:
    arms = [arm.id for arm in plan.arms]
    if len(arms) < 2:
        return {"method": "external", "arms": arms}
    return {"method": "blocks", "arms": arms, "ratio": [1] * len(arms), "strata": ["all"]}


def _outcomes(plan: Plan) -> Iterator[dict[str, str]]:
    for endpoint in plan.endpoints:
        level = endpoint.level.lower()
        for name in ("primary", "secondary"):
            if name in level:
                yield _outcome(endpoint.id, name, endpoint.text)


def _outcome(id_: str, level: str, text: str) -> dict[str, str]:
    measure = text.strip()[:LONGEST] or GAP
    return {
        "id": id_ or "endpoint",
        "level": level,
        "measure": measure,
        "time_frame": GAP,
        "analysis": f"analysis-{id_}"[:LONGEST],
    }


def _gaps(terms: dict[str, Any]) -> Iterator[Finding]:
    drawn = terms["randomisation"]
    if drawn["method"] == "blocks":
        yield Finding("gap", "/randomisation/ratio", "the ratio of the arms, here equal")
        yield Finding(
            "gap",
            "/randomisation/size_commitment",
            "commitment to the dispensers' hidden block sizes (`salus trial sizes`)",
        )
        yield Finding("gap", "/randomisation/strata", "the strata, here one")
    else:
        yield Finding("gap", "/randomisation", "nothing is drawn: the protocol has fewer than two arms")
    yield Finding("gap", "/consent_form", "SHA-256 of the form of informed consent (`sha256sum FILE`)")
    for place, outcome in enumerate(terms["outcomes"]):
        if GAP.lower() in outcome["measure"].lower():
            yield Finding("gap", f"/outcomes/{place}/measure", "a measure")
        yield Finding("gap", f"/outcomes/{place}/time_frame", "a time frame")
        yield Finding("gap", f"analysis:/analyses/{place}", "method, population and grouping of the analysis")
    for place, criterion in enumerate(terms["criteria"]):
        yield Finding(
            "gap", f"/criteria/{place}", f"an expression over records for {criterion['id']}, or leave it to a person"
        )
