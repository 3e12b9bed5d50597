"""An ExplanationOfBenefit as its reader needs it: who billed, who decided, what is paid, what is left, and why."""

from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

KIND: Final = "ExplanationOfBenefit"
OBJECTION: Final = "urn:payer:"
"""Begins the system of the numbers of payers whose decisions are on the ledger: those a wallet can appeal."""
SYMBOLS: Final = {"USD": "$", "EUR": "€"}


class Amount(NamedTuple):
    """Money as it was written."""

    value: Decimal
    currency: str


class Taken(NamedTuple):
    """One amount that is not paid, with its reason code (CARC) and the payer's words for it."""

    amount: Amount | None
    code: str
    words: str


class BillLine(NamedTuple):
    """One line of the bill."""

    what: str
    day: str
    billed: Amount | None
    paid: Amount | None
    yours: Amount | None
    taken: tuple[Taken, ...]


class Benefits(NamedTuple):
    """What was decided on one bill; nothing where the record does not say."""

    provider: str
    payer: str
    outcome: str
    """paid, denied or cancelled; empty where it is none of these."""
    billed: Amount | None
    paid: Amount | None
    yours: Amount | None
    lines: tuple[BillLine, ...]
    contestable: bool
    """Whether a wallet holds what appeals it."""


_READ: Final = msgspec.json.Decoder(float_hook=Decimal)


def benefits(kind: str, body: str) -> Benefits | None:
    """Return what a record of this kind says; None of any other, and of what does not read as JSON."""
    if kind != KIND:
        return None
    try:
        tree = _READ.decode(body.encode())
    except msgspec.DecodeError:
        return None
    cancelled = _text(tree, "status") == "cancelled"
    outcome = "cancelled" if cancelled else _text(tree, "disposition")
    totals = _amounts(_each(tree, "total"))
    return Benefits(
        _text(tree, "provider", "display"),
        _text(tree, "insurer", "display"),
        outcome if outcome in {"paid", "denied", "cancelled"} else "",
        totals.get("submitted"),
        None if cancelled else _money(_at(tree, "payment", "amount")),
        None if cancelled else totals.get("memberliability"),
        tuple(_line(one) for one in _each(tree, "item")),
        not cancelled and any(_text(one, "system").startswith(OBJECTION) for one in _each(tree, "identifier")),
    )


def _line(item: Any) -> BillLine:
    told = _each(item, "adjudication")
    amounts = _amounts(told)
    taken = tuple(
        Taken(_money(_at(one, "amount")), _code(_at(one, "reason")), _text(one, "reason", "text"))
        for one in told
        if _code(_at(one, "category")) == "denialreason"
    )
    day = _text(item, "servicedDate") or _text(item, "servicedPeriod", "start")
    product = _at(item, "productOrService")
    what = _text(product, "text") or _text(next(iter(_each(product, "coding")), None), "display") or _code(product)
    return BillLine(
        what, day, amounts.get("submitted"), amounts.get("paidtoprovider"), amounts.get("memberliability"), taken
    )


def _at(tree: Any, *path: str) -> Any:
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _text(tree: Any, *path: str) -> str:
    found = _at(tree, *path)
    return found if isinstance(found, str) else ""


def _each(tree: Any, name: str) -> list[Any]:
    found = _at(tree, name)
    return found if isinstance(found, list) else []


def _code(concept: Any) -> str:
    return _text(next(iter(_each(concept, "coding")), None), "code")


def _amounts(told: list[Any]) -> dict[str, Amount]:
    """Return amounts by the code of their category; of a reason there are several, and none is taken."""
    found = ((_code(_at(one, "category")), _money(_at(one, "amount"))) for one in told)
    return {code: amount for code, amount in found if amount is not None and code != "denialreason"}


def _money(told: Any) -> Amount | None:
    value = _at(told, "value")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Amount(Decimal(value), _text(told, "currency"))


def money(language: str, amount: Amount) -> str:
    """Return money as a language writes it: `$1,220.00`, or `1.220,00 $`."""
    symbol = SYMBOLS.get(amount.currency, amount.currency)
    written = f"{amount.value:,.2f}"
    if language != "en":
        return f"{written.translate(str.maketrans(',.', '.,'))} {symbol}".strip()
    return f"{symbol}{written}" if len(symbol) == 1 else f"{symbol} {written}".strip()
