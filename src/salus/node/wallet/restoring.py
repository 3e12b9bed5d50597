"""`salus wallet sheet`, `restore`: a code on paper that brings the wallet back from any member joined."""

from typing import Annotated, Final

import httpx
from msgspec import Meta

from salus.core.encoding import MalformedBytes, decode, encode
from salus.node.errors import Malformed, NotFound, Unavailable
from salus.node.exchange.wire import MEDIA_TYPE, post, read_answer
from salus.node.patient import messages as m
from salus.node.usecase import PATIENT, Message, use_case
from salus.node.wallet.file import HTTP_SECONDS, NoWallet, OpenWallet
from salus.node.wallet.joining import MEMBER
from salus.vault.errors import SealBroken
from salus.vault.opener import CODE_BYTES, Opener, write_sheet

SHEET_EXAMPLE: Final = "000G-40R4-0M30-E209-185G-R38E-1W8H-4SJQ-KD2A"


class MakeSheet(Message, frozen=True):
    """Asks for nothing more."""


class SheetMade(Message, frozen=True):
    """Write it down, or print it, and keep it where a passport lies: whoever has it has the wallet."""

    sheet: Annotated[str, Meta(description="The code: nine groups of four letters and digits.")]
    members: Annotated[tuple[str, ...], Meta(description="Members that bring the wallet back for it.")]


class RestoreWallet(Message, frozen=True):
    """What the patient still has: the sheet, and somebody whom the wallet had joined."""

    trust: Annotated[
        bytes,
        Meta(description="The network's trust file, from somebody the patient trusts.", examples=[b"{}"]),
    ]
    member: MEMBER
    url: Annotated[
        str,
        Meta(
            max_length=256,
            pattern="^https?://",
            description="Where its node answers.",
            examples=["https://north.example"],
        ),
    ]
    sheet: Annotated[
        bytes,
        Meta(
            max_length=100,
            description="What is written on the sheet: no argument, which other users of the machine could see.",
            examples=[SHEET_EXAMPLE.encode()],
        ),
    ]


class WalletRestored(Message, frozen=True):
    """The wallet is back, with all that the member kept of it."""

    members: Annotated[tuple[str, ...], Meta(description="Members that it is tied to.")]
    grants: Annotated[int, Meta(description="Grants known.")]


@use_case("wallet.sheet", who=PATIENT)
def sheet(wallet: OpenWallet, request: MakeSheet) -> SheetMade:  # noqa: ARG001 -- a use case
    """Make a recovery sheet, and leave what it opens with every member joined.

    A sheet made before stays good. Raises Unavailable when no member keeps it: the sheet would open nothing. Who hosts the wallet's root for it cannot open it without the sheet.
    """
    holder = wallet.holder
    wallet.through("")
    made = write_sheet(holder.entropy(CODE_BYTES))
    holder.keep()
    left = holder.leave(Opener.of_sheet(made))
    if not left:
        raise Unavailable("wallet.left-nowhere", "no member keeps what the sheet would open", todo="try again")
    return SheetMade(sheet=made, members=tuple(left))


@use_case("wallet.restore", who=PATIENT)
def restore(place: NoWallet, request: RestoreWallet) -> WalletRestored:
    """Bring a lost wallet back from its recovery sheet and a member that it had joined."""
    try:
        opener = Opener.of_sheet(request.sheet.decode(errors="replace"))
    except SealBroken as error:
        raise Malformed("wallet.sheet", str(error), todo="look at the sheet again") from error
    url = request.url.rstrip("/")
    root = opener.open_root(request.member, _file(request.member, url, opener.locator(request.member)))
    made = place.make(request.trust, root)
    try:
        made.urls[request.member] = url
        made.holder.bring_back(request.member)
        state = made.holder.wallet.state
        return WalletRestored(members=tuple(tied.member for tied in state.links), grants=len(state.grants))
    finally:
        made.close()


def _file(member: str, url: str, locator: bytes) -> bytes:
    """Return the wrapped root that a member keeps. Raises NotFound, Unavailable."""
    with httpx.Client(timeout=HTTP_SECONDS, follow_redirects=False) as client:
        answer = post(client, member, url + m.RETURN, {"content-type": MEDIA_TYPE}, encode(m.Return(locator)))
    try:
        returned = decode(read_answer(member, answer), m.Returned)
    except MalformedBytes as error:
        raise Unavailable("wallet.answer", "the node answered what is no answer", got=member) from error
    if not returned.version:
        raise NotFound("wallet.sheet-unknown", "this member keeps nothing for this sheet", todo="ask another member")
    return returned.file
