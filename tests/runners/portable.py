"""Starts other runners for tests: Beam's portable job service and Flink's, each with an EXTERNAL worker pool."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0  # importing Beam takes 2 s, and 15 s on a machine that is busy with other tests
OPENED = ("java.lang", "java.nio", "java.util", "java.time")  # Flink 1.19 reflects on these (its own config.yaml)


@contextmanager
def portable_service(logs: Path) -> Iterator[list[str]]:
    """Beam's job service with a worker pool, both as processes of their own; yields Beam's options for it."""
    with ExitStack() as stack:
        pool = stack.enter_context(worker_pool(logs))
        port = free_port()
        command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main", f"--port={port}"]
        stack.enter_context(serving(command, port, logs / "job_service.log"))
        yield ["--runner=PortableRunner", f"--job_endpoint=localhost:{port}", *pool]


@contextmanager
def flink(logs: Path) -> Iterator[list[str]]:
    """Flink's local cluster inside Beam's job server (Java), with a worker pool; yields Beam's options for it."""
    port = free_port()
    command = [
        "java",
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED),
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        f"{flink_jars()}/*",
        "org.apache.beam.runners.flink.FlinkJobServerDriver",
        "--flink-master=[local]",
        f"--job-port={port}",
        "--artifact-port=0",
        "--expansion-port=0",
        f"--artifacts-dir={logs / 'artifacts'}",
    ]
    with worker_pool(logs) as pool, serving(command, port, logs / "flink_job_server.log"):
        yield ["--runner=PortableRunner", f"--job_endpoint=localhost:{port}", "--parallelism=2", *pool]


def flink_jars() -> Path:
    """Folder of the job server's jars, fetched by Maven the first time (150 MB)."""
    pom = ROOT / "tests" / "runners" / "flink" / "pom.xml"
    version = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    folder = Path(os.environ.get("AMALGAM_CACHE", Path.home() / ".cache" / "amalgam")) / f"flink-{version}"
    if not folder.is_dir():
        fresh = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}")
        copy = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies"
        subprocess.run(["mvn", "-q", "-B", "-f", str(pom), copy, f"-DoutputDirectory={fresh}"], check=True)
        fresh.rename(folder)
    return folder


@contextmanager
def worker_pool(logs: Path) -> Iterator[list[str]]:
    """Beam's EXTERNAL worker pool: starts a worker process whenever a runner asks for one."""
    port = free_port()
    command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    with serving(command, port, logs / "worker_pool.log"):
        yield ["--environment_type=EXTERNAL", f"--environment_config=localhost:{port}"]


@contextmanager
def serving(command: list[str], port: int, log: Path) -> Iterator[None]:
    """A process that serves at `port`; ended with all its children."""
    environment = {
        **os.environ,
        # So that workers can import what the tests define; and plug-ins, where a test has put some there.
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # the pool starts workers as plain `python`
    }
    with log.open("wb") as output:
        process = psutil.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
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
