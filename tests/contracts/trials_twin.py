"""The trials contract beside a model of its own: what was said by whom, and what follows from it, without rows or tables.

The model keeps facts (who signed, who posted what, who asked) and derives every status from them. Each message is told to both:
they must agree on whether it is taken, and at every block on every row of the study that it is about.
"""

from itertools import pairwise

from salus.contracts.membership.port import Role
from salus.contracts.registry import REGISTRY
from salus.contracts.trials import port as p
from salus.contracts.trials import state as tables
from salus.core.errors import Rejected
from salus.core.rules import Context
from salus.core.tables import Overlay

from . import trials_scene as scene
from .ledger import DAY
from .rows import Rows, founded
from .trials_scene import EVERYONE

IDS = tuple(b"study-%010d" % number for number in range(3))
FACTS = tuple(bytes([number]) * 32 for number in range(1, 9))
STRATA = FACTS[6:]
A = p.Part
WAY = ("draft", "committed", "ethics_ok", "authorised", "registered", "open", "recruitment_closed", "last_visit")
WAY += ("clean", "soft_lock", "locked", "unblinded", "analysed", "reported")
STEPS = {
    p.Step.OPEN: ("registered", "open", A.SPONSOR),
    p.Step.CLOSE_RECRUITMENT: ("open", "recruitment_closed", A.SPONSOR),
    p.Step.LAST_VISIT: ("recruitment_closed", "last_visit", A.SPONSOR),
    p.Step.CLEAN: ("last_visit terminated", "clean", A.SPONSOR),
    p.Step.SOFT_LOCK: ("clean", "soft_lock", A.STATISTICIAN),
    p.Step.UNBLIND: ("locked", "unblinded", A.STATISTICIAN),
    p.Step.ANALYSE: ("unblinded", "analysed", A.STATISTICIAN),
    p.Step.REPORT: ("analysed", "reported", A.SPONSOR),
    p.Step.HOLD: ("open", "hold", A.SPONSOR, A.ETHICS, A.REGULATOR, A.BOARD),
    p.Step.RESUME: ("hold", "open", A.SPONSOR, A.ETHICS, A.REGULATOR, A.BOARD),
    p.Step.TERMINATE: ("open hold recruitment_closed", "terminated", A.SPONSOR, A.ETHICS, A.REGULATOR),
}
"""(from, to, whose step)."""
SITE_STEPS = {
    p.SiteStep.CONTRACT: ("candidate", "contracted"),
    p.SiteStep.APPROVE: ("contracted", "approved", A.ETHICS),
    p.SiteStep.TRAIN: ("approved", "trained"),
    p.SiteStep.ACTIVATE: ("trained", "active", A.SPONSOR),
    p.SiteStep.SUSPEND: ("active", "suspended", A.SPONSOR, A.ETHICS, A.REGULATOR),
    p.SiteStep.RESTORE: ("suspended", "active", A.ETHICS),
    p.SiteStep.CLOSE: ("active suspended", "closed", A.SPONSOR),
}
ADVICE = {p.LookStep.CONTINUE, p.LookStep.MODIFY, p.LookStep.STOP}
ANSWERS = {p.LookStep.FOLLOW: "followed", p.LookStep.NOT_FOLLOW: "not_followed"}
NEVER = {
    *((A.SPONSOR, part) for part in (A.ETHICS, A.REGULATOR, A.DISPENSER, A.EMERGENCY, A.BOARD)),
    *((A.COORDINATOR, part) for part in (A.ETHICS, A.DISPENSER)),
    (A.STATISTICIAN, A.DISPENSER),
}
HOURS = {p.ClockKind.HOURS_24: 24, p.ClockKind.DAYS_7: 168, p.ClockKind.DAYS_15: 360, p.ClockKind.FOLLOW_UP: 360}
AT_ONCE = {p.Kind.EMERGENCY, p.Kind.INADVERTENT}
MOST = 63


class No(Exception):
    """The model takes no such message."""


def need(*facts):
    if not all(facts):
        raise No


def rising(values):
    need(*(one < other for one, other in pairwise(values)))


FOUNDED = founded(scene.MEMBERS)
RULES = REGISTRY.versions[1].rules


class Trial:
    """What the model knows of one study."""

    def __init__(self, message, by):
        self.message, self.sponsor = message, by
        self.names = {one.member for one in (*message.parties, *message.trustees)}
        self.alone = len(self.names) == 1
        self.signed = {by}
        self.aside = ""  # hold, terminated
        self.stage = 0  # in WAY
        self.approvals = []  # (version, who approved)
        self.versions = [(message.definition, True, 0)]
        self.flags = {1: False}
        self.forces = []  # (version, when), in order
        self.registered = self.unblinded = self.due = 0
        self.holder = ""
        self.sites = {}
        self.enrolled = {}
        self.openings = {}
        self.looks = []
        self.locks = []
        self.clocks = {}
        self.said = {}
        self.bills = {}  # (site, number) → what was said of it: (word, commitment, when)

    @property
    def status(self):
        return self.aside or WAY[self.stage]

    def are(self, part):
        return {one.member for one in self.message.parties if one.part is part}

    def play(self, by, *parts):
        need(any(by in self.are(part) for part in parts))

    def go(self, status):
        self.aside = status if status in {"hold", "terminated"} else ""
        if not self.aside:
            self.stage = WAY.index(status)

    @property
    def version(self):
        return self.forces[-1][0] if self.forces else 1

    def wanted(self, number):
        return {one.definition for one in self.versions[number - 1][0].outcomes}

    def outcome(self, id_):
        """Return (status, version) of an outcome nothing was said of, or None."""
        inside, since, first = False, 0, True
        for number, _ in self.forces:
            now = id_ in self.wanted(number)
            if now and not inside:
                first, since = number == 1, number
            inside = now
        if not since:
            return None
        return ("planned" if first else "added") if inside else "dropped", since

    def approved_by(self, number):
        return {who for each, who in self.approvals if each == number}

    # What follows, as the contract's rows should say it --------------------------------------------------------------

    def version_status(self, number):
        if self.version != number and any(each == number for each, _ in self.forces):
            return "superseded"
        if any(each == number for each, _ in self.forces):
            return "approved"
        return "ethics_ok" if self.approved_by(number) else "proposed"

    @staticmethod
    def enrolment_status(one, alone):
        digests = {digest for _, digest in one["posts"]}
        if one["refused"]:
            return "disputed" if one["posts"] else "refused"
        if len(digests) > 1:
            return "disputed"
        if len(one["posts"]) == (1 if alone else 2):
            return "allocated"
        return "posted" if one["posts"] else "waiting"

    def opened(self, one):
        return one["at_once"] or len(one["grants"]) >= self.message.threshold

    def lock_status(self, one):
        if len(one["asks"]) >= (1 if self.alone else 2):
            return "unlocked"
        return "proposed" if self.unsigned(one) else "locked"

    def unsigned(self, one):
        return (self.are(A.SPONSOR) | self.are(A.COORDINATOR)) - one["signed"]

    @staticmethod
    def look_status(trail):
        last = trail[-1] if trail else None
        return "planned" if last is None else ANSWERS.get(last, last.name.lower())

    def rows(self, id_):
        """Return {(table, key): fields} of the study."""
        told = {(1, id_): (self.status, self.sponsor, self.alone, frozenset(self.names - self.signed), self.version)}
        told[1, id_] += (len(self.versions), len(self.looks), len(self.locks), self.registered, self.unblinded)
        told[1, id_] += (self.holder, self.due)
        times = dict(reversed(self.forces))
        for number, (what, _, _) in enumerate(self.versions, 1):
            row = (self.version_status(number), what.package, self.flags[number], times.get(number, 0))
            told[3, id_ + number.to_bytes(2, "big")] = row
        told |= {(4, id_ + name.encode()): tuple(site) for name, site in self.sites.items()}
        for key, one in self.enrolled.items():
            first = one["posts"][0] if one["posts"] else ("", b"")
            status = self.enrolment_status(one, self.alone)
            told[5, key] = (one["site"], status, one["place"], one["version"], *first)
        for stratum in {one["stratum"] for one in self.enrolled.values()}:
            told[6, id_ + stratum] = (sum(one["stratum"] == stratum for one in self.enrolled.values()),)
        for key, one in self.openings.items():
            status = "assessed" if one["assessed"] else "opened" if self.opened(one) else "requested"
            told[7, key] = (status, one["by"], tuple(sorted(one["grants"])))
        for number, (planned, version, trail, data) in enumerate(self.looks, 1):
            told[8, id_ + number.to_bytes(2, "big")] = (planned, version, self.look_status(trail), data)
        for number, one in enumerate(self.locks, 1):
            fields = (self.lock_status(one), one["root"], frozenset(self.unsigned(one)), tuple(one["asks"]))
            told[9, id_ + number.to_bytes(2, "big")] = fields
        for key, one in self.clocks.items():
            status = "running" if one["met"] is None else "met" if one["met"] <= one["due"] else "late"
            told[10, key] = (status, one["by"], one["due"])
        for (site, number), said in self.bills.items():
            words = {"state": "stated", "agree": "agreed", "dispute": "disputed", "pay": "paid"}
            stated = [each for each in said if each[0] == "state"][-1]
            told[12, id_ + number.to_bytes(2, "big") + site.encode()] = (words[said[-1][0]], *stated[1:])
        for outcome in {one for number, _ in self.forces for one in self.wanted(number)} | set(self.said):
            told[11, id_ + outcome] = self.said.get(outcome) or (*self.outcome(outcome), b"")
        return told


def seen(number, row):
    """Return the same of a row of the contract, or None for a roster."""
    status = getattr(row, "status", None) and row.status.name.lower()
    if number == 1:
        told = (status, row.sponsor, row.alone, frozenset(row.waiting), row.version, row.versions, row.looks, row.locks)
        return (*told, row.registered, row.unblinded, row.held_by, row.results_due)
    fields = {
        3: ("package", "after_unblinding", "approved"),
        4: ("version", "adopted", "reconsent_by"),
        5: ("place", "version", "dispenser", "allocation"),
        7: ("requester", "granted"),
        10: ("owed_by", "due"),
        11: ("version", "commitment"),
        12: ("commitment", "stated"),
    }
    if number in fields:
        told = (status, *(getattr(row, name) for name in fields[number]))
        return (row.site, *told) if number == 5 else told
    return {
        2: lambda: None,
        6: lambda: (row.enrolled,),
        8: lambda: (row.planned, row.version, status, row.data),
        9: lambda: (status, row.root, frozenset(row.waiting), row.unlocking),
    }[number]()


def study_in(key, row):
    return getattr(row, "study", key[:16])


class Twin:
    """Contract and model, told the same."""

    def __init__(self):
        self.rows = dict(FOUNDED)
        self.time, self.height, self.sent = 1_767_225_600_000, 1, 0
        self.told = []
        self.trials = {}
        self.shown = {id_: {} for id_ in IDS}

    def block(self, *messages, later=1000):
        """Tell a block of (message, submitter, author) to both, and hold them against each other."""
        self.height += 1
        self.time += later
        touched = set()
        for message, by, author in messages:
            self.sent += 1
            self.told.append((message, by))
            taken = self.contract(message, by, author, touched)
            expected = self.model(message, by, author)
            assert taken == expected, f"contract {taken}, model {expected}: {message} by {by}"
        for id_ in touched:
            self.agree(id_)

    def contract(self, message, by, author, touched):
        own = Overlay(Rows(self.rows))
        rule = RULES[type(message)]
        assert rule.authored == bool(author)
        try:
            rule.handle(Context(self.height, self.time, by, author, self.sent.to_bytes(32, "big"), own), message)
        except Rejected:
            return False
        assert own.outgrown() == ""
        own.verify()
        for written in own.written.values():
            number, key, row = written.table.number, written.key, written.row
            self.rows[number, key] = row
            id_ = study_in(key, row)
            touched.add(id_)
            if number != tables.ROSTERS.number:
                self.shown[id_][number % 256, key] = seen(number % 256, row)
        return True

    def model(self, message, by, author):
        try:
            getattr(self, type(message).__name__.lower())(message, by, author)
        except No:
            return False
        return True

    def agree(self, id_):
        expected, found = self.trials[id_].rows(id_), self.shown[id_]
        assert expected == found, {key: (found.get(key), row) for key, row in expected.items() if found.get(key) != row}

    def all(self):
        for id_ in self.trials:
            self.agree(id_)

    @property
    def over(self):
        return len(self.trials) == len(IDS) and all(trial.status == "reported" for trial in self.trials.values())

    # Messages ---------------------------------------------------------------------------------------------------

    def of(self, id_):
        need(id_ in self.trials)
        return self.trials[id_]

    def commit(self, m, by, _):
        need(m.study not in self.trials)
        trial = Trial(m, by)
        need(trial.names <= set(EVERYONE))
        need(trial.alone or scene.ROLES.get(by) is Role.SPONSOR)
        self.sound(m.definition)
        rising([(one.part, one.member) for one in m.parties])
        need(*(trial.are(part) for part in (A.ETHICS, A.REGULATOR, A.EMERGENCY)))
        need(*(len(trial.are(part)) == 1 for part in (A.SPONSOR, A.COORDINATOR, A.STATISTICIAN)))
        need(len(trial.are(A.DISPENSER)) == (1 if trial.alone else 2), by in trial.are(A.SPONSOR))
        holders = [one.member for one in m.trustees]
        if not trial.alone:
            need(*(not trial.are(one) & trial.are(other) for one, other in NEVER))
            for name in set(holders):
                steers = name in trial.are(A.SPONSOR) | trial.are(A.COORDINATOR)
                need(holders.count(name) < m.threshold or (m.threshold == 1 and not steers))
        if m.method is p.Method.EXTERNAL:
            need(not m.threshold, not holders, not m.group_key)
        else:
            need(1 <= m.threshold <= len(holders), len(m.group_key) == 96)
        trial.stage = 1 if trial.alone else 0
        self.trials[m.study] = trial

    @staticmethod
    def sound(definition):
        rising([one.permille for one in definition.looks])
        rising([one.definition for one in definition.outcomes])

    def sign(self, m, by, _):
        trial = self.of(m.study)
        need(trial.status == "draft", by in trial.names - trial.signed, m.package == trial.versions[0][0].package)
        trial.signed.add(by)
        if trial.signed == trial.names:
            trial.go("committed")

    def approve(self, m, by, _):
        trial = self.of(m.study)
        need(trial.version <= m.number <= len(trial.versions))
        what, substantial, _ = trial.versions[m.number - 1]
        need(what.package == m.package, all(number != m.number for number, _ in trial.forces))
        first = not trial.approved_by(m.number)
        trial.play(by, A.ETHICS if first else A.REGULATOR)
        need(m.number > 1 or trial.status == ("committed" if first else "ethics_ok"), trial.status != "reported")
        trial.approvals.append((m.number, by))
        if m.number == 1:
            trial.go("ethics_ok" if first else "authorised")
        if first and substantial:
            return
        if m.number > 1 and self.moves(trial, what):
            trial.flags[m.number] = True
        trial.forces.append((m.number, self.time))
        trial.looks += [[planned, m.number, [], b""] for planned in what.looks]

    @staticmethod
    def moves(trial, what):
        standing = trial.versions[trial.version - 1][0]
        return bool(trial.unblinded) and (standing.analysis, standing.outcomes) != (what.analysis, what.outcomes)

    def registertrial(self, m, by, _):
        trial = self.of(m.study)
        trial.play(by, A.SPONSOR)
        need(trial.status == "authorised")
        trial.go("registered")
        trial.registered = self.time

    def advance(self, m, by, _):
        trial = self.of(m.study)
        start, end, *parts = STEPS[m.step]
        trial.play(by, *parts)
        need(trial.status in start.split())
        if m.step is p.Step.RESUME:
            need(by == trial.holder if trial.holder else by in trial.are(A.ETHICS))
        if m.step is p.Step.REPORT:
            need(*(one in trial.said for one in trial.wanted(trial.version)))
        trial.go(end)
        trial.holder = by if m.step is p.Step.HOLD else ""
        if m.step in {p.Step.LAST_VISIT, p.Step.TERMINATE}:
            trial.due = self.time + 365 * DAY
        if m.step is p.Step.UNBLIND:
            trial.unblinded = trial.unblinded or self.height

    def stepsite(self, m, by, _):
        trial = self.of(m.study)
        site = trial.sites.get(m.site)
        if m.step is p.SiteStep.NOMINATE:
            trial.play(by, A.SPONSOR)
            role = scene.ROLES.get(m.site, Role.RESEARCHER)
            blind = not any(m.site in trial.are(part) for part in (A.DISPENSER, A.ETHICS, A.REGULATOR))
            need(site is None, role in {Role.SITE, Role.PROVIDER} or (trial.alone and role is Role.SPONSOR))
            need(blind or trial.alone, m.site in EVERYONE)
            trial.sites[m.site] = ["candidate", 0, 0, 0]
            return
        need(site is not None)
        start, end, *parts = SITE_STEPS[m.step]
        need(site[0] in start.split())
        if parts:
            trial.play(by, *parts)
        else:
            need(by == m.site)
        if m.step is p.SiteStep.ACTIVATE:
            need(trial.status in {"registered", "open", "hold"})
            site[1:3] = [trial.version, self.time]
        site[0] = end

    def proposeversion(self, m, by, _):
        trial = self.of(m.study)
        trial.play(by, A.SPONSOR)
        need(trial.forces, trial.status != "reported", len(trial.versions) < MOST)
        self.sound(m.definition)
        trial.flags[len(trial.versions) + 1] = self.moves(trial, m.definition)
        trial.versions.append((m.definition, m.substantial, m.reconsent_days))

    def adopt(self, m, by, _):
        trial = self.of(m.study)
        site = trial.sites.get(by)
        need(site is not None)
        need(site[0] in {"active", "suspended"}, m.number == trial.version, m.number > site[1])
        passed = [number for number, _ in trial.forces if number > site[1]]
        days = max(trial.versions[number - 1][2] for number in passed)
        site[1:3] = [m.number, self.time]
        if days:
            site[3] = self.time + days * DAY

    def enrol(self, m, by, author):
        trial = self.of(m.study)
        site, id_ = trial.sites.get(by), p.enrolment_id(author)
        need(trial.status == "open", site is not None and site[0] == "active")
        need(all(id_ not in each.enrolled for each in self.trials.values()))
        place = sum(one["stratum"] == m.stratum for one in trial.enrolled.values())
        one = {"site": by, "stratum": m.stratum, "place": place, "version": site[1], "posts": [], "refused": []}
        trial.enrolled[id_] = one

    def found(self, field, key):
        found = next((each for each in self.trials.values() if key in getattr(each, field)), None)
        need(found is not None)
        return found, getattr(found, field)[key]

    def allocate(self, m, by, _):
        trial, one = self.found("enrolled", m.enrolment)
        trial.play(by, A.DISPENSER)
        need(
            trial.enrolment_status(one, trial.alone) in {"waiting", "posted"}, all(by != who for who, _ in one["posts"])
        )
        one["posts"].append((by, m.allocation))
        self.halted(trial, one)

    def refuseenrolment(self, m, by, _):
        trial, one = self.found("enrolled", m.enrolment)
        trial.play(by, A.DISPENSER)
        need(
            trial.enrolment_status(one, trial.alone) in {"waiting", "posted"}, all(by != who for who, _ in one["posts"])
        )
        one["refused"].append(by)
        self.halted(trial, one)

    @staticmethod
    def halted(trial, one):
        if trial.enrolment_status(one, trial.alone) == "disputed" and trial.status in {"open", "hold"}:
            trial.go("hold")
            trial.holder = ""

    def openallocation(self, m, by, _):
        need(all(m.case not in each.openings for each in self.trials.values()))
        trial = self.of(m.study)
        parts = {
            p.Kind.EMERGENCY: (A.EMERGENCY,),
            p.Kind.SUSAR: (A.REGULATOR, A.ETHICS),
            p.Kind.BOARD: (A.BOARD,),
        }.get(m.kind, tuple(A))
        if by not in trial.sites or m.kind in {p.Kind.SUSAR, p.Kind.BOARD}:
            trial.play(by, *parts)
        need(trial.aside or trial.stage >= WAY.index("open"), m.kind in AT_ONCE or not m.deferred)
        at_once = m.kind in AT_ONCE or trial.message.method is p.Method.EXTERNAL
        trial.openings[m.case] = {"by": by, "grants": set(), "at_once": at_once, "assessed": False}
        if at_once:
            trial.unblinded = trial.unblinded or self.height

    def grantopening(self, m, by, _):
        trial, one = self.found("openings", m.case)
        holders = [each.member for each in trial.message.trustees]
        need(m.trustee <= len(holders) and holders[m.trustee - 1] == by)
        need(not trial.opened(one), m.trustee not in one["grants"])
        one["grants"].add(m.trustee)
        if trial.opened(one):
            trial.unblinded = trial.unblinded or self.height

    def assessopening(self, m, by, _):
        trial, one = self.found("openings", m.case)
        trial.play(by, A.SPONSOR)
        need(trial.opened(one), not one["assessed"])
        one["assessed"] = True

    def steplook(self, m, by, _):
        trial = self.of(m.study)
        cut, advice = m.step is p.LookStep.CUT, m.step in ADVICE
        trial.play(by, A.STATISTICIAN if cut else A.BOARD if advice else A.SPONSOR)
        need(m.number <= len(trial.looks))
        look = trial.looks[m.number - 1]
        need(len(look[2]) == (0 if cut else 1 if advice else 2))
        need(not cut or m.number == 1 or len(trial.looks[m.number - 2][2]) == 3)
        look[2].append(m.step)
        if cut:
            look[3] = m.evidence

    def lockdata(self, m, by, _):
        trial = self.of(m.study)
        trial.play(by, A.STATISTICIAN)
        need(trial.status == "soft_lock", len(trial.locks) < MOST)
        one = {"root": m.root, "signed": {by}, "asks": []}
        trial.locks.append(one)
        if not trial.unsigned(one):
            trial.go("locked")

    def signlock(self, m, by, _):
        trial = self.of(m.study)
        trial.play(by, A.SPONSOR, A.COORDINATOR)
        need(trial.locks)
        one = trial.locks[-1]
        need(trial.lock_status(one) == "proposed", by in trial.unsigned(one), m.root == one["root"])
        one["signed"].add(by)
        if not trial.unsigned(one):
            trial.go("locked")

    def unlock(self, m, by, _):
        trial = self.of(m.study)
        trial.play(by, A.SPONSOR, A.COORDINATOR, A.STATISTICIAN, A.ETHICS)
        need(trial.status in {"locked", "unblinded"})
        one = trial.locks[-1]
        need(by not in one["asks"])
        one["asks"].append(by)
        if trial.lock_status(one) == "unlocked":
            trial.go("soft_lock")

    def startclock(self, m, by, _):
        need(all(m.case not in each.clocks for each in self.trials.values()))
        trial = self.of(m.study)
        if m.kind is p.ClockKind.HOURS_24:
            need(by in trial.sites)
        else:
            trial.play(by, A.SPONSOR)
        trial.clocks[m.case] = {"by": by, "due": self.time + HOURS[m.kind] * 3_600_000, "met": None}
        trial.clocks[m.case]["kind"] = m.kind

    def meetclock(self, m, by, _):
        trial, one = self.found("clocks", m.case)
        need(by == one["by"], one["met"] is None)
        one["met"] = self.time
        if one["kind"] is p.ClockKind.DAYS_7:
            due, kind = self.time + HOURS[p.ClockKind.FOLLOW_UP] * 3_600_000, p.ClockKind.FOLLOW_UP
            trial.clocks[p.follow_up_id(self.sent.to_bytes(32, "big"))] = {
                "by": by,
                "due": due,
                "met": None,
                "kind": kind,
            }

    def postresult(self, m, by, _):
        trial = self.of(m.study)
        trial.play(by, A.STATISTICIAN)
        need(trial.status in {"unblinded", "analysed"}, m.outcome not in trial.said)
        standing = trial.outcome(m.outcome)
        planned = standing is not None and standing[0] != "dropped"
        version = standing[1] if standing else trial.version
        trial.said[m.outcome] = ("posted" if planned else "post_hoc", version, m.commitment)

    def omitresult(self, m, by, _):
        trial = self.of(m.study)
        trial.play(by, A.STATISTICIAN)
        need(trial.status in {"unblinded", "analysed"}, m.outcome not in trial.said)
        standing = trial.outcome(m.outcome)
        need(standing is not None and standing[0] != "dropped")
        trial.said[m.outcome] = ("not_done", standing[1], m.reason)

    def statepayment(self, m, by, _):
        trial = self.of(m.study)
        need(by in trial.sites and trial.sites[by][0] != "candidate")
        said = trial.bills.get((by, m.number), [])
        before = trial.bills.get((by, m.number - 1), [("state",)])
        need(not said or said[-1][0] == "dispute", m.number == 1 or before[-1][0] in {"agree", "pay"})
        trial.bills[by, m.number] = [*said, ("state", m.commitment, self.time)]

    def steppayment(self, m, by, _):
        trial = self.of(m.study)
        trial.play(by, A.SPONSOR)
        said = trial.bills.get((m.site, m.number), [])
        word = m.step.name.lower()
        need(said)
        need(said[-1][0] == ("agree" if word == "pay" else "state"), said[-1][1] == m.commitment)
        said.append((word, m.commitment, self.time))
