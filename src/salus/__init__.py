"""Salus: a health information network with nobody in the middle."""
