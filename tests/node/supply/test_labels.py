"""Labels at a node: written, photographed, read; what is no picture or no GS1 symbol is told."""

import io
import sys

import pytest
import zxingcpp
from PIL import Image

from salus.interop.gs1.datamatrix import write_datamatrix
from salus.node.config import Config
from salus.node.errors import Malformed, Unavailable
from salus.node.local import Bare
from salus.node.supply.labels import ReadLabels, WriteLabel, read_labels, write_label
from tests.interop.gs1.test_datamatrix import picture

from .members import label

NODE = Bare(Config())


def bytes_of(image, form="PNG"):
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def test_a_label_is_written_and_read_from_a_picture_even_turned():
    told = write_label(NODE, WriteLabel(identifier="https://id.gs1.org/01/09506000134352/10/A1/21/S1?17=271231"))
    assert told.svg.startswith("<svg")
    assert told.text == "(01)09506000134352(10)A1(21)S1(17)271231"
    matrix = write_datamatrix({"01": "09506000134352", "21": "S1", "10": "A1", "17": "271231"})
    image = picture(matrix, scale=8)
    assert told.modules == len(matrix)
    for one in (image, image.rotate(90), image.rotate(31, expand=True, fillcolor=255)):
        for form in ("PNG", "JPEG"):
            found = read_labels(NODE, ReadLabels(image=bytes_of(one, form)))
            assert (found.sound, found.labels) == (True, (label("S1"),))


def test_what_is_wrong_is_told_by_its_rule():
    plain = zxingcpp.create_barcode("010950600013435221S1", zxingcpp.BarcodeFormat.DataMatrix)
    image = Image.fromarray(plain.to_image(scale=8)) if hasattr(plain, "to_image") else None
    empty = read_labels(NODE, ReadLabels(image=bytes_of(Image.new("L", (60, 60), 255))))
    assert (empty.sound, empty.labels, empty.faults) == (False, (), ())
    if image is not None:
        found = read_labels(NODE, ReadLabels(image=bytes_of(image)))
        assert (found.sound, found.faults) == (False, ("gs1.symbology at the symbol ]d1: expected a GS1 symbol",))
    with pytest.raises(Malformed):
        write_label(NODE, WriteLabel(identifier="(01)09506000134353"))


@pytest.mark.parametrize(
    "image", [b"", b"\x89PNG\r\n\x1a\n" + b"x" * 40, b"GIF89a" + b"x" * 40, b"<svg/>"], ids=range(4)
)
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(Malformed) as refused:
        read_labels(NODE, ReadLabels(image=image))
    assert refused.value.code == "supply.image"


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    with pytest.raises(Unavailable) as refused:
        read_labels(NODE, ReadLabels(image=b""))
    assert refused.value.code == "supply.extra"
