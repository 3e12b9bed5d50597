"""Whose eyes the member's own records are for, and under which terms each lease is read.

Own records: the treatment relationship is the member's word, given in the person's credential by purpose; what else
staff do reads the classes that every office handles. Leases: what the patient's grant says of roles, purposes and time;
the custodian has already left out what its slip does not open.
"""

from collections.abc import Mapping
from typing import Final

from salus.agreements.consent.decide import Provision
from salus.agreements.grants import Document
from salus.index.search_scope import Realm
from salus.interop.fhir.sensitivity import Sensitivity

OPERATOR: Final = "operator"
ADMINISTRATION: Final = "HSYSADMIN"
"""v3-ActReason: health system administration, the local operator's purpose unless it names another."""
EVERY_CLASS: Final = tuple(int(one) for one in Sensitivity)
OFFICE_CLASSES: Final = tuple(
    int(one)
    for one in Sensitivity
    if one
    not in {
        Sensitivity.GENETIC,
        Sensitivity.REPRODUCTIVE,
        Sensitivity.SEXUAL_HEALTH,
        Sensitivity.MENTAL_HEALTH,
        Sensitivity.SUBSTANCE_USE,
    }
)
OWN_TERMS: Final = (
    Provision("policy.treatment", "permit", purposes=("TREAT", "ETREAT"), sensitivities=EVERY_CLASS),
    Provision("policy.office", "permit", purposes=("HPAYMT", "HOPERAT"), sensitivities=OFFICE_CLASSES),
    Provision(
        "policy.administration",
        "permit",
        roles=(OPERATOR,),
        purposes=(ADMINISTRATION,),
        sensitivities=EVERY_CLASS,
    ),
)
_PCF: Final = "https://profiles.ihe.net/ITI/PCF/Policy-"
_EMERGENCY: Final = ("ETREAT", "BTG")
WITHOUT_CONSENT: Final[Mapping[str, tuple[Provision, ...]]] = {
    "basic-normal": (
        Provision(
            f"{_PCF}basic-normal", "permit", purposes=("TREAT", "HPAYMT", "HOPERAT"), sensitivities=OFFICE_CLASSES
        ),
        Provision(f"{_PCF}break-glass-only", "permit", purposes=_EMERGENCY, sensitivities=EVERY_CLASS),
    ),
    "all-normal": (
        Provision(f"{_PCF}all-normal", "permit", sensitivities=OFFICE_CLASSES),
        Provision(f"{_PCF}break-glass-only", "permit", purposes=_EMERGENCY, sensitivities=EVERY_CLASS),
    ),
    "break-glass-only": (
        Provision(f"{_PCF}break-glass-only", "permit", purposes=_EMERGENCY, sensitivities=EVERY_CLASS),
    ),
    "deny": (),
}
"""What stands where no consent says anything (IHE PCF 1.1, volume 1, default policies); normal: what every office handles.

Emergencies are among the normal ones, too: only `deny` leaves them out. A consent that permits opens more, within OWN_TERMS.
"""
PATIENT_TERMS: Final = (
    Provision("policy.patient", "permit", roles=("patient",), purposes=("PATRQT",), sensitivities=EVERY_CLASS),
)
"""The terms of a patient's own program, over that patient's records alone."""


def own_realm(purpose: str, without_consent: str) -> Realm:
    """Return the member's own records as they are read for a purpose, under the default policy that is configured."""
    if purpose == ADMINISTRATION:
        return Realm(OWN_TERMS)
    return Realm(OWN_TERMS, consented=True, default=WITHOUT_CONSENT.get(without_consent))


def lease_terms(document: Document) -> tuple[Provision, ...]:
    """Return the terms under which what was pulled is read: the grant document's."""
    return (
        Provision(
            "grant",
            "permit",
            members=(document.grantee,),
            roles=document.roles,
            purposes=document.purposes,
            active=(document.not_before, document.expiry),
            sensitivities=EVERY_CLASS,
        ),
    )


def permits_unread(role: str, purpose: str) -> bool:
    """Tell whether the policy shows an own record whose class nobody knows."""
    return purpose in {"TREAT", "ETREAT"} or (role == OPERATOR and purpose == ADMINISTRATION)
