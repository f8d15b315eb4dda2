"""F39: paths that lead out of the allowed folders, which are refused and never opened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tests.faults.nights import make_night
from tests.pipelines.tiny_jobs import SOURCE
from tests.transforms.modalities.pictures import RED, encoded, plain

PNG = encoded(plain("RGB", RED), "PNG")

# Cleans the paths of argv[2] as pictures under the root argv[1]; Python itself then tells which files were opened and
# which hosts were called (PEP 578: the hook sees what any module does, and cannot be taken off).
AUDITED = """
import json, sys, pyarrow as pa
from transforms.modalities.image import ImageSpec

clean = ImageSpec(column="photo", allowed_roots=(sys.argv[1],)).build()
clean(pa.array([sys.argv[1] + "/good.png"]))  # what is loaded on the way is loaded now
seen = []
watched = ("open", "os.listdir", "os.scandir", "socket.connect", "socket.getaddrinfo", "subprocess.Popen")

def note(event, args):
    if event in watched and not isinstance(args[0], int):  # a number is a file that is open already
        seen.append([event, str(args[0])])

sys.addaudithook(note)
issues = clean(pa.array(json.loads(sys.argv[2]))).issues.to_pylist()
print(json.dumps([issues, seen]))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An allowed folder with a picture; beside it a secret one, and links that lead to it."""
    return furnished(tmp_path / "photos")


def furnished(root: Path) -> Path:
    """The folder, with what the fixture says."""
    root.mkdir(exist_ok=True)
    (root / "good.png").write_bytes(PNG)
    (root.parent / "secret.png").write_bytes(PNG)
    beside = root.with_name(f"{root.name}2")
    beside.mkdir()
    (beside / "a.png").write_bytes(PNG)
    (root / "link.png").symlink_to(root.parent / "secret.png")
    (root / "folder").symlink_to(root.parent)
    return root


def forbidden(root: Path) -> list[str]:
    """Ways out."""
    return [
        "../../../../../../../../etc/passwd",
        "../secret.png",
        "folder/../../secret.png",
        f"{root}/../secret.png",
        f"{root}2/a.png",
        "link.png",
        "folder/secret.png",
        str(root.parent / "secret.png"),
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        "file:///etc/passwd",
        f"FILE://{root}/../secret.png",
        f"file://{root}/%2e%2e/secret.png",
        f"file://elsewhere{root}/good.png",
        f"file://127.0.0.1{root}/good.png",
        "http://localhost/good.png",
        "https://example.com/good.png",
        f"http://localhost{root}/good.png",
        "ftp://example.com/good.png",
        "s3://bucket/good.png",
        "data://image/png;base64,AAAA",
        "//host/share/good.png",
        "good.png\0",
        f"{root}/good.png\0.txt",
        "file:///etc%00/passwd",
        "~root/../../../../../../../../etc/passwd",
    ]


def audited(root: Path, paths: list[str]) -> tuple[list[list[str]], list[list[str]]]:
    """Issue codes of each path, and (event, argument) of everything that was opened or called meanwhile."""
    command = [sys.executable, "-c", AUDITED, str(root), json.dumps(paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    issues, seen = json.loads(done.stdout)
    return issues, seen


def test_nothing_is_opened_outside_the_root(root: Path) -> None:
    """Each way out is refused; among them all, the one file that is opened is the allowed one."""
    paths = forbidden(root)

    issues, seen = audited(root, [*paths, "good.png"])

    assert dict(zip(paths, issues, strict=False)) == {path: ["path_not_allowed"] for path in paths}
    assert issues[-1] == []
    assert seen == [["open", str(root / "good.png")]]


def test_names_that_only_look_dangerous_are_files_of_the_root(root: Path) -> None:
    """Dots in URL escapes, backslashes and a host's name are plain characters of a plain path: no such file."""
    harmless = [
        "%2e%2e/secret.png",
        "..%2fsecret.png",
        "..\\secret.png",
        "\\\\host\\share\\a.png",
        "C:\\a.png",
        "~/a.png",
    ]

    issues, seen = audited(root, harmless)

    assert issues == [["not_found"]] * len(harmless)
    assert all(path.startswith(f"{root}/") for _, path in seen)


@pytest.mark.beam
def test_a_night_publishes_the_rows_without_them(tmp_path: Path) -> None:
    """As Hugging Face's `{bytes, path}` structs: the photos are masked, the rows stay, and the night is sound."""
    modalities = {"photo": {"type": "image", "column": "photo"}, "note": SOURCE["modalities"]["note"]}
    night = make_night(tmp_path, modalities=modalities)
    paths = [*forbidden(furnished(tmp_path / "data")), "good.png"]
    photos = [{"bytes": None, "path": path} for path in paths]
    keys = [f"c{number:02d}" for number in range(len(paths))]
    night.replace_input(pa.table({"id": keys, "photo": photos, "note": ["a note"] * len(paths)}))

    night.run()

    rows = night.published().to_pylist()
    assert [row["has_photo"] for row in rows] == [False] * (len(paths) - 1) + [True]
    assert [row["issues"] for row in rows] == [["photo.path_not_allowed"]] * (len(paths) - 1) + [[]]
    night.assert_sound()
