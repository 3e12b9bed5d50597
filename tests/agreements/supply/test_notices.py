"""Lot codes of real notices (openFDA enforcement reports of 2012, US government work): certain, or for a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.agreements.supply.notices import MAX_TEXT, codes_of

CERTAIN = {
    "1) - 5) Lot #030813": ("030813",),
    "Lot 0201111 (use by date 5/6/2011)": ("0201111",),
    "Lot # 439605-01, Lot # 439605-02": ("439605-01", "439605-02"),
    "Lot # 5604": ("5604",),
    "Lot # TE1Y261, Exp 12/2013": ("TE1Y261",),
    "Lot #'s: a) 90A024, 90A026, Exp 09/13; b) 90A028, Exp 09/13": ("90A024", "90A026", "90A028"),
    "Lot # 8D1082, Exp 01/13; 8D1151, Exp 03/13": ("8D1082", "8D1151"),
    "Lot # 467061, 487551, 507521, 548051, 132171, 136571, 140181": (
        "467061",
        "487551",
        "507521",
        "548051",
        "132171",
        "136571",
        "140181",
    ),
    "Lot #: BJ3186, BJ3142, Exp 12/12.": ("BJ3186", "BJ3142"),
}
DOUBTFUL = {
    "Expiration dates from 01/19/2012 through 05/02/2012 and lot number from 00112 through 10412": (),
    "1) Units: 1) 93885489, 00265489, and 00545489; 2) 00265489, 93385489": (),
    "1) Best if Used By Date May 17 to May 25;2), 3), 4), 5) Best if Used By Date May 16 to May 26": (),
    "All tempeh product varieties and sizes with Best By dates between 7/11/12 and 10/25/12.": (),
    "a) Lot TFRS 130B 1503 KT34, Best By 5-25-2012; b) Lot TFRS130B16, Best by 5-25-2012": ("TFRS130B16",),
    "All products.": (),
    "1) -10) Expiration date: 5/25/12;11) -13) Expiration date: 5/26/12": (),
    "Boxes have manufacturing dated on 04-23-2012 through 5/21/2012.": (),
    "Code 1742 Date produced 07 FEB 2012 Best Before 07 FEB 2014": (),
    "Expiration Dates : 5/31/12, 6/7/12, 6/14/12, 6/21/12 & 6/28/12": (),
    "": (),
    "Lot #": (),
    "Lots A100 through A200": (),
    "all of lot A100": ("A100",),
}


@pytest.mark.parametrize("text", CERTAIN)
def test_certain_codes_are_all_codes(text):
    found = codes_of(text)
    assert (found.lots, found.doubts) == (CERTAIN[text], ())


@pytest.mark.parametrize("text", DOUBTFUL)
def test_what_is_doubtful_goes_to_a_person(text):
    found = codes_of(text)
    assert found.doubts
    assert found.lots == DOUBTFUL[text]


PLAIN = st.builds("{}{}".format, st.text("ABCXYZ0123456789", min_size=2, max_size=8), st.sampled_from("0123456789"))


@pytest.mark.unmeasured
@given(st.lists(PLAIN, min_size=1, max_size=5, unique=True))
def test_a_plain_list_of_codes_is_read_whole(lots):
    assert codes_of("Lot numbers: " + ", ".join(lots)).lots == tuple(lots)
    assert not codes_of("Lot numbers: " + ", ".join(lots)).doubts


@given(st.text(max_size=200))
def test_any_text_gives_lots_or_doubts(text):
    found = codes_of(text)
    assert found.lots or found.doubts


def test_what_is_longer_than_a_notice_is_refused():
    with pytest.raises(ValueError, match="longer"):
        codes_of("x" * (MAX_TEXT + 1))
