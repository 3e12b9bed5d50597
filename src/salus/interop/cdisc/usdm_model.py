"""The classes of USDM 4.0 and their attributes, as a table (CDISC DDF-RA, `dataStructure.yml`, content CC-BY-4.0).

One class a line: its name, its abstract class in brackets, its attributes. An attribute is a name, a mark of how often
(none: once, ? at most once, * any number, + at least once), then `:` before the type of a contained value or `@`
before the class, or classes with `|`, that an id refers to. `instanceType` stands in every class. `Study.id` is a
universal id that need not be given (`USDM_API.json`).
"""

from dataclasses import dataclass
from typing import Final

TABLE: Final = """
Abbreviation id:string abbreviatedText:string expandedText:string notes*:CommentAnnotation extensionAttributes*:ExtensionAttribute
Activity id:string name:string label?:string description?:string notes*:CommentAnnotation definedProcedures*:Procedure biomedicalConceptIds*@BiomedicalConcept nextId?@Activity timelineId?@ScheduleTimeline childIds*@Activity previousId?@Activity bcSurrogateIds*@BiomedicalConceptSurrogate bcCategoryIds*@BiomedicalConceptCategory extensionAttributes*:ExtensionAttribute
Address id:string text?:string lines*:string district?:string city?:string postalCode?:string state?:string country?:Code extensionAttributes*:ExtensionAttribute
AdministrableProduct id:string name:string label?:string description?:string administrableDoseForm:AliasCode sourcing?:Code productDesignation:Code pharmacologicClass?:Code notes*:CommentAnnotation identifiers*:AdministrableProductIdentifier properties*:AdministrableProductProperty ingredients*:Ingredient extensionAttributes*:ExtensionAttribute
AdministrableProductIdentifier(Identifier) id:string text:string scopeId@Organization extensionAttributes*:ExtensionAttribute
AdministrableProductProperty id:string name:string type:Code text:string quantity?:Quantity extensionAttributes*:ExtensionAttribute
Administration id:string name:string label?:string description?:string dose?:Quantity frequency?:AliasCode route?:AliasCode duration:Duration notes*:CommentAnnotation administrableProductId?@AdministrableProduct medicalDeviceId?@MedicalDevice extensionAttributes*:ExtensionAttribute
AliasCode id:string standardCode:Code standardCodeAliases*:Code extensionAttributes*:ExtensionAttribute
AnalysisPopulation id:string text:string name:string label?:string description?:string notes*:CommentAnnotation subsetOfIds*@PopulationDefinition extensionAttributes*:ExtensionAttribute
AssignedPerson id:string name:string label?:string description?:string personName:PersonName jobTitle:string organizationId?@Organization extensionAttributes*:ExtensionAttribute
BiomedicalConcept id:string name:string label?:string synonyms*:string reference:string code:AliasCode notes*:CommentAnnotation properties*:BiomedicalConceptProperty extensionAttributes*:ExtensionAttribute
BiomedicalConceptCategory id:string name:string label?:string description?:string code?:AliasCode notes*:CommentAnnotation memberIds*@BiomedicalConcept childIds*@BiomedicalConceptCategory extensionAttributes*:ExtensionAttribute
BiomedicalConceptProperty id:string name:string label?:string isRequired:boolean isEnabled:boolean datatype:string code:AliasCode notes*:CommentAnnotation responseCodes*:ResponseCode extensionAttributes*:ExtensionAttribute
BiomedicalConceptSurrogate id:string name:string label?:string description?:string reference?:string notes*:CommentAnnotation extensionAttributes*:ExtensionAttribute
BiospecimenRetention id:string name:string label?:string description?:string isRetained:boolean includesDNA?:boolean extensionAttributes*:ExtensionAttribute
Characteristic(SyntaxTemplate) id:string name:string label?:string description?:string text:string notes*:CommentAnnotation dictionaryId?@SyntaxTemplateDictionary extensionAttributes*:ExtensionAttribute
Code id:string code:string codeSystem:string codeSystemVersion:string decode:string extensionAttributes*:ExtensionAttribute
CommentAnnotation id:string text:string codes*:Code extensionAttributes*:ExtensionAttribute
Condition(SyntaxTemplate) id:string name:string label?:string description?:string text:string notes*:CommentAnnotation dictionaryId?@SyntaxTemplateDictionary contextIds*@Activity|ScheduledActivityInstance appliesToIds*@BiomedicalConceptCategory|Procedure|Activity|BiomedicalConcept|BiomedicalConceptSurrogate extensionAttributes*:ExtensionAttribute
ConditionAssignment id:string condition:string conditionTargetId@ScheduledInstance extensionAttributes*:ExtensionAttribute
DocumentContentReference id:string sectionNumber:string sectionTitle:string appliesToId@StudyDefinitionDocument extensionAttributes*:ExtensionAttribute
Duration id:string text?:string quantity?:QuantityRange durationWillVary:boolean reasonDurationWillVary?:string extensionAttributes*:ExtensionAttribute
EligibilityCriterion id:string name:string label?:string description?:string identifier:string category:Code notes*:CommentAnnotation criterionItemId@EligibilityCriterionItem nextId?@EligibilityCriterion previousId?@EligibilityCriterion extensionAttributes*:ExtensionAttribute
EligibilityCriterionItem(SyntaxTemplate) id:string name:string label?:string description?:string text:string notes*:CommentAnnotation dictionaryId?@SyntaxTemplateDictionary extensionAttributes*:ExtensionAttribute
Encounter id:string name:string label?:string description?:string type:Code environmentalSettings*:Code contactModes*:Code notes*:CommentAnnotation transitionEndRule?:TransitionRule nextId?@Encounter transitionStartRule?:TransitionRule scheduledAtId?@Timing previousId?@Encounter extensionAttributes*:ExtensionAttribute
Endpoint(SyntaxTemplate) id:string name:string label?:string description?:string text:string notes*:CommentAnnotation dictionaryId?@SyntaxTemplateDictionary level:Code purpose:string extensionAttributes*:ExtensionAttribute
Estimand id:string populationSummary:string name:string label?:string description?:string notes*:CommentAnnotation analysisPopulationId@AnalysisPopulation variableOfInterestId@Endpoint intercurrentEvents+:IntercurrentEvent interventionIds+@StudyIntervention extensionAttributes*:ExtensionAttribute
ExtensionAttribute id:string url:string valueString?:string valueBoolean?:boolean valueInteger?:integer valueId?:string valueQuantity?:Quantity valueRange?:Range valueCode?:Code valueAliasCode?:AliasCode valueExtensionClass?:ExtensionClass extensionAttributes*:ExtensionAttribute
ExtensionClass id:string url:string extensionAttributes+:ExtensionAttribute
GeographicScope id:string type:Code code?:AliasCode extensionAttributes*:ExtensionAttribute
GovernanceDate id:string name:string label?:string description?:string type:Code dateValue:date geographicScopes+:GeographicScope extensionAttributes*:ExtensionAttribute
Indication id:string name:string label?:string description?:string isRareDisease:boolean codes*:Code notes*:CommentAnnotation extensionAttributes*:ExtensionAttribute
Ingredient id:string role:Code substance:Substance extensionAttributes*:ExtensionAttribute
IntercurrentEvent(SyntaxTemplate) id:string name:string label?:string description?:string text:string notes*:CommentAnnotation dictionaryId?@SyntaxTemplateDictionary strategy:string extensionAttributes*:ExtensionAttribute
InterventionalStudyDesign(StudyDesign) id:string name:string label?:string description?:string rationale:string therapeuticAreas*:Code studyType?:Code characteristics*:Code studyPhase?:AliasCode notes*:CommentAnnotation activities*:Activity biospecimenRetentions*:BiospecimenRetention eligibilityCriteria+:EligibilityCriterion encounters*:Encounter estimands*:Estimand indications*:Indication objectives*:Objective scheduleTimelines*:ScheduleTimeline arms+:StudyArm studyCells+:StudyCell documentVersionIds*@StudyDefinitionDocumentVersion elements*:StudyElement studyInterventionIds*@StudyIntervention epochs+:StudyEpoch population:StudyDesignPopulation model:Code subTypes*:Code blindingSchema?:AliasCode intentTypes*:Code extensionAttributes*:ExtensionAttribute analysisPopulations*:AnalysisPopulation
Masking id:string text:string isMasked:boolean extensionAttributes*:ExtensionAttribute
MedicalDevice id:string name:string label?:string description?:string hardwareVersion?:string softwareVersion?:string sourcing?:Code notes*:CommentAnnotation embeddedProductId?@AdministrableProduct identifiers*:MedicalDeviceIdentifier extensionAttributes*:ExtensionAttribute
MedicalDeviceIdentifier(Identifier) id:string text:string scopeId@Organization type:Code extensionAttributes*:ExtensionAttribute
NarrativeContent id:string name:string sectionNumber?:string sectionTitle?:string displaySectionTitle:boolean displaySectionNumber:boolean contentItemId?@NarrativeContentItem previousId?@NarrativeContent nextId?@NarrativeContent childIds*@NarrativeContent extensionAttributes*:ExtensionAttribute
NarrativeContentItem id:string name:string text:string extensionAttributes*:ExtensionAttribute
Objective(SyntaxTemplate) id:string name:string label?:string description?:string text:string notes*:CommentAnnotation dictionaryId?@SyntaxTemplateDictionary level:Code endpoints*:Endpoint extensionAttributes*:ExtensionAttribute
ObservationalStudyDesign(StudyDesign) id:string name:string label?:string description?:string rationale:string therapeuticAreas*:Code studyType?:Code characteristics*:Code studyPhase?:AliasCode notes*:CommentAnnotation activities*:Activity biospecimenRetentions*:BiospecimenRetention eligibilityCriteria+:EligibilityCriterion encounters*:Encounter estimands*:Estimand indications*:Indication objectives*:Objective scheduleTimelines*:ScheduleTimeline arms+:StudyArm studyCells+:StudyCell documentVersionIds*@StudyDefinitionDocumentVersion elements*:StudyElement studyInterventionIds*@StudyIntervention epochs+:StudyEpoch population:StudyDesignPopulation model:Code subTypes*:Code timePerspective:Code samplingMethod?:Code extensionAttributes*:ExtensionAttribute analysisPopulations*:AnalysisPopulation
Organization id:string name:string label?:string identifier:string identifierScheme:string type:Code legalAddress?:Address managedSites*:StudySite extensionAttributes*:ExtensionAttribute
ParameterMap id:string tag:string reference:string extensionAttributes*:ExtensionAttribute
PersonName id:string text?:string familyName?:string givenNames*:string prefixes*:string suffixes*:string extensionAttributes*:ExtensionAttribute
Procedure id:string name:string label?:string description?:string procedureType:string code:Code notes*:CommentAnnotation studyInterventionId?@StudyIntervention extensionAttributes*:ExtensionAttribute
ProductOrganizationRole id:string name:string label?:string description?:string code:Code appliesToIds*@AdministrableProduct|MedicalDevice organizationId@Organization extensionAttributes*:ExtensionAttribute
Quantity(QuantityRange) id:string value:float unit?:AliasCode extensionAttributes*:ExtensionAttribute
Range(QuantityRange) id:string minValue:Quantity maxValue:Quantity isApproximate:boolean extensionAttributes*:ExtensionAttribute
ReferenceIdentifier(Identifier) id:string text:string scopeId@Organization type:Code extensionAttributes*:ExtensionAttribute
ResponseCode id:string name:string label?:string isEnabled:boolean code:Code extensionAttributes*:ExtensionAttribute
ScheduleTimeline id:string name:string label?:string description?:string entryCondition:string mainTimeline:boolean plannedDuration?:Duration instances*:ScheduledInstance entryId@ScheduledInstance exits*:ScheduleTimelineExit timings*:Timing extensionAttributes*:ExtensionAttribute
ScheduleTimelineExit id:string extensionAttributes*:ExtensionAttribute
ScheduledActivityInstance(ScheduledInstance) id:string name:string label?:string description?:string defaultConditionId?@ScheduledInstance epochId?@StudyEpoch activityIds*@Activity encounterId?@Encounter timelineId?@ScheduleTimeline timelineExitId?@ScheduleTimelineExit extensionAttributes*:ExtensionAttribute
ScheduledDecisionInstance(ScheduledInstance) id:string name:string label?:string description?:string defaultConditionId?@ScheduledInstance epochId?@StudyEpoch conditionAssignments+:ConditionAssignment extensionAttributes*:ExtensionAttribute
Strength id:string name:string label?:string description?:string numerator:QuantityRange denominator?:Quantity extensionAttributes*:ExtensionAttribute
Study id?:string name:string label?:string description?:string versions*:StudyVersion documentedBy*:StudyDefinitionDocument extensionAttributes*:ExtensionAttribute
StudyAmendment id:string name:string label?:string description?:string number:string notes*:CommentAnnotation summary:string geographicScopes+:GeographicScope dateValues*:GovernanceDate impacts*:StudyAmendmentImpact enrollments*:SubjectEnrollment secondaryReasons*:StudyAmendmentReason changes+:StudyChange previousId?@StudyAmendment primaryReason:StudyAmendmentReason extensionAttributes*:ExtensionAttribute
StudyAmendmentImpact id:string text:string isSubstantial:boolean type:Code notes*:CommentAnnotation extensionAttributes*:ExtensionAttribute
StudyAmendmentReason id:string otherReason?:string code:Code extensionAttributes*:ExtensionAttribute
StudyArm id:string name:string label?:string description?:string type:Code dataOriginType:Code dataOriginDescription:string notes*:CommentAnnotation populationIds*@PopulationDefinition extensionAttributes*:ExtensionAttribute
StudyCell id:string armId@StudyArm epochId@StudyEpoch elementIds+@StudyElement extensionAttributes*:ExtensionAttribute
StudyChange id:string name:string label?:string description?:string rationale:string summary:string changedSections+:DocumentContentReference extensionAttributes*:ExtensionAttribute
StudyCohort(PopulationDefinition) id:string name:string label?:string description?:string plannedSex*:Code includesHealthySubjects:boolean plannedAge?:Range plannedCompletionNumber?:QuantityRange plannedEnrollmentNumber?:QuantityRange notes*:CommentAnnotation criterionIds*@EligibilityCriterion characteristics*:Characteristic indicationIds*@Indication extensionAttributes*:ExtensionAttribute
StudyDefinitionDocument id:string name:string label?:string description?:string type:Code templateName:string language:Code notes*:CommentAnnotation childIds*@StudyDefinitionDocument versions*:StudyDefinitionDocumentVersion extensionAttributes*:ExtensionAttribute
StudyDefinitionDocumentVersion id:string status:Code version:string notes*:CommentAnnotation dateValues*:GovernanceDate contents*:NarrativeContent extensionAttributes*:ExtensionAttribute
StudyDesignPopulation(PopulationDefinition) id:string name:string label?:string description?:string plannedSex*:Code includesHealthySubjects:boolean plannedAge?:Range plannedCompletionNumber?:QuantityRange plannedEnrollmentNumber?:QuantityRange notes*:CommentAnnotation criterionIds*@EligibilityCriterion cohorts*:StudyCohort extensionAttributes*:ExtensionAttribute
StudyElement id:string name:string label?:string description?:string notes*:CommentAnnotation transitionEndRule?:TransitionRule studyInterventionIds*@StudyIntervention transitionStartRule?:TransitionRule extensionAttributes*:ExtensionAttribute
StudyEpoch id:string name:string label?:string description?:string type:Code notes*:CommentAnnotation previousId?@StudyEpoch nextId?@StudyEpoch extensionAttributes*:ExtensionAttribute
StudyIdentifier(Identifier) id:string text:string scopeId@Organization extensionAttributes*:ExtensionAttribute
StudyIntervention id:string name:string label?:string description?:string role:Code type:Code codes*:Code minimumResponseDuration?:Quantity notes*:CommentAnnotation administrations*:Administration extensionAttributes*:ExtensionAttribute
StudyRole id:string name:string label?:string description?:string code:Code notes*:CommentAnnotation assignedPersons*:AssignedPerson masking?:Masking organizationIds*@Organization appliesToIds*@StudyVersion|StudyDesign extensionAttributes*:ExtensionAttribute
StudySite id:string name:string label?:string description?:string country:Code extensionAttributes*:ExtensionAttribute
StudyTitle id:string type:Code text:string extensionAttributes*:ExtensionAttribute
StudyVersion id:string versionIdentifier:string businessTherapeuticAreas*:Code rationale:string notes*:CommentAnnotation abbreviations*:Abbreviation dateValues*:GovernanceDate referenceIdentifiers*:ReferenceIdentifier amendments*:StudyAmendment documentVersionIds*@StudyDefinitionDocumentVersion studyDesigns*:StudyDesign studyIdentifiers+:StudyIdentifier titles+:StudyTitle extensionAttributes*:ExtensionAttribute eligibilityCriterionItems*:EligibilityCriterionItem narrativeContentItems*:NarrativeContentItem roles*:StudyRole organizations*:Organization studyInterventions*:StudyIntervention administrableProducts*:AdministrableProduct medicalDevices*:MedicalDevice productOrganizationRoles*:ProductOrganizationRole biomedicalConcepts*:BiomedicalConcept bcCategories*:BiomedicalConceptCategory bcSurrogates*:BiomedicalConceptSurrogate dictionaries*:SyntaxTemplateDictionary conditions*:Condition
SubjectEnrollment id:string name:string label?:string description?:string quantity:Quantity forGeographicScope?:GeographicScope forStudyCohortId?@StudyCohort forStudySiteId?@StudySite extensionAttributes*:ExtensionAttribute
Substance id:string name:string label?:string description?:string codes*:Code strengths+:Strength referenceSubstance?:Substance extensionAttributes*:ExtensionAttribute
SyntaxTemplateDictionary id:string name:string label?:string description?:string parameterMaps+:ParameterMap extensionAttributes*:ExtensionAttribute
Timing id:string name:string label?:string description?:string type:Code relativeToFrom:Code value:string valueLabel:string windowLabel?:string windowLower?:string windowUpper?:string relativeToScheduledInstanceId?@ScheduledInstance relativeFromScheduledInstanceId@ScheduledInstance extensionAttributes*:ExtensionAttribute
TransitionRule id:string name:string label?:string description?:string text:string extensionAttributes*:ExtensionAttribute
"""
SCALARS: Final = frozenset({"string", "boolean", "integer", "float", "date"})


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a class."""

    name: str
    many: bool
    """Whether its value is a list."""
    needed: bool
    """Whether it must be there; of a list, whether it may not be empty."""
    reference: bool
    """Whether it holds ids instead of the objects."""
    kind: str
    """A class, an abstract class, several with `|` between them, or one of `SCALARS`."""


def _attribute(text: str) -> Attribute:
    separator = "@" if "@" in text else ":"
    name, kind = text.split(separator)
    mark = name[-1] if name[-1] in "?*+" else ""
    return Attribute(name.rstrip("?*+"), mark in ("*", "+"), mark in ("", "+"), separator == "@", kind)


def _classes() -> tuple[dict[str, dict[str, Attribute]], dict[str, frozenset[str]]]:
    classes: dict[str, dict[str, Attribute]] = {}
    kinds: dict[str, set[str]] = {}
    for line in TABLE.strip().splitlines():
        head, *attributes = line.split()
        name, _, above = head.rstrip(")").partition("(")
        classes[name] = {each.name: each for each in map(_attribute, attributes)}
        for kind in (name, *filter(None, above.split(","))):
            kinds.setdefault(kind, set()).add(name)
    return classes, {kind: frozenset(names) for kind, names in kinds.items()}


_READ: Final = _classes()
CLASSES: Final = _READ[0]
"""Every concrete class with its attributes."""
KINDS: Final = _READ[1]
"""Every class, abstract ones included, with the concrete classes that are of it."""
