"""Anchors of batches of records and disclosures, and the cases of erasure. See `README.md`."""
