"""A member's node as a FHIR R4 server: read, search, history, write, all of permitted records only."""
