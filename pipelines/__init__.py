"""Composition, configuration and command line: what a user starts."""
