"""Two hospitals and a clinic, each with its own folder, and a patient of both hospitals: what the attacks happen in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salus.agreements.grants import Document, present
from salus.contracts.membership.port import Role
from salus.core.encoding import encode
from salus.node.anchoring import anchor
from salus.node.exchange.grantee import held_grant
from salus.node.exchange.pull import FORMAT, PATH, Pull, Pulled
from salus.node.member import MemberNode
from salus.node.together import Clock, Founder, Together, found_together
from salus.node.wallet.holder import Holder
from salus.vault.sealing import Content
from salus.vault.wallet import Share

DAY = 24 * 3600 * 1000
EVERYTHING = ("general", "medication", "laboratory", "imaging")
SECRET = "Canary-Zebedee"
"""A patient's name: what must never be stored or told where it does not belong."""


def patient(own: str, name: str = SECRET) -> Content:
    body = f'{{"resourceType":"Patient","id":"{own}","name":[{{"family":"{name}"}}]}}'
    return Content("Patient", own, body.encode())


def vitals(own: str, of: str) -> Content:
    body = (
        f'{{"resourceType":"Observation","id":"{own}","status":"final","subject":{{"reference":"Patient/{of}"}},'
        '"effectiveDateTime":"2026-03-02","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]}}'
    )
    return Content("Observation", own, body.encode())


@dataclass
class Scene:
    """Members by name, the patient's links and wallet."""

    together: Together
    links: dict[str, bytes]
    holder: Holder

    @property
    def north(self) -> MemberNode:
        return self.together.nodes["north"]

    @property
    def south(self) -> MemberNode:
        return self.together.nodes["south"]

    @property
    def clinic(self) -> MemberNode:
        return self.together.nodes["clinic"]

    def document(self, **changes: Any) -> Document:
        now = self.together.clock()
        told: dict[str, Any] = {
            "format": 1,
            "network": self.north.network,
            "grantee": "clinic",
            "roles": (),
            "purposes": ("TREAT",),
            "not_before": now,
            "expiry": now + 30 * DAY,
            "obligations": (),
        }
        return Document(**{**told, **changes})

    def grant(self, *members: str, holder: Holder | None = None, **changes: Any) -> bytes:
        """Grant the clinic everything at some members."""
        holder = holder or self.holder
        self.together.settle()
        shares = [Share(member, EVERYTHING) for member in members or ("north",)]
        return holder.grant(self.document(**changes), shares, through="north")

    def pull(self, shown: Any, *, purpose: str = "TREAT", credential: str = "", cursor: bytes = b"") -> Pull:
        return Pull(FORMAT, self.clinic.entropy(16), shown, purpose, credential, cursor, 0)

    def shown(self, grant: bytes, member: str = "north") -> Any:
        return present(held_grant(self.clinic, grant)[1], member)

    def ask(self, pull: Pull, *, of: str = "north", by: str = "clinic") -> Pulled:
        return self.together.nodes[by].peers.ask(of, PATH, pull, Pulled)

    def leased(self, grant: bytes) -> dict[str, int]:
        """Count what the clinic has under a grant."""
        lease = self.clinic.vault.open_lease(grant)
        return {"records": len(self.clinic.vault.of_link(lease)), **self.clinic.index.count_by_type([lease])}

    def served(self, member: str = "north") -> int:
        """Count the disclosures that a custodian wrote down for the patient."""
        return self.together.nodes[member].vault.link_info(self.links[member]).lines


def scene(folder: Path, clock: Callable[[], int] | None = None) -> Scene:
    founders = (
        Founder("north", "North Hospital", (Role.PROVIDER,)),
        Founder("south", "South Hospital", (Role.PROVIDER,)),
        Founder("clinic", "Lake Clinic", (Role.PROVIDER,)),
    )
    together = found_together(folder, founders, clock=Clock(clock) if clock else Clock())
    links = {}
    for member in ("north", "south"):
        links[member] = taken_in(together.nodes[member], "1", [patient("p1"), vitals("o1", "p1"), vitals("o2", "p1")])
    holder = together.holder()
    for member, link in links.items():
        holder.join(member, together.nodes[member].vault.invite(link))
    return Scene(together, links, holder)


def taken_in(node: MemberNode, number: str, contents: list[Content]) -> bytes:
    link = node.vault.open_link(f"urn:mrn:{node.member}", number)
    node.vault.write(link, contents)
    node.catch_up()
    anchor(node)
    return link


def said(error: BaseException) -> str:
    """Return everything that a refusal tells."""
    return f"{error!r} {encode([str(part) for part in error.args])!r}"
