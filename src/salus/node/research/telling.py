"""Whether a person is told when a question begins that counts their records: yes, until they say otherwise."""

from salus.contracts.research import port
from salus.core.encoding import Value, decode, encode
from salus.core.proof.digest import digest
from salus.node.member import MemberNode
from salus.node.notices import RESEARCH_BEGUN, notify
from salus.node.research.wire import Held


class Wanted(Value, frozen=True):
    """What a person said last."""

    wanted: bool


def want(node: MemberNode, link: bytes, *, wanted: bool) -> None:
    """Keep what a person says."""
    node.desk.keep_research("notices", link, encode(Wanted(wanted)))


def tell(node: MemberNode, part: port.Begin, kept: Held) -> None:
    """Put a notice into the outbox for everybody counted who has an address here and did not say no; once for a begin."""
    unwilling = {link for link, body in node.desk.research("notices") if not decode(body, Wanted).wanted}
    told = node.desk.contacted() - unwilling
    for one in kept.counted:
        if one.link in told:
            once = digest("salus/v1/research-notice", part.query, part.data_set, one.link)[:16]
            notify(node, one.link, RESEARCH_BEGUN, once=once)
