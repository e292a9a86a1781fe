"""Blob storage over its REST interface, as azure-storage-blob and obstore speak it.

Signatures are not verified, but every request has to have one: an account key's, a SAS that has not expired, or a token
for storage. Answers follow Microsoft's description of the Blob service's REST interface.
"""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from cloudml_azure.double import batches, blobs, listing
from cloudml_azure.double.refusals import Refused
from cloudml_azure.double.wire import Answer, Asked, read, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml_azure.double.blobs import Blob
    from cloudml_azure.double.world import World

    Operation = Callable[[World, Asked], Answer]

VERSION = "2025-05-05"
HOST = ".blob.core.windows.net"
CONTENT = (
    "content-type",
    "content-encoding",
    "content-language",
    "content-disposition",
    "cache-control",
    "content-md5",
)
META = "x-ms-meta-"
RANGE = re.compile(r"bytes=(\d+)-(\d*)")
CONTAINER_NAME = re.compile(r"[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]|\$root|\$web")


def claims(world: World, asked: Asked) -> bool:
    """Whether a request is for storage; its account, container and blob are then among its names."""
    host = asked.host.partition(":")[0]
    path = asked.raw_path.lstrip("/")
    if host.endswith(HOST):
        account = host.removesuffix(HOST)
    else:
        account, _, path = path.partition("/")
    if account not in world.accounts:
        return False
    container, _, blob = path.partition("/")
    asked.service, asked.operation = "blob", _operation(asked, container, blob)
    asked.names = {"account": account, "container": unquote(container), "blob": unquote(blob)}
    asked.about = "/".join(part for part in (asked.names["container"], asked.names["blob"]) if part)
    return True


def _operation(asked: Asked, container: str, blob: str) -> str:
    comp, kind = asked.query.get("comp", ""), asked.query.get("restype", "")
    if blob:
        return of_blob(asked, comp)
    if container and comp != "batch":
        return CONTAINER_OPERATIONS.get((asked.method, comp if kind == "container" else "?"), "Unknown")
    return {"list": "ListContainers", "batch": "Batch", "userdelegationkey": "GetUserDelegationKey"}.get(
        comp, "GetAccountInformation"
    )


CONTAINER_OPERATIONS: Mapping[tuple[str, str], str] = {
    ("PUT", ""): "CreateContainer",
    ("GET", ""): "GetContainerProperties",
    ("HEAD", ""): "GetContainerProperties",
    ("DELETE", ""): "DeleteContainer",
    ("GET", "list"): "ListBlobs",
}
BLOB_OPERATIONS: Mapping[tuple[str, str], str] = {
    ("GET", ""): "GetBlob",
    ("HEAD", ""): "GetBlobProperties",
    ("DELETE", ""): "DeleteBlob",
    ("PUT", "block"): "PutBlock",
    ("PUT", "blocklist"): "PutBlockList",
    ("GET", "blocklist"): "GetBlockList",
    ("PUT", "appendblock"): "AppendBlock",
    ("PUT", "metadata"): "SetBlobMetadata",
    ("GET", "metadata"): "GetBlobProperties",
    ("HEAD", "metadata"): "GetBlobProperties",
    ("PUT", "properties"): "SetBlobProperties",
}


def of_blob(asked: Asked, comp: str) -> str:
    if (asked.method, comp) == ("PUT", ""):
        return "CopyBlob" if "x-ms-copy-source" in asked.headers else "PutBlob"
    return BLOB_OPERATIONS.get((asked.method, comp), "Unknown")


def signed(world: World, asked: Asked) -> None:
    """Refuse a request that nobody signed, or whose signature is over.

    Raises:
        Refused: In storage's words.
    """
    token = asked.headers.get("authorization", "")
    if token.startswith("Bearer "):
        world.identity.check(token.removeprefix("Bearer "), storage=True)
        return
    if world.domain("keyless", asked.names["account"]):
        raise Refused(
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
            403,
        )
    if token.startswith("SharedKey"):
        return
    if "sig" not in asked.query:
        raise Refused("NoAuthenticationInformation", "Server failed to authenticate the request.", 401)
    expiry = asked.query.get("se", "")
    if expiry and _moment(expiry) < datetime.now(UTC):
        raise Refused(
            "AuthenticationFailed",
            "Server failed to authenticate the request. Make sure the value of Authorization header is formed "
            f"correctly including the signature. Signature not valid in the specified time frame: Expiry [{expiry}]",
            403,
        )


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def answer(world: World, asked: Asked) -> Answer:
    """The answer to a request for storage."""
    try:
        signed(world, asked)
        found = OPERATIONS.get(asked.operation, _unknown)(world, asked)
    except Refused as refusal:
        found = refused(asked, refusal)
    common = {"x-ms-request-id": blobs.new_id(), "x-ms-version": asked.headers.get("x-ms-version", VERSION)}
    if "x-ms-client-request-id" in asked.headers:
        common["x-ms-client-request-id"] = asked.headers["x-ms-client-request-id"]
    found.headers = {**common, "Server": "Windows-Azure-Blob/1.0", **found.headers}
    return found


def _unknown(*_: object) -> Answer:
    raise Refused("UnsupportedHttpVerb", "The resource doesn't support the specified Http Verb.", 405)


def _place(world: World, asked: Asked) -> tuple[blobs.Blobs, str, str]:
    return world.accounts[asked.names["account"]], asked.names["container"], asked.names["blob"]


def shown(blob: Blob) -> dict[str, str]:
    """The headers that say what a blob is."""
    return {
        "Content-Type": "application/octet-stream",
        **{f"{META}{name}": value for name, value in blob.metadata.items()},
        **{name.title(): value for name, value in blob.properties.items()},
        "ETag": blob.etag,
        "Last-Modified": blobs.stamp(blob.modified),
        "x-ms-creation-time": blobs.stamp(blob.created),
        "x-ms-blob-type": blob.kind,
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-server-encrypted": "true",
        "Accept-Ranges": "bytes",
    }


def said(asked: Asked) -> dict[str, Any]:
    """What a request that writes a blob says about it."""
    named = {name: asked.headers.get(f"x-ms-blob-{name}", asked.headers.get(name, "")) for name in CONTENT}
    metadata = {name[len(META) :]: value for name, value in asked.headers.items() if name.startswith(META)}
    return {"properties": {name: value for name, value in named.items() if value}, "metadata": metadata}


def _written(blob: Blob, status: int = 201, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    facts = {"ETag": blob.etag, "Last-Modified": blobs.stamp(blob.modified), "x-ms-request-server-encrypted": "true"}
    return Answer(status=status, headers={**facts, **named})


def put_blob(world: World, asked: Asked) -> Answer:
    store, container, name = _place(world, asked)
    kind = asked.headers.get("x-ms-blob-type", "")
    if kind not in {"BlockBlob", "AppendBlob"}:
        raise Refused("InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.")
    about = said(asked)
    blob = store.put(container, name, asked.body, condition=blobs.conditions(asked.headers), kind=kind, **about)
    return _written(blob, Content_MD5=blobs.md5(asked.body))


def get_blob(world: World, asked: Asked) -> Answer:
    """The content, or a range of it."""
    store, container, name = _place(world, asked)
    blob = store.need(container, name)
    _reading(blob, asked)
    wanted = asked.headers.get("x-ms-range") or asked.headers.get("range", "")
    found = RANGE.fullmatch(wanted)
    if found is None:
        return Answer(headers=shown(blob), body=blob.part(0, blob.size))
    start = int(found[1])
    end = min(int(found[2]) if found[2] else blob.size - 1, blob.size - 1)
    if start >= blob.size:
        raise Refused(
            "InvalidRange", "The range specified is invalid for the current size of the resource.", 416,
            {"Content-Range": f"bytes */{blob.size}"},
        )  # fmt: skip
    headers = {**shown(blob), "Content-Range": f"bytes {start}-{end}/{blob.size}"}
    return Answer(status=206, headers=headers, body=blob.part(start, end - start + 1))


def _reading(blob: Blob, asked: Asked) -> None:
    match, none_match = asked.headers.get("if-match"), asked.headers.get("if-none-match")
    if match and match not in {"*", blob.etag}:
        raise blobs.unmet()
    if none_match in {"*", blob.etag}:
        raise Refused("ConditionNotMet", "Not modified.", 304, {"ETag": blob.etag})


def head_blob(world: World, asked: Asked) -> Answer:
    store, container, name = _place(world, asked)
    blob = store.need(container, name)
    _reading(blob, asked)
    return Answer(headers=shown(blob), body=blob.part(0, blob.size))


def delete_blob(world: World, asked: Asked) -> Answer:
    store, container, name = _place(world, asked)
    store.remove(container, name, blobs.conditions(asked.headers))
    return Answer(status=202, headers={"x-ms-delete-type-permanent": "true"})


def put_block(world: World, asked: Asked) -> Answer:
    store, container, name = _place(world, asked)
    content = _copied(world, asked) if "x-ms-copy-source" in asked.headers else asked.body
    store.stage(container, name, asked.query.get("blockid", ""), content)
    return Answer(status=201, headers={"Content-MD5": blobs.md5(content), "x-ms-request-server-encrypted": "true"})


def put_block_list(world: World, asked: Asked) -> Answer:
    store, container, name = _place(world, asked)
    try:
        blocks = [(one.text or "").strip() for one in ET.fromstring(asked.body)]  # noqa: S314  from the client of a test
    except ET.ParseError as error:
        raise Refused("InvalidXmlDocument", "XML specified is not syntactically valid.") from error
    blob = store.commit(container, name, blocks, condition=blobs.conditions(asked.headers), **said(asked))
    return _written(blob)


def get_block_list(world: World, asked: Asked) -> Answer:
    store, container, name = _place(world, asked)
    blob, staged = store.find(container, name), store.staged(container, name)
    if blob is None and not staged:
        store.need(container, name)
    return listing.blocks(blob.blocks if blob else [], staged.items(), asked.query.get("blocklisttype", "committed"))


def append_block(world: World, asked: Asked) -> Answer:
    store, container, name = _place(world, asked)
    offset = store.need(container, name).size
    blob = store.append(container, name, asked.body)
    return _written(blob, x_ms_blob_append_offset=str(offset), x_ms_blob_committed_block_count="1")


def set_metadata(world: World, asked: Asked) -> Answer:
    store, container, name = _place(world, asked)
    blob = store.need(container, name)
    blob.metadata = said(asked)["metadata"]
    store.touch(blob)
    return _written(blob, 200)


def set_properties(world: World, asked: Asked) -> Answer:
    store, container, name = _place(world, asked)
    blob = store.need(container, name)
    blob.properties = {
        key: asked.headers[f"x-ms-blob-{key}"] for key in CONTENT if asked.headers.get(f"x-ms-blob-{key}")
    }
    store.touch(blob)
    return _written(blob, 200)


def _source(world: World, asked: Asked) -> Blob:
    """The blob that a copy is made of."""
    source = read("GET", asked.headers["x-ms-copy-source"], {}, b"")
    if not claims(world, source):
        raise Refused("CannotVerifyCopySource", "The specified source could not be reached.", 404)
    store, container, name = _place(world, source)
    return store.need(container, name)


def _copied(world: World, asked: Asked) -> bytes:
    """The content that a copied block is made of."""
    found = _source(world, asked)
    match = RANGE.fullmatch(asked.headers.get("x-ms-source-range", ""))
    start, end = (int(match[1]), int(match[2] or found.size) + 1) if match else (0, found.size)
    return found.read(start, min(end, found.size) - start)


def copy_blob(world: World, asked: Asked) -> Answer:
    store, container, name = _place(world, asked)
    old, about = _source(world, asked), said(asked)
    blob = store.put(
        container, name, old, condition=blobs.conditions(asked.headers), properties=dict(old.properties),
        metadata=about["metadata"] or dict(old.metadata),
    )  # fmt: skip
    status = 201 if asked.headers.get("x-ms-requires-sync") == "true" or "x-ms-blob-type" in asked.headers else 202
    return _written(blob, status, x_ms_copy_id=blobs.new_id(), x_ms_copy_status="success")


def create_container(world: World, asked: Asked) -> Answer:
    store, container, _ = _place(world, asked)
    if not CONTAINER_NAME.fullmatch(container):
        raise Refused("InvalidResourceName", "The specified resource name contains invalid characters.")
    if not store.make(container):
        raise Refused("ContainerAlreadyExists", "The specified container already exists.", 409)
    return Answer(status=201, headers=_container_facts(world))


def _container_facts(world: World) -> dict[str, str]:
    return {"ETag": blobs.new_etag(), "Last-Modified": blobs.stamp(world.clock.now())}


def container_properties(world: World, asked: Asked) -> Answer:
    store, container, _ = _place(world, asked)
    store.container(container)
    return Answer(headers={**_container_facts(world), "x-ms-lease-status": "unlocked", "x-ms-lease-state": "available"})


def delete_container(world: World, asked: Asked) -> Answer:
    store, container, _ = _place(world, asked)
    store.remove_container(container)
    return Answer(status=202)


def list_blobs(world: World, asked: Asked) -> Answer:
    store, container, _ = _place(world, asked)
    return listing.blobs(store, container, asked)


def list_containers(world: World, asked: Asked) -> Answer:
    store, _, _ = _place(world, asked)
    return listing.containers(store, asked)


def batch(world: World, asked: Asked) -> Answer:
    """Several requests in one; each is signed by itself or by the whole."""
    account = asked.names["account"]

    def send(method: str, path: str, headers: dict[str, str]) -> Answer:
        whole = asked.host.partition(":")[0].endswith(HOST) or path.startswith(f"/{account}/")
        inner = read(method, f"{asked.origin}{'' if whole else f'/{account}'}{path}", headers, b"")
        inner.headers.setdefault("authorization", asked.headers.get("authorization", ""))
        if not claims(world, inner):
            return refused(inner, Refused("InvalidUri", "The requested URI does not represent any resource."))
        inner.query = {**asked.query, **inner.query}
        return answer(world, inner)

    return batches.answer(asked, send)


def delegation_key(world: World, asked: Asked) -> Answer:
    del asked
    key = base64.b64encode(b"cloudml-double-delegation-key").decode()
    return listing.delegation_key(key, world.identity.tenant)


def account_information(world: World, asked: Asked) -> Answer:
    del world, asked
    facts = {"x-ms-sku-name": "Standard_LRS", "x-ms-account-kind": "StorageV2", "x-ms-is-hns-enabled": "false"}
    return Answer(headers=facts)


OPERATIONS: Mapping[str, Operation] = {
    "PutBlob": put_blob,
    "GetBlob": get_blob,
    "GetBlobProperties": head_blob,
    "DeleteBlob": delete_blob,
    "PutBlock": put_block,
    "PutBlockList": put_block_list,
    "GetBlockList": get_block_list,
    "AppendBlock": append_block,
    "SetBlobMetadata": set_metadata,
    "SetBlobProperties": set_properties,
    "CopyBlob": copy_blob,
    "CreateContainer": create_container,
    "GetContainerProperties": container_properties,
    "DeleteContainer": delete_container,
    "ListBlobs": list_blobs,
    "ListContainers": list_containers,
    "Batch": batch,
    "GetUserDelegationKey": delegation_key,
    "GetAccountInformation": account_information,
}
