"""The ledger for anyone: blocks, transactions, receipts, members. Every address is stable; nothing here is personal."""

import csv
import io
from typing import Any, Final

from starlette.responses import Response

from salus.node.errors import Malformed
from salus.node.network.directory import list_members, path_of, receipt_of, status, trust_file
from salus.node.network.exploring import list_blocks, show_block, show_transaction
from salus.portal.rendering import HEADERS
from salus.portal.visiting import Visit, to

PAGE: Final = 25


def blocks(visit: Visit) -> Response:
    """Show where the ledger stands and its newest blocks, or those before a height."""
    found = visit.call(list_blocks, before=_number(visit.asked("before")), limit=PAGE)
    return visit.page("ledger", found=found, stands=visit.call(status))


def block(visit: Visit) -> Response:
    """Show a block."""
    return visit.page("block", found=visit.call(show_block, height=_number(visit.part("height"))))


def transaction(visit: Visit) -> Response:
    """Show a transaction."""
    return visit.page("transaction", found=visit.call(show_transaction, transaction=visit.part("id")))


def receipt(visit: Visit) -> Response:
    """Return a transaction's receipt as a file that `salus verify` checks."""
    made = visit.call(receipt_of, transaction=visit.part("id"))
    name = f'attachment; filename="{visit.part("id")[:16]}.receipt"'
    return Response(
        made.receipt, media_type="application/octet-stream", headers={**HEADERS, "content-disposition": name}
    )


def verify(visit: Visit) -> Response:
    """Show where a receipt is checked in the browser, from this node's trust file or another."""
    return visit.page("verify", script="verify.js", trust=visit.call(trust_file).trust)


def trust(visit: Visit) -> Response:
    """Return this node's trust file."""
    headers = {**HEADERS, "content-disposition": 'attachment; filename="trust.json"'}
    return Response(visit.call(trust_file).trust, media_type="application/json", headers=headers)


def path(visit: Visit) -> Response:
    """Return the consistency path between two sizes of the log."""
    made = visit.call(path_of, old=_number(visit.asked("old")), new=_number(visit.asked("new")))
    return Response(made.path, media_type="application/octet-stream", headers=HEADERS)


def find(visit: Visit) -> Response:
    """Go to the block or transaction that was typed."""
    typed = visit.asked("what").lower()
    return to(f"/ledger/transactions/{typed}" if len(typed) == 64 else f"/ledger/blocks/{_number(typed)}")


def members(visit: Visit) -> Response:
    """Show who is in the network."""
    return visit.page("members", members=visit.call(list_members).members)


def members_csv(visit: Visit) -> Response:
    """Return the members as CSV (RFC 4180)."""
    return as_csv("members", visit.call(list_members).members)


def blocks_csv(visit: Visit) -> Response:
    """Return the blocks of a page as CSV (RFC 4180)."""
    found = visit.call(list_blocks, before=_number(visit.asked("before")), limit=PAGE)
    return as_csv("blocks", found.blocks)


def transactions_csv(visit: Visit) -> Response:
    """Return the transactions of a block as CSV (RFC 4180). Raises Malformed, NotFound."""
    found = visit.call(show_block, height=_number(visit.part("height")))
    return as_csv(f"block-{found.block.height}", found.transactions)


def as_csv(name: str, rows: Any) -> Response:
    """Return structs of one kind as a CSV file. A cell that a spreadsheet would run as a formula is quoted as text."""
    out = io.StringIO()
    writer = csv.writer(out)
    for at, row in enumerate(rows):
        if not at:
            writer.writerow(row.__struct_fields__)
        writer.writerow([_cell(getattr(row, field)) for field in row.__struct_fields__])
    headers = {**HEADERS, "content-disposition": f'attachment; filename="{name}.csv"'}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: Any) -> str:
    told = str(value)
    return f"'{told}" if told[:1] in {"=", "+", "-", "@", "\t", "\r"} else told


def _number(typed: str) -> int:
    """Return a height. Raises Malformed."""
    if not typed:
        return 0
    if not (typed.isascii() and typed.isdigit() and len(typed) < 12):
        raise Malformed(
            "ledger.find", "this is neither a height nor a transaction's id", expected="a number, or 64 digits"
        )
    return int(typed)
