"""The patient's own wallet, which runs in the browser: this node serves its scripts and what it starts from."""

import re
from typing import Final

import msgspec
from starlette.responses import Response

from salus.node.network.directory import list_members, trust_file
from salus.portal.refusals import AT_PAGES, KEYS
from salus.portal.rendering import packed
from salus.portal.visiting import Visit

# What an address may be to stand in a policy: a member writes its own, and a `;`, `,` or `*` there would write policy.
ORIGIN: Final = re.compile(r"(https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?)(?:/[!-~]*)?", re.IGNORECASE)


def wallet(visit: Visit) -> Response:
    """Show the wallet. It asks every member itself, so that no member reads what another one answers."""
    own = visit.pages.node.member
    places = {one.id: one.endpoint.rstrip("/") for one in visit.call(list_members).members if origin(one.endpoint)}
    places |= {**visit.pages.places, own: ""}
    others = sorted({origin(place) for place in places.values() if place})
    answer = visit.page(
        "wallet",
        script="mine.js",
        reached=others,
        trust=visit.call(trust_file).trust,
        codes=msgspec.json.encode({code: key for code, key in KEYS.items() if key not in AT_PAGES}).decode(),
        places=msgspec.json.encode(places).decode(),
    )
    return packed(answer, visit.request.headers.get("accept-encoding", ""))


def origin(place: str) -> str:
    """Return the origin of an address; nothing for one that a browser is not sent to."""
    found = ORIGIN.fullmatch(place)
    return found[1] if found else ""
