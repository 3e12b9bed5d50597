"""Typed Python client of a node's HTTP API."""
