"""Fusion: one file per kind; each turns the embeddings that a row has into one fused vector."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
