"""Security labels (HL7 DS4P) as the decision reads them: confidentiality as a high-water mark, sensitivities by class.

A row's labels are those it carries and those of its sensitivity classes, which stand for what nobody has labelled.
"""

from typing import Final

from salus.interop.fhir.sensitivity import CLASS_SYSTEM, CLASSES, Sensitivity

CONFIDENTIALITY: Final = {"U": 0, "L": 1, "M": 2, "N": 3, "R": 4, "V": 5}
"""v3-Confidentiality in rising order."""
SAME: Final = {
    "ETH": Sensitivity.SUBSTANCE_USE,
    "SUD": Sensitivity.SUBSTANCE_USE,
    "PSY": Sensitivity.MENTAL_HEALTH,
    "MH": Sensitivity.MENTAL_HEALTH,
    "GDIS": Sensitivity.GENETIC,
}
"""v3-ActCode sensitivities that mean a class."""
PART: Final = {
    "ETHUD": Sensitivity.SUBSTANCE_USE,
    "OPIOIDUD": Sensitivity.SUBSTANCE_USE,
    "ALC": Sensitivity.SUBSTANCE_USE,
    "BH": Sensitivity.MENTAL_HEALTH,
    "PSYTHPN": Sensitivity.MENTAL_HEALTH,
    "COGN": Sensitivity.MENTAL_HEALTH,
    "DVD": Sensitivity.MENTAL_HEALTH,
    "EMOTDIS": Sensitivity.MENTAL_HEALTH,
    "HIV": Sensitivity.SEXUAL_HEALTH,
    "STD": Sensitivity.SEXUAL_HEALTH,
    "SEX": Sensitivity.SEXUAL_HEALTH,
    "SDV": Sensitivity.SEXUAL_HEALTH,
    "SCA": Sensitivity.GENETIC,
    "PREGNANT": Sensitivity.REPRODUCTIVE,
}
"""Those that mean a part of a class: a deny of one covers the class, a permit only rows that carry the label."""


def labelled(asked: tuple[str, ...], row: tuple[str, ...], sensitivity: int, *, deny: bool) -> bool:
    """Tell whether a row falls under one of the labels asked for.

    A confidentiality covers rows up to it in a permit (R4 Consent.provision.securityLabel) and from it upwards in a
    deny. A row without confidentiality is R from the genetic class upwards, else N.
    """
    ranks = {sensitivity, *(CLASSES[code] for code in map(_class_code, row) if code in CLASSES)}
    level = confidentiality(row, sensitivity)
    for label in asked:
        if label in CONFIDENTIALITY:
            if level >= CONFIDENTIALITY[label] if deny else level <= CONFIDENTIALITY[label]:
                return True
        elif label in row or SAME.get(label) in ranks or (deny and PART.get(label) in ranks):
            return True
    return False


def confidentiality(row: tuple[str, ...], sensitivity: int) -> int:
    """Return a row's rank of confidentiality: the highest that it carries, else what its class implies."""
    carried = [CONFIDENTIALITY[label] for label in row if label in CONFIDENTIALITY]
    implied = CONFIDENTIALITY["R" if sensitivity >= Sensitivity.GENETIC else "N"]
    return max(carried) if carried else implied


def _class_code(label: str) -> str:
    system, _, code = label.partition("|")
    return code if system == CLASS_SYSTEM else ""
