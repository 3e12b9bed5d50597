"""The member's own records: taken in, sealed, anchored, read."""
