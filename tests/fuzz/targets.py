"""Coverage-guided fuzzing of one target: `python -m tests.fuzz.targets image CORPUS -max_total_time=60 …`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]  # ships no types; not on all systems

with atheris.instrument_imports(include=["PIL", "ftfy", "transforms"]):
    import pyarrow as pa

    from tests.fuzz import files
    from tests.fuzz.promises import check, fuzzed
    from tests.fuzz.reading import read_file


def one_value(kind: str) -> Callable[[bytes], None]:
    """A cleaner of bytes."""

    def target(data: bytes) -> None:
        check(kind, pa.array([data], pa.binary()))

    return target


def series(data: bytes) -> None:
    """Bytes as the numbers of events: times, values, and where lists end."""
    spec, _ = fuzzed("series")
    provider = atheris.FuzzedDataProvider(data)
    lengths = [provider.ConsumeIntInRange(0, 6) for _ in range(provider.ConsumeIntInRange(0, 4))]
    rows = [
        [{"time": provider.ConsumeFloat(), "value": provider.ConsumeFloat()} for _ in range(length)]
        for length in lengths
    ]
    type_ = pa.list_(pa.struct({"time": pa.float64(), "value": pa.float64()}))
    check("series", spec.gather(pa.record_batch({"value": pa.array(rows, type_)})))


TARGETS: dict[str, tuple[Callable[[bytes], object], Callable[[], tuple[bytes, ...]]]] = {
    "image": (one_value("image"), files.pictures),
    "audio": (one_value("audio"), files.sounds),
    "text": (one_value("text"), files.texts),
    "series": (series, lambda: (bytes(64),)),
    "reader": (read_file, files.tables),
}
"""Target -> what is called with each input, and what to begin with."""


def main(name: str, corpus: Path, *options: str) -> None:
    """Fuzz a target; libFuzzer ends the process, with 0 where nothing was found."""
    target, seeds = TARGETS[name]
    for number, content in enumerate(seeds()):
        (corpus / f"seed-{number:02d}").write_bytes(content)
    atheris.Setup([name, str(corpus), *options], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
