"""Tests of pipelines/scenarios/."""
