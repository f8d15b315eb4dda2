"""The nightly job as a user runs it: real data, real commands, real processes."""
