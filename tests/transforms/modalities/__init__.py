"""Tests of the modality types' cleaners."""
