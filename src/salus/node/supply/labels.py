"""Labels: a DataMatrix symbol written from an identifier, and symbols read from a picture, checked like every scan."""

import io
from typing import Annotated, Any, Final

from msgspec import Meta

from salus.interop.gs1.datamatrix import svg, write_datamatrix
from salus.interop.gs1.elements import read_elements, write_hri
from salus.interop.gs1.refusal import Gs1Refused
from salus.node.errors import Malformed, Unavailable
from salus.node.supply.stock import elements_of
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case

MAX_PIXELS: Final = 50_000_000  # a telephone's picture has 12 to 50 million
FORMATS: Final = ("PNG", "JPEG")
GS1: Final = ("]d2", "]d8", "]C1", "]Q3", "]e0", "]J1")


class WriteLabel(Message, frozen=True):
    """What a label shall say."""

    identifier: Annotated[
        str,
        Meta(
            description="Bracketed text, element string, Digital Link or EPC URN.",
            examples=["(01)09506000134352(17)271231(10)LOT7(21)A1"],
        ),
    ]


class LabelWritten(Message, frozen=True):
    """A label."""

    svg: Annotated[str, Meta(description="The square GS1 DataMatrix symbol with its quiet zone, as SVG.")]
    text: Annotated[str, Meta(description="What stands beside it for people to read.")]
    modules: Annotated[int, Meta(description="Modules along a side.")]


class ReadLabels(Message, frozen=True):
    """A picture."""

    image: Annotated[bytes, Meta(description="PNG or JPEG.", examples=[b"..."])]


class LabelsRead(Verdict, frozen=True):
    """What the symbols in a picture say."""

    sound: Annotated[bool, Meta(description="Whether a symbol was found, and every one holds.")]
    labels: Annotated[tuple[str, ...], Meta(description="Each label that holds, as bracketed text.")]
    faults: Annotated[tuple[str, ...], Meta(description="Each symbol that does not: element, rule, what was expected.")]


@use_case("supply.label", who=OPERATOR)
def write_label(node: Node, request: WriteLabel) -> LabelWritten:  # noqa: ARG001 -- a use case's shape
    """Write a label as a square GS1 DataMatrix and the text beside it."""
    elements = elements_of(request.identifier)
    try:
        matrix, text = write_datamatrix(elements), write_hri(elements)
    except Gs1Refused as refused:
        told = f"{refused.rule} at {refused.at}"
        raise Malformed("supply.label", "no label can say this", expected=refused.expected, got=told) from None
    return LabelWritten(svg=svg(matrix, text), text=text, modules=len(matrix))


@use_case("supply.read", who=OPERATOR)
def read_labels(node: Node, request: ReadLabels) -> LabelsRead:  # noqa: ARG001 -- a use case's shape
    """Read the GS1 symbols in a picture, and check each as a scan: digits, lengths, dates, what must stand together."""
    labels, faults = [], []
    for text, symbology in _symbols(request.image):
        if symbology not in GS1:
            faults.append(f"gs1.symbology at the symbol {symbology}: expected a GS1 symbol")
            continue
        try:
            labels.append(write_hri(read_elements(text)))
        except Gs1Refused as refused:
            faults.append(f"{refused.rule} at {refused.at}: expected {refused.expected}")
    return LabelsRead(sound=bool(labels) and not faults, labels=tuple(labels), faults=tuple(faults))


def _symbols(image: bytes) -> list[tuple[str, str]]:
    """Return (text, symbology identifier) of each symbol. Raises Malformed for what is no picture."""
    try:
        import zxingcpp  # noqa: PLC0415 -- the extra may not be installed
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 -- the extra may not be installed
    except ModuleNotFoundError:
        raise Unavailable(
            "supply.extra", "the reader of pictures is not installed", todo="install salus-health[labels]"
        ) from None
    refused = Malformed("supply.image", "this is no picture", expected=f"PNG or JPEG of at most {MAX_PIXELS} pixels")
    try:
        with Image.open(io.BytesIO(image), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise refused
            found: list[Any] = list(zxingcpp.read_barcodes(picture.convert("L"), text_mode=zxingcpp.TextMode.Plain))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise refused from None
    return [(each.bytes.decode("latin-1"), each.symbology_identifier) for each in found]
