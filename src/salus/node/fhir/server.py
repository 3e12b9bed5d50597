"""The server's door: one request in, one answer out, whether it came over HTTP or as an entry of a Bundle."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from salus.interop.fhir.survey import TYPES
from salus.interop.fhir.terminology import Terminology
from salus.node.claims import fhir as claims
from salus.node.errors import EdgeError, NotFound
from salus.node.fhir.answers import NO_METHOD, Answer, FhirRefused, Request, nothing_there, posted
from salus.node.fhir.asking import Asking, Leases
from salus.node.fhir.auditing import JOURNAL, PREFIX, Auditing, asks_journal
from salus.node.fhir.auditing import KIND as AUDIT
from salus.node.fhir.auditing import LABEL as AUDIT_LABEL
from salus.node.fhir.bundles import Bundles
from salus.node.fhir.capability import capability_statement
from salus.node.fhir.coding import Coding
from salus.node.fhir.describing import asked_types, description
from salus.node.fhir.exporting import Exporting
from salus.node.fhir.filing import Filing
from salus.node.fhir.importing import Importing
from salus.node.fhir.labelling import Labelling
from salus.node.fhir.paging import LABEL, PAGE, Paging
from salus.node.fhir.presenting import raw
from salus.node.fhir.reading import Reading
from salus.node.fhir.routes import find
from salus.node.fhir.storing import turns_of
from salus.node.fhir.summarising import Summarising
from salus.node.fhir.validating import Validating, validator_of
from salus.node.fhir.viewing import Viewing
from salus.node.fhir.writing import Writing
from salus.node.member import MemberNode
from salus.node.usecase import Caller

ROOT: Final = "/fhir"
AS_READ: Final = frozenset({"everything", "summary"})
"""Operations that change nothing and are posted by many clients: answered as if they had been read."""
Handler = Callable[..., Answer | None]
"""(asking, request, and by name what stands at the route's variables) to the answer; None where the method has none."""


class FhirServer:
    """A member's records as FHIR R4."""

    def __init__(self, node: MemberNode, base: str = "") -> None:
        """Serve at `base`, where programs reach the node; empty: its public URL."""
        self._node = node
        self.base = (base or node.config.http.public_url).rstrip("/") + ROOT
        self._leases = Leases(node)
        self._paging = Paging(node.secret(LABEL))
        told = node.config.fhir
        self._validating = Validating(validator_of(told.packages), enforced=told.validate_writes)
        known = Terminology(self._validating.profiles)
        self._reading = Reading(self.base, self._paging, known)
        self._writing = Writing(self.base, self._validating, turns_of(node))
        self._auditing = Auditing(self.base, self._paging, self._reading, node.secret(AUDIT_LABEL))
        self._handlers = {**self._of_server(), **self._of_types(), **_of_terminology(Coding(known))}

    @property
    def handled(self) -> frozenset[str]:
        """The names of the routes that have a handler."""
        return frozenset(self._handlers)

    def _of_server(self) -> dict[str, Handler]:
        bundles = Bundles(self._writing, self.dispatch)
        exporting = Exporting(self.base, self._paging, self._reading)
        importing = Importing(self.base)
        filing = Filing(self._reading, self._writing, bundles)
        return {
            "metadata": lambda _asking, request: self._open(request),
            "description": lambda _asking, request: self._open(request),
            "batch": bundles.answer,
            "history": self._reading.history,
            "page": self._continued,
            "export": exporting.kick_off,
            "exportPatients": exporting.kick_off,
            "exportJob": exporting.answer,
            "import": importing.kick_off,
            "importJob": importing.answer,
            "importErrors": importing.errors,
            "viewdefinition-run": Viewing(self._reading).answer,
            "fileConsent": filing.file,
            "revokeConsent": filing.revoke,
            "recordDisclosure": filing.record,
            **claims.OPERATIONS,
        }

    def _of_types(self) -> dict[str, Handler]:
        reading, writing = self._reading, self._writing
        labelling = Labelling(reading, writing)
        return {
            "everything": reading.everything,
            "summary": Summarising(self.base, reading).answer,
            "compartment": self._compartment,
            "compartmentPosted": self._compartment,
            "read": self._read,
            "vread": reading.vread,
            "update": partial(self._written, writing.update),
            "patch": partial(self._written, writing.patch),
            "delete": partial(self._written, writing.delete),
            "historyOne": reading.history,
            "historyType": reading.history,
            "create": writing.create,
            "search": self._search,
            "searchPosted": self._search,
            "updateWhere": writing.update_where,
            "patchWhere": writing.patch_where,
            "deleteWhere": writing.delete_where,
            "meta": labelling.read,
            "metaAdd": labelling.add,
            "metaDelete": labelling.delete,
            "validate": self._validate,
            "validateOne": self._validate,
        }

    def answer(self, caller: Caller, purpose: str, request: Request) -> Answer:
        """Answer a request. Raises EdgeError."""
        found = find(request.method, request.path)
        if found is not None and found[0].anybody:
            return self._open(request)
        asking = Asking(self._node, caller, purpose, self._leases)
        return self.dispatch(asking, request)

    def _open(self, request: Request) -> Answer:
        """Answer what anybody may ask."""
        if request.path == "metadata":
            return Answer(200, bytes(raw(capability_statement(self.base, self._node.now()))))
        return Answer(200, description(self.base, asked_types(request)), media="application/json")

    def dispatch(self, asking: Asking, request: Request) -> Answer:
        """Send a request to what it asks for. Raises EdgeError."""
        asking.admit(request)
        answer: Answer | None = None
        found = find(request.method, request.path)
        if found is not None:
            route, told = found
            if route.name in AS_READ and request.method == "POST":
                pairs = (*request.pairs, *posted(request.body))
                request = msgspec.structs.replace(request, method="GET", pairs=pairs, body=b"")
            answer = self._handlers[route.name](asking, request, **told)
        if answer is None and request.path.partition("/")[0] not in TYPES:
            raise _unknown_type()
        if answer is None:
            raise FhirRefused(
                NO_METHOD,
                "fhir.no-such-interaction",
                "there is no such interaction",
                expected="one of those that /metadata lists",
                todo="see the CapabilityStatement at /metadata",
            )
        return answer

    def _search(self, asking: Asking, request: Request, kind: str) -> Answer:
        links = [value for name, value in request.pairs if name == PAGE]
        if len(links) == 1:
            return self._continued(asking, request, links[0])
        if kind == AUDIT and asks_journal(request):
            return self._auditing.search(asking, request)
        return self._reading.search(asking, request, kind)

    def _compartment(self, asking: Asking, request: Request, own: str, inner: str) -> Answer:
        self._reading.current(asking, f"Patient/{own}")  # refuses a patient who is not seen
        return self._reading.search(asking, request, inner, f"Patient/{own}")

    def _read(self, asking: Asking, request: Request, kind: str, own: str) -> Answer:
        if _is_line(kind, own):
            return self._auditing.read(asking, own)
        return self._reading.read(asking, request, kind, own)

    def _written(self, write: Handler, asking: Asking, request: Request, kind: str, own: str) -> Answer | None:
        return None if _is_line(kind, own) else write(asking, request, kind, own)

    def _validate(self, asking: Asking, request: Request, kind: str, own: str = "") -> Answer:  # noqa: ARG002 -- any instance
        return self._validating.operation(request, kind, asking.node.now())

    def _continued(self, asking: Asking, _request: Request, link: str) -> Answer:
        """Answer a link to the next page: the same question, decided anew, behind where it stopped."""
        told = self._paging.open(asking, link)
        request = Request("GET", told.path, told.pairs)
        asking.admit(request)
        parts = [part for part in told.path.split("/") if part != "_search"]
        if parts[-1] == "_history":
            kind, own = (parts[0] if len(parts) > 1 else ""), (parts[1] if len(parts) > 2 else "")
            return self._reading.history(asking, request, kind, own, before=int(told.cursor[0]))
        if parts[-1] == JOURNAL:
            return self._auditing.search(asking, request, told.cursor)
        if parts[-1] == "$everything":
            return self._reading.everything(asking, request, parts[1], after=int(told.cursor[0]))
        if len(parts) == 3:
            return self._reading.search(asking, request, parts[2], f"{parts[0]}/{parts[1]}", told.cursor)
        if len(parts) != 1:
            raise nothing_there()
        return self._reading.search(asking, request, parts[0], "", told.cursor)


def _of_terminology(coding: Coding) -> Mapping[str, Handler]:
    return {
        "expand": coding.expand,
        "validateInSet": coding.validate_in_set,
        "validateInSystem": coding.validate_in_system,
        "lookUp": coding.look_up,
        "subsumes": coding.subsumes,
        "translate": coding.translate,
    }


def _is_line(kind: str, own: str) -> bool:
    """Tell whether a name is that of a line of the journal, which nobody writes."""
    return kind == AUDIT and own.startswith(PREFIX)


def _unknown_type() -> EdgeError:
    return NotFound(
        "fhir.unknown-type",
        "there is no such resource type",
        expected="one of the 146 types of R4",
        todo="see /metadata",
    )
