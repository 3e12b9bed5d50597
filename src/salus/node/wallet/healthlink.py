"""`salus wallet health-link`: a SMART Health Link to the own record, for whoever is shown it."""

import base64
import re
import zlib
from collections.abc import Iterable
from typing import Annotated, Final

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Meta

from salus.node.errors import NotFound
from salus.node.patient.healthlinks import DAY_MS, MAX_DAYS, AskLinks, EndLink, KeepLink, Links
from salus.node.patient.messages import Done
from salus.node.records.charts import moment
from salus.node.usecase import PATIENT, Message, use_case
from salus.node.wallet.file import OpenWallet
from salus.node.wallet.seeing import bundle, newest

CTY: Final = "application/fhir+json"
ROUTE: Final = "/health-links/"


class MakeLink(Message, frozen=True):
    """What is shared, and for how long."""

    types: Annotated[
        tuple[str, ...],
        Meta(description="Only these resource types; all if empty.", examples=[["AllergyIntolerance"]]),
    ] = ()
    days: Annotated[int, Meta(ge=1, le=MAX_DAYS, description="For how many days.", examples=[7])] = 7
    member: Annotated[
        str,
        Meta(
            pattern="^([a-z][a-z0-9-]{1,31})?$",
            description="Member that keeps the sealed file; the first joined if empty.",
            examples=["north-hospital"],
        ),
    ] = ""


class LinkMade(Message, frozen=True):
    """Whoever has it can read what is in it, until it ends."""

    link: Annotated[str, Meta(description="The link: `shlink:/...`, as text or as a QR code.")]
    records: Annotated[int, Meta(description="Records in it.")]
    until: Annotated[str, Meta(description="Until when it can be fetched, UTC.")]


class ListLinks(Message, frozen=True):
    """Asks for nothing more."""


class LinkLine(Message, frozen=True):
    """A link that holds. Its key is in nobody's hands but of those who were shown it."""

    id: Annotated[str, Meta(description="Its id, hexadecimal.")]
    member: Annotated[str, Meta(description="Member that keeps the sealed file.")]
    until: Annotated[str, Meta(description="Until when, UTC.")]
    fetched: Annotated[int, Meta(description="How often it was fetched.")]


class LinksListed(Message, frozen=True):
    """Links that hold."""

    links: Annotated[tuple[LinkLine, ...], Meta(description="By member, oldest first.")]


class EndOneLink(Message, frozen=True):
    """Which link to end."""

    id: Annotated[
        str,
        Meta(
            pattern="^[0-9a-f]{64}$",
            description="Its id, hexadecimal.",
            examples=["ab" * 32],
            extra={"positional": True},
        ),
    ]


class LinkEnded(Message, frozen=True):
    """Nobody fetches it any more. What was fetched cannot be unread."""

    member: Annotated[str, Meta(description="Member that kept it.")]


@use_case("wallet.health-link", who=PATIENT)
def make_link(wallet: OpenWallet, request: MakeLink) -> LinkMade:
    """Seal the own record, or a part of it, for whoever gets a SMART Health Link.

    The key is in the link alone: the member that keeps the file cannot read it.
    """
    member = wallet.through(request.member)
    records = [one for one in newest(wallet).values() if one.content.media.startswith(CTY)]
    chosen = [one for one in records if not request.types or one.content.type in request.types]
    if not chosen:
        raise NotFound("health-link.nothing", "there is nothing of this kind", todo="choose another kind")
    holder = wallet.holder
    id_, key, ends = holder.entropy(32), holder.entropy(32), holder.clock() + request.days * DAY_MS
    body = sealed(bundle(chosen), key, holder.entropy(12))
    holder.instruct(member, "health-link", KeepLink(id_, ends, body), Done)
    place = wallet.place_of(member)
    return LinkMade(link=written(f"{place}{ROUTE}{_text(id_)}", key, ends), records=len(chosen), until=moment(ends))


@use_case("wallet.health-links", who=PATIENT)
def list_links(wallet: OpenWallet, request: ListLinks) -> LinksListed:  # noqa: ARG001 -- a use case
    """List the links that hold, at all members joined."""
    return LinksListed(links=tuple(_lines(wallet)))


@use_case("wallet.end-health-link", who=PATIENT)
def end_link(wallet: OpenWallet, request: EndOneLink) -> LinkEnded:
    """End a link at once."""
    for one in _lines(wallet):
        if one.id == request.id:
            wallet.holder.instruct(one.member, "end-health-link", EndLink(bytes.fromhex(request.id)), Done)
            return LinkEnded(member=one.member)
    raise NotFound("health-link.none", "there is no such link, or no more")


def _lines(wallet: OpenWallet) -> Iterable[LinkLine]:
    for tied in wallet.holder.wallet.state.links:
        told = wallet.holder.instruct(tied.member, "health-links", AskLinks(), Links)
        for id_, ends, fetched in told.links:
            yield LinkLine(id=id_.hex(), member=tied.member, until=moment(ends), fetched=fetched)


def sealed(content: bytes, key: bytes, nonce: bytes) -> bytes:
    """Return a JWE in compact form (RFC 7516): `dir`, `A256GCM`, packed by DEFLATE, as SMART Health Links ask."""
    header = msgspec.json.encode({"alg": "dir", "enc": "A256GCM", "zip": "DEF", "cty": CTY})
    packing = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packing.compress(content) + packing.flush()
    bound = _text(header)
    ciphertext = AESGCM(key).encrypt(nonce, packed, bound.encode())
    return ".".join((bound, "", _text(nonce), _text(ciphertext[:-16]), _text(ciphertext[-16:]))).encode()


def written(url: str, key: bytes, ends: int) -> str:
    """Return the link: `U` says that the address yields the file itself."""
    told = {"url": url, "flag": "U", "key": _text(key), "exp": ends // 1000}
    return f"shlink:/{_text(msgspec.json.encode(told))}"


def id_in(text: str) -> bytes:
    """Return the id that an address names, 32 bytes, or nothing."""
    return base64.urlsafe_b64decode(text + "=") if re.fullmatch(r"[\w-]{43}", text, re.ASCII) else b""


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
