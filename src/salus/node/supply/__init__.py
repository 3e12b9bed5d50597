"""The supply chain at a node: use cases of one organisation on its own files, and of goods between members."""

from salus.node.supply.alone import check_events, match_delivery, trace_pack
from salus.node.supply.counting import list_counts, open_count
from salus.node.supply.devices import check_implants, import_devices, show_card
from salus.node.supply.handling import (
    cancel_shipment,
    clear_goods,
    hand_goods,
    quarantine_goods,
    refuse_shipment,
    repackage_goods,
    report_temperatures,
    settle_dispute,
    take_goods,
)
from salus.node.supply.labels import read_labels, write_label
from salus.node.supply.offline import answer_offline, make_snapshot
from salus.node.supply.scanning import scan_pack
from salus.node.supply.showing import show_event
from salus.node.supply.trading import (
    commission_lots,
    end_goods,
    follow_pack,
    give_licence,
    list_recalls,
    list_stock,
    offer,
    order_recall,
    recall_lot,
    receive_goods,
    ship_goods,
    undo_end,
    verify_pack,
)

__all__ = [
    "answer_offline",
    "cancel_shipment",
    "check_events",
    "check_implants",
    "clear_goods",
    "commission_lots",
    "end_goods",
    "follow_pack",
    "give_licence",
    "hand_goods",
    "import_devices",
    "list_counts",
    "list_recalls",
    "list_stock",
    "make_snapshot",
    "match_delivery",
    "offer",
    "open_count",
    "order_recall",
    "quarantine_goods",
    "read_labels",
    "recall_lot",
    "receive_goods",
    "refuse_shipment",
    "repackage_goods",
    "report_temperatures",
    "scan_pack",
    "settle_dispute",
    "ship_goods",
    "show_card",
    "show_event",
    "take_goods",
    "trace_pack",
    "undo_end",
    "verify_pack",
    "write_label",
]
