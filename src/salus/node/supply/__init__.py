"""The supply chain at a node: use cases of one organisation on its own files."""

from salus.node.supply.alone import check_events, match_delivery, trace_pack

__all__ = ["check_events", "match_delivery", "trace_pack"]
