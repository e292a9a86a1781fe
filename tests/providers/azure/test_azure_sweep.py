"""The sweeper of the live tests, on the double."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azureml_resources import TARGET, settings

sys.path.insert(0, str(Path(__file__).parents[3]))

from cloudml_azure import names
from cloudml_azure.clients import Clients
from cloudml_azure.double import double
from tests.live import sweep


def test_what_is_old_is_removed_and_nothing_else() -> None:
    now = datetime.now(UTC)
    old, young = sweep.project(now - timedelta(hours=7)), sweep.project(now)
    with double(**TARGET) as azure:
        clients = Clients(
            settings(), transport=azure.transport(), credential=azure.credential, blob_endpoint=azure.blob_url,
            sleep=azure.clock.sleep,
        )  # fmt: skip
        storage = clients.storage("az://cloudml/cloudml")
        for name in (old, young, "live-by-hand"):
            storage.write(f"{name}/monitors/x/file", b"x")
        left = names.endpoint(f"{old}-two", settings())
        body = {"location": "westeurope", "tags": {"cloudml-project": old}, "properties": {"authMode": "Key"}}
        clients.send("OnlineEndpoints_CreateOrUpdate", {"endpoint": left, **body})
        asked = {"dry": True, "provider": "azure"}
        assert list(sweep.run(clients, now, sweep.OLD, **asked)) == [f"would remove {old}"]
        said = list(sweep.run(clients, now, sweep.OLD, **{**asked, "dry": False}))
        assert said == [f"removed {old}: {left}"]
        assert {one.path.partition("/")[0] for one in storage.list()} == {young, "live-by-hand"}
        assert list(clients.pages("OnlineEndpoints_List", {})) == []
