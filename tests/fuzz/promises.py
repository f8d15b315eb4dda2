"""What every cleaner promises of any value at all, as one function that each way of fuzzing calls."""

from __future__ import annotations

import time
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from tests.contracts.test_cleaners import example
from transforms.modalities.base import Cleaned, Cleaner, ModalitySpec

SECONDS = 1.0
"""Of this process's CPU that one value may take at most, be it as large as the files here."""


@cache
def fuzzed(kind: str) -> tuple[ModalitySpec, Cleaner]:
    """A modality type with settings under which each of its steps is taken."""
    spec = example(kind)
    if kind == "text":
        spec = spec.model_copy(update={"max_chars": 200, "redact": ("email", "phone", "iban", "card", "ip")})
    return spec, spec.build()


def check(kind: str, values: pa.Array) -> Cleaned:
    """Clean the values, and check what comes out.

    Raises:
        AssertionError: the cleaner broke a promise.
        Exception: it let an exception through.
    """
    spec, cleaner = fuzzed(kind)
    started = time.process_time()
    cleaned = cleaner(values)
    seconds = time.process_time() - started
    assert seconds < SECONDS * max(1, len(values)), f"a value must take less than {SECONDS} s; got {seconds:.1f} s"
    assert (len(cleaned.values), len(cleaned.issues)) == (len(values), len(values))
    assert (cleaned.values.type, cleaned.values.validate(full=True)) == (spec.cleaned_type(), None)
    codes = set(pc.list_flatten(cleaned.issues).to_pylist())
    assert codes <= {*spec.codes}, f"issue codes of {kind} must be among {spec.codes}; got {sorted(codes)}"
    _check_masked(values, cleaned)
    return cleaned


def _check_masked(values: pa.Array, cleaned: Cleaned) -> None:
    """A value that is absent has no issue; one that is masked has one (records of blanks aside)."""
    issues = pc.greater(pc.list_value_length(cleaned.issues), 0)
    assert not pc.any(pc.and_(values.is_null(), issues)).as_py()
    if not pa.types.is_struct(values.type):
        masked = pc.and_(values.is_valid(), cleaned.values.is_null())
        assert not pc.any(pc.and_not(masked, issues)).as_py()
