"""Claims and accumulators: who takes the next step until when, never the outcome. See `README.md`."""
