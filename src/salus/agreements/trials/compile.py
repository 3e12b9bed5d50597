"""From a protocol to a plan. What is not understood is refused by rule and path; nothing is skipped.

USDM leaves room for more than it structures: free-text conditions stay text for a person to attest, extension
attributes are refused because they could change the meaning of what they extend.
"""

import re
from collections.abc import Mapping
from typing import Final

from salus.agreements.trials.difference import aims
from salus.agreements.trials.plan import (
    Anchoring,
    Criterion,
    Decision,
    Endpoint,
    Form,
    Item,
    Named,
    Placement,
    Plan,
    Timeline,
    Visit,
    Window,
)
from salus.interop.cdisc.findings import DocumentRefused, Finding
from salus.interop.cdisc.times import Duration, duration
from salus.interop.cdisc.usdm import Definition, Thing, within

OPEN_LABEL: Final = "C49659"
INCLUSION: Final = "C25532"
EXCLUSION: Final = "C25370"
_TAG: Final = re.compile(r'<usdm:tag\s+name="([^"]*)"\s*(?:/>|>\s*</usdm:tag>)')
_REFERENCE: Final = re.compile(r"<usdm:ref\s([^>]*?)/?>(?:\s*</usdm:ref>)?")
_PART: Final = re.compile(r'(klass|id|attribute)="([^"]*)"')


def compile_plan(definition: Definition) -> Plan:
    """Return the plan of a protocol with one version and one design. Raises DocumentRefused with every finding."""
    compiling = _Compiling(definition)
    plan = compiling.plan()
    if compiling.findings or plan is None:
        raise DocumentRefused(tuple(compiling.findings))
    return plan


class _Compiling:
    """One compilation: the protocol and what is wrong with it so far."""

    def __init__(self, definition: Definition) -> None:
        self.findings: list[Finding] = []
        self._definition = definition
        self._things = definition.things
        self._study = definition.study

    def plan(self) -> Plan | None:
        """Return the plan as far as it was understood, or None."""
        for thing in within(self._study):
            if thing.all("extensionAttributes"):
                self._wrong("extension", f"{thing.path}/extensionAttributes", "no extension: none is understood")
        version = self._only(self._study.all("versions"), f"{self._study.path}/versions")
        design = version and self._only(version.all("studyDesigns"), f"{version.path}/studyDesigns")
        if version is None or design is None:
            return None
        lines = {line.id: self._timeline(line) for line in design.all("scheduleTimelines")}
        mains = [line for line in design.all("scheduleTimelines") if line.flag("mainTimeline")]
        main = self._only(tuple(mains), f"{design.path}/scheduleTimelines")
        self._anchors(design)
        blinded = design.code("blindingSchema")[0] not in {"", OPEN_LABEL}
        if blinded:
            self._alike(design)
        if main is None:
            return None
        return Plan(
            study=self._study.name,
            blinded=blinded,
            arms=_named(design, "arms"),
            epochs=_named(design, "epochs"),
            encounters=_named(design, "encounters"),
            activities=_named(design, "activities"),
            main=lines[main.id],
            side=tuple(line for id_, line in lines.items() if id_ != main.id),
            criteria=tuple(self._criterion(each) for each in design.all("eligibilityCriteria")),
            endpoints=tuple(
                Endpoint(each.id, each.name, each.code("level")[1], self._text(each))
                for objective in design.all("objectives")
                for each in objective.all("endpoints")
            ),
            forms=tuple(self._form(each) for each in design.all("activities") if each.ids("biomedicalConceptIds")),
            aims=aims(self._definition),
        )

    def _alike(self, design: Thing) -> None:
        """Refuse a blinded trial whose arms do not go through the same epochs: who is where would tell the arm.

        Visits, forms, checks and payments are of the protocol or of the terms, which know no arm.
        """
        epochs: dict[str, set[str]] = {arm.id: set() for arm in design.all("arms")}
        for cell in design.all("studyCells"):
            epochs.setdefault(cell.text("armId"), set()).add(cell.text("epochId"))
        if len({frozenset(each) for each in epochs.values()}) > 1:
            least = min(epochs, key=lambda arm: (len(epochs[arm]), arm))
            self._wrong(
                "schedule-by-arm",
                f"{design.path}/studyCells",
                "the same epochs for every arm of a blinded trial",
                least,
            )

    def _timeline(self, line: Thing) -> Timeline:
        timings: dict[str, Placement | None] = {}
        own = {each.id: each for each in line.all("instances")}
        for timing in line.all("timings"):
            placed = timing.text("relativeFromScheduledInstanceId")
            if placed in timings:
                self._wrong("placed-twice", timing.path, "one timing for each instance", placed)
            if placed not in own:
                self._wrong("placed-elsewhere", timing.path, "an instance of the same timeline", placed)
            timings[placed] = self._placement(timing)
        order = self._order(line, own)
        visits = [self._visit(each, timings.get(each.id)) for each in order if each.kind == "ScheduledActivityInstance"]
        decisions = [_decision(each) for each in order if each.kind == "ScheduledDecisionInstance"]
        return Timeline(line.id, line.name, line.text("entryCondition"), tuple(visits), tuple(decisions))

    def _order(self, line: Thing, own: Mapping[str, Thing]) -> list[Thing]:
        """Return the instances in the order of the walk from the entry, defaults before branches."""
        order: dict[str, Thing] = {}
        waiting = [line.text("entryId")]
        while waiting:
            place = own.get(waiting.pop())
            if place is None:
                self._wrong("leaves-timeline", line.path, "steps to instances of the same timeline")
                continue
            if place.id in order:
                continue
            order[place.id] = place
            branches = [each.text("conditionTargetId") for each in place.all("conditionAssignments")]
            waiting += [*reversed(branches), *filter(None, (place.text("defaultConditionId"),))]
        for id_, thing in own.items():
            if id_ not in order:
                self._wrong("unreachable", thing.path, "an instance that the entry leads to")
        self._cycles(own, {id_: each.text("defaultConditionId") for id_, each in own.items()}, "cycle-of-steps")
        return list(order.values())

    def _visit(self, instance: Thing, placement: Placement | None) -> Visit:
        return Visit(
            id=instance.id,
            name=instance.name,
            label=instance.text("label"),
            encounter=instance.text("encounterId"),
            epoch=instance.text("epochId"),
            activities=instance.ids("activityIds"),
            placement=placement,
            following=instance.text("defaultConditionId"),
            sub_timeline=instance.text("timelineId"),
        )

    def _placement(self, timing: Thing) -> Placement | None:
        kind, relation = timing.code("type")[1], timing.code("relativeToFrom")[1]
        if kind not in {each.value for each in Anchoring}:
            self._wrong("timing-type", f"{timing.path}/type", "Before, After or Fixed Reference", kind[:40])
            return None
        start, _, end = relation.partition(" to ")
        if start not in {"Start", "End"} or end not in {"Start", "End"}:
            self._wrong(
                "timing-relation", f"{timing.path}/relativeToFrom", "Start to Start and the like", relation[:40]
            )
            return None
        offset = self._duration(timing, "value")
        anchor = timing.text("relativeToScheduledInstanceId")
        placed = timing.text("relativeFromScheduledInstanceId")
        fixed = Anchoring(kind) is Anchoring.FIXED
        if not fixed and not anchor:
            self._wrong("no-anchor", timing.path, "relativeToScheduledInstanceId")
        lower, upper = (self._duration(timing, name) for name in ("windowLower", "windowUpper"))
        if (lower is None) != (upper is None):
            self._wrong("half-window", timing.path, "windowLower and windowUpper, or neither")
        if offset is None:
            return None
        window = Window(lower, upper) if lower is not None and upper is not None else None
        anchor = placed if fixed else anchor
        return Placement(Anchoring(kind), anchor, offset, start == "End", end == "End", window)

    def _duration(self, timing: Thing, name: str) -> Duration | None:
        text = timing.text(name)
        if not text:
            return None
        try:
            return duration(text)
        except ValueError:
            self._wrong("duration", f"{timing.path}/{name}", "an unsigned ISO 8601 duration", text[:40])
            return None

    def _anchors(self, design: Thing) -> None:
        timings = [each for line in design.all("scheduleTimelines") for each in line.all("timings")]
        anchors = {
            each.text("relativeFromScheduledInstanceId"): each.text("relativeToScheduledInstanceId")
            for each in timings
            if each.code("type")[1] != Anchoring.FIXED.value
        }
        self._cycles(self._things, anchors, "cycle-of-anchors")

    def _cycles(self, things: Mapping[str, Thing], steps: Mapping[str, str], rule: str) -> None:
        done: set[str] = set()
        for start in steps:
            seen: list[str] = []
            place = start
            while place and place not in done and place not in seen:
                seen.append(place)
                place = steps.get(place, "")
            if place and place in seen:
                self._wrong(rule, things[place].path, "no way back to itself")
            done.update(seen)

    def _criterion(self, criterion: Thing) -> Criterion:
        code, decode = criterion.code("category")
        if code not in {INCLUSION, EXCLUSION}:
            self._wrong("criterion-category", f"{criterion.path}/category", f"{INCLUSION} or {EXCLUSION}", decode[:40])
        item = self._things[criterion.text("criterionItemId")]
        return Criterion(criterion.id, criterion.name, code == INCLUSION, self._text(item))

    def _text(self, templated: Thing) -> str:
        """Return a text with its tags resolved (`SyntaxTemplateDictionary`)."""
        text = templated.text("text")
        dictionary = self._things.get(templated.text("dictionaryId"))
        tags = (
            {each.text("tag"): each.text("reference") for each in dictionary.all("parameterMaps")} if dictionary else {}
        )

        def resolved(found: re.Match[str]) -> str:
            parts = dict(_PART.findall(tags.get(found[1], "")))
            target = self._things.get(parts.get("id", ""))
            value = target.values.get(parts.get("attribute", "")) if target else None
            if (
                target is None
                or target.kind != parts.get("klass")
                or (not isinstance(value, str | int) and value is None)
            ):
                self._wrong("unresolved-tag", f"{templated.path}/text", "a tag of its dictionary", found[1][:60])
                return found[0]
            return str(value)

        return _REFERENCE.sub("", _TAG.sub(resolved, text))

    def _form(self, activity: Thing) -> Form:
        items = []
        for id_ in activity.ids("biomedicalConceptIds"):
            concept = self._things[id_]
            items += [
                Item(
                    concept.id,
                    each.name,
                    each.text("datatype"),
                    each.flag("isRequired"),
                    tuple(code.code("code")[0] for code in each.all("responseCodes") if code.flag("isEnabled")),
                    concept.name,
                )
                for each in concept.all("properties")
                if each.flag("isEnabled")
            ]
        return Form(activity.id, tuple(items))

    def _only(self, things: tuple[Thing, ...], path: str) -> Thing | None:
        if len(things) == 1:
            return things[0]
        self._wrong("not-one", path, "exactly one (of timelines: one that is the main one)", str(len(things)))
        return None

    def _wrong(self, rule: str, path: str, expected: str, got: str = "") -> None:
        self.findings.append(Finding(rule, path, expected, got))


def _named(design: Thing, attribute: str) -> tuple[Named, ...]:
    return tuple(Named(each.id, each.name, each.text("label")) for each in design.all(attribute))


def _decision(instance: Thing) -> Decision:
    branches = tuple((e.text("condition"), e.text("conditionTargetId")) for e in instance.all("conditionAssignments"))
    return Decision(instance.id, instance.name, branches, instance.text("defaultConditionId"))
