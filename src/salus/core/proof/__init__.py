"""Offline verification. Stands alone on the standard library and `cryptography`."""
