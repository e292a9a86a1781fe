"""Holding a request against the vendor's own contract, before it is sent.

The contract (facts/contract.json) says which members there are, their types and enums, and which are required, only for
the service to say, or never to be changed. What stands in prose only, the comments of the messages in the SDK, this
file has as rules. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloudml.errors import SpecError
from cloudml.spelling import nearest
from cloudml_gcp.wire import routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloudml.plan import Call

SERVICE = "aiplatform"
SHOWN = 80
NUMBERS = ((int, float), "a number")
WHOLE = ((int,), "a whole number")
LONG = ((int, str), "a whole number")
TEXT = ((str,), "text")
TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "string": TEXT,
    "bytes": ((str,), "bytes in base64"),
    "bool": ((bool,), "true or false"),
    "double": NUMBERS,
    "float": NUMBERS,
    "int32": WHOLE,
    "uint32": WHOLE,
    "int64": LONG,
    "uint64": LONG,
    "Duration": ((str,), "seconds, such as `3600s`"),
    "Timestamp": TEXT,
    "FieldMask": TEXT,
    "Struct": ((Mapping,), "an object"),
    "ListValue": ((list, tuple), "a list"),
    "Empty": ((Mapping,), "an object"),
}
"""Scalars and protobuf's own messages in JSON: which values of Python they are, and in words."""
PATTERNS: Mapping[str, re.Pattern[str]] = {
    "Duration": re.compile(r"\d+(\.\d{1,9})?s"),
    "int64": re.compile(r"-?\d+"),
    "uint64": re.compile(r"\d+"),
}
RANGES: Mapping[str, range] = {
    "int32": range(-(2**31), 2**31),
    "uint32": range(2**32),
    "int64": range(-(2**63), 2**63),
    "uint64": range(2**64),
}


def check(call: Call) -> None:
    """Refuse a request that the service would refuse.

    Raises:
        SpecError: With every problem, and where in the request it stands.
    """
    service, _, rpc = call.operation.partition(":")
    if service != SERVICE or call.operation in routes.ROUTES:
        return
    found = tuple(problems(rpc, call.body))
    if found:
        raise SpecError(
            f"{call.operation} cannot be sent: {'; '.join(found)}",
            path=call.operation,
            hint="nothing was sent; look at `cloudml plan --requests`",
        )


def problems(rpc: str, body: Mapping[str, Any]) -> Iterator[str]:
    """What the service would refuse in the request of *rpc*; nothing when it is good."""
    method = routes.contract()["methods"].get(rpc)
    if method is None:
        yield f"`{rpc}` is none of the requests that cloudml knows"
        return
    mask = body.get("updateMask")
    found = list(_message(method["request"], body, "", deep=mask is None))
    if not found:  # rules rely on every member being of its type
        found += [*(_masked(method, body, mask) if mask else ()), *(RULES[rpc](body) if rpc in RULES else ())]
    yield from found


def _message(name: str, value: Mapping[str, Any], path: str, *, deep: bool) -> Iterator[str]:
    fields: Mapping[str, Mapping[str, Any]] = routes.contract()["messages"][name]
    for key, says in fields.items():
        required = says.get("required") and not says.get("output_only")
        if required and (deep or not path) and value.get(key) in (None, "", [], {}):
            yield f"`{_at(path, key)}` is missing"
    for key, inner in value.items():
        here = _at(path, key)
        if key not in fields:
            guess = nearest(key, tuple(fields))
            yield f"`{here}` is unknown" + (f"; is `{guess}` meant?" if guess else "")
        elif fields[key].get("output_only") and (deep or key != "name"):  # an update names what it changes
            yield f"`{here}` is for the service to say"
        else:
            yield from _field(fields[key], inner, here, deep=deep)
    yield from _several(fields, value, path)


def _several(fields: Mapping[str, Mapping[str, Any]], value: Mapping[str, Any], path: str) -> Iterator[str]:
    """Of a group in which one stands for all, several that are said."""
    groups: dict[str, list[str]] = {}
    for key in value:
        if group := fields.get(key, {}).get("oneof"):
            groups.setdefault(group, []).append(key)
    for said in groups.values():
        if len(said) > 1:
            yield f"`{'` and `'.join(_at(path, key) for key in said)}` exclude each other"


def _field(says: Mapping[str, Any], value: Any, path: str, *, deep: bool) -> Iterator[str]:
    if says.get("repeated"):
        if not isinstance(value, list | tuple):
            yield _wrong(path, value, "a list")
            return
        for index, inner in enumerate(value):
            yield from _value(says, inner, f"{path}[{index}]", deep=deep)
    elif says.get("map"):
        if not isinstance(value, Mapping):
            yield _wrong(path, value, "an object")
            return
        for key, inner in value.items():
            yield from _value(says, inner, _at(path, str(key)), deep=deep)
    else:
        yield from _value(says, value, path, deep=deep)


def _value(says: Mapping[str, Any], value: Any, path: str, *, deep: bool) -> Iterator[str]:
    kind = says["type"]
    if says.get("enum"):
        yield from _enum(kind, value, path)
    elif kind in routes.contract()["messages"]:
        if isinstance(value, Mapping):
            yield from _message(kind, value, path, deep=deep)
        else:
            yield _wrong(path, value, "an object")
    elif kind in TYPES:
        kinds, words = TYPES[kind]
        good = isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)
        pattern = PATTERNS.get(kind)
        if not good or (pattern and isinstance(value, str) and not pattern.fullmatch(value)):
            yield _wrong(path, value, words)
        elif kind in RANGES and int(value) not in RANGES[kind]:
            yield _wrong(path, value, f"{words} that fits {kind}")


def _enum(kind: str, value: Any, path: str) -> Iterator[str]:
    known: Sequence[str] = routes.contract()["enums"][kind]
    if value not in known or str(value).endswith("_UNSPECIFIED"):
        guess = nearest(str(value), tuple(known))
        yield f"`{path}` is {_shown(value)}, and must be one of {len(known) - 1} values" + (
            f"; is `{guess}` meant?" if guess else ""
        )


def _masked(method: Mapping[str, Any], body: Mapping[str, Any], mask: str) -> Iterator[str]:
    """What an update names that cannot be changed."""
    kind = routes.contract()["messages"][method["request"]][method["body"]]["type"]
    fields = routes.contract()["messages"][kind]
    for path in mask.split(","):
        says = fields.get(path.partition(".")[0], {})
        if says.get("immutable") or says.get("output_only") or not says:
            yield f"`updateMask` names `{path}`, which cannot be changed"
    del body


# What stands in prose only.

LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
LABELS = 64
DISPLAY_NAME = 128
VARIABLES = 100
ARGUMENTS = 100_000
ENDPOINT_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|[1-9]\d{0,9}")
MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
ALIAS = re.compile(r"-?[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")
DEPLOYED_ID = re.compile(r"[0-9]{1,10}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WHOLE_TRAFFIC = 100


def _custom_job(body: Mapping[str, Any]) -> Iterator[str]:
    job = body.get("customJob", {})
    yield from _named(job, "customJob")
    pools = job.get("jobSpec", {}).get("workerPoolSpecs", [])
    for index, pool in enumerate(pools if isinstance(pools, list) else ()):
        path = f"customJob.jobSpec.workerPoolSpecs[{index}]"
        if pool:  # an empty one leaves its place out
            yield from _pool(pool, path)
            if index == 0 and str(pool.get("replicaCount")) != "1":
                yield f"`{path}.replicaCount` must be 1: the first pool is the one machine that leads"


def _pool(pool: Mapping[str, Any], path: str) -> Iterator[str]:
    machine = pool.get("machineSpec", {})
    yield from _machine(machine, f"{path}.machineSpec")
    said = [key for key in ("containerSpec", "pythonPackageSpec") if pool.get(key)]
    if len(said) != 1:
        yield f"`{path}` needs one of `containerSpec` and `pythonPackageSpec`"
    container = pool.get("containerSpec", {})
    variables = container.get("env", [])
    if len(variables) > VARIABLES:
        yield f"`{path}.containerSpec.env` has {len(variables)} variables, and may have {VARIABLES}"
    for one in variables:
        if not VARIABLE.fullmatch(str(one.get("name", ""))):
            yield f"`{path}.containerSpec.env` has a variable `{one.get('name')}`, which is no name for one"
    if sum(len(str(one)) for one in container.get("args", ())) > ARGUMENTS:
        yield f"`{path}.containerSpec.args` has more than {ARGUMENTS} characters"


def _machine(machine: Mapping[str, Any], path: str) -> Iterator[str]:
    if not machine.get("machineType"):
        yield f"`{path}.machineType` is missing"
    if bool(machine.get("acceleratorType")) != bool(machine.get("acceleratorCount")):
        yield f"`{path}` needs both of `acceleratorType` and `acceleratorCount`, or neither"


def _named(made: Mapping[str, Any], path: str) -> Iterator[str]:
    """The rules of display names and labels."""
    if len(str(made.get("displayName", ""))) > DISPLAY_NAME:
        yield f"`{path}.displayName` has more than {DISPLAY_NAME} characters"
    labels = made.get("labels", {})
    if isinstance(labels, Mapping):
        if len(labels) > LABELS:
            yield f"`{path}.labels` has {len(labels)} labels, and may have {LABELS}"
        for key, value in labels.items():
            if not LABEL_KEY.fullmatch(str(key)) or not LABEL_VALUE.fullmatch(str(value)):
                yield f"`{path}.labels.{key}` is {_shown(value)}: labels are small letters, digits, `_` and `-`"


def _endpoint(body: Mapping[str, Any]) -> Iterator[str]:
    made = body.get("endpoint", {})
    yield from _named(made, "endpoint")
    if "trafficSplit" in made:
        yield "`endpoint.trafficSplit` cannot be said when an endpoint is made: it has no models yet"
    if "endpointId" in body:
        yield from _matching(ENDPOINT_ID, body["endpointId"], "endpointId")


def _changed_endpoint(body: Mapping[str, Any]) -> Iterator[str]:
    yield from _named(body.get("endpoint", {}), "endpoint")
    yield from _traffic(body.get("endpoint", {}).get("trafficSplit"), "endpoint.trafficSplit")


def _model(body: Mapping[str, Any]) -> Iterator[str]:
    yield from _named(body.get("model", {}), "model")
    if "modelId" in body:
        yield from _matching(MODEL_ID, body["modelId"], "modelId")
    for alias in body.get("model", {}).get("versionAliases", ()):
        yield from _matching(ALIAS, alias, "model.versionAliases")


def _aliases(body: Mapping[str, Any]) -> Iterator[str]:
    for alias in body.get("versionAliases", ()):
        yield from _matching(ALIAS, alias, "versionAliases")
    if "@" not in str(body.get("name", "")):
        yield "`name` must name a version: `…/models/MODEL@VERSION`"


def _deployment(body: Mapping[str, Any]) -> Iterator[str]:
    deployed = body.get("deployedModel", {})
    if "id" in deployed:
        yield from _matching(DEPLOYED_ID, deployed["id"], "deployedModel.id")
    machines = deployed.get("dedicatedResources", {})
    if machines:
        yield from _machine(machines.get("machineSpec", {}), "deployedModel.dedicatedResources.machineSpec")
        least, most = machines.get("minReplicaCount", 0), machines.get("maxReplicaCount", 0)
        if least < 1:
            yield "`deployedModel.dedicatedResources.minReplicaCount` must be at least 1"
        if most and most < least:
            yield "`deployedModel.dedicatedResources.maxReplicaCount` is less than `minReplicaCount`"
    yield from _traffic(body.get("trafficSplit"), "trafficSplit")


def _traffic(split: Any, path: str) -> Iterator[str]:
    if split and isinstance(split, Mapping) and sum(split.values()) != WHOLE_TRAFFIC:
        yield f"`{path}` must add up to {WHOLE_TRAFFIC}"


def _matching(pattern: re.Pattern[str], value: Any, path: str) -> Iterator[str]:
    if not pattern.fullmatch(str(value)):
        yield f"`{path}` is {_shown(value)}, and must match the pattern {pattern.pattern}"


RULES: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "CreateCustomJob": _custom_job,
    "CreateEndpoint": _endpoint,
    "UpdateEndpoint": _changed_endpoint,
    "UploadModel": _model,
    "MergeVersionAliases": _aliases,
    "DeployModel": _deployment,
}


def _wrong(path: str, value: Any, words: str) -> str:
    return f"`{path or 'the request'}` is {_shown(value)}, and must be {words}"


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
