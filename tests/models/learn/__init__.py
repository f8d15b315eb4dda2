"""Tests of models/learn."""
