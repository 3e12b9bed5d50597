"""Travel that cannot be, and the notification that a person completes."""

import pytest

from salus.agreements.supply.notifying import OPEN, Suspicion, draft, ndc_of
from salus.agreements.supply.travel import Place, impossible, kilometres, place_of

VIENNA, MUNICH, BOSTON = place_of("geo:48.2082,16.3738"), place_of("geo:48.1372,11.5756"), place_of("geo:42.36,-71.06")
HOUR = 3_600_000


def test_distances_are_those_of_the_globe():
    assert kilometres(VIENNA, VIENNA) == 0
    assert kilometres(VIENNA, MUNICH) == 356
    assert kilometres(MUNICH, VIENNA) == 356
    assert 6_400 < kilometres(VIENNA, BOSTON) < 6_600
    assert kilometres(Place(0, 179_900_000), Place(0, -179_900_000)) == 22
    assert kilometres(Place(90_000_000, 0), Place(-90_000_000, 0)) == 20_015


@pytest.mark.parametrize(
    ("where", "hours", "so"),
    [
        (MUNICH, 0, True),
        (MUNICH, 0.3, True),
        (MUNICH, 0.4, False),
        (BOSTON, 6, True),
        (BOSTON, 8, False),
        (VIENNA, 0, False),
    ],
)
def test_what_no_airliner_does_is_impossible(where, hours, so):
    assert impossible(VIENNA, 0, where, int(hours * HOUR)) is so
    assert impossible(where, int(hours * HOUR), VIENNA, 0) is so


@pytest.mark.parametrize("wrong", ["", "48,16", "geo:91,0", "geo:0,181", "geo:48.2082", "geo:a,b", "geo:48.2,16.3;u=5"])
def test_a_place_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match=r"geo:|latitude"):
        place_of(wrong)


def test_a_notification_says_what_is_known_and_what_is_not():
    fields = dict(draft(Suspicion("STOLEN", "2026-03-02", "00312345678906", "L7", "271231", "A1")))
    assert fields["Classification of notification"] == "stolen"
    assert fields["NDC number"].startswith("1234567890 ")
    assert fields["Expiration date"] == "2027-12-31"
    assert fields["Company name, address and contact"] == OPEN
    assert dict(draft(Suspicion("", "2026-03-02", "", "", "", "")))["NDC number"] == OPEN
    assert ndc_of("09506000134352") == ndc_of("00312345678907") == ""
