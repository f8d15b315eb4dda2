"""Tests of pipelines/scenarios/finance/."""
