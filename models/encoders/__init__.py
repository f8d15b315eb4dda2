"""Encoders: one file per kind; each turns the cleaned values of one modality into embeddings."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
