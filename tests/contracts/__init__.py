"""Tests of what every implementation of an interface promises."""
