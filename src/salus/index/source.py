"""Where the index learns from: records in the order of their number. The vault is one source, a list the twin."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

import msgspec

from salus.interop.fhir.facts import Facts
from salus.interop.fhir.gate import Resource
from salus.vault.links import LinkKind
from salus.vault.records import Record, Ref
from salus.vault.sealing import Kind
from salus.vault.vault import Vault

Rename = Callable[[str], str]
RenameOf = Callable[[bytes, str, str, bytes], Rename | None]


class Admitted(msgspec.Struct, frozen=True):
    """A resource as it was read when it was written: whoever indexes it at once need not open and read it again."""

    resource: Resource
    facts: Facts


NONE_FRESH: Final[Mapping[int, Admitted]] = MappingProxyType({})


class Entry(msgspec.Struct, frozen=True):
    """One record as the index reads it.

    number: counts all records of the vault. link: 16 bytes. lease: pulled from others under a grant, kept while it lives.
    body: the resource's bytes; empty in a tombstone, which ends the resource under this link. fhir: whether the body is
    a FHIR resource in JSON; anything else has no facts and is not indexed. recorded: when it was sealed, Unix ms.
    rename: how references of a pulled resource read here, "Type/id" to "Type/id"; None to take them as they stand.
    admitted: what the writer knows of these bytes already.
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
    rename: Rename | None = None
    admitted: Admitted | None = None


class Source(Protocol):
    """Records behind a number, oldest first, at most `limit`; fewer only at the end."""

    def after(self, number: int, limit: int) -> Sequence[Entry]:
        """Return the records behind `number`."""
        ...


class VaultSource:
    """A member's vault as a source."""

    def __init__(
        self, vault: Vault, rename_of: RenameOf | None = None, fresh: Mapping[int, Admitted] = NONE_FRESH
    ) -> None:
        """`rename_of` (link, type, id, body) says how a leased record's references read here.

        fresh: own resources that were written just now, by the number of their record.
        """
        self._vault = vault
        self._rename_of = rename_of
        self._fresh = fresh
        self._leases: dict[bytes, bool] = {}

    def after(self, number: int, limit: int) -> Sequence[Entry]:
        """Return the records behind `number`, opened and verified. Raises the vault's errors."""
        refs = self._vault.since(number, limit)
        asked = [ref.number for ref in refs if not ref.withdrawn and ref.number not in self._fresh]
        opened = {record.ref.number: record for record in self._vault.open_many(asked)} if asked else {}
        return [
            self._entry(opened[ref.number])
            if ref.number in opened
            else self._closed(ref)
            if ref.withdrawn
            else self._admitted(ref)
            for ref in refs
        ]

    def _entry(self, record: Record) -> Entry:
        return Entry(
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
            rename=self._rename(record),
        )

    def _admitted(self, ref: Ref) -> Entry:
        """Return a resource as its writer knows it."""
        known = self._fresh[ref.number]
        body = known.resource.raw
        return Entry(
            ref.number, ref.link, False, ref.type, ref.id, ref.version, body, recorded=ref.recorded, admitted=known
        )

    def _closed(self, ref: Ref) -> Entry:
        """Return what is left of a withdrawn record: nothing to find."""
        lease = self._is_lease(ref.link)
        return Entry(ref.number, ref.link, lease, ref.type, ref.id, ref.version, b"", fhir=False, recorded=ref.recorded)

    def _rename(self, record: Record) -> Rename | None:
        if self._rename_of is None or record.ref.kind is not Kind.RESOURCE or not self._is_lease(record.ref.link):
            return None
        return self._rename_of(record.ref.link, record.ref.type, record.ref.id, record.content.body)

    def _is_lease(self, link: bytes) -> bool:
        known = self._leases.get(link)
        if known is None:
            known = self._leases[link] = self._vault.link_info(link).kind is LinkKind.LEASE
        return known
