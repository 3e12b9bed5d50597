"""Differences as the report and response of the PDG exceptions schemas (dscsagovernance/ExceptionsSchemas, August 2024).

The report's lists and the words of its resolutions are PDG's; an item's fields are ours, since codes of GS1 US have no
place in theirs. A purchase order, a name or an address never leaves the two partners.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from salus.agreements.supply.matching import Difference

LISTS: Final = (
    "missing_product_data",
    "missing_product",
    "data_misalignment",
    "overages",
    "underages",
    "master_data_errors",
    "other_errors",
)


class Resolution(StrEnum):
    """What ends an exception, in PDG's words."""

    SEND_DATA = "Send new data"
    SEND_PRODUCT = "Send product"
    RETURN_PRODUCT = "Return product"
    SEND_BACK = "Send back product"
    CREDIT = "Credit account"
    DEBIT = "Debit account"


OFFERED: Final = {
    "missing_product_data": (Resolution.SEND_DATA,),
    "missing_product": (Resolution.SEND_PRODUCT, Resolution.CREDIT),
    "data_misalignment": (Resolution.SEND_DATA, Resolution.RETURN_PRODUCT),
    "overages": (Resolution.SEND_DATA, Resolution.RETURN_PRODUCT, Resolution.DEBIT),
    "underages": (Resolution.SEND_PRODUCT, Resolution.CREDIT),
    "master_data_errors": (Resolution.SEND_DATA,),
    "other_errors": (Resolution.RETURN_PRODUCT, Resolution.SEND_DATA),
}
"""What may end an exception of a list; the first is what is asked for."""


def report(case: str, message: str, at: int, order: str, differences: Sequence[Difference]) -> dict[str, Any]:
    """Return an exceptions report. `case` and `message` are UUIDs, `at` Unix seconds."""
    lists: dict[str, list[dict[str, str]]] = {name: [] for name in LISTS}
    for one in differences:
        item = {"product_identifier": one.thing, "gs1us_code": one.code, "description": one.told}
        lists[one.kind].append(item | {"resolution": OFFERED[one.kind][0].value})
    return {
        "case_uuid": case,
        "message_uuid": message,
        "timestamp": at,
        "po_number": order,
        "case_resolved": not differences,
        **lists,
    }


def response(case: str, message: str, at: int, answers: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return a response: each (thing, resolution) accepted, or rejected with another one instead, `Reject: Credit account`."""
    items = []
    for thing, answer in answers:
        rejected = answer.startswith("Reject")
        other = answer.partition(":")[2].strip()
        item = {"product_identifier": thing, "response": "Reject" if rejected else "Accept"}
        items.append(item | ({"alternative": Resolution(other).value} if other else {}))
    return {"case_uuid": case, "message_uuid": message, "timestamp": at, "items": items}
