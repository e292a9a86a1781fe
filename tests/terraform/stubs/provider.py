"""A Terraform provider that knows schemas and nothing else; no cloud is ever asked.

Started by Terraform through a script of the mirror, which sets STUB_SCHEMA and STUB_OVERLAY. It plans every computed
attribute that is not set as unknown, and makes values up when it applies. `python provider.py --compile` writes the
schema as the protocol carries it beside the schema, so that a start takes a tenth of a second. With `--attach` it
answers any number of calls of Terraform, which TF_REATTACH_PROVIDERS sends to it, until its standard input ends.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import sys
import tempfile
import threading
from concurrent import futures
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import grpc
import rules
import wire
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tf.gen import grpc_controller_pb2, grpc_controller_pb2_grpc, grpc_stdio_pb2_grpc
from tf.gen import tfplugin_pb2 as pb
from values import Filler, planned

ERROR = 1
ORPHAN_S = 5.0
"""How often is looked whether Terraform is still there."""
CONTEXT = ("region", "project", "subscription_id")
"""Arguments of the provider that templates of values may refer to."""


class Schemas:
    """The schemas of one release of a provider, and the overlay that knows more."""

    def __init__(self, path: Path, overlay: dict[str, Any]) -> None:
        self.path = path
        self.overlay = overlay

    @cached_property
    def document(self) -> dict[str, Any]:
        (found,) = json.loads(gzip.decompress(self.path.read_bytes()))["provider_schemas"].values()
        return found

    @property
    def compiled(self) -> Path:
        return self.path.with_suffix(".pb")

    def compile(self) -> None:
        message = pb.GetProviderSchema.Response(provider=wire.schema(self.document["provider"]))
        for name, one in self.document["resource_schemas"].items():
            message.resource_schemas[name].CopyFrom(wire.schema(one))
        for name, one in self.document["data_source_schemas"].items():
            message.data_source_schemas[name].CopyFrom(wire.schema(one))
        self.compiled.write_bytes(message.SerializeToString())

    def resource(self, name: str) -> dict[str, Any]:
        return self.document["resource_schemas"][name]["block"]

    def data(self, name: str) -> dict[str, Any]:
        return self.document["data_source_schemas"][name]["block"]

    def problems(self, kind: str, name: str, config: Any, **more: bool) -> list[Any]:
        """What the overlay's rules find, as diagnostics."""
        found = rules.problems(self.overlay.get("rules", {}).get(f"{kind}:{name}", []), config or {}, **more)
        return [pb.Diagnostic(severity=ERROR, summary=f"{name}: invalid value", detail=one) for one in found]


class Provider:
    """The methods of the protocol, each called as the protocol calls it."""

    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas
        self.overlay = schemas.overlay

    def ValidateProviderConfig(self, request: Any, _: Any) -> Any:  # noqa: N802
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Any, _: Any) -> Any:  # noqa: N802
        block = self.schemas.resource(request.type_name)
        found = self._problems("r", request.type_name, block, wire.read(request.config))
        return pb.ValidateResourceConfig.Response(diagnostics=found)

    def ValidateDataResourceConfig(self, request: Any, _: Any) -> Any:  # noqa: N802
        block = self.schemas.data(request.type_name)
        found = self._problems("d", request.type_name, block, wire.read(request.config))
        return pb.ValidateDataResourceConfig.Response(diagnostics=found)

    def _problems(self, kind: str, name: str, block: dict[str, Any], config: Any) -> list[Any]:
        fixed = [
            pb.Diagnostic(severity=ERROR, summary="Value for unconfigurable attribute", detail=one)
            for one in rules.read_only(block, config)
        ]
        return [*fixed, *self.schemas.problems(kind, name, config)]

    def UpgradeResourceState(self, request: Any, _: Any) -> Any:  # noqa: N802
        state = wire.written(json.loads(request.raw_state.json))
        return pb.UpgradeResourceState.Response(upgraded_state=state)

    def ConfigureProvider(self, request: Any, _: Any) -> Any:  # noqa: N802
        config = wire.read(request.config) or {}
        said = {name: config[name] for name in CONTEXT if isinstance(config.get(name), str)}
        self.overlay = {**self.schemas.overlay, "context": {**self.schemas.overlay.get("context", {}), **said}}
        return pb.ConfigureProvider.Response()

    def ReadResource(self, request: Any, _: Any) -> Any:  # noqa: N802
        return pb.ReadResource.Response(new_state=request.current_state, private=request.private)

    def PlanResourceChange(self, request: Any, _: Any) -> Any:  # noqa: N802
        proposed = wire.read(request.proposed_new_state)
        if proposed is None:
            return pb.PlanResourceChange.Response(planned_state=request.proposed_new_state, legacy_type_system=True)
        prior = wire.read(request.prior_state)
        block = self.schemas.resource(request.type_name)
        state = planned(block, proposed, wire.read(request.config), creating=prior is None)
        response = pb.PlanResourceChange.Response(planned_state=wire.written(state), legacy_type_system=True)
        for name in self.overlay.get("force_new", {}).get(request.type_name, []):
            if prior is not None and prior.get(name) != state.get(name):
                response.requires_replace.add().steps.add(attribute_name=name)
        return response

    def ApplyResourceChange(self, request: Any, _: Any) -> Any:  # noqa: N802
        state = wire.read(request.planned_state)
        if state is not None:
            state = self._filled("r", request.type_name, self.schemas.resource(request.type_name), state)
        found = self.schemas.problems("r", request.type_name, state, applied=True)
        return pb.ApplyResourceChange.Response(
            new_state=wire.written(state), legacy_type_system=True, diagnostics=found
        )

    def ReadDataSource(self, request: Any, _: Any) -> Any:  # noqa: N802
        config, block = wire.read(request.config), self.schemas.data(request.type_name)
        state = planned(block, config, config, creating=True)
        return pb.ReadDataSource.Response(state=wire.written(self._filled("d", request.type_name, block, state)))

    def _filled(self, kind: str, name: str, block: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
        known = {key: value for key, value in state.items() if value is not wire.UNKNOWN}
        return Filler(self.overlay, kind, name, known).filled(block, state)

    def GetFunctions(self, request: Any, _: Any) -> Any:  # noqa: N802
        return pb.GetFunctions.Response()

    def StopProvider(self, request: Any, _: Any) -> Any:  # noqa: N802
        return pb.StopProvider.Response()


def handlers(provider: Provider) -> Any:
    """Every method in one handler; the schema goes out as the bytes that were written once."""
    compiled = provider.schemas.compiled.read_bytes()
    found = {"GetProviderSchema": grpc.unary_unary_rpc_method_handler(lambda _request, _context: compiled)}
    for method in pb.DESCRIPTOR.services_by_name["Provider"].methods:
        if method.name in Provider.__dict__:
            found[method.name] = grpc.unary_unary_rpc_method_handler(
                getattr(provider, method.name),
                request_deserializer=getattr(pb, method.name).Request.FromString,
                response_serializer=lambda response: response.SerializeToString(),
            )
    return grpc.method_handlers_generic_handler("tfplugin6.Provider", found)


class Controller(grpc_controller_pb2_grpc.GRPCControllerServicer):
    """Terraform says here when it is done."""

    def __init__(self) -> None:
        self.done = threading.Event()

    def Shutdown(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.done.set()
        return grpc_controller_pb2.Empty()


class Silent(grpc_stdio_pb2_grpc.GRPCStdioServicer):
    """Nothing is printed on the side."""

    def StreamStdio(self, request: Any, context: Any) -> Any:  # noqa: N802
        return iter([])


def certificate() -> tuple[bytes, Any]:
    """A certificate of a day, which Terraform insists on, and the server's credentials."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    usages = [x509.ExtendedKeyUsageOID.SERVER_AUTH, x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    return made.public_bytes(serialization.Encoding.DER), grpc.ssl_server_credentials([(private, public)])


def answering(schemas: Schemas, controller: Controller) -> grpc.Server:
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(8), options=unlimited)
    server.add_generic_rpc_handlers((handlers(Provider(schemas)),))
    grpc_controller_pb2_grpc.add_GRPCControllerServicer_to_server(controller, server)
    grpc_stdio_pb2_grpc.add_GRPCStdioServicer_to_server(Silent(), server)
    return server


def serve(schemas: Schemas) -> None:
    """Answer Terraform until it says that it is done, or is gone."""
    parent = os.getppid()
    controller = Controller()
    server = answering(schemas, controller)
    with tempfile.TemporaryDirectory(prefix="stub") as folder:
        public, credentials = certificate()
        server.add_secure_port(f"unix://{folder}/socket", credentials)
        server.start()
        said = base64.b64encode(public).decode().rstrip("=")
        print(f"1|6|unix|{folder}/socket|grpc|{said}", flush=True)
        while not controller.done.wait(ORPHAN_S) and os.getppid() == parent:
            pass  # Terraform is still there
        server.stop(0)


def attach(schemas: Schemas) -> None:
    """Say where it listens, and answer; Terraform speaks in the clear to a provider that it did not start."""
    with tempfile.TemporaryDirectory(prefix="stub") as folder:
        server = answering(schemas, Controller())
        server.add_insecure_port(f"unix://{folder}/socket")
        server.start()
        print(f"{folder}/socket", flush=True)
        sys.stdin.read()
        server.stop(0)


def main() -> None:
    overlay = json.loads(Path(os.environ["STUB_OVERLAY"]).read_text("utf-8"))
    schemas = Schemas(Path(os.environ["STUB_SCHEMA"]), overlay)
    if "--compile" in sys.argv:
        schemas.compile()
    elif "--attach" in sys.argv:
        attach(schemas)
    elif "TF_PLUGIN_MAGIC_COOKIE" in os.environ:
        serve(schemas)
    else:
        sys.exit("Terraform starts this; there is nothing to see here")


if __name__ == "__main__":
    main()
