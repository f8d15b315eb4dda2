"""The environment of the peers: a venv of its own that sees this one's packages, and adds what is missing."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

ADDED = ("daft==0.7.26",)
"""What Amalgam does not need itself, pinned."""
SHARED = ("apache-beam", "pyarrow", "ray", "sentence-transformers", "torch", "transformers")
"""What peers and Amalgam use alike: pinned to what is installed here, so that all run the same kernels."""


def python(folder: Path) -> Path:
    """The interpreter of the environment, which is made unless it is there.

    Raises:
        subprocess.CalledProcessError: pip could not install a peer.
    """
    interpreter, finished = folder / "bin" / "python", folder / "finished"  # written last
    wanted = "\n".join([*ADDED, *(f"{name}=={metadata.version(name)}" for name in SHARED)])
    if not finished.exists() or finished.read_text(encoding="utf-8") != wanted:
        venv.create(folder, clear=True)
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        (site / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", *wanted.splitlines(), "ray[data]"], check=True)
        finished.write_text(wanted, encoding="utf-8")
    return interpreter
