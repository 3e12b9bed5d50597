"""A node whose process dies between two durable steps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from salus.node.member import MemberNode


class Died(BaseException):
    """The process is gone: no handler of ours sees it."""


@contextmanager
def dying(node: MemberNode, after: int) -> Iterator[list[str]]:
    """Let a node die after so many durable steps: desk, ledger, exchange. Only what was durable is left."""
    left = after
    seen: list[str] = []

    def stop(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **named: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Died
            left -= 1
            seen.append(name)
            return step(*args, **named)

        return stepped

    places = ((node.desk, "keep_claims"), (node.desk, "send_later"), (node.desk, "sent"), (node.submitter, "submit"))
    kept = [(owner, name, getattr(owner, name)) for owner, name in places]
    for owner, name, step in kept:
        setattr(owner, name, stop(name, step))
    try:
        yield seen
    except Died:
        seen.append("died")
    finally:
        for owner, name, _ in kept:
            delattr(owner, name)
