"""A large content goes on where its sending was interrupted: written once, run at every cloud's storage."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from large import LATER
from sample import SETTINGS

from cloudml.errors import PermissionDeniedError, SpecError
from cloudml.seam import Context
from cloudml.specs import ProjectSpec
from cloudml.storage import blobs, parts, pieces, scan
from cloudml.storage.digests import mark, sha256_of_piece
from cloudml.storage.parts import Piece
from cloudml.targets import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloudml.storage import Storage

PART = 64 << 10
SIZE = 4 * PART + 7


@dataclass(frozen=True, kw_only=True)
class Words:
    """How a cloud calls what happens.

    Attributes:
        number: The number of the part that a request brings.
        denied: The code for a missing permission.
        aborts: Whether what is not finished can be aborted.
    """

    put: str
    find: str
    complete: str
    number: Callable[[Any], int]
    denied: str
    busy: str
    aborts: bool = True


WORDS = {
    "aws": Words(
        put="s3:UploadPart", find="s3:ListMultipartUploads", complete="s3:CompleteMultipartUpload",
        number=lambda seen: int(seen.parameters["PartNumber"]), denied="AccessDenied", busy="SlowDown",
    ),
    "azure": Words(
        put="blob:PutBlock", find="blob:GetBlockList", complete="blob:PutBlockList", aborts=False,
        number=lambda seen: int.from_bytes(base64.b64decode(seen.query["blockid"])[:4]),
        denied="AuthorizationPermissionMismatch", busy="ServerBusy",
    ),
    "gcp": Words(
        put="storage:uploads.part", find="storage:uploads.list", complete="storage:objects.insert",
        number=lambda seen: int(seen.parameters["partNumber"]), denied="PERMISSION_DENIED", busy="UNAVAILABLE",
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class There:
    """The storage of a target, on the cloud's double."""

    name: str
    words: Words
    storage: Storage
    double: Any
    folder: Path
    root: str

    def lay(self, name: str = "a", content: bytes | None = None) -> Any:
        """Write a file; its manifest."""
        (self.folder / name).write_bytes(os.urandom(SIZE) if content is None else content)
        return scan(name, self.folder)

    def interrupt(self, manifest: Any, after: int) -> None:
        """Push until so many parts have come."""
        refused = {"status": 403, "first": after + 1, "times": None}
        self.double.faults.refuse(self.words.put, self.words.denied, **refused)
        with pytest.raises(PermissionDeniedError):
            self.storage.push(manifest, "interrupted")
        self.double.faults.clear()

    @contextmanager
    def counting(self) -> Iterator[list[int]]:
        """The numbers of the parts that are sent meanwhile, in their order."""
        found: list[int] = []
        before = len(self.double.requests)
        yield found
        found += sorted(self.words.number(one) for one in self.double.requests[before:] if one.name == self.words.put)

    def holds(self, manifest: Any, content: bytes) -> bool:
        """Whether the blob of the one file of a manifest is that content."""
        return self.storage.read(blobs.blob(manifest.entries[0].digest)) == content

    def content(self, name: str = "a") -> bytes:
        return (self.folder / name).read_bytes()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contents and parts are small, also for S3, and come one after the other; a list has many pages."""
    monkeypatch.setattr(pieces, "LARGE_BYTES", PART)
    monkeypatch.setattr(blobs, "WHOLE_BYTES", PART)
    monkeypatch.setattr(pieces, "SMALLEST_BYTES", PART)
    monkeypatch.setattr(parts, "AT_ONCE", 1)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    for listed in ("cloudml_aws.double.multiparts.LARGEST", "cloudml_gcp.double.xmlapi.LISTED_AT_MOST"):
        monkeypatch.setattr(listed, 1)


@pytest.fixture(scope="module", params=WORDS)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A target's provider on its double; the contents of the tests differ, so they share it."""
    spec = ProjectSpec(project="large", targets={"there": {"provider": request.param, **SETTINGS[request.param]}})
    target = resolve(spec, "there", environ={})
    context = Context(root=tmp_path_factory.mktemp("project"), project="large")
    with target.plugin.rehearse(target.settings, context) as provider:
        yield request.param, provider


@pytest.fixture
def there(opened: Any, tmp_path: Path) -> Iterator[There]:
    name, provider = opened
    datasets = provider.datasets
    root = datasets.places.uri(tmp_path.name)
    storage = datasets.clients.storage(root)
    yield There(
        name=name, words=WORDS[name], storage=storage, double=provider.double, folder=tmp_path, root=root
    )  # fmt: skip
    provider.double.faults.clear()


@dataclass
class Onlooker:
    seen: list[int] = field(default_factory=list)

    def advance(self, done_bytes: int, total_bytes: int | None, label: str, /) -> None:
        self.seen.append(done_bytes)


def test_the_next_push_sends_the_parts_that_are_missing(there) -> None:
    manifest, onlooker = there.lay(), Onlooker()
    there.interrupt(manifest, after=2)
    assert not there.storage.exists(blobs.blob(manifest.entries[0].digest))
    with there.counting() as sent:
        pushed = there.storage.push(manifest, "d", onlooker)
    assert sent == [3, 4, 5]
    assert (pushed.uploaded, pushed.bytes) == (1, SIZE - 2 * PART)
    assert onlooker.seen == sorted(onlooker.seen)
    assert onlooker.seen[-1] == SIZE
    assert there.holds(manifest, there.content())
    assert there.storage.read("d/a") == there.content()


def test_an_undisturbed_push_sends_each_part_once(there, monkeypatch) -> None:
    monkeypatch.setattr(parts, "AT_ONCE", 6)
    manifest = there.lay()
    with there.counting() as sent:
        assert there.storage.push(manifest, "d").bytes == SIZE
    assert sent == [1, 2, 3, 4, 5]
    assert there.holds(manifest, there.content())
    with there.counting() as again:
        assert there.storage.push(manifest, "e").bytes == 0
    assert again == []


def test_a_small_content_is_sent_as_ever(there) -> None:
    with there.counting() as sent:
        there.storage.push(there.lay(content=os.urandom(PART)), "d")
    assert sent == []


def test_another_content_of_the_same_size_has_nothing_to_do_with_it(there) -> None:
    one = there.lay("a")
    there.interrupt(one, after=3)
    uploads, path = there.storage.uploads, blobs.blob(one.entries[0].digest)
    there.storage.uploads.put(uploads.begin(f"{path}0"), 4, piece(bytes(PART)))
    assert {upload.path for upload in uploads.find(path)} == {path}
    other = there.lay("b")
    with there.counting() as sent:
        there.storage.push(other, "d")
    assert sent == [1, 2, 3, 4, 5]
    there.storage.push(one, "e")
    assert there.holds(one, there.content("a"))
    assert there.holds(other, there.content("b"))


def test_a_file_that_changed_since_is_reported_and_what_was_sent_of_it_is_no_part_of_the_blob(there) -> None:
    manifest, content = there.lay(), there.content()
    there.interrupt(manifest, after=2)
    there.lay(content=os.urandom(PART) + content[PART:])
    with pytest.raises(SpecError, match="changed while it was read"):
        there.storage.push(manifest, "d")
    assert not there.storage.exists(blobs.blob(manifest.entries[0].digest))
    there.storage.push(there.lay(content=content), "d")
    assert there.holds(manifest, content)


def piece(content: bytes) -> Piece:
    return Piece(len(content), lambda: content)


def known(manifest: Any) -> Any:
    """The manifest as the scan of a file makes it that nobody has touched for a while."""
    (one,) = manifest.entries
    read = [sha256_of_piece(one.source, PART * number, size, int) for number, size in enumerate(pieces.sizes(one.size))]
    return replace(manifest, entries=(replace(one, mark=mark(Path(one.source).stat()), pieces=tuple(read)),))


def test_of_a_file_that_nobody_has_touched_the_missing_parts_are_sent_too(there) -> None:
    manifest = known(there.lay())
    there.interrupt(manifest, after=2)
    onlooker = Onlooker()
    with there.counting() as sent:
        assert there.storage.push(manifest, "d", onlooker).bytes == SIZE - 2 * PART
    assert sent == [3, 4, 5]
    assert (onlooker.seen[-1], there.holds(manifest, there.content())) == (SIZE, True)


@pytest.mark.parametrize("touched", [False, True])
def test_a_file_that_changes_while_it_is_sent_makes_no_blob(there, touched: bool) -> None:
    manifest = there.lay() if touched else known(there.lay())
    there.double.faults.happen(
        "lose", there.words.put, first=2, then=lambda: (there.folder / "a").write_bytes(os.urandom(SIZE))
    )
    with pytest.raises(SpecError, match="changed while it was read"):
        there.storage.push(manifest, "d")
    assert not there.storage.exists(blobs.blob(manifest.entries[0].digest))


def test_a_part_counts_only_if_it_is_the_same_bytes(there) -> None:
    manifest, content = there.lay(), there.content()
    path = blobs.blob(manifest.entries[0].digest)
    uploads = there.storage.uploads
    upload = uploads.begin(path)
    for number, part in {1: os.urandom(PART), 2: content[PART : 2 * PART], 3: content[:7], 9: content[:PART]}.items():
        uploads.put(upload, number, piece(part))
    with there.counting() as sent:
        there.storage.push(manifest, "d")
    assert sent == [1, 3, 4, 5]
    assert there.holds(manifest, content)


def test_of_two_pushes_at_once_the_slower_one_finds_the_blob(there) -> None:
    manifest = there.lay()
    there.interrupt(manifest, after=1)
    other: list[int] = []
    there.double.faults.happen(
        "lose", there.words.put, first=2, then=lambda: other.append(there.storage.push(manifest, "other").bytes)
    )
    pushed = there.storage.push(manifest, "d", onlooker := Onlooker())
    assert (pushed.copied, len(other), onlooker.seen[-1]) == (1, 1, SIZE)
    assert there.storage.read("d/a") == there.storage.read("other/a") == there.content()


def test_an_upload_that_somebody_aborts_is_begun_anew(there) -> None:
    manifest = there.lay()
    there.interrupt(manifest, after=1)
    uploads, path = there.storage.uploads, blobs.blob(manifest.entries[0].digest)
    there.double.faults.happen(
        "lose", there.words.put, first=2, then=lambda: [uploads.abort(one) for one in uploads.find(path)]
    )
    there.storage.push(manifest, "d")
    assert there.holds(manifest, there.content())


def test_who_may_not_ask_what_has_come_sends_everything(there) -> None:
    manifest = there.lay()
    there.interrupt(manifest, after=2)
    there.double.faults.refuse(there.words.find, there.words.denied, status=403, times=None)
    with there.counting() as sent:
        there.storage.push(manifest, "d")
        there.storage.sweep(LATER)
    assert sent == [1, 2, 3, 4, 5]
    assert there.storage.read("d/a") == there.content()


def test_what_passes_is_tried_again(there) -> None:
    manifest = there.lay()
    busy = there.double.faults.refuse(there.words.put, there.words.busy, status=503, first=2)
    lost = there.double.faults.happen("lose", there.words.complete, about="*blobs*")
    there.storage.push(manifest, "d")
    assert (busy.struck, lost.struck) == (1, 1)
    assert there.holds(manifest, there.content())


def test_an_upload_that_nobody_goes_on_with_is_swept(there) -> None:
    manifest = there.lay()
    there.interrupt(manifest, after=2)
    uploads, path = there.storage.uploads, blobs.blob(manifest.entries[0].digest)
    uploads.put(uploads.begin("staging/a"), 1, piece(bytes(PART)))
    there.storage.sweep()
    assert [len(uploads.parts(one)) for one in uploads.find(path)] == [2]
    there.storage.sweep(LATER)
    left = 0 if there.words.aborts else 1
    assert [len(uploads.find(one)) for one in (path, "staging/a")] == [left, left]


KILLED = """
import sys
from importlib import import_module
from pathlib import Path
from cloudml.specs import ProjectSpec
from cloudml.storage import blobs, parts, pieces, scan
from cloudml.targets import resolve

name, root, part = sys.argv[1], sys.argv[3], int(sys.argv[4])
pieces.LARGE_BYTES = pieces.SMALLEST_BYTES = blobs.WHOLE_BYTES = part
parts.AT_ONCE = 1
spec = ProjectSpec.model_validate_json(sys.argv[5])
clients = import_module(f"cloudml_{name}.clients").Clients(resolve(spec, "there").settings)
clients.storage(root).push(scan("a", Path(sys.argv[2])), "killed")
"""


def test_after_sigkill_no_part_is_sent_twice(there) -> None:
    manifest = there.lay()
    spec = ProjectSpec(project="large", targets={"there": {"provider": there.name, **SETTINGS[there.name]}})
    victim = SimpleNamespace(process=None)

    def kill() -> None:
        victim.process.kill()

    there.double.faults.happen("lose", there.words.put, first=3, then=kill)
    said = [there.name, str(there.folder), there.root, str(PART), spec.model_dump_json(exclude_unset=True)]
    with there.counting() as before:
        victim.process = subprocess.Popen(
            [sys.executable, "-c", KILLED, *said], env={**os.environ, **there.double.environ}
        )
        assert victim.process.wait(60) == -signal.SIGKILL
    with there.counting() as after:
        there.storage.push(manifest, "d")
    assert (before, after) == ([1, 2, 3], [4, 5])
    assert there.holds(manifest, there.content())
