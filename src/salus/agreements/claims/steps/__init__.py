"""The steps of a decision, one file each, in the order of `decide.STEPS`. Each takes the work and adds to it."""
