"""Heads: one file per kind; each turns the fused vector into scores or decisions."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
