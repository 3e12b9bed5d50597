"""Random messages of trials, most of them such as somebody may send, for the twin of contract and model."""

from random import Random

from salus.contracts.trials import port as p

from . import trials_scene as scene
from .ledger import DAY
from .trials_scene import EVERYONE, NORTH, SOUTH, SPONSOR, STATS, shares
from .trials_twin import ADVICE, ANSWERS, FACTS, IDS, SITE_STEPS, STEPS, STRATA, A, Twin


class Chance:
    """Proposes messages, most of them such as somebody may send. `pick` returns one of a sequence."""

    def __init__(self, twin, pick):
        self.twin, self.pick = twin, pick

    def one_in(self, n):
        return self.pick(range(n)) == 0

    def message(self):
        """Return (message, submitter, author) of any kind."""
        trials = self.twin.trials
        goes_on = [one for one in IDS if one not in trials or trials[one].status != "reported"]
        id_ = self.pick(goes_on if goes_on and not self.one_in(8) else IDS)
        trial = trials.get(id_)
        if trial is None:
            return self.commit(id_)
        if not self.one_in(20 if trial.status == "draft" else 3):
            return self.onward(id_, trial)
        return getattr(self, self.pick(KINDS))(id_, trial)

    def who(self, trial, *parts):
        """Return who plays a part, mostly."""
        names = sorted({name for part in parts for name in trial.are(part)})
        return self.pick(EVERYONE) if not names or self.one_in(10) else self.pick(names)

    def commit(self, id_):
        number = IDS.index(id_)
        what = self.definition((scene.PRIMARY, scene.SECONDARY))
        if number == 2:
            made = scene.alone(self.pick((NORTH, SPONSOR)))
            by = made.parties[0].member
        else:
            parties = [*scene.PARTIES]
            if self.one_in(4):  # sponsor's own statistician, or parts that must not meet
                odd = self.pick(range(len(parties)))
                parties[odd] = p.Party(parties[odd].part, self.pick((SPONSOR, NORTH, STATS)))
            trustees = self.pick((scene.TRUSTEES, scene.TRUSTEES, (*scene.TRUSTEES, NORTH), (scene.TRUSTEES[0],) * 3))
            threshold = self.pick((2, 2, 2, 1, 3, 4))
            made = scene.commit(tuple(parties), threshold=threshold, trustees=trustees)
            if number:
                made = scene.commit(tuple(parties), method=p.Method.EXTERNAL, threshold=0, trustees=(), key=b"")
            by = SPONSOR if not self.one_in(20) else self.pick(EVERYONE)
        return p.Commit(id_, what, made.parties, made.method, made.threshold, made.group_key, made.trustees), by, b""

    def definition(self, outcomes):
        looks = self.pick((scene.LOOKS, scene.LOOKS[:1], (), (), scene.LOOKS[::-1]))
        return p.Definition(self.pick(FACTS), self.pick(FACTS[:2]), self.pick(FACTS), looks, outcomes)

    def onward(self, id_, trial):
        """Return the message that brings a study on its way."""
        status = trial.status
        if status == "draft":
            return p.Sign(id_, trial.versions[0][0].package), self.pick(sorted(trial.names - trial.signed)), b""
        if status in {"committed", "ethics_ok"}:
            return self.approve(id_, trial)
        if status == "authorised":
            return p.RegisterTrial(id_, FACTS[0]), self.who(trial, A.SPONSOR), b""
        busy = {"registered": 6, "open": 40, "soft_lock": 3, "unblinded": 4, "locked": 2}.get(status, 1)
        if status == "registered" and not any(site[0] == "active" for site in trial.sites.values()):
            return self.stepsite(id_, trial)
        if not self.one_in(busy + 1):
            kinds = {
                "reported": (
                    "approve",
                    "stepsite",
                    "startclock",
                    "meetclock",
                    "assessopening",
                    "postresult",
                    "unlock",
                    "statepayment",
                    "steppayment",
                ),
                "registered": ("stepsite",),
                "open": (
                    *("enrol", "allocate", "allocate", "openallocation", "steplook", "stepsite", "grantopening"),
                    *("proposeversion", "approve", "adopt", "statepayment", "steppayment"),
                ),
                "soft_lock": ("lockdata", "signlock", "signlock"),
                "locked": ("unlock", "steplook"),
                "unblinded": ("postresult", "omitresult"),
                "analysed": ("postresult",),
            }.get(status, KINDS)
            return getattr(self, self.pick(kinds))(id_, trial)
        return self.advance(id_, trial)

    def advance(self, id_, trial):
        """Return the step that fits, mostly; holding and ending rarely."""
        fit = [step for step, (start, *_) in STEPS.items() if trial.status in start.split()]
        rare = {p.Step.HOLD, p.Step.TERMINATE}
        often = [step for step in fit if step not in rare] or fit
        step = self.pick(tuple(STEPS)) if not fit or self.one_in(12) else self.pick(fit if self.one_in(6) else often)
        return p.Advance(id_, step, FACTS[0]), self.who(trial, *STEPS[step][2:]), b""

    def sign(self, id_, trial):
        return p.Sign(id_, self.pick((trial.versions[0][0].package, FACTS[3]))), self.pick(EVERYONE), b""

    def approve(self, id_, trial):
        numbers = range(1, len(trial.versions) + 1)
        number = self.pick((numbers[-1], numbers[-1], self.pick(numbers)))
        package = FACTS[4] if self.one_in(15) else trial.versions[number - 1][0].package
        by = self.who(trial, A.REGULATOR if trial.approved_by(number) else A.ETHICS)
        return p.Approve(id_, number, package), by, b""

    def registertrial(self, id_, trial):
        return p.RegisterTrial(id_, FACTS[0]), self.who(trial, A.SPONSOR), b""

    def stepsite(self, id_, trial):
        site = self.pick((NORTH, NORTH, SOUTH, SPONSOR, *EVERYONE) if self.one_in(8) else (NORTH, SOUTH))
        stands = trial.sites.get(site)
        fit = [step for step, (start, *_) in SITE_STEPS.items() if stands and stands[0] in start.split()]
        if stands is None or self.one_in(15):
            fit = [p.SiteStep.NOMINATE]
        if stands and stands[0] == "active" and not self.one_in(5):
            return self.enrol(id_, trial)
        step = self.pick(tuple(p.SiteStep)) if not fit or self.one_in(12) else self.pick(fit)
        parts = SITE_STEPS.get(step, ("", "", A.SPONSOR))[2:]
        by = self.who(trial, *parts) if parts else self.pick((site, site, site, SPONSOR))
        return p.StepSite(id_, site, step, FACTS[0]), by, b""

    def proposeversion(self, id_, trial):
        standing = trial.versions[trial.version - 1][0].outcomes
        outcomes = self.pick(
            (standing, standing, (scene.PRIMARY, scene.LATER), (scene.PRIMARY,), (scene.PRIMARY, scene.SECONDARY))
        )
        message = p.ProposeVersion(id_, self.definition(outcomes), not self.one_in(3), self.pick((0, 0, 10, 30)))
        return message, self.who(trial, A.SPONSOR), b""

    def adopt(self, id_, trial):
        number = self.pick((trial.version, trial.version, trial.version, len(trial.versions), 1))
        behind = [name for name, site in trial.sites.items() if 0 < site[1] < trial.version]
        return p.Adopt(id_, number), self.pick(behind or (*trial.sites, SOUTH)), b""

    def enrol(self, id_, trial):
        active = [name for name, site in trial.sites.items() if site[0] == "active"]
        by = self.pick(active) if active and not self.one_in(10) else self.pick((*trial.sites, NORTH))
        number = self.pick(range(self.twin.sent)) if self.one_in(25) and self.twin.sent else self.twin.sent
        return p.Enrol(id_, self.pick(STRATA), FACTS[0], FACTS[1]), by, number.to_bytes(32, "big")

    def person(self, trial):
        """Return an enrolment, mostly one that waits."""
        every = list(trial.enrolled)
        waiting = [
            key for key in every if trial.enrolment_status(trial.enrolled[key], trial.alone) in {"waiting", "posted"}
        ]
        if waiting and not self.one_in(8):
            return self.pick(waiting)
        return self.pick(every) if every else FACTS[5]

    def allocate(self, _, trial):
        key = self.person(trial)
        posts = trial.enrolled[key]["posts"] if key in trial.enrolled else []
        digest = posts[0][1] if posts and not self.one_in(12) else self.pick(FACTS)
        return p.Allocate(key, digest), self.who(trial, A.DISPENSER), b""

    def refuseenrolment(self, _, trial):
        return p.RefuseEnrolment(self.person(trial), FACTS[2]), self.who(trial, A.DISPENSER), b""

    def case(self, cases):
        return self.pick(list(cases)) if cases and not self.one_in(12) else b"case-%011d" % self.pick(range(5))

    def openallocation(self, id_, trial):
        kind = self.pick(tuple(p.Kind))
        parts = {
            p.Kind.EMERGENCY: (A.EMERGENCY,),
            p.Kind.SUSAR: (A.REGULATOR, A.ETHICS),
            p.Kind.BOARD: (A.BOARD,),
        }.get(kind, (A.COORDINATOR, A.SPONSOR))
        by = self.pick(tuple(trial.sites)) if trial.sites and self.one_in(3) else self.who(trial, *parts)
        case = self.case(trial.openings) if self.one_in(20) else b"open-%011d" % self.twin.sent
        return p.OpenAllocation(id_, case, kind, p.ReasonClass.OTHER, FACTS[0], self.one_in(6)), by, b""

    def grantopening(self, _, trial):
        asked = [key for key, one in trial.openings.items() if not trial.opened(one)]
        trustees = trial.message.trustees or shares(SPONSOR)
        number = self.pick(range(1, len(trustees) + 1))
        by = trustees[number - 1].member if not self.one_in(8) else self.pick(EVERYONE)
        return p.GrantOpening(self.case(asked or trial.openings), number + self.one_in(20)), by, b""

    def assessopening(self, _, trial):
        return p.AssessOpening(self.case(trial.openings), FACTS[0]), self.who(trial, A.SPONSOR), b""

    def steplook(self, id_, trial):
        numbers = [number for number, look in enumerate(trial.looks, 1) if len(look[2]) < 3] or [1]
        number = numbers[0] if not self.one_in(8) else self.pick(range(1, 4))
        done = len(trial.looks[number - 1][2]) if number <= len(trial.looks) else 0
        fit = ((p.LookStep.CUT,), tuple(ADVICE), tuple(ANSWERS), tuple(p.LookStep))[done]
        step = self.pick(tuple(p.LookStep)) if self.one_in(10) else self.pick(sorted(fit))
        part = A.STATISTICIAN if step is p.LookStep.CUT else A.BOARD if step in ADVICE else A.SPONSOR
        return p.StepLook(id_, number, step, self.pick(FACTS)), self.who(trial, part), b""

    def lockdata(self, id_, trial):
        return p.LockData(id_, self.pick(FACTS)), self.who(trial, A.STATISTICIAN), b""

    def signlock(self, id_, trial):
        root = trial.locks[-1]["root"] if trial.locks and not self.one_in(10) else self.pick(FACTS)
        return p.SignLock(id_, root), self.who(trial, A.SPONSOR, A.COORDINATOR), b""

    def unlock(self, id_, trial):
        return p.Unlock(id_, FACTS[0]), self.who(trial, A.SPONSOR, A.COORDINATOR, A.STATISTICIAN, A.ETHICS), b""

    def startclock(self, id_, trial):
        kind = self.pick(tuple(p.ClockKind))
        by = self.who(trial, A.SPONSOR) if kind is not p.ClockKind.HOURS_24 else self.pick((*trial.sites, SOUTH))
        case = self.case(trial.clocks) if self.one_in(20) else b"clok-%011d" % self.twin.sent
        return p.StartClock(id_, case, kind, FACTS[0]), by, b""

    def meetclock(self, _, trial):
        running = [key for key, one in trial.clocks.items() if one["met"] is None]
        case = self.case(running or trial.clocks)
        by = trial.clocks[case]["by"] if case in trial.clocks and not self.one_in(8) else self.pick(EVERYONE)
        return p.MeetClock(case, FACTS[0]), by, b""

    def outcome(self, trial):
        open_ = sorted(trial.wanted(trial.version) - set(trial.said))
        return self.pick(open_) if open_ and not self.one_in(6) else self.pick(FACTS[:5])

    def postresult(self, id_, trial):
        return p.PostResult(id_, self.outcome(trial), self.pick(FACTS)), self.who(trial, A.STATISTICIAN), b""

    def omitresult(self, id_, trial):
        return p.OmitResult(id_, self.outcome(trial), self.pick(FACTS)), self.who(trial, A.STATISTICIAN), b""

    def statepayment(self, id_, trial):
        by = self.pick((*trial.sites, *trial.sites, SOUTH))
        newest = max((number for site, number in trial.bills if site == by), default=0)
        settled = bool(newest) and trial.bills[by, newest][-1][0] in {"agree", "pay"}
        number = max(1, newest + (settled is not self.one_in(6)))
        return p.StatePayment(id_, number, self.pick(FACTS[:2])), by, b""

    def steppayment(self, id_, trial):
        site, number = self.pick(tuple(trial.bills) or ((NORTH, 1),))
        said = trial.bills.get((site, number), [("state", FACTS[0])])
        step = self.pick(tuple(p.PaymentStep))
        if not self.one_in(8):
            step = p.PaymentStep.PAY if said[-1][0] == "agree" else self.pick(tuple(p.PaymentStep)[:2])
        commitment = said[-1][1] if not self.one_in(8) else self.pick(FACTS[:2])
        return p.StepPayment(id_, site, number, step, commitment), self.who(trial, A.SPONSOR), b""


KINDS = (
    *("enrol", "allocate", "openallocation", "grantopening", "steplook", "proposeversion", "approve", "adopt") * 2,
    *("advance", "sign", "registertrial", "stepsite", "refuseenrolment", "assessopening", "lockdata", "signlock"),
    *("unlock", "startclock", "meetclock", "postresult", "omitresult", "statepayment", "steppayment"),
)


def walk(seed, steps, each=500):
    """Tell `steps` random messages, a new world every `each`. Returns the twins. Raises AssertionError."""
    random = Random(seed)
    twins, told = [], 0
    while told < steps:
        if not twins or twins[-1].sent >= each or twins[-1].over:
            twins = [*twins[-3:], Twin()]
        twin = twins[-1]
        chance = Chance(twin, random.choice)
        before = twin.sent
        messages = [chance.message() for _ in range(1 if random.random() < 0.8 or not twin.trials else 3)]
        twin.block(*messages, later=1000 if random.random() < 0.9 else random.choice((1, 7, 20)) * DAY)
        told += twin.sent - before
    return twins
