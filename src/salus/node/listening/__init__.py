"""HL7 v2 at a member's node: messages taken in, held for a person, looked at, sent through again.

The use cases of this package are its browser of messages; `taking` is what the listener calls.
"""

from salus.node.listening.browsing import drop, list_messages, replay, show

__all__ = ["drop", "list_messages", "replay", "show"]
