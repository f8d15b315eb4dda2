"""Runs one peer once, in the environment of the peers: python -m benchmarks.peers PEER --modality=text …"""

from __future__ import annotations

import importlib
import sys

from benchmarks.peers.task import parse


def main() -> None:
    """Run the peer that the first argument names."""
    importlib.import_module(f"benchmarks.peers.{sys.argv[1]}").run(parse(sys.argv[2:]))


if __name__ == "__main__":
    main()
