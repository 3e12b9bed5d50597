"""Recall notices as they are published, read against this member's own goods."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from salus.agreements.supply.notices import Codes, codes_of
from salus.contracts.supply import port
from salus.node.errors import Malformed
from salus.node.member import MemberNode
from salus.node.supply.stock import index_of, one_time, units_of
from salus.node.usecase import OPERATOR, Message, use_case

NOTICE: Final = b'[{"recall_number": "D-1", "code_info": "Lot # A1, Exp 12/27"}]'
MAX_BYTES: Final = 64 * 1024 * 1024


class ReadNotices(Message, frozen=True):
    """Recall notices."""

    notices: Annotated[
        bytes, Meta(description="openFDA enforcement records, JSON, or the text of one notice.", examples=[NOTICE])
    ]


class NoticesRead(Message, frozen=True):
    """What they mean here. Nothing is recalled by this: a maker or a regulator does that on the ledger."""

    here: Annotated[
        tuple[str, ...], Meta(description="Notice, product and units of this member's under a certain code.")
    ]
    doubtful: Annotated[tuple[str, ...], Meta(description="Notice, what a person must read, and codes held here.")]
    clear: Annotated[int, Meta(description="Notices of certain codes of which nothing is held here.")]


@use_case("supply.read-notices", who=OPERATOR)
def read_notices(node: MemberNode, request: ReadNotices) -> NoticesRead:
    """Take the lot codes out of recall notices and find own goods of these lots; what is doubtful is for a person to read."""
    held = _held(node)
    here, doubtful, clear = [], [], 0
    for name, text in _texts(request.notices):
        try:
            found = codes_of(text)
        except ValueError as error:
            found = Codes((), (str(error),))
        mine = [f"{product} {units}" for lot in found.lots for product, units in held.get(lot, {}).items()]
        if found.doubts:
            doubtful.append(f"{name}: {' | '.join(found.doubts)}; held: {', '.join(mine) or 'none of its codes'}")
        elif mine:
            here += [f"{name}: {one}" for one in mine]
        else:
            clear += 1
    return NoticesRead(here=tuple(here), doubtful=tuple(doubtful), clear=clear)


def _held(node: MemberNode) -> dict[str, dict[str, int]]:
    """Return this member's units that have not ended: lot code → product → count."""
    state, index = node.ledger.read(), index_of(node)
    mine: dict[bytes, bool] = {}
    held: dict[str, dict[str, int]] = {}
    for part in {part.id: part for stock in index.stocks.values() for part in stock.parts}.values():
        product = part.product.decode("ascii")
        lots = held.setdefault(product.split("|")[1], {})
        for _, found in units_of(state, index, part):
            owner = found.holding.owner
            if owner not in mine:
                mine[owner] = one_time(node, owner) is not None
            if mine[owner] and found.holding.status is not port.Status.ENDED:
                lots[product] = lots.get(product, 0) + 1
    return held


def _texts(notices: bytes) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of each notice. Raises Malformed."""
    if len(notices) > MAX_BYTES:
        raise Malformed("supply.notices", "more than a file of notices", expected=f"at most {MAX_BYTES} bytes")
    try:
        if not notices.lstrip().startswith((b"[", b"{")):
            yield "notice", notices.decode("utf-8")
            return
        told: Any = msgspec.json.decode(notices)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Malformed("supply.notices", "the notices cannot be read", expected="JSON of openFDA, or text") from None
    records = told.get("results", []) if isinstance(told, dict) else told
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise Malformed("supply.notices", f"record {number} is no object", expected="openFDA enforcement records")
        told = {str(key).replace("-", "_"): value for key, value in record.items()}
        texts = [told.get(name) for name in ("code_info", "more_code_info")]
        text = " ".join(one for one in texts if isinstance(one, str))
        yield str(told.get("recall_number") or f"record {number}"), text
