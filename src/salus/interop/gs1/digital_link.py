"""GS1 Digital Link URIs (URI syntax 1.4): a primary key, its qualifiers in order, attributes as query."""

import re
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from salus.interop.gs1.elements import ROW_OF, Elements, check_elements, check_value
from salus.interop.gs1.refusal import Gs1Refused

WEB: Final = re.compile(r"https?://[^/?#]+/", re.IGNORECASE)
MAX_URI: Final = 2_048  # as browsers and EPCIS receivers take it
DOMAIN: Final = "https://id.gs1.org"
GTIN_LENGTHS: Final = (8, 12, 13, 14)


def read_link(uri: str) -> Elements:
    """Return the elements of a Digital Link on any domain. Raises Gs1Refused."""
    if len(uri) > MAX_URI or WEB.match(uri) is None:
        raise Gs1Refused("gs1.link", "the URI", f"an http or https URI of at most {MAX_URI} characters")
    path, _, query = uri.partition("#")[0].partition("?")
    words = [unquote(word) for word in path.split("/")[3:]]
    start = next((place for place, word in enumerate(words[:-1]) if _is_key(word)), None)
    if start is None or (len(words) - start) % 2:
        raise Gs1Refused("gs1.link", "the path", "a primary key and qualifiers, each identifier before its value")
    pairs = list(zip(words[start::2], words[start + 1 :: 2], strict=True))
    key, value = pairs[0]
    if key in {"01", "02"} and len(value) in GTIN_LENGTHS:
        pairs[0] = (key, value.zfill(14))
    found = dict(pairs)
    ways = ROW_OF[key][5] or ()
    if len(found) != len(pairs) or not any(_ordered(list(found)[1:], way) for way in ways):
        raise Gs1Refused("gs1.link-order", "the path", f"qualifiers of ({key}) once each, in their order")
    found |= {ai: text for ai, text in parse_qsl(query) if ai in ROW_OF and ai not in found and ROW_OF[ai][6]}
    for ai, text in found.items():
        check_value(ai, text)
    return found


def write_link(elements: Elements, *, domain: str = DOMAIN, attributes: bool = True) -> str:
    """Return the Digital Link of elements; those that are neither key nor qualifier become the query, if wanted.

    Raises Gs1Refused if no primary key is among them.
    """
    key = next((ai for ai in elements if _is_key(ai)), None)
    if key is None:
        raise Gs1Refused("gs1.link", "the elements", "a primary key such as (00), (01) or (414)")
    ways = ROW_OF[key][5] or ((),)
    way = max(ways, key=lambda each: sum(ai in elements for ai in each))
    path = [key, *(ai for ai in way if ai in elements)]
    for ai in path:
        check_value(ai, elements[ai])
    link = domain + "".join(f"/{ai}/{quote(elements[ai], safe='')}" for ai in path)
    rest = [ai for ai in elements if ai not in path]
    if attributes and rest:
        check_elements(elements)
        link += "?" + "&".join(f"{ai}={quote(elements[ai], safe='')}" for ai in rest)
    return link


def _is_key(ai: str) -> bool:
    return ai in ROW_OF and ROW_OF[ai][5] is not None


def _ordered(given: list[str], way: tuple[str, ...]) -> bool:
    return [ai for ai in way if ai in given] == given
