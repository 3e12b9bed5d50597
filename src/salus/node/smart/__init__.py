"""SMART App Launch 2.2: programs that act for people, and as themselves, within what was agreed (HL7 FHIR SMART IG 2.2)."""
