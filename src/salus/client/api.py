"""What a node answers, typed. Written by `make docs` from the node's use cases; the other half is `salus.client.node`."""

from typing import Any, Literal  # noqa: F401 -- not every set of use cases needs both

import msgspec

from salus.client.node import Connection


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class AboutNode(msgspec.Struct, frozen=True, kw_only=True):
    """The program and the member it runs for."""

    member: str
    """Id of the member whose node this is."""

    version: str
    """Version of Salus."""

    python: str
    """Version of Python."""


class AdjudicateClaims(msgspec.Struct, frozen=True, kw_only=True):
    """Claims, and the documents that decide them."""

    file: bytes
    """The X12 837 file (professional or institutional)."""

    plan: bytes
    """The plan document, JSON."""

    rates: bytes
    """The rates documents, a JSON list."""

    members: bytes
    """Who is covered: a members document or an 834."""

    folder: str
    """New or empty folder for the answers."""

    received: str = ''
    """Day the file came, CCYYMMDD; default today."""

    decided: str = ''
    """Day of payment, CCYYMMDD; default today."""

    control: int = 1
    """First control number, never used twice."""


class ClaimsAdjudicated(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the claims. The files hold the rest."""

    decided: int
    """Claims decided or waiting."""

    paid: int
    """Claims that pay or leave something to the patient."""

    denied: int
    """Claims denied in full."""

    waiting: int
    """Claims that a person must look at."""

    voided: int
    """Voids: earlier decisions taken back."""

    refused: int
    """Claims refused at the door with the 277CA."""

    cents: int
    """Sum of the remittances, cents."""

    files: tuple[str, ...]
    """Files written, in the folder."""


class AuditRemittance(msgspec.Struct, frozen=True, kw_only=True):
    """A remittance and the contract it is held against."""

    file: bytes
    """The X12 835 file."""

    rates: bytes
    """One's own rates documents, a JSON list."""

    plan: bytes = b''
    """Plan document whose price changes by modifier apply; default none."""


class RemittanceAudited(msgspec.Struct, frozen=True, kw_only=True):
    """What does not balance and what was paid short."""

    sound: bool
    """Whether nothing was found."""

    faults: tuple[str, ...]
    """Places and rules, with what would mend them."""

    shortfalls: tuple[str, ...]
    """Lines below the agreed price, with the clause."""

    missing: int
    """Sum below the agreed prices, cents."""

    unpriced: int
    """Lines for which the contract has no price."""


class CheckPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A plan document."""

    plan: bytes
    """The plan document, JSON."""


class PlanChecked(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with it."""

    sound: bool
    """Whether nothing was found."""

    faults: tuple[str, ...]
    """JSON pointer, rule, what was expected, what stands there."""


class MakeCard(msgspec.Struct, frozen=True, kw_only=True):
    """Who the member is."""

    name: str
    """Legal name of the organisation."""

    roles: tuple[Literal['dispenser', 'distributor', 'manufacturer', 'payer', 'provider', 'regulator', 'researcher', 'site', 'sponsor'], ...]
    """What it does in the network."""

    jurisdiction: str
    """Whose law it is under: ISO 3166-1 alpha-2, or 3166-2."""

    endpoint: str = ''
    """Where its node answers others: an https URL; empty while it has none."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A member's public card."""

    card: str
    """The card: give it to whoever founds the network, or proposes you."""

    signing_key: str
    """Ed25519 key, hexadecimal: read it to them over another channel."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The network to found. This member orders its ledger."""

    network: str
    """The network's name: lower-case letters, digits, hyphens."""

    card: str
    """This member's own card."""

    others: tuple[str, ...] = ()
    """Cards of the other founders."""

    agreement: str = ''
    """The agreement that all founders signed, as a file; its digest is founded."""


class Founded(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger stands."""

    network: str
    """Network id, hexadecimal: joining members are told it."""

    members: int
    """How many founders it has."""


class Join(msgspec.Struct, frozen=True, kw_only=True):
    """The network to join; `ledger.owner` and `ledger.url` in the configuration say where."""

    network: str
    """Network id, from somebody you trust."""


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """The replica is founded; it follows the owner as soon as the node runs."""

    network: str
    """Network id, hexadecimal."""


class ClaimsCases:
    """Use cases about claims."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def adjudicate(self, request: AdjudicateClaims) -> ClaimsAdjudicated:
        """Decide a file of claims by a plan, rates and members, and write 999, 277CA, 835, explanations and a page. For: operator."""
        return self._connection.ask('/api/claims/adjudicate', request, ClaimsAdjudicated)

    def audit(self, request: AuditRemittance) -> RemittanceAudited:
        """Hold a received 835 against one's contract: what does not balance, what was paid below the agreed price. For: operator."""
        return self._connection.ask('/api/claims/audit', request, RemittanceAudited)

    def check_plan(self, request: CheckPlan) -> PlanChecked:
        """Check a plan document for gaps, overlaps, unknown codes and impossible amounts. For: operator."""
        return self._connection.ask('/api/claims/check-plan', request, PlanChecked)


class NetworkCases:
    """Use cases about network."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def card(self, request: MakeCard) -> Card:
        """Make this member's keys, if it has none, and its public card. For: operator."""
        return self._connection.ask('/api/network/card', request, Card)

    def found(self, request: Found) -> Founded:
        """Found a ledger that this member orders and all founders keep. For: operator."""
        return self._connection.ask('/api/network/found', request, Founded)

    def join(self, request: Join) -> Joined:
        """Begin to follow a network that has this member among its founders, or admitted it since. For: operator."""
        return self._connection.ask('/api/network/join', request, Joined)


class Salus:
    """A node, as a program sees it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.claims = ClaimsCases(connection)
        self.network = NetworkCases(connection)

    def about(self, request: About) -> AboutNode:
        """Say which program answers, and for which member. For: anyone."""
        return self._connection.ask('/api/about', request, AboutNode)
