"""What a patient's word permits: one pure decision, with an explanation for every answer."""
