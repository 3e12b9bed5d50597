"""FHIRPath N1 over decoded FHIR R4 JSON: one evaluator for invariants, search, patch and views.

    names = compile("Patient.name.where(use = 'official').given")
    names(patient)                        # ["Peter", "James"]

Pure: no clock (now() comes from `Environment.now`), no network (resolve() asks `Environment.resolve`).
"""

from salus.interop.fhir.fhirpath.environment import Environment
from salus.interop.fhir.fhirpath.errors import EvaluationFailed, ExpressionMalformed, FhirPathError, LimitExceeded
from salus.interop.fhir.fhirpath.expression import Expression, Focus, compile, plain  # noqa: A004  # see there
from salus.interop.fhir.fhirpath.model import Model, Node, r4
from salus.interop.fhir.fhirpath.quantity import Quantity
from salus.interop.fhir.fhirpath.temporal import Date, DateTime, Time

__all__ = [
    "Date",
    "DateTime",
    "Environment",
    "EvaluationFailed",
    "Expression",
    "ExpressionMalformed",
    "FhirPathError",
    "Focus",
    "LimitExceeded",
    "Model",
    "Node",
    "Quantity",
    "Time",
    "compile",
    "plain",
    "r4",
]
