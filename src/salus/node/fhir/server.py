"""The server's door: one request in, one answer out, whether it came over HTTP or as an entry of a Bundle."""

from typing import Final

from salus.interop.fhir.survey import TYPES
from salus.interop.fhir.terminology import Terminology
from salus.node.claims import fhir as claims
from salus.node.errors import EdgeError, NotFound
from salus.node.fhir.answers import NO_METHOD, Answer, FhirRefused, Request
from salus.node.fhir.asking import Asking, Leases
from salus.node.fhir.auditing import JOURNAL, PREFIX, Auditing, asks_journal
from salus.node.fhir.auditing import KIND as AUDIT
from salus.node.fhir.auditing import LABEL as AUDIT_LABEL
from salus.node.fhir.bundles import Bundles, Dispatch
from salus.node.fhir.capability import capability_statement
from salus.node.fhir.coding import Coding
from salus.node.fhir.describing import DESCRIPTION, asked_types, description
from salus.node.fhir.exporting import EXPORT, JOBS, Exporting
from salus.node.fhir.filing import Filing
from salus.node.fhir.importing import IMPORT, Importing
from salus.node.fhir.importing import JOBS as IMPORTS
from salus.node.fhir.paging import LABEL, Paging
from salus.node.fhir.presenting import raw
from salus.node.fhir.reading import Reading
from salus.node.fhir.storing import turns_of
from salus.node.fhir.summarising import Summarising
from salus.node.fhir.validating import Validating, validator_of
from salus.node.fhir.viewing import RUN, Viewing
from salus.node.fhir.writing import Writing
from salus.node.member import MemberNode
from salus.node.usecase import Caller

ROOT: Final = "/fhir"
METADATA: Final = "metadata"
VALIDATE: Final = "$validate"


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
        self._summarising = Summarising(self.base, self._reading)
        self._writing = Writing(self.base, self._validating, turns_of(node))
        self._bundles = Bundles(self._writing, self.dispatch)
        self._exporting = Exporting(self.base, self._paging, self._reading)
        self._importing = Importing(self.base)
        self._auditing = Auditing(self.base, self._paging, self._reading, node.secret(AUDIT_LABEL))
        filing = Filing(self._reading, self._writing, self._bundles)
        self._whole: dict[tuple[str, str], Dispatch] = {
            ("POST", ""): self._bundles.answer,
            ("GET", "_history"): self._reading.history,
            ("GET", EXPORT): self._exporting.kick_off,
            ("POST", EXPORT): self._exporting.kick_off,
            ("POST", IMPORT): self._importing.kick_off,
            ("POST", RUN): Viewing(self._reading).answer,
        }
        coding = Coding(known)
        terminology = {
            ("ValueSet", "$expand"): coding.expand,
            ("ValueSet", "$validate-code"): coding.validate_in_set,
            ("CodeSystem", "$validate-code"): coding.validate_in_system,
            ("CodeSystem", "$lookup"): coding.look_up,
            ("CodeSystem", "$subsumes"): coding.subsumes,
            ("ConceptMap", "$translate"): coding.translate,
        }
        self._operations = {
            **{(method, *asked): answer for method in ("GET", "POST") for asked, answer in terminology.items()},
            ("POST", "Consent", "$fileConsent"): filing.file,
            ("POST", "Consent", "$revokeConsent"): filing.revoke,
            ("POST", "AuditEvent", "$recordDisclosure"): filing.record,
            **claims.OPERATIONS,
            ("GET", "Patient", EXPORT): self._exporting.kick_off,
            ("POST", "Patient", EXPORT): self._exporting.kick_off,
        }

    def answer(self, caller: Caller, purpose: str, request: Request) -> Answer:
        """Answer a request. Raises EdgeError."""
        if request.path == METADATA and request.method == "GET":
            return Answer(200, bytes(raw(capability_statement(self.base, self._node.now()))))
        if request.path == DESCRIPTION and request.method == "GET":
            return Answer(200, description(self.base, asked_types(request)), media="application/json")
        asking = Asking(self._node, caller, purpose, self._leases)
        return self.dispatch(asking, request)

    def dispatch(self, asking: Asking, request: Request) -> Answer:
        """Send a request to what it asks for. Raises EdgeError."""
        asking.admit(request)
        parts = request.path.split("/") if request.path else []
        answer = self._of_server(asking, request, parts)
        if answer is None and (not parts or parts[0] not in TYPES):
            raise _unknown_type()
        by_length = {1: self._of_type, 2: self._of_resource, 3: self._below, 4: self._of_version}
        handle = by_length.get(len(parts))
        if answer is None and handle is not None:
            answer = handle(asking, request, parts)
        if answer is None:
            raise FhirRefused(
                NO_METHOD,
                "fhir.no-such-interaction",
                "there is no such interaction",
                expected="one of those that /metadata lists",
                todo="see the CapabilityStatement at /metadata",
            )
        return answer

    def _of_server(self, asking: Asking, request: Request, parts: list[str]) -> Answer | None:
        """Answer what is asked of no type: Bundles, the whole history, bulk data, and what the server named itself."""
        whole = self._whole.get((request.method, request.path))
        if whole is not None:
            return whole(asking, request)
        if parts[:1] == ["_page"] and len(parts) == 2 and request.method == "GET":
            return self._continued(asking, parts[1])
        if parts[:1] == [JOBS] and len(parts) == 2:
            return self._exporting.answer(asking, request, parts[1])
        if parts[:1] == [IMPORTS] and len(parts) > 1:
            return self._importing.answer(asking, request, "/".join(parts[1:]))
        return None

    def _of_type(self, asking: Asking, request: Request, parts: list[str]) -> Answer | None:
        kind = parts[0]
        if request.method == "GET":
            return self._search(asking, request, kind)
        if request.method == "POST":
            return self._writing.create(asking, request, kind)
        if request.method == "PUT":
            return self._writing.update_where(asking, request, kind)
        if request.method == "DELETE":
            return self._writing.delete_where(asking, request, kind)
        return None

    def _search(self, asking: Asking, request: Request, kind: str) -> Answer:
        if kind == AUDIT and asks_journal(request):
            return self._auditing.search(asking, request)
        return self._reading.search(asking, request, kind)

    def _of_resource(self, asking: Asking, request: Request, parts: list[str]) -> Answer | None:
        kind, own = parts
        if own == "_search" and request.method == "POST":
            return self._search(asking, request, kind)
        if own == "_history" and request.method == "GET":
            return self._reading.history(asking, request, kind)
        if own == VALIDATE and request.method == "POST":
            return self._validating.operation(request, kind, asking.node.now())
        if own[:1] in {"_", "$"}:
            operation = self._operations.get((request.method, kind, own))
            return operation(asking, request) if operation else None
        if kind == AUDIT and own.startswith(PREFIX):
            return self._auditing.read(asking, own) if request.method == "GET" else None
        writing = self._writing
        by_method = {"GET": self._reading.read, "PUT": writing.update, "PATCH": writing.patch, "DELETE": writing.delete}
        handle = by_method.get(request.method)
        return handle(asking, request, kind, own) if handle else None

    def _below(self, asking: Asking, request: Request, parts: list[str]) -> Answer | None:
        kind, own, inner = parts
        if inner == VALIDATE and request.method == "POST":
            return self._validating.operation(request, kind, asking.node.now())
        if request.method != "GET":
            return None
        whole = {"$everything": self._reading.everything, "$summary": self._summarising.answer}
        if kind == "Patient" and inner in whole:
            return whole[inner](asking, request, own)
        if inner == "_history":
            return self._reading.history(asking, request, kind, own)
        if kind == "Patient" and inner in TYPES:
            self._reading.current(asking, f"{kind}/{own}")  # refuses a patient who is not seen
            return self._reading.search(asking, request, inner, f"{kind}/{own}")
        return None

    def _of_version(self, asking: Asking, request: Request, parts: list[str]) -> Answer | None:
        kind, own, history, version = parts
        if request.method == "GET" and history == "_history":
            return self._reading.vread(asking, request, kind, own, version=version)
        return None

    def _continued(self, asking: Asking, link: str) -> Answer:
        """Answer a link to the next page: the same question, decided anew, behind where it stopped."""
        told = self._paging.open(asking, link)
        request = Request("GET", told.path, told.pairs)
        asking.admit(request)
        parts = told.path.split("/")
        if parts[-1] == "_history":
            kind, own = (parts[0] if len(parts) > 1 else ""), (parts[1] if len(parts) > 2 else "")
            return self._reading.history(asking, request, kind, own, before=int(told.cursor[0]))
        if parts[-1] == JOURNAL:
            return self._auditing.search(asking, request, told.cursor)
        if parts[-1] == "$everything":
            return self._reading.everything(asking, request, parts[1], after=int(told.cursor[0]))
        if len(parts) == 3:
            return self._reading.search(asking, request, parts[2], f"{parts[0]}/{parts[1]}", told.cursor)
        return self._reading.search(asking, request, parts[0], "", told.cursor)


def _unknown_type() -> EdgeError:
    return NotFound(
        "fhir.unknown-type",
        "there is no such resource type",
        expected="one of the 146 types of R4",
        todo="see /metadata",
    )
