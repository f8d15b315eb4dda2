"""Starts other runners for tests: Beam's portable job service and Flink's, each with an EXTERNAL worker pool."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0  # importing Beam takes 2 s, and 15 s on a machine that is busy with other tests
FLINK_JAR = "AMALGAM_FLINK_JOB_SERVER"  # environment variable: path of Beam's Flink job server (a jar)


@contextmanager
def portable_service(logs: Path) -> Iterator[list[str]]:
    """Beam's job service with a worker pool, both as processes of their own; yields Beam's options for it."""
    with ExitStack() as stack:
        pool = stack.enter_context(worker_pool(logs))
        port = free_port()
        command = ["-m", "apache_beam.runners.portability.local_job_service_main", f"--port={port}"]
        stack.enter_context(serving(command, port, logs / "job_service.log"))
        yield ["--runner=PortableRunner", f"--job_endpoint=localhost:{port}", *pool]


@contextmanager
def flink(logs: Path) -> Iterator[list[str]]:
    """Flink's local cluster inside Beam's job server, with a worker pool; yields Beam's options for it."""
    jar = flink_jar()
    with worker_pool(logs) as pool:
        yield ["--runner=FlinkRunner", "--flink_master=[local]", f"--flink_job_server_jar={jar}", *pool]


def flink_jar() -> Path:
    """The job server's jar; without it the test is skipped, and in CI it fails."""
    jar = os.environ.get(FLINK_JAR)
    if jar is not None and Path(jar).is_file():
        return Path(jar)
    message = f"{FLINK_JAR} must be the path of Beam's Flink job server; got {jar!r} (see docs/runners.md)"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def worker_pool(logs: Path) -> Iterator[list[str]]:
    """Beam's EXTERNAL worker pool: starts a worker process whenever a runner asks for one."""
    port = free_port()
    command = ["-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    with serving(command, port, logs / "worker_pool.log"):
        yield ["--environment_type=EXTERNAL", f"--environment_config=localhost:{port}"]


@contextmanager
def serving(arguments: list[str], port: int, log: Path) -> Iterator[None]:
    """A Python process that serves at `port`; ended with all its children."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),  # so that workers can import what the tests define
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # the pool starts workers as plain `python`
    }
    with log.open("wb") as output:
        process = psutil.Popen(
            [sys.executable, *arguments], env=environment, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_for_port(port, process, log)
        yield
    finally:
        end([process, *process.children(recursive=True)])


def end(processes: list[psutil.Process]) -> None:
    """Ask the processes to end, then kill those that do not."""
    for process in processes:
        if process.is_running():
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=10)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=10)


def wait_for_port(port: int, process: psutil.Popen, log: Path) -> None:
    """Wait until something listens at the port."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("localhost", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"{log.stem} must listen at port {port}; got:\n{log.read_text()}")


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port: int = probe.getsockname()[1]
        return port
