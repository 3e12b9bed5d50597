"""A maker, a distributor, a pharmacy, a repackager and a regulator on one ledger, licensed, with addresses exchanged."""

from salus.agreements.supply.packing import Box
from salus.contracts.membership.port import Role
from salus.node.supply import exchange, moving
from salus.node.supply.stock import product_of
from salus.node.supply.trading import GiveLicence, give_licence
from salus.node.together import Clock, Founder, Together, found_together

GTIN = "09506000134352"
START = 1_767_225_600_000  # 2026-01-01
FOUNDERS = (
    Founder("board", "State Board", (Role.REGULATOR,)),
    Founder("maker", "Maker", (Role.MANUFACTURER,)),
    Founder("whole", "Wholesale", (Role.DISTRIBUTOR,)),
    Founder("corner", "Corner Pharmacy", (Role.DISPENSER,)),
    Founder("repack", "Repackager", (Role.MANUFACTURER,)),
    Founder("rival", "Rival Wholesale", (Role.DISTRIBUTOR,)),
)
KINDS = {
    "maker": ("maker",),
    "whole": ("distributor",),
    "rival": ("distributor",),
    "corner": ("dispenser",),
    "repack": ("repackager", "distributor"),
}


def sscc(number):
    body = f"0950600{number:010d}"
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return body + str(-total % 10)


def label(serial, lot="A1", expiry="271231", gtin=GTIN):
    return f"(01){gtin}(21){serial}(10){lot}(17){expiry}"


def case_label(number):
    return f"(00){sscc(number)}"


def lot_box(pallets=2, cases=3, units=5):
    serials = iter(f"S{number:06d}".encode() for number in range(pallets * cases * units))
    return Box(
        "",
        tuple(
            Box(
                sscc(1000 + p),
                tuple(Box(sscc(p * cases + c), (), tuple(next(serials) for _ in range(units))) for c in range(cases)),
            )
            for p in range(pallets)
        ),
    )


def without(*members):
    """Return the founders but for some: each costs a test the files of a node."""
    return tuple(one for one in FOUNDERS if one.id not in members)


def traders(folder, founders=FOUNDERS) -> Together:
    together = found_together(folder, founders, clock=Clock(lambda: START))
    board = together.nodes["board"]
    for member, kinds in KINDS.items():
        if member in together.nodes:
            give_licence(board, GiveLicence(member=member, kinds=kinds))
    together.abreast()
    for receiver, sender in (
        ("whole", "maker"),
        ("rival", "maker"),
        ("repack", "maker"),
        ("corner", "whole"),
        ("corner", "repack"),
        ("whole", "corner"),
        ("maker", "whole"),
    ):
        if {receiver, sender} <= together.nodes.keys():
            exchange.offer_addresses(together.nodes[receiver], sender, 8)
    return together


def brought(together, box=None, lot="A1", expiry="271231"):
    stock = moving.bring(together.nodes["maker"], product_of(GTIN, lot, expiry), box or lot_box())
    together.abreast()
    return stock


def moved(together, sender, receiver, *identifiers, scans=None, back=False):
    sent = moving.ship(together.nodes[sender], identifiers, receiver, ("po 1",), back=back)
    together.abreast()
    done = moving.receive(together.nodes[receiver], sent.hop.holding, scans)
    together.abreast()
    return done
