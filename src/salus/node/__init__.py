"""Use cases: what a member's node does, one package per domain."""
