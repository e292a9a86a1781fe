"""Pushing, pulling, deleting and sweeping, on files and in memory."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cloudml.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    SpecError,
)
from cloudml.storage import Entry, Manifest, Pushed, Storage, blobs, digests, pieces, pulling, scan

HERE = Path(__file__).parents[2]
LONG_AGO = 1_000_000_000


@pytest.fixture(params=["files", "memory"])
def storage(request, tmp_path):
    return Storage("memory:///" if request.param == "memory" else tmp_path / "store")


@pytest.fixture
def root(tmp_path):
    return tmp_path


@pytest.fixture
def files(tmp_path):
    return Storage(tmp_path / "store")


def lay(root, **contents):
    for name, content in contents.items():
        path = root / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return scan("data", root)


def content(folder):
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def stored(storage, prefix):
    return {one.path.removeprefix(f"{prefix}/"): storage.read(one.path) for one in storage.list(prefix)}


ODD = {"a.csv": "a", "deep/er/b.csv": "b", "é ñ 漢.csv": "c", "a b#?%20*[x].csv": "d", "empty": "", "twin.csv": "a"}


def test_what_was_pushed_is_pulled(storage, root):
    manifest = lay(root, **ODD)
    assert storage.push(manifest, "d/v1") == Pushed(uploaded=5, copied=6, skipped=1, bytes=4)
    assert storage.manifest("d/v1") == manifest
    pulled = storage.pull("d/v1", root / "out")
    assert (pulled.downloaded, pulled.bytes) == (6, 5)
    assert content(root / "out") == {name: text.encode() for name, text in ODD.items()}


def test_a_second_push_does_nothing(storage, root):
    manifest = lay(root, **ODD)
    storage.push(manifest, "d/v1")
    before = sorted(storage.list(), key=str)
    assert storage.push(manifest, "d/v1") == Pushed(skipped=6)
    assert sorted(storage.list(), key=str) == before


def test_only_changed_files_travel(storage, root):
    storage.push(lay(root, a="one", b="two"), "d/v1")
    assert storage.push(lay(root, b="three"), "d/v2") == Pushed(uploaded=1, copied=2, skipped=1, bytes=5)
    assert stored(storage, "d/v1") == {"a": b"one", "b": b"two"}
    assert stored(storage, "d/v2") == {"a": b"one", "b": b"three"}


def test_a_prefix_that_is_pushed_again_holds_the_new_files_only(storage, root):
    storage.push(lay(root, a="one", b="two", same="s"), "d")
    (root / "data/a").unlink()
    pushed = storage.push(lay(root, b="three"), "d")
    assert stored(storage, "d") == {"b": b"three", "same": b"s"}
    assert pushed.copied == 1


def test_an_empty_manifest_makes_an_empty_folder(storage, root):
    storage.push(Manifest(()), "d")
    storage.pull("d", root / "out")
    assert content(root / "out") == {}
    assert (root / "out").is_dir()


def test_large_files_travel_in_parts(storage, root):
    large = os.urandom(2 * blobs.WHOLE_BYTES + 1)
    storage.push(lay(root, large=large), "d")
    storage.pull("d", root / "out")
    assert content(root / "out") == {"large": large}


def test_two_thousand_files(files, root):
    manifest = lay(root, **{f"{number}": str(number) for number in range(2000)})
    assert files.push(manifest, "d").uploaded == 2000
    assert files.pull("d", root / "out").downloaded == 2000
    assert content(root / "out") == content(root / "data")


def test_datasets_in_a_file_system_are_links_to_read_only_blobs(files, root):
    manifest = lay(root, a="x")
    files.push(manifest, "d")
    blob = files.folder / blobs.blob(manifest.entries[0].digest)
    assert blob.samefile(files.folder / "d/a")
    assert not blob.samefile(root / "data/a")
    assert blob.stat().st_mode & 0o777 == 0o444


def test_pushing_again_leaves_nothing_but_the_files(files, root):
    manifest = lay(root, a="x", b="y")
    for _ in range(2):
        files.push(manifest, "d")
        files.remove(["d.json"])
    files.push(manifest, "d")
    assert content(files.folder / "d") == content(root / "data")


def test_files_are_copied_where_there_are_no_links(files, root, monkeypatch):
    def refuse(*_):
        raise OSError(95, "not supported")

    monkeypatch.setattr(os, "link", refuse)
    manifest = lay(root, a="x")
    files.push(manifest, "d")
    assert content(files.folder / "d") == {"a": b"x"}
    assert not list((files.folder / "staging").iterdir())


@pytest.mark.parametrize(("name", "before", "after"), [
    ("small", b"x", b"z"),
    ("large", b"1" * (blobs.WHOLE_BYTES + 1), b"2" * (blobs.WHOLE_BYTES + 1)),
])  # fmt: skip
def test_a_file_that_was_replaced_since_the_scan_is_reported(storage, root, name, before, after):
    manifest = lay(root, **{name: before, "other": "y"})
    lay(root, **{name: after})
    with pytest.raises(SpecError, match=rf"{name}` changed while it was read"):
        storage.push(manifest, "d")
    with pytest.raises(NotFoundError):
        storage.manifest("d")
    assert not storage.exists(blobs.blob(scan(f"data/{name}", root).entries[0].digest))


def left_alone(root, content):
    """A file that nobody has changed for long, and the manifest of its folder."""
    lay(root, a=content)
    file = root / "data/a"
    os.utime(file, (LONG_AGO, LONG_AGO))
    return file, scan("data", root)


@pytest.mark.parametrize("size", [1, blobs.WHOLE_BYTES + 1])
def test_a_file_is_told_from_what_it_was_although_its_times_were_set_back(storage, root, size):
    file, manifest = left_alone(root, "1" * size)
    file.write_text("2" * size)
    os.utime(file, (LONG_AGO, LONG_AGO))
    with pytest.raises(SpecError, match="a` changed while it was read"):
        storage.push(manifest, "d")
    assert not storage.exists(blobs.blob(manifest.entries[0].digest))


@pytest.mark.parametrize("size", [1, blobs.WHOLE_BYTES + 1])
def test_a_file_that_somebody_made_a_link_to_is_what_it_was(storage, root, size):
    file, manifest = left_alone(root, "1" * size)
    os.link(file, root / "link")
    assert storage.push(manifest, "d").uploaded == 1
    assert stored(storage, "d") == {"a": b"1" * size}


def test_a_remembered_digest_does_not_make_a_blob_of_what_has_other_bytes(storage, root):
    """The memory knows a file by size, time of change and inode, and all of these can be set back."""
    lay(root, a="1")
    file = root / "data/a"
    os.utime(file, (LONG_AGO, LONG_AGO))
    memory = digests.DigestCache(root / "digests.db")
    scan("data", root, memory)
    file.write_text("2")
    os.utime(file, (LONG_AGO, LONG_AGO))
    manifest = scan("data", root, memory)
    assert manifest.entries[0].mark is None
    with pytest.raises(SpecError, match="a` changed while it was read"):
        storage.push(manifest, "d")


def test_of_a_file_that_nobody_touched_since_its_digest_is_known_it_is_not_reckoned_again(storage, root, monkeypatch):
    manifest = lay(root, a="content")
    status = (root / "data/a").stat()
    (entry,) = manifest.entries
    assert entry.mark is None  # it is too new to be told by its times
    known = replace(manifest, entries=(replace(entry, mark=digests.mark(status)),))
    monkeypatch.setattr(pieces, "hashlib", None)
    assert storage.push(known, "d").uploaded == 1
    assert stored(storage, "d") == {"a": b"content"}


def test_the_mark_of_a_file_that_was_left_alone_is_in_the_manifest(root):
    file = root / "data/a"
    lay(root, a="content")
    changed_ns = file.stat().st_ctime_ns
    assert not digests.settled(changed_ns, changed_ns + digests.SETTLED_NS)
    assert digests.settled(changed_ns, changed_ns + digests.SETTLED_NS + 1)
    (entry,) = scan(sys.executable, root).entries
    assert entry.mark == digests.mark(Path(sys.executable).stat())


def test_a_file_that_vanished_since_the_scan_is_reported(storage, root):
    manifest = lay(root, a="x")
    (root / "data/a").unlink()
    with pytest.raises(SpecError, match="cannot be read"):
        storage.push(manifest, "d")


def test_a_blob_of_the_wrong_size_is_sent_again(files, root):
    manifest = lay(root, a="content")
    blob = files.folder / blobs.blob(manifest.entries[0].digest)
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"con")
    assert files.push(manifest, "d").uploaded == 1
    assert content(files.folder / "d") == {"a": b"content"}


def test_two_pushes_at_once_make_one_dataset(storage, root):
    manifest = lay(root, **{f"{number}": f"{number}" * 1000 for number in range(100)})
    begin = threading.Barrier(3)
    done = []

    def push():
        begin.wait()
        done.append(storage.push(manifest, "d"))

    threads = [threading.Thread(target=push) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 3
    assert sum(one.uploaded for one in done) == 100
    assert stored(storage, "d") == content(root / "data")


DYING = """
import os, signal, sys
from pathlib import Path
from cloudml.storage import Storage, scan

deadly, root = int(sys.argv[1]), Path(sys.argv[2])
manifest = scan("data", root)
seen = 0

def hook(event, args):
    global seen
    if event in ("open", "os.link", "os.mkdir", "os.chmod", "os.rename") and str(root) in str(args):
        seen += 1
        if seen == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

storage = Storage(root / "store")
sys.addaudithook(hook)
storage.push(manifest, "d")
"""


@pytest.mark.parametrize("deadly", [1, 5, 30, 61, 90])
def test_a_killed_push_is_finished_by_the_next_and_nothing_is_sent_twice(files, root, deadly):
    manifest = lay(root, **{f"{number}": f"{number}" * 1000 for number in range(30)})
    process = subprocess.run([sys.executable, "-c", DYING, str(deadly), str(root)], check=False, cwd=HERE)
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(NotFoundError, match="not complete"):
        files.pull("d", root / "out")
    arrived = {path: path.stat().st_ino for path in files.folder.glob("blobs/*/*") if "#" not in path.name}
    pushed = files.push(manifest, "d")
    assert pushed.uploaded == 30 - len(arrived)
    assert {path: path.stat().st_ino for path in arrived} == arrived
    assert content(files.folder / "d") == content(root / "data")
    assert all(path.stat().st_mode & 0o222 == 0 for path in files.folder.glob("d/*"))


class Recorder:
    def __init__(self, fail_at=None):
        self.seen = []
        self.fail_at = fail_at

    def advance(self, done, total, label, /):
        self.seen.append((done, total))
        if self.fail_at is not None and done >= self.fail_at:
            raise KeyboardInterrupt


def test_progress_ends_at_the_total(storage, root):
    manifest = lay(root, **ODD)
    for transfer in (
        lambda progress: storage.push(manifest, "d", progress),
        lambda progress: storage.push(manifest, "e", progress),
        lambda progress: storage.push(manifest, "e", progress),
        lambda progress: storage.pull("d", root / "out", progress),
        lambda progress: storage.pull("d", root / "out", progress),
    ):
        progress = Recorder()
        transfer(progress)
        assert progress.seen[-1] == (5, 5)
        assert progress.seen == sorted(progress.seen)


def test_an_error_of_the_onlooker_stops_a_push_and_the_next_goes_on(storage, root):
    manifest = lay(root, **{f"{number}": f"{number:04}" for number in range(200)})
    with pytest.raises(KeyboardInterrupt):
        storage.push(manifest, "d", Recorder(fail_at=100))
    arrived = sum(1 for _ in storage.list("blobs"))
    assert arrived < 200
    assert storage.push(manifest, "d").uploaded == 200 - arrived


def test_a_pull_fetches_only_what_is_not_there(storage, root):
    storage.push(lay(root, a="one", b="two"), "d")
    storage.pull("d", root / "out")
    (root / "out/a").write_text("eno")
    pulled = storage.pull("d", root / "out")
    assert (pulled.downloaded, pulled.skipped, pulled.bytes) == (1, 1, 3)
    assert content(root / "out") == {"a": b"one", "b": b"two"}


def test_an_interrupted_pull_goes_on_where_it_was(storage, root):
    large = os.urandom(3 * pulling.PIECE_BYTES + 5)
    storage.push(lay(root, large=large), "d")
    (root / "out").mkdir()
    (root / "out/.large.part").write_bytes(large[: 2 * pulling.PIECE_BYTES])
    progress = Recorder()
    storage.pull("d", root / "out", progress)
    assert progress.seen[0] == (2 * pulling.PIECE_BYTES, len(large))
    assert progress.seen[-1] == (len(large), len(large))
    assert content(root / "out") == {"large": large}


@pytest.mark.parametrize("extra", [0, 4 * pulling.PIECE_BYTES])
def test_a_damaged_partial_file_is_thrown_away(storage, root, extra):
    large = os.urandom(2 * pulling.PIECE_BYTES)
    storage.push(lay(root, large=large), "d")
    (root / "out").mkdir()
    (root / "out/.large.part").write_bytes(b"damaged" + bytes(extra))
    storage.pull("d", root / "out")
    assert content(root / "out") == {"large": large}


def test_content_that_is_not_what_was_pushed_is_refused(storage, root):
    storage.push(lay(root, a="one"), "d")
    storage.delete("d/a")
    storage.write("d/a", b"two")
    with pytest.raises(ConflictError, match="is not what was pushed"):
        storage.pull("d", root / "out")
    assert content(root / "out") == {}


def test_a_folder_that_nobody_pushed_can_be_downloaded(storage, root):
    storage.write("run/model/a.bin", b"1")
    storage.write("run/model/deep/b.bin", b"2")
    storage.write("run/model2/c.bin", b"3")
    assert storage.download("run/model", root / "out").downloaded == 2
    assert content(root / "out") == {"a.bin": b"1", "deep/b.bin": b"2"}
    with pytest.raises(NotFoundError, match="holds nothing"):
        storage.download("run/none", root / "out")


def test_names_that_one_file_system_takes_for_one_are_refused_there(storage, root, monkeypatch):
    storage.push(lay(root, a="1", A="2"), "d")
    storage.pull("d", root / "out")
    assert content(root / "out") == {"a": b"1", "A": b"2"}
    monkeypatch.setattr(pulling, "_folds_case", lambda _: True)
    with pytest.raises(SpecError, match="are one name in the file system"):
        storage.pull("d", root / "out")


def test_objects_are_written_read_listed_and_deleted(storage):
    storage.write("a/b", b"1")
    storage.write("a/b", b"22")
    storage.write("ab", b"3")
    assert storage.read("a/b") == b"22"
    assert storage.exists("a/b")
    assert not storage.exists("a")
    assert [(one.path, one.size) for one in storage.list("a")] == [("a/b", 2)]
    assert storage.delete("a") == 1
    assert storage.delete("a") == 0
    assert storage.delete("ab") == 1
    with pytest.raises(NotFoundError, match="ab` does not exist"):
        storage.read("ab")


def test_a_dataset_is_deleted_with_its_manifest(storage, root):
    manifest = lay(root, a="1", b="2")
    storage.push(manifest, "d/v1")
    storage.push(manifest, "d/v10")
    assert storage.delete("d/v1") == 3
    assert storage.delete("d/v1") == 0
    assert storage.manifest("d/v10") == manifest
    if storage.folder:
        assert sorted(path.name for path in (storage.folder / "d").iterdir()) == ["v10", "v10.json"]


def test_of_many_that_create_one_object_one_succeeds(storage):
    begin = threading.Barrier(8)
    results = []

    def create(number):
        begin.wait()
        try:
            storage.write("lock", str(number).encode(), only_new=True)
            results.append(number)
        except AlreadyExistsError:
            results.append(None)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [result for result in results if result is not None]
    assert storage.read("lock") == str(winner).encode()


@pytest.mark.parametrize("path", ["../x", "/x", "a//b", "", "a\nb"])
@pytest.mark.parametrize("act", ["read", "exists", "delete", "uri", "manifest"])
def test_a_path_cannot_leave_the_root(storage, path, act):
    with pytest.raises(InvalidRequestError):
        getattr(storage, act)(path)


def test_sweeping_removes_content_that_no_manifest_names(storage, root):
    keep, drop = lay(root, a="1", b="2"), None
    storage.push(keep, "d/v1")
    drop = lay(root, b="3")
    storage.push(drop, "d/v2")
    storage.delete("d/v2")
    assert storage.sweep().blobs == 0
    swept = storage.sweep(grace=-timedelta(days=1))
    assert (swept.blobs, swept.bytes) == (1, 1)
    assert sum(1 for _ in storage.list("blobs")) == 2
    assert storage.push(keep, "d/v3").uploaded == 0
    assert stored(storage, "d/v3") == {"a": b"1", "b": b"2"}


def test_a_data_file_that_looks_like_a_manifest_keeps_nothing(storage, root):
    storage.push(lay(root, a="1"), "d/v1")
    fake = storage.read("d/v1.json")
    (root / "data/a").unlink()
    storage.push(lay(root, **{"fake.json": fake}), "d/v2")
    storage.delete("d/v1")
    assert storage.sweep(grace=-timedelta(days=1)).blobs == 1


def test_what_killed_processes_left_is_swept(files):
    for name in ("staging/x/content", "staging/y", "staging/new-z"):
        (files.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (files.folder / name).write_bytes(b"1")
    files.sweep()
    assert len(content(files.folder)) == 3
    files.sweep(grace=-timedelta(days=1))
    assert content(files.folder) == {}


def test_what_was_on_its_way_to_a_bucket_is_swept():
    bucket = Storage("memory:///")
    bucket.write("staging/0123", b"1")
    bucket.sweep()
    assert bucket.exists("staging/0123")
    bucket.sweep(grace=-timedelta(days=1))
    assert not bucket.exists("staging/0123")


def test_a_blob_that_is_swept_during_a_push_is_sent_again(storage, root):
    manifest = lay(root, a="1")
    storage.push(manifest, "d/v1")

    class Sweeper:
        def advance(self, done, total, label, /):
            """Called when the blob was found there, before it is copied."""
            storage.remove([blobs.blob(manifest.entries[0].digest)])

    storage.push(manifest, "d/v2", Sweeper())
    assert stored(storage, "d/v2") == {"a": b"1"}


def test_the_store_is_opened_by_the_first_request_only(tmp_path):
    storage = Storage(tmp_path / "store")
    assert storage.uri("a/b") == str(tmp_path / "store/a/b")
    assert not (tmp_path / "store").exists()
    storage.write("a", b"")
    assert (tmp_path / "store/a").exists()


def test_an_entry_does_not_show_where_it_comes_from():
    assert "secret" not in repr(Manifest((Entry(path="a", size=1, digest="d", source="https://h/a?sig=secret"),)))


def test_the_folders_right_below_one_are_told_by_name(storage) -> None:
    for path in ("monitors/b/card.json", "monitors/a/runs/1/x", "monitors/a/card.json", "monitors/file", "other/c/x"):
        storage.write(path, b"")
    assert storage.folders("monitors") == ("a", "b")
    assert storage.folders("nothing") == ()


def test_a_folder_is_copied_by_the_store_and_an_interrupted_copy_goes_on(storage) -> None:
    storage.write("from/a.txt", b"one")
    storage.write("from/deep/b.txt", b"two")
    storage.write("from-another/c.txt", b"three")
    storage.write("to/deep/b.txt", b"old")
    storage.write("from/deep/b.txt", b"new")
    assert sorted(storage.copy_folder("from", "to")) == ["to/a.txt", "to/deep/b.txt"]
    assert {one.path: storage.read(one.path) for one in storage.list("to")} == {
        "to/a.txt": b"one", "to/deep/b.txt": b"new",
    }  # fmt: skip
    before = {one.path: one.modified for one in storage.list("to")}
    storage.remove(["to/a.txt"])
    storage.copy_folder("from", "to")
    after = {one.path: one.modified for one in storage.list("to")}
    assert after["to/deep/b.txt"] == before["to/deep/b.txt"]
    assert storage.read("to/a.txt") == b"one"


def test_copying_nothing_says_so(storage) -> None:
    assert list(storage.copy_folder("nobody", "to")) == []


def test_a_store_with_few_contents_is_listed_and_one_with_many_is_not() -> None:
    storage = Storage("memory:///")
    wanted = [Entry(path=str(number), size=3, digest=f"{number:064x}") for number in range(blobs.PAGE_COSTS)]
    assert blobs.sizes(storage, wanted[1:]) is None
    for number in range(blobs.PAGE + 1):
        storage.write(blobs.blob(f"{number * (2**256 // (blobs.PAGE + 1)):064x}"), b"abc")
    assert blobs.sizes(storage, wanted) is None
    storage.remove([blobs.blob(f"{0:064x}"), blobs.blob(f"{2**256 // (blobs.PAGE + 1):064x}")])
    known = blobs.sizes(storage, wanted)
    assert known is not None
    assert set(known.values()) == {3}
    assert len(known) == blobs.PAGE - 1


def test_many_contents_of_which_some_are_there_are_sent_once(storage, root) -> None:
    manifest = lay(root, **{f"{number}": f"{number:05}" for number in range(100)})
    half = Manifest(manifest.entries[::2])
    assert storage.push(half, "d/v1").uploaded == 50
    assert storage.push(manifest, "d/v2") == Pushed(uploaded=50, copied=100, skipped=50, bytes=250)
    assert stored(storage, "d/v2") == content(root / "data")
