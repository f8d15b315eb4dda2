"""Script: `amalgam`, bound by permission bits also where it was started by root.

Usage: bound_by_permissions.py ARGUMENTS…
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_CAPBSET_DROP = 24  # <linux/prctl.h>
_CAP_DAC_OVERRIDE = 1  # <linux/capability.h>: write whatever the permission bits say

if __name__ == "__main__":
    if os.geteuid() == 0:
        # What is not in the bounding set is not gained by the next exec, nor by any child.
        library = ctypes.CDLL(None, use_errno=True)
        if library.prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.execv(sys.executable, [sys.executable, "-m", "pipelines", *sys.argv[1:]])
