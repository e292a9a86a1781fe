"""Blob storage answers Microsoft's client and obstore as Azure's does."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import obstore
import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobBlock, BlobServiceClient, ContentSettings, generate_blob_sas
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import AzureStore

from cloudml.storage.parts import Piece
from cloudml_azure import parts
from cloudml_azure.double import identity
from cloudml_azure.double.blobs import SMALL_BYTES
from cloudml_azure.double.workspace import KEY


@pytest.fixture
def store(cloud):
    return AzureStore(
        "cloudml", account_name="acmeml", account_key=KEY, endpoint=cloud.azure.blob_url,
        client_options={"allow_http": True},
    )  # fmt: skip


@pytest.fixture
def blobs(cloud):
    return BlobServiceClient(cloud.azure.blob_url, credential=KEY, retry_total=0).get_container_client("cloudml")


def test_obstore_puts_lists_reads_ranges_copies_and_deletes(store):
    for name in ("a/b c+é.txt", "a/x", "top"):
        obstore.put(store, name, name.encode())
    assert bytes(obstore.get(store, "a/b c+é.txt").bytes()) == "a/b c+é.txt".encode()
    assert bytes(obstore.get_range(store, "top", start=1, length=2)) == b"op"
    assert obstore.head(store, "a/x")["size"] == 3
    obstore.copy(store, "a/x", "copied")
    assert [one["path"] for page in obstore.list(store) for one in page] == ["a/b c+é.txt", "a/x", "copied", "top"]
    listed = obstore.list_with_delimiter(store)
    assert listed["common_prefixes"] == ["a"]
    assert [one["path"] for one in listed["objects"]] == ["copied", "top"]
    obstore.delete(store, ["a/x", "copied"])
    with pytest.raises(FileNotFoundError):
        obstore.get(store, "a/x")


def test_obstore_puts_on_condition(store):
    first = obstore.put(store, "lock", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "lock", b"2", mode="create")
    obstore.put(store, "lock", b"2", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        obstore.put(store, "lock", b"3", mode={"e_tag": first["e_tag"]})
    assert bytes(obstore.get(store, "lock").bytes()) == b"2"


def test_obstore_sends_what_is_large_in_blocks(store, cloud):
    content = bytes(range(256)) * 80_000
    obstore.put(store, "big", content)
    assert cloud.get("big") == content
    assert "blob:PutBlockList" in {seen.name for seen in cloud.azure.requests}


def test_microsofts_client_is_told_which_blocks_wait_and_commits_some_again(blobs):
    blob = blobs.get_blob_client("in blocks")
    with pytest.raises(ResourceNotFoundError):
        blob.get_block_list("all")
    for number in ("1", "2"):
        blob.stage_block(number, number.encode() * 3)
    committed, waiting = blob.get_block_list("all")
    assert ([*committed], [(one.id, one.size) for one in waiting]) == ([], [("1", 3), ("2", 3)])
    with pytest.raises(HttpResponseError, match="InvalidBlobOrBlock"):
        blob.stage_block("longer", b"an id of another length")
    blob.commit_block_list([BlobBlock("1"), BlobBlock("2")])
    blob.stage_block("3", b"4444")
    committed, waiting = blob.get_block_list("all")
    assert ([one.id for one in committed], [one.id for one in waiting]) == (["1", "2"], ["3"])
    blob.commit_block_list([BlobBlock("3"), BlobBlock("2")])
    assert blob.download_blob().readall() == b"4444222"
    assert [(one.id, one.size) for one in blob.get_block_list("committed")[0]] == [("3", 4), ("2", 3)]
    assert blob.get_block_list("uncommitted")[1] == []


def test_our_blocks_may_wait_beside_those_of_obstore(store, cloud):
    obstore.put(store, "beside", bytes(12 << 20), chunk_size=5 << 20)
    ids = {seen.query["blockid"] for seen in cloud.azure.requests if seen.operation == "PutBlock"}
    assert {len(one) for one in ids} == {len(parts.block_id(1, Piece(0, bytes)))}


def test_microsofts_client_keeps_metadata_and_content_settings(blobs):
    blob = blobs.get_blob_client("m.txt")
    blob.upload_blob(b"hey", metadata={"a": "b"}, content_settings=ContentSettings(content_type="text/plain"))
    found = blob.get_blob_properties()
    assert (found.size, found.metadata, found.content_settings.content_type) == (3, {"a": "b"}, "text/plain")
    blob.set_blob_metadata({"c": "d"})
    blob.set_http_headers(ContentSettings(content_type="text/csv"))
    assert blob.get_blob_properties().metadata == {"c": "d"}
    assert blob.get_blob_properties().content_settings.content_type == "text/csv"
    assert next(iter(blobs.list_blobs(include=["metadata"]))).metadata == {"c": "d"}


def test_microsofts_client_uploads_blocks_and_appends(blobs):
    blob = blobs.get_blob_client("blocks")
    for number in ("1", "2"):
        blob.stage_block(number, number.encode())
    blob.commit_block_list([BlobBlock("2"), BlobBlock("1")])
    assert blob.download_blob().readall() == b"21"
    with pytest.raises(HttpResponseError, match="block list is invalid"):
        blob.commit_block_list([BlobBlock("9")])
    log = blobs.get_blob_client("log")
    log.create_append_blob()
    log.append_block(b"one\n")
    log.append_block(b"two\n")
    assert log.download_blob(offset=4).readall() == b"two\n"


def test_microsofts_client_is_told_of_conditions_and_of_what_is_missing(blobs):
    blob = blobs.get_blob_client("a")
    blob.upload_blob(b"1")
    with pytest.raises(ResourceExistsError):
        blob.upload_blob(b"2")
    stale = blob.get_blob_properties().etag
    blob.upload_blob(b"2", overwrite=True)
    with pytest.raises(HttpResponseError, match="ConditionNotMet"):
        blob.upload_blob(b"3", overwrite=True, etag=stale, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceNotFoundError, match="BlobNotFound"):
        blobs.get_blob_client("none").download_blob()
    with pytest.raises(HttpResponseError, match="InvalidRange"):
        blob.download_blob(offset=100, length=1).readall()


def test_lists_have_pages_folders_and_several_deletions_at_once(blobs):
    for number in range(7):
        blobs.upload_blob(f"n/{number}", b"")
    pages = [[one.name for one in page] for page in blobs.list_blobs(results_per_page=3).by_page()]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [one.name for one in blobs.walk_blobs()] == ["n/"]
    assert [one.status_code for one in blobs.delete_blobs("n/0", "n/1")] == [202, 202]
    assert len(list(blobs.list_blobs())) == 5


def test_containers_are_made_listed_and_removed(cloud):
    service = BlobServiceClient(cloud.azure.blob_url, credential=KEY, retry_total=0)
    service.create_container("further")
    with pytest.raises(ResourceExistsError):
        service.create_container("further")
    with pytest.raises(HttpResponseError, match="InvalidResourceName"):
        service.create_container("Not_Allowed")
    assert "further" in [one.name for one in service.list_containers()]
    service.delete_container("further")
    with pytest.raises(ResourceNotFoundError, match="ContainerNotFound"):
        service.get_container_client("further").upload_blob("a", b"")


def test_somebody_has_to_have_signed(cloud):
    cloud.put("a", b"1")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{cloud.azure.blob_url}/cloudml/a")
    said = {"account_name": "acmeml", "container_name": "cloudml", "blob_name": "a", "account_key": KEY}
    url = f"{cloud.azure.blob_url}/cloudml/a?"
    fresh = generate_blob_sas(**said, permission="r", expiry=datetime.now(UTC) + timedelta(hours=1))
    assert urllib.request.urlopen(url + fresh).read() == b"1"
    over = generate_blob_sas(**said, permission="r", expiry=datetime.now(UTC) - timedelta(hours=1))
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url + over)


def test_a_token_has_to_be_for_storage_and_not_over(cloud):
    cloud.put("a", b"1")

    class Given:
        def __init__(self, scope, lifetime_s=3600):
            self.said = scope, lifetime_s

        def get_token(self, *_, **__):
            return identity.token(*self.said)

    def read(credential):
        account = "https://acmeml.blob.core.windows.net"
        service = BlobServiceClient(account, credential=credential, transport=cloud.azure.transport(), retry_total=0)
        return service.get_blob_client("cloudml", "a").download_blob().readall()

    assert read(Given("https://storage.azure.com/.default")) == b"1"
    with pytest.raises(ClientAuthenticationError, match="Audience validation failed"):
        read(Given("https://management.azure.com/.default"))
    with pytest.raises(ClientAuthenticationError, match="The token is expired"):
        read(Given("https://storage.azure.com/.default", -10))


@pytest.mark.parametrize("size", [10, SMALL_BYTES + 1])
def test_a_copy_outlives_what_it_was_made_of_and_what_is_appended_to_it(blobs, size):
    first = blobs.upload_blob("from", b"a" * size, blob_type="AppendBlob")
    second = blobs.get_blob_client("to")
    second.start_copy_from_url(first.url)
    first.append_block(b"b")
    assert first.download_blob().readall() == b"a" * size + b"b"
    assert second.download_blob().readall() == b"a" * size
    second.append_block(b"z")
    first.append_block(b"c" * SMALL_BYTES)
    assert first.download_blob(size, 2).readall() == b"bc"
    first.delete_blob()
    assert second.download_blob().readall() == b"a" * size + b"z"
