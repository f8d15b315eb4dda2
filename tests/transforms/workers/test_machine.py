"""What is known of this machine."""

from __future__ import annotations

import os

import torch

from transforms.workers.machine import Machine, free_bytes


def test_this_machine() -> None:
    """Its processor has a name, its cores are those of this process, and torch is known without being loaded."""
    here = Machine.here()

    assert here.cpu
    assert here.cores == len(os.sched_getaffinity(0))
    assert here.torch == torch.__version__.partition("+")[0] or here.torch == torch.__version__
    assert here == Machine.here()


def test_free_memory_is_less_than_there_is() -> None:
    """In bytes, not in the kilobytes of /proc/meminfo: more than 10 MB, and at most all."""
    assert 10 << 20 < free_bytes() < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
