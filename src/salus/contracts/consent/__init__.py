"""Grants and their revocation, spoken by one-time keys. See `README.md`."""
