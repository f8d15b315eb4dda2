"""Runs a few lines in a process of their own, which can tell its highest use of memory."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

# VmHWM, not ru_maxrss: that one starts with what the parent had when it forked.
_PEAK = """
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
"""


def run_measured(script: str, *arguments: object) -> dict[str, Any]:
    """What the script prints last, as JSON; it may ask `peak()` for the most bytes it has held, and finds arguments
    in `sys.argv[1:]`."""
    command = [sys.executable, "-c", _PEAK + script, *map(str, arguments)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told
