"""Two folders change places in one step that no reader can see half-done."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD = -100  # <fcntl.h>: paths start at the working folder
_RENAME_EXCHANGE = 2  # <linux/fs.h>

UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTTY})
"""What file systems and kernels answer that cannot exchange; see renameat2(2)."""


def exchange(one: Path, other: Path) -> None:
    """Exchange two existing folders of one file system atomically: renameat2(2) with RENAME_EXCHANGE, Linux >= 3.15.

    Raises:
        OSError: as rename(2); one of UNSUPPORTED where this is not possible.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        raise OSError(errno.ENOSYS, "this system's C library has no renameat2")
    result = library.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(one), None, str(other))
