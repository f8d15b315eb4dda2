"""Tests of transforms.workers."""
