"""The members and persons of the demo's trial, and the steps that they take through the product's own use cases."""

import datetime as dt
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.agreements.trials.acts import FIRST, Act, act_digest, run_signing_bytes
from salus.contracts.membership.port import Role
from salus.core.encoding import encode
from salus.node.demo.samples import samples_folder
from salus.node.member import MemberNode
from salus.node.people import IssuePerson, issue_person
from salus.node.together import Clock, Founder, Together, found_together
from salus.node.trials import (
    amend_trial,
    commit_trial,
    deal_shares,
    do_work,
    enrol_subject,
    record_acts,
    send_acts,
    show_key,
    sign_trial,
    step_site,
    step_trial,
    supply_trial,
    take_consent,
)
from salus.node.trials.conducting import (
    EnrolSubject,
    RecordActs,
    SendActs,
    TakeConsent,
    Work,
    WorkDone,
    credential_digest,
)
from salus.node.trials.founding import (
    AmendTrial,
    CommitTrial,
    DealShares,
    ShowKey,
    SignTrial,
    StepTrial,
    StepTrialSite,
    TrialCommitted,
)
from salus.node.trials.supplying import SupplyTrial

SITES: Final = ("north", "south", "west")
TRUSTEES: Final = ("authority", "ethics", "statistics", "trust-one", "trust-two")
FOUNDERS: Final = (
    Founder("sponsor", "Sample Sponsor", (Role.SPONSOR,)),
    *(Founder(name, f"{name.title()} Hospital", (Role.PROVIDER, Role.SITE)) for name in SITES),
    Founder("ethics", "Ethics Board", (Role.RESEARCHER,)),
    Founder("authority", "Medicines Authority", (Role.REGULATOR,)),
    Founder("statistics", "Statistics House", (Role.RESEARCHER,)),
    Founder("pharmacy-a", "Pharmacy A", (Role.DISPENSER,)),
    Founder("pharmacy-b", "Pharmacy B", (Role.DISPENSER,)),
    Founder("trust-one", "Trust One", (Role.RESEARCHER,)),
    Founder("trust-two", "Trust Two", (Role.RESEARCHER,)),
)
PARTIES: Final = (
    "SPONSOR=sponsor",
    "COORDINATOR=north",
    "ETHICS=ethics",
    "REGULATOR=authority",
    "STATISTICIAN=statistics",
    "DISPENSER=pharmacy-a",
    "DISPENSER=pharmacy-b",
    "EMERGENCY=pharmacy-b",
)
SIZES: Final = (4, 6)
SIZE_KEY: Final = hashlib.sha256(b"block sizes of the sample trial").digest()  # the sample's terms commit to it
DAY: Final = 86_400_000

Said = tuple[str, str, str, Mapping[str, str]]
"""(person, kind, clinical date, fields) of one act."""


def sample(name: str) -> bytes:
    """Return a part of the sample trial."""
    return gzip.decompress((samples_folder() / "trials" / f"{name}.json.gz").read_bytes())


def day_of(time: int, days: int = 0) -> str:
    """Return the date of a time (ms) plus days, ISO 8601."""
    return (dt.datetime.fromtimestamp(time // 1000, dt.UTC) + dt.timedelta(days=days)).date().isoformat()


@dataclass
class Chained:
    """A chain as its site holds it."""

    number: int = 0
    previous: bytes = FIRST


@dataclass
class Scene:
    """A trial among members in one process."""

    together: Together
    study: bytes
    persons: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    chains: dict[tuple[str, str], Chained] = field(default_factory=dict)
    credentials: dict[str, str] = field(default_factory=dict)
    """The newest credential of each person who signed in."""
    sites: tuple[str, ...] = SITES
    trustees: tuple[str, ...] = TRUSTEES
    threshold: int = 3
    package: tuple[bytes, bytes, bytes] | None = None
    """Protocol, terms and analysis plan; None: the sample's."""
    forms: bytes = b""
    """Forms of the first version, ODM; empty: the protocol's concepts."""
    findings: bytes = b""
    """What rules found in its protocol; empty: none judged it."""

    @property
    def id(self) -> str:
        """The study's id, hexadecimal."""
        return self.study.hex()

    def node(self, member: str) -> MemberNode:
        """Return a member's node, its replica as new as the ledger."""
        node = self.together.nodes[member]
        node.wait_for(self.together.owner.ledger.head().height)
        return node

    def settle(self) -> None:
        """Wait until every replica has the newest block, cosigned."""
        self.together.settle()

    def person(self, name: str) -> Ed25519PrivateKey:
        """Return a person's key; each signs on a device of their own."""
        return self.persons.setdefault(name, Ed25519PrivateKey.generate())

    def public(self, name: str) -> bytes:
        """Return a person's public key."""
        return self.person(name).public_key().public_bytes_raw()

    def step(self, member: str, step: str, evidence: str = "") -> str:
        """Take a step of the study; return where it stands."""
        told = step_trial(self.node(member), StepTrial(study=self.id, step=step, evidence=evidence))
        return told.status

    def deal(self) -> str:
        """Let every trustee deal and say that all fits; return the public part of the key."""
        for name in (*self.trustees, *self.trustees):
            request = DealShares(study=self.id, trustees=self.trustees, threshold=self.threshold)
            deal_shares(self.node(name), request)
        return show_key(self.node(self.trustees[0]), ShowKey(study=self.id)).key

    def commit(self, key: str, parties: Sequence[str] = PARTIES, terms: bytes = b"") -> TrialCommitted:
        """Commit the trial."""
        package = self.package or (sample("protocol-1"), sample("terms-1"), sample("analysis"))
        request = CommitTrial(
            study=self.id,
            protocol=package[0],
            terms=terms or package[1],
            analysis=package[2],
            parties=tuple(parties),
            key=key,
            forms=self.forms,
            findings=self.findings,
        )
        return commit_trial(self.node("sponsor"), request)

    def sign_all(self, waiting: Sequence[str]) -> str:
        """Let every party sign; return where the study stands."""
        status = ""
        for name in waiting:
            status = sign_trial(self.node(name), SignTrial(study=self.id)).status
        return status

    def open_sites(self) -> None:
        """Bring every site to active."""
        for site in self.sites:
            for member, step in (
                ("sponsor", "nominate"),
                (site, "contract"),
                ("ethics", "approve"),
                (site, "train"),
                ("sponsor", "activate"),
            ):
                step_site(self.node(member), StepTrialSite(study=self.id, site=site, step=step))
            self.delegate(site)

    def delegate(self, site: str) -> None:
        """Let a site's investigator delegate to its nurse and the sponsor's monitor."""
        until = str(self.together.clock() + 3650 * DAY)
        told = [
            (f"investigator-{site}", "delegate", "", {"person": self.public(name).hex(), "role": role, "until": until})
            for name, role in ((f"nurse-{site}", "coordinator"), ("monitor", "monitor"))
        ]
        self.say(site, "", told)

    def supply(self, per_arm: int = 20, arms: int = 2) -> None:
        """Bring kits to every site: as many of each arm, numbers that tell none."""
        kits: dict[str, list[tuple[str, int]]] = {}
        for site in self.sites:
            order = sorted(range(arms * per_arm), key=lambda at: hashlib.sha256(f"{site}-{at}".encode()).digest())
            kits[site] = [(f"{site[0].upper()}-{number:03d}", at % arms) for number, at in enumerate(order)]
        sizes = SIZES if self.package is None else (2 * arms,)
        request = SupplyTrial(study=self.id, sizes=sizes, size_key=SIZE_KEY.hex(), kits=json.dumps(kits).encode())
        supply_trial(self.node("pharmacy-a"), request)

    def acts(self, site: str, subject: str, said: Sequence[Said], entered: int = 0) -> tuple[str, ...]:
        """Return signed acts that follow a chain, as their persons' devices make them."""
        chain = self.chains.get((site, subject), Chained())
        number, previous = chain.number, chain.previous
        made: list[bytes] = []
        for person, kind, clinical, fields in said:
            number += 1
            when = entered or self.together.clock()
            signed = {"meaning": "reviewed", **self.renewed(site, person)} if kind == "sign" else {}
            act = Act(
                study=self.study,
                site=site,
                subject=bytes.fromhex(subject),
                number=number,
                previous=previous,
                entered=when,
                clinical=clinical,
                kind=kind,
                by=self.public(person),
                fields=tuple(sorted((signed | dict(fields)).items())),
            )
            made.append(encode(act))
            previous = act_digest(made[-1])
        return self._signed([(person, kind) for person, kind, _, _ in said], made)

    def _signed(self, said: Sequence[tuple[str, str]], made: Sequence[bytes]) -> tuple[str, ...]:
        """Sign acts: what a person does one after the other at once, eligibility and delegations by themselves."""
        signed, run = [], []
        for at, (person, kind) in enumerate(said):
            run.append(made[at])
            after = said[at + 1] if at + 1 < len(said) else ("", "")
            goes_on = after[0] == person and not {"eligible", "delegate"} & {kind, after[1]}
            signature = b"" if goes_on else self.person(person).sign(run_signing_bytes(run))
            signed.append(f"{made[at].hex()}:{signature.hex()}")
            run = run if goes_on else []
        return tuple(signed)

    def renewed(self, site: str, person: str) -> dict[str, str]:
        """Let a person sign in anew; return what a signature says of it."""
        node = self.node(site)
        request = IssuePerson(
            subject=person, role="investigator", purposes=("CLINTRCH",), key=self.public(person).hex(), hours=1
        )
        issued = issue_person(node, request)
        self.credentials[person] = issued.credential
        began = (issued.expires - 3600) * 1000
        return {"credential": credential_digest(issued.credential), "renewed": str(began)}

    def say(self, site: str, subject: str, said: Sequence[Said], entered: int = 0) -> Any:
        """Record acts at a site. Raises EdgeError if one is refused; the chain is then as before."""
        made = self.acts(site, subject, said, entered)
        investigator = "" if subject else self.public(f"investigator-{site}").hex()
        credential = next((self.credentials[person] for person, kind, _, _ in said if kind == "sign"), "")
        request = RecordActs(
            study=self.id, subject=subject, investigator=investigator, acts=made, credential=credential
        )
        told = record_acts(self.node(site), request)
        chain = self.chains.setdefault((site, subject), Chained())
        chain.number += len(said)
        chain.previous = act_digest(bytes.fromhex(made[-1].split(":")[0]))
        return told

    def screen(self, site: str, number: int, *, eligible: bool = True) -> str:
        """Take a consent on paper, screen, and sign or fail; return the subject."""
        taken = take_consent(
            self.node(site),
            TakeConsent(study=self.id, assigner=f"urn:mrn:{site}", identifier=str(number), language="en"),
        )
        today = day_of(self.together.clock())
        nurse, investigator = f"nurse-{site}", f"investigator-{site}"
        pain = "yes" if eligible else "no"
        said: list[Said] = [
            (nurse, "consent", today, {"grant": taken.grant, "form": taken.form}),
            (nurse, "visit", today, {"visit": "screen"}),
            (nurse, "screen", "", {"adult": "yes", "pain": pain, "allergy": "no", "other-trial": "no"}),
            (investigator, "eligible", "", {}) if eligible else (investigator, "fail", "", {"criteria": "pain"}),
        ]
        self.say(site, taken.subject, said)
        return taken.subject

    def enrol(self, site: str, subject: str, stratum: str) -> bytes:
        """Enrol; return the enrolment's id."""
        request = EnrolSubject(study=self.id, subject=subject, stratum=stratum)
        return bytes.fromhex(enrol_subject(self.node(site), request).enrolment)

    def work(self, *members: str) -> dict[str, WorkDone]:
        """Let trustees, then dispensers, do their part; twice, so that the first dispenser sees the second's post."""
        done = {}
        for name in members or (*self.trustees, "pharmacy-a", "pharmacy-b", "pharmacy-a"):
            self.together.abreast()  # each acts on what its own replica has
            done[name] = do_work(self.node(name), Work(study=self.id))
        self.together.abreast()
        return done

    def send(self, site: str) -> Any:
        """Send a site's acts to sponsor and statistician."""
        return send_acts(self.node(site), SendActs(study=self.id))

    def amend(self) -> Any:
        """Propose the sample's amendment."""
        request = AmendTrial(
            study=self.id,
            protocol=sample("protocol-2"),
            terms=sample("terms-2"),
            analysis=sample("analysis"),
            substantial=True,
            reconsent_days=21,
        )
        return amend_trial(self.node("sponsor"), request)


@contextmanager
def opened(folder: Path, founders: tuple[Founder, ...] = FOUNDERS) -> Iterator[Scene]:
    """Open a scene of a trial's members, found in folders below `folder`; close them afterwards."""
    together = found_together(folder, founders, clock=Clock(), name="salus-trial")
    try:
        yield Scene(together, together.owner.entropy(16))
    finally:
        together.close()
