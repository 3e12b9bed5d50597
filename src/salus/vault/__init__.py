"""A member's sealed records and the keys to them."""
