"""Does a study fit what data may be used for? One function, for a custodian's offer and for a patient's choice.

The terms are those of the Data Use Ontology (DUO). A policy is one permission and any modifiers with what they need
(regions, diseases, months); a purpose is what the study says of itself. The order of the classes is not the order of
permissions: health research stands under general research, yet data for health research is not open to general
research. So each class has its own rule below and nothing is inferred from a parent, save that research under
"biomedical research" is biomedical. Diseases match by the codes listed, never by an ontology.
"""

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Annotated, Final, NamedTuple

from msgspec import Meta

from salus.contracts.fields import CaseId, MemberId, Time
from salus.contracts.research.duo_table import CLASSES, Kind
from salus.core.encoding import Value

MAX_CODES: Final = 64  # codes, regions or institutions in one list: a policy is read by people
MAX_MONTHS: Final = 600
NRES, HMB, DS, POA, GRU = 4, 6, 7, 11, 42
METHODS, POPULATION, ANCESTRY, BIOMEDICAL, GENETIC = 31, 32, 33, 37, 38
HEALTH: Final = (BIOMEDICAL, GENETIC, 39, 40)
DUTIES: Final = (19, 20, 26, 29)
"""Modifiers that the study fulfils later: publish, collaborate, name its users to the custodian, return results."""

Code = Annotated[int, Meta(ge=1, le=9999)]
Disease = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9.-]{1,31}:[A-Za-z0-9.-]{1,32}\Z")]
Region = Annotated[str, Meta(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?\Z")]
Diseases = Annotated[tuple[Disease, ...], Meta(max_length=MAX_CODES)]
Codes = Annotated[tuple[Code, ...], Meta(max_length=len(CLASSES))]
Regions = Annotated[tuple[Region, ...], Meta(max_length=MAX_CODES)]
Months = Annotated[int, Meta(ge=0, le=MAX_MONTHS)]


class Policy(Value, frozen=True):
    """What data may be used for, in DUO's terms."""

    permission: Code
    """The permission's number: 4 no restriction, 42 general, 6 health, 7 disease specific, 11 origins or ancestry."""
    modifiers: Codes = ()
    """Numbers of the modifiers, ascending, each once."""
    diseases: Diseases = ()
    """With permission 7: the diseases, as `system:code`."""
    research: Codes = ()
    """With modifier 12: numbers of the investigations allowed; one stands for those below it."""
    regions: Regions = ()
    """With modifier 22: ISO 3166 codes; a country stands for its parts."""
    institutions: Annotated[tuple[MemberId, ...], Meta(max_length=MAX_CODES)] = ()
    """With modifier 28: the members approved."""
    projects: Annotated[tuple[CaseId, ...], Meta(max_length=MAX_CODES)] = ()
    """With modifier 27: ids of the permits approved."""
    months: Months = 0
    """With modifier 25: for how long at most."""
    moratorium: Time = 0
    """With modifier 24: nothing is published before this time, ms."""


class Purpose(Value, frozen=True):
    """What a study says of itself."""

    investigations: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=10)]
    """Numbers of DUO's investigations, ascending, each once."""
    diseases: Diseases = ()
    """The diseases studied, as `system:code`."""
    non_profit: bool = False
    """Whether the institution is not for profit."""
    commercial: bool = True
    """Whether the use is commercial."""
    clinical_care: bool = False
    """Whether the data is also used for clinical care."""
    duties: Codes = ()
    """Duties that the study takes on: numbers of 19, 20, 26, 29."""
    months: Annotated[int, Meta(ge=1, le=MAX_MONTHS)] = 12
    """How long the data is used."""
    publishes: Time = 0
    """Not before this time are results published, ms."""


class Applicant(NamedTuple):
    """Who asks: member id, its jurisdiction, the permit's id, whether an ethics approval is shown."""

    member: MemberId
    jurisdiction: str
    permit: bytes
    approved: bool


class Misfit(NamedTuple):
    """One class that does not fit, and why."""

    code: int
    why: str


class Match(NamedTuple):
    """The answer: no misfit is a fit. `duties` are the classes that the study must fulfil."""

    misfits: tuple[Misfit, ...]
    duties: tuple[int, ...]

    @property
    def fits(self) -> bool:
        """Whether the study fits."""
        return not self.misfits


class UnknownClass(ValueError):
    """No class of the ontology has this name."""


def number(name: str) -> int:
    """Return the number of a class written `DUO:0000044`, `DUO_0000044`, `DUO_00000044` or as an IRI. Raises UnknownClass."""
    found = re.search(r"(?:^|/)DUO[:_](\d{7,8})\Z", name, re.ASCII)
    if found is None or int(found[1]) not in CLASSES:
        raise UnknownClass(name)
    return int(found[1])


def name_of(code: int) -> str:
    """Return the name of a class: `DUO:0000044`."""
    return f"DUO:{code:07d}"


def faults(policy: Policy) -> tuple[Misfit, ...]:
    """Return what is wrong with a policy itself, nothing if it can be matched."""
    found = [Misfit(policy.permission, "no permission")] if _kind(policy.permission) is not Kind.PERMISSION else []
    found += [Misfit(code, "no modifier") for code in policy.modifiers if _kind(code) is not Kind.MODIFIER]
    found += [Misfit(code, "not ascending") for code in policy.modifiers[:1] if _unsorted(policy.modifiers)]
    found += [Misfit(code, "no investigation") for code in policy.research if _kind(code) is not Kind.INVESTIGATION]
    given = {
        DS: bool(policy.diseases),
        12: bool(policy.research),
        22: bool(policy.regions),
        24: policy.moratorium > 0,
        25: policy.months > 0,
        27: bool(policy.projects),
        28: bool(policy.institutions),
    }
    for code, has in given.items():
        if has != (code in (policy.permission, *policy.modifiers)):
            found.append(Misfit(code, "its class and what it needs are not both given"))
    return tuple(found)


def purpose_faults(purpose: Purpose) -> tuple[Misfit, ...]:
    """Return what is wrong with a purpose itself."""
    found = [
        Misfit(code, "no investigation") for code in purpose.investigations if _kind(code) is not Kind.INVESTIGATION
    ]
    found += [Misfit(code, "no duty") for code in purpose.duties if code not in DUTIES]
    found += [
        Misfit(codes[0], "not ascending") for codes in (purpose.investigations, purpose.duties) if _unsorted(codes)
    ]
    return tuple(found)


def match(policy: Policy, purpose: Purpose, applicant: Applicant) -> Match:
    """Match a study against a policy. Misfits stand in the order permission, modifiers ascending."""
    wrong = faults(policy) + purpose_faults(purpose)
    if wrong:
        return Match(wrong, ())
    asked = [policy.permission, *policy.modifiers]
    if purpose.clinical_care and 43 not in asked and policy.permission != NRES:
        asked.append(43)
    found = [Misfit(code, why) for code in asked if (why := _RULES[code](policy, purpose, applicant))]
    return Match(tuple(found), tuple(code for code in policy.modifiers if code in DUTIES))


def _kind(code: int) -> Kind | None:
    row = CLASSES.get(code)
    return None if row is None else row.kind


def _unsorted(codes: tuple[int, ...]) -> bool:
    return any(left >= right for left, right in pairwise(codes))


def _health(_policy: Policy, purpose: Purpose, _who: Applicant) -> str:
    if ANCESTRY in purpose.investigations:
        return "ancestry research is not health research"
    return "" if any(code in HEALTH for code in purpose.investigations) else "the study is not health research"


def _disease(policy: Policy, purpose: Purpose, who: Applicant) -> str:
    if not purpose.diseases or any(disease not in policy.diseases for disease in purpose.diseases):
        return "the study is not of the diseases listed alone"
    return _health(policy, purpose, who)


def _ancestry_only(_policy: Policy, purpose: Purpose, _who: Applicant) -> str:
    only = ANCESTRY in purpose.investigations and all(c in (POPULATION, ANCESTRY) for c in purpose.investigations)
    return "" if only else "the study is not of population origins or ancestry alone"


def _research(policy: Policy, purpose: Purpose, _who: Applicant) -> str:
    def allowed(code: int) -> bool:
        return code in policy.research or any(parent in policy.research for parent in CLASSES[code].parents)

    return "" if all(allowed(code) for code in purpose.investigations) else "another type of research"


def _region(policy: Policy, _purpose: Purpose, who: Applicant) -> str:
    inside = any(who.jurisdiction == region or who.jurisdiction[:2] == region for region in policy.regions)
    return "" if inside else "the institution is outside the region"


def _nothing(_policy: Policy, _purpose: Purpose, _who: Applicant) -> str:
    return ""


def _duty(code: int) -> Callable[[Policy, Purpose, Applicant], str]:
    return lambda _policy, purpose, _who: "" if code in purpose.duties else "the study does not take on the duty"


def _where(
    holds: Callable[[Policy, Purpose, Applicant], bool], why: str
) -> Callable[[Policy, Purpose, Applicant], str]:
    return lambda policy, purpose, who: "" if holds(policy, purpose, who) else why


_RULES: Final[Mapping[int, Callable[[Policy, Purpose, Applicant], str]]] = {
    NRES: _nothing,
    HMB: _health,
    DS: _disease,
    POA: _ancestry_only,
    GRU: _nothing,
    12: _research,
    15: _where(lambda _p, s, _w: METHODS not in s.investigations, "methods research is not allowed"),
    16: _where(lambda _p, s, _w: GENETIC in s.investigations, "the study is not genetic"),
    18: _where(lambda _p, s, _w: s.non_profit and not s.commercial, "for profit, or a commercial use"),
    19: _duty(19),
    20: _duty(20),
    21: _where(lambda _p, _s, w: w.approved, "no ethics approval is shown"),
    22: _region,
    24: _where(lambda p, s, _w: s.publishes >= p.moratorium, "results would be published in the moratorium"),
    25: _where(lambda p, s, _w: s.months <= p.months, "the use lasts longer than allowed"),
    26: _duty(26),
    27: _where(lambda p, _s, w: w.permit in p.projects, "another project"),
    28: _where(lambda p, _s, w: w.member in p.institutions, "another institution"),
    29: _duty(29),
    43: _where(lambda p, s, _w: 43 in p.modifiers or not s.clinical_care, "clinical care is not allowed"),
    44: _where(
        lambda _p, s, _w: POPULATION not in s.investigations and ANCESTRY not in s.investigations,
        "population, origins or ancestry research is prohibited",
    ),
    45: _where(lambda _p, s, _w: s.non_profit, "the institution is for profit"),
    46: _where(lambda _p, s, _w: not s.commercial, "the use is commercial"),
}
