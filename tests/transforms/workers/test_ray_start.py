"""Starting and finding Ray: what is told, what is refused, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from models.errors import ConfigError, TemporaryError
from tests.transforms.workers.ops import DoubledSpec, batch
from transforms.workers.base import WorkersSpec
from transforms.workers.ray_ops import RayWorkers

ROOT = Path(__file__).parents[3]


@pytest.mark.ray
def test_found_names_versions_and_resources() -> None:
    """The line at the start names what a mismatch would be about."""
    with WorkersSpec().start() as started:
        python = ".".join(map(str, sys.version_info[:3]))
        assert f"Python {python}, {os.cpu_count()} CPUs" in started.found
        assert "GPUs, object store" in started.found


@pytest.mark.ray
def test_more_gpus_than_there_are() -> None:
    """1,000 GPUs are refused at the start, naming the setting and what Ray has."""
    with (
        pytest.raises(ConfigError, match=r"workers\.gpus: must be at most the \d+ that Ray has; got 1000"),
        WorkersSpec(gpus=1000).start(),
    ):
        pass


@pytest.mark.ray
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "auto"])
def test_no_ray_at_the_address(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ray that is away is a temporary error, told within 10 s."""
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # where `auto` looks first: not at other Rays of this machine
    begin = time.monotonic()

    with pytest.raises(TemporaryError, match="a Ray must run at"), WorkersSpec(address=address).start():
        pass

    assert time.monotonic() - begin < 10


@pytest.mark.ray
def test_own_signal_handler_survives() -> None:
    """ray.init replaces the handler of SIGTERM; the command's own must stay."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with WorkersSpec().start():
            assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.ray
def test_nothing_is_left_after_a_run() -> None:
    """Every process that a local run started has ended when it is over."""
    before = set(psutil.Process().children(recursive=True))  # of other tests of this process
    with WorkersSpec().start() as started:
        RayWorkers(started.spec).remote(DoubledSpec(), "doubled")(batch())
        children = set(psutil.Process().children(recursive=True)) - before
        assert children

    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


DRIVER = """
import sys, time
from tests.transforms.workers.ops import DoubledSpec, batch
from transforms.workers.base import WorkersSpec
with WorkersSpec(address=sys.argv[1]).start() as running:
    print(running.spec.build().remote(DoubledSpec(), "doubled")(batch(1)).column("pid")[0].as_py(), flush=True)
    time.sleep(600)
"""


def _driver(address: str) -> tuple[subprocess.Popen[str], int]:
    """A driver in a process of its own, and the pid of its actor."""
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, address], stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.mark.ray
@pytest.mark.slow
def test_killed_driver_leaves_no_process() -> None:
    """After kill -9 of the driver its actor goes at once, Ray's two agents when they give up on it (62 s)."""
    driver, actor = _driver("local")
    children = psutil.Process(driver.pid).children(recursive=True)

    driver.kill()
    driver.wait()

    gone, _ = psutil.wait_procs([p for p in children if p.pid == actor], timeout=10)
    assert len(gone) == 1
    _, alive = psutil.wait_procs(children, timeout=90)
    assert alive == []


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Ray that belongs to nobody's run, and its address."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")  # as a user of a cluster with Ray's defaults sets it
    ray = str(Path(sys.executable).with_name("ray"))
    port, client_port = "26379", "26380"
    command = [ray, "start", "--head", "--block", "--num-cpus=2", f"--port={port}", "--node-ip-address=127.0.0.1"]
    options = ["--include-dashboard=false", "--object-store-memory=200000000"]
    process = psutil.Popen(
        [*command, *options, f"--ray-client-server-port={client_port}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield f"127.0.0.1:{port}"
    finally:
        children = process.children(recursive=True)
        process.terminate()
        psutil.wait_procs([process, *children], timeout=30)


@pytest.mark.ray
@pytest.mark.slow
def test_actors_on_a_cluster_end_with_their_driver(cluster: str) -> None:
    """A killed driver's actor on a cluster that lives on ends by itself within 60 s (it looks every 15 s)."""
    _wait_until_open(cluster)
    driver, actor = _driver(cluster)
    held = psutil.Process(actor)

    driver.kill()
    driver.wait()

    _, alive = psutil.wait_procs([held], timeout=60)
    assert alive == []


def _wait_until_open(address: str) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.5)
    pytest.fail(f"no Ray at {address} after 60 s")
