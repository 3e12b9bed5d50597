"""Which thing an identifier names, whatever form it came in: the application identifiers of its key, in one order."""

import re
from functools import lru_cache
from typing import Final

from salus.interop.gs1 import urn
from salus.interop.gs1.digital_link import WEB, read_link, write_link
from salus.interop.gs1.digits import check_digit
from salus.interop.gs1.elements import Elements, read_elements, read_hri
from salus.interop.gs1.refusal import Gs1Refused

KEY_IN_PATH: Final = re.compile(r"/(00|01|253|255|401|402|414|417|8003|8004|8006|8010|8013|8017|8018)/")
NDC: Final = re.compile(r"\d{10}\Z")
RESOLVER: Final = re.compile(r"https?://id\.gs1\.org/", re.IGNORECASE)


def read_identifier(text: str) -> Elements:
    """Return the elements of a Digital Link, an EPC URN, bracketed text or a scan. Raises Gs1Refused."""
    if WEB.match(text):
        return read_link(text)
    if text.startswith("urn:epc:"):
        return urn.read_urn(text)
    return read_hri(text) if text.startswith("(") else read_elements(text)


@lru_cache(maxsize=1 << 17)  # an event's identifiers are checked, hashed and matched: two pallets of units at hand
def canonical(text: str) -> str:
    """Return the one Digital Link on id.gs1.org of a GS1 identifier; what is none comes back as it is.

    See `name_of` for what is kept. Raises Gs1Refused for a GS1 identifier that breaks a rule.
    """
    if text.startswith("urn:epc:"):
        if not urn.is_known(text):
            return text
    elif re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text) and not (WEB.match(text) and KEY_IN_PATH.search(text)):
        return text
    return name_of(read_identifier(text))


def canonical_uri(uri: str) -> str:
    """Return the one form of a URI in an event, as `canonical` does.

    EPCIS takes any URI for a name (CBV 2.0 section 8.2). So a web URI outside id.gs1.org that looks like a Digital Link
    and breaks one of its rules is a name of its own domain, and comes back as it is. Raises Gs1Refused for the others.
    """
    try:
        return canonical(uri)
    except Gs1Refused:
        if WEB.match(uri) is None or RESOLVER.match(uri) is not None:
            raise
        return uri


def name_of(elements: Elements) -> str:
    """Return the one Digital Link of what elements name: key and serial; key and lot where no serial is.

    Lot and variant of a serialised thing are said about it; they are not its name. Raises Gs1Refused.
    """
    serialised = "21" in elements
    return write_link(
        {ai: elements[ai] for ai in elements if not (serialised and ai in {"10", "22"})}, attributes=False
    )


def gtin_of_ndc(ndc10: str, indicator: int = 0) -> str:
    """Return the GTIN-14 of a ten-digit US NDC: indicator, 03, NDC, check digit. Raises Gs1Refused."""
    if NDC.match(ndc10) is None or not 0 <= indicator <= 8:
        raise Gs1Refused("gs1.ndc", "the NDC", "ten digits without hyphens, indicator 0 to 8")
    body = f"{indicator}03{ndc10}"
    return body + check_digit(body)


def ndc_of_gtin(gtin14: str) -> str:
    """Return the ten digits of the NDC in a US drug's GTIN-14, or "" if it is no such GTIN."""
    return gtin14[3:13] if len(gtin14) == 14 and gtin14[1:3] == "03" else ""
