"""One transfer by one client, in a process of its own: ``python transfer_clients.py CLIENT STORE push|pull FOLDER``.

What was spent is printed as JSON: seconds of the transfer (imports and sign-in are over when it begins), seconds on
processors, the largest memory of the process in bytes, and bytes sent.

The peers do what their own documentation says of many files, with the defaults of each; the stores are told by the
environment, as a double prints it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BUCKET = "cloudml"
THREADS = 10
"""Over files, where a client has no way of its own to many."""
ACCOUNT_KEY = "bm90LWEtc2VjcmV0"
CACHE = "digests.db"


def storage(store: str) -> Any:
    """Our storage at a store."""
    from cloudml.storage import Storage

    environ = os.environ
    if store == "local":
        return Storage(environ["LOCAL_STORE"])
    return SIGNED_IN[store.rpartition("-")[2]]()


def aws_storage() -> Any:
    from cloudml_aws.clients import Clients
    from cloudml_aws.settings import AwsSettings

    environ = os.environ
    keys = environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"]
    target = AwsSettings(region="eu-west-1", bucket=BUCKET, role_arn="arn:aws:iam::111122223333:role/none")
    return Clients(target, endpoint=environ["AWS_ENDPOINT_URL"], credentials=keys).storage(f"s3://{BUCKET}/ours")


def azure_storage() -> Any:
    from cloudml_azure.clients import Clients
    from cloudml_azure.double.identity import Credential
    from cloudml_azure.settings import AzureSettings

    target = AzureSettings(
        subscription_id="00000000-0000-0000-0000-000000000000", resource_group="none", workspace="none",
        region="westeurope", storage_account=os.environ["AZURE_STORAGE_ACCOUNT_NAME"], container=BUCKET,
    )  # fmt: skip
    clients = Clients(target, credential=Credential(), blob_endpoint=os.environ["AZURE_STORAGE_ENDPOINT"])
    return clients.storage(f"az://{BUCKET}/ours")


def gcp_storage() -> Any:
    from cloudml_gcp.clients import Clients
    from cloudml_gcp.settings import GcpSettings

    target = GcpSettings(
        project_id="none", region="europe-west4", bucket=BUCKET, service_account="none@none.iam.gserviceaccount.com"
    )
    return Clients(target, endpoint=os.environ["STORAGE_EMULATOR_HOST"]).storage(f"gs://{BUCKET}/ours")


SIGNED_IN = {"aws": aws_storage, "azure": azure_storage, "gcp": gcp_storage}


def signed_in(there: Any) -> Any:
    """The same storage, once everything that a transfer imports is there and the store knows who asks."""
    there.exists("nothing")
    for upload in there.uploads.find("nothing") if there.uploads else ():
        there.uploads.parts(upload)
    return there


def cloudml(store: str, verb: str, folder: Path) -> Callable[[], Any]:
    """Ours; a push reads and hashes every file first, as the first push of a dataset does."""
    from cloudml.storage import DigestCache, scan

    there = signed_in(storage(store))
    data = os.environ.get("DATASET", folder.name)
    if verb == "pull":
        return lambda: there.pull(data, folder)
    return lambda: there.push(scan(str(folder), folder, DigestCache(folder.parent / CACHE)), data)


class Deadly:
    """Ends this process, as SIGKILL does, when half is sent."""

    def advance(self, done_bytes: int, total_bytes: int | None, label: str, /) -> None:
        if label.startswith("sending") and done_bytes * 2 >= (total_bytes or 0):
            os.kill(os.getpid(), signal.SIGKILL)


def killed(store: str, verb: str, folder: Path) -> Callable[[], Any]:
    """Ours, killed at the half."""
    from cloudml.storage import DigestCache, scan

    del verb
    there = storage(store)
    manifest = scan(str(folder), folder, DigestCache(folder.parent / CACHE))
    return lambda: there.push(manifest, "interrupted", Deadly())


def fetched(store: str, verb: str, folder: Path) -> Callable[[], Any]:
    """Ours, from a store to another: *folder* names what the first has."""
    del verb
    there = storage(store)
    return lambda: there.fetch(str(folder).replace("s3:/", "s3://"), "copied")


def copytree(store: str, verb: str, folder: Path) -> Callable[[], Any]:
    """What a script does by hand."""
    del store
    other = Path(os.environ["LOCAL_STORE"], "by-hand", folder.name if verb == "push" else os.environ["DATASET"])
    other.parent.mkdir(parents=True, exist_ok=True)
    return lambda: shutil.copytree(*(folder, other) if verb == "push" else (other, folder))


def boto3(store: str, verb: str, folder: Path) -> Callable[[], Any]:
    """All files through one transfer manager, which has ten threads."""
    import boto3
    from s3transfer.manager import TransferManager

    del store
    client = boto3.client("s3")
    client.list_objects_v2(Bucket=BUCKET, MaxKeys=1)
    prefix = f"boto3/{os.environ.get('DATASET', folder.name)}/"

    def push() -> None:
        with TransferManager(client) as manager:
            for future in [manager.upload(str(file), BUCKET, prefix + file.name) for file in sorted(folder.iterdir())]:
                future.result()

    def pull() -> None:
        with TransferManager(client) as manager:
            names = json.loads(os.environ["NAMES"])
            for future in [manager.download(BUCKET, prefix + name, str(folder / name)) for name in names]:
                future.result()

    folder.mkdir(exist_ok=True)
    return push if verb == "push" else pull


def azure(store: str, verb: str, folder: Path) -> Callable[[], Any]:
    """A file in each of ten threads; one large file in as many requests at once."""
    from azure.storage.blob import BlobServiceClient

    del store
    key = {"account_name": os.environ["AZURE_STORAGE_ACCOUNT_NAME"], "account_key": ACCOUNT_KEY}
    container = BlobServiceClient(os.environ["AZURE_STORAGE_ENDPOINT"], key).get_container_client(BUCKET)
    prefix = f"azure/{os.environ.get('DATASET', folder.name)}/"
    names = json.loads(os.environ["NAMES"])
    at_once = THREADS if len(names) == 1 else 1

    def push(name: str) -> None:
        with (folder / name).open("rb") as file:
            container.upload_blob(prefix + name, file, max_concurrency=at_once, overwrite=True)

    def pull(name: str) -> None:
        with (folder / name).open("wb") as file:
            container.download_blob(prefix + name, max_concurrency=at_once).readinto(file)

    folder.mkdir(exist_ok=True)

    def run() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(push if verb == "push" else pull, names))

    return run


def google(store: str, verb: str, folder: Path) -> Callable[[], Any]:
    """Google's transfer manager: eight processes by default; one large file in chunks at once."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client, transfer_manager

    del store
    bucket = Client(project="p", credentials=AnonymousCredentials()).bucket(BUCKET)
    prefix = f"google/{os.environ.get('DATASET', folder.name)}/"
    names = json.loads(os.environ["NAMES"])
    folder.mkdir(exist_ok=True)
    if len(names) == 1:
        blob, file = bucket.blob(prefix + names[0]), str(folder / names[0])
        if verb == "push":
            return lambda: transfer_manager.upload_chunks_concurrently(file, blob)
        return lambda: transfer_manager.download_chunks_concurrently(blob, file)
    if verb == "push":
        return lambda: transfer_manager.upload_many_from_filenames(
            bucket, names, source_directory=str(folder), blob_name_prefix=prefix, raise_exception=True
        )
    return lambda: transfer_manager.download_many_to_path(
        bucket, names, destination_directory=str(folder), blob_name_prefix=prefix, raise_exception=True
    )


CLIENTS = {
    "cloudml": cloudml,
    "killed": killed,
    "fetched": fetched,
    "copytree": copytree,
    "boto3": boto3,
    "azure": azure,
    "google": google,
}


def processor() -> float:
    own, inner = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + inner.ru_utime + inner.ru_stime


def peak() -> int:
    """The most memory that this process held, in bytes; rusage may tell that of the process which started it."""
    (line,) = (line for line in Path("/proc/self/status").read_text("utf-8").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def main(client: str, store: str, verb: str, folder: str) -> None:
    work = CLIENTS[client](store, verb, Path(folder))
    before, began = processor(), time.perf_counter()
    done = work()
    spent = {"seconds": time.perf_counter() - began, "processor": processor() - before}
    print(json.dumps({**spent, "peak": peak(), "sent": getattr(done, "bytes", 0)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
