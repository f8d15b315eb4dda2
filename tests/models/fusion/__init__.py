"""Tests of models/fusion."""
