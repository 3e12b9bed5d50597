"""What a patient asks of a member about the own records: what a permission would open, and that something be corrected.

A request to correct is answered by a person of the member within a month (GDPR Art. 12(3), 16; HIPAA 164.526). What is amended
is a new version of the record, by the way that records are written; the old one stays in its history.
"""

from typing import Final, TypeVar

from salus.agreements.consent.decide import Asker
from salus.agreements.consent.slip import BadTerms, SlipTerms, provisions
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.node.errors import Conflict, Malformed
from salus.node.member import MemberNode
from salus.node.patient import messages as m
from salus.node.patient.telling import told_by_patient

V = TypeVar("V", bound=Value)
MAX_PREVIEWED: Final = 2_000
MAX_WAITING: Final = 50  # of one link: more are not written by a person
MAX_TEXT: Final = 4_000  # characters
ANSWER_MS: Final = 30 * 24 * 3600 * 1000
DAY_MS: Final = 24 * 3600 * 1000


def preview(node: MemberNode, link: bytes, argument: bytes) -> m.Previewed:
    """Return what a slip of these terms would open now, by the very function that a pull goes through."""
    asked = _argument(argument, m.Preview)
    now = node.ledger_time()
    role = asked.roles[0] if asked.roles else ""
    try:
        terms = provisions(
            SlipTerms(
                grantee=asked.grantee,
                roles=asked.roles,
                purposes=(asked.purpose,),
                not_before=now,
                expiry=now + DAY_MS,
                classes=asked.classes,
                since=asked.since,
                until=asked.until,
                filters=(),
            )
        )
    except BadTerms as error:
        raise Malformed("preview.terms", str(error), todo="choose other kinds or times") from error
    who = node.index.who(asked.grantee, home=False, at=now)
    asker = Asker(asked.grantee, role, asked.purpose, now, who.names, "disclose", who.known)
    numbers = node.index.permitted_numbers(link, terms, asker, after=0, limit=MAX_PREVIEWED + 1)
    opened = set(numbers[:MAX_PREVIEWED])
    told_by_patient(node, link, "preview")
    return m.Previewed(
        tuple((ref.type, ref.id, ref.version) for ref in node.vault.of_link(link) if ref.number in opened),
        len(numbers) > MAX_PREVIEWED,
    )


def correct(node: MemberNode, link: bytes, argument: bytes) -> m.Done:
    """Take a request to correct. Raises Malformed, Conflict."""
    asked = _argument(argument, m.Correct)
    known = any((ref.type, ref.id) == (asked.type, asked.record) for ref in node.vault.of_link(link))
    if len(asked.id) != 16 or not asked.text.strip() or len(asked.text) > MAX_TEXT or not known:
        raise Malformed(
            "correction.invalid",
            "the request names no record of this patient, or does not say how it should read",
            expected=f"a record here, and at most {MAX_TEXT} characters",
        )
    waiting = [one for one in requests(node, link) if not one.answered]
    if any((one.type, one.record, one.text) == (asked.type, asked.record, asked.text.strip()) for one in waiting):
        return m.Done()  # whose answer was lost asks again, with another id
    if len(waiting) >= MAX_WAITING:
        raise Conflict("correction.too-many", "there are requests enough that wait", todo="wait for an answer")
    now = node.now()
    kept = m.Corrected(asked.id, asked.type, asked.record, asked.text.strip(), now, now + ANSWER_MS, 0, "", "")
    node.desk.keep_correction(asked.id, link, encode(kept), now)
    told_by_patient(node, link, "correct")
    return m.Done()


def corrections(node: MemberNode, link: bytes, argument: bytes) -> m.Corrections:
    """Return what became of a patient's requests to correct."""
    _argument(argument, m.AskCorrections)
    return m.Corrections(tuple(requests(node, link)))


def requests(node: MemberNode, link: bytes) -> list[m.Corrected]:
    """Return the requests to correct of a link, oldest first."""
    return [decode(body, m.Corrected) for _, _, body, _ in node.desk.corrections(link)]


def _argument(data: bytes, kind: type[V]) -> V:
    try:
        return decode(data, kind)
    except MalformedBytes as error:
        raise Malformed("patient.bytes", "the question does not decode", got=str(error)) from error
