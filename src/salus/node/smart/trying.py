"""`salus token`: an access token without a program, to try the FHIR server with curl."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from salus.index.index import Choice
from salus.node.accounts import STAFF
from salus.node.errors import Malformed, NotFound, Unavailable
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.signing_in import caller_of
from salus.node.smart.programs import TOKEN_SECONDS, Allowed
from salus.node.smart.scopes import only, read_scopes, told
from salus.node.smart.telling import note
from salus.node.usecase import OPERATOR, Message, use_case

CLIENT: Final = "salus-token"


class AskToken(Message, frozen=True):
    """Whose, and for what."""

    subject: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=128,
            description="Person in whose name it acts, by the name that only this member can resolve.",
            examples=["staff-0042"],
        ),
    ] = msgspec.field(name="as")
    scope: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=8192,
            description="SMART scopes, with blanks between them.",
            examples=["user/Observation.rs patient/Patient.r"],
        ),
    ]
    patient: Annotated[
        str,
        Meta(
            max_length=64,
            description="Id of the Patient resource that scopes of the level patient are for.",
            examples=["p1"],
        ),
    ] = ""
    role: Annotated[
        str, Meta(max_length=64, description="Role; empty: that of the person's account.", examples=["physician"])
    ] = ""
    purposes: Annotated[
        tuple[Annotated[str, Meta(pattern="^[A-Z]{2,16}$")], ...],
        Meta(description="Purposes; none: those of the person's account.", examples=[["TREAT"]]),
    ] = ()


class TokenIssued(Message, frozen=True):
    """Send it as `Authorization: Bearer …`."""

    token: Annotated[str, Meta(description="The access token.")]
    scope: Annotated[str, Meta(description="What it opens.")]
    ends: Annotated[str, Meta(description="When it ends, UTC.")]


@use_case("token", who=OPERATOR)
def issue_token(node: MemberNode, request: AskToken) -> TokenIssued:
    """Make an access token for the FHIR server, as a program would get it for this person. The node must be running."""
    if not node.ticking:
        raise Unavailable("token.not-serving", "no node runs that would know it", todo="start `salus serve` first")
    account = node.accounts.account(STAFF, request.subject)
    role = request.role or (account.role if account else "")
    purposes = request.purposes or (account.purposes if account else ())
    if not role or not purposes:
        raise Malformed("token.role", "the person has no account", todo="give --role and --purposes")
    asked = only(read_scopes(request.scope), "cruds", {"patient", "user"})
    if not asked.rules:
        raise Malformed("token.scope", "no scope opens anything", expected="user/Observation.rs …")
    link = _link(node, request.patient) if request.patient else b""
    caller, _ = caller_of(node, request.subject, role, purposes, 1)
    what = Allowed(node.entropy(16), CLIENT, caller, asked, link, request.patient)
    note(node, what, "token-issued")
    token = node.programs.tokens.put(what)
    return TokenIssued(token=token, scope=told(asked), ends=moment(node.now() + TOKEN_SECONDS * 1000))


def _link(node: MemberNode, patient: str) -> bytes:
    """Return the link of a patient of the member's own. Raises NotFound."""
    found = node.index.search.own(f"Patient/{patient}")
    if len(found) != 1:
        raise NotFound("token.patient", "no patient of this member has this id, or several do", todo="see `salus find`")
    return found[0].link


def patient_id(node: MemberNode, link: bytes) -> str:
    """Return the id of the Patient resource under a link; empty if there is none."""
    lines = node.index.chart([link], Choice(types=("Patient",))).lines
    return lines[0].id if lines else ""
