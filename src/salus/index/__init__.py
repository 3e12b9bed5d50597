"""A member's encrypted search index, derived from the vault."""
