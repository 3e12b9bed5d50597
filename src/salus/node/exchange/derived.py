"""Names of pulled resources: each custodian's ids are its own, so what is pulled stands under ids derived from both.

References inside a pulled resource are its custodian's; whoever reads or indexes it here follows them under the derived
names. The sealed bytes stay as they came.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from salus.agreements.grants import Grant
from salus.core.encoding import decode
from salus.core.proof.digest import digest
from salus.interop.fhir.survey import TYPES

if TYPE_CHECKING:
    from salus.node.desk import Desk
    from salus.vault.vault import Vault

Rename = Callable[[str], str]


class _Own(msgspec.Struct):
    id: str = ""


def derived_id(writer: str, type_: str, id_: str) -> str:
    """Return the id under which a pulled resource is kept: 64 characters at most, telling nothing of the original."""
    return "p" + digest("salus/v1/derived-id", writer.encode(), type_.encode(), id_.encode()).hex()[:40]


def renaming(writer: str) -> Rename:
    """Return how a writer's references read here: "Type/id" becomes "Type/derived id", all else stays."""

    def rename(reference: str) -> str:
        kind, slash, own = reference.partition("/")
        own = own.partition("/")[0]
        return f"{kind}/{derived_id(writer, kind, own)}" if slash and kind in TYPES and own else reference

    return rename


class Writers:
    """Tells who wrote a pulled record: the custodian of its grant whose derived id it carries."""

    def __init__(self, vault: "Vault", desk: "Desk") -> None:
        self._vault = vault
        self._desk = desk
        self._custodians: dict[bytes, tuple[str, ...]] = {}

    def writer(self, link: bytes, type_: str, id_: str, body: bytes) -> str:
        """Return the member that wrote a record under a lease's link, "" if none of the grant's did."""
        try:
            own = msgspec.json.decode(body, type=_Own).id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""  # no FHIR: nothing in it refers to anything
        return next((one for one in self._of(link) if derived_id(one, type_, own) == id_), "")

    def rename(self, link: bytes, type_: str, id_: str, body: bytes) -> Rename | None:
        """Return how a leased record's references read here; None when its writer is not known."""
        writer = self.writer(link, type_, id_, body)
        return renaming(writer) if writer else None

    def _of(self, link: bytes) -> tuple[str, ...]:
        if link not in self._custodians:
            for held in self._desk.held():
                if held.ended is None:
                    parts = decode(held.body, Grant).parts
                    self._custodians[self._vault.open_lease(held.grant)] = tuple(one.custodian for one in parts)
        return self._custodians.get(link, ())
