"""AWS's protocols from the service's side, by the service models: JSON, REST-JSON and the query protocol's errors.

A request is known by what it was signed for; which operation it is, a header says, or its method and path.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from cloudml_aws.clients import service_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.refusals import Refused

SIGNED = {
    "application-autoscaling": "application-autoscaling",
    "iam": "iam",
    "logs": "logs",
    "s3": "s3",
    "sagemaker": "sagemaker",
    "scheduler": "scheduler",
    "servicequotas": "service-quotas",
    "sts": "sts",
    "tagging": "resourcegroupstaggingapi",
}
"""What requests are signed for -> the name of the service model."""
REST = frozenset({"scheduler", "sagemaker-runtime"})
QUERY = frozenset({"sts", "iam"})
_SCOPE = re.compile(r"Credential=([^/]*)/\d+/([^/]+)/([^/]+)/aws4_request")
S3_QUERIES = {
    "uploads": {"POST": "CreateMultipartUpload", "GET": "ListMultipartUploads"},
    "uploadId": {
        "GET": "ListParts",
        "PUT": "UploadPart",
        "POST": "CompleteMultipartUpload",
        "DELETE": "AbortMultipartUpload",
    },
    "delete": {"POST": "DeleteObjects"},
    "tagging": {"GET": "GetTagging", "PUT": "PutTagging", "DELETE": "DeleteTagging"},
    "location": {"GET": "GetBucketLocation"},
    "versioning": {"GET": "GetBucketVersioning", "PUT": "PutBucketVersioning"},
}
S3_SAID = {"partNumber": "PartNumber", "uploadId": "UploadId"}
"""What of the query of a request for an object is worth to be looked at."""
S3_OBJECTS = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
S3_COPIES = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}
"""What a request is that names a source."""
S3_BUCKETS = {"GET": "ListObjectsV2", "PUT": "CreateBucket", "HEAD": "HeadBucket", "DELETE": "DeleteBucket"}


@dataclass(slots=True, kw_only=True)
class Asked:
    """A request, read.

    Attributes:
        service: The name of the service model; empty when it is not known.
        parameters: As in the service model.
        payload: The body that is not part of a document, as that of InvokeEndpoint.
    """

    service: str
    operation: str
    parameters: dict[str, Any] = field(default_factory=dict)
    access_key: str = ""
    payload: bytes = b""

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def about(self) -> str:
        """What the request is about: the first name in it."""
        names = (value for key, value in self.parameters.items() if key.endswith(("Name", "Arn", "Key", "ResourceId")))
        return next((str(value) for value in names), "")


@dataclass(slots=True, kw_only=True)
class Answer:
    """What goes back."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def read(environ: Mapping[str, Any], body: bytes) -> Asked:
    """The request in a WSGI environment."""
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    key, signed = (scope[1], scope[3]) if scope else ("", "s3")
    service = SIGNED.get(signed, "")
    path = environ["PATH_INFO"]
    if service == "sagemaker" and path.startswith("/endpoints/"):
        service = "sagemaker-runtime"
    if service == "s3":
        return _s3(environ, path, key)
    if service in QUERY:
        said = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        return Asked(service=service, operation=said.pop("Action", ""), parameters=said, access_key=key)
    if service in REST:
        return _rest(service, environ, body, key)
    operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    return Asked(service=service, operation=operation, parameters=_document(body), access_key=key)


def _document(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body) if body.strip() else {}
    return found


def _s3(environ: Mapping[str, Any], path: str, key: str) -> Asked:
    bucket, _, name = path.lstrip("/").partition("/")
    method, words = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
    query = parse_qs(words, keep_blank_values=True) if words else {}
    special = next((S3_QUERIES[word].get(method, "") for word in S3_QUERIES if word in query), "") if query else ""
    plain = (S3_OBJECTS if name else S3_BUCKETS).get(method, method)
    operation = special or plain
    if "HTTP_X_AMZ_COPY_SOURCE" in environ:
        operation = S3_COPIES.get(operation, operation)
    if not bucket:
        operation = "ListBuckets"
    parts = {S3_SAID[word]: values[0] for word, values in query.items() if word in S3_SAID}
    about = {"BucketName": bucket, "Prefix": query.get("prefix", [""])[0]}
    said = {"Key": name, "Bucket": bucket, **parts} if name else about
    return Asked(service="s3", operation=operation, parameters=said, access_key=key)


def _rest(service: str, environ: Mapping[str, Any], body: bytes, key: str) -> Asked:
    path, method = environ.get("RAW_URI", environ["PATH_INFO"]).partition("?")[0], environ["REQUEST_METHOD"]
    for operation, wanted, pattern in routes(service):
        if wanted == method and (found := pattern.fullmatch(path)):
            shape = service_model(service).operation_model(operation).input_shape
            labels = {name: unquote(value) for name, value in found.groupdict().items()}
            parameters, payload = _members(shape, labels, environ, body)
            return Asked(service=service, operation=operation, parameters=parameters, access_key=key, payload=payload)
    return Asked(service=service, operation="", access_key=key)


@lru_cache(maxsize=8)
def routes(service: str) -> list[tuple[str, str, re.Pattern[str]]]:
    """Operation, method and pattern of the path; of those that match, the one with the fewest labels comes first."""
    model = service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        uri = http["requestUri"].partition("?")[0]
        pattern = re.sub(r"\{(\w+)\+?\}", r"(?P<\1>[^/]+)", re.sub(r"(?<=/)\.", r"\.", uri))
        found.append((name, http["method"], re.compile(pattern.rstrip("/") + "/?")))
    return sorted(found, key=lambda route: route[2].groups)


def _members(
    shape: Any, labels: Mapping[str, str], environ: Mapping[str, Any], body: bytes
) -> tuple[dict[str, Any], bytes]:
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    payload = shape.serialization.get("payload")
    found: dict[str, Any] = {} if payload else _document(body)
    for name, member in shape.members.items():
        wire, place = member.serialization.get("name", name), member.serialization.get("location")
        header = "CONTENT_TYPE" if wire == "Content-Type" else f"HTTP_{wire.upper().replace('-', '_')}"
        value = {
            "uri": labels.get(wire),
            "querystring": query.get(wire, [None])[0],
            "header": environ.get(header) or None,
        }.get(place)
        if value is not None:
            found[name] = int(value) if member.type_name in {"integer", "long"} else value
    return found, body if payload else b""


def accepted(asked: Asked, answer: Mapping[str, Any]) -> Answer:
    """The answer to a request, with what the service model knows of it and no more."""
    shape = service_model(asked.service).operation_model(asked.operation).output_shape
    document = {} if shape is None else _shown(shape, answer)
    kind = "application/json" if asked.service in REST else "application/x-amz-json-1.1"
    return Answer(headers={"Content-Type": kind}, body=json.dumps(document).encode())


def _shown(shape: Any, value: Any) -> Any:
    kind = shape.type_name
    if kind == "structure":
        named = ((name, value.get(name)) for name in shape.members)
        return {
            shape.members[name].serialization.get("name", name): _shown(shape.members[name], inner)
            for name, inner in named
            if inner is not None
        }
    if kind == "list":
        return [_shown(shape.member, inner) for inner in value]
    if kind == "map":
        return {name: _shown(shape.value, inner) for name, inner in value.items()}
    if kind == "timestamp":
        return round(value.timestamp(), 3) if isinstance(value, datetime) else value
    if kind == "blob" and isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def refused(asked: Asked, refusal: Refused) -> Answer:
    """An error in the protocol of the request's service."""
    code, message = refusal.code, refusal.message
    if asked.service == "s3":
        text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message><RequestId>double</RequestId></Error>"
        return Answer(status=refusal.status, headers={"Content-Type": "application/xml"}, body=text.encode())
    if asked.service in QUERY:
        inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        text = f"<ErrorResponse>{inner}<RequestId>double</RequestId></ErrorResponse>"
        return Answer(status=refusal.status, headers={"Content-Type": "text/xml"}, body=text.encode())
    document = {"__type": code, "message": message, "Message": message, **refusal.facts}
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}
    return Answer(status=refusal.status, headers=headers, body=json.dumps(document).encode())
