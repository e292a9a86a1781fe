"""Datasets on web servers, and what a store's errors become."""

import os
import tempfile
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from cloudml import errors
from cloudml.storage import Storage, blobs, failures, pulling, remote, scan
from cloudml.storage.locations import Location, parsed

ONCE = {"client_options": {"allow_http": True}, "retry_config": {"max_retries": 0}}


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        server = self.server
        server.seen.append((self.command, self.path, self.headers.get("Range")))
        path, _, query = self.path.partition("?")
        content = server.files.get(unquote(path))
        status = server.status or (404 if content is None else 0) or (403 if query != server.query else 0)
        status = status or (405 if self.command == "HEAD" and server.no_head else 0)
        if status:
            self.send_error(status)
            return
        first, last = 0, len(content) - 1
        if server.breaks_at is not None and f"bytes={server.breaks_at}-" in (self.headers.get("Range") or ""):
            self.send_error(403)
            return
        if self.headers.get("Range") and server.ranges:
            first, last = (int(number) for number in self.headers["Range"].removeprefix("bytes=").split("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        else:
            self.send_response(200)
        part = content[first : last + 1]
        self.send_header("Content-Length", str(len(part)))
        if server.tags:
            self.send_header("ETag", f'"{hash(content)}"')
        self.end_headers()
        if body:
            self.wfile.write(part)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.seen, server.query, server.status = {}, [], "", 0
    server.ranges = server.tags = True
    server.no_head, server.breaks_at = False, None
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(params=["files", "memory"])
def storage(request, tmp_path):
    return Storage("memory:///" if request.param == "memory" else tmp_path / "store")


def fetched(server):
    return sum(1 for command, *_ in server.seen if command == "GET")


def test_a_remote_file_is_looked_at_and_not_read(server, tmp_path):
    server.files["/d/a b.csv"] = b"content"
    manifest = scan(f"{server.url}/d/a%20b.csv", tmp_path)
    (entry,) = manifest.entries
    assert (entry.path, entry.size, entry.remote) == ("a b.csv", 7, True)
    assert fetched(server) == 0


@pytest.mark.parametrize("tags", [True, False])
def test_other_content_gives_another_hash(server, tmp_path, tags):
    server.tags = tags
    server.files["/a.csv"] = b"one"
    first = scan(f"{server.url}/a.csv", tmp_path).hash
    assert scan(f"{server.url}/a.csv", tmp_path).hash == first
    server.files["/a.csv"] = b"another"
    assert scan(f"{server.url}/a.csv", tmp_path).hash != first


def test_a_signed_address_is_used_and_never_shown(server, tmp_path, storage):
    server.files["/a.csv"] = b"one"
    server.query = "sig=SECRET"
    url = f"{server.url}/a.csv?sig=SECRET"
    manifest = scan(url, tmp_path)
    assert manifest.entries[0].path == "a.csv"
    storage.push(manifest, "d")
    assert storage.read("d/a.csv") == b"one"
    server.query = "sig=OTHER"
    with pytest.raises(errors.PermissionDeniedError) as caught:
        scan(url, tmp_path)
    shown = [caught.value, caught.value.__cause__]
    assert "SECRET" not in "".join(str(one) for one in shown)
    assert f"{server.url}/a.csv" in caught.value.message


def test_a_server_that_refuses_to_be_looked_at_is_asked_for_a_byte(server, tmp_path):
    server.files["/a.csv"] = b"one"
    server.no_head = True
    assert scan(f"{server.url}/a.csv", tmp_path).entries[0].size == 3
    assert server.seen[-1] == ("GET", "/a.csv", "bytes=0-0")


def test_a_web_server_cannot_list(server, tmp_path):
    with pytest.raises(errors.SpecError, match="names no file"):
        scan(f"{server.url}/folder/", tmp_path)
    with pytest.raises(errors.SpecError, match=r"gone\.csv` does not exist"):
        scan(f"{server.url}/gone.csv", tmp_path)


def test_an_unknown_scheme_is_refused(tmp_path):
    with pytest.raises(errors.SpecError, match="the scheme `ftp` is unknown"):
        scan("ftp://h/a.csv", tmp_path)


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("size", [0, 5, 2 * pulling.PIECE_BYTES + 5])
def test_a_remote_file_is_fetched_into_the_store_once(server, storage, size, ranges):
    server.ranges = ranges
    server.files["/a.bin"] = os.urandom(size)
    assert storage.fetch(f"{server.url}/a.bin", "d/v1").uploaded == 1
    assert storage.read("d/v1/a.bin") == server.files["/a.bin"]
    before = fetched(server)
    assert storage.fetch(f"{server.url}/a.bin", "d/v1").skipped == 1
    assert storage.fetch(f"{server.url}/a.bin", "d/v2").uploaded == 0
    assert fetched(server) == before
    assert storage.read("d/v2/a.bin") == server.files["/a.bin"]


LARGE = blobs.WHOLE_BYTES + 5


def test_a_large_content_goes_through_to_a_bucket_without_a_file_here(server, monkeypatch, tmp_path):
    bucket = Storage("memory:///")
    server.files["/a.bin"] = os.urandom(LARGE)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))  # nothing can be made there
    assert bucket.fetch(f"{server.url}/a.bin", "d").uploaded == 1
    assert bucket.read("d/a.bin") == server.files["/a.bin"]
    assert not list(bucket.list("staging"))


def test_a_large_content_that_is_in_the_bucket_keeps_its_blob(server, tmp_path):
    bucket = Storage("memory:///")
    content = os.urandom(LARGE)
    (tmp_path / "a.bin").write_bytes(content)
    bucket.push(scan("a.bin", tmp_path), "local")
    (before,) = bucket.list("blobs")
    server.files["/a.bin"] = content
    assert bucket.fetch(f"{server.url}/a.bin", "d").uploaded == 0
    assert list(bucket.list("blobs")) == [before]
    assert bucket.read("d/a.bin") == content


def test_a_large_content_that_breaks_off_leaves_nothing_in_the_bucket_and_comes_the_next_time(server):
    bucket = Storage("memory:///")
    server.files["/a.bin"] = os.urandom(LARGE)
    manifest = scan(f"{server.url}/a.bin", Path())
    server.breaks_at = pulling.PIECE_BYTES
    with pytest.raises(errors.CloudMLError):
        bucket.push(manifest, "d")
    assert not list(bucket.list())
    server.breaks_at = None
    assert bucket.push(manifest, "d").uploaded == 1
    assert bucket.read("d/a.bin") == server.files["/a.bin"]


def test_what_was_fetched_can_be_pulled(server, storage, tmp_path):
    server.files["/a.bin"] = b"content"
    storage.fetch(f"{server.url}/a.bin", "d")
    storage.pull("d", tmp_path / "out")
    assert (tmp_path / "out/a.bin").read_bytes() == b"content"


def test_a_remote_file_that_changes_after_the_scan_is_reported(server, storage, tmp_path):
    server.files["/a.csv"] = b"one"
    manifest = scan(f"{server.url}/a.csv", tmp_path)
    server.files["/a.csv"] = b"two"
    with pytest.raises(errors.ConflictError, match="changed meanwhile"):
        storage.push(manifest, "d")
    assert not storage.exists("d.json")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (418, errors.ProviderError),
        (429, errors.ThrottledError),
        (500, errors.UnavailableError),
        (503, errors.UnavailableError),
        (507, errors.QuotaExceededError),
    ],
)
def test_each_status_is_the_error_that_it_means(server, status, error):
    server.status = status
    storage = Storage(f"{server.url}/base", **ONCE)
    with pytest.raises(error) as caught:
        storage.read("x/y.csv")
    assert type(caught.value) is error
    assert f"`{server.url}/base/x/y.csv`" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_server_error_is_tried_again(server):
    server.files["/base/a"] = b"content"
    server.status = 503
    config = {"max_retries": 20, "backoff": {"init_backoff": timedelta(milliseconds=5)}}
    storage = Storage(f"{server.url}/base", client_options={"allow_http": True}, retry_config=config)

    def recover():
        while len(server.seen) < 2:
            recovered.wait(0.005)
        server.status = 0

    recovered = threading.Event()
    thread = threading.Thread(target=recover)
    thread.start()
    assert storage.read("a") == b"content"
    thread.join()


def test_a_server_that_is_not_there_is_unavailable(server):
    storage = Storage("http://127.0.0.1:9/base?sig=SECRET", **ONCE)
    with pytest.raises(errors.UnavailableError) as caught:
        storage.read("x")
    assert "SECRET" not in f"{caught.value} {caught.value.__cause__} {storage!r}"
    assert caught.value.retryable


def test_an_unknown_option_and_an_unknown_address_are_refused():
    with pytest.raises(errors.InvalidRequestError, match="bogus"):
        Storage("s3://bucket/p", bogus="1").read("x")
    with pytest.raises(errors.InvalidRequestError, match="`ftp://h/p` is no address"):
        Storage("ftp://h/p").read("x")


def test_a_root_that_is_no_folder_is_an_error_with_its_name(tmp_path):
    (tmp_path / "store").write_text("a file")
    with pytest.raises(errors.ProviderError, match=r"store/a`.*Not a directory"):
        Storage(tmp_path / "store").write("a", b"")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Unable to open file /x: Permission denied (os error 13)", errors.PermissionDeniedError),
        ("Unable to copy data to file: No space left on device (os error 28)", errors.QuotaExceededError),
        ("Error performing PUT http://169.254.169.254/latest/api/token", errors.AuthenticationError),
        ("Generic MicrosoftAzure error: Account must be specified", errors.AuthenticationError),
        ("something else", errors.ProviderError),
    ],
)
def test_an_error_without_a_class_of_its_own_is_told_by_its_words(text, error):
    from obstore.exceptions import GenericError

    assert type(failures.failure(GenericError(text), "s3://b/k")) is error


def test_a_missing_bucket_is_told_from_a_missing_object():
    missing = failures.failure(FileNotFoundError("404 Not Found: <Code>NoSuchBucket</Code>"), "s3://b/k")
    assert missing.hint == "create it, or correct its name"
    assert not failures.failure(FileNotFoundError("404 Not Found: <Code>NoSuchKey</Code>"), "s3://b/k").hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("PUT https://h/a - 403 Forbidden: <Error><Code>C</Code><Message>a\nb</Message></Error>\nDebug source:", "a b"),
        ("<Message>Denied.</Message><Details>x lacks &apos;y&apos;</Details>, again: <Message>Denied.</Message>",
         "Denied. x lacks 'y'"),
        ("<Message>see https://h/a?sig=1</Message>", "see https://h/a"),
        ("no XML at all\nDebug source:", "no XML at all"),
    ],
)  # fmt: skip
def test_a_store_s_own_words_are_told_without_what_stands_around_them(text, said):
    assert failures.words(text) == said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET https://h/a?X-Amz-Signature=1&b=2 failed", "GET https://h/a failed"),
        ("uri: Some(https://h/a?sig=1, retries", "uri: Some(https://h/a, retries"),
        ("https://user:password@h/a", "https://h/a"),
        ("abfss://container@account.dfs.core.windows.net/a", "abfss://container@account.dfs.core.windows.net/a"),
        ("`s3://b/k`", "`s3://b/k`"),
    ],
)
def test_no_signature_and_no_password_is_shown(text, shown):
    assert failures.public(text) == shown


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("s3://b/a/*.csv", Location("s3://b", "a/*.csv")),
        ("gs://b", Location("gs://b", "")),
        ("abfss://c@a.dfs.core.windows.net/x/y", Location("abfss://c@a.dfs.core.windows.net", "x/y")),
        ("https://h:1/a/b%20c.csv?sig=1", Location("https://h:1/a?sig=1", "b c.csv")),
        ("https://h/a.csv", Location("https://h", "a.csv")),
    ],
)
def test_an_address_has_a_store_and_a_key(url, location):
    assert parsed(url) == location
    assert location.url.rstrip("/") == url


def test_a_remote_pattern_means_what_a_local_one_means():
    from cloudml.clock import EPOCH

    def meta(path, size=1):
        return {"path": path, "size": size, "e_tag": "1", "last_modified": EPOCH, "version": None}

    listed = [meta("d/a.csv"), meta("d/b.txt"), meta("d/sub", 0), meta("d/sub/c.csv"), meta("d", 0), meta("d/.x/e.csv")]

    def found(pattern):
        return [entry.path for entry in remote._matching(Location("s3://b", ""), "d", pattern, listed)]

    assert found(("*.csv",)) == ["a.csv"]
    assert found(()) == ["a.csv", "b.txt", "sub/c.csv"]
    assert found(("**", "*.csv")) == ["a.csv", "sub/c.csv"]
