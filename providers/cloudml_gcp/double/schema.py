"""The contract as plain data: what facts/contract.json keeps for the provider, which checks requests without the SDK.

    {"source": "google-cloud-aiplatform 2.7.0", "date": "2026-11-25",
     "methods": {"CreateCustomJob": {
        "verb": "POST", "path": "/v1/{parent=projects/*/locations/*}/customJobs",
        "body": "customJob",          # the field that the HTTP body is, "*" for the whole request; not there: no body
        "request": "CreateCustomJobRequest", "response": "CustomJob",
        "result": "…", "metadata": "…"}},   # of a long-running operation
     "messages": {"CustomJob": {"displayName": {"type": "string", "required": true}, …}},
     "enums": {"JobState": ["JOB_STATE_UNSPECIFIED", "JOB_STATE_QUEUED", …]}}

Fields stand under their JSON names. `type` is a scalar (string, bytes, bool, double, float, int32, int64, uint32,
uint64), the name of a message or an enum of this file, or one of protobuf's own (Any, Duration, Empty, FieldMask,
HttpBody, ListValue, Operation, Status, Struct, Timestamp, Value). A message's name is short; one within another is
``StudySpec.MetricSpec``. Further members are there only when they say something: `repeated` (a list), `map` (an object
with string keys; `type` is that of the values), `enum` (the type is one), `required`, `output_only`, `immutable`,
`oneof` (the name of the group of which one field at most may be set), `presence` (absent and zero are told apart).
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import behaviour, contract

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudml_gcp.double.contract import Method

METHODS = (
    "CancelCustomJob", "CreateCustomJob", "CreateEndpoint", "DeleteCustomJob", "DeleteEndpoint", "DeleteModel",
    "DeleteModelVersion", "DeployModel", "GetCustomJob", "GetEndpoint", "GetModel", "ListCustomJobs", "ListEndpoints",
    "ListModelVersions", "ListModels", "MergeVersionAliases", "MutateDeployedModel", "Predict", "RawPredict",
    "UndeployModel", "UpdateEndpoint", "UpdateModel", "UploadModel",
)  # fmt: skip
"""The RPCs that a provider sends."""
SCALARS = {
    "TYPE_STRING": "string", "TYPE_BYTES": "bytes", "TYPE_BOOL": "bool", "TYPE_DOUBLE": "double",
    "TYPE_FLOAT": "float", "TYPE_INT32": "int32", "TYPE_INT64": "int64", "TYPE_UINT32": "uint32",
    "TYPE_UINT64": "uint64",
}  # fmt: skip
BEHAVIOURS = {
    "required": behaviour.REQUIRED,
    "output_only": behaviour.OUTPUT_ONLY,
    "immutable": behaviour.IMMUTABLE,
}


def facts(date: str) -> dict[str, Any]:
    """The whole file."""
    methods = {rpc: contract.methods()[rpc] for rpc in METHODS}
    messages, enums = _reached([kind.DESCRIPTOR for one in methods.values() for kind in (one.request, one.response)])
    return {
        "source": f"google-cloud-aiplatform {version('google-cloud-aiplatform')}",
        "date": date,
        "methods": {rpc: _method(method) for rpc, method in methods.items()},
        "messages": {name: _message(descriptor) for name, descriptor in sorted(messages.items())},
        "enums": {name: [value.name for value in enum.values] for name, enum in sorted(enums.items())},
    }


def name(descriptor: Any) -> str:
    """The short name of a message or enum."""
    return str(descriptor.full_name.removeprefix(f"{descriptor.file.package}."))


def _method(method: Method) -> dict[str, Any]:
    binding = method.bindings[0]
    found = {
        "verb": binding.verb,
        "path": binding.uri,
        "request": name(method.request.DESCRIPTOR),
        "response": name(method.response.DESCRIPTOR),
    }
    if binding.body:
        found["body"] = binding.body if binding.body == "*" else _json(method.request.DESCRIPTOR, binding.body)
    if method.long_running:
        found |= {"result": name(method.result.DESCRIPTOR), "metadata": name(method.metadata.DESCRIPTOR)}
    return found


def _json(descriptor: Any, field: str) -> str:
    return str(descriptor.fields_by_name[field].json_name)


def _message(descriptor: Any) -> dict[str, Any]:
    return {field.json_name: _field(field) for field in descriptor.fields}


def _field(field: Any) -> dict[str, Any]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"]
        return {"map": True, **_type(value), **_says(field)}
    found = {**_type(field), **({"repeated": True} if field.is_repeated else {}), **_says(field)}
    if field.containing_oneof is not None:
        synthetic = len(field.containing_oneof.fields) == 1 and field.containing_oneof.name.startswith("_")
        found |= {"presence": True} if synthetic else {"oneof": field.containing_oneof.name}
    return found


def _type(field: Any) -> dict[str, Any]:
    if field.message_type is not None:
        return {"type": name(field.message_type)}
    if field.enum_type is not None:
        return {"type": name(field.enum_type), "enum": True}
    numbers = {getattr(field, word): plain for word, plain in SCALARS.items()}
    return {"type": numbers[field.type]}


def _says(field: Any) -> dict[str, bool]:
    return {key: True for key, word in BEHAVIOURS.items() if behaviour.says(field, word)}


def _reached(start: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The messages of Vertex AI that can be reached, and the enums that stand in them."""
    messages: dict[str, Any] = {}
    enums: dict[str, Any] = {}
    waiting = list(start)
    while waiting:
        descriptor = waiting.pop()
        if not descriptor.full_name.startswith(behaviour.OURS) or name(descriptor) in messages:
            continue
        messages[name(descriptor)] = descriptor
        for field in descriptor.fields:
            values = field.message_type.fields_by_name if _is_map(field) else {"": field}
            inner = values.get("value", field)
            waiting += [inner.message_type] if inner.message_type is not None else []
            if inner.enum_type is not None:
                enums[name(inner.enum_type)] = inner.enum_type
    return messages, enums


def _is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)
