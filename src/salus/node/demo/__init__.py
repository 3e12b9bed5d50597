"""`salus demo`: the product's story told and proven on synthetic patients. A domain adds a chapter of its own."""
