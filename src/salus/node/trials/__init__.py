"""Clinical trials at a node: use cases of one organisation on its own files."""

from salus.node.trials.alone import check_protocol, check_trial

__all__ = ["check_protocol", "check_trial"]
