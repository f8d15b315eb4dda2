"""Tests of pipelines on real Beam runners."""
