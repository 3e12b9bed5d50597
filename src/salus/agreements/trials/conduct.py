"""Conduct rules, version 1: one participant's chain and the plan → state, verdicts, deviations, queries, tasks.

The site runs this before it accepts an act; whoever holds the chain runs it again. A verdict that differs is evidence.

    1 the act's bytes, chain and signature hold            BROKEN
    2 it was entered after the anchor before it and at     BACKDATED
      most 10 minutes before its own
    3 the person may: delegated, in a role of the kind      NOT_DELEGATED
    4 it is this kind's turn                                OUT_OF_ORDER, NO_CONSENT, WITHDRAWN, LOCKED
    5 what it names is there, and it says why               UNKNOWN, NO_REASON, WRONG_FORM, NOT_ELIGIBLE
    6 a signature says what it means, by who signed in at   NO_MEANING, NOT_RENEWED
      most 5 minutes before (21 CFR 11.50, 11.200)

An act with such a verdict changes nothing. What is late, outside a window or after a deadline is taken, with a deviation,
which acts of the chain then classify, report and resolve (`deviations`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, NamedTuple

from salus.agreements.trials.acts import FIRST, Act, Anchored, Delegation, act_digest, may, read_all
from salus.agreements.trials.deviations import HANDLING, Deviation, refused
from salus.agreements.trials.deviations import TRANSITIONS as HANDLED
from salus.agreements.trials.plan import ItemCheck, Plan, Visit
from salus.agreements.trials.safety import SERIOUS, Adverse
from salus.agreements.trials.terms import EditCheck, Terms
from salus.agreements.trials.windows import Verdict, judge
from salus.interop.cdisc.times import Moment, moment, shifted, written

BACKDATING_MS: Final = 10 * 60 * 1000
SKEW_MS: Final = 15_000  # what a block's time may lie behind a node's clock
DAY_MS: Final = 86_400_000
MOST_DIGITS: Final = 16  # of a time in ms
RENEWED_MS: Final = 5 * 60 * 1000  # how old the credential of who signs may be
LATE_ENTRY_DAYS: Final = 10  # a visit entered later than that after it happened is a deviation


class Status(Enum):
    """Where a participant stands: FHIR ResearchSubject's words where it has them."""

    CANDIDATE = "candidate"
    CONSENTED = "screening"
    FAILED = "ineligible"
    ELIGIBLE = "eligible"
    ON_STUDY = "on-study"
    WITHDRAWN = "withdrawn"
    ENDED = "off-study"


TRANSITIONS: Final[Mapping[tuple[Status, str], Status]] = {
    (Status.CANDIDATE, "consent"): Status.CONSENTED,
    (Status.CONSENTED, "fail"): Status.FAILED,
    (Status.CONSENTED, "eligible"): Status.ELIGIBLE,
    (Status.ELIGIBLE, "randomised"): Status.ON_STUDY,
    (Status.CONSENTED, "withdraw"): Status.WITHDRAWN,
    (Status.ELIGIBLE, "withdraw"): Status.WITHDRAWN,
    (Status.ON_STUDY, "withdraw"): Status.WITHDRAWN,
    (Status.ON_STUDY, "end"): Status.ENDED,
}
"""A participant's life: (status, act) → status."""

CLINICAL: Final = ("investigator", "sub-investigator", "coordinator")
PHYSICIANS: Final = ("investigator", "sub-investigator")
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "consent": CLINICAL,
    "reconsent": CLINICAL,
    "screen": CLINICAL,
    "fail": PHYSICIANS,
    "eligible": PHYSICIANS,
    "randomised": (*CLINICAL, "pharmacist"),
    "visit": CLINICAL,
    "form": CLINICAL,
    "change": CLINICAL,
    "query": ("monitor",),
    "answer": CLINICAL,
    "close": ("monitor",),
    "verify": ("monitor",),
    "adverse": CLINICAL,
    "causality": PHYSICIANS,
    "sign": ("investigator",),
    "deviate": (*CLINICAL, "monitor"),
    "classify": PHYSICIANS,
    "report": CLINICAL,
    "resolve": PHYSICIANS,
    "withdraw": CLINICAL,
    "end": CLINICAL,
}
"""Who may do what. Only roles of the site write data; a monitor asks and verifies."""
KINDS: Final = tuple(ROLES)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One act that was not taken."""

    number: int
    code: str
    told: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of an item, as it was at some time."""

    value: str
    number: int
    by: bytes
    entered: int
    reason: str
    """Why it replaced the one before; empty for the first."""
    happened: str = ""
    """Clinical date of the value: its act's, or the visit's where the act says none."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question to the site about an item."""

    number: int
    """Of the act that asked, or that raised it by a rule."""
    item: str
    rule: str
    """Id of the edit check; empty if a person asked."""
    state: str
    """open, answered, closed."""
    place: int = 1
    """Among those that its act raised, from 1 in the order of the act's fields, the terms' checks and the forms'."""

    @property
    def id(self) -> str:
        """How acts name it: number of its act; from the second that one act raised on, number.place."""
        return str(self.number) if self.place == 1 else f"{self.number}.{self.place}"


@dataclass(frozen=True, slots=True)
class Task:
    """Something due."""

    what: str
    first: str
    """First day in time, ISO 8601, or empty."""
    last: str


class Adoption(NamedTuple):
    """A version in force at a site."""

    at: int
    """Block time of its activation or adoption, ms."""
    version: int
    renew_by: int = 0
    """By when consent to its form is renewed, ms; 0 if nothing is due."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a chain is judged under: all of it known to everyone who holds the chain."""

    plans: Mapping[int, tuple[Plan, Terms]]
    """By number of the protocol version."""
    adopted: Sequence[Adoption]
    """The site's activation and adoptions, ascending."""
    given: Sequence[Delegation]
    locked_at: int = 0
    """Block time of the lock, ms; 0 before."""
    registered: int = 0
    """Block time of the registration, ms."""
    now: int = 0
    """What tasks are computed at, ms."""

    def adoption_at(self, time: int) -> Adoption:
        """Return what is in force at the site at a time (ms): nothing that is adopted later changes it; the first before any."""
        found = [one for one in self.adopted if one.at <= time]
        return max(found, key=lambda one: one.version, default=Adoption(0, min(self.plans)))

    def version_at(self, time: int) -> int:
        """Return the protocol version in force at the site at a time."""
        return self.adoption_at(time).version


@dataclass
class State:
    """A participant as the chain tells it."""

    status: Status = Status.CANDIDATE
    grant: str = ""
    form: str = ""
    renewed: int = 0
    """Number of the act of the newest consent."""
    criteria: dict[str, str] = field(default_factory=dict)
    enrolment: str = ""
    enrolled_on: str = ""
    """Clinical date of the draw; empty if nobody said."""
    kit: str = ""
    visits: dict[str, str] = field(default_factory=dict)
    """Clinical date by id of the visit."""
    needed: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """What the protocol in force needs answered at a visit: (activity, item)."""
    items: dict[str, list[Entry]] = field(default_factory=dict)
    """All values, oldest first, by `visit/activity/repeat/item`."""
    verified: set[str] = field(default_factory=set)
    """Items that a monitor verified, as they are now."""
    signed: dict[str, int] = field(default_factory=dict)
    """Visits that the investigator signed, by number of the act; a change or another form takes it away."""
    queries: list[Query] = field(default_factory=list)
    adverse: list[Adverse] = field(default_factory=list)
    scope: str = ""
    """What was withdrawn from."""
    ended: str = ""
    ended_on: str = ""
    """Clinical date of the end, of a withdrawal, or of a failed screening."""
    verdicts: list[Verdicts] = field(default_factory=list)
    deviations: list[Deviation] = field(default_factory=list)
    tasks: tuple[Task, ...] = ()
    acts: int = 0
    last_anchor: int = 0
    """Block time of the newest anchor, ms."""

    def payable(self, visit: str) -> bool:
        """Return whether a visit is to be paid: signed, complete, without an open query."""
        asked = any(query.state != "closed" and query.item.startswith(f"{visit}/") for query in self.queries)
        return visit in self.signed and not asked and not self.missing(visit)

    def missing(self, visit: str) -> tuple[tuple[str, str], ...]:
        """Return what a visit needs and nobody answered, in no repeat of its form: (activity, item)."""
        needed = self.needed.get(visit, ())
        if not needed:
            return ()
        places = [place.split("/", 3) for place, entries in self.items.items() if entries[-1].value]
        given = {(activity, item) for at, activity, _, item in places if at == visit}
        return tuple(each for each in needed if each not in given)


def conduct(chain: Sequence[Anchored], under: Conditions) -> State:
    """Return a participant's state from the chain. Never raises for what a chain may hold."""
    state = State()
    previous, before, latest = FIRST, 0, 0
    acts = read_all([one.signed for one in chain])
    for number, (one, act) in enumerate(zip(chain, acts, strict=True), 1):
        if act is None or act.number != number or act.previous != previous:
            state.verdicts.append(Verdicts(number, "BROKEN", "bytes, chain or signature do not hold"))
            break
        previous = act_digest(one.signed.act)
        if one.at and one.at > latest:
            before, latest = latest, one.at
        code, told = _refused(state, act, one.at, before, under)
        if code:
            state.verdicts.append(Verdicts(number, code, told))
            continue
        _take(state, act, under)
    state.acts, state.last_anchor = len(chain), latest
    state.deviations += _standing(state, under, under.now)
    state.tasks = _tasks(state, under)
    return state


def _refused(state: State, act: Act, at: int, before: int, under: Conditions) -> tuple[str, str]:
    if at and not before - SKEW_MS <= act.entered <= at + SKEW_MS:
        return "BACKDATED", f"entered {act.entered}, the anchor before it {before}, its own {at}"
    if at and at - act.entered > BACKDATING_MS:
        return "BACKDATED", f"entered {at - act.entered} ms before its anchor, at most {BACKDATING_MS}"
    roles = ROLES.get(act.kind)
    if roles is None:
        return "UNKNOWN", f"no kind of act: {act.kind[:32]}"
    if not may(under.given, act.by, roles, act.entered):
        return "NOT_DELEGATED", f"{act.kind} is for {', '.join(roles)}"
    if under.locked_at and act.entered >= under.locked_at:
        return "LOCKED", f"the data is locked since {under.locked_at}"
    return _out_of_turn(state, act, under) or _unknown(state, act, under) or ("", "")


_CARE: Final = frozenset(
    ("adverse", "causality", "answer", "close", "query", "verify", "sign", "change", "deviate", *HANDLING)
)


def _out_of_turn(state: State, act: Act, under: Conditions) -> tuple[str, str] | None:
    if act.kind == "consent" and (not under.registered or act.entered < under.registered):
        return "OUT_OF_ORDER", "no consent before the trial is registered"
    if state.status is Status.CANDIDATE and act.kind != "consent":
        return "NO_CONSENT", f"{act.kind} before consent"
    if state.status is Status.WITHDRAWN and act.kind not in _CARE:
        return "WITHDRAWN", f"{act.kind} after withdrawal from {state.scope}"
    if act.kind == "form" and dict(act.fields).get("visit") not in state.visits:
        return "OUT_OF_ORDER", "a form before its visit"
    turns = {"consent", "fail", "eligible", "randomised", "withdraw", "end"}
    if act.kind in turns and (state.status, act.kind) not in TRANSITIONS:
        return "OUT_OF_ORDER", f"{act.kind} while {state.status.value}"
    return None


def _unknown(state: State, act: Act, under: Conditions) -> tuple[str, str] | None:
    told = dict(act.fields)
    plan, terms = under.plans[under.version_at(act.entered)]
    if act.kind in {"consent", "reconsent"} and told.get("form") != terms.consent_form:
        return "WRONG_FORM", "the form of informed consent is not the one in force"
    wrong = _not_eligible(state, plan) if act.kind == "eligible" else ""
    if wrong:
        return "NOT_ELIGIBLE", f"not met or not judged: {wrong}"
    unexplained = act.kind == "change" and told.get("item") in state.items and not told.get("reason")
    if unexplained or (act.kind == "form" and any(key in state.items for key in _entered(told))):
        return "NO_REASON", "what was entered is changed by `change`, which says why"
    if act.kind == "visit":
        known = told.get("visit") == "unscheduled" or plan.visit(told.get("visit", "")) is not None
        if not known or moment(act.clinical) is None:
            return "UNKNOWN", "a visit of the protocol in force, with its date"
    if act.kind in HANDLING:
        return refused(_deviation(state, told.get("of", ""), under, act.entered), act.kind, told)
    return _missing(state, act, told) or (_unsigned(act, told) if act.kind == "sign" else None)


def _not_eligible(state: State, plan: Plan) -> str:
    """Return the ids of the criteria that are not met or not judged."""
    expected = {one.id: "yes" if one.inclusion else "no" for one in plan.criteria}
    return ", ".join(id_ for id_, answer in expected.items() if state.criteria.get(id_) != answer)


def _deviation(state: State, id_: str, under: Conditions, now: int) -> Deviation | None:
    """Return a deviation that stands at a time (ms), by its id."""
    return next((one for one in [*state.deviations, *_standing(state, under, now)] if one.id == id_), None)


def _unsigned(act: Act, told: Mapping[str, str]) -> tuple[str, str] | None:
    """Judge a signature: its meaning, and when its person last signed in (`renewed`, ms; the site holds the credential)."""
    if not told.get("meaning"):
        return "NO_MEANING", "a signature says what it means"
    renewed = told.get("renewed", "")
    if not (renewed.isascii() and renewed.isdigit() and len(renewed) <= MOST_DIGITS):
        return "NOT_RENEWED", "a signature says when its credential was renewed"
    age = act.entered - int(renewed)
    if not -SKEW_MS <= age <= RENEWED_MS:
        return "NOT_RENEWED", f"signed {age} ms after the credential was renewed, at most {RENEWED_MS}"
    return None


def _missing(state: State, act: Act, told: Mapping[str, str]) -> tuple[str, str] | None:
    needed = _NEEDED.get(act.kind)
    return None if needed is None or needed[0](state, told) else ("UNKNOWN", needed[1])


def _item_entered(state: State, told: Mapping[str, str]) -> bool:
    return told.get("item") in state.items


def _query_open(state: State, told: Mapping[str, str]) -> bool:
    return _query(state, told.get("query", "")) is not None


_NEEDED: Final[Mapping[str, tuple[Callable[[State, Mapping[str, str]], bool], str]]] = {
    "change": (_item_entered, "no such item was entered"),
    "query": (_item_entered, "no such item was entered"),
    "verify": (_item_entered, "no such item was entered"),
    "answer": (_query_open, "no such query is open"),
    "close": (_query_open, "no such query is open"),
    "sign": (lambda state, told: told.get("visit") in state.visits, "no such visit was entered"),
    "causality": (
        lambda state, told: told.get("of") in {str(one.number) for one in state.adverse},
        "no such event was entered",
    ),
    "fail": (lambda _, told: bool(told.get("criteria")), "the criteria not met are named"),
    "deviate": (lambda _, told: bool(told.get("told")), "a deviation is told"),
    "randomised": (lambda _, told: bool(told.get("enrolment")), "an enrolment is named"),
}


def _query(state: State, id_: str) -> Query | None:
    return next((one for one in state.queries if one.id == id_ and one.state != "closed"), None)


def _take(state: State, act: Act, under: Conditions) -> None:
    told = dict(act.fields)
    state.status = TRANSITIONS.get((state.status, act.kind), state.status)
    in_force = under.adoption_at(act.entered)
    if in_force.renew_by and act.entered > in_force.renew_by and act.kind in {"visit", "form"}:
        _, terms = under.plans[in_force.version]
        if state.form != terms.consent_form:
            _deviate(state, act.number, "RECONSENT_OVERDUE", "consent was to be renewed before", important=True)
    _TAKERS[act.kind](state, act, told, under)


def _deviate(state: State, number: int, code: str, told: str, *, important: bool) -> None:
    state.deviations.append(Deviation(number, code, important, told))


def _consent(state: State, act: Act, told: Mapping[str, str], _under: Conditions) -> None:
    state.grant, state.form, state.renewed = told.get("grant", ""), told["form"], act.number


def _screen(state: State, _act: Act, told: Mapping[str, str], _under: Conditions) -> None:
    state.criteria |= {name: value for name, value in told.items() if value in {"yes", "no"}}


def _randomised(state: State, act: Act, told: Mapping[str, str], _under: Conditions) -> None:
    state.enrolment, state.kit, state.enrolled_on = told["enrolment"], told.get("kit", ""), act.clinical


def _visit(state: State, act: Act, told: Mapping[str, str], under: Conditions) -> None:
    number = under.version_at(act.entered)
    plan, terms = under.plans[number]
    visit = plan.visit(told["visit"])
    if visit is None:
        state.visits[f"unscheduled-{act.number}"] = act.clinical
        return
    state.visits[visit.id] = act.clinical
    asked = (form for form in plan.forms if form.activity in visit.activities)
    state.needed[visit.id] = tuple((form.activity, item.name) for form in asked for item in form.items if item.needed)
    happened = moment(act.clinical)
    lag = act.entered // DAY_MS - (happened.day if happened else 0)
    if lag > LATE_ENTRY_DAYS:
        _deviate(state, act.number, "LATE_ENTRY", f"entered {lag} days after it happened", important=False)
    found = _windowed(state, visit, happened)
    if found is not None:
        days, arithmetic = found
        _deviate(state, act.number, "WINDOW", arithmetic, important=days >= terms.important_days)


def _windowed(state: State, visit: Visit, happened: Moment | None) -> tuple[int, str] | None:
    """Return (days from the target, arithmetic) of a visit outside its window."""
    placement = visit.placement
    anchor = moment(state.visits.get(placement.anchor, "")) if placement else None
    if placement is None or anchor is None or happened is None:
        return None
    judged = judge(placement, anchor, happened)
    if judged is None or judged.verdict is not Verdict.OUTSIDE:
        return None
    sign = -1 if placement.anchoring.value == "Before" else 1
    return abs(happened.day - shifted(anchor.day, placement.offset, sign)), judged.arithmetic


def _entered(told: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a form's act by `visit/activity/repeat/item`."""
    place = f"{told['visit']}/{told.get('activity', '')}/{told.get('repeat', '1')}"
    return {f"{place}/{name.removeprefix('item.')}": value for name, value in told.items() if name.startswith("item.")}


def _form(state: State, act: Act, told: Mapping[str, str], under: Conditions) -> None:
    in_force = under.plans[under.version_at(act.entered)]
    happened = act.clinical or state.visits[told["visit"]]
    given = _entered(told)
    for key, value in given.items():
        state.items.setdefault(key, []).append(Entry(value, act.number, act.by, act.entered, "", happened))
    state.signed.pop(told["visit"], None)
    for key in given:
        _check(state, act.number, key, in_force)


def _check(state: State, number: int, key: str, under: tuple[Plan, Terms]) -> None:
    """Raise the queries of what was entered under a key, and of the items that its value makes into something else."""
    plan, terms = under
    visit, activity, repeat, item = key.split("/", 3)
    form, value = f"{visit}/{activity}/{repeat}", state.items[key][-1].value
    failed = [(item, rule.id) for rule in terms.checks if rule.item == item and not _within(rule, value)]
    failed += [(one.item, one.id) for one in _failed(state, form, item, plan)]
    for name, rule in failed:
        about, raised = f"{form}/{name}", [one for one in state.queries if one.number == number]
        if not any((one.item, one.rule) == (about, rule) for one in raised):
            state.queries.append(Query(number, about, rule, "open", 1 + len(raised)))


def _failed(state: State, form: str, item: str, plan: Plan) -> Iterator[ItemCheck]:
    """Yield the edit checks that a new value of a form's item fails: its own, and those that it made apply."""
    activity = form.split("/")[1]
    for one in plan.checks:
        others = {each.item for clause in one.when for each in clause}
        if one.activity != activity or item not in {one.item, *others}:
            continue
        known = {
            name: state.items[f"{form}/{name}"][-1].value
            for name in (one.item, *others)
            if f"{form}/{name}" in state.items
        }
        if one.item in known and not one.holds(known[one.item]) and one.applies(known):
            yield one


def _within(rule: EditCheck, value: str) -> bool:
    try:
        return rule.low <= float(value) <= rule.high
    except ValueError:
        return False


def _change(state: State, act: Act, told: Mapping[str, str], under: Conditions) -> None:
    in_force = under.plans[under.version_at(act.entered)]
    key = told["item"]
    happened = act.clinical or state.items[key][-1].happened
    state.items[key].append(Entry(told.get("value", ""), act.number, act.by, act.entered, told["reason"], happened))
    state.verified.discard(key)
    state.signed.pop(key.split("/", 1)[0], None)
    _check(state, act.number, key, in_force)


def _ask(state: State, act: Act, told: Mapping[str, str], _under: Conditions) -> None:
    state.queries.append(Query(act.number, told["item"], "", "open"))


def _follow(to: str) -> Callable[[State, Act, Mapping[str, str], Conditions], None]:
    def follow(state: State, _act: Act, told: Mapping[str, str], _under: Conditions) -> None:
        query = _query(state, told["query"])
        state.queries = [replace(one, state=to) if one is query else one for one in state.queries]

    return follow


def _verify(state: State, _act: Act, told: Mapping[str, str], _under: Conditions) -> None:
    state.verified.add(told["item"])


def _adverse(state: State, act: Act, told: Mapping[str, str], _under: Conditions) -> None:
    criteria = tuple(name for name in SERIOUS if told.get(name) == "yes")
    said = {"yes": "Y", "no": "N"}.get(told.get("serious", ""), "")
    state.adverse.append(Adverse(act.number, told.get("term", ""), bool(criteria), None, criteria, said, act.clinical))
    if criteria and told.get("serious") == "no":
        why = f"said to be not serious, and a criterion is met: {', '.join(criteria)}"
        _deviate(state, act.number, "SERIOUS", why, important=True)


def _causality(state: State, _act: Act, told: Mapping[str, str], _under: Conditions) -> None:
    related = told.get("related") == "yes"
    state.adverse = [replace(one, related=related) if str(one.number) == told["of"] else one for one in state.adverse]


def _sign(state: State, act: Act, told: Mapping[str, str], _under: Conditions) -> None:
    state.signed[told["visit"]] = act.number


def _withdraw(state: State, act: Act, told: Mapping[str, str], _under: Conditions) -> None:
    state.scope, state.ended_on = told.get("scope", "everything"), act.clinical


def _end(state: State, act: Act, told: Mapping[str, str], _under: Conditions) -> None:
    state.ended, state.ended_on = told.get("reason", "completed"), act.clinical


def _fail(state: State, act: Act, _told: Mapping[str, str], _under: Conditions) -> None:
    state.ended_on = act.clinical


def _enter_deviation(state: State, act: Act, told: Mapping[str, str], _under: Conditions) -> None:
    _deviate(state, act.number, "ENTERED", told["told"], important=told.get("important") != "no")


def _handle(state: State, act: Act, told: Mapping[str, str], under: Conditions) -> None:
    one = _deviation(state, told["of"], under, act.entered)
    if one is None:  # `refused` let it pass
        return
    important = told["important"] == "yes" if act.kind == "classify" else one.important
    after = replace(one, stage=HANDLED[one.stage, act.kind], important=important)
    standing = state.deviations if one in state.deviations else [*state.deviations, one]
    state.deviations = [after if each is one else each for each in standing]


def _nothing(_state: State, _act: Act, _told: Mapping[str, str], _under: Conditions) -> None:
    return


_TAKERS: Final[Mapping[str, Callable[[State, Act, Mapping[str, str], Conditions], None]]] = {
    "consent": _consent,
    "reconsent": _consent,
    "screen": _screen,
    "fail": _fail,
    "eligible": _nothing,
    "randomised": _randomised,
    "visit": _visit,
    "form": _form,
    "change": _change,
    "query": _ask,
    "answer": _follow("answered"),
    "close": _follow("closed"),
    "verify": _verify,
    "adverse": _adverse,
    "causality": _causality,
    "sign": _sign,
    "deviate": _enter_deviation,
    "classify": _handle,
    "report": _handle,
    "resolve": _handle,
    "withdraw": _withdraw,
    "end": _end,
}


def _standing(state: State, under: Conditions, now: int) -> list[Deviation]:
    """Return the deviations that no act showed and that stand at a time (ms): visits missed, a consent not renewed."""
    if state.status is not Status.ON_STUDY:
        return []
    found = [
        Deviation(0, "MISSED", True, f"{_named(visit)} was due until {written(last)}", visit.id)
        for visit, _, last in _due(state, under, now)
        if last < now // DAY_MS
    ]
    in_force = under.adoption_at(now)
    _, terms = under.plans[in_force.version]
    told = any(one.code == "RECONSENT_OVERDUE" and one.number > state.renewed for one in state.deviations)
    if in_force.renew_by and now > in_force.renew_by and state.form != terms.consent_form and not told:
        about = f"version-{in_force.version}"
        found.append(Deviation(0, "RECONSENT_OVERDUE", True, "consent to the newest form is overdue", about))
    known = {one.id for one in state.deviations}
    return [one for one in found if one.id not in known]


def _due(state: State, under: Conditions, now: int) -> Iterator[tuple[Visit, int, int]]:
    """Yield (visit, first day, last day) of planned visits that were not entered and whose anchor was."""
    plan, _ = under.plans[under.version_at(now)]
    for visit in plan.main.visits:
        placement = visit.placement
        if placement is None or placement.window is None or visit.id in state.visits:
            continue
        anchor = moment(state.visits.get(placement.anchor, ""))
        if anchor is not None:
            target = shifted(anchor.day, placement.offset, -1 if placement.anchoring.value == "Before" else 1)
            yield visit, shifted(target, placement.window.lower, -1), shifted(target, placement.window.upper, 1)


def _named(visit: Visit) -> str:
    return f"visit {visit.label or visit.name}"


def _tasks(state: State, under: Conditions) -> tuple[Task, ...]:
    """Return what is due: deviations, open queries, causality, planned visits whose window is open or ahead."""
    found = [Task(f"{one.todo} deviation {one.id}", "", "") for one in state.deviations if one.todo]
    if state.status is Status.ON_STUDY:
        found += [Task(f"answer query {one.id}", "", "") for one in state.queries if one.state == "open"]
        found += [Task(f"judge causality of {one.number}", "", "") for one in state.adverse if one.related is None]
        due = _due(state, under, under.now)
        found += [
            Task(_named(visit), written(first), written(last))
            for visit, first, last in due
            if last >= under.now // DAY_MS
        ]
    return tuple(found)
