"""A notification drafted for a person to complete and send: what Form FDA 3911 asks, in its own words.

The program fills in what it knows and says what it does not. Nothing is sent; item numbers are the form's business.
"""

from dataclasses import dataclass
from typing import Final

from salus.interop.gs1.digits import check_digit

OPEN: Final = "(to be filled in)"
CLASSES: Final = {
    "DISPENSED": "suspect: counterfeit or diverted; dispensed elsewhere",
    "STOLEN": "stolen",
    "DESTROYED": "suspect: counterfeit; destroyed elsewhere",
    "EXPORTED": "suspect: diverted; exported before",
    "HOLDER_MISMATCH": "suspect: diverted; another holder on the ledger",
    "IMPOSSIBLE_TRAVEL": "suspect: counterfeit; scanned at two places at once",
    "ILLEGITIMATE": "illegitimate",
}


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What is known of a suspect pack."""

    code: str
    """Answer's code: `DISPENSED`, `STOLEN`, ..."""
    determined: str
    """Day, ISO 8601."""
    gtin: str
    lot: str
    expiry: str
    """YYMMDD, or empty."""
    serial: str
    told: str = ""
    """What happened, in the words of who reports."""
    company: str = ""
    """Name, address and contact of who reports."""
    quantity: int = 1


def ndc_of(gtin: str) -> str:
    """Return the 10 digits of the US National Drug Code inside a GTIN-14, or "" if it has none (no 03 after its first digit)."""
    if len(gtin) != 14 or gtin[1:3] != "03" or check_digit(gtin[:-1]) != gtin[-1]:
        return ""
    return gtin[3:13]


def draft(suspicion: Suspicion) -> tuple[tuple[str, str], ...]:
    """Return the fields of a notification, (name, value), in the form's order."""
    ndc = ndc_of(suspicion.gtin)
    expiry = suspicion.expiry
    return (
        ("Type of report", "initial notification"),
        ("Date company determined the product was illegitimate or suspect", suspicion.determined),
        ("Classification of notification", CLASSES.get(suspicion.code, f"suspect: {suspicion.code or OPEN}")),
        ("Name of product as it appears on the label", OPEN),
        ("Primary ingredients, strength, dosage form", OPEN),
        ("Quantity of product", f"{suspicion.quantity} package" + ("s" if suspicion.quantity != 1 else "")),
        ("NDC number", f"{ndc} (as in GTIN {suspicion.gtin}; its hyphens are not on the label)" if ndc else OPEN),
        ("GTIN", suspicion.gtin or OPEN),
        ("Serial number", suspicion.serial or OPEN),
        ("Lot number", suspicion.lot or OPEN),
        ("Expiration date", f"20{expiry[:2]}-{expiry[2:4]}-{expiry[4:]}" if len(expiry) == 6 else OPEN),
        ("Description of event or issue", suspicion.told or OPEN),
        ("Company name, address and contact", suspicion.company or OPEN),
    )
