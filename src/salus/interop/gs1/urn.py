"""EPC URNs (Tag Data Standard 2.0, section 6): pure identities and classes, to application identifiers and back.

The way back needs the length of the company prefix, which the identifiers do not hold.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, unquote

from salus.interop.gs1.digits import check_digit
from salus.interop.gs1.elements import Elements, check_value
from salus.interop.gs1.refusal import Gs1Refused

URN: Final = re.compile(r"urn:epc:(id|class|idpat):([a-z]+):(.+)\Z", re.DOTALL)


def _gtin(prefix: str, item: str) -> str:
    body = item[:1] + prefix + item[1:]
    return body + check_digit(body)


def _keyed(width: int) -> Callable[[str, str], str]:
    def make(prefix: str, reference: str) -> str:
        body = prefix + reference
        if len(body) != width - 1:
            raise Gs1Refused("gs1.urn", "the URN", f"company prefix and reference of {width - 1} digits together")
        return body + check_digit(body)

    return make


def _sscc(prefix: str, reference: str) -> str:
    body = reference[:1] + prefix + reference[1:]
    return body + check_digit(body)


def _plain(prefix: str, reference: str) -> str:
    return prefix + reference


SCHEMES: Final[Mapping[str, tuple[str, Callable[[str, str], str], str]]] = {
    "sgtin": ("01", _gtin, "21"),
    "lgtin": ("01", _gtin, "10"),
    "sscc": ("00", _sscc, ""),
    "sgln": ("414", _keyed(13), "254"),
    "pgln": ("417", _keyed(13), ""),
    "gsrn": ("8018", _keyed(18), ""),
    "gsrnp": ("8017", _keyed(18), ""),
    "giai": ("8004", _plain, ""),
    "gdti": ("253", _keyed(13), "+"),
    "sgcn": ("255", _keyed(13), "+"),
    "grai": ("8003", _keyed(13), "+"),
}
"""Scheme to (application identifier, how its value is made of prefix and reference, identifier of the third part; +:
the third part is the value's own end)."""


def is_known(text: str) -> bool:
    """Return whether an EPC URN is of a scheme whose key is a GS1 identifier here."""
    match = URN.match(text)
    return match is not None and match[2] in SCHEMES


def read_urn(text: str) -> Elements:
    """Return the elements of an EPC URN: key, and serial, lot or extension. Raises Gs1Refused."""
    match = URN.match(text)
    if match is None or match[2] not in SCHEMES:
        raise Gs1Refused("gs1.urn", "the URN", "urn:epc:id, class or idpat of a scheme of GS1 keys")
    ai, make, third_ai = SCHEMES[match[2]]
    parts = match[3].split(".", 2)
    needed = 3 if third_ai else 2
    if len(parts) != needed or not parts[0].isdigit() or not 6 <= len(parts[0]) <= 12:
        raise Gs1Refused("gs1.urn", "the URN", f"{needed} parts, the first a company prefix of 6 to 12 digits")
    if ai != "8004" and not (parts[1].isdigit() or parts[1] == ""):
        raise Gs1Refused("gs1.urn", "the URN", "a reference of digits")
    if ai in {"00", "01"} and len(parts[0]) + len(parts[1]) != (17 if ai == "00" else 13):
        raise Gs1Refused("gs1.urn", "the URN", "company prefix and reference of the key's length together")
    value = make(parts[0], unquote(parts[1]))
    third = unquote(parts[2]) if third_ai else ""
    if match[1] == "idpat" and third == "*":  # a class: all of this key
        third = ""
    if third_ai == "+":
        value = ("0" if ai == "8003" else "") + value + third
    found = {ai: value}
    if third_ai not in {"", "+"} and (match[1] != "idpat" or third) and (third_ai, third) != ("254", "0"):
        found[third_ai] = third
    for each, content in found.items():
        check_value(each, content)
    return found


def write_urn(elements: Elements, prefix_digits: int) -> str:
    """Return the EPC URN of an SGTIN, LGTIN, GTIN class, SSCC, SGLN or PGLN, by its company prefix's length.

    Raises Gs1Refused for other keys and impossible prefixes.
    """
    if not 6 <= prefix_digits <= 12:
        raise Gs1Refused("gs1.urn", "the prefix", "6 to 12 digits")
    if "01" in elements:
        gtin = elements["01"]
        item = f"{gtin[1 : 1 + prefix_digits]}.{gtin[0]}{gtin[1 + prefix_digits : 13]}"
        if "21" in elements:
            return f"urn:epc:id:sgtin:{item}.{quote(elements['21'], safe='')}"
        if "10" in elements:
            return f"urn:epc:class:lgtin:{item}.{quote(elements['10'], safe='')}"
        return f"urn:epc:idpat:sgtin:{item}.*"
    if "00" in elements:
        sscc = elements["00"]
        return f"urn:epc:id:sscc:{sscc[1 : 1 + prefix_digits]}.{sscc[0]}{sscc[1 + prefix_digits : 17]}"
    for ai, scheme in (("414", "sgln"), ("417", "pgln")):
        if ai in elements:
            gln = elements[ai]
            end = "." + quote(elements.get("254", "0"), safe="") if ai == "414" else ""
            return f"urn:epc:id:{scheme}:{gln[:prefix_digits]}.{gln[prefix_digits:12]}{end}"
    raise Gs1Refused("gs1.urn", "the elements", "(01), (00), (414) or (417)")
