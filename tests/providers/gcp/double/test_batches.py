"""Batches of Cloud Storage's JSON API at the double: those of Google's own client, and ours, which copy objects."""

from __future__ import annotations

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from hypothesis import given, settings
from hypothesis import strategies as some
from vertex_cloud import BUCKET
from vertex_working import SETTINGS

from cloudml.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    ThrottledError,
    UnavailableError,
)
from cloudml.storage import scan
from cloudml_gcp.clients import Clients
from cloudml_gcp.double.rehearsal import signed_in
from cloudml_gcp.wire.copies import MOST, Part, answers, refusal

COPY = "storage:objects.copy"
ODD = ("plain", "with space/é 漢", "100% + a?b#c&d=e", 'quo"te')


@pytest.fixture
def official(shared):
    made = storage.Client("p", AnonymousCredentials(), client_options={"api_endpoint": shared.gcp.url})
    yield made
    made.close()


@pytest.fixture
def ours(shared):
    """Our storage at the double, below a root of its own."""
    gcp = shared.gcp
    gcp.faults.clear()
    clients = Clients(SETTINGS, endpoint=gcp.url, credentials=signed_in(gcp), sleep=gcp.clock.sleep)
    made = clients.storage(f"gs://{BUCKET}/ours")
    yield made
    gcp.faults.clear()
    made.delete("to")


def asked(shared, name=COPY):
    return [one for one in shared.gcp.requests if one.name == name]


def pairs(shared, *names):
    for name in names:
        shared.put(f"ours/{name}", f"content of {name}")
    return [(name, f"to/{name}") for name in names]


def copied(shared):
    return [name.removeprefix("ours/to/") for name in shared.names("ours/to/")]


def test_googles_own_client_copies_in_a_batch(shared, official):
    bucket = official.bucket(BUCKET)
    bucket.blob("a").upload_from_string(b"content")
    with official.batch():
        made = [bucket.copy_blob(bucket.blob("a"), bucket, name) for name in ODD]
    assert {one.md5_hash for one in made} == {"mgNkuembtIDdJeHwKEyFVQ=="}
    assert {shared.get(name) for name in ODD} == {b"content"}


def test_in_a_batch_each_is_answered_by_itself(shared, official):
    bucket = official.bucket(BUCKET)
    bucket.blob("here").upload_from_string(b"content")
    shared.gcp.faults.refuse("storage:objects.delete", "RESOURCE_EXHAUSTED", about="*/slow")
    with official.batch(raise_exception=False) as batch:
        for name in ("nothing", "here", "slow"):
            bucket.blob(name).delete()
    assert [one.status_code for one in batch._responses] == [404, 204, 429]
    with pytest.raises(exceptions.NotFound), official.batch():
        bucket.blob("here").delete()


def test_no_content_goes_in_a_batch(shared):
    def batched(line):
        head = "--b\r\nContent-Type: application/http\r\nContent-ID: <7>\r\n\r\n"
        body = f"{head}{line} HTTP/1.1\r\n\r\n\r\n--b--\r\n"
        kind = {"content-type": "multipart/mixed; boundary=b"}
        return shared.http.post(f"{shared.gcp.url}/batch/storage/v1", data=body, headers=kind)

    shared.put("content", b"secret")
    good = batched(f"GET /storage/v1/b/{BUCKET}/o/content")
    assert "Content-ID: <response-7>\r\n" in good.text
    assert "HTTP/1.1 200 OK" in good.text
    for path in (f"/storage/v1/b/{BUCKET}/o/content?alt=media", f"/download/storage/v1/b/{BUCKET}/o/content"):
        found = batched(f"GET {path}").text
        assert ("HTTP/1.1 404" in found, "secret" in found) == (True, False)
    assert batched(f"POST /upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=x").text.count("HTTP/1.1 404") == 1
    assert shared.http.post(f"{shared.gcp.url}/batch/storage/v1", data=b"").status_code == 400


def test_of_an_object_no_more_is_told_than_a_request_names(shared):
    shared.put("told", b"content")
    object_ = f"/storage/v1/b/{BUCKET}/o/told"
    copy = f"{object_}/copyTo/b/{BUCKET}/o/told-2"
    assert shared.ask("POST", f"{copy}?fields=name,size&prettyPrint=false").text == '{"name": "told-2", "size": "7"}'
    assert shared.good("GET", f"{object_}?fields=name,nothing") == {"name": "told"}
    assert len(shared.good("GET", f"{object_}?fields=*")) > 10


def test_a_batch_is_answered_at_once_unless_something_may_go_wrong(shared):
    front = shared.gcp.server.front
    shared.gcp.faults.clear()
    assert front.quick("POST", "/batch/storage/v1")
    assert front.quick("PUT", f"/{BUCKET}/object")
    assert not front.quick("POST", f"/{BUCKET}/object?uploadId=1")
    shared.gcp.faults.refuse("storage:nothing", "UNAVAILABLE")
    assert not front.quick("POST", "/batch/storage/v1")
    shared.gcp.faults.clear()


def test_our_copies_are_those_of_googles_client(shared, official, ours):
    """Nothing differs but what is to be answered."""
    bucket = official.bucket(BUCKET)
    wanted = pairs(shared, *ODD)
    before = len(shared.gcp.requests)
    assert ours.copies.copy(wanted) == [None] * len(ODD)
    mine = shared.gcp.requests[before:]
    assert [shared.get(f"ours/to/{name}").decode() for name in ODD] == [f"content of {name}" for name in ODD]
    with official.batch():
        for name in ODD:
            bucket.copy_blob(bucket.blob(f"ours/{name}"), bucket, f"ours/to/{name}")
    theirs = [one for one in shared.gcp.requests[before + len(mine) :] if one.name != "storage:buckets.get"]
    for one in mine:
        assert one.parameters.pop("fields", "name") == "name"
    assert mine == theirs
    assert [one.name for one in mine] == ["storage:batch", *[COPY] * len(ODD)]


@pytest.mark.parametrize(("code", "said"), [
    ("RESOURCE_EXHAUSTED", {}), ("UNAVAILABLE", {}), ("INTERNAL", {}), ("requestTimeout", {"status": 408}),
])  # fmt: skip
def test_what_may_pass_is_asked_for_again_alone(shared, ours, code, said):
    wanted = pairs(shared, "1", "2", "3")
    fault = shared.gcp.faults.refuse(COPY, code, "slow down", about="*/2", times=2, **said)
    before = len(asked(shared))
    assert ours.copies.copy(wanted) == [None] * 3
    assert copied(shared) == ["1", "2", "3"]
    assert fault.struck == 2
    assert [one.about[-1] for one in asked(shared)[before:]] == ["1", "2", "3", "2", "2"]


@pytest.mark.parametrize("kind", ["drop", "lose"])
@pytest.mark.parametrize("name", [COPY, "storage:batch"])
def test_a_batch_whose_answer_does_not_come_is_sent_again(shared, ours, name, kind):
    wanted = pairs(shared, "1", "2", "3")
    fault = shared.gcp.faults.happen(kind, name)
    assert ours.copies.copy(wanted) == [None] * 3
    assert copied(shared) == ["1", "2", "3"]
    assert fault.struck == 1


@pytest.mark.parametrize("name", [COPY, "storage:batch"])
@pytest.mark.parametrize(("code", "error", "attempts"), [
    ("PERMISSION_DENIED", PermissionDeniedError, 1), ("UNAUTHENTICATED", AuthenticationError, 1),
    ("RESOURCE_EXHAUSTED", ThrottledError, 6), ("UNAVAILABLE", UnavailableError, 6),
])  # fmt: skip
def test_what_does_not_pass_is_the_error_that_it_is_elsewhere(shared, ours, name, code, error, attempts):
    (wanted,) = pairs(shared, "1")
    shared.gcp.faults.refuse(name, code, times=None)
    before = len(asked(shared, name))
    raised = one_refusal(ours, wanted)
    assert (type(raised), raised.operation) == (error, name)
    assert len(asked(shared, name)) - before >= attempts


def one_refusal(storage, pair):
    """What is said of a copy, by itself or of the batch as a whole."""
    try:
        (found,) = storage.copies.copy([pair])
    except ProviderError as error:
        return error
    return found


def test_what_is_not_there_is_told_of_it_alone(shared, ours):
    wanted = pairs(shared, "1", "3")
    found = ours.copies.copy([wanted[0], ("nothing", "to/nothing"), wanted[1]])
    assert [type(one) for one in found] == [type(None), NotFoundError, type(None)]
    assert copied(shared) == ["1", "3"]


def test_many_files_take_few_requests_and_an_interrupted_push_goes_on(shared, ours, tmp_path):
    count = 260
    for number in range(count):
        (tmp_path / f"{number:03}").write_text(str(number))
    manifest = scan(str(tmp_path), tmp_path)
    shared.gcp.faults.refuse(COPY, "PERMISSION_DENIED", first=100, times=None)
    with pytest.raises(PermissionDeniedError):
        ours.push(manifest, "to")
    assert not ours.exists("to.json")
    shared.gcp.faults.clear()
    before = len(shared.gcp.requests)
    assert ours.push(manifest, "to").copied == count
    names = [one.name for one in shared.gcp.requests[before:]]
    assert names.count("storage:batch") == 32
    assert names.count(COPY) == count
    assert {name: shared.get(f"ours/to/{name}").decode() for name in copied(shared)} == {
        f"{number:03}": str(number) for number in range(count)
    }


@settings(max_examples=50)
@given(
    some.dictionaries(
        some.integers(0, MOST), some.tuples(some.integers(200, 599), some.binary(max_size=20)), max_size=5
    )
)
def test_an_answer_is_read_whatever_is_in_it(found):
    mark = "batch_0123456789"
    parts = [
        f"--{mark}\r\nContent-Type: application/http\r\nContent-ID: <response-{number}>\r\n\r\n"
        f"HTTP/1.1 {status} Words\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
        + b"\r\n"
        for number, (status, body) in found.items()
    ]
    read = answers(f"multipart/mixed; boundary={mark}", b"".join(parts) + f"--{mark}--".encode())
    assert {number: (part.status, part.body) for number, part in read.items()} == {
        number: (status, body + b"\r\n") for number, (status, body) in found.items()
    }


def test_an_answer_that_did_not_come_may_come_the_next_time():
    assert isinstance(refusal(None), UnavailableError)
    assert refusal(Part(204, b"")) is None
    assert isinstance(refusal(Part(502, b"<html>")), UnavailableError)
    assert answers("text/html", b"<html>") == {}
