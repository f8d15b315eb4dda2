"""An encoder that is slow, dies, or loses its device, as the environment variable FRAIL says; for tests of faults.

The environment and not the settings, so that the rows' fingerprint is that of an undisturbed run.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from models.arrow import Float32
from models.encoders.base import Encoder, EncoderSpec
from models.encoders.hashed_ngrams import HashedNgramsEncoder


class FrailSpec(EncoderSpec):
    """Hashed n-grams, unless the environment asks for something else."""

    kind: ClassVar[str] = "frail"
    modality: ClassVar[str] = "text"

    dim: int = 64
    """Length of the embeddings."""

    @property
    def output_dim(self) -> int:
        """As configured."""
        return self.dim

    def build(self) -> Encoder:
        """The encoder."""
        orders = json.loads(os.environ.get("FRAIL", "{}"))
        if orders.get("start") == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if _order_is_out(orders.get("vanished")):
            raise RuntimeError("No CUDA GPUs are available")
        return Frail(self.dim, orders)


class Frail:
    """See the module.

    Args:
        dim: length of the embeddings.
        orders: `log` (a file that gets a line for every batch), `seconds` (for a batch), `most` (values that fit into
            the machine), `device` and `vanished` (files; while they are there, the device fails or is gone).
    """

    def __init__(self, dim: int, orders: dict[str, Any]) -> None:
        self._encoder = HashedNgramsEncoder(dim)
        self._orders = orders

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]`."""
        self._note("began", len(values))
        if len(values) > self._orders.get("most", len(values)):
            _exhaust()
        if _order_is_out(self._orders.get("device")):
            Path(self._orders["device"]).unlink()
            raise RuntimeError("CUDA error: unspecified launch failure")
        time.sleep(self._orders.get("seconds", 0.0))
        result = self._encoder(values)
        self._note("ended", len(values))
        return result

    def _note(self, what: str, values: int) -> None:
        if "log" in self._orders:
            with Path(self._orders["log"]).open("a", encoding="utf-8") as log:
                log.write(f"{what} {values} {os.getpid()} {time.time()}\n")


def _order_is_out(path: str | None) -> bool:
    return path is not None and Path(path).exists()


def _exhaust() -> None:
    """Allocate, and be killed as by the kernel when memory runs out; 64 MB must do on a machine that others use."""
    hoard = [bytes(1 << 24) for _ in range(4)]
    os.kill(os.getpid(), signal.SIGKILL)
    del hoard
