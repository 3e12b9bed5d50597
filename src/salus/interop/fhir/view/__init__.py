"""SQL on FHIR v2: ViewDefinitions over records in memory, on the one FHIRPath evaluator.

view = View(json.loads(text))
view.names, list(view.rows(resources))
"""

from salus.interop.fhir.view.definition import Column, Definition, ViewMalformed, read
from salus.interop.fhir.view.engine import View, ViewFailed

__all__ = ["Column", "Definition", "View", "ViewFailed", "ViewMalformed", "read"]
