"""Modality types: one file per type; each cleans and normalizes one kind of value, Arrow to Arrow."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
