"""InvokeEndpoint: a request to the container that has its turn, and its answer back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_aws.double import capture
from cloudml_aws.double.refusals import Refused
from cloudml_aws.double.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.serving import Server
    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

LARGEST = 6 * 1024 * 1024
ANSWERS = frozenset({"InService", "Updating", "SystemUpdating", "RollingBack", "UpdateRollbackFailed"})
ERROR = 400
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


def invoke(world: World, asked: Mapping[str, Any], payload: bytes) -> Answer:
    """Forward a request."""
    name = asked["EndpointName"]
    record = world.table("endpoint").get(name)
    if record is None:
        raise Refused("ValidationError", f"Endpoint {name} of account {world.account} not found.")
    if len(payload) > LARGEST:
        raise Refused("ValidationError", f"Request body exceeds the limit of {LARGEST} bytes.", 413)
    if record["EndpointStatus"] not in ANSWERS:
        raise Refused("ValidationError", f"Endpoint {name} of account {world.account} is not in service.")
    headers = {
        "Content-Type": asked.get("ContentType", "application/octet-stream"),
        "Accept": asked.get("Accept", "*/*"),
        **({ATTRIBUTES: asked["CustomAttributes"]} if "CustomAttributes" in asked else {}),
    }
    config = record["_config"]
    server, (status, answered, body) = _asked(world, record, asked.get("TargetVariant", ""), payload, headers)
    variant = server.name
    if status >= ERROR:
        raise _model_error(world, server, status, body)
    kind = next((value for key, value in answered.items() if key.lower() == "content-type"), "")
    facts = {"inferenceId": asked["InferenceId"]} if "InferenceId" in asked else {}
    capture.record(world, config, f"{name}/{variant}", (headers["Content-Type"], payload), (kind, body), facts)
    back = {"Content-Type": kind, "x-Amzn-Invoked-Production-Variant": variant}
    custom = next((value for key, value in answered.items() if key.lower() == ATTRIBUTES.lower()), None)
    return Answer(headers={**back, **({ATTRIBUTES: custom} if custom else {})}, body=body)


def _asked(
    world: World, record: Record, target: str, payload: bytes, headers: Mapping[str, str]
) -> tuple[Server, tuple[int, dict[str, str], bytes]]:
    with world.lock:
        variants = record["ProductionVariants"]
        server = record["_routes"].choose(variants, target)
        if server is None:
            words = (
                f"Variant {target} was not found for endpoint {record['EndpointName']}." if target else "No variant."
            )
            raise Refused("ValidationError", words)
        turn = server.asked()
        turn.__enter__()
    try:
        return server, server.ask("/invocations", payload, headers)
    except OSError as error:
        words = f'Received server error (0) from primary with message "{error}".'
        raise Refused("ModelError", words, 424, OriginalStatusCode=0, OriginalMessage=str(error)) from error
    finally:
        turn.__exit__(None, None, None)


def _model_error(world: World, server: Server, status: int, body: bytes) -> Refused:
    text = body.decode("utf-8", "replace")
    side = "client" if status < 500 else "server"  # noqa: PLR2004  HTTP's own border
    group = f"arn:aws:logs:{world.region}:{world.account}:log-group:{server.group}"
    console = f"https://{world.region}.console.aws.amazon.com/cloudwatch/home?region={world.region}#logEventViewer:group={server.group}"
    return Refused(
        "ModelError",
        f'Received {side} error ({status}) from primary with message "{text}". See {console} in account '
        f"{world.account} for more information.",
        424,
        OriginalStatusCode=status,
        OriginalMessage=text,
        LogStreamArn=f"{group}:log-stream:{server.stream}",
    )
