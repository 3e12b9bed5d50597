"""Standards at the border: parse, validate, map, serialise. Pure."""
