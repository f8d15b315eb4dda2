"""The baseline: the job that a user would write with plain Beam, and what faults do to it."""
