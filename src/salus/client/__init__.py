"""Typed Python client of a node's HTTP API; `Study` is a researcher's door to it."""

from salus.client.study import Answer, NotAnswered, Study

__all__ = ["Answer", "NotAnswered", "Study"]
