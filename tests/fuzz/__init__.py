"""Mutated files and arbitrary arrays against every cleaner, and against the reader."""
