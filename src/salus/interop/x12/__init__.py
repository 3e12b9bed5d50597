"""X12 5010 health care transactions: read, check in five levels, answer, write. Pure.

`tokens` cuts bytes into segments, `loops` places them by the tables in `guides`, `examine` runs the passes
`level1` to `level5` over a file as it streams, `answers` writes TA1, 999 and 277CA.
"""
