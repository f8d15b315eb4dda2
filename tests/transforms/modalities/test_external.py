"""Values by path: what may be read, what is refused under which code, and that a failing storage is no bad value."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow.fs import FileSystem, LocalFileSystem, SubTreeFileSystem
from pydantic import TypeAdapter, ValidationError

from models.errors import ConfigError, TemporaryError
from transforms.modalities.base import IssueLog
from transforms.modalities.external import AllowedRoots, Resolver, check_external, gather_external


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An allowed folder with a file `a`, in it a folder with `b`; and beside it a secret."""
    (tmp_path / "root" / "deep").mkdir(parents=True)
    (tmp_path / "root" / "a").write_bytes(b"in a")
    (tmp_path / "root" / "deep" / "b").write_bytes(b"in b")
    (tmp_path / "secret").write_bytes(b"secret")
    return tmp_path / "root"


def resolve(values: pa.Array, *roots: object, max_bytes: int = 100) -> tuple[list[bytes | None], list[list[str]]]:
    """Contents and issues of all rows."""
    log = IssueLog(len(values))
    found = list(Resolver([str(root) for root in roots], max_bytes)(values, log))
    return [None if content is None else bytes(content) for content in found], log.to_arrow().to_pylist()


def test_bytes_are_handed_out_as_they_are() -> None:
    """Every binary type gives its bytes, without a copy where Arrow keeps them; null gives None without an issue."""
    for type_ in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(3)):
        assert resolve(pa.array([b"abc", None], type_)) == ([b"abc", None], [[], []])


def test_slices_and_dictionaries() -> None:
    """Offsets and dictionary indices are followed."""
    values = pa.array([b"a", b"b", b"b", None])

    assert resolve(values[1:])[0] == [b"b", b"b", None]
    assert resolve(values.dictionary_encode())[0] == [b"a", b"b", b"b", None]


def test_empty_and_too_large() -> None:
    """No bytes is `empty`; one byte over the limit is `too_large`; the limit itself passes."""
    contents, issues = resolve(pa.array([b"", b"123", b"1234"]), max_bytes=3)

    assert contents == [None, b"123", None]
    assert issues == [["empty"], [], ["too_large"]]


def test_allowed_ways_to_a_file(root: Path) -> None:
    """Absolute, relative to a root, through `..` inside it, and as a file:// URI with escapes."""
    (root / "a b").write_bytes(b"spaced")
    paths = [str(root / "a"), "deep/b", "deep/../a", f"file://{root}/a%20b", f"file://localhost{root}/a"]

    contents, issues = resolve(pa.array(paths), root)

    assert contents == [b"in a", b"in b", b"in a", b"spaced", b"in a"]
    assert issues == [[]] * 5


def test_second_root_is_searched_too(root: Path, tmp_path: Path) -> None:
    """A relative path that the first root lacks is found under the second."""
    assert resolve(pa.array(["b", "secret"]), root / "deep", tmp_path)[0] == [b"in b", b"secret"]


def test_links_inside_a_root_are_followed(root: Path) -> None:
    """A symbolic link whose target is under the root is as good as its target, also when the root is a link."""
    (root / "link").symlink_to(root / "a")
    (root.parent / "alias").symlink_to(root)

    assert resolve(pa.array(["link", str(root / "a")]), root.parent / "alias") == ([b"in a", b"in a"], [[], []])


def test_ways_out_are_refused(root: Path) -> None:
    """`..`, links that lead out, other hosts, other schemes and look-alike folders are `path_not_allowed`."""
    (root / "out").symlink_to(root.parent / "secret")
    (root / "dir").symlink_to(root.parent)
    (root.parent / "root2").mkdir()
    (root.parent / "root2" / "a").write_bytes(b"not under root")
    paths = [
        "../secret",
        str(root / ".." / "secret"),
        str(root.parent / "secret"),
        str(root.parent / "root2" / "a"),
        "out",
        "dir/secret",
        f"file://{root}/%2e%2e/secret",
        f"file://elsewhere{root}/a",
        f"http://localhost{root}/a",
        "https://example.com/a.png",
        "s3://bucket/a",
        "ftp://x/a",
        "/etc/passwd",
        "file://[",
        "a\0b",
        "file:///a%00b",
        "/" + "x" * 5000 + "/../../etc/passwd",
    ]

    contents, issues = resolve(pa.array(paths), root)

    assert contents == [None] * len(paths)
    assert issues == [["path_not_allowed"]] * len(paths)


def test_nothing_is_opened_that_is_not_allowed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal comes before the file is opened."""
    opened: list[object] = []
    real_open = os.open

    def spying_open(path: Path, flags: int) -> int:
        opened.append(path)
        return real_open(path, flags)

    monkeypatch.setattr(os, "open", spying_open)

    resolve(pa.array(["../secret", "/etc/passwd", "a"]), root)

    assert opened == [root / "a"]


def test_without_roots_every_path_is_refused(root: Path) -> None:
    """A job that allows no place reads no path at all."""
    assert resolve(pa.array([str(root / "a"), "a", ""])) == (
        [None, None, None],
        [["path_not_allowed"], ["path_not_allowed"], ["empty"]],
    )


def test_what_is_not_there(root: Path) -> None:
    """Missing files, folders, pipes and a path through a file are `not_found`; a pipe does not block."""
    os.mkfifo(root / "pipe")
    paths = ["missing", "deep", "pipe", "a/below", "x" * 300]

    contents, issues = resolve(pa.array(paths), root)

    assert contents == [None] * 5
    assert issues == [["not_found"]] * 5


def test_a_loop_of_links_is_refused(root: Path) -> None:
    """A link to itself leads nowhere."""
    (root / "loop").symlink_to(root / "loop")

    assert resolve(pa.array(["loop"]), root)[1] in ([["path_not_allowed"]], [["not_found"]])


def test_files_are_measured_before_they_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sparse file of 1 TB is refused, and nothing of it read."""
    with (root / "huge").open("wb") as file:
        file.truncate(10**12)
    monkeypatch.delattr(os, "fdopen")

    assert resolve(pa.array(["huge"]), root) == ([None], [["too_large"]])


def test_paths_that_are_not_utf8(root: Path) -> None:
    """A string that is not UTF-8 names no file."""
    raw = pa.array([b"\xff\xfe"])

    assert resolve(pa.Array.from_buffers(pa.string(), 1, raw.buffers()), root) == ([None], [["not_found"]])


class TestRemote:
    """Object stores, with a local folder in their place."""

    @staticmethod
    def resolve(root: Path, *locations: str) -> tuple[list[bytes | None], list[list[str]], list[str]]:
        """Contents, issues, and the URIs that were opened, with `s3://bucket/photos` allowed."""
        opened: list[str] = []

        def open_filesystem(uri: str) -> tuple[FileSystem, str]:
            opened.append(uri)
            return SubTreeFileSystem(str(root), LocalFileSystem()), "deep"

        log = IssueLog(len(locations))
        resolver = Resolver(["s3://bucket/photos/?region=x"], 100, open_filesystem)
        contents = [None if c is None else bytes(c) for c in resolver(pa.array(locations), log)]
        return contents, log.to_arrow().to_pylist(), opened

    def test_a_key_under_the_root(self, root: Path) -> None:
        """Keys under the root's URI are read from its file system, which is opened once, with the root's options."""
        contents, issues, opened = self.resolve(root, "s3://bucket/photos/b", "b")

        assert contents == [b"in b", b"in b"]
        assert issues == [[], []]
        assert opened == ["s3://bucket/photos/?region=x"]

    def test_other_places_are_refused(self, root: Path) -> None:
        """Other buckets, look-alike prefixes and `..` are refused, and open nothing."""
        others = ["s3://other/photos/b", "s3://bucket/photos2/b", "s3://bucket/photos/../a", "gs://bucket/photos/b"]

        _, issues, opened = self.resolve(root, *others, "s3://bucket/photos//b", "s3://bucket/photos/./b")

        assert issues == [["path_not_allowed"]] * 6
        assert opened == []

    def test_a_value_cannot_choose_the_endpoint(self, root: Path) -> None:
        """A query in a value is part of the key's name, not an option of the file system."""
        _, issues, opened = self.resolve(root, "s3://bucket/photos/b?endpoint_override=evil.example")

        assert issues == [["not_found"]]
        assert opened == ["s3://bucket/photos/?region=x"]

    def test_size_and_absence(self, root: Path) -> None:
        """Objects over the limit and keys that are not there have their codes."""
        (root / "deep" / "big").write_bytes(bytes(101))

        assert self.resolve(root, "s3://bucket/photos/big", "s3://bucket/photos/none")[1] == [
            ["too_large"],
            ["not_found"],
        ]

    def test_storage_that_fails_is_no_bad_value(self) -> None:
        """An outage is raised as temporary, so that a night does not publish without its photos."""

        class Away(LocalFileSystem):  # type: ignore[misc]  # pyarrow has no types
            def get_file_info(self, _path: object) -> object:
                raise OSError("When getting information: AWS Error NETWORK_CONNECTION")

        resolver = Resolver(["s3://bucket"], 100, lambda _uri: (Away(), "/tmp"))

        with pytest.raises(TemporaryError, match=r"s3://bucket/a cannot be read"):
            list(resolver(pa.array(["s3://bucket/a"]), IssueLog(1)))

    def test_access_denied_is_the_values_fault(self) -> None:
        """S3 answers so for keys that are not there, too, when the bucket may not be listed."""

        class Denied(LocalFileSystem):  # type: ignore[misc]  # pyarrow has no types
            def get_file_info(self, _path: object) -> object:
                raise OSError("AWS Error ACCESS_DENIED during HeadObject operation")

        log = IssueLog(1)

        assert list(Resolver(["s3://b"], 9, lambda _uri: (Denied(), "/"))(pa.array(["s3://b/a"]), log)) == [None]
        assert log.to_arrow().to_pylist() == [["not_readable"]]

    def test_a_root_that_cannot_be_opened(self) -> None:
        """A root without its library or options is a problem of the job, not of a value."""

        def fails(uri: str) -> tuple[FileSystem, str]:
            raise OSError("Unable to load libjvm")

        with pytest.raises(ConfigError, match=r"'hdfs://h' cannot be opened: Unable to load libjvm"):
            list(Resolver(["hdfs://h"], 9, fails)(pa.array(["hdfs://h/a"]), IssueLog(1)))


def test_roots_are_checked_in_the_job_file() -> None:
    """Relative roots start at the job file's folder; unknown schemes and other hosts are told."""
    adapter: TypeAdapter[tuple[str, ...]] = TypeAdapter(AllowedRoots)

    assert adapter.validate_python(["media", "s3://b/x"], context={"folder": "/job"}) == ("/job/media", "s3://b/x")
    for wrong in ("http://example.com/", "", "file://elsewhere/x"):
        with pytest.raises(ValidationError, match="must"):
            adapter.validate_python([wrong])


def test_types_that_can_be_read() -> None:
    """Binary, text and structs of both pass; anything else is one sentence with column, types and the type found."""
    good = [pa.binary(), pa.string(), pa.struct({"bytes": pa.binary(), "path": pa.string(), "more": pa.int8()})]

    assert [check_external(pa.schema({"photo": type_}), "photo") for type_ in good] == [[], [], []]
    assert check_external(pa.schema({"photo": pa.int64()}), "photo") == [
        "column 'photo' must be binary, string (paths or URIs) or struct<bytes: binary, path: string>; got int64"
    ]


def test_gather_copies_no_bytes() -> None:
    """Structs are handed on with the same buffers; one of two nulls becomes a null."""
    values = pa.array([{"bytes": b"x" * 99, "path": None}, {"bytes": None, "path": None}, None])

    gathered = gather_external(pa.RecordBatch.from_pydict({"photo": values}), "photo")

    assert gathered.is_valid().to_pylist() == [True, False, False]
    assert gathered.field("bytes").buffers()[2].address == values.field("bytes").buffers()[2].address
