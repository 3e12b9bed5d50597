"""Research at a node: use cases of one organisation on its own files."""

from salus.node.research.alone import check_query, run_alone

__all__ = ["check_query", "run_alone"]
