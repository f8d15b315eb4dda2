"""Tests of transforms.recall."""
