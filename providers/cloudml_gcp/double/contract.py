"""The contract of Vertex AI, read mechanically out of the installed official SDK.

Routes stand in its ``transports/rest_base.py``, paths and types of gRPC in ``transports/grpc.py``, what long-running
operations give in ``client.py``; these are read as text. Messages are its own, imported when a method is first used.
That a field is required, output only or immutable stands at the beginning of its docstring, for each field as in the
public protos (`behaviour`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import stubs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SERVICES: Mapping[str, tuple[str, ...]] = {
    "v1": ("dataset_service", "endpoint_service", "job_service", "model_service", "prediction_service"),
}
"""Version -> the services that the double has."""
_CALL = re.compile(
    r'self\._logged_channel\.(?P<arity>\w+)\(\s*"(?P<path>/google\.cloud\.aiplatform[^"]+)",'
    r"\s*request_serializer=(?P<request>[\w.]+?)\.(?:serialize|SerializeToString),"
    r"\s*response_deserializer=(?P<response>[\w.]+?)\.(?:deserialize|FromString)"
)
_BINDING = re.compile(
    r'\{\s*"method": "(?P<verb>\w+)",\s*"uri": "(?P<uri>[^"]+)",(?:\s*"body": "(?P<body>[^"]+)",)?\s*\}'
)
_OPERATION = re.compile(
    r"from_gapic\(\s*response,\s*self\._transport\.operations_client,\s*(?P<result>[\w.]+),"
    r"\s*metadata_type=(?P<metadata>[\w.]+)"
)
_IMPORT = re.compile(
    r"^(?:from (?P<package>google[\w.]*) )?import (?:\(\s*)?(?P<name>[\w.]+)(?: as (?P<alias>\w+))?", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Binding:
    """One way to ask over REST.

    Attributes:
        verb: ``GET`` and so on.
        uri: ``/v1/{parent=projects/*/locations/*}/customJobs``
        body: The field that the body is; ``*`` for the whole request, empty for none.
        pattern: What a path must match.
        names: The fields that the groups of the pattern are.
    """

    verb: str
    uri: str
    body: str
    pattern: re.Pattern[str]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Method:
    """One RPC.

    Attributes:
        service: ``JobService``
        path: Of gRPC.
        modules: The names that the SDK's module has imported -> what they are.
        types: request, response, and for a long-running operation result and metadata, as they stand there.
    """

    service: str
    rpc: str
    path: str
    unary: bool
    bindings: tuple[Binding, ...]
    modules: Mapping[str, str] = field(repr=False)
    types: Mapping[str, str] = field(repr=False)

    @cached_property
    def request(self) -> Any:
        """The class of the request, of protobuf itself."""
        return self._type("request")

    @cached_property
    def response(self) -> Any:
        return self._type("response")

    @cached_property
    def result(self) -> Any:
        """What the operation gives in the end."""
        return self._type("result")

    @cached_property
    def metadata(self) -> Any:
        return self._type("metadata")

    @property
    def long_running(self) -> bool:
        return "result" in self.types

    @property
    def collection(self) -> str:
        """The last word of its path, such as ``customJobs``."""
        return self.bindings[0].uri.rpartition("/")[2]

    def _type(self, use: str) -> Any:
        alias, _, name = self.types[use].rpartition(".")
        return raw(getattr(stubs.module(self.modules[alias]), name))


def raw(kind: Any) -> Any:
    """The class of protobuf below one of proto-plus."""
    return kind.pb(kind()).__class__ if hasattr(kind, "pb") else kind


def template(uri: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """The pattern of a path such as ``/v1/{name=projects/*/models/*}:copy``, and the fields of its groups."""
    found, names, at = "", [], 0
    for part in re.finditer(r"\{([\w.]+)(?:=([^}]+))?\}", uri):
        inner = re.escape(part[2] or "*").replace(r"\*\*", ".+").replace(r"\*", "[^/:]+")
        found += re.escape(uri[at : part.start()]) + f"({inner})"
        names.append(part[1])
        at = part.end()
    return re.compile(found + re.escape(uri[at:])), tuple(names)


@cache
def methods(version: str = "v1") -> Mapping[str, Method]:
    """The methods of all services of a version, by RPC."""
    return {method.rpc: method for service in SERVICES[version] for method in _read(version, service)}


@cache
def routes(version: str = "v1") -> tuple[tuple[Binding, Method], ...]:
    """Every binding, the most particular first."""
    found = [(binding, method) for method in methods(version).values() for binding in method.bindings]
    return tuple(sorted(found, key=lambda pair: -len(pair[0].uri)))


def sdk() -> tuple[Path, str]:
    """The folder ``google/cloud`` of the installed SDK, and its version.

    Raises:
        PackageNotFoundError: It is not installed.
    """
    found = distribution("google-cloud-aiplatform")
    return Path(str(found.locate_file("google/cloud"))), found.version


def _read(version: str, service: str) -> Iterator[Method]:
    folder = sdk()[0] / f"aiplatform_{version}" / "services" / service
    calls = (folder / "transports" / "grpc.py").read_text("utf-8")
    client = (folder / "client.py").read_text("utf-8")
    bindings = _bindings((folder / "transports" / "rest_base.py").read_text("utf-8"))
    modules = {**_imports(client), **_imports(calls)}
    operations = _operations(client)
    for found in _CALL.finditer(calls):
        rpc = found["path"].rpartition("/")[2]
        types = {"request": found["request"], "response": found["response"], **operations.get(_snake(rpc), {})}
        yield Method(
            service=found["path"].split("/")[1].rpartition(".")[2],
            rpc=rpc,
            path=found["path"],
            unary=found["arity"] == "unary_unary",
            bindings=tuple(bindings.get(rpc, ())),
            modules=modules,
            types=types,
        )


def _bindings(text: str) -> dict[str, list[Binding]]:
    found: dict[str, list[Binding]] = {}
    for part in text.split("\n    class _Base")[1:]:
        for one in _BINDING.finditer(part):
            pattern, names = template(one["uri"])
            binding = Binding(one["verb"].upper(), one["uri"], one["body"] or "", pattern, names)
            found.setdefault(part.partition(":")[0], []).append(binding)
    return found


def _imports(text: str) -> dict[str, str]:
    """Name in a module -> the module that it is."""
    head = text.partition("\nclass ")[0]
    return {
        found["alias"] or found["name"]: f"{found['package']}.{found['name']}" if found["package"] else found["name"]
        for found in _IMPORT.finditer(head)
    }


def _operations(text: str) -> dict[str, dict[str, str]]:
    """Python's name of a method -> what its operation gives, and its metadata."""
    found = {}
    for part in re.split(r"\n    def ", text)[1:]:
        if operation := _OPERATION.search(part):
            found[part.partition("(")[0]] = {"result": operation["result"], "metadata": operation["metadata"]}
    return found


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
