"""The official examples of R4, which `make soak` fetches by npm: which are refused by gate and validator, and by what rule."""

import json
import tarfile
from hashlib import sha256
from pathlib import Path
from xml.etree.ElementTree import canonicalize

import pytest

from salus.interop.fhir.tokens import LIMITS
from salus.interop.fhir.validation import Validator
from salus.interop.fhir.xml_reader import to_json
from salus.interop.fhir.xml_writer import to_xml
from salus.node.fhir import checking

ARCHIVE = Path(".venv/examples/hl7.fhir.r4.examples-4.0.1.tgz")
DIGEST = "dce87f1b5b9341867033f7d1f544fa1b5232503f6d62813887ac6b8a8b6cb682"
COUNT = 5_306
SEARCH = ("codesystem-extensions-CodeSystem", "valueset-extensions-ValueSet")
REFUSED = {
    "bdl-7": {"Bundle-dataelements"},
    "bundle-full-url": {
        "Bundle-10bb101f-a121-4264-a920-67be9cb82c74",
        "Bundle-3a0707d3-549e-4467-b8b8-5a2ab3800efe",
        "Bundle-lri-example",
    },
    "canonical": {"Library-zika-virus-intervention-logic"},
    "cardinality": {
        "Questionnaire-qs1",
        *(
            f"SearchParameter-{one}-{code}"
            for one in SEARCH
            for code in ("author", "effective", "end", "keyword", "workflow")
        ),
    },
    "cardinality reference": {"ImplementationGuide-fhir", "ig-r4"},
    "code": {"Bundle-v2-valuesets", "CodeSystem-v2-0550"},
    "code-shape": {
        "ImagingStudy-example-xr",
        "MedicationDispense-meddisp0314",
        "MedicationDispense-meddisp0317",
        "NutritionOrder-enteralcontinuous",
    },
    "id": {"SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject"},
    "que-7": {"Questionnaire-bb"},
    "reference-target": {
        "DeviceMetric-example",
        "DeviceUseStatement-example",
        "MedicationRequest-medrx0301",
        "Observation-clinical-gender",
    },
    "sdf-4": {f"StructureDefinition-{one}" for one in ("Definition", "Event", "FiveWs", "Request")},
    "txt-1": {
        "ActivityDefinition-blood-tubes-supply",
        "ActivityDefinition-heart-valve-replacement",
        "EventDefinition-example",
        "Questionnaire-zika-virus-exposure-assessment",
    },
    "uri": {"Bundle-valueset-expansions", "CapabilityStatement-example", "TerminologyCapabilities-example"},
    "xhtml": {"CodeSystem-dicom-dcim", "ValueSet-c80-doc-typecodes"},  # longer than a string may be
}
"""Examples by the rules that they break."""


def examples():
    """Yield (name, bytes) of each example."""
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            name = member.name.removeprefix("package/")
            if name.endswith(".json") and "/" not in name and name not in {"package.json", ".index.json"}:
                yield name.removesuffix(".json"), archive.extractfile(member).read()


pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not ARCHIVE.exists(), reason="npm put no examples here; `make soak` asks for them"),
]


def plain(value):
    """Return a decoded resource with its narratives in the canonical form of XML."""
    if isinstance(value, dict):
        return {key: canonicalize(one) if key == "div" else plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def test_they_come_back_from_xml():
    for name, body in examples():
        if len(body) <= LIMITS.resource_bytes:
            told, want = (json.loads(one, parse_float=str) for one in (to_json(to_xml(body)), body))
            assert plain(told) == plain(want), name


def test_of_the_official_examples_those_are_refused_that_break_a_rule():
    assert sha256(ARCHIVE.read_bytes()).hexdigest() == DIGEST
    validator, refused, count = Validator(()), {}, 0
    for name, body in examples():
        count += 1
        rules = {rule for severity, rule, _ in checking._checked(validator, body, ()) if severity == "error"}
        if rules:
            refused.setdefault(" ".join(sorted(rules)), set()).add(name)
    assert (refused, count) == (REFUSED, COUNT)
    assert sum(map(len, refused.values())) <= 0.01 * count
