"""What `salus serve --demo` shows: three organisations with sample patients, permissions and a history of readings."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from salus.contracts.membership.port import Role
from salus.index.index import Choice
from salus.node import emergency
from salus.node.anchoring import anchor
from salus.node.demo.records import SOURCE, people_of
from salus.node.demo.samples import samples_folder
from salus.node.emergency import Demographics
from salus.node.exchange.grantee import fetch
from salus.node.hosted import SayHosted
from salus.node.identity.comparing import match_new
from salus.node.member import MemberNode
from salus.node.patient import messages as m
from salus.node.records.charts import ShowChart, show_chart
from salus.node.records.intake import Intake
from salus.node.requests import AskAccess, ask_access
from salus.node.signing_in import caller_of
from salus.node.ticking import Ticker
from salus.node.together import Clock, Founder, Together, found_together
from salus.node.usecase import Caller
from salus.node.wallet.file import OpenWallet

FOUNDERS: Final = (
    Founder("north-hospital", "North Hospital", (Role.PROVIDER,)),
    Founder("lake-clinic", "Lake Clinic", (Role.PROVIDER,)),
    Founder("hill-practice", "Hill Practice", (Role.PROVIDER,)),
)
STAFF: Final = (
    ("physician", "Dr. Kim", "physician", ("TREAT", "ETREAT")),
    ("nurse", "Sam", "nurse", ("TREAT",)),
    ("privacy", "Robin", "privacy-officer", ("TREAT", "HOPERAT")),
    ("registrar", "Alex", "registrar", ("HOPERAT",)),
)
"""Id, name to show, role, purposes: the same at each organisation."""
CLASSES: Final = ("general", "medication", "laboratory", "imaging")
PATIENTS: Final = 3
DAYS: Final = 30


class Hosted(OpenWallet):
    """A patient's wallet that a member keeps in memory, as long as the demo runs."""

    def __init__(self, together: Together) -> None:
        self.turn = threading.RLock()
        self.urls = {}
        self.holder = together.holder()

    def save(self) -> None:
        """Keep nothing: the demo ends with its process."""

    def close(self) -> None:
        """Have nothing to let go."""


@dataclass
class Stage:
    """The organisations, running."""

    together: Together
    wallets: dict[str, dict[str, OpenWallet]]
    """Member to the wallets that it hosts, by name."""

    def staff(self, node: MemberNode, id_: str) -> tuple[Caller, int]:
        """Return one of a member's people with a fresh credential, and when it ends (Unix ms)."""
        _, _, role, purposes = next(one for one in STAFF if one[0] == id_)
        return caller_of(node, f"{id_}-1", role, purposes)


@contextmanager
def stage(folder: Path, told: Callable[[str], None]) -> Iterator[Stage]:
    """Found the organisations in `folder`, take in the samples, let some days of life happen, and keep them running."""
    told("founding a ledger kept by three organisations")
    with ExitStack() as ends:
        together = found_together(folder, FOUNDERS, clock=Clock())
        ends.callback(together.close)
        together.settle()
        made = Stage(together, {one.id: {} for one in FOUNDERS})
        for member, node in together.nodes.items():
            told(f"taking in the sample patients of {member}")
            Intake(node, SOURCE).run([samples_folder() / f"{member}.ndjson.gz"])
        _registered_twice(next(iter(together.nodes.values())), folder)
        told("patients take their keys, share, stop; staff read")
        _history(made)
        together.settle()
        for node in together.nodes.values():
            ends.enter_context(Ticker(node))
        yield made


def _registered_twice(node: MemberNode, folder: Path) -> None:
    """Let another system register one patient by an initial and without a number: a pair that waits for a person."""
    (one,) = node.index.likely.after(0, 1)
    told = msgspec.json.decode(node.vault.open(one.number).content.body)
    names = [{**name, "given": [given[:1] for given in name.get("given", ())]} for name in told.get("name", ())]
    told = {"resourceType": "Patient", "id": "second", "name": names} | {
        field: told[field] for field in ("birthDate", "gender", "address") if field in told
    }
    file = folder / "registered-twice.ndjson"
    file.write_bytes(msgspec.json.encode(told))
    Intake(node, f"{SOURCE}:laboratory").run([file])
    match_new(node)


def _history(made: Stage) -> None:
    """Let three patients enrol at all members that know them; the first shares, is read, stops; one has an emergency."""
    together = made.together
    people = people_of(together.nodes.values())[:PATIENTS]
    host = next(iter(together.nodes))
    for number, links in enumerate(people, 1):
        wallet = Hosted(together)
        for member, link in links.items():
            wallet.holder.join(member, together.nodes[member].vault.invite(link))
            if member != host:
                wallet.holder.instruct(member, "hosted", SayHosted(host), m.Done)
        made.wallets[host][f"patient-{number}"] = wallet
        readers = [member for member in together.nodes if member != host]
        for reader in readers:
            _share_and_read(made, wallet, reader)
        for member, link in links.items():
            _read_own(made, together.nodes[member], link)
    first = next(iter(made.wallets[host].values()))
    first.holder.stop(first.holder.permissions()[0].id, through=first.through(""))
    together.settle()
    _emergency(made, people[-1])


def _share_and_read(made: Stage, wallet: OpenWallet, reader: str) -> None:
    """Answer a request of `reader` with a grant, pull under it, and read the chart."""
    node = made.together.nodes[reader]
    caller, _ = made.staff(node, "physician")
    code = ask_access(node, AskAccess(purpose="TREAT", classes=CLASSES), caller=caller).code
    grant = wallet.holder.answer(wallet.holder.read_request(code), days=DAYS, through=wallet.through(""))
    made.together.settle()
    fetch(node, grant, "TREAT", caller.credential)
    show_chart(node, ShowChart(grant=grant.hex()), caller=caller)
    anchor(node)


def _read_own(made: Stage, node: MemberNode, link: bytes) -> None:
    caller, _ = made.staff(node, "nurse")
    show_chart(node, ShowChart(link=link.hex(), limit=20), caller=caller)
    anchor(node)


def _emergency(made: Stage, links: dict[str, bytes]) -> None:
    """Let another organisation open one emergency access, whose review is due in 72 hours."""
    host = next(iter(links))
    asked = next(node for member, node in made.together.nodes.items() if member != host)
    caller, _ = made.staff(asked, "physician")
    own = made.together.nodes[host]
    patient = own.index.chart([links[host]], Choice(types=("Patient",))).lines[0]
    born = msgspec.json.decode(own.vault.open(patient.number).content.body)["birthDate"]
    found = next(one for one in own.index.find_patients(birth_date=born) if one.number == patient.number)
    emergency.open_access(
        asked,
        [host],
        reason="unconscious",
        credential=caller.credential,
        demographics=Demographics(found.name, found.birth_date),
    )
