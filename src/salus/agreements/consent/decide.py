"""The decision: what one asker may see of one policy class, under the terms that a patient signed.

Published combining rule (R4 Consent leaves it open):

1. Terms are provisions. A provision applies when every axis it names is met: different axes AND, values of one axis
   OR, an absent axis constrains nothing. A permit that names no sensitivity, as a class or a label, does not reach
   substance-use (42 CFR 2).
2. A provision's exceptions come before it: where an exception applies, its effect stands instead, one level down again.
3. Several top provisions: a deny overrides every permit, order is irrelevant.
4. Where none applies the answer is deny.
5. Not knowing never discloses: what a permit says that this program cannot read or tell keeps the permit from
   applying, what a deny says so is taken as met. An event without date lies in no period that a permit names and in
   every period that a deny names.

What depends on the row alone (dates, codes, instances, encounters, authors) becomes the residual, a condition that is
Always for a permit and Never for a deny.
"""

from typing import Final, Literal

import msgspec

from salus.agreements.consent.conditions import (
    ALWAYS,
    NEVER,
    Authored,
    Coded,
    Condition,
    During,
    Instance,
    Referred,
    Refers,
    Undated,
    Within,
    either,
    every,
    negated,
)
from salus.agreements.consent.labels import PART, SAME, labelled
from salus.core.errors import SalusError
from salus.interop.fhir.sensitivity import Sensitivity

Effect = Literal["permit", "deny"]

MAX_DEPTH: Final = 8
"""Levels of exceptions; R4 sets none, IHE PCF allows one, and evaluation is recursive."""


_PARTS: Final = {
    "TREAT": "CAREMGT CLINTRCH COC TREATDS",
    "HPAYMT": "CLMATTCH COVAUTH COVERAGE ELIGDTRM ELIGVER ENROLLM MILDCRG REMITADV PMTDS",
    "HOPERAT": "DONAT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HOUTCOMS HPRGRP HQUALIMP HSYSADMIN LABELING "
    "MEMADMIN METAMGT PATADMIN PATSFTY PERFMSR RECORDMGT SYSDEV HTEST TRAIN",
    "HRESCH": "BIORCH CLINTRCHNPC CLINTRCHPC DSRCH POARCH PREPHTRESCH TRANSRCH",
    "PUBHLTH": "DISASTER THREAT",
}
PART_OF: Final = {part: whole for whole, parts in _PARTS.items() for part in parts.split()}
"""v3-ActReason purposes by the general one that they are part of; ETREAT and BTG stand for themselves."""


class TooDeep(SalusError):
    """A provision nests exceptions deeper than MAX_DEPTH."""


Meaning = Literal["instance", "related", "dependents", "authoredby"]


class Actor(msgspec.Struct, frozen=True):
    """Whom a provision is about (Consent.provision.actor): one in a role, "" for either.

    who: one of the asker's names ("Organization/x", "system|value"). role: as the member names it.
    vague: it may be a person or a group, whom only an asker that is known as one can be told from (`Asker.known`).
    foreign: the role is of a vocabulary that credentials do not speak.
    """

    who: str = ""
    role: str = ""
    vague: bool = False
    foreign: bool = False

    @property
    def family(self) -> str:
        """What `who` is one of: "Practitioner/" of a reference, "system|" of an identifier."""
        head, bar, _ = self.who.rpartition("|")
        return head + bar if bar else f"{self.who.partition('/')[0]}/"


class Datum(msgspec.Struct, frozen=True):
    """What a provision is about (Consent.provision.data), by its meaning towards "Type/id".

    instance: it. related: it, what it refers to, what refers to it. dependents: it, what refers to it.
    authoredby: what it made.
    """

    meaning: Meaning
    name: str


class Provision(msgspec.Struct, frozen=True):
    """One provision (FHIR Consent.provision). Of each axis an empty tuple is absent.

    path: where it stands in its consent ("provision.provision[1]"), for explanations.
    Of the asker: members (ids), roles, actors, purposes (v3-ActReason codes), actions (consentaction codes), active
    [lo, hi) when it may ask, Unix ms.
    Of the policy class: types, sensitivities (ranks), authors (Organization ids), labels (as index rows carry them).
    Of the row: periods [lo, hi) in Unix ms, codes and classes (system, code), instances ("Type/id"), encounters (ids),
    data.
    unread: it says something that this program does not understand, on axes that are left out here.
    narrows: it was made for another record of the same patient: what it denies counts, what it permits does not.
    """

    path: str
    effect: Effect
    members: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    active: tuple[int, int] | None = None
    types: tuple[str, ...] = ()
    sensitivities: tuple[int, ...] = ()
    authors: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    periods: tuple[tuple[int, int], ...] = ()
    codes: tuple[tuple[str, str], ...] = ()
    instances: tuple[str, ...] = ()
    encounters: tuple[str, ...] = ()
    exceptions: tuple["Provision", ...] = ()
    actors: tuple[Actor, ...] = ()
    actions: tuple[str, ...] = ()
    classes: tuple[tuple[str, str], ...] = ()
    data: tuple[Datum, ...] = ()
    unread: bool = False
    narrows: bool = False


class Asker(msgspec.Struct, frozen=True):
    """Who asks, as what, what for (a v3-ActReason code), when (Unix ms).

    names: by which consents may call the asker ("Organization/x", "system|value"). action: a consentaction code.
    known: of what the names are all there are: families ("Practitioner/", "system|") and single groups ("CareTeam/x").
    """

    member: str
    role: str
    purpose: str
    at: int
    names: frozenset[str] = frozenset()
    action: str = "access"
    known: frozenset[str] = frozenset()


class PolicyClass(msgspec.Struct, frozen=True):
    """What rows of an index share, so that one decision serves all of them.

    type: resource type. sensitivity: rank. author: Organization id, "" unknown. labels: security label codes.
    """

    type: str
    sensitivity: int
    author: str
    labels: tuple[str, ...]


class Step(msgspec.Struct, frozen=True):
    """One line of an explanation: a provision, whether it applies, and if not, the first axis that keeps it from it.

    kept_by "unread", "narrows": it denies what it denies, and permits nothing, because not all of it is understood, or
    because it was made for another record of the patient.
    """

    path: str
    effect: Effect
    applies: Literal["always", "never", "for some rows"]
    kept_by: str = ""


class Decision(msgspec.Struct, frozen=True):
    """The answer for one policy class. residual: Always for permit, Never for deny, else what a row must meet."""

    residual: Condition
    explanation: tuple[Step, ...]

    @property
    def effect(self) -> Literal["permit", "deny", "permit with residual"]:
        """The answer in words."""
        return "permit" if self.residual == ALWAYS else "deny" if self.residual == NEVER else "permit with residual"


class _Sides(msgspec.Struct, frozen=True):
    """Which rows a provision, with its exceptions, permits and which it denies."""

    permits: Condition
    denies: Condition


def decide(terms: tuple[Provision, ...], asker: Asker, row_class: PolicyClass) -> Decision:
    """Decide by the combining rule at the head of this module. Raises `TooDeep`."""
    steps: list[Step] = []
    sides = [_sides(provision, asker, row_class, steps, MAX_DEPTH) for provision in terms]
    permits = either(*(side.permits for side in sides))
    denies = either(*(side.denies for side in sides))
    if not sides or permits == denies == NEVER:
        steps.append(Step("default", "deny", "always"))
    return Decision(every(permits, negated(denies)), tuple(steps))


def decide_within(
    ceiling: tuple[Provision, ...],
    default: tuple[Provision, ...],
    consents: tuple[Provision, ...],
    asker: Asker,
    row_class: PolicyClass,
) -> Decision:
    """Decide where a patient's consents meet the terms of another's making: the custodian's policy, a slip.

    `default` permits where no consent speaks; consents permit and deny by the combining rule; `ceiling` bounds it all,
    so that a consent never opens more than the custodian's policy or the slip. Raises `TooDeep`.
    """
    bound = decide(ceiling, asker, row_class)
    if bound.residual == NEVER or not (consents or default != ceiling):
        return bound
    told = decide((*default, *consents), asker, row_class)
    return Decision(every(bound.residual, told.residual), bound.explanation + told.explanation)


def _sides(provision: Provision, asker: Asker, row_class: PolicyClass, steps: list[Step], levels: int) -> _Sides:
    if levels == 0:
        raise TooDeep(f"exceptions nest deeper than {MAX_DEPTH}")
    kept_by = _kept_by(provision, asker, row_class)
    scope = NEVER if kept_by else _row_condition(provision)
    applies: Literal["always", "never", "for some rows"] = (
        "always" if scope == ALWAYS else "never" if scope == NEVER else "for some rows"
    )
    silent = provision.unread or provision.narrows
    if silent and not kept_by:
        kept_by = "unread" if provision.unread else "narrows"
    steps.append(Step(provision.path, provision.effect, applies, kept_by))
    if scope == NEVER:
        return _Sides(NEVER, NEVER)
    if not provision.exceptions:
        permits, denies = (NEVER, scope) if provision.effect == "deny" else (scope, NEVER)
        return _Sides(NEVER if silent else permits, denies)
    inner = [_sides(exception, asker, row_class, steps, levels - 1) for exception in provision.exceptions]
    permits = either(*(side.permits for side in inner))
    denies = either(*(side.denies for side in inner))
    rest = negated(either(permits, denies))
    if provision.effect == "permit":
        sides = _Sides(every(scope, either(every(permits, negated(denies)), rest)), every(scope, denies))
    else:
        sides = _Sides(every(scope, permits, negated(denies)), every(scope, either(denies, rest)))
    return _Sides(NEVER, sides.denies) if silent else sides  # unread: its scope may be narrower than what is read of it


def _kept_by(provision: Provision, asker: Asker, row_class: PolicyClass) -> str:
    """Return the first axis of asker or policy class that is not met, "" when all are."""
    told = provision
    if told.members and asker.member not in told.members:
        return "members"
    if told.roles and asker.role not in told.roles:
        return "roles"
    if told.actors and not any(_is(actor, asker, told.effect) for actor in told.actors):
        return "actors"
    if told.purposes and not _purposed(told, asker.purpose):
        return "purposes"
    if told.actions and asker.action not in told.actions:
        return "actions"
    late = told.active is not None and not told.active[0] <= asker.at < told.active[1]
    return "active" if late else _kept_by_class(told, row_class)


def _kept_by_class(told: Provision, row_class: PolicyClass) -> str:
    if told.types and row_class.type not in told.types:
        return "types"
    if not _reaches(told, row_class.sensitivity):
        return "sensitivities"
    if told.authors and row_class.author not in told.authors:
        return "authors"
    return "labels" if told.labels and not _labelled(told, row_class) else ""


def _is(actor: Actor, asker: Asker, effect: Effect) -> bool:
    who = not actor.who or actor.who in asker.names
    role = actor.role in {"", asker.role}
    if effect == "permit" or (who and role):
        return who and role
    perhaps = actor.vague and asker.known.isdisjoint((actor.who, actor.family))
    return (who or perhaps) and (role or actor.foreign)


def _purposed(provision: Provision, purpose: str) -> bool:
    """Tell whether it is for a purpose: a permit for those it names, a deny also for their parts in v3-ActReason."""
    if purpose in provision.purposes:
        return True
    return provision.effect == "deny" and PART_OF.get(purpose, "") in provision.purposes


def _labelled(provision: Provision, row_class: PolicyClass) -> bool:
    deny = provision.effect == "deny"
    return labelled(provision.labels, row_class.labels, row_class.sensitivity, deny=deny)


def _reaches(provision: Provision, sensitivity: int) -> bool:
    if provision.sensitivities:
        return sensitivity in provision.sensitivities
    named = any(SAME.get(label, PART.get(label)) == Sensitivity.SUBSTANCE_USE for label in provision.labels)
    return sensitivity != Sensitivity.SUBSTANCE_USE or provision.effect == "deny" or named


def _row_condition(provision: Provision) -> Condition:
    periods: tuple[Condition, ...] = tuple(During(lo, hi) for lo, hi in provision.periods)
    if provision.effect == "deny":
        periods += (Undated(),)
    return every(
        either(*periods) if provision.periods else ALWAYS,
        Coded(tuple(sorted(provision.codes))) if provision.codes else ALWAYS,
        Instance(tuple(sorted(provision.instances))) if provision.instances else ALWAYS,
        Within(tuple(sorted(provision.encounters))) if provision.encounters else ALWAYS,
        Coded(tuple(sorted(provision.classes))) if provision.classes else ALWAYS,
        _of_data(provision.data) if provision.data else ALWAYS,
    )


def _of_data(data: tuple[Datum, ...]) -> Condition:
    names: dict[str, list[str]] = {}
    for datum in data:
        names.setdefault(datum.meaning, []).append(datum.name)
    told = {meaning: tuple(sorted(of_meaning)) for meaning, of_meaning in names.items()}
    itself = tuple(sorted({datum.name for datum in data if datum.meaning != "authoredby"}))
    referring = tuple(sorted({*told.get("related", ()), *told.get("dependents", ())}))
    return either(
        Instance(itself) if itself else NEVER,
        Refers(referring) if referring else NEVER,
        Referred(told["related"]) if "related" in told else NEVER,
        Authored(told["authoredby"]) if "authoredby" in told else NEVER,
    )
