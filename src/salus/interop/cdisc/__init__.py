"""Formats of CDISC: protocols (USDM 4.0) and tabulations (Dataset-JSON 1.1)."""
