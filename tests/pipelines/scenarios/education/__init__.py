"""Tests of the education scenario."""
