"""A venv of its own for what a benchmark compares with: it sees this one's packages, and adds what is missing."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path


def python(folder: Path, added: Sequence[str], shared: Sequence[str], unpinned: Sequence[str] = ()) -> Path:
    """The interpreter of the environment, which is made unless it is there.

    Args:
        folder: of the venv.
        added: requirements that Amalgam does not have itself, pinned.
        shared: packages that both use: pinned to what is installed here, so that all run the same kernels.
        unpinned: further requirements.

    Raises:
        subprocess.CalledProcessError: pip could not install something.
    """
    interpreter, finished = folder / "bin" / "python", folder / "finished"  # written last
    wanted = "\n".join([*added, *(f"{name}=={metadata.version(name)}" for name in shared)])
    if not finished.exists() or finished.read_text(encoding="utf-8") != wanted:
        venv.create(folder, clear=True)
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        (site / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", *wanted.splitlines(), *unpinned], check=True)
        finished.write_text(wanted, encoding="utf-8")
    return interpreter
