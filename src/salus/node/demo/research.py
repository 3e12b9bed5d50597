"""The chapter of research: four hospitals, a clinic, a data-access body and a university, each a node with its own records."""

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from salus.contracts.membership.port import Role
from salus.node.anchoring import anchor
from salus.node.demo.samples import samples_folder
from salus.node.demo.telling import Holding, Telling
from salus.node.errors import Refused, Unavailable
from salus.node.member import MemberNode
from salus.node.research import (
    answer_question,
    apply_for_permit,
    ask_question,
    decide_permit,
    offer_data,
    show_budget,
    show_result,
)
from salus.node.research.answering import AnswerQuestion
from salus.node.research.asking import AskQuestion, Result, ShowResult
from salus.node.research.permits import ApplyForPermit, Budget, DecidePermit, OfferData, ShowBudget
from salus.node.together import Clock, Founder, Together, found_together
from salus.node.wallet import studying
from salus.node.wallet.holder import Holder
from salus.vault.sealing import Content

HOSPITALS: Final = ("east", "north", "south", "west")
CUSTODIANS: Final = ("clinic", *HOSPITALS)
POLICY: Final = ("DUO:0000006", "DUO:0000021", "DUO:0000046")
VARIANCE: Final = 100  # σ = 10 persons
DELTA: Final = 1e-6
SMALLEST: Final = 8
FITTING: Final = 3
"""Patients of the clinic whose choice fits the study; one more chose genetic studies alone."""


@dataclass
class Scene:
    """What the chapter keeps between its steps."""

    telling: Telling
    together: Together
    query: dict[str, Any]
    """The sample's query document, without a statistic of the chapter's own."""
    links: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Link by patient, at each custodian."""
    data_sets: dict[str, str] = field(default_factory=dict)
    women: list[str] = field(default_factory=list)
    """Women among north's patients."""
    permit: str = ""
    wallets: list[Holder] = field(default_factory=list)
    """Of the clinic's patients who chose, then of two of north's."""

    def node(self, member: str) -> MemberNode:
        """Return a member's node."""
        return self.together.nodes[member]

    def level(self) -> None:
        """Wait until every replica has the newest block."""
        height = self.together.owner.ledger.head().height
        for node in self.together.nodes.values():
            node.wait_for(height)

    def ask(self, document: dict[str, Any], members: Iterable[str], variance: int = VARIANCE, permit: str = "") -> str:
        """Ask a question; return its id. Raises Refused."""
        self.level()
        request = AskQuestion(
            permit=permit or self.permit,
            query=json.dumps(document).encode(),
            data_sets=tuple(self.data_sets[one] for one in members),
            variance=variance,
        )
        asked = ask_question(self.node("university"), request)
        self.level()
        return asked.query

    def release(self, query: str, members: Iterable[str], *, few: bool = False) -> dict[str, str]:
        """Let output checkers release a question; return how it then stands at each."""
        told = {one: answer_question(self.node(one), AnswerQuestion(query=query, few=few)).status for one in members}
        self.level()
        return told

    def result(self, query: str) -> Result:
        """Return what the university sees."""
        return show_result(self.node("university"), ShowResult(query=query))

    def budget(self, member: str) -> Budget:
        """Return a custodian's budget."""
        return show_budget(self.node(member), ShowBudget())

    def apply(
        self,
        summary: str,
        member: str = "university",
        *,
        commercial: bool = False,
        data_set: str = "",
        records: bool = False,
    ) -> str:
        """Apply for a permit at all data sets, or at one; return its id. Raises Refused."""
        self.level()
        request = ApplyForPermit(
            data_sets=(data_set,) if data_set else tuple(self.data_sets.values()),
            investigations=("DUO:0000037",),
            summary=summary,
            days=300,
            ethics=b"Approved by the ethics board of the university",
            commercial=commercial,
            records=records,
        )
        return apply_for_permit(self.node(member), request).permit

    def sign(self, permit: str) -> None:
        """Have every custodian and the data-access body sign."""
        self.level()
        for member, data_set in self.data_sets.items():
            for signer in (member, "body"):
                decide_permit(self.node(signer), DecidePermit(permit=permit, data_set=data_set))
        self.level()


class Research:
    """The chapter."""

    name = "research"
    title = "Research on shared data, without the data leaving"
    budget_seconds = 90

    def tell(self, telling: Telling, source: Path | None) -> None:
        """Tell it on the samples, or on the files of `source`, one for each of the five custodians. Raises StoryEnds."""
        missing = [name for name in ("duckdb", "numpy", "opendp") if find_spec(name) is None]
        if missing:
            todo = "install salus-health[research]"
            raise Unavailable("research.extra", "the numeric libraries are not installed", todo=todo)
        from salus.node.demo import questions  # noqa: PLC0415 -- the extra may not be installed

        folder = source or samples_folder() / "research"
        founders = (
            Founder("university", "A University", (Role.RESEARCHER,), "DE"),
            *(Founder(name, f"{name.title()} Hospital", (Role.PROVIDER,), "DE") for name in HOSPITALS),
            Founder("clinic", "A Small Clinic", (Role.PROVIDER,), "DE"),
            Founder("body", "Data Access Body", (Role.REGULATOR,), "DE"),
            Founder("company", "A Company", (Role.RESEARCHER,), "DE"),
        )
        together = found_together(telling.folder / "members", founders, clock=Clock(), name="research")
        scene = Scene(telling, together, json.loads((folder / "query.json").read_bytes()))
        try:
            _fill(scene, folder)
            _choices(scene)
            _permit(scene)
            questions.tell(scene)
        finally:
            together.close()
        telling.notes += [
            "All members run in this process, each with its own folder, keys, vault and replica of the ledger.",
            "Hospitals count whoever does not object; the clinic counts who chose so. Rows leave of those alone who chose that.",
        ]
        telling.next_commands += ["salus research check --query samples/research/query.json"]


def _fill(scene: Scene, folder: Path) -> None:
    with scene.telling.step(
        "Five custodians hold their patients' records", "Sealed, each where it was written."
    ) as step:
        records = 0
        for name in CUSTODIANS:
            rows = [
                json.loads(one) for one in gzip.decompress((folder / f"{name}.ndjson.gz").read_bytes()).splitlines()
            ]
            patients = [row["id"] for row in rows if row["resourceType"] == "Patient"]
            node = scene.node(name)
            opened = node.vault.open_links([(f"urn:mrn:{name}", one) for one in patients])
            scene.links[name] = dict(zip(patients, opened, strict=True))
            if name == "north":
                scene.women = [row["id"] for row in rows if row.get("gender") == "female"]
            node.vault.write_all([(_link(scene, name, row), _content(row)) for row in rows])
            anchor(node)
            node.catch_up()
            records += len(rows)
            scene.telling.holders.append(Holding(name, node.member, len(rows), 0))
        step.figure("patients", sum(map(len, scene.links.values())))
        step.figure("sealed records", records)


def _link(scene: Scene, name: str, row: dict[str, Any]) -> bytes:
    patient = row["id"] if row["resourceType"] == "Patient" else row["subject"]["reference"].removeprefix("Patient/")
    return scene.links[name][patient]


def _content(row: dict[str, Any]) -> Content:
    return Content(row["resourceType"], row["id"], json.dumps(row, separators=(",", ":")).encode())


def _choices(scene: Scene) -> None:
    with scene.telling.step("Patients choose", "A choice is a grant for research; an objection holds at once.") as step:
        clinic = list(scene.links["clinic"].values())
        for place in range(FITTING + 1):
            holder = wallet_at(scene, "clinic", clinic[place])
            policy = POLICY if place < FITTING else ("DUO:0000006", "DUO:0000016")
            studying.choose(holder, policy, ("noisy",), days=365, through="clinic", members=("clinic",))
            scene.wallets.append(holder)
        north = list(scene.links["north"].values())
        for link in north[:2]:
            scene.wallets.append(wallet_at(scene, "north", link))
        studying.object_(scene.wallets[-1], "north", objecting=True)
        step.figure("clinic: choices for health research", FITTING)
        step.figure("clinic: choices for genetic studies alone", 1)
        step.figure("north: objections", 1)


def wallet_at(scene: Scene, member: str, link: bytes) -> Holder:
    """Return a new wallet of a patient, joined at a member."""
    holder = scene.together.holder()
    holder.join(member, scene.node(member).vault.invite(link))
    return holder


def _permit(scene: Scene) -> None:
    with scene.telling.step(
        "A study gets its permit", "What does not fit is refused by every node, by its class."
    ) as step:
        for name in CUSTODIANS:
            offer = OfferData(
                terms=b"The terms of the consortium's data use",
                policy=POLICY,
                by_consent=name == "clinic",
                ways=("noisy",) if name == "clinic" else ("exact", "noisy"),
                smallest=SMALLEST,
                permit_rho=3_000_000,
                co_signers=("body",),
            )
            scene.data_sets[name] = offer_data(scene.node(name), offer).data_set
        try:
            scene.apply("A product.", "company", commercial=True)
        except Refused as refusal:
            step.figure("a commercial study", f"refused ({refusal.code}; {refusal.got})")
            step.holds("the class is named", "DUO:0000046" in refusal.got)
        else:
            step.holds("a commercial study is refused", truth=False)
        scene.permit = scene.apply("Who has high blood pressure, and what follows?")
        scene.sign(scene.permit)
        step.figure("signatures of custodians and the data-access body", 2 * len(CUSTODIANS))


CHAPTER: Final = Research()
