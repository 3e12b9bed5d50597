"""Codes that a Consent speaks in, as far as they are understood here."""

from typing import Final

SCOPE: Final = "patient-privacy"
OPT_IN: Final = "OPTIN"
OPT_OUT: Final = "OPTOUT"
"""v3-ActCode consent directives: the whole rule of a consent without provisions."""
EMERGENCY: Final = frozenset({"ETREAT", "BTG"})
ACTION_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/consentaction"
ROLE_SYSTEM: Final = "urn:salus:role"
"""Roles as a member's credentials name them."""
MEMBER_SYSTEM: Final = "urn:salus:member"
"""System of an Organization's identifier that is a member's id."""
PERSON_SYSTEM: Final = "urn:salus:person"
"""System of a Practitioner's identifier that is the subject of the own member's credentials; `urn:salus:person:MEMBER` of
another member's.
"""
RESOURCE_TYPES: Final = "http://hl7.org/fhir/resource-types"
RECIPIENTS: Final = frozenset({"IRCP", "PRCP", "RCV", "DELEGATEE", "AUCG", "ULA"})
"""Participations that whoever asks has: information recipient, primary recipient, receiver, delegatee, caregiver that
receives information, user.
"""
PERSONAL: Final = frozenset(
    {"Practitioner", "PractitionerRole", "Group", "CareTeam", "RelatedPerson", "Patient", "Device"}
)
"""Actors that an organisation's credential does not name by itself."""
IMPERSONAL: Final = frozenset({"Organization", "HealthcareService", "Location"})
"""What an identifier must say that it is of, not to be perhaps a person's."""
_REASONS: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_TEFCA: Final = "urn:oid:2.16.840.1.113883.3.7204.1.5.2.1"
_REASON_CODES: Final = """
    TREAT ETREAT BTG HPAYMT HOPERAT HRESCH PUBHLTH PATRQT FAMRQT PWATRNY HMARKT CAREMGT CLINTRCH COC TREATDS CLMATTCH
    COVAUTH COVERAGE ELIGDTRM ELIGVER ENROLLM MILDCRG REMITADV PMTDS DONAT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM
    HLEGAL HOUTCOMS HPRGRP HQUALIMP HSYSADMIN LABELING MEMADMIN METAMGT PATADMIN PATSFTY PERFMSR RECORDMGT SYSDEV HTEST
    TRAIN BIORCH CLINTRCHNPC CLINTRCHPC DSRCH POARCH PREPHTRESCH TRANSRCH DISASTER THREAT SUPNWK
"""
_TEFCA_CODES: Final = """
    T-TREAT=TREAT T-TRTMNT=TREAT T-PYMNT=HPAYMT T-HCO=HOPERAT T-PH=PUBHLTH T-PH-ECR=PUBHLTH T-PH-ELR=PUBHLTH T-IAS=PATRQT
    T-GOVDTRM=HPAYMT
"""
PURPOSES: Final = {
    **{(system, code): code for system in ("", _REASONS) for code in _REASON_CODES.split()},
    **{(_TEFCA, code): reason for code, reason in (pair.split("=") for pair in _TEFCA_CODES.split())},
}
"""(system, code) of a purpose of use to v3-ActReason, the code alone included."""
