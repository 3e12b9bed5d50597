"""Control numbers of a file: whose count, which number, what content; and which are missing."""

import pytest

from salus.interop.x12.envelope import Stamp
from salus.interop.x12.numbering import numbered, skipped
from salus.interop.x12.tokens import Unreadable
from tests.agreements.claims.cases import claim, file_of


def test_each_interchange_of_a_file_has_its_ends_number_and_content() -> None:
    one, two = (
        file_of(claim(), stamp=Stamp("20250310", "1200", 7)),
        file_of(claim(), stamp=Stamp("20250310", "1200", 8)),
    )
    found = list(numbered([one + two]))
    assert [(each.ends, each.control) for each in found] == [("ZZ:CEDAR>ZZ:HARBOR", 7), ("ZZ:CEDAR>ZZ:HARBOR", 8)]
    assert found[0].content == next(numbered([one])).content != found[1].content
    assert next(numbered([one[:200], one[200:]])).content == found[0].content
    assert next(numbered([one.replace(b"JANE", b"JOAN")])).content != found[0].content


def test_bytes_without_an_interchange_are_unreadable() -> None:
    with pytest.raises(Unreadable):
        list(numbered([b"no claims"]))


@pytest.mark.parametrize(
    ("highest", "control", "told"),
    [(4, 5, ""), (4, 4, ""), (4, 2, ""), (4, 6, "000000005"), (4, 9, "000000005 to 000000008")],
)
def test_missing_numbers_are_named(highest: int, control: int, told: str) -> None:
    assert skipped(highest, control) == told
