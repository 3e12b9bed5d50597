"""FHIR R4 at the border."""
