"""The decision: what one asker may see of one policy class, under the terms that a patient signed.

Published combining rule (R4 Consent leaves it open):

1. Terms are provisions. A provision applies when every axis it names is met: different axes AND, values of one axis
   OR, an absent axis constrains nothing. A permit that names no sensitivity does not reach substance-use (42 CFR 2).
2. A provision's exceptions come before it: where an exception applies, its effect stands instead, one level down again.
3. Several top provisions: a deny overrides every permit, order is irrelevant.
4. Where none applies the answer is deny.

What depends on the row alone (dates, codes, instances, encounters) becomes the residual, a condition that is Always for
a permit and Never for a deny. An event without date lies in no period that a permit names and in every period that a
deny names: not knowing never discloses.
"""

from typing import Final, Literal

import msgspec

from salus.agreements.consent.conditions import (
    ALWAYS,
    NEVER,
    Coded,
    Condition,
    During,
    Instance,
    Undated,
    Within,
    either,
    every,
    negated,
)
from salus.core.errors import SalusError
from salus.interop.fhir.sensitivity import Sensitivity

Effect = Literal["permit", "deny"]

MAX_DEPTH: Final = 8
"""Levels of exceptions; R4 sets none, IHE PCF allows one, and evaluation is recursive."""


class TooDeep(SalusError):
    """A provision nests exceptions deeper than MAX_DEPTH."""


class Provision(msgspec.Struct, frozen=True):
    """One provision (FHIR Consent.provision). Of each axis an empty tuple is absent.

    path: where it stands in its consent ("provision.provision[1]"), for explanations.
    Of the asker: members (ids), roles, purposes (v3-ActReason codes), active [lo, hi) when it may ask, Unix ms.
    Of the policy class: types, sensitivities (ranks), authors (Organization ids), labels (security label codes).
    Of the row: periods [lo, hi) in Unix ms, codes (system, code), instances ("Type/id"), encounters (ids).
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


class Asker(msgspec.Struct, frozen=True):
    """Who asks, as what, what for (a v3-ActReason code), when (Unix ms)."""

    member: str
    role: str
    purpose: str
    at: int


class PolicyClass(msgspec.Struct, frozen=True):
    """What rows of an index share, so that one decision serves all of them.

    type: resource type. sensitivity: rank. author: Organization id, "" unknown. labels: security label codes.
    """

    type: str
    sensitivity: int
    author: str
    labels: tuple[str, ...]


class Step(msgspec.Struct, frozen=True):
    """One line of an explanation: a provision, whether it applies, and if not, the first axis that keeps it from it."""

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


def _sides(provision: Provision, asker: Asker, row_class: PolicyClass, steps: list[Step], levels: int) -> _Sides:
    if levels == 0:
        raise TooDeep(f"exceptions nest deeper than {MAX_DEPTH}")
    kept_by = _kept_by(provision, asker, row_class)
    scope = NEVER if kept_by else _row_condition(provision)
    applies: Literal["always", "never", "for some rows"] = (
        "always" if scope == ALWAYS else "never" if scope == NEVER else "for some rows"
    )
    steps.append(Step(provision.path, provision.effect, applies, kept_by))
    if scope == NEVER:
        return _Sides(NEVER, NEVER)
    inner = [_sides(exception, asker, row_class, steps, levels - 1) for exception in provision.exceptions]
    permits = either(*(side.permits for side in inner))
    denies = either(*(side.denies for side in inner))
    rest = negated(either(permits, denies))
    if provision.effect == "permit":
        return _Sides(every(scope, either(every(permits, negated(denies)), rest)), every(scope, denies))
    return _Sides(every(scope, permits, negated(denies)), every(scope, either(denies, rest)))


def _kept_by(provision: Provision, asker: Asker, row_class: PolicyClass) -> str:
    """Return the first axis of asker or policy class that is not met, "" when all are."""
    start, end = provision.active or (asker.at, asker.at + 1)
    met = (
        ("members", not provision.members or asker.member in provision.members),
        ("roles", not provision.roles or asker.role in provision.roles),
        ("purposes", not provision.purposes or asker.purpose in provision.purposes),
        ("active", start <= asker.at < end),
        ("types", not provision.types or row_class.type in provision.types),
        ("sensitivities", _reaches(provision, row_class.sensitivity)),
        ("authors", not provision.authors or row_class.author in provision.authors),
        ("labels", not provision.labels or any(label in provision.labels for label in row_class.labels)),
    )
    return next((axis for axis, holds in met if not holds), "")


def _reaches(provision: Provision, sensitivity: int) -> bool:
    if provision.sensitivities:
        return sensitivity in provision.sensitivities
    return sensitivity != Sensitivity.SUBSTANCE_USE or provision.effect == "deny"


def _row_condition(provision: Provision) -> Condition:
    periods: tuple[Condition, ...] = tuple(During(lo, hi) for lo, hi in provision.periods)
    if provision.effect == "deny":
        periods += (Undated(),)
    return every(
        either(*periods) if provision.periods else ALWAYS,
        Coded(tuple(sorted(provision.codes))) if provision.codes else ALWAYS,
        Instance(tuple(sorted(provision.instances))) if provision.instances else ALWAYS,
        Within(tuple(sorted(provision.encounters))) if provision.encounters else ALWAYS,
    )
