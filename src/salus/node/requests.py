"""`access ask`, `access list`, `access pull`: from a patient's permission to the record, at the member that reads."""

from functools import partial
from typing import Annotated

from msgspec import Meta

from salus.agreements.grants import Document, Grant
from salus.contracts.consent import port as consent
from salus.core.encoding import decode
from salus.node.access import AccessRequest, ask
from salus.node.anchoring import anchor_reading
from salus.node.desk import Held
from salus.node.exchange.grantee import fetch
from salus.node.member import MemberNode
from salus.node.names import GRANT_EXAMPLE, GRANT_PATTERN
from salus.node.reading import require_lease, require_purpose
from salus.node.records.charts import PURPOSE, moment
from salus.node.usecase import Caller, Message, Progress, person, use_case

Roles = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...],
    Meta(max_length=64, description="Roles of the persons who would read; any if empty.", examples=[["physician"]]),
]


class AskAccess(Message, frozen=True):
    """What to ask a patient for."""

    purpose: PURPOSE = "TREAT"
    classes: Annotated[
        tuple[str, ...],
        Meta(description="Sensitivity classes.", examples=[["general", "medication", "laboratory"]]),
    ] = ("general", "medication", "laboratory", "imaging")
    roles: Roles = ()


class Asked(Message, frozen=True):
    """A request that waits for its answer."""

    id: Annotated[str, Meta(description="Id of the request, hexadecimal.")]
    code: Annotated[str, Meta(description="The code to show the patient, as text or QR.")]
    expires: Annotated[str, Meta(description="Until when a wallet answers it, UTC.")]


class ListAccess(Message, frozen=True):
    """Asks for nothing more."""


class RequestLine(Message, frozen=True):
    """A request for access."""

    id: Annotated[str, Meta(description="Its id, hexadecimal.")]
    purpose: Annotated[str, Meta(description="What for.")]
    asked: Annotated[str, Meta(description="When, UTC.")]
    grant: Annotated[str, Meta(description="The grant that answers it, hexadecimal; empty while it is open.")]


class GrantLine(Message, frozen=True):
    """A grant that this member holds."""

    grant: Annotated[str, Meta(description="Its id, hexadecimal.")]
    link: Annotated[str, Meta(description="The patient's own link here; empty if there is none.")]
    standing: Annotated[str, Meta(description="live or ended.")]
    until: Annotated[str, Meta(description="When it ends at the latest, UTC.")]
    purposes: Annotated[str, Meta(description="Purposes of use.")]
    roles: Annotated[str, Meta(description="Roles that may read; empty for all.")]
    custodians: Annotated[str, Meta(description="Members whose records it opens.")]


class Access(Message, frozen=True):
    """What was asked and what is held."""

    requests: Annotated[tuple[RequestLine, ...], Meta(description="Requests, oldest first.")]
    grants: Annotated[tuple[GrantLine, ...], Meta(description="Grants held, ended ones without their content.")]


class PullAccess(Message, frozen=True):
    """Under which grant to pull."""

    grant: Annotated[
        str,
        Meta(
            pattern=GRANT_PATTERN,
            description="The grant, hexadecimal.",
            examples=[GRANT_EXAMPLE],
            extra={"positional": True},
        ),
    ]
    purpose: PURPOSE = "TREAT"
    credential: Annotated[
        str,
        Meta(
            max_length=4096,
            description="Credential of the person for whom it is pulled, if a program does so.",
            examples=["eyJhbGciOi…"],
        ),
    ] = ""


class Failure(Message, frozen=True):
    """A custodian that did not answer."""

    custodian: Annotated[str, Meta(description="Member id.")]
    code: Annotated[str, Meta(description="Code of its refusal, or of what kept it from answering.")]


class PulledAccess(Message, frozen=True):
    """What the pull brought."""

    records: Annotated[int, Meta(description="Records opened, verified and indexed.")]
    bytes: Annotated[int, Meta(description="Their size.")]
    custodians: Annotated[tuple[str, ...], Meta(description="Who answered.")]
    failures: Annotated[tuple[Failure, ...], Meta(description="Who did not.")]


@use_case("access.ask", who=person())
def ask_access(node: MemberNode, request: AskAccess, *, caller: Caller) -> Asked:
    """Ask a patient for access: make a signed code that the patient's wallet answers with a grant, or does not."""
    require_purpose(caller, request.purpose)
    id_, code = ask(node, request.purpose, request.classes, request.roles)
    body = next(body for own, body, _, _ in node.desk.requests() if own == id_)
    return Asked(id=id_.hex(), code=code, expires=moment(decode(body, AccessRequest).expires))


@use_case("access.list", who=person())
def list_access(node: MemberNode, request: ListAccess) -> Access:  # noqa: ARG001 -- a use case
    """List the requests made and the grants held."""
    requests = [
        RequestLine(
            id=id_.hex(),
            purpose=decode(body, AccessRequest).purpose,
            asked=moment(made),
            grant="" if grant is None else grant.hex(),
        )
        for id_, body, made, grant in node.desk.requests()
    ]
    return Access(requests=tuple(requests), grants=tuple(_line(node, held) for held in node.desk.held()))


@use_case("access.pull", who=person())
def pull_access(node: MemberNode, request: PullAccess, *, caller: Caller, progress: Progress) -> PulledAccess:
    """Pull what a grant opens and was not pulled yet, from every custodian it names; verify and index it.

    Every custodian commits the disclosure to the ledger before it answers. Who refuses or cannot be reached is listed;
    pulling again goes on where it ended.
    """
    require_purpose(caller, request.purpose)
    grant = bytes.fromhex(request.grant)
    if caller.role:
        require_lease(node, caller, grant, request.purpose)
    told = partial(progress, total=0, what="records")
    fetched = fetch(node, grant, request.purpose, request.credential or caller.credential, told)
    anchor_reading(node)
    return PulledAccess(
        records=fetched.records,
        bytes=fetched.bytes,
        custodians=fetched.custodians,
        failures=tuple(Failure(custodian=name, code=code) for name, code in fetched.failures),
    )


def _line(node: MemberNode, held: Held) -> GrantLine:
    if held.ended is not None:
        return GrantLine(
            grant=held.grant.hex(), link="", standing="ended", until="", purposes="", roles="", custodians=""
        )
    grant = decode(held.body, Grant)
    document = decode(grant.document, Document)
    alive = consent.live(node.ledger.read(), held.grant, node.ledger_time())
    return GrantLine(
        grant=held.grant.hex(),
        link=grant.link.hex(),
        standing="live" if alive and node.ledger_time() < document.expiry else "ended",
        until=moment(document.expiry),
        purposes=" ".join(document.purposes),
        roles=" ".join(document.roles),
        custodians=" ".join(part.custodian for part in grant.parts),
    )
