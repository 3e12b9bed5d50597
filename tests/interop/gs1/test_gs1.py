"""Identifiers of medicines and devices: good ones in every form, bad ones refused with a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.interop.gs1.digital_link import read_link, write_link
from salus.interop.gs1.digits import check_digit, hibc_character
from salus.interop.gs1.elements import read_elements, read_hri, write_elements, write_hri
from salus.interop.gs1.identity import canonical, gtin_of_ndc, ndc_of_gtin, read_identifier
from salus.interop.gs1.refusal import Gs1Refused
from salus.interop.gs1.udi import Udi, read_udi
from salus.interop.gs1.urn import read_urn, write_urn

PACK = {"01": "00312345678906", "21": "A1b2/C3", "17": "271100", "10": "LOT-7"}
SERIAL = st.text(alphabet="!\"%&'()*+,-./0123456789:;<=>?ABCXYZ_abcxyz", min_size=1, max_size=20)


def test_a_pharmaceutical_pack_in_each_form_is_one_thing():
    text = write_elements(PACK)
    assert text == "010031234567890621A1b2/C3\x1d1727110010LOT-7"
    assert read_elements("]d2" + text) == read_elements(text) == read_hri(write_hri(PACK)) == PACK
    link = "https://id.gs1.org/01/00312345678906/10/LOT-7/21/A1b2%2FC3"
    assert canonical(link) == canonical(text) == "https://id.gs1.org/01/00312345678906/21/A1b2%2FC3"
    assert canonical("(01)00312345678906(10)LOT-7") == "https://id.gs1.org/01/00312345678906/10/LOT-7"


@given(SERIAL, SERIAL)
def test_what_is_written_is_read(serial, lot):
    elements = {"01": "00312345678906", "21": serial, "10": lot}
    assert read_elements(write_elements(elements)) == elements
    assert read_link(write_link(elements)) == elements
    one = {"01": "00312345678906", "21": serial}
    assert read_urn(write_urn(one, 8)) == one


@given(st.text(max_size=60) | st.text(alphabet="0123456789\x1d()", max_size=60))
def test_any_text_gives_elements_or_the_named_error(text):
    for read in (read_identifier, read_udi, canonical):
        try:
            read(text)
        except Gs1Refused as refused:
            assert refused.rule  # noqa: PT017 - anything else would fail the test


@pytest.mark.parametrize(
    ("urn", "link"),
    [
        ("urn:epc:id:sgtin:0614141.107346.2018", "01/10614141073464/21/2018"),
        ("urn:epc:class:lgtin:4012345.012345.998877", "01/04012345123456/10/998877"),
        ("urn:epc:id:sscc:0614141.1234567890", "00/106141412345678908"),
        ("urn:epc:id:sgln:0614141.07346.1234", "414/0614141073467/254/1234"),
        ("urn:epc:id:sgln:4012345.00005.0", "414/4012345000054"),
        ("urn:epc:id:pgln:4012345.00225", "417/4012345002256"),
        ("urn:epc:idpat:sgtin:4012345.066666.*", "01/04012345666663"),
    ],
)
def test_urns_of_the_standard(urn, link):
    assert canonical(urn) == f"https://id.gs1.org/{link}"
    assert write_urn(read_urn(urn), 7) == urn


def test_ndc_and_gtin():
    assert gtin_of_ndc("1234567890") == "00312345678906"
    assert ndc_of_gtin("00312345678906") == "1234567890"
    assert ndc_of_gtin("04012345123456") == ""


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("0100312345678907", "gs1.csum"),
        ("010031234567890621" + "9" * 30, "gs1.length"),  # the FNC1 is missing
        ("01003123456789061727023010L", "gs1.yymmd0"),
        ("01003123456789061727130010L", "gs1.yymmd0"),
        ("010031234567890621\x1d", "gs1.length"),
        ("21ABC", "gs1.requires"),
        ("0100312345678906\x1d3712", "gs1.excludes"),
        ("]d10100312345678906", "gs1.symbology"),
        ("0100312345678906" + "0100312345678913", "gs1.twice"),
        ("05123", "gs1.identifier"),
        ("010031234567890621A#B", "gs1.characters"),
        ("(01)00312345678906 (99", "gs1.length"),
        ("", "gs1.empty"),
        ("https://id.gs1.org/01/00312345678906/21/1/10/2", "gs1.link-order"),
        ("https://id.gs1.org/01/00312345678907", "gs1.csum"),
        ("https://id.gs1.org/nothing/here", "gs1.link"),
        ("urn:epc:id:sgtin:0614141.10734.2018", "gs1.urn"),
        ("urn:epc:id:sgtin:0614141.107346", "gs1.urn"),
        ("urn:epc:id:sscc:0614141.123456789X", "gs1.urn"),
        ("urn:epc:id:nosuch:1.2.3", "gs1.urn"),
    ],
)
def test_bad_identifiers_are_refused_with_their_rule(text, rule):
    with pytest.raises(Gs1Refused) as refused:
        read_identifier(text)
    assert refused.value.rule == rule
    assert refused.value.expected
    assert "00312345678906" not in str(refused.value)


def labelled(text):
    return text + hibc_character(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(01)00312345678906(17)260229"[:-6] + "280229(21)S9", Udi("gs1", "00312345678906", "", "S9", "2028-02-29")),
        (labelled("+A123BJC5D6E71/$$52000110X3"), Udi("hibcc", "A123BJC5D6E71", "10X3", "", "2020-01-01")),
        (labelled("+A123BJC5D6E71/$$+1227S77"), Udi("hibcc", "A123BJC5D6E71", "", "S77", "2027-12-31")),
        (labelled("+A123BJC5D6E71/$LOT9"), Udi("hibcc", "A123BJC5D6E71", "LOT9", "", "")),
        (
            "=/A9999XYZ100T0944=,000025=>025060&,1LOT5",
            Udi("iccbba", "A9999XYZ100T0944", "LOT5", "000025", "2025-03-01"),
        ),
    ],
)
def test_device_labels_of_three_issuers(text, expected):
    assert read_udi(text) == expected


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("+A123BJC5D6E71Q", "hibc.check"),
        (labelled("+A123"), "hibc.characters"),
        (labelled("+1123BJC5D6E71"), "hibc.primary"),
        (labelled("+A123BJC5D6E71/$$521366L"), "udi.date"),
        ("=/A9999XYZ100T094", "isbt.device"),
        ("=/A9999XYZ100T0944#", "isbt.data"),
        ("(10)LOT(37)1(00)106141412345678908", "gs1.requires"),
    ],
)
def test_bad_labels_are_refused(text, rule):
    with pytest.raises(Gs1Refused) as refused:
        read_udi(text)
    assert refused.value.rule == rule


@given(st.integers(0, 10**13 - 1), st.integers(0, 12), st.integers(1, 9))
def test_a_check_digit_finds_each_wrong_digit(number, place, change):
    key = f"{number:013d}" + check_digit(f"{number:013d}")
    wrong = key[:place] + str((int(key[place]) + change) % 10) + key[place + 1 :]
    with pytest.raises(Gs1Refused):
        read_hri(f"(01){wrong}")
    assert read_hri(f"(01){key}")["01"] == key
