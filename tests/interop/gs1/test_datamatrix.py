"""Square DataMatrix symbols: what is written is read back by a reader of another make."""

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from salus.interop.gs1.datamatrix import svg, write_datamatrix
from salus.interop.gs1.elements import write_elements
from salus.interop.gs1.refusal import Gs1Refused

CHARACTERS = st.text(alphabet="!\"%&'()*+,-./0123456789:;<=>?ABCXYZ_abcxyz", min_size=1, max_size=20)


def picture(matrix, scale=4, quiet=2):
    side = (len(matrix) + 2 * quiet) * scale
    image = Image.new("L", (side, side), 255)
    for y, row in enumerate(matrix):
        for x, dark in enumerate(row):
            if dark:
                image.paste(
                    0, ((x + quiet) * scale, (y + quiet) * scale, (x + quiet + 1) * scale, (y + quiet + 1) * scale)
                )
    return image


def read_back(matrix):
    (found,) = zxingcpp.read_barcodes(picture(matrix), text_mode=zxingcpp.TextMode.Plain)
    return found.bytes.decode("ascii"), found.symbology_identifier


@settings(max_examples=40, deadline=None)
@given(CHARACTERS, CHARACTERS, st.lists(CHARACTERS, max_size=5))
def test_what_is_written_is_read_back_as_a_square_gs1_symbol(serial, lot, more):
    elements = {"01": "09506000134352", "17": "271231", "10": lot, "21": serial}
    elements |= dict(zip(("240", "241", "250", "251", "90"), more, strict=False))
    try:
        matrix = write_datamatrix(elements)
    except Gs1Refused as refused:
        assert refused.rule == "gs1.datamatrix"  # noqa: PT017 - anything else would fail the test
        return
    assert {len(matrix)} == {len(row) for row in matrix}
    assert read_back(matrix) == (write_elements(elements), "]d2")


SIDES = [
    (2, 0, 10),
    (6, 0, 12),
    (8, 0, 14),
    (12, 0, 14),
    (20, 0, 16),
    (30, 0, 18),
    (30, 6, 20),
    (30, 22, 22),
    (30, 34, 24),
]


@pytest.mark.parametrize(("first", "second", "side"), [*SIDES, (30, 50, 26), (30, 86, 32)])
def test_a_symbol_is_the_smallest_square_that_holds_its_pairs_of_digits(first, second, side):
    matrix = write_datamatrix({"90": "1" * first} | ({"91": "2" * second} if second else {}))
    assert len(matrix) == side
    assert read_back(matrix)[1] == "]d2"


def test_what_does_not_hold_or_fit_is_refused():
    with pytest.raises(Gs1Refused):
        write_datamatrix({"01": "09506000134353"})
    with pytest.raises(Gs1Refused) as refused:
        write_datamatrix({"90": "x" * 30, **{str(ai): "y" * 90 for ai in range(91, 99)}})
    assert refused.value.rule == "gs1.datamatrix"


def test_the_svg_has_its_text_for_all_and_nothing_that_runs():
    text = svg(write_datamatrix({"01": "09506000134352", "21": "A<b>&"}), "(21)A<b>&")
    assert "<title>(21)A&lt;b&gt;&amp;</title>" in text
    assert "<b>" not in text
    assert text.count("<path") == 2
