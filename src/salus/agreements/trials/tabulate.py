"""Participants' chains as SDTM tables: DM, DS, SV, AE, DV, IE. Each row tells what an act or a judgement says; no more.

    USUBJID   study, site and the subject's hexadecimal id; no person's number or name is known here
    RFSTDTC   the day of the visit that terms name as their reference; the first visit where they name none
    ARM       of who was allocated, once the draws are published here; before, ARMNRS says why there is none

Age, sex, race, country and what else forms collect of a subject stand in DM, other domains in tables of their own, by the
aliases of their items (`domains`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from salus.agreements.trials.acts import Act
from salus.agreements.trials.conduct import Status
from salus.agreements.trials.design_tables import MOST_TEXT, Variable, arms_of, dataset, numbered
from salus.agreements.trials.domains import Collected, typed, usubjid
from salus.agreements.trials.participants import Participant
from salus.agreements.trials.plan import Plan
from salus.agreements.trials.safety import SERIOUS
from salus.interop.cdisc.dataset_json import Cell, Dataset

BLINDED: Final = "BLINDED"
ENDS: Final = frozenset(
    (
        "ADVERSE EVENT",
        "DEATH",
        "DISEASE RELAPSE",
        "FAILURE TO MEET RANDOMIZATION CRITERIA",
        "LACK OF EFFICACY",
        "LOST TO FOLLOW-UP",
        "NON-COMPLIANCE WITH STUDY DRUG",
        "PHYSICIAN DECISION",
        "PREGNANCY",
        "PROGRESSIVE DISEASE",
        "PROTOCOL DEVIATION",
        "PROTOCOL VIOLATION",
        "RECOVERY",
        "SITE TERMINATED BY SPONSOR",
        "STUDY TERMINATED BY SPONSOR",
        "TECHNICAL PROBLEMS",
        "WITHDRAWAL BY SUBJECT",
    )
)
"""Reasons of an end that stand in CDISC's list of them (NCOMPLT); any other is OTHER, in its own words."""
_FLAGS: Final = {
    "death": ("AESDTH", "Results in Death"),
    "life-threatening": ("AESLIFE", "Is Life Threatening"),
    "hospitalisation": ("AESHOSP", "Requires or Prolongs Hospitalization"),
    "disability": ("AESDISAB", "Persist or Signif Disability/Incapacity"),
    "congenital": ("AESCONG", "Congenital Anomaly or Birth Defect"),
    "important": ("AESMIE", "Other Medically Important Serious Event"),
}
_HEAD: Final[list[Variable]] = [
    ("STUDYID", "Study Identifier", "string"),
    ("DOMAIN", "Domain Abbreviation", "string"),
    ("USUBJID", "Unique Subject Identifier", "string"),
]
Row = tuple[Cell, ...]


def subject_tables(
    plan: Plan, participants: Sequence[Participant], arms: Mapping[str, str], created: str, reference: str = ""
) -> tuple[Dataset, ...]:
    """Return DM, DS, SV, AE, DV, IE and what forms collected.

    `arms` gives the id of the arm by enrolment (hexadecimal), for those published; `reference` is the id of the visit that
    study days are counted from, or empty.
    """
    collected = Collected(plan, reference)
    return (
        _demographics(plan, participants, arms, created, collected),
        _disposition(plan, participants, created),
        _visits(plan, participants, created),
        _events(plan, participants, created, collected),
        _deviations(plan, participants, created),
        _exceptions(plan, participants, created),
        *collected.tables(participants, created),
    )


def _seq(domain: str) -> Variable:
    return (f"{domain}SEQ", "Sequence Number", "integer")


def _sequenced(
    plan: Plan, domain: str, participants: Sequence[Participant], told: Mapping[int, Sequence[Row]]
) -> list[Row]:
    """Return rows with their head and a number within each participant, from what is told by participant's place."""
    return [
        (plan.study, domain, usubjid(plan, one), number, *rest)
        for place, one in enumerate(participants)
        for number, rest in enumerate(told.get(place, ()), 1)
    ]


def _date(act: Act | None) -> str | None:
    return act.clinical or None if act is not None else None


def _demographics(
    plan: Plan, participants: Sequence[Participant], arms: Mapping[str, str], created: str, collected: Collected
) -> Dataset:
    coded, known = arms_of(plan), collected.demographics()
    rows: list[Row] = []
    for one in participants:
        state = one.state
        dates = sorted(day for day in state.visits.values() if day)
        arm = coded.get(arms.get(state.enrolment, "")) if state.enrolment else None
        reason = None
        if arm is None:
            failed = state.status is Status.FAILED
            reason = "SCREEN FAILURE" if failed else BLINDED if state.enrolment else "NOT ASSIGNED"
        code, name = arm or (None, None)
        first, last = (dates[0], dates[-1]) if dates else (None, None)
        if collected.reference:
            first = collected.began(one) or None
        consent = _date(one.first("consent"))
        told = (plan.study, "DM", usubjid(plan, one), one.subject, first, last, consent, one.site)
        rows.append((*told, *collected.of(one, known), code, name, code, name, reason))
    variables: list[Variable] = [
        *_HEAD,
        ("SUBJID", "Subject Identifier for the Study", "string"),
        ("RFSTDTC", "Subject Reference Start Date/Time", "string"),
        ("RFENDTC", "Subject Reference End Date/Time", "string"),
        ("RFICDTC", "Date/Time of Informed Consent", "string"),
        ("SITEID", "Study Site Identifier", "string"),
        *known,
        ("ARMCD", "Planned Arm Code", "string"),
        ("ARM", "Description of Planned Arm", "string"),
        ("ACTARMCD", "Actual Arm Code", "string"),
        ("ACTARM", "Description of Actual Arm", "string"),
        ("ARMNRS", "Reason Arm and/or Actual Arm is Null", "string"),
    ]
    return dataset("DM", "Demographics", created, *typed(variables, rows), keys=2)


def _disposition(plan: Plan, participants: Sequence[Participant], created: str) -> Dataset:
    told = {place: list(_milestones(one)) for place, one in enumerate(participants)}
    variables: list[Variable] = [
        *_HEAD,
        _seq("DS"),
        ("DSTERM", "Reported Term for the Disposition Event", "string"),
        ("DSDECOD", "Standardized Disposition Term", "string"),
        ("DSCAT", "Category for Disposition Event", "string"),
        ("DSSTDTC", "Start Date/Time of Disposition Event", "string"),
    ]
    return dataset("DS", "Disposition", created, variables, _sequenced(plan, "DS", participants, told))


def _milestones(one: Participant) -> Iterator[Row]:
    words = {
        "consent": ("Informed consent obtained", "INFORMED CONSENT OBTAINED", "PROTOCOL MILESTONE"),
        "eligible": ("Eligibility criteria met", "ELIGIBILITY CRITERIA MET", "PROTOCOL MILESTONE"),
        "fail": ("Screen failure", "SCREEN FAILURE", "DISPOSITION EVENT"),
        "randomised": ("Randomised", "RANDOMIZED", "PROTOCOL MILESTONE"),
        "withdraw": ("Withdrawal", "WITHDRAWAL BY SUBJECT", "DISPOSITION EVENT"),
        "end": ("Ended", "COMPLETED", "DISPOSITION EVENT"),
    }
    for act in one.acts:
        if act.kind not in words:
            continue
        term, coded, category = words[act.kind]
        fields = dict(act.fields)
        if act.kind == "end" and fields.get("reason", "completed") != "completed":
            term, coded = fields["reason"][:MOST_TEXT], fields["reason"].upper()
            coded = coded if coded in ENDS else "OTHER"
        if act.kind == "withdraw":
            term = f"Withdrawal from {fields.get('scope', 'everything')}"[:MOST_TEXT]
        yield (term, coded, category, _date(act))


def _visits(plan: Plan, participants: Sequence[Participant], created: str) -> Dataset:
    known = numbered(plan)
    rows: list[Row] = []
    for one in participants:
        for visit, day in one.state.visits.items():
            number, name = known.get(visit, (None, "UNSCHEDULED"))
            unplanned = None if number is not None else f"unscheduled, act {visit.rpartition('-')[2]}"
            rows.append((plan.study, "SV", usubjid(plan, one), number, name, day or None, day or None, unplanned))
    variables: list[Variable] = [
        *_HEAD,
        ("VISITNUM", "Visit Number", "integer"),
        ("VISIT", "Visit Name", "string"),
        ("SVSTDTC", "Start Date/Time of Visit", "string"),
        ("SVENDTC", "End Date/Time of Visit", "string"),
        ("SVUPDES", "Description of Unplanned Visit", "string"),
    ]
    return dataset("SV", "Subject Visits", created, variables, rows)


def _events(plan: Plan, participants: Sequence[Participant], created: str, collected: Collected) -> Dataset:
    variables: list[Variable] = [
        *_HEAD,
        _seq("AE"),
        ("AETERM", "Reported Term for the Adverse Event", "string"),
        ("AESER", "Serious Event", "string"),
        ("AEREL", "Causality", "string"),
        *((*_FLAGS[name], "string") for name in SERIOUS),
        ("AESTDTC", "Start Date/Time of Adverse Event", "string"),
    ]
    known = collected.events(variables)
    told: dict[int, list[Row]] = {}
    for place, one in enumerate(participants):
        acts = {act.number: act for act in one.acts}
        for event in one.state.adverse:
            act = acts[event.number]
            fields = dict(act.fields)
            related = {True: "Y", False: "N", None: None}[event.related]
            flags = tuple("Y" if fields.get(name) == "yes" else "N" for name in SERIOUS)
            made = (event.term[:MOST_TEXT], "Y" if event.serious else "N", related, *flags, _date(act))
            told.setdefault(place, []).append((*made, *collected.of_event(one, event.number, known)))
    rows = _sequenced(plan, "AE", participants, told)
    return dataset("AE", "Adverse Events", created, *typed([*variables, *known], rows))


def _deviations(plan: Plan, participants: Sequence[Participant], created: str) -> Dataset:
    told: dict[int, list[Row]] = {}
    for place, one in enumerate(participants):
        acts = {act.number: act for act in one.acts}
        for each in one.state.deviations:
            category = "IMPORTANT" if each.important else "MINOR"
            told.setdefault(place, []).append(
                (each.told[:MOST_TEXT], each.code, category, _date(acts.get(each.number)))
            )
    variables: list[Variable] = [
        *_HEAD,
        _seq("DV"),
        ("DVTERM", "Protocol Deviation Term", "string"),
        ("DVDECOD", "Protocol Deviation Coded Term", "string"),
        ("DVCAT", "Category for Protocol Deviation", "string"),
        ("DVSTDTC", "Start Date/Time of Deviation", "string"),
    ]
    return dataset("DV", "Protocol Deviations", created, variables, _sequenced(plan, "DV", participants, told))


def _exceptions(plan: Plan, participants: Sequence[Participant], created: str) -> Dataset:
    """Return the criteria that were not met: IE holds exceptions alone (SDTMIG v3.4, 6.3.3)."""
    told: dict[int, list[Row]] = {}
    for place, one in enumerate(participants):
        for each in plan.criteria:
            answer = one.state.criteria.get(each.id)
            if answer is None or answer == ("yes" if each.inclusion else "no"):
                continue
            category, value = ("INCLUSION", "N") if each.inclusion else ("EXCLUSION", "Y")
            last = [act for act in one.of("screen") if each.id in dict(act.fields)][-1]
            day = last.clinical or _date(one.first("consent"))
            told.setdefault(place, []).append(
                (each.name or each.id, each.text[:MOST_TEXT], category, value, value, day)
            )
    variables: list[Variable] = [
        *_HEAD,
        _seq("IE"),
        ("IETESTCD", "Inclusion/Exclusion Criterion Short Name", "string"),
        ("IETEST", "Inclusion/Exclusion Criterion", "string"),
        ("IECAT", "Inclusion/Exclusion Category", "string"),
        ("IEORRES", "I/E Criterion Original Result", "string"),
        ("IESTRESC", "I/E Criterion Result in Std Format", "string"),
        ("IEDTC", "Date/Time of Collection", "string"),
    ]
    label = "Inclusion/Exclusion Criteria Not Met"
    return dataset("IE", label, created, variables, _sequenced(plan, "IE", participants, told))
