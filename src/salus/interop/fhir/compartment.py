"""Whose a resource is: the patient whose link seals it, or the house.

R4's Patient compartment leaves out types that can point at a patient (Device, Task, Contract, GuidanceResponse,
BiologicallyDerivedProduct), so it is not used: any resource with a resolvable patient is that patient's. What speaks
of nobody (organisations, staff, places, products, definitions) belongs to the member's house link; everything else
without a patient is refused, because the house link is open to every pull that refers to it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from salus.interop.fhir.facts import Facts
from salus.interop.fhir.gate import Resource
from salus.interop.fhir.refusal import Refused

Owner = Callable[[str], str]
"""From "Type/id" to the id of the patient whose it is, "" if it is the house's or unknown."""

PRIMARY: Final = ("subject", "patient", "beneficiary", "for", "individual")
"""Elements that say whose a resource is; a patient elsewhere (a relative, a co-insured) is only mentioned."""

HOUSE: Final = frozenset(
    """
    ActivityDefinition CapabilityStatement CatalogEntry ChargeItemDefinition CodeSystem CompartmentDefinition ConceptMap
    Device DeviceDefinition DeviceMetric EffectEvidenceSynthesis Endpoint EventDefinition Evidence EvidenceVariable
    ExampleScenario GraphDefinition HealthcareService ImplementationGuide InsurancePlan Library Location Measure
    Medication MedicationKnowledge MedicinalProduct MedicinalProductAuthorization MedicinalProductContraindication
    MedicinalProductIndication MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured
    MedicinalProductPackaged MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition
    NamingSystem ObservationDefinition OperationDefinition Organization OrganizationAffiliation PlanDefinition
    Practitioner PractitionerRole Questionnaire ResearchDefinition ResearchElementDefinition ResearchStudy
    RiskEvidenceSynthesis Schedule SearchParameter Slot SpecimenDefinition StructureDefinition StructureMap Substance
    SubstanceNucleicAcid SubstancePolymer SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial
    SubstanceSpecification TerminologyCapabilities TestReport TestScript ValueSet
    """.split()  # noqa: SIM905 -- a table of words reads better than 70 quoted lines
)


_OF_STAFF: Final = ("practitioner", "device", "medication", "substance")
"""Kinds of Group that hold no persons cared for (R4 group-type)."""


def patient_of(resource: Resource, found: Facts, changed: Mapping[str, str], owner: Owner) -> str:
    """Return the id of the patient whose the resource is, "" for the house.

    In this order: the Patient itself; a primary element; the only patient referred to anywhere; the house, for its
    types; the only patient to whom the resources referred to belong. Raises `Refused`: several-patients when a step finds more than one,
    no-patient when none finds any.
    """
    if resource.type == "Patient":
        return found.id
    steps = (
        _primary(resource, changed),
        {target.split("/")[1] for target in found.references if target.startswith("Patient/")},
    )
    for patients in steps:
        if patients:
            return _only(patients, resource.type)
    if resource.type in HOUSE or (resource.type == "Group" and resource.tree.get("type") in _OF_STAFF):
        return ""
    patients = {owner(target) for target in found.references} - {""}
    if not patients:
        raise Refused(
            "no-patient",
            resource.type,
            expected="a reference to the patient, or to something of the patient's",
            got="none that leads to a patient",
            todo="name the patient (for a Binary in securityContext), or send what it refers to first",
        )
    return _only(patients, resource.type)


def _primary(resource: Resource, changed: Mapping[str, str]) -> set[str]:
    patients = set()
    for name in PRIMARY:
        value = resource.tree.get(name)
        for one in value if isinstance(value, list) else (value,):
            text = one.get("reference") if isinstance(one, dict) else None
            kind, _, own = changed.get(text, text).partition("/") if isinstance(text, str) else ("", "", "")
            if kind == "Patient":
                patients.add(own.partition("/")[0])
    return patients


def _only(patients: set[str], path: str) -> str:
    if len(patients) > 1:
        raise Refused(
            "several-patients",
            path,
            expected="one patient",
            got=f"{len(patients)}",
            todo="send one resource per patient: each is sealed under one patient's key",
        )
    return next(iter(patients))
