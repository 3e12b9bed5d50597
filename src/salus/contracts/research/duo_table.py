"""The 39 classes of the Data Use Ontology (EBISPOT/DUO, CC BY 4.0). Written by `python -m tests.duo_write`; do not edit."""

from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What a class is for."""

    ROOT = "root"
    PERMISSION = "permission"
    MODIFIER = "modifier"
    INVESTIGATION = "investigation"
    OBSOLETE = "obsolete"


class DuoClass(NamedTuple):
    """A class: its kind, shorthand (may be empty), label, and the numbers of its parents within the ontology."""

    kind: Kind
    shorthand: str
    label: str
    parents: tuple[int, ...]


CLASSES: Final[dict[int, DuoClass]] = {
    1: DuoClass(Kind.ROOT, "", "data use permission", ()),
    2: DuoClass(Kind.OBSOLETE, "", "obsolete consent code primary category", ()),
    3: DuoClass(Kind.OBSOLETE, "", "obsolete consent code secondary category", ()),
    4: DuoClass(Kind.PERMISSION, "NRES", "no restriction", (1,)),
    5: DuoClass(Kind.OBSOLETE, "GRU-CC", "obsolete general research use and clinical care", ()),
    6: DuoClass(Kind.PERMISSION, "HMB", "health or medical or biomedical research", (42,)),
    7: DuoClass(Kind.PERMISSION, "DS", "disease specific research", (6,)),
    11: DuoClass(Kind.PERMISSION, "POA", "population origins or ancestry research only", (1,)),
    12: DuoClass(Kind.MODIFIER, "RS", "research specific restrictions", (17,)),
    14: DuoClass(Kind.OBSOLETE, "RU", "obsolete research use only", ()),
    15: DuoClass(Kind.MODIFIER, "NMDS", "no general methods research", (17,)),
    16: DuoClass(Kind.MODIFIER, "GSO", "genetic studies only", (17,)),
    17: DuoClass(Kind.ROOT, "", "data use modifier", ()),
    18: DuoClass(Kind.MODIFIER, "NPUNCU", "not for profit, non commercial use only", (17,)),
    19: DuoClass(Kind.MODIFIER, "PUB", "publication required", (17,)),
    20: DuoClass(Kind.MODIFIER, "COL", "collaboration required", (17,)),
    21: DuoClass(Kind.MODIFIER, "IRB", "ethics approval required", (17,)),
    22: DuoClass(Kind.MODIFIER, "GS", "geographical restriction", (17,)),
    24: DuoClass(Kind.MODIFIER, "MOR", "publication moratorium", (17,)),
    25: DuoClass(Kind.MODIFIER, "TS", "time limit on use", (17,)),
    26: DuoClass(Kind.MODIFIER, "US", "user specific restriction", (17,)),
    27: DuoClass(Kind.MODIFIER, "PS", "project specific restriction", (17,)),
    28: DuoClass(Kind.MODIFIER, "IS", "institution specific restriction", (17,)),
    29: DuoClass(Kind.MODIFIER, "RTN", "return to database or resource", (17,)),
    31: DuoClass(Kind.INVESTIGATION, "", "method development", ()),
    32: DuoClass(Kind.INVESTIGATION, "", "population research", ()),
    33: DuoClass(Kind.INVESTIGATION, "", "ancestry research", ()),
    34: DuoClass(Kind.INVESTIGATION, "", "age category research", ()),
    35: DuoClass(Kind.INVESTIGATION, "", "gender category research", ()),
    36: DuoClass(Kind.INVESTIGATION, "", "research control", ()),
    37: DuoClass(Kind.INVESTIGATION, "", "biomedical research", ()),
    38: DuoClass(Kind.INVESTIGATION, "", "genetic research", (37,)),
    39: DuoClass(Kind.INVESTIGATION, "", "drug development research", (37,)),
    40: DuoClass(Kind.INVESTIGATION, "", "disease category research", (37,)),
    42: DuoClass(Kind.PERMISSION, "GRU", "general research use", (1,)),
    43: DuoClass(Kind.MODIFIER, "CC", "clinical care use", (17,)),
    44: DuoClass(Kind.MODIFIER, "NPOA", "population origins or ancestry research prohibited", (17,)),
    45: DuoClass(Kind.MODIFIER, "NPU", "not for profit organisation use only", (18,)),
    46: DuoClass(Kind.MODIFIER, "NCU", "non-commercial use only", (18,)),
}
