"""Tests of pipelines/scenarios/retail/."""
