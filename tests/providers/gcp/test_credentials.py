"""What Google's services are asked with: tokens that are made anew, and nothing where everybody could read it."""

from __future__ import annotations

import json

import pytest
from vertex_working import SETTINGS

from cloudml.errors import AuthenticationError
from cloudml_gcp.clients import SCOPE, Clients
from cloudml_gcp.double import double

HERE = {"project": SETTINGS.project_id, "region": SETTINGS.region, "bucket": SETTINGS.bucket}
LIST = ("aiplatform:ListCustomJobs", {"parent": SETTINGS.parent})


@pytest.fixture
def gcp():
    with double(**HERE, service_account=SETTINGS.service_account) as running:
        yield running


@pytest.fixture
def clients(gcp):
    """Clients that sign in by the double's key file, as google-auth itself does it."""
    from google.oauth2.service_account import Credentials

    said = json.loads((gcp.world.folder / "service-account.json").read_text())
    credentials = Credentials.from_service_account_info(said, scopes=[SCOPE])
    return Clients(SETTINGS, endpoint=gcp.url, credentials=credentials, sleep=gcp.clock.sleep)


@pytest.fixture
def bucket(clients):
    return clients.storage(f"gs://{SETTINGS.bucket}")


def asked(gcp) -> int:
    """How often a token was asked for."""
    return sum(one.name == "oauth2:token" for one in gcp.requests)


def test_a_token_serves_until_it_is_refused_and_then_another_one(gcp, clients, bucket) -> None:
    clients.send(*LIST)
    bucket.write("x", b"1")
    assert asked(gcp) == 1
    gcp.world.tokens.expire()
    clients.send(*LIST)
    assert bucket.read("x") == b"1"
    assert asked(gcp) == 2


def test_a_token_that_the_bucket_refuses_is_told(gcp, bucket) -> None:
    bucket.write("x", b"1")
    gcp.world.tokens.expire()
    with pytest.raises(AuthenticationError, match="asks who you are") as caught:
        bucket.read("x")
    assert caught.value.exit_code == 4
    assert "sign in" in caught.value.hint


@pytest.mark.parametrize("at_the_bucket", [False, True])
def test_who_gets_no_token_any_more_is_told_to_sign_in(gcp, clients, bucket, at_the_bucket: bool) -> None:
    gcp.faults.refuse("oauth2:token", "invalid_grant", "Token has been expired or revoked.", times=None)
    with pytest.raises(AuthenticationError, match="expired or revoked") as caught:
        bucket.read("x") if at_the_bucket else clients.send(*LIST)
    assert "sign in" in caught.value.hint


def test_an_address_without_encryption_gets_no_credentials_and_every_other_one_does(gcp, monkeypatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", gcp.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcp.url)
    clients = Clients(SETTINGS)
    clients.storage(f"gs://{SETTINGS.bucket}").write("x", b"1")
    assert clients.send("storage:GetBucket", {"bucket": SETTINGS.bucket})["name"] == SETTINGS.bucket
    assert asked(gcp) == 0
    assert not hasattr(clients.credentials("storage"), "service_account_email")
    assert clients.credentials().service_account_email == SETTINGS.service_account
