"""Lines in patients' access logs for what payers and a keeper of accumulators tell each other at once.

As documents that are delivered (`docs/adr/0155`), a request or answer that names patients shows for each of them a line of its
sender: committed before it leaves, and opening to these very bytes. The receiver takes none that lacks one.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from salus.agreements.claims.keeping import Take
from salus.core.encoding import Value, encode
from salus.core.proof.digest import digest
from salus.node.anchoring import commit, serving
from salus.node.claims.exchange import line_of
from salus.node.exchange.disclosed import Disclosed, require_disclosed, shown
from salus.node.member import MemberNode


def holders_in(takes: Iterable[Take]) -> list[str]:
    """Return whose cells takes name."""
    return [one.name.holder for take in takes for one in (*take.moves, *take.seen)]


def subjects_of(holders: Iterable[str]) -> list[str]:
    """Return who is owed a line: each person, and a family of which no person is named."""
    named = set(holders)
    persons = {one for one in named if "|" in one}
    families = {one.partition("|")[0] for one in persons}
    return sorted(persons | {one for one in named if "|" not in one and one not in families})


def opened_by(node: MemberNode, sender: str, receiver: str, told: Value) -> bytes:
    """Return what a line opens to: network, sender, receiver, and what was told without its lines."""
    bare = encode(msgspec.structs.replace(told, lines=()))
    return digest("salus/v1/claims-kept-told", node.network, sender.encode(), receiver.encode(), bare)


@contextlib.contextmanager
def disclosing(
    node: MemberNode, receiver: str, payer: str, holders: Iterable[str], told: Value
) -> Iterator[tuple[Disclosed, ...]]:
    """Commit a line for each patient that a member is about to be told of; yield what shows the lines.

    `payer` is whose numbers the holders have. Raises Unavailable or Refused while nothing can be committed: then nothing is told.
    """
    links = node.vault.open_links([(f"urn:payer:{payer}", one) for one in subjects_of(holders)])
    answer = opened_by(node, node.member, receiver, told)
    lines = [msgspec.structs.replace(line_of(link, receiver, "Accumulators"), answer=answer) for link in links]
    with serving(node, lines) as entries:
        if entries:
            commit(node, entries)
        yield tuple(shown(line) for line in node.vault.lines_at(entries))


def require_lines(
    node: MemberNode, sender: str, told: Value, lines: Sequence[Disclosed], holders: Sequence[str]
) -> None:
    """Require a committed line of the sender for each patient named. Raises Forbidden, Malformed, Unavailable."""
    require_disclosed(node, sender, lines, opened_by(node, sender, node.member, told), len(subjects_of(holders)))
