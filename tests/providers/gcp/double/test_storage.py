"""Cloud Storage of the double, asked by google-cloud-storage and by obstore as they are."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import botocore.session
import obstore
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage import transfer_manager
from obstore.exceptions import AlreadyExistsError, PermissionDeniedError, PreconditionError
from obstore.store import GCSStore
from vertex_cloud import BUCKET

LARGE = os.urandom(1024 * 1024 + 17)


@pytest.fixture(scope="module")
def client(shared):
    made = storage.Client("p", AnonymousCredentials(), client_options={"api_endpoint": shared.gcp.url})
    yield made
    made.close()


@pytest.fixture(scope="module")
def bucket(client):
    return client.bucket(BUCKET)


@pytest.fixture
def store(shared):
    key = json.loads(Path(shared.gcp.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_text("utf-8"))
    return GCSStore(
        BUCKET,
        service_account_key=json.dumps(key),
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


def upload(bucket, name, content=b"0", **said):
    bucket.blob(name).upload_from_string(content, retry=None, **said)
    return bucket.get_blob(name)


def test_buckets_are_made_listed_and_removed_when_empty(client):
    made = client.create_bucket("made-here")
    assert made.location == "EUROPE-WEST4"
    assert "made-here" in [one.name for one in client.list_buckets()]
    with pytest.raises(exceptions.Conflict):
        client.create_bucket("made-here")
    upload(made, "x")
    with pytest.raises(exceptions.Conflict, match="not empty"):
        made.delete()
    made.blob("x").delete()
    made.delete()
    with pytest.raises(exceptions.NotFound):
        client.get_bucket("made-here")


def test_an_object_comes_back_with_what_was_said_of_it(bucket):
    blob = bucket.blob("a/b ü 100%?c#d&e=f")
    blob.metadata = {"k": "v"}
    blob.upload_from_string(b"hello", content_type="text/x")
    found = bucket.get_blob("a/b ü 100%?c#d&e=f")
    assert (found.download_as_bytes(), found.content_type, found.metadata) == (b"hello", "text/x", {"k": "v"})
    assert found.download_as_bytes(start=1, end=3) == b"ell"
    assert (found.size, found.md5_hash) == (5, "XUFAKrxLKna5cZ2REBfFkg==")
    assert bucket.get_blob("nothing") is None


def test_preconditions_hold_for_every_verb(bucket):
    first = upload(bucket, "lock", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        upload(bucket, "lock", if_generation_match=0)
    second = upload(bucket, "lock", b"1", if_generation_match=first.generation)
    for stale in (
        lambda: upload(bucket, "lock", b"2", if_generation_match=first.generation),
        lambda: bucket.blob("lock").delete(if_generation_match=first.generation, retry=None),
        lambda: bucket.blob("lock").download_as_bytes(if_generation_match=first.generation, retry=None),
        lambda: second.patch(if_metageneration_match=7, retry=None),
        lambda: bucket.blob("lock", chunk_size=262144).upload_from_file(
            io.BytesIO(LARGE), size=len(LARGE), if_generation_match=0, retry=None
        ),
    ):
        with pytest.raises(exceptions.PreconditionFailed):
            stale()
    with pytest.raises(exceptions.NotModified):
        second.reload(if_generation_not_match=second.generation, retry=None)


def test_a_patch_counts_and_replaces_what_it_names(bucket):
    blob = upload(bucket, "patched")
    blob.metadata = {"a": "1", "b": "2"}
    blob.patch()
    blob.metadata = {"a": None}
    blob.patch()
    found = bucket.get_blob("patched")
    assert (found.metadata, found.metageneration) == ({"b": "2"}, 3)


def test_lists_know_prefix_delimiter_pages_offsets_and_globs(client, bucket):
    for name in ("l/0", "l/1", "l/2", "l/d/x", "l/d/y", "l/z.txt"):
        upload(bucket, name)
    listed = client.list_blobs(BUCKET, prefix="l/", delimiter="/")
    assert [one.name for one in listed] == ["l/0", "l/1", "l/2", "l/z.txt"]
    assert listed.prefixes == {"l/d/"}
    assert [len(list(page)) for page in client.list_blobs(BUCKET, prefix="l/", page_size=4).pages] == [4, 2]
    names = lambda **said: [one.name for one in client.list_blobs(BUCKET, **said)]  # noqa: E731
    assert names(prefix="l/", start_offset="l/2", end_offset="l/z") == ["l/2", "l/d/x", "l/d/y"]
    assert names(match_glob="l/[0-1]") == ["l/0", "l/1"]
    assert names(match_glob="l/*.txt") == ["l/z.txt"]
    assert names(match_glob="l/**{x,y}") == ["l/d/x", "l/d/y"]


def test_large_uploads_come_in_parts_of_known_and_of_unknown_length(bucket):
    bucket.blob("known", chunk_size=256 * 1024).upload_from_file(io.BytesIO(LARGE), size=len(LARGE))
    with bucket.blob("unknown").open("wb", chunk_size=256 * 1024, ignore_flush=True) as file:
        file.write(LARGE)
    assert bucket.blob("known").download_as_bytes() == bucket.blob("unknown").download_as_bytes() == LARGE


def test_a_checksum_that_does_not_fit_is_refused(bucket):
    blob = bucket.blob("broken")
    blob.md5_hash = "XUFAKrxLKna5cZ2REBfFkg=="
    with pytest.raises(exceptions.BadRequest, match="doesn't match calculated"):
        blob.upload_from_string(b"other", retry=None)


def test_objects_are_copied_composed_and_removed_in_batches(client, bucket):
    one = upload(bucket, "parts/one", b"a")
    assert bucket.copy_blob(one, bucket, "parts/two").download_as_bytes() == b"a"
    assert bucket.blob("parts/three").rewrite(one)[0] is None
    whole = bucket.blob("parts/whole")
    whole.compose([one, bucket.blob("parts/two")])
    assert (whole.download_as_bytes(), whole.md5_hash, whole.crc32c) == (b"aa", None, "8fLawg==")
    with client.batch():
        one.delete()
        bucket.blob("parts/two").delete()
    assert [each.name for each in client.list_blobs(BUCKET, prefix="parts/")] == ["parts/three", "parts/whole"]


def test_a_bucket_with_versions_keeps_them(client):
    kept = client.create_bucket("versions-here")
    kept.versioning_enabled = True
    kept.patch()
    first = upload(kept, "v", b"1")
    upload(kept, "v", b"2")
    assert len(list(client.list_blobs("versions-here", versions=True))) == 2
    assert kept.blob("v", generation=first.generation).download_as_bytes() == b"1"


def test_permissions_are_those_that_no_fault_denies(shared, bucket):
    fault = shared.gcp.faults.refuse("storage:objects.delete", "PERMISSION_DENIED", times=None)
    asked = ["storage.objects.create", "storage.objects.delete"]
    assert bucket.test_iam_permissions(asked) == ["storage.objects.create"]
    with pytest.raises(exceptions.Forbidden):
        bucket.blob("x").delete(retry=None)
    fault.times = 0


def test_obstore_writes_what_the_official_client_reads_and_the_other_way_round(bucket, store):
    obstore.put(store, "o/1 ü", b"hello")
    assert bucket.blob("o/1 ü").download_as_bytes() == b"hello"
    upload(bucket, "o/2", b"there")
    assert bytes(obstore.get(store, "o/2").bytes()) == b"there"
    assert bytes(obstore.get_range(store, "o/2", start=1, end=3)) == b"he"
    assert obstore.head(store, "o/2")["size"] == 5
    found = obstore.list_with_delimiter(store, "o")
    assert [one["path"] for one in found["objects"]] == ["o/1 ü", "o/2"]
    assert [one["path"] for page in obstore.list(store, prefix="o") for one in page] == ["o/1 ü", "o/2"]
    obstore.copy(store, "o/2", "o/3")
    obstore.delete(store, ["o/2", "o/3"])
    with pytest.raises(FileNotFoundError):
        obstore.get(store, "o/2")


def test_obstore_writes_under_conditions(store):
    obstore.put(store, "c", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "c", b"2", mode="create")
    seen = obstore.head(store, "c")
    version = {"e_tag": seen["e_tag"], "version": seen["version"]}
    obstore.put(store, "c", b"3", mode=version)
    with pytest.raises(PreconditionError):
        obstore.put(store, "c", b"4", mode=version)


def test_obstore_writes_in_parts(store, bucket):
    content = os.urandom(11 * 1024 * 1024)
    obstore.put(store, "m", content, use_multipart=True, chunk_size=5 * 1024 * 1024)
    assert bytes(obstore.get(store, "m").bytes()) == content
    blob = bucket.get_blob("m")
    assert (blob.md5_hash, blob.download_as_bytes() == content) == (None, True), "Google has no MD5 of such an object"


def test_obstore_lists_many_pages(store, shared):
    for number in range(1005):
        shared.put(f"many/{number:04d}", b"")
    assert sum(len(page) for page in obstore.list(store, prefix="many")) == 1005


def test_obstore_is_told_of_faults_in_xml(store, shared):
    shared.gcp.faults.refuse("storage:objects.insert", "PERMISSION_DENIED", "no")
    with pytest.raises(PermissionDeniedError, match="AccessDenied"):
        obstore.put(store, "x", b"1")


def test_googles_client_sends_a_file_in_parts_at_once(bucket, tmp_path):
    (tmp_path / "large").write_bytes(LARGE)
    transfer_manager.upload_chunks_concurrently(
        str(tmp_path / "large"), bucket.blob("parts"), chunk_size=1 << 19, worker_type=transfer_manager.THREAD
    )
    assert bucket.blob("parts").download_as_bytes(retry=None) == LARGE


def test_a_client_of_s3_lists_what_has_come_of_uploads(shared):
    """Google's own has no words for it; its documents are those of S3."""
    session = botocore.session.get_session()
    quiet = Config(
        signature_version=UNSIGNED, s3={"addressing_style": "path"}, request_checksum_calculation="when_required"
    )
    s3 = session.create_client("s3", region_name="auto", endpoint_url=shared.gcp.url, config=quiet)

    def pages(operation, key, **said):
        found = s3.get_paginator(operation).paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 1}, **said)
        return [one for page in found for one in page.get(key, ())]

    begun = [
        s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        for key in ("unfinished é/b", "unfinished é/a", "unfinished é/a", "elsewhere")
    ]
    about = {"Bucket": BUCKET, "Key": "unfinished é/b", "UploadId": begun[0]}
    tags = {number: s3.upload_part(**about, PartNumber=number, Body=bytes(number))["ETag"] for number in (7, 2)}
    uploads = pages("list_multipart_uploads", "Uploads", Prefix="unfinished é/")
    assert [one["Key"].rpartition("/")[2] for one in uploads] == ["a", "a", "b"]
    assert {one["UploadId"] for one in uploads} == {*begun[:3]}
    found = pages("list_parts", "Parts", Key=about["Key"], UploadId=about["UploadId"])
    assert [(one["PartNumber"], one["Size"], one["ETag"]) for one in found] == [(2, 2, tags[2]), (7, 7, tags[7])]
    with pytest.raises(ClientError, match="InvalidPart"):
        s3.complete_multipart_upload(**about, MultipartUpload={"Parts": [{"PartNumber": 2, "ETag": tags[7]}]})
    s3.complete_multipart_upload(**about, MultipartUpload={"Parts": [{"PartNumber": 2, "ETag": tags[2]}]})
    assert s3.get_object(Bucket=BUCKET, Key=about["Key"])["Body"].read() == bytes(2)
    with pytest.raises(ClientError, match="NoSuchUpload"):
        s3.list_parts(**about)


def test_a_copy_has_the_checksums_of_its_original(bucket, store):
    original = upload(bucket, "original", b"content")
    obstore.copy(store, "original", "copied by parts of the path")
    copy = bucket.get_blob("copied by parts of the path")
    assert (copy.md5_hash, copy.crc32c) == (original.md5_hash, original.crc32c)
    assert copy.download_as_bytes(retry=None) == b"content"
