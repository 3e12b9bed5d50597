"""FHIR R4 search: parameters, the values that resources have under them, and questions as typed values."""
