"""What differs between two versions of a protocol, object by object, and whether it is substantial, by one table.

Objects are the same if their ids are: who gives every object a new id in a new version has changed all of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import msgspec

from salus.interop.cdisc.usdm import Definition, Thing


class Weight(Enum):
    """What a change of an object of a class is."""

    SUBSTANTIAL = "substantial"
    """May bear on a participant's safety or rights, or on what the data is worth (Regulation (EU) 536/2014, Art. 2(2)(13))."""
    OTHER = "not substantial"
    """Words about the trial: titles, addresses, narrative, documents, comments."""
    PART = "as what contains it"
    """A code, a quantity, a length of time."""


_OTHER: Final = """
Abbreviation Address AdministrableProductIdentifier AssignedPerson CommentAnnotation DocumentContentReference GovernanceDate
MedicalDeviceIdentifier NarrativeContent NarrativeContentItem Organization ParameterMap PersonName ProductOrganizationRole
ReferenceIdentifier Study StudyAmendment StudyAmendmentImpact StudyAmendmentReason StudyChange StudyDefinitionDocument
StudyDefinitionDocumentVersion StudyIdentifier StudyTitle StudyVersion SubjectEnrollment SyntaxTemplateDictionary
"""
_PART: Final = "AliasCode Code Duration ExtensionAttribute ExtensionClass GeographicScope Quantity Range"
_SUBSTANTIAL: Final = """
Activity AdministrableProduct AdministrableProductProperty Administration AnalysisPopulation BiomedicalConcept
BiomedicalConceptCategory BiomedicalConceptProperty BiomedicalConceptSurrogate BiospecimenRetention Characteristic Condition
ConditionAssignment EligibilityCriterion EligibilityCriterionItem Encounter Endpoint Estimand Indication Ingredient
IntercurrentEvent InterventionalStudyDesign Masking MedicalDevice Objective ObservationalStudyDesign Procedure ResponseCode
ScheduleTimeline ScheduleTimelineExit ScheduledActivityInstance ScheduledDecisionInstance Strength StudyArm StudyCell
StudyCohort StudyDesignPopulation StudyElement StudyEpoch StudyIntervention StudyRole StudySite Substance Timing TransitionRule
"""
WEIGHTS: Final[Mapping[str, Weight]] = {
    **dict.fromkeys(_SUBSTANTIAL.split(), Weight.SUBSTANTIAL),
    **dict.fromkeys(_OTHER.split(), Weight.OTHER),
    **dict.fromkeys(_PART.split(), Weight.PART),
}
"""By class of USDM 4.0. `docs/explain/trials.md` publishes it."""
DISPLAYED: Final = frozenset(("label",))
"""Attributes that are not substantial in any class."""


AIMS: Final = ("AnalysisPopulation", "Endpoint", "Estimand")
_BESIDE: Final = DISPLAYED | {"notes", "extensionAttributes"}


class What(Enum):
    """What became of an object."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One object that differs."""

    what: What
    kind: str
    """Its class."""
    id: str
    path: str
    """JSON pointer to it: in the later version, of what was removed in the earlier one."""
    attributes: tuple[str, ...]
    """What changed, ascending; `in` if another object contains it, `order of …` if what it contains stands in another order."""
    substantial: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    thing: Thing
    within: str
    """Id of what contains it."""
    owner: str
    """The class that decides: its own, or of what contains it."""


def difference(earlier: Definition, later: Definition) -> tuple[Change, ...]:
    """Return every object that differs: added and changed in the later version's order, then removed ones in the earlier's."""
    before, after = dict(_entries(earlier.study, "", "Study")), dict(_entries(later.study, "", "Study"))
    found = [_change(before.get(id_), one) for id_, one in after.items()]
    gone = [_whole(What.REMOVED, one) for id_, one in before.items() if id_ not in after]
    return (*(one for one in found if one is not None), *gone)


def aims(definition: Definition) -> bytes:
    """Return what a protocol sets out to show, JSON: endpoints, estimands with their intercurrent events, their populations.

    What is only displayed is left out, and so is the order of objects.
    """
    found = [one for one in definition.things.values() if one.kind in AIMS]
    return msgspec.json.encode([_plain(one) for one in sorted(found, key=lambda each: each.id)], order="sorted")


def _plain(value: Any) -> Any:
    if isinstance(value, Thing):
        return {name: _plain(each) for name, each in value.values.items() if name not in _BESIDE}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _entries(thing: Thing, within: str, owner: str) -> Iterator[tuple[str, _Entry]]:
    own = owner if WEIGHTS[thing.kind] is Weight.PART else thing.kind
    id_ = "" if thing.kind == "Study" else thing.id
    yield id_, _Entry(thing, within, own)
    for value in thing.values.values():
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Thing):
                yield from _entries(each, id_, own)


def _change(before: _Entry | None, after: _Entry) -> Change | None:
    if before is None:
        return _whole(What.ADDED, after)
    names = sorted(before.thing.values.keys() | after.thing.values.keys())
    found = [
        each for name in names for each in _differs(name, before.thing.values.get(name), after.thing.values.get(name))
    ]
    found += ["instanceType"] if before.thing.kind != after.thing.kind else []
    found += ["in"] if before.within != after.within else []
    if not found:
        return None
    weighs = any(WEIGHTS[one.owner] is Weight.SUBSTANTIAL for one in (before, after))
    substantial = weighs and not DISPLAYED.issuperset(found)
    thing = after.thing
    return Change(What.CHANGED, thing.kind, thing.id, thing.path, tuple(sorted(found)), substantial)


def _differs(name: str, before: Any, after: Any) -> Iterator[str]:
    """Yield how an attribute differs; what it contains is compared on its own, here its order alone."""
    one, other = _contained(before), _contained(after)
    if one is None and other is None:
        if before != after:
            yield name
        return
    shared = set(one or ()) & set(other or ())
    if [each for each in one or () if each in shared] != [each for each in other or () if each in shared]:
        yield f"order of {name}"


def _contained(value: Any) -> tuple[str, ...] | None:
    """Return the ids of contained objects, or None of a value that is none."""
    things = value if isinstance(value, tuple) else (value,)
    return tuple(each.id for each in things) if things and all(isinstance(each, Thing) for each in things) else None


def _whole(what: What, one: _Entry) -> Change:
    thing = one.thing
    return Change(what, thing.kind, thing.id, thing.path, (), WEIGHTS[one.owner] is Weight.SUBSTANTIAL)
