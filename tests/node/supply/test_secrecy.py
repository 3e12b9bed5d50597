"""A rival with the whole ledger, its own files and goods of the same lot: what others sell, to whom and how much stays theirs."""

import re

import pytest

from salus.agreements.supply.packing import Box
from salus.contracts.supply import port
from salus.core.encoding import decode, encode
from salus.core.proof.goods import unit_key
from salus.node.opening import KERNEL
from salus.node.supply import exchange, moving
from salus.node.supply.stock import ADDRESS, HOP, KEY, SentHop, product_of

from .members import GTIN, START, brought, case_label, label, lot_box, moved, sscc, traders, without


@pytest.fixture
def together(tmp_path):
    found = traders(tmp_path, without("repack"))
    yield found
    found.close()


def wires(together, first=1):
    return [wire for block in together.owner.ledger.blocks(first) for wire in block.transactions]


def digests(together):
    """Return every string of 32 bytes that stands in a row of the supply contract or in a body."""
    state = together.owner.ledger.read()
    rows = [encode(row) for table in (port.HOLDINGS, port.LOTS) for _, row in state.range(table)]
    keys = {id_ for id_, _ in state.range(port.HOLDINGS)}
    blob = b"".join(rows + wires(together))
    return keys | {found[2:] for found in re.findall(rb"\xc4\x20.{32}", blob, re.DOTALL)}


def trade(together, receiver, box):
    """Commission, ship a pallet, receive it; return the bodies' sizes and kinds, and the rows' sizes."""
    first = together.owner.ledger.head().height + 1
    maker = together.nodes["maker"]
    lot = f"L{first:05d}"
    moving.bring(maker, product_of(GTIN, lot, "271231"), box)
    together.abreast()
    moved(together, "maker", receiver, f"(00){box.boxes[0].name}")
    state = together.owner.ledger.read()
    sizes = [(type(KERNEL.decode(wire).message).__name__, len(wire)) for wire in wires(together, first)]
    rows = [len(encode(row)) for _, row in state.range(port.HOLDINGS) if row.height >= first]
    return sizes, sorted(rows)


def box_of(start, cases, units):
    serials = iter(f"V{start + number:06d}".encode() for number in range(1000))
    names = iter(range(start, start + 100))
    return Box(
        "",
        tuple(
            Box(
                sscc(next(names)),
                tuple(Box(sscc(next(names)), (), tuple(next(serials) for _ in range(units))) for _ in range(cases)),
            )
            for _ in range(2)
        ),
    )


def test_neither_volume_nor_partner_changes_what_the_ledger_shows(together):
    """Pallets of 15 and of 32 packs, to one partner and to another: the same messages, the same bytes."""
    few = trade(together, "whole", box_of(100_000, 3, 5))
    many = trade(together, "whole", box_of(200_000, 4, 8))
    other = trade(together, "rival", box_of(300_000, 3, 5))
    assert few[0]
    assert few == many == other


def test_no_key_of_trade_between_others_is_known_to_a_rival_or_used_twice(together):
    brought(together)
    moved(together, "maker", "rival", case_label(1001))
    mine = digests(together)
    moved(together, "maker", "whole", case_label(1000))
    moved(together, "whole", "corner", case_label(0), case_label(1))
    moved(together, "whole", "corner", label("S000012"))
    moving.end(together.nodes["corner"], [label("S000001")], port.Reason.DISPENSED)
    together.abreast()
    rival = together.nodes["rival"]
    known = {id_ for kind in (KEY, ADDRESS, HOP) for id_, _ in rival.desk.supply(kind)}
    for node in together.nodes.values():
        known |= {port.owner_of(key) for key in node.signing_keys(node.member)}
    fresh = digests(together) - mine
    assert len(fresh) > 20
    assert not fresh & known
    sent = [KERNEL.decode(wire).message for wire in wires(together)]
    addresses = [message.to for message in sent if isinstance(message, port.Ship)]
    assert len(addresses) == len({*addresses}) == 4
    assert {decode(body, SentHop).hop.receiver for _, body in rival.desk.supply(HOP)} == {"rival"}


def test_whoever_asks_about_one_pack_learns_of_no_other(together):
    """The maker's answer opens one pack: neither its neighbours' serials nor their keys follow from it."""
    brought(together)
    moved(together, "maker", "whole", case_label(1000))
    rival = together.nodes["rival"]
    _, told = exchange.ask_unit(rival, label("S000001"))
    assert told.part.box.serials == (b"S000001",)
    answer = encode(told)
    for number in (0, 2, 3, 4):
        guess = unit_key(told.part.secret, told.part.product, f"S{number:06d}".encode())
        assert f"S{number:06d}".encode() not in answer
        assert guess not in answer
    siblings = {path for place in told.target.places for path in place.path}
    assert siblings
    assert not siblings & {unit_key(told.part.secret, told.part.product, unit) for unit in lot_box().units()}


def test_names_times_and_papers_of_a_hop_are_in_no_row_and_no_body(together):
    brought(together)
    sent = moving.ship(together.nodes["maker"], [case_label(1000)], "whole", ("po SECRET-4711",))
    together.abreast()
    blob = b"".join(wires(together))
    for word in (b"SECRET-4711", sent.hop.key, START.to_bytes(8, "big") + b"po", sent.hop.parts[0].secret):
        assert word not in blob
    ships = [wire for wire in wires(together) if isinstance(KERNEL.decode(wire).message, port.Ship)]
    assert all(b"whole" not in wire and b"maker" not in wire for wire in ships)
