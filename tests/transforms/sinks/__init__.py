"""Tests of transforms.sinks."""
