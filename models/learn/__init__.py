"""Learners: one file per method that fits fusion and heads."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
