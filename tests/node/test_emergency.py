"""Emergency access: quick, committed first, for one patient, seen by the patient, reviewed."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import OKPKey
from msgspec import structs

from salus.contracts.membership.port import Role
from salus.contracts.records.port import EmergencyStatus, ReviewEmergency, emergencies, review_overdue
from salus.core.encoding import Message, decode, encode
from salus.core.proof.digest import digest
from salus.node import emergency
from salus.node.emergency import Ask, Demographics, Request
from salus.node.errors import Conflict, EdgeError, Malformed, Refused, Unavailable
from salus.node.exchange.pull import Pulled
from salus.node.member import MemberNode
from salus.node.people import Confirmation, PersonClaims, issue, thumbprint
from salus.node.records.intake import Intake
from salus.node.submitting import LIFE_MS
from salus.node.together import Clock, Founder, Together, found_together

LINES = (
    '{"resourceType":"Patient","id":"p1","name":[{"family":"Rivera","given":["Ana"]}],"birthDate":"1961-02-03"}',
    '{"resourceType":"AllergyIntolerance","id":"a1","patient":{"reference":"Patient/p1"},"code":{"text":"penicillin"}}',
    (
        '{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/p1"},"code":{"coding":'
        '[{"system":"http://snomed.info/sct","code":"66214007","display":"Substance abuse"}]}}'
    ),
    '{"resourceType":"Patient","id":"p2","name":[{"family":"Rivera","given":["Ana"]}],"birthDate":"1999-09-09"}',
)
ANA = Demographics("Ana Rivera", "1961-02-03")


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    founders = (Founder("north", "North", (Role.PROVIDER,)), Founder("ambulance", "Ambulance", (Role.PROVIDER,)))
    found = found_together(tmp_path / "members", founders, clock=Clock())
    file = tmp_path / "north.ndjson"
    file.write_text("\n".join(LINES))
    Intake(found.nodes["north"], "urn:north").run([file])
    yield found
    found.close()


def credential(together: Together, member: str = "ambulance", purposes: tuple[str, ...] = ("TREAT", "ETREAT")) -> str:
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"paramedic").digest()).public_key().public_bytes_raw()
    now = together.clock() // 1000
    claims = PersonClaims(member, "subject-7", "paramedic", purposes, Confirmation(thumbprint(key)), now, now + 3600)
    signing = together.nodes[member].signing_key
    return issue(claims, okp(signing))


def okp(key: Ed25519PrivateKey) -> OKPKey:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return OKPKey.import_key(pem)


def opened(together: Together, **changes: object) -> emergency.Got:
    told = {"reason": "unconscious", "credential": credential(together), "demographics": ANA}
    return emergency.open_access(together.nodes["ambulance"], ["north"], **{**told, **changes})  # type: ignore[arg-type]


def test_an_emergency_opens_one_patients_summary_and_nothing_sensitive(together: Together) -> None:
    got = opened(together)

    assert (got.records, got.custodians, got.deferred, got.failures) == (2, ("north",), False, ())
    ambulance = together.nodes["ambulance"]
    lease = ambulance.vault.open_lease(got.id)
    assert ambulance.index.count_by_type([lease]) == {"AllergyIntolerance": 1, "Patient": 1}


def test_an_old_allergy_comes_before_new_results(
    together: Together, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "results.ndjson"
    pulse = '{"resourceType":"Observation","id":"o%d","status":"final","subject":{"reference":"Patient/p1"},"effectiveDateTime":"2026-01-0%d","code":{"text":"Pulse"}}'
    file.write_text("\n".join(pulse % (n, n) for n in range(1, 4)))
    Intake(together.nodes["north"], "urn:north").run([file])
    monkeypatch.setattr(emergency, "MOST", 3)
    ambulance = together.nodes["ambulance"]
    lease = ambulance.vault.open_lease(opened(together).id)
    assert ambulance.index.count_by_type([lease]) == {"AllergyIntolerance": 1, "Observation": 1, "Patient": 1}


def consent(*, deny: str, purpose: str) -> str:
    """Return a Consent of Ana's that denies one type, or everything, in emergencies or in treatment."""
    inner: dict[str, object] = {"type": "deny", "purpose": [{"code": purpose}]}
    if deny:
        inner["class"] = [{"system": "http://hl7.org/fhir/resource-types", "code": deny}]
    scope = {"coding": [{"code": "patient-privacy"}]}
    told = {"resourceType": "Consent", "id": "k1", "status": "active", "scope": scope}
    provision = {"type": "permit", "provision": [inner]}
    return json.dumps({**told, "patient": {"reference": "Patient/p1"}, "provision": provision})


@pytest.mark.parametrize(
    ("deny", "purpose", "left"),
    [("AllergyIntolerance", "TREAT", 2), ("AllergyIntolerance", "ETREAT", 1), ("", "ETREAT", 0)],
)
def test_a_consent_that_speaks_of_emergencies_binds_the_answer(
    together: Together, tmp_path: Path, deny: str, purpose: str, left: int
) -> None:
    file = tmp_path / "consent.ndjson"
    file.write_text(consent(deny=deny, purpose=purpose))
    Intake(together.nodes["north"], "urn:north").run([file])
    got = opened(together)
    assert got.records == left
    assert got.failures == (() if left else (("north", "emergency.nobody"),))


def test_the_patient_sees_who_looked_why_and_in_which_emergency(together: Together) -> None:
    north = together.nodes["north"]
    link = north.vault.find_link("urn:north", "p1")
    holder = together.holder()
    holder.join("north", north.vault.invite(link))
    got = opened(together)

    (line,) = [one.disclosure for one in holder.access_log().lines]
    assert (line.member, line.person, line.role, line.action, line.grant) == (
        "ambulance",
        "subject-7",
        "paramedic",
        "emergency",
        got.id,
    )
    assert "reason unconscious" in line.what
    assert not line.deferred


def test_an_emergency_is_answered_once_and_only_as_committed(together: Together) -> None:
    sent: list[Ask] = []
    ambulance = together.nodes["ambulance"]
    honest = ambulance.peers.ask

    def listening(member: str, path: str, question: Ask, answer: type[Pulled]) -> Pulled:
        sent.append(question)
        return honest(member, path, question, answer)

    ambulance.peers.ask = listening  # type: ignore[method-assign, assignment]
    opened(together)
    ambulance.peers.ask = honest  # type: ignore[method-assign]
    with pytest.raises(EdgeError, match=r"emergency\.answered"):
        ambulance.peers.ask("north", emergency.PATH, sent[0], Pulled)
    other = decode(sent[0].request, Request)
    changed = encode(structs.replace(other, demographics=Demographics("Ana", "1999-09-09")))
    with pytest.raises(EdgeError, match=r"emergency\.uncommitted"):
        ambulance.peers.ask(
            "north", emergency.PATH, Ask(changed, sent[0].salt, sent[0].emergency, sent[0].height), Pulled
        )


def test_nobody_is_found_by_a_name_that_several_bear_and_a_stranger_learns_no_more(together: Together) -> None:
    unknown = opened(together, demographics=Demographics("Nobody Here", "1961-02-03"))
    doubtful = opened(together, demographics=Demographics("Rivera", "19"))

    assert unknown.failures == (("north", "emergency.nobody"),)
    assert doubtful.failures == (("north", "emergency.patient"),)
    assert together.nodes["north"].index.count_by_type(
        [together.nodes["north"].vault.find_link("urn:north", "p1") or b""]
    )


def test_reason_purpose_and_limit_are_enforced(together: Together) -> None:
    with pytest.raises(Malformed, match=r"emergency\.reason"):
        opened(together, reason="curiosity")
    refused = opened(together, credential=credential(together, purposes=("TREAT",)))
    assert refused.failures == (("north", "emergency.purpose"),)
    for _ in range(19):
        opened(together, demographics=Demographics("Nobody", "1900-01-01"))
    with pytest.raises(Refused, match="EMERGENCY_LIMIT"):
        opened(together)


def test_care_goes_on_without_the_ledger_and_is_committed_and_reviewed_when_it_is_back(together: Together) -> None:
    ambulance, north = together.nodes["ambulance"], together.nodes["north"]
    with away(ambulance), away(north):
        got = opened(together)
        with pytest.raises(Conflict, match=r"emergency\.waiting"):
            emergency.review(ambulance, got.id, "in order")
    assert (got.deferred, got.records) == (True, 2)

    assert emergency.settle(ambulance) == 1
    together.settle()
    ((_, row),) = emergencies(north.ledger.read())
    assert (row.submitter, row.deferred, row.commitment) == ("ambulance", True, got.id)
    assert emergency.review(ambulance, got.id, "in order")
    assert standing(together) == [EmergencyStatus.REVIEWED]


def test_an_opening_that_the_ledger_took_unsaid_is_committed_once_and_reviewed(together: Together) -> None:
    ambulance = together.nodes["ambulance"]
    with away(ambulance, taken=True):
        got = opened(together)
    assert got.deferred
    assert emergency.review(ambulance, got.id, "in order")
    assert (emergency.settle(ambulance), standing(together)) == (0, [EmergencyStatus.REVIEWED])


def test_an_opening_that_commits_again_after_its_review_is_reviewed_too(together: Together) -> None:
    """The opening sent first still lay in the engine's pool: the ledger has both, the second after the review was kept."""
    ambulance = together.nodes["ambulance"]
    with away(ambulance) as sent:
        got = opened(together)
    assert emergency.settle(ambulance) == 1
    assert emergency.review(ambulance, got.id, "in order")

    together.clock.advance(LIFE_MS - 1)
    ambulance.submitter.submit(sent[0])
    assert sorted(standing(together)) == [EmergencyStatus.OPEN, EmergencyStatus.REVIEWED]
    emergency.settle(ambulance)
    assert standing(together) == [EmergencyStatus.REVIEWED] * 2
    assert emergency.review(ambulance, got.id, "in order")

    together.clock.advance(2 * LIFE_MS + 1)
    opened(together)  # a block, after which no opening of the first can come
    emergency.settle(ambulance)
    assert ambulance.desk.deferred() == []


def test_a_review_is_kept_while_the_ledger_is_away_and_its_text_opens_what_is_committed(together: Together) -> None:
    ambulance = together.nodes["ambulance"]
    for taken in (False, True):
        got = opened(together)
        with away(ambulance, taken=taken):
            assert not emergency.review(ambulance, got.id, "in order")
            # Refused as reviewed before: what the ledger has is this one.
            assert emergency.review(ambulance, got.id, "in order") == taken
            with pytest.raises(Conflict, match=r"emergency\.reviewed"):
                emergency.review(ambulance, got.id, "something else")
        assert emergency.settle(ambulance) == 1 - taken
        assert emergency.review(ambulance, got.id, "in order")
        kept = ambulance.desk.keep_review(got.id, b"", b"", 0)
        assert kept[32:] == b"in order"
        told = digest(emergency.LABEL + "/review", kept[:32], kept[32:])
        assert any(told in wire for block in ambulance.ledger.blocks(1) for wire in block.transactions)
    assert standing(together) == [EmergencyStatus.REVIEWED] * 2


@contextmanager
def away(node: MemberNode, *, taken: bool = False) -> Iterator[list[Message]]:
    """Let a member's ledger answer nothing; yields what was sent. `taken`: it took that all the same."""
    submit, sent = node.submitter.submit, list[Message]()

    def unsaid(message: Message) -> None:
        sent.append(message)
        if taken:
            submit(message)
        raise Unavailable("ledger.timeout", "the ledger did not answer")

    node.submitter.submit = unsaid  # type: ignore[method-assign, assignment]
    try:
        yield sent
    finally:
        node.submitter.submit = submit  # type: ignore[method-assign]


def standing(together: Together) -> list[EmergencyStatus]:
    """Return how each emergency access on the ledger stands."""
    return [row.status for _, row in emergencies(together.owner.ledger.read())]


def test_attack_what_the_ledger_refuses_for_ever_keeps_nothing_else_waiting(together: Together) -> None:
    """Neither a later review nor the purge of what was read waits for a message that can never be committed."""
    ambulance = together.nodes["ambulance"]
    got = opened(together)
    ambulance.desk.defer(encode(ReviewEmergency(emergency=b"\1" * 32, findings=b"\2" * 32)), ambulance.now())

    assert emergency.review(ambulance, got.id, "in order")
    assert standing(together) == [EmergencyStatus.REVIEWED]
    together.clock.advance(72 * 3600 * 1000 + 60_000)
    with pytest.raises(Refused):
        emergency.settle(ambulance)
    assert ambulance.index.count_by_type([ambulance.vault.open_lease(got.id)]) == {}
    assert len(ambulance.desk.deferred()) == 1  # it is told of at each try, and not forgotten


def test_what_was_read_is_purged_while_the_ledger_takes_nothing(together: Together) -> None:
    ambulance = together.nodes["ambulance"]
    got = opened(together)
    together.clock.advance(72 * 3600 * 1000 + 60_000)
    opened(together)  # a block of today
    with away(ambulance):
        assert not emergency.review(ambulance, got.id, "in order")
        with pytest.raises(Unavailable):
            emergency.settle(ambulance)
    assert ambulance.index.count_by_type([ambulance.vault.open_lease(got.id)]) == {}


def test_what_was_read_is_purged_and_an_unreviewed_access_is_publicly_overdue(together: Together) -> None:
    got = opened(together)
    reviewed = opened(together)
    ambulance = together.nodes["ambulance"]
    emergency.review(ambulance, reviewed.id, "in order")
    together.clock.advance(72 * 3600 * 1000 + 60_000)

    assert emergency.settle(ambulance) == 2
    assert ambulance.index.count_by_type([ambulance.vault.open_lease(got.id)]) == {}
    rows = dict(emergencies(together.owner.ledger.read()))
    assert review_overdue(rows[got.id], ambulance.ledger_time())
    assert not review_overdue(rows[reviewed.id], ambulance.ledger_time())
