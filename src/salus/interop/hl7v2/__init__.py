"""HL7 v2 messages (2.1 to 2.9, ER7): read tolerantly, framed by MLLP, acknowledged, mapped to FHIR R4. Pure."""
