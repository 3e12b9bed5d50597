"""Salus: a health information network with nobody in the middle."""

__version__ = "0.1.0"
