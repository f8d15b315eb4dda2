"""Beam and Ray around `models`, and the pure Arrow cleaning of every modality."""

from pkgutil import extend_path

# A folder on PYTHONPATH with `transforms/modalities/mine.py` adds the type `mine`: see CONTRIBUTING.md.
__path__ = extend_path(__path__, __name__)
