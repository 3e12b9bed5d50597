"""A request for prior authorisation and its answer: read as written, sound by the five passes."""

import pytest

from salus.interop.x12.claim import Party, Person
from salus.interop.x12.envelope import interchange
from salus.interop.x12.examine import SetSeen, examine
from salus.interop.x12.review import Answered, Asked, Review, read_review, request_set, response_set
from salus.interop.x12.tokens import Segment
from tests.agreements.claims.cases import CLINIC, ENDS, JOHN, PAYER, STAMP

REVIEW = Review(
    "R1",
    Party(PAYER.name, PAYER.identifier),
    Party(CLINIC.name, CLINIC.identifier),
    Person(JOHN.last, JOHN.first, JOHN.member, JOHN.birth, JOHN.sex),
    ("M545", "E119"),
    (Asked("R0070", 2000, "20250301", "20250331"), Asked("R0075", 1500, "20250302", "20250302")),
)


def seen(body: list[Segment]) -> SetSeen:
    file = interchange(ENDS, STAMP, "HI", "005010X217", [body])
    (found,) = [event for event in examine([file], keep=True) if isinstance(event, SetSeen)]
    assert (found.findings, found.envelope) == ((), ())
    return found


def test_a_request_is_read_as_it_was_written() -> None:
    found = seen(request_set(REVIEW, "0001", ("20250310", "1200")))
    assert found.root is not None
    assert read_review(found.root, ":") == REVIEW


def test_an_answer_certifies_modifies_and_denies_service_by_service() -> None:
    answers = (
        Answered(REVIEW.services[0], "A1", "AP00000001"),
        Answered(REVIEW.services[1], "A3", reason="not shown to be needed"),
    )
    found = seen(response_set(REVIEW, answers, "0001", ("20250310", "1200")))
    assert found.root is not None
    acts = [loop.value("HCR", 1) for loop in found.root.walk() if loop.name == "2000F"]
    assert acts == ["A1", "A3"]


def test_a_request_without_a_service_is_none() -> None:
    body = [part for part in request_set(REVIEW, "0001", ("20250310", "1200")) if part.tag != "SV1"]
    file = interchange(ENDS, STAMP, "HI", "005010X217", [body])
    (found,) = [event for event in examine([file], keep=True) if isinstance(event, SetSeen)]
    assert found.root is not None
    with pytest.raises(ValueError, match="service"):
        read_review(found.root, ":")
