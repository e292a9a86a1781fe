"""Requests for objects that the double answers itself: as moto's server does, which answers whatever says more."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter

import pytest
from botocore.exceptions import ClientError

from cloudml.errors import PermissionDeniedError
from cloudml.storage import Pushed, Storage, pieces, scan
from cloudml_aws.clients import Clients
from cloudml_aws.double import BUCKET, making, plain
from cloudml_aws.settings import AwsSettings

SETTINGS = AwsSettings(region="eu-west-1", bucket=BUCKET, role_arn="arn:aws:iam::111122223333:role/cloudml")
OWNER = {"ExpectedBucketOwner": "111122223333"}
"""Said beside a request, it changes nothing but that moto's server answers."""
MOTOS = {"x-amz-expected-bucket-owner": OWNER["ExpectedBucketOwner"]}
TAG = '"781e5e245d69b566979b86e28d23f2c7"'
"""That of ``0123456789``."""
PASSING = {"LastModified", "ResponseMetadata", "UploadId"}


def shown(answer):
    """What of an answer does not pass."""
    found = {name: value for name, value in answer.items() if name not in PASSING}
    if "Body" in found:
        found["Body"] = found["Body"].read()
    if "CopyObjectResult" in found:
        found["CopyObjectResult"] = {key: found["CopyObjectResult"][key] for key in ("ETag",)}
    return found, answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("put_object", {"Body": b"new"}),
        ("put_object", {"Body": b"", "ContentType": "text/csv"}),
        ("get_object", {}),
        ("get_object", {"ChecksumMode": "ENABLED"}),
        ("get_object", {"Range": "bytes=2-4"}),
        ("get_object", {"Range": "bytes=3-"}),
        ("get_object", {"Range": "bytes=0-99999"}),
        ("get_object", {"Range": "bytes=2-4", "IfMatch": TAG}),
        ("head_object", {}),
        ("head_object", {"ChecksumMode": "ENABLED"}),
        ("copy_object", {"CopySource": f"{BUCKET}/source é+ x"}),
    ],
)
def test_both_ways_give_the_same_answer(cloud, operation, said) -> None:
    def laid(key):
        cloud.s3.put_object(
            Bucket=BUCKET, Key=key, Body=b"0123456789", Metadata={"who": "me"}, ContentType="text/plain"
        )

    laid("source é+ x")
    answers = []
    for key, owner in (("at é+ 1", {}), ("at é+ 2", OWNER)):
        laid(key)
        answers.append(shown(getattr(cloud.s3, operation)(Bucket=BUCKET, Key=key, **said, **owner)))
        answers.append(shown(cloud.s3.get_object(Bucket=BUCKET, Key=key, **OWNER)))
    assert answers[:2] == answers[2:]


NAMES = ("a b", "a/é+ x", "a/b/1", "a/b/2", "a&<>'\"", "b/c", "b/d/e", "c", "c0", "z%2F")
LISTS = (
    "", "max-keys=3", "max-keys=0", "prefix=a/", "prefix=a%2Fb%2F&delimiter=%2F", "delimiter=/", "delimiter=%3C",
    "delimiter=/&max-keys=2", "encoding-type=url", "encoding-type=url&prefix=a/%C3%A9&delimiter=/", "start-after=b/c",
    "fetch-owner=true&prefix=b", "prefix=none", "prefix=&delimiter=", "fetch-owner=", "delimiter=/&start-after=a/",
    "max-keys=4&encoding-type=url&delimiter=%2F&prefix=a", "continuation-token=unknown", "continuation-token=",
    "max-keys=x", "encoding-type=none", "list-type=1",
)  # fmt: skip


def fetched(aws, query: str, headers: dict[str, str]) -> tuple[int, str]:
    """Status and document, without its first line, and without what no two answers share."""
    import requests

    answer = requests.get(f"{aws.url}/{BUCKET}?{query}", headers=headers, timeout=20)
    answer.encoding = "utf-8"
    return answer.status_code, re.sub(r"^<\?xml.*\n|<RequestI[dD]>.*?</RequestI[dD]>", "", answer.text)


def pages(aws, query: str, headers: dict[str, str]) -> list[tuple[int, str]]:
    """Every page of a list, as `fetched` gives it."""
    found, token = [], ""
    while len(found) <= len(NAMES):
        found.append(fetched(aws, query + token, headers))
        following = re.search("<NextContinuationToken>(.*)</NextContinuationToken>", found[-1][1])
        if following is None:
            return found
        token = f"&continuation-token={following[1]}"
    pytest.fail("the pages do not end")


def test_both_ways_list_the_same_pages(cloud) -> None:
    for name in NAMES:
        cloud.put(name, name.encode())
    cloud.s3.put_object(Bucket=BUCKET, Key="b/sum", Body=b"1", ChecksumAlgorithm="SHA256")
    cloud.s3.put_object(Bucket=BUCKET, Key="b/rare", Body=b"1", StorageClass="GLACIER")
    for query in LISTS:
        asked = query if "list-type" in query else f"list-type=2&{query}"
        assert pages(cloud.aws, asked, {}) == pages(cloud.aws, asked, MOTOS), query
    assert len(pages(cloud.aws, "list-type=2&max-keys=3", {})) == 1 + (len(NAMES) + 2 - 1) // 3


@pytest.mark.parametrize(("operation", "plainly"), [("get_object", True), ("head_object", False)])
def test_what_is_asked_for_by_its_tag_needs_no_server_of_moto(cloud, operation: str, plainly: bool) -> None:
    cloud.s3.put_object(Bucket=BUCKET, Key="a", Body=b"0123456789")
    answer = getattr(cloud.s3, operation)(Bucket=BUCKET, Key="a", IfMatch=TAG)
    assert (answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"] == "double") is plainly


@pytest.mark.parametrize(("query", "plainly"), [("list-type=2", True), ("list-type=1", False)])
def test_a_list_is_answered_without_motos_server_where_it_is_plain(cloud, query: str, plainly: bool) -> None:
    import requests

    answer = requests.get(f"{cloud.aws.url}/{BUCKET}?{query}", timeout=20)
    assert (answer.headers["x-amzn-RequestId"] == "double") is plainly


def test_names_that_xml_cannot_hold_are_listed_by_moto(cloud) -> None:
    cloud.s3.put_object(Bucket=BUCKET, Key="a\x01b", Body=b"1")
    assert fetched(cloud.aws, "list-type=2", {}) == fetched(cloud.aws, "list-type=2", MOTOS)
    (found,) = cloud.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert found["Key"] == "a\x01b"


@pytest.mark.parametrize(
    "said", [{"Key": "missing"}, {"Key": "a", "Range": "bytes=50-60"}, {"Key": "a", "IfMatch": TAG}]
)
def test_what_is_refused_is_refused_by_moto(cloud, said) -> None:
    cloud.s3.put_object(Bucket=BUCKET, Key="a", Body=b"1")
    codes = []
    for owner in ({}, OWNER):
        with pytest.raises(ClientError) as refusal:
            cloud.s3.get_object(Bucket=BUCKET, **said, **owner)
        codes.append(refusal.value.response["Error"]["Code"])
    assert codes[0] == codes[1]


def test_a_bucket_that_keeps_versions_is_motos(cloud) -> None:
    cloud.s3.create_bucket(Bucket="versions", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    cloud.s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    first = cloud.s3.put_object(Bucket="versions", Key="a", Body=b"1")["VersionId"]
    cloud.s3.put_object(Bucket="versions", Key="a", Body=b"2")
    assert cloud.s3.get_object(Bucket="versions", Key="a", VersionId=first)["Body"].read() == b"1"


@pytest.mark.parametrize("large", [plain.SMALLEST_PART, 1 << 40])
def test_an_upload_in_parts_is_put_together(cloud, monkeypatch, large) -> None:
    monkeypatch.setattr(plain, "LARGE_BYTES", large)
    parts = [os.urandom(plain.SMALLEST_PART), b"the end"]
    upload = cloud.s3.create_multipart_upload(Bucket=BUCKET, Key="big", Metadata={"who": "me"})["UploadId"]
    about = {"Bucket": BUCKET, "Key": "big", "UploadId": upload}
    tags = [
        {"PartNumber": number, "ETag": cloud.s3.upload_part(**about, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]
    with pytest.raises(ClientError, match="InvalidPart"):
        cloud.s3.complete_multipart_upload(**about, MultipartUpload={"Parts": [{**tags[0], "ETag": "0" * 32}]})
    done = cloud.s3.complete_multipart_upload(**about, MultipartUpload={"Parts": tags})
    found = cloud.s3.get_object(Bucket=BUCKET, Key="big")
    assert found["Body"].read() == b"".join(parts)
    assert (found["ETag"], found["Metadata"]) == (done["ETag"], {"who": "me"})
    assert done["ETag"].strip('"').endswith("-2")
    cloud.s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/big")
    assert cloud.s3.get_object(Bucket=BUCKET, Key="copy")["Body"].read() == b"".join(parts)
    assert not cloud.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


def test_boto3_lists_what_has_come_of_uploads(cloud) -> None:
    def pages(operation, key, **said):
        found = cloud.s3.get_paginator(operation).paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 1}, **said)
        return [one for page in found for one in page.get(key, ())]

    begun = [
        cloud.s3.create_multipart_upload(Bucket=BUCKET, Key=key, ChecksumAlgorithm="SHA256")["UploadId"]
        for key in ("unfinished é/b", "unfinished é/a", "unfinished é/a", "elsewhere")
    ]
    about = {"Bucket": BUCKET, "Key": "unfinished é/b", "UploadId": begun[0]}
    sent = {
        number: cloud.s3.upload_part(**about, PartNumber=number, Body=bytes(number), ChecksumAlgorithm="SHA256")
        for number in (7, 2)
    }
    uploads = pages("list_multipart_uploads", "Uploads", Prefix="unfinished é/")
    assert [one["Key"].rpartition("/")[2] for one in uploads] == ["a", "a", "b"]
    assert {one["UploadId"] for one in uploads} == {*begun[:3]}
    assert {one["ChecksumAlgorithm"] for one in uploads} == {"SHA256"}
    found = pages("list_parts", "Parts", Key=about["Key"], UploadId=about["UploadId"])
    assert [(one["PartNumber"], one["Size"]) for one in found] == [(2, 2), (7, 7)]
    assert [(one["ETag"], one["ChecksumSHA256"]) for one in found] == [
        (sent[number]["ETag"], sent[number]["ChecksumSHA256"]) for number in (2, 7)
    ]
    cloud.s3.abort_multipart_upload(**about)
    whole = {"MultipartUpload": {"Parts": [{"PartNumber": 2, "ETag": sent[2]["ETag"]}]}}
    for operation, said in (
        ("list_parts", {}), ("abort_multipart_upload", {}), ("complete_multipart_upload", whole),
        ("upload_part", {"PartNumber": 1, "Body": b"1"}),
    ):  # fmt: skip
        with pytest.raises(ClientError, match="NoSuchUpload"):
            getattr(cloud.s3, operation)(**about, **said)


def stored(cloud) -> Storage:
    return Storage(
        f"s3://{BUCKET}/pushed", region="eu-west-1", endpoint=cloud.aws.url, virtual_hosted_style_request=False,
        access_key_id="key", secret_access_key="secret", client_options={"allow_http": True},
    )  # fmt: skip


@pytest.fixture
def in_parts(cloud, tmp_path, monkeypatch):
    """A storage and a file, which is sent and copied in parts."""
    monkeypatch.setattr(pieces, "LARGE_BYTES", plain.SMALLEST_PART)
    monkeypatch.setattr(pieces, "SMALLEST_BYTES", plain.SMALLEST_PART)
    (tmp_path / "a.bin").write_bytes(os.urandom(2 * plain.SMALLEST_PART + 1))
    clients = Clients(SETTINGS, endpoint=cloud.aws.url, credentials=("key", "secret"), sleep=lambda _: None)
    return clients.storage(f"s3://{BUCKET}/parts"), scan("a.bin", tmp_path), (tmp_path / "a.bin").read_bytes()


def test_a_large_object_is_copied_in_parts(cloud, in_parts) -> None:
    storage, manifest, content = in_parts
    storage.push(manifest, "d")
    storage.copy_folder("d", "e")
    assert storage.read("d/a.bin") == storage.read("e/a.bin") == content
    asked = Counter(seen.operation for seen in cloud.aws.requests)
    assert (asked["UploadPartCopy"], asked["UploadPart"], asked["CopyObject"]) == (6, 3, 0)


def test_a_copy_in_parts_that_fails_leaves_nothing(cloud, in_parts) -> None:
    storage, manifest, content = in_parts
    cloud.aws.faults.refuse("s3:UploadPartCopy", "AccessDenied", status=403, first=2)
    with pytest.raises(PermissionDeniedError):
        storage.push(manifest, "d")
    assert not cloud.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")
    assert storage.push(manifest, "d").bytes == 0
    assert storage.read("d/a.bin") == content


@pytest.fixture
def large(cloud, monkeypatch) -> str:
    """An object of two parts, the first of which is put together by us."""
    monkeypatch.setattr(plain, "LARGE_BYTES", plain.SMALLEST_PART)
    upload = cloud.s3.create_multipart_upload(Bucket=BUCKET, Key="large")["UploadId"]
    about = {"Bucket": BUCKET, "Key": "large", "UploadId": upload}
    parts = [os.urandom(plain.SMALLEST_PART), b"the end"]
    tags = [
        {"PartNumber": number, "ETag": cloud.s3.upload_part(**about, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]
    cloud.s3.complete_multipart_upload(**about, MultipartUpload={"Parts": tags})
    return "large"


def test_parts_of_an_object_become_parts_of_another(cloud, large) -> None:
    whole = cloud.s3.get_object(Bucket=BUCKET, Key=large)["Body"].read()
    ends = plain.SMALLEST_PART
    for cuts in ([0, ends, len(whole)], [0, ends + 3, len(whole)]):
        copies = []
        for key, owner in (("ours", {}), ("motos", OWNER)):
            upload = cloud.s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
            about = {"Bucket": BUCKET, "Key": key, "UploadId": upload}
            tags = []
            for number, (start, end) in enumerate(itertools.pairwise(cuts), 1):
                said = {"CopySource": f"{BUCKET}/{large}", "CopySourceRange": f"bytes={start}-{end - 1}"}
                made = cloud.s3.upload_part_copy(**about, PartNumber=number, **said, **owner)
                tags.append({"PartNumber": number, "ETag": made["CopyPartResult"]["ETag"]})
            cloud.s3.complete_multipart_upload(**about, MultipartUpload={"Parts": tags})
            found = cloud.s3.get_object(Bucket=BUCKET, Key=key)
            copies.append((tags, found["ETag"], found["Body"].read()))
        assert copies[0] == copies[1]
        assert copies[0][2] == whole


@pytest.mark.parametrize("said", ["bytes=0-99999999", "bytes=5-4", "bytes=5-"])
def test_a_part_of_what_is_not_there_is_refused(cloud, large, said: str) -> None:
    upload = cloud.s3.create_multipart_upload(Bucket=BUCKET, Key="a")["UploadId"]
    about = {"Bucket": BUCKET, "Key": "a", "UploadId": upload, "PartNumber": 1}
    with pytest.raises(ClientError, match="InvalidArgument"):
        cloud.s3.upload_part_copy(**about, CopySource=f"{BUCKET}/{large}", CopySourceRange=said)
    with pytest.raises(ClientError, match="Not Found"):  # by moto
        cloud.s3.upload_part_copy(**about, CopySource=f"{BUCKET}/missing", CopySourceRange="bytes=0-4")
    cloud.s3.abort_multipart_upload(Bucket=BUCKET, Key="a", UploadId=upload)


def test_a_push_asks_nothing_of_what_did_not_change(cloud, tmp_path) -> None:
    storage = stored(cloud)
    data = tmp_path / "data"
    data.mkdir()
    for number in range(100):
        (data / str(number)).write_text(str(number))

    def push():
        before = len(cloud.aws.requests)
        pushed = storage.push(scan("data", tmp_path), "d")
        asked = [seen.operation for seen in cloud.aws.requests[before:]]
        return pushed, {operation: asked.count(operation) for operation in asked}

    pushed, asked = push()
    assert pushed.uploaded == 100
    assert asked == {"GetObject": 1, "ListObjectsV2": 2, "PutObject": 101, "CopyObject": 100}
    (data / "7").write_text("another")
    pushed, asked = push()
    assert pushed == Pushed(uploaded=1, copied=1, skipped=99, bytes=7)
    assert asked.keys() == {"GetObject", "HeadObject", "DeleteObjects", "PutObject", "CopyObject"}
    assert sum(asked.values()) <= 7


def test_an_object_is_as_moto_makes_it(cloud) -> None:
    backend = cloud.aws.world.objects.backend
    cloud.s3.put_object(Bucket=BUCKET, Key="ours", Body=b"1")
    ours, motos = (
        vars(one) for one in (backend.buckets[BUCKET].keys["ours"], backend.put_object(BUCKET, "theirs", b"1"))
    )
    passing = {"name", "acl", "last_modified", "lock", "_value_buffer", "_etag", "_time_progressed"}
    passing |= {"checksum_algorithm", "checksum_value"}
    assert {name for name, value in ours.items() if value != motos[name]} <= passing
    assert ours.keys() == motos.keys()
    other = vars(making.made(backend, backend.buckets[BUCKET], "other", making.held(b"2")))
    shared = {name for name, value in ours.items() if value is other[name] and not isinstance(value, str | int | None)}
    assert shared - {"_time_progressed"} == {"acl", "_transitions"}, "what belongs to both is changed by nobody"


@pytest.mark.parametrize("size", [10, making.SMALL_BYTES + 1])
def test_a_copy_outlives_what_it_was_made_of(cloud, size: int) -> None:
    content = os.urandom(size)
    cloud.s3.put_object(Bucket=BUCKET, Key="from", Body=content)
    cloud.s3.copy_object(Bucket=BUCKET, Key="to", CopySource=f"{BUCKET}/from")
    cloud.s3.put_object(Bucket=BUCKET, Key="from", Body=b"other")
    cloud.s3.delete_object(Bucket=BUCKET, Key="from")
    assert cloud.s3.get_object(Bucket=BUCKET, Key="to")["Body"].read() == content
    assert cloud.s3.get_object(Bucket=BUCKET, Key="to", **OWNER)["Body"].read() == content
