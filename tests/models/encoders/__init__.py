"""Tests of the encoders, kind by kind."""
