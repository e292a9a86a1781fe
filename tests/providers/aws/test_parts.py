"""Uploads in parts to S3: what goes over the wire, and what is read out of S3's lists."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest
from botocore.awsrequest import AWSResponse

from cloudml.clouds.parts import Root
from cloudml.storage.parts import Part, Piece, Upload
from cloudml_aws import parts
from cloudml_aws.clients import Clients
from cloudml_aws.settings import AwsSettings

SETTINGS = AwsSettings(region="eu-west-1", bucket="acme-ml", role_arn="arn:aws:iam::111122223333:role/cloudml")
CONTENT = b"content"
PIECE = Piece(len(CONTENT), lambda: CONTENT)
DIGEST = hashlib.sha256(CONTENT)


class Answer:
    """The body of an answer, as urllib3 gives it."""

    def stream(self, **_):
        return iter((b"",))


@pytest.mark.parametrize("endpoint", ["https://s3.invalid", "http://s3.invalid"])
def test_the_signature_of_a_part_covers_its_checksum_in_place_of_its_content(endpoint) -> None:
    clients = Clients(SETTINGS, endpoint=endpoint, credentials=("key", "secret"))
    sent = []

    def answer(request, **_):
        sent.append(request)
        return AWSResponse(request.url, 200, {"ETag": '"1"'}, Answer())

    clients.client("s3").meta.events.register_first("before-send.s3.UploadPart", answer)
    uploads = parts.Uploads(clients, Root.of("s3://acme-ml/cloudml/p"))
    found = uploads.put(Upload("blobs/a", "number"), 3, PIECE)
    (request,) = sent
    checksum = b64encode(DIGEST.digest())
    assert found == Part(len(CONTENT), '"1"', checksum.decode())
    path, _, query = request.url.partition("?")
    assert (path, {*query.split("&")}) == (f"{endpoint}/acme-ml/cloudml/p/blobs/a", {"partNumber=3", "uploadId=number"})
    assert request.headers["x-amz-checksum-sha256"] == checksum
    assert request.headers["X-Amz-Content-SHA256"] == b"UNSIGNED-PAYLOAD"
    assert b"x-amz-checksum-sha256" in request.headers["Authorization"]
    assert not [name for name in request.headers if "crc" in name.lower()]


def test_a_part_without_a_checksum_is_no_part_that_could_be_gone_on_with() -> None:
    uploads = parts.Uploads(Clients(SETTINGS), Root.of("s3://acme-ml"))
    listed = {"PartNumber": 1, "Size": len(CONTENT), "ETag": hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}
    assert not uploads.holds(parts.listed(listed), PIECE)
    assert uploads.holds(parts.listed({**listed, "ChecksumSHA256": parts.checksum(PIECE)}), PIECE)
