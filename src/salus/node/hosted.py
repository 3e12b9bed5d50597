"""A wallet that another member keeps, seen by a custodian: who keeps it, and the patient's own word before that member reads.

Who keeps a wallet can sign whatever the patient can. A permission in favour of the keeper is therefore served here only
after the patient said yes to this member directly: by a code sent to the address that this member knows, or in person.
The keeper says that it keeps the wallet with the link key, once; only people here take that back.
"""

from typing import Final

from salus.agreements.grants import Document, Slip
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof.digest import digest
from salus.node.errors import Forbidden, Malformed, NotFound
from salus.node.hosting_tables import Question
from salus.node.member import MemberNode
from salus.node.notices import HOST_ASKS, notify
from salus.node.patient import messages as m
from salus.node.patient.telling import told_by_patient
from salus.node.usecase import Caller
from salus.vault.journal import Disclosure, Side

LABEL: Final = "salus/v1/host-code"
UNCONFIRMED: Final = "the patient has not confirmed this permission here"
UNASKED: Final = "the patient gave no address here to be asked at about this permission"
NO_CODE: Final = b""  # the question was sent to nobody: no code has this digest
CODE_BYTES: Final = 16


class SayHosted(Value, frozen=True):
    """Action `hosted`: the member that keeps this wallet."""

    host: str


class Terms(Value, frozen=True):
    """What a question is about."""

    host: str
    purposes: tuple[str, ...]
    classes: tuple[str, ...]
    expiry: int


def take(node: MemberNode, link: bytes, argument: bytes) -> m.Done:
    """Keep who keeps the wallet: the first word holds, for a keeper could take back a later one. Raises Malformed, NotFound."""
    try:
        host = decode(argument, SayHosted).host
    except MalformedBytes as error:
        raise Malformed("patient.bytes", "the question does not decode", got=str(error)) from error
    node.keys_of(host)
    if not node.desk.host_of(link):
        node.desk.set_host(link, host)
        told_by_patient(node, link, "hosted")
    return m.Done()


def require_word(node: MemberNode, sender: str, document: Document, slip: Slip) -> None:
    """Ask the patient, once, before the keeper of the wallet is served. Raises Forbidden until the patient said yes.

    Who gave no address is asked at the first pull after giving one, and can be asked in person at any time.
    """
    if node.desk.host_of(slip.link) != sender:
        return
    asked = node.desk.question(slip.link, slip.grant)
    if asked is not None and asked.answer == "yes":
        return
    if asked is None or asked.code == NO_CODE:
        known = bool(node.desk.contact(slip.link))
        code = node.entropy(CODE_BYTES).hex()
        terms = encode(Terms(sender, document.purposes, slip.classes, document.expiry))
        digest_ = _digest(code) if known else NO_CODE
        made = Question(slip.link, slip.grant, digest_, terms, node.now(), document.expiry, "")
        if node.desk.ask_patient(made):
            notify(node, slip.link, HOST_ASKS, code=code)
        if not known:
            todo = "the patient comes in person, or gives this member an address and is asked at the next pull"
            raise Forbidden("pull.unasked", UNASKED, todo=todo)
    raise Forbidden("pull.unconfirmed", UNCONFIRMED, todo="the patient answers the message sent, or comes in person")


def asked_by_code(node: MemberNode, code: str) -> tuple[Question, Terms]:
    """Return what a code asks. Raises NotFound: unknown, answered or ended alike."""
    found = node.desk.question_of(_digest(code))
    if found is None or found.answer or found.ends <= node.now():
        raise NotFound("host.code", "nothing waits for an answer under this code", todo="look at the newest message")
    return found, decode(found.body, Terms)


def answer(node: MemberNode, question: Question, *, yes: bool) -> None:
    """Take the patient's word, the first one: yes lets the keeper read, no stops the permission here for good."""
    if not node.desk.answer_question(question.link, question.grant, "yes" if yes else "no"):
        return
    if not yes:
        node.desk.stop(question.link, question.grant, node.now())
    told_by_patient(node, question.link, "confirm" if yes else "revoke", question.grant)


def _digest(code: str) -> bytes:
    return digest(LABEL, code.encode())


def line_of_staff(node: MemberNode, link: bytes, action: str, caller: Caller, grant: bytes = b"") -> Disclosure:
    """Return the line of what a person of this member did about a patient's wallet."""
    return Disclosure(
        side=Side.CUSTODIAN,
        subject=link,
        member=node.member,
        person=caller.subject,
        role=caller.role or "operator",
        purpose="HOPERAT",
        action=action,
        what=(),
        grant=grant,
    )
