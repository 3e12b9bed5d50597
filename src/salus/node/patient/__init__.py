"""What a member does for a patient's wallet: enrolment, instructions, the patient's own view of record and readings."""
