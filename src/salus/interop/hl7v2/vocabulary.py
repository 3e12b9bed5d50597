"""Codes of HL7 v2 tables as R4's codes (HL7 v2-to-FHIR implementation guide, concept maps; CC0 1.0)."""

from typing import Final

V3: Final = "http://terminology.hl7.org/CodeSystem/v3-"
V2: Final = "http://terminology.hl7.org/CodeSystem/v2-"

GENDER: Final = {"F": "female", "M": "male", "O": "other", "U": "unknown", "A": "other", "N": "other"}  # 0001
MARITAL: Final = {
    "A": "L", "D": "D", "M": "M", "S": "S", "W": "W", "C": "C", "G": "T", "P": "T", "R": "T", "E": "L", "N": "A", "I": "I",
    "B": "U",
}  # fmt: skip  # 0002
MARITAL_UNTOLD: Final = {"U": "UNK", "O": "OTH", "T": "NAVU"}  # 0002, of v3-NullFlavor
CLASS: Final = {"E": "EMER", "I": "IMP", "O": "AMB", "P": "PRENC"}  # 0004; others stay codes of v2-0004
NAME_USE: Final = {
    "BAD": "old", "D": "usual", "L": "official", "M": "maiden", "MSK": "anonymous", "N": "nickname", "NAV": "temp",
    "R": "official", "TEMP": "temp",
}  # fmt: skip  # 0200
ADDRESS_USE: Final = {"BA": "old", "BI": "billing", "C": "temp", "B": "work", "H": "home", "O": "work"}  # 0190
TELECOM_USE: Final = {
    "PRN": "home",
    "ORN": "home",
    "WPN": "work",
    "VHN": "home",
    "NET": "home",
    "PRS": "mobile",
}  # 0201
TELECOM_SYSTEM: Final = {
    "PH": "phone", "FX": "fax", "MD": "other", "CP": "phone", "SAT": "other", "BP": "pager", "INTERNET": "email",
    "X.400": "email", "TDD": "other", "TTY": "other",
}  # fmt: skip  # 0202
ALLERGY_CATEGORY: Final = {
    "DA": "medication", "FA": "food", "EA": "environment", "AA": "biologic", "PA": "environment", "LA": "environment",
}  # fmt: skip  # 0127
REACTION: Final = {"SV": "severe", "MO": "moderate", "MI": "mild"}  # 0128
CRITICALITY: Final = {"SV": "high", "MI": "low"}  # 0128
# 0085. B, V and U are final results under further review; I, R, S wait for it.
OBSERVATION: Final = {
    "A": "amended", "B": "amended", "C": "corrected", "D": "entered-in-error", "F": "final", "I": "registered",
    "P": "preliminary", "R": "preliminary", "S": "preliminary", "U": "final", "V": "final", "W": "entered-in-error",
    "X": "cancelled",
}  # fmt: skip
# 0123. Y and Z say that there is no such order or patient: a result with them is refused.
REPORT: Final = {
    "O": "registered", "I": "registered", "S": "registered", "A": "partial", "P": "preliminary", "C": "corrected",
    "R": "partial", "F": "final", "X": "cancelled", "M": "amended", "N": "registered",
}  # fmt: skip
# A lower one never replaces a higher one; cancelled and entered-in-error end a report.
REPORT_RANK: Final = {
    "registered": 0, "partial": 1, "preliminary": 1, "final": 2, "amended": 3, "corrected": 3, "appended": 3,
    "cancelled": 4, "entered-in-error": 4,
}  # fmt: skip
# HL70396, coding systems as they are written in practice
SYSTEMS: Final = {
    "LN": "http://loinc.org", "LOINC": "http://loinc.org", "SCT": "http://snomed.info/sct", "SNM": "http://snomed.info/sct",
    "SNOMED": "http://snomed.info/sct", "SNOMED-CT": "http://snomed.info/sct", "UCUM": "http://unitsofmeasure.org",
    "I10": "http://hl7.org/fhir/sid/icd-10", "I10C": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD-10-CM": "http://hl7.org/fhir/sid/icd-10-cm", "I9": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9C": "http://hl7.org/fhir/sid/icd-9-cm", "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "CVX": "http://hl7.org/fhir/sid/cvx", "NDC": "http://hl7.org/fhir/sid/ndc", "C4": "http://www.ama-assn.org/go/cpt",
    "CPT": "http://www.ama-assn.org/go/cpt",
}  # fmt: skip
# Units as laboratories write them, where one unit of UCUM is meant beyond doubt
UNITS: Final = {
    "mmHg": "mm[Hg]", "mcg": "ug", "mcg/mL": "ug/mL", "mcg/dL": "ug/dL", "mg/dl": "mg/dL", "g/dl": "g/dL", "mmol/l": "mmol/L",
    "umol/l": "umol/L", "IU/L": "[IU]/L", "U/l": "U/L", "mEq/L": "meq/L", "mEq/l": "meq/L", "K/uL": "10*3/uL", "10^3/uL": "10*3/uL",
    "x10E3/uL": "10*3/uL", "10*3/uL": "10*3/uL", "M/uL": "10*6/uL", "10^6/uL": "10*6/uL", "x10E6/uL": "10*6/uL", "sec": "s",
    "hr": "h", "bpm": "/min", "fl": "fL", "C": "Cel", "degC": "Cel", "F": "[degF]", "degF": "[degF]", "lbs": "[lb_av]",
    "in": "[in_i]", "pg/ml": "pg/mL", "ng/ml": "ng/mL", "mL/min/1.73m2": "mL/min/{1.73_m2}",
}  # fmt: skip
