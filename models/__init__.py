"""Numbers only: encoders, fusion, heads and how they learn. Torch, numpy and Arrow; no Beam, no Ray."""

from pkgutil import extend_path

# A folder on PYTHONPATH with `models/encoders/mine.py` adds the encoder `mine`: see CONTRIBUTING.md.
__path__ = extend_path(__path__, __name__)
