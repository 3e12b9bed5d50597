"""Who is who at a member: links of one patient found, doubtful ones decided by people, every joining explained and undone.

A link is known by assigner and identifier; one person comes under two when two systems registered her. `comparing` finds
such links, `reviewing` is the queue of those who decide; what is known of two links, and what follows, is in `salus.node.pairs`.
"""

from salus.node.identity.comparing import match
from salus.node.identity.reviewing import compare, decide, list_pairs, show, undo

__all__ = ["compare", "decide", "list_pairs", "match", "show", "undo"]
