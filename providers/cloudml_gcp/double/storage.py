"""The JSON API of Cloud Storage: buckets, objects, copies, permissions. Uploads are `uploads`, batches `batches`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import accounts, batches, listing, reading, uploads
from cloudml_gcp.double.refusals import Refused
from cloudml_gcp.double.wire import INDENT, Answer, Asked, as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml_gcp.double.objects import Bucket, Stored
    from cloudml_gcp.double.wire import Request
    from cloudml_gcp.double.world import World

CONDITIONS = ("ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch", "ifMetagenerationNotMatch")
VERBS = {"GET": "get", "HEAD": "get", "PATCH": "patch", "PUT": "update", "DELETE": "delete", "POST": "insert"}
EMPTY = 204
OBJECTS = 2
"""Parts of a path that ends with the objects of a bucket."""


def conditions(request: Request) -> dict[str, str]:
    """The preconditions of a request."""
    return {name: value for name, value in request.query if name in CONDITIONS}


def read(_world: World, request: Request) -> Asked | None:
    """What a request asks of the JSON API."""
    parts = request.segments
    if parts[:1] == ["batch"]:
        return Asked(service="storage", operation="batch")
    if parts[:1] == ["upload"]:
        return uploads.read(request)
    parts = parts[1:] if parts[:1] == ["download"] else parts
    if parts[:3] != ["storage", "v1", "b"]:
        return None
    rest = parts[3:]
    said = {**request.parameters, **({"bucket": rest[0]} if rest else {}), **_names(rest)}
    return Asked(
        service="storage",
        operation=_operation(request.verb, rest),
        about="/".join(rest[:1] + rest[2:3]),
        parameters=said,
    )


def _names(rest: list[str]) -> dict[str, str]:
    """The objects that a path names; of a copy the second as the discovery document calls it."""
    match rest:
        case [_, "o", name, _, "b", bucket, "o", other]:
            return {"object": name, "destinationBucket": bucket, "destinationObject": other}
        case [_, "o", name, *_]:
            return {"object": name}
        case _:
            return {}


def _operation(verb: str, rest: list[str]) -> str:
    match rest:
        case [] | [_]:
            return f"buckets.{'list' if verb == 'GET' and not rest else VERBS[verb]}"
        case [_, "iam", "testPermissions"]:
            return "buckets.testIamPermissions"
        case [_, "o"] | [_, "o", _]:
            return f"objects.{'list' if verb == 'GET' and len(rest) == OBJECTS else VERBS[verb]}"
        case [_, "o", _, "compose"]:
            return "objects.compose"
        case [_, "o", _, ("copyTo" | "rewriteTo") as word, "b", _, "o", _]:
            return f"objects.{word.removesuffix('To')}"
        case _:
            return "nothing"


def answer(world: World, request: Request, asked: Asked) -> Answer:
    """Carry out what is asked of the JSON API.

    Raises:
        Refused: Cloud Storage says no.
    """
    if asked.operation == "batch":
        return batches.answer(world, request)
    if request.path.startswith("/upload/"):
        return uploads.answer(world, request)
    operation = OPERATIONS.get(asked.operation)
    if operation is None:
        raise Refused("notFound", "Not Found", status=404)
    return operation(world, request, asked.parameters)


def refused(_request: Request, refusal: Refused) -> Answer:
    """A refusal, with a reason of Cloud Storage's own."""
    if refusal.code == "notModified":
        return Answer(status=refusal.status)
    reason = REASONS.get(refusal.code, refusal.code)
    one = {"message": refusal.message, "domain": "global", "reason": reason}
    said = {"code": refusal.status, "message": refusal.message, "errors": [one]}
    return as_json({"error": said}, refusal.status)


REASONS = {
    "RESOURCE_EXHAUSTED": "rateLimitExceeded",
    "PERMISSION_DENIED": "forbidden",
    "UNAUTHENTICATED": "authError",
    "UNAVAILABLE": "backendError",
    "INTERNAL": "backendError",
}
"""google.rpc.Code -> the reason that Cloud Storage gives."""


def _shown(bucket: Bucket) -> dict[str, Any]:
    meta = bucket.meta
    return {
        "kind": "storage#bucket",
        "id": bucket.name,
        "name": bucket.name,
        "etag": f"CA{meta['metageneration']}=",
        **meta,
    }


def _make(world: World, request: Request, _said: Mapping[str, str]) -> Answer:
    wanted = request.json()
    bucket = world.objects.make(str(wanted.pop("name", "")), **wanted)
    return as_json(_shown(bucket))


def _buckets(world: World, _request: Request, said: Mapping[str, str]) -> Answer:
    found = [one for one in world.objects.buckets() if one.name.startswith(said.get("prefix", ""))]
    return as_json({"kind": "storage#buckets", "items": [_shown(one) for one in found]})


def _bucket(world: World, _request: Request, said: Mapping[str, str]) -> Answer:
    return as_json(_shown(world.objects.bucket(said["bucket"])))


def _patch_bucket(world: World, request: Request, said: Mapping[str, str]) -> Answer:
    bucket = world.objects.bucket(said["bucket"])
    bucket.meta.update(request.json())
    bucket.meta["metageneration"] = str(int(bucket.meta["metageneration"]) + 1)
    return as_json(_shown(bucket))


def _remove_bucket(world: World, _request: Request, said: Mapping[str, str]) -> Answer:
    world.objects.remove(said["bucket"])
    return Answer(status=EMPTY)


def _permissions(world: World, request: Request, said: Mapping[str, str]) -> Answer:
    world.objects.bucket(said["bucket"])
    asked = [value for name, value in request.query if name == "permissions"]
    kind = "storage#testIamPermissionsResponse"
    return as_json({"kind": kind, "permissions": accounts.granted(world, asked)})


def _list(world: World, _request: Request, said: Mapping[str, str]) -> Answer:
    page = listing.page(world.objects, said["bucket"], said)
    found: dict[str, Any] = {"kind": "storage#objects"}
    if page.objects:
        found["items"] = [one.resource() for one in page.objects]
    if page.prefixes:
        found["prefixes"] = page.prefixes
    return as_json({**found, **({"nextPageToken": page.following} if page.following else {})})


def _get(world: World, request: Request, said: Mapping[str, str]) -> Answer:
    stored = _found(world, request, said, reading=True)
    if said.get("alt") == "media" or request.path.startswith("/download/"):
        return reading.content(stored, request)
    found = _partial(stored, said)
    found.headers["ETag"] = stored.etag
    return found


def _found(world: World, request: Request, said: Mapping[str, str], *, reading: bool = False) -> Stored:
    stored = world.objects.find(said["bucket"], said["object"], said.get("generation", ""))
    world.objects.hold(stored, conditions(request), reading=reading)
    return stored


def _patch(world: World, request: Request, said: Mapping[str, str]) -> Answer:
    return _partial(world.objects.patch(_found(world, request, said), request.json()), said)


def _delete(world: World, request: Request, said: Mapping[str, str]) -> Answer:
    world.objects.delete(said["bucket"], said["object"], said.get("generation", ""), **conditions(request))
    return Answer(status=EMPTY)


def _compose(world: World, request: Request, said: Mapping[str, str]) -> Answer:
    wanted = request.json()
    sources = [
        world.objects.find(said["bucket"], one["name"], str(one.get("generation") or ""))
        for one in wanted.get("sourceObjects", ())
    ]
    contents = [one.content for one in sources]
    about = wanted.get("destination") or {}
    made = world.objects.put_together(said["bucket"], said["object"], contents, about, **conditions(request))
    return as_json(made.resource())


def _copied(world: World, request: Request, said: Mapping[str, str]) -> Stored:
    bucket, name = said["destinationBucket"], said["destinationObject"]
    source = world.objects.find(said["bucket"], said["object"], said.get("sourceGeneration", ""))
    about = {**source.meta, **(request.json() if request.body else {})}
    return world.objects.copy(source, bucket, name, about, **conditions(request))


def _copy(world: World, request: Request, said: Mapping[str, str]) -> Answer:
    return _partial(_copied(world, request, said), said)


def _partial(stored: Stored, said: Mapping[str, str]) -> Answer:
    """Those members of an object that a request names; all where it names none, or members of members."""
    found, fields = stored.resource(), said.get("fields", "")
    if fields and not {"*", "/", "("} & set(fields):
        found = {name: found[name] for name in fields.split(",") if name in found}
    return as_json(found, indent=None if said.get("prettyPrint") == "false" else INDENT)


def _rewrite(world: World, request: Request, said: Mapping[str, str]) -> Answer:
    made = _copied(world, request, said).resource()
    size = {"totalBytesRewritten": made["size"], "objectSize": made["size"]}
    return as_json({"kind": "storage#rewriteResponse", **size, "done": True, "resource": made})


OPERATIONS: Mapping[str, Callable[[World, Request, Mapping[str, str]], Answer]] = {
    "buckets.delete": _remove_bucket,
    "buckets.get": _bucket,
    "buckets.insert": _make,
    "buckets.list": _buckets,
    "buckets.patch": _patch_bucket,
    "buckets.testIamPermissions": _permissions,
    "objects.compose": _compose,
    "objects.copy": _copy,
    "objects.delete": _delete,
    "objects.get": _get,
    "objects.list": _list,
    "objects.patch": _patch,
    "objects.rewrite": _rewrite,
    "objects.update": _patch,
}
