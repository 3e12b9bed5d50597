"""Where the index learns from: records in the order of their number. The vault is one source, a list the twin."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from salus.vault.links import LinkKind
from salus.vault.sealing import Kind
from salus.vault.vault import Vault


class Entry(msgspec.Struct, frozen=True):
    """One record as the index reads it.

    number: counts all records of the vault. link: 16 bytes. lease: pulled from others under a grant, kept while it lives.
    body: the resource's bytes; empty in a tombstone, which ends the resource under this link. fhir: whether the body is
    a FHIR resource in JSON; anything else has no facts and is not indexed. recorded: when it was sealed, Unix ms.
    """

    number: int
    link: bytes
    lease: bool
    type: str
    id: str
    version: int
    body: bytes
    tombstone: bool = False
    fhir: bool = True
    recorded: int = 0


class Source(Protocol):
    """Records behind a number, oldest first, at most `limit`; fewer only at the end."""

    def after(self, number: int, limit: int) -> Sequence[Entry]:
        """Return the records behind `number`."""
        ...


class VaultSource:
    """A member's vault as a source."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._leases: dict[bytes, bool] = {}

    def after(self, number: int, limit: int) -> Sequence[Entry]:
        """Return the records behind `number`, opened and verified. Raises the vault's errors."""
        refs = self._vault.since(number, limit)
        records = self._vault.open_many([ref.number for ref in refs])
        return [
            Entry(
                number=record.ref.number,
                link=record.ref.link,
                lease=self._is_lease(record.ref.link),
                type=record.ref.type,
                id=record.ref.id,
                version=record.ref.version,
                body=record.content.body,
                tombstone=record.ref.kind is Kind.TOMBSTONE,
                fhir=record.ref.kind is Kind.RESOURCE and record.content.media == "application/fhir+json",
                recorded=record.ref.recorded,
            )
            for record in records
        ]

    def _is_lease(self, link: bytes) -> bool:
        known = self._leases.get(link)
        if known is None:
            known = self._leases[link] = self._vault.link_info(link).kind is LinkKind.LEASE
        return known
