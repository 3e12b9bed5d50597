"""One trial among real nodes, and all that its blinded members can see of it, channel by channel.

A run draws the arms that it is told to; kits change arms with them, so that everybody gets the same kit. What is random (ids,
keys, times) is put aside, at its length.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import pytest
import structlog
from starlette.testclient import TestClient

from salus.contracts.registry import REGISTRY
from salus.contracts.trials import port
from salus.core.encoding import decode
from salus.core.proof.httpsig import HttpRequest
from salus.core.transaction import decode_transaction
from salus.engines.ports import Outcome
from salus.http.app import application
from salus.http.metrics import PLAIN, Metrics
from salus.http.person import PersonAuthenticator
from salus.node.demo.trial_scene import SIZE_KEY, SIZES, Said, Scene, day_of, opened
from salus.node.errors import EdgeError
from salus.node.exchange import delivery
from salus.node.exchange.wire import Address, Answer
from salus.node.member import MemberNode
from salus.node.signing_in import caller_of
from salus.node.trials import (
    analyse_trial,
    audit_draws,
    bill_trial,
    drawing,
    export_trial,
    list_openings,
    list_payments,
    list_tasks,
    publish_draws,
    read_trail,
    show_flow,
    show_trial,
    supply_trial,
    unblind,
)
from salus.node.trials.analysing import AnalyseTrial
from salus.node.trials.closing import AuditDraws, PublishDraws
from salus.node.trials.conducting import ListTasks
from salus.node.trials.exporting import ExportTrial, ShowFlow
from salus.node.trials.founding import ShowTrial
from salus.node.trials.kept import KINDS, Envelope, KitGiven, Subject, kept, one
from salus.node.trials.openings import ListOpenings
from salus.node.trials.overseeing import ReadTrail
from salus.node.trials.paying import BillTrial, ListPayments
from salus.node.trials.sight import in_order
from salus.node.trials.supplying import SupplyTrial
from salus.node.trials.unblinding import Unblind
from salus.node.usecase import LOCAL_OPERATOR
from salus.node.worklist import AskWaiting, AskWorklist, waiting, worklist
from salus.portal.app import routes
from salus.portal.visiting import Pages
from salus.vault.journal import Side

from .conftest import SMALL

BLINDED: Final = ("sponsor", "north", "statistics")
"""Who runs and pays the trial, who conducts it, who computes: before the unblinding none of them knows an arm."""
SHIPMENTS: Final = ("trial-supply", "trial-stratum-key", "trial-kit", "trial-envelope")
TIME: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][0-9:.]+Z?)?|\d{1,2} [A-Z][a-z]{2} \d{4}(?:, \d\d:\d\d)?")
RANDOM: Final = re.compile(r"[0-9a-f]{8,}")
SIGNED: Final = re.compile(r'<p class="big">[0-9/ ]+</p><p class="soft">[^<]*</p>')
"""What pages say of the newest block's age and of who signed it by now: that waits for clocks, never for arms."""
STAFF_PAGES: Final = ("/patients", "/worklist", "/access", "/emergency", "/reviews", "/ledger", "/ledger/members")
OPERATOR_PAGES: Final = (
    "/operator",
    "/operator/proposals",
    "/operator/waiting",
    "/operator/messages",
    "/operator/people",
    "/ledger/blocks.csv",
)
STORED: Final = sorted(set(KINDS) - {"definition"})
Seen = Mapping[str, list[Any]]
"""What blinded members see, by channel, in the order in which they see it."""


def aside(told: object) -> str:
    """Return what is told without what is random, as long as it was."""
    return RANDOM.sub(lambda found: "#" * len(found[0]), TIME.sub("TIME", f"{told}"))


@dataclass
class Wire:
    """What travels between members and to the ledger, in its order."""

    told: list[tuple[Any, ...]] = field(default_factory=list)

    @contextmanager
    def watching(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Note everything that is sent meanwhile."""
        transport, ledger = scene.together.transport, scene.together.owner.ledger
        send, submit = transport.send, ledger.submit

        def sent(address: Address, request: HttpRequest) -> Answer:
            path = request.target_uri.removeprefix(address.url)
            kind = decode(request.body, delivery.Delivery).kind if path == delivery.PATH else path
            answer = send(address, request)
            self.told.append((kind, address.url, len(request.body), answer.status, len(answer.body)))
            return answer

        def submitted(wire: bytes) -> Future[Outcome]:
            sent = decode_transaction(wire, REGISTRY.messages)
            self.told.append(("transaction", sent.body.submitter, type(sent.message).__name__, len(wire)))
            return submit(wire)

        with monkeypatch.context() as patch:
            patch.setattr(transport, "send", sent)
            patch.setattr(ledger, "submit", submitted)
            yield


Plant = Callable[[pytest.MonkeyPatch, Scene], None]
"""Makes the product leak arms through one channel."""


@dataclass(frozen=True)
class Trial:
    """Which trial is run."""

    arms: tuple[int, ...] = (0, 1, 0)
    """An odd number, so that exchanging them changes how many are in each."""
    strata: tuple[str, ...] = ("under-65", "under-65", "65-and-over")
    terms: tuple[str, ...] = ("headache", "rash", "headache")

    @classmethod
    def of(cls, seed: int) -> "Trial":
        """Return a trial drawn from a seed: three or five participants, not all in one arm."""
        random = Random(seed)
        people = random.choice((3, 5))
        arms = [0, 1, *random.choices((0, 1), k=people - 2)]
        random.shuffle(arms)
        strata = random.choices(("under-65", "65-and-over"), k=people)
        return cls(tuple(arms), tuple(strata), tuple(random.choices(("headache", "rash", "nausea"), k=people)))


def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, trial: Trial, *, exchanged: bool = False, plant: Plant | None = None
) -> tuple[list[int], Seen]:
    """Run a trial; return the arms that the dispensers drew, in the order of the log, and what blinded members see."""
    drawn = iter(trial.arms)
    wire = Wire()
    with (
        opened(folder, SMALL) as scene,
        monkeypatch.context() as patch,
        structlog.testing.capture_logs() as logs,
        wire.watching(scene, monkeypatch),
    ):
        by_seal: dict[bytes, int] = {}

        def arm_of(_scheme: object, _stratum: bytes, _before: list[int], signed: Any) -> int:
            if signed.seal not in by_seal:
                by_seal[signed.seal] = next(drawn) ^ exchanged
            return by_seal[signed.seal]

        patch.setattr(drawing, "arm_of", arm_of)
        if plant is not None:
            plant(patch, scene)
        found(scene, patch, exchanged=exchanged)
        subjects = conduct(scene, trial)
        arms = [envelope.arm for envelope in envelopes(scene)]
        seen = dict(shown(scene, wire, folder))
        seen["logs"] = sorted(aside(each) for each in logs)
        seen["openings"] = emergency(scene, wire, subjects[0])
    return arms, seen


def found(scene: Scene, patch: pytest.MonkeyPatch, *, exchanged: bool) -> None:
    """Bring a trial to its opening, with kits at its site."""
    scene.sites, scene.trustees, scene.threshold = ("north",), ("authority", "ethics", "statistics"), 2
    scene.sign_all(scene.commit(scene.deal()).waiting)
    for member, step in (("ethics", "approve"), ("authority", "approve"), ("sponsor", "register")):
        scene.step(member, step, "NCT00000000")
    scene.open_sites()
    scene.step("sponsor", "open")
    kits = {"north": [(f"N-{number:03d}", number % 2 ^ exchanged) for number in range(12)]}
    with patch.context() as fixed:
        fixed.setattr(MemberNode, "entropy", lambda _node, count: b"k" * count)  # the order of kits is their key's
        supply_trial(
            scene.node("pharmacy-a"),
            SupplyTrial(study=scene.id, sizes=SIZES, size_key=SIZE_KEY.hex(), kits=json.dumps(kits).encode()),
        )


def conduct(scene: Scene, trial: Trial) -> list[str]:
    """Screen, enrol, draw, treat and send; return the participants."""
    subjects = [scene.screen("north", 500 + number) for number in range(len(trial.arms))]
    for subject, stratum in zip(subjects, trial.strata, strict=True):
        scene.enrol("north", subject, stratum)
    scene.work()
    today = day_of(scene.together.clock())
    for subject, term in zip(subjects, trial.terms, strict=True):
        enrolment = one(scene.node("north"), Subject, scene.study + bytes.fromhex(subject)).enrolment
        given = [each.kit for _, each in kept(scene.node("north"), KitGiven, enrolment)]
        said: list[Said] = [
            *(("nurse-north", "randomised", today, {"enrolment": enrolment.hex(), "kit": kit}) for kit in given),
            ("nurse-north", "adverse", today, {"term": term, "serious": "no"}),
            (
                "nurse-north",
                "form",
                "",
                {"visit": "screen", "activity": "measure", "item.PAIN": "6", "item.PULSE": "70"},
            ),
            ("investigator-north", "sign", "", {"visit": "screen"}),
        ]
        scene.say("north", subject, said)
    scene.send("north")
    bill_trial(scene.node("north"), BillTrial(study=scene.id))
    scene.together.abreast()
    return subjects


def envelopes(scene: Scene) -> list[Envelope]:
    """Return every allocation as a dispenser knows it, in the order of the log."""
    drawn = dict(kept(scene.node("pharmacy-a"), Envelope))
    return [drawn[id_] for id_, _ in in_order(scene.node("pharmacy-a"), scene.study) if id_ in drawn]


def shown(scene: Scene, wire: Wire, folder: Path) -> Iterator[tuple[str, list[Any]]]:
    """Yield each channel and what blinded members see through it."""
    nodes = {name: scene.node(name) for name in BLINDED}
    yield "transactions", list(transactions(nodes["sponsor"]))
    yield "order", [each[:3] for each in wire.told]
    yield "deliveries", [each for each in wire.told if each[0] != "transaction"]
    yield "shipments", [each for each in wire.told if each[0] in SHIPMENTS]
    rows = [row for _, row in in_order(nodes["sponsor"], scene.study)]
    yield "rows", [aside({name: told(getattr(row, name)) for name in row.__struct_fields__}) for row in rows]
    strata = [row.stratum for row in rows]
    yield "counts", [(strata.index(row.stratum), row.place, row.status.name) for row in rows]
    given = {key: value.kit for key, value in kept(nodes["north"], KitGiven)}
    yield "kits", [given.get(id_, "") for id_, _ in in_order(nodes["north"], scene.study)]
    yield "exports", [line for name in nodes for line in exports(nodes[name], name, scene, folder)]
    yield "trails", [line for node in nodes.values() for line in trails(node, scene)]
    yield "forms", [line for node in nodes.values() for line in tasks(node, scene)]
    yield "payments", [aside(list_payments(node, ListPayments(study=scene.id))) for node in nodes.values()]
    yield "status", [aside(each) for node in nodes.values() for each in status(node, scene)]
    yield "refusals", [line for name, node in nodes.items() for line in refusals(node, name, scene)]
    yield "metrics", [line for node in nodes.values() for line in metrics(node)]
    yield "index", [searched(node) for node in nodes.values()]
    yield "feeds", [aside(each) for node in nodes.values() for each in feeds(node)]
    yield "backups", [(name, *each) for name, node in nodes.items() for each in stored(node)]
    yield "pages", [line for name in BLINDED[:2] for line in pages(nodes[name])]


def transactions(node: MemberNode) -> Iterator[tuple[object, ...]]:
    """Yield of each transaction in the log whose it is, what, at which size, and with which result."""
    for block in node.ledger.blocks(1):
        for wire in block.transactions:
            sent = decode_transaction(wire, REGISTRY.messages)
            outcome = node.ledger.outcome(sent.id)
            result = () if outcome is None else (outcome.code, len(outcome.data))
            yield block.height, sent.body.submitter, type(sent.message).__name__, len(wire), *result


def told(value: object) -> str:
    """Return a field of a row: bytes by their number alone."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else f"{value!r}"


def exports(node: MemberNode, name: str, scene: Scene, folder: Path) -> Iterator[str]:
    """Yield the lines of a member's exports, sorted within a file: participants stand there by their random ids."""
    for form in ("odm", "sdtm"):
        made = folder / f"{name}-{form}"
        export_trial(node, ExportTrial(study=scene.id, folder=str(made), form=form))
        for file in sorted(made.iterdir()):
            lines = re.split(r"[<\[]", file.read_text())
            yield from sorted(aside(f"{name} {file.name} {line.rstrip(']},')}") for line in lines)


def trails(node: MemberNode, scene: Scene) -> Iterator[str]:
    """Yield the audit trail of each participant known here."""
    keys = [key for key, _ in kept(node, Subject, scene.study)]
    yield from sorted(aside(read_trail(node, ReadTrail(study=scene.id, subject=key[16:].hex()))) for key in keys)


def tasks(node: MemberNode, scene: Scene) -> Iterator[str]:
    """Yield what a member is told of each participant and is to do, in no order: it follows their random ids."""
    shown = list_tasks(node, ListTasks(study=scene.id))
    for lines in msgspec.structs.astuple(shown):
        yield from sorted(aside(line) for line in lines)


def status(node: MemberNode, scene: Scene) -> tuple[object, ...]:
    """Return what a member's program tells of the trial."""
    return (
        show_trial(node, ShowTrial(study=scene.id)),
        show_flow(node, ShowFlow(study=scene.id)),
        list_openings(node, ListOpenings(study=scene.id)),
    )


def refusals(node: MemberNode, name: str, scene: Scene) -> Iterator[str]:
    """Yield what a blinded member is answered where it asks for what it may not know."""
    subject = next((key[16:].hex() for key, _ in kept(node, Subject, scene.study)), "00" * 16)
    for ask in (
        lambda: unblind(node, Unblind(study=scene.id, subject=subject, reason="curiosity")),
        lambda: unblind(node, Unblind(study=scene.id, subject="00" * 16)),
        lambda: audit_draws(node, AuditDraws(study=scene.id)),
        lambda: publish_draws(node, PublishDraws(study=scene.id)),
        lambda: analyse_trial(node, AnalyseTrial(study=scene.id)),
        lambda: scene.work(name)[name],
    ):
        try:
            yield aside(f"{name}: {ask()}")
        except EdgeError as refused:
            yield aside(f"{name}: {refused.code} {refused} {refused.expected} {refused.got} {refused.todo}")


def metrics(node: MemberNode) -> Iterator[str]:
    """Yield what a member's metrics tell, but ages."""
    lines = Metrics().text(node.measures(), PLAIN).splitlines()
    yield from (line for line in lines if not line.startswith("salus_ledger_head_age_seconds "))


def searched(node: MemberNode) -> dict[str, int]:
    """Return how many entries of each type a member's search index has."""
    node.catch_up()
    return node.index.count_by_type(node.vault.links())


def feeds(node: MemberNode) -> Iterator[object]:
    """Yield what a member is told to do, what waits there, and who read of each participant."""
    yield worklist(node, AskWorklist())
    yield waiting(node, AskWaiting())
    for link in node.vault.links():
        for line in node.vault.lines(Side.CUSTODIAN, link):
            read = line.disclosure
            yield read.member, read.role, read.purpose, read.action, sorted(read.what)


def stored(node: MemberNode) -> Iterator[tuple[str, int]]:
    """Yield kind and size of all that a member keeps of trials and of records: what lies on its backups too."""
    for kind in STORED:
        yield from sorted((kind, len(body)) for _, body in node.desk.trials(kind, b""))
    for file in sorted((Path(node.config.data) / "vault").rglob("*.seg*")):
        yield "segment", file.stat().st_size


def pages(node: MemberNode) -> Iterator[str]:
    """Yield the pages of a member as its staff and its operator see them, and those of the newest blocks."""
    app = application(node, (), PersonAuthenticator(node), more=routes(Pages(node, secure=False)))
    staff, operator = (TestClient(app, base_url="http://site.test") for _ in range(2))
    code = node.sessions.invite(*caller_of(node, "physician-1", "physician", ("TREAT", "ETREAT")))
    entered = staff.post("/sign-in", data={"code": code})
    invited = node.sessions.invite(LOCAL_OPERATOR, node.now() + 3_600_000)
    ran = operator.post("/sign-in", data={"code": invited})
    yield f"{entered.url.path} {ran.url.path}"
    height = node.ledger.head().height
    blocks = [f"/ledger/blocks/{height - at}" for at in range(4)]
    for browser, paths in ((staff, (*STAFF_PAGES, *blocks)), (operator, OPERATOR_PAGES)):
        for path in paths:
            answer = browser.get(path)
            yield f"{path} {answer.status_code} {aside(SIGNED.sub('', answer.text))}"


def emergency(scene: Scene, wire: Wire, subject: str) -> list[Any]:
    """Open one allocation; return what the others see of it: the register, its rows, and the sizes on the wire."""
    before = len(wire.told)
    unblind(scene.node("north"), Unblind(study=scene.id, subject=subject, reason="treatment"))
    scene.together.abreast()
    sponsor = scene.node("sponsor")
    rows = [row for _, row in port.openings(sponsor.ledger.read(), scene.study)]
    lines = [aside({name: told(getattr(row, name)) for name in row.__struct_fields__}) for row in rows]
    return [*lines, aside(show_trial(sponsor, ShowTrial(study=scene.id)).openings), *wire.told[before:]]
