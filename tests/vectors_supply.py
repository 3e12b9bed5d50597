"""The supply contract's vectors: (message, name, what it shows, world with a commissioned lot → what is sent)."""

from collections.abc import Callable
from typing import Any

from salus.contracts.supply.port import (
    Acknowledge,
    Cancel,
    Clear,
    Hand,
    Licence,
    License,
    Open,
    OrderRecall,
    Pack,
    Place,
    Quarantine,
    Reason,
    Recall,
    Refuse,
    ReportTemperature,
    SetTerms,
    Settle,
    Take,
    Target,
    Terms,
    Transform,
    Undo,
    Unpack,
    VoidTickets,
)
from tests.contracts.goods import DAY, D, World, explicit, lot_of, owner

Sent = tuple[Any, str, str, dict[str, Any]]
Scenario = Callable[[World], Sent]
NEW = lot_of(1, 1, 2, b"repacked", bytes([9]) * 32)
SUPPLY: list[tuple[str, str, str, Scenario]] = []


def by(author: str, message: Any) -> Sent:
    return message, "carrier-co", author, {}


def member(name: str, message: Any) -> Sent:
    return message, name, "", {}


def transforming(world: World, *targets: Target) -> Transform:
    return Transform(world.sorted(targets), NEW.root, NEW.depth, D, 0, 0, world.ticket("m"))


def sent(world: World) -> World:
    world.ship(world.at(0), "m", "d")
    return world


def after(world: World, *steps: tuple[Any, str]) -> World:
    for message, author in steps:
        world.send(message, author)
    return world


def uncommissioned(world: World) -> Sent:
    return by("m", world.commissioning())


def _not_licensed(world: World) -> Sent:
    return by("n", world.commissioning("n", ticket=world.ticket("n", kinds=(License.DISPENSER,))))


def _voided(world: World) -> Sent:
    world.ledger.send(VoidTickets((owner("m"),)), "fda")
    return by("m", world.shipping(world.at(0), "m", "d"))


def _nested(world: World) -> Sent:
    inner = world.pack("m", world.at(0, 0, 0))
    for _ in range(5):
        inner = world.pack("m", explicit(inner))
    return by("m", Pack((explicit(inner),), D))


def _packed_twice(world: World) -> Sent:
    world.send(Pack((world.at(0, 0),), D), "m")
    return by("m", Pack((world.at(0, 1),), D))


def _many_lots(world: World) -> Sent:
    targets = []
    for number in range(17):
        tree = lot_of(1, 1, 1, secret=bytes([number + 1]) * 32)
        other = World(tree, "m", world.ledger)
        other.commission()
        targets.append(explicit(other.whole))
    return by("m", transforming(world, *targets))


def _too_late(world: World) -> Sent:
    world.end("m", world.at(0, 0, 0))
    world.ledger.pass_time(11 * DAY)
    return by("m", Undo(world.id(0, 0, 0)))


def _recalled(world: World) -> Sent:
    world.send(Recall(world.lot, 1, ()), "m")
    return by("m", world.ending("m", world.at(0, 0, 0)))


def _outside(world: World) -> Sent:
    target = world.at(0, 0, 0)
    return by("m", Unpack((Target(target.lot, target.key, (Place(8, target.places[0].path), *target.places[1:])),)))


def _acknowledge(world: World) -> Sent:
    world.send(Recall(world.lot, 1, ()), "m")
    return by("m", Acknowledge(world.lot, world.whole, D))


SUPPLY += [
    ("commission", "applied", "A lot is commissioned by one root.", uncommissioned),
    ("commission", "exists", "A lot is commissioned once.", lambda w: by("m", w.commissioning())),
    ("commission", "not-licensed", "A dispenser makes no lots.", _not_licensed),
    (
        "commission",
        "ticket-over",
        "A ticket has ended.",
        lambda w: by("m", w.commissioning(ticket=w.ticket("m", days=0))),
    ),
    (
        "commission",
        "ticket-invalid",
        "A member that is no regulator issues no tickets.",
        lambda w: by("m", w.commissioning(ticket=w.ticket("m", issuer="carrier-co"))),
    ),
    (
        "ship",
        "applied",
        "A pallet that was never touched is shipped.",
        lambda w: by("m", w.shipping(w.at(0), "m", "d")),
    ),
    ("ship", "not-owner", "Another's goods are not shipped.", lambda w: by("d", w.shipping(w.at(0), "d", "m"))),
    ("ship", "ticket-void", "A ticket was taken back.", _voided),
    (
        "ship",
        "no-such-holding",
        "Without the whole way there is no row.",
        lambda w: by("m", w.shipping(w.at(0, 0, levels=1), "m", "d")),
    ),
    ("cancel", "applied", "It is called back.", lambda w: by("m", Cancel(sent(w).id(0)))),
    ("receive", "applied", "The pallet is taken over.", lambda w: by("d", sent(w).receiving(w.id(0), "d"))),
    (
        "receive",
        "but-for-a-case",
        "A case is missing and stays the sender's, in dispute.",
        lambda w: by("d", sent(w).receiving(w.id(0), "d", w.at(0, 1))),
    ),
    ("receive", "not-receiver", "Another takes nothing.", lambda w: by("x", sent(w).receiving(w.id(0), "x"))),
    (
        "receive",
        "not-inside",
        "What lies elsewhere is not excepted.",
        lambda w: by("d", sent(w).receiving(w.id(0), "d", w.at(1, 1))),
    ),
    ("refuse", "applied", "Nothing is taken over.", lambda w: by("d", Refuse(sent(w).id(0), 12))),
    (
        "settle",
        "applied",
        "The sender keeps what was refused.",
        lambda w: by("m", Settle(after(sent(w), (Refuse(w.id(0), 12), "d")).id(0), w.ticket("m"))),
    ),
    ("hand", "applied", "A carrier is to take a pallet.", lambda w: by("m", Hand(w.at(0), owner("t")))),
    ("hand", "not-custodian", "Another hands nothing over.", lambda w: by("d", Hand(w.at(0), owner("t")))),
    (
        "take",
        "applied",
        "The carrier takes it.",
        lambda w: by(
            "t", Take(after(w, (Hand(w.at(0), owner("t")), "m")).id(0), w.ticket("t", kinds=(License.CARRIER,)))
        ),
    ),
    (
        "report-temperature",
        "applied",
        "It was cold enough.",
        lambda w: by("m", ReportTemperature(w.whole, D, 278_150, 0)),
    ),
    ("pack", "exists", "A container is packed once under its name.", _packed_twice),
    ("pack", "applied", "Two cases go into a tote.", lambda w: by("m", Pack(w.sorted((w.at(0, 0), w.at(1, 2))), D))),
    (
        "pack",
        "unordered",
        "A case goes in once.",
        lambda w: by("m", Pack((w.at(0, 0), w.at(0, 0)), D)),
    ),
    ("pack", "too-deep", "Six in each other, no more.", _nested),
    ("unpack", "applied", "A case comes out of a pallet.", lambda w: by("m", Unpack((w.at(0, 0),)))),
    ("unpack", "bad-proof", "A place outside its container.", _outside),
    ("end", "applied", "A pack is dispensed.", lambda w: by("m", w.ending("m", w.at(0, 0, 0)))),
    (
        "end",
        "wrong-status",
        "It is dispensed once.",
        lambda w: (w.end("m", w.at(0, 0, 0)), by("m", w.ending("m", w.at(0, 0, 0))))[1],
    ),
    ("end", "recalled", "A recalled pack is not dispensed.", _recalled),
    (
        "undo",
        "applied",
        "It was not dispensed after all.",
        lambda w: (w.end("m", w.at(0, 0, 0)), by("m", Undo(w.id(0, 0, 0))))[1],
    ),
    (
        "undo",
        "not-undoable",
        "What was stolen stays so.",
        lambda w: (w.end("m", w.at(0, 0, 0), reason=Reason.STOLEN), by("m", Undo(w.id(0, 0, 0))))[1],
    ),
    ("undo", "too-late", "The window is over.", _too_late),
    ("transform", "applied", "A case is repackaged.", lambda w: by("m", transforming(w, w.at(0, 0)))),
    ("transform", "too-many-lots", "More lots than the ledger follows.", _many_lots),
    ("quarantine", "applied", "A pack is suspect.", lambda w: by("m", Quarantine(w.at(0, 0, 0)))),
    (
        "clear",
        "applied",
        "It is genuine.",
        lambda w: by("m", Clear(after(w, (Quarantine(w.at(0, 0, 0)), "m")).id(0, 0, 0))),
    ),
    ("recall", "applied", "The maker recalls the lot.", lambda w: by("m", Recall(w.lot, 1, ()))),
    ("recall", "not-maker", "Another does not.", lambda w: by("d", Recall(w.lot, 1, ()))),
    ("recall", "no-such-lot", "There is no such lot.", lambda _w: by("m", Recall(D, 1, ()))),
    (
        "order-recall",
        "applied",
        "A regulator orders the recall of a unit.",
        lambda w: member("fda", OrderRecall(w.lot, 2, (w.id(0, 0, 0),))),
    ),
    (
        "order-recall",
        "not-regulator",
        "Another member orders nothing.",
        lambda w: member("carrier-co", OrderRecall(w.lot, 2, ())),
    ),
    ("acknowledge", "applied", "An owner answers a recall.", _acknowledge),
    (
        "license",
        "applied",
        "A member is licensed.",
        lambda _w: member("fda", Licence("carrier-co", (License.CARRIER,), 1)),
    ),
    ("license", "no-such-member", "A stranger is not.", lambda _w: member("fda", Licence("nobody", (), 1))),
    ("void-tickets", "applied", "A ticket is taken back.", lambda _w: member("fda", VoidTickets((D,)))),
    ("open", "applied", "An opening stands on record.", lambda _w: member("fda", Open((D,), D))),
    ("set-terms", "applied", "The terms of the law.", lambda _w: member("fda", SetTerms(Terms(DAY, DAY, DAY)))),
]
