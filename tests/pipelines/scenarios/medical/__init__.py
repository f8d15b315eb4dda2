"""Tests of pipelines/scenarios/medical/."""
