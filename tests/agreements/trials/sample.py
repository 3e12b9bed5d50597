"""The sample trial, read as a site would read it."""

import datetime as dt
import gzip
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.agreements.trials.acts import (
    FIRST,
    Act,
    Anchored,
    Delegation,
    SignedAct,
    act_digest,
    run_signing_bytes,
    signing_bytes,
)
from salus.agreements.trials.compile import compile_plan
from salus.agreements.trials.conduct import Adoption, Conditions
from salus.agreements.trials.terms import read_terms
from salus.core.encoding import decode, encode
from salus.interop.cdisc.usdm import read_usdm

FOLDER = Path(__file__).parents[3] / "samples" / "trials"
STUDY, SITE, SUBJECT = b"study-0123456789", "north", b"subject-01234567"
PEOPLE = ("investigator", "nurse", "monitor")
START = 1_767_225_600_000  # 2026-01-01
DAY = 86_400_000


def part(name):
    return gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes())


def version(number):
    return compile_plan(read_usdm(part(f"protocol-{number}"))), read_terms(part(f"terms-{number}"))


def person(name):
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def public(name):
    return person(name).public_key().public_bytes_raw()


GIVEN = (
    Delegation(public("investigator"), "investigator", 0, 1 << 53),
    Delegation(public("nurse"), "coordinator", 0, START + 200 * DAY),
    Delegation(public("monitor"), "monitor", 0, 1 << 53),
)
ONE, TWO = version(1), version(2)
FORM, NEW_FORM = ONE[1].consent_form, TWO[1].consent_form


def under(**changes):
    base = {
        "plans": {1: ONE},
        "adopted": (Adoption(START - 30 * DAY, 1),),
        "given": GIVEN,
        "registered": START - 30 * DAY,
        "now": START + 60 * DAY,
    }
    return Conditions(**(base | changes))


class Chain:
    """A participant's chain as it grows. Each act is anchored a minute after its entry, unless told otherwise."""

    def __init__(self, start=START - 20 * DAY):
        self.acts, self.time = [], start

    def add(self, kind, by="nurse", day=None, *, entered=None, anchored=None, subject=SUBJECT, **fields):
        """Add an act that happened on a day of the trial (0 is the baseline), entered that day at noon."""
        clinical = ""
        if day is not None:
            self.time = max(self.time + 60_000, START + day * DAY + DAY // 2)
            clinical = date(day)
        else:
            self.time += 60_000
        when = self.time if entered is None else entered
        previous = act_digest(self.acts[-1].signed.act) if self.acts else FIRST
        if kind == "sign":
            fields = {"meaning": "reviewed", "renewed": str(when)} | fields
        told = tuple(sorted((name.replace("__", "."), value) for name, value in fields.items()))
        act = Act(STUDY, SITE, subject, len(self.acts) + 1, previous, when, clinical, kind, public(by), told)
        signed = SignedAct(encode(act), person(by).sign(signing_bytes(act)))
        self.acts.append(Anchored(signed, self.time + 60_000 if anchored is None else anchored))
        return self

    def at_once(self, start, end):
        """Let the person of the acts [start, end) sign them with one signature."""
        acts = [one.signed.act for one in self.acts[start:end]]
        by = next(name for name in PEOPLE if public(name) == decode(acts[-1], Act).by)
        for at, act in enumerate(acts, start):
            signature = person(by).sign(run_signing_bytes(acts)) if at == end - 1 else b""
            self.acts[at] = Anchored(SignedAct(act, signature), self.acts[at].at)
        return self

    def enrolled(self):
        self.add("consent", day=-14, form=FORM, grant="aa")
        self.add("visit", day=-14, visit="screen")
        self.add("screen", adult="yes", pain="yes", allergy="no", **{"other-trial": "no"})
        self.add("eligible", "investigator")
        self.add("randomised", enrolment="bb", kit="K-7")
        return self.add("visit", day=0, visit="base")


def date(day):
    return (dt.date(2026, 1, 1) + dt.timedelta(days=day)).isoformat()
