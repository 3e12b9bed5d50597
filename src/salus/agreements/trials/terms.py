"""The study definition: protocol, analysis plan and terms, one root. `terms.json` says what USDM does not structure.

    root    RFC 9162 tree over digest("salus/v1/trial-part", name, bytes) of the parts in order of name

Terms name, by ids of the protocol, arms, outcomes and criteria; what the protocol has and the terms leave open is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from salus.agreements.trials.derive import Derivations, Name, Part
from salus.agreements.trials.derive import check as check_derivations
from salus.agreements.trials.draws import BigStick, Blocks, DrawRefused, Scheme, Simple, check_scheme
from salus.agreements.trials.outcomes import Registered
from salus.agreements.trials.plan import Plan
from salus.agreements.trials.sourcing import NotEvaluated, compiled
from salus.core.proof.batch import batch_root
from salus.core.proof.digest import digest
from salus.interop.cdisc.ars import read_event
from salus.interop.cdisc.findings import DocumentRefused, Finding, misshapen
from salus.interop.cdisc.times import Duration, shifted

MOST_BYTES: Final = 1 << 20
DAY_MS: Final = 86_400_000
PLACEHOLDERS: Final = ("to be determined", "tbd", "placeholder")


class Randomisation(Part, frozen=True, kw_only=True):
    """How arms are drawn."""

    method: Literal["simple", "blocks", "big-stick", "external"]
    arms: Annotated[tuple[Name, ...], Meta(max_length=16)]
    """Ids of the protocol's arms; an allocation's number is the place in this list. At least two, unless `external`."""
    ratio: Annotated[tuple[Annotated[int, Meta(ge=1, le=100)], ...], Meta(max_length=16)] = ()
    size_commitment: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""
    """Digest of the hidden block sizes and their key, hexadecimal; blocks only."""
    bound: Annotated[int, Meta(ge=0, le=100)] = 0
    strata: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=64)] = ("all",)


class OutcomeTerm(Part, frozen=True, kw_only=True):
    """An outcome as registered."""

    id: Name
    """Id of the protocol's endpoint."""
    level: Literal["primary", "secondary"]
    measure: Name
    time_frame: Name
    analysis: Name
    """Id in the analysis plan."""


class CriterionTerm(Part, frozen=True, kw_only=True):
    """Who says whether a criterion holds."""

    id: Name
    by: Literal["attest", "fhirpath"]
    """`attest`: an investigator; `fhirpath`: the site's records of the participant."""
    expression: Annotated[str, Meta(max_length=2000)] = ""
    """FHIRPath over all of them together; true where the criterion holds."""


class EditCheck(Part, frozen=True, kw_only=True):
    """A value that raises a query when it is entered outside its bounds."""

    id: Name
    item: Name
    low: float
    high: float


class Payment(Part, frozen=True, kw_only=True):
    """What a site is paid for one complete, signed visit, whatever the arm."""

    visit: Name
    amount: Annotated[int, Meta(ge=0, le=10**9)]
    """Minor units of the currency."""


class Stipend(Part, frozen=True, kw_only=True):
    """What a participant gets for a visit that took place, whatever the arm."""

    visit: Name
    amount: Annotated[int, Meta(ge=0, le=10**9)]
    """Minor units of the currency."""


class LookTerm(Part, frozen=True, kw_only=True):
    """An interim look."""

    permille: Annotated[int, Meta(ge=1, le=1000)]
    boundary: Annotated[int, Meta(ge=0, le=1_000_000)]
    """Ten-thousandths of z."""
    alpha: Annotated[int, Meta(ge=0, le=1_000_000)]
    """Millionths, cumulative."""


class Retention(Part, frozen=True, kw_only=True):
    """How long a site keeps the records of who consented, also against a wish to erase them."""

    duty: Name
    """The duty in law, as it is told to who asks for erasure."""
    years: Annotated[int, Meta(ge=1, le=100)]
    """After the last visit of the last participant, or the early end of the trial."""

    def ends(self, last_visit: int) -> int:
        """Return when the duty ends, ms, from the last visit, ms: the beginning of the day after its last one."""
        return (shifted(last_visit // DAY_MS, Duration(months=12 * self.years), 1) + 1) * DAY_MS


class Terms(Part, frozen=True, kw_only=True):
    """What execution needs beside the protocol."""

    format: Literal[1]
    conduct: Literal[1] = 1
    """Version of the rules that chains are judged by, which the parties sign. A program without it refuses the definition."""
    title: Name
    randomisation: Randomisation
    outcomes: Annotated[tuple[OutcomeTerm, ...], Meta(min_length=1, max_length=128)]
    consent_form: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    """Digest of the newest form of informed consent, hexadecimal."""
    criteria: tuple[CriterionTerm, ...] = ()
    checks: Annotated[tuple[EditCheck, ...], Meta(max_length=1000)] = ()
    looks: Annotated[tuple[LookTerm, ...], Meta(max_length=16)] = ()
    payments: Annotated[tuple[Payment, ...], Meta(max_length=1000)] = ()
    stipends: Annotated[tuple[Stipend, ...], Meta(max_length=1000)] = ()
    stipend_cap: Annotated[int, Meta(ge=0, le=10**9)] = 0
    """The most that one participant gets in all, minor units, as the ethics board approves it with the terms."""
    important_days: Annotated[int, Meta(ge=0, le=3650)] = 14
    """A visit this many days outside its window is an important deviation, fewer a minor one."""
    reference: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""
    """Digest of the reference safety information that expectedness is judged by (`safety.reference_digest`), hexadecimal."""
    baseline: Annotated[str, Meta(max_length=200)] = ""
    """Id of the visit that changes are computed from; empty: none are."""
    derivations: Derivations | None = None
    """What is derived from locked rows before they are analysed."""
    retention: Retention | None = None
    """The duty to keep records; none: whoever asks for erasure is erased."""
    excused: Mapping[str, Name] = {}
    """Reason, by endpoint id, why an endpoint of the protocol is no registered outcome."""


def read_terms(text: bytes) -> Terms:
    """Read terms: what the schema does not allow is refused, with the JSON pointer of the first fault. Raises DocumentRefused."""
    if len(text) > MOST_BYTES:
        raise DocumentRefused((Finding("too-large", "", f"at most {MOST_BYTES} bytes"),))
    try:
        return msgspec.json.decode(text, type=Terms)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        told, path = misshapen(error)
        raise DocumentRefused((Finding("terms", path, told),)) from None


def schema() -> dict[str, Any]:
    """Return the JSON Schema of terms (2020-12), made from the types that read them."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "terms.json",
        **msgspec.json.schema(Terms),
    }


def check_terms(plan: Plan, terms: Terms, analyses: Sequence[str]) -> tuple[Finding, ...]:
    """Return what keeps a plan from being run by these terms, each with its path; nothing if it can be.

    `analyses` are the ids of the analysis plan.
    """
    found = [
        *_randomisation(plan, terms.randomisation),
        *_outcomes(plan, terms, analyses),
        *_expressions(terms.criteria),
    ]
    named = {one.id for one in terms.criteria}
    for place, planned in enumerate(plan.criteria):
        if planned.id not in named:
            found.append(Finding("criterion-unjudged", f"/criteria/{place}", f"who judges {planned.id}"))
    if not terms.consent_form.strip("0"):
        found.append(
            Finding(
                "placeholder", "/consent_form", "the SHA-256 of the form of informed consent, 64 hexadecimal digits"
            )
        )
    known = {criterion.id for criterion in plan.criteria}
    found += [Finding("no-such-criterion", "/criteria", f"not {id_}") for id_ in sorted(named - known)]
    permilles = [look.permille for look in terms.looks]
    if permilles != sorted(set(permilles)):
        found.append(Finding("looks-order", "/looks", "ascending fractions"))
    if terms.baseline and plan.visit(terms.baseline) is None:
        found.append(Finding("no-such-visit", "/baseline", f"not {terms.baseline}"))
    if terms.derivations is not None:
        visits = [each.id for line in (plan.main, *plan.side) for each in line.visits]
        found += check_derivations(terms.derivations, visits, "/derivations")
    return (*found, *_payments(plan, terms))


def _payments(plan: Plan, terms: Terms) -> list[Finding]:
    found = []
    both: tuple[tuple[str, Sequence[Payment | Stipend]], ...] = (
        ("payments", terms.payments),
        ("stipends", terms.stipends),
    )
    for name, paid in both:
        named: set[str] = set()
        for place, each in enumerate(paid):
            if plan.visit(each.visit) is None:
                found.append(Finding("no-such-visit", f"/{name}/{place}", f"not {each.visit}"))
            if each.visit in named:
                found.append(Finding("visit-twice", f"/{name}/{place}", f"{each.visit} once"))
            named.add(each.visit)
    if bool(terms.stipends) is not bool(terms.stipend_cap):
        found.append(
            Finding("stipend-cap", "/stipend_cap", "the most that one participant gets, with stipends and only then")
        )
    return found


def _expressions(criteria: Sequence[CriterionTerm]) -> list[Finding]:
    found = []
    for place, criterion in enumerate(criteria):
        if bool(criterion.expression) is not (criterion.by == "fhirpath"):
            found.append(Finding("expression", f"/criteria/{place}/expression", "one for fhirpath, none for attest"))
        elif criterion.expression:
            try:
                compiled(criterion.expression)
            except NotEvaluated as error:
                found.append(Finding("expression", f"/criteria/{place}/expression", f"FHIRPath: {error}"))
    return found


def _randomisation(plan: Plan, terms: Randomisation) -> list[Finding]:
    found = []
    if sorted(terms.arms) != sorted(arm.id for arm in plan.arms):
        found.append(Finding("arms", "/randomisation/arms", "the protocol's arms, each once"))
    try:
        if terms.method != "external":
            check_scheme(scheme_of(terms, (sum(terms.ratio) or 1,), bytes(32)))
    except DrawRefused as refused:
        found.append(Finding("scheme", "/randomisation", str(refused)))
    if terms.method not in {"big-stick", "external"} and len(terms.ratio) != len(terms.arms):
        found.append(Finding("ratio", "/randomisation/ratio", f"{len(terms.arms)} numbers"))
    if terms.method == "big-stick" and len(terms.arms) != 2:
        found.append(Finding("arms", "/randomisation/arms", "two arms: a big stick lies between two"))
    if (terms.method == "blocks") != bool(terms.size_commitment):
        found.append(
            Finding(
                "sizes",
                "/randomisation/size_commitment",
                "64 hexadecimal digits from `salus trial sizes` for blocks, nothing for other methods",
            )
        )
    return found


def _outcomes(plan: Plan, terms: Terms, analyses: Sequence[str]) -> list[Finding]:
    found = []
    endpoints = {endpoint.id: endpoint for endpoint in plan.endpoints}
    told = [outcome.id for outcome in terms.outcomes]
    if len(set(told)) != len(told):
        found.append(Finding("outcome-twice", "/outcomes", "each outcome once"))
    for place, outcome in enumerate(terms.outcomes):
        path = f"/outcomes/{place}"
        if outcome.id not in endpoints:
            found.append(Finding("no-such-endpoint", path, f"not {outcome.id}"))
        if outcome.analysis not in analyses:
            found.append(Finding("no-analysis", path, f"an analysis of the plan, not {outcome.analysis}"))
        for what, text in (("measure", outcome.measure), ("time_frame", outcome.time_frame)):
            if any(word in text.lower() for word in PLACEHOLDERS):
                found.append(Finding("placeholder", f"{path}/{what}", f"a {what.replace('_', ' ')}"))
    for id_, endpoint in sorted(endpoints.items()):
        level = endpoint.level.lower()
        if ("primary" in level or "secondary" in level) and id_ not in told and id_ not in terms.excused:
            found.append(Finding("endpoint-open", "/outcomes", f"an outcome, or a reason why not, for {id_}"))
    return found


def scheme_of(terms: Randomisation, sizes: Sequence[int], size_key: bytes) -> Scheme:
    """Return the scheme that terms name; sizes and key are the dispensers' secret. Raises DrawRefused for `external`."""
    if terms.method == "simple":
        return Simple(terms.ratio)
    if terms.method == "blocks":
        return Blocks(terms.ratio, tuple(sizes), size_key)
    if terms.method == "big-stick":
        return BigStick(terms.bound)
    raise DrawRefused("allocation comes from outside")


def size_commitment(sizes: Sequence[int], size_key: bytes) -> str:
    """Return what terms say of hidden block sizes, hexadecimal."""
    return digest("salus/v1/trial-sizes", bytes(sizes), size_key).hex()


def registered_outcomes(terms: Terms) -> tuple[Registered, ...]:
    """Return the outcomes as they are compared with a report."""
    return tuple(Registered(one.id, one.level, one.measure, one.time_frame, one.analysis) for one in terms.outcomes)


def analyses_of(plan: bytes) -> tuple[str, ...]:
    """Return the ids of an analysis plan (ARS v1 reporting event, JSON). Raises DocumentRefused."""
    return tuple(each.id for each in read_event(plan).analyses)


def analysis_digest(plan: bytes, terms: Terms, aims: bytes) -> bytes:
    """Return the digest of what is to be analysed and how: the analysis plan, what terms derive for it, what the protocol aims at."""
    return digest("salus/v1/trial-analysis", plan, msgspec.json.encode((terms.baseline, terms.derivations)), aims)


def package_root(parts: Mapping[str, bytes]) -> bytes:
    """Return the root of a study definition from its parts by name."""
    return batch_root([digest("salus/v1/trial-part", name.encode(), parts[name]) for name in sorted(parts)])
