"""The words of EPCIS 2.0 and CBV 2.0: event types with their fields in the standard's order, and enumerations."""

from collections.abc import Mapping
from typing import Final

STEPS: Final = frozenset(
    [
        "accepting",
        "arriving",
        "assembling",
        "collecting",
        "commissioning",
        "consigning",
        "creating_class_instance",
        "cycle_counting",
        "decommissioning",
        "departing",
        "destroying",
        "disassembling",
        "dispensing",
        "encoding",
        "entering_exiting",
        "holding",
        "inspecting",
        "installing",
        "killing",
        "loading",
        "other",
        "packing",
        "picking",
        "receiving",
        "removing",
        "repackaging",
        "repairing",
        "replacing",
        "reserving",
        "retail_selling",
        "shipping",
        "staging_outbound",
        "stock_taking",
        "stocking",
        "storing",
        "transporting",
        "unloading",
        "unpacking",
        "void_shipping",
        "sensor_reporting",
        "sampling",
    ]
)
DISPOSITIONS: Final = frozenset(
    [
        "active",
        "container_closed",
        "damaged",
        "destroyed",
        "dispensed",
        "disposed",
        "encoded",
        "expired",
        "in_progress",
        "in_transit",
        "inactive",
        "no_pedigree_match",
        "non_sellable_other",
        "partially_dispensed",
        "recalled",
        "reserved",
        "retail_sold",
        "returned",
        "sellable_accessible",
        "sellable_not_accessible",
        "stolen",
        "unknown",
        "available",
        "completeness_verified",
        "completeness_inferred",
        "conformant",
        "container_open",
        "mismatch_instance",
        "mismatch_class",
        "mismatch_quantity",
        "needs_replacement",
        "non_conformant",
        "unavailable",
    ]
)
TRANSACTION_TYPES: Final = frozenset(
    [
        "bol",
        "cert",
        "desadv",
        "inv",
        "pedigree",
        "po",
        "poc",
        "prodorder",
        "recadv",
        "rma",
        "testprd",
        "testres",
        "upevt",
    ]
)
PARTY_TYPES: Final = frozenset(("owning_party", "possessing_party", "location"))
ERROR_REASONS: Final = frozenset(("did_not_occur", "incorrect_data"))
ACTIONS: Final = frozenset(("OBSERVE", "ADD", "DELETE"))
WORDS: Final[Mapping[str, tuple[frozenset[str], str, str]]] = {
    "bizStep": (STEPS, "urn:epcglobal:cbv:bizstep:", "BizStep-"),
    "disposition": (DISPOSITIONS, "urn:epcglobal:cbv:disp:", "Disp-"),
    "bizTransaction": (TRANSACTION_TYPES, "urn:epcglobal:cbv:btt:", "BTT-"),
    "party": (PARTY_TYPES, "urn:epcglobal:cbv:sdt:", "SDT-"),
    "reason": (ERROR_REASONS, "urn:epcglobal:cbv:er:", "ER-"),
}
"""Vocabulary to (words, prefix of CBV 1.2 URNs, prefix of the name in a CBV 2.0 web URI)."""

_HEAD: Final = ("eventTime", "recordTime", "eventTimeZoneOffset", "eventID", "errorDeclaration", "certificationInfo")
_PLACE: Final = ("bizStep", "disposition", "readPoint", "bizLocation", "bizTransactionList")
_TAIL: Final = ("sourceList", "destinationList", "sensorElementList", "persistentDisposition")
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "ObjectEvent": (*_HEAD, "epcList", "action", *_PLACE, "quantityList", *_TAIL, "ilmd"),
    "AggregationEvent": (*_HEAD, "parentID", "childEPCs", "action", *_PLACE, "childQuantityList", *_TAIL),
    "TransactionEvent": (
        *_HEAD,
        "bizTransactionList",
        "parentID",
        "epcList",
        "action",
        *_PLACE[:4],
        "quantityList",
        *_TAIL,
    ),
    "TransformationEvent": (
        *_HEAD,
        "inputEPCList",
        "inputQuantityList",
        "outputEPCList",
        "outputQuantityList",
        "transformationID",
        *_PLACE,
        *_TAIL,
        "ilmd",
    ),
    "AssociationEvent": (*_HEAD, "parentID", "childEPCs", "childQuantityList", "action", *_PLACE, *_TAIL),
}
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "ObjectEvent": ("action",),
    "AggregationEvent": ("action",),
    "TransactionEvent": ("action", "bizTransactionList"),
    "TransformationEvent": (),
    "AssociationEvent": ("action", "parentID"),
}
EPC_LISTS: Final = ("epcList", "childEPCs", "inputEPCList", "outputEPCList")
QUANTITY_LISTS: Final = ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList")
TYPED_LISTS: Final[Mapping[str, tuple[str, str]]] = {
    "bizTransactionList": ("bizTransaction", "bizTransaction"),
    "sourceList": ("source", "party"),
    "destinationList": ("destination", "party"),
}
"""List to (name of the member's value, vocabulary of its type)."""
NAMESPACES: Final[Mapping[str, str]] = {
    "cbvmda": "urn:epcglobal:cbv:mda",
    "gs1": "https://gs1.org/voc/",
    "cbv": "https://ref.gs1.org/cbv/",
    "epcis": "https://ref.gs1.org/epcis/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "dcterms": "http://purl.org/dc/terms/",
    "sbdh": "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader",
}
"""Prefixes that the standard's context declares."""


def bare(vocabulary: str, text: str) -> str:
    """Return a CBV word from its bare, URN or web form; what is of another vocabulary comes back as it is."""
    _, urn, web = WORDS[vocabulary]
    for prefix in (urn, f"https://ref.gs1.org/cbv/{web}", f"https://ns.gs1.org/cbv/{web}", f"cbv:{web}"):
        if text.startswith(prefix):
            return text[len(prefix) :]
    return text
