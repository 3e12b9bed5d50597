"""The patient's own wallet, which runs in the browser: this node serves its scripts and what it starts from."""

from urllib.parse import urlsplit

import msgspec
from starlette.responses import Response

from salus.node.network.directory import list_members, trust_file
from salus.portal.visiting import Visit


def wallet(visit: Visit) -> Response:
    """Show the wallet. It asks every member itself, so that no member reads what another one answers."""
    own = visit.pages.node.member
    places = {one.id: one.endpoint.rstrip("/") for one in visit.call(list_members).members if one.endpoint}
    places |= {**visit.pages.places, own: ""}
    others = sorted({origin(place) for place in places.values() if place})
    return visit.page(
        "wallet",
        script="mine.js",
        reached=others,
        trust=visit.call(trust_file).trust,
        places=msgspec.json.encode(places).decode(),
    )


def origin(place: str) -> str:
    """Return the origin of an address."""
    told = urlsplit(place)
    return f"{told.scheme}://{told.netloc}"
