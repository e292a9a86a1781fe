"""The resources of Vertex AI: their names, and how they are made, found, listed and changed.

Messages are kept as protobuf. Names come back with the project's number, whatever they were asked with.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import filters
from cloudml_gcp.double.refusals import Refused, invalid, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cloudml_gcp.double.world import World

LABEL_KEY = re.compile(r"(?=[^\W\d_])[^\WA-Z]([^\WA-Z]|-){0,62}")
LABEL_VALUE = re.compile(r"(?:[^\WA-Z]|-){0,63}")
LONGEST_NAME = 128
MOST_LABELS = 64
MOST = 100
RESERVED = "aiplatform.googleapis.com/"


def normal(world: World, name: str) -> str:
    """A name with the project's number.

    Raises:
        Refused: It is in another project, or at another place.
    """
    found = re.fullmatch(r"projects/([^/]+)/locations/([^/]+)(/.*)?", name)
    if found is None:
        raise Refused("INVALID_ARGUMENT", f"Invalid resource name: {name}.")
    if found[1] not in {world.project, world.number}:
        text = f"Permission denied on resource project {found[1]}."
        raise Refused("PERMISSION_DENIED", text)
    if found[2] != world.region:
        text = f"The provided location ID doesn't match the endpoint. `{world.region}` is expected, not `{found[2]}`."
        raise Refused("INVALID_ARGUMENT", text)
    return f"projects/{world.number}/locations/{found[2]}{found[3] or ''}"


def need(world: World, name: str) -> Any:
    """The message of that name; one that cannot be seen yet counts as missing.

    Raises:
        Refused: There is none.
    """
    whole = normal(world, name)
    found = world.records.get(whole)
    if found is None or late(world, found, "stale"):
        raise missing(whole)
    return found


def late(world: World, message: Any, fault: str) -> bool:
    """Whether a resource is too new to be seen: the domain faults `stale` (Get) and `lag` (lists)."""
    names = [message.name.rpartition("/")[2]]
    names += [message.display_name] if "display_name" in message.DESCRIPTOR.fields_by_name else []
    struck = world.domain(fault, *names)
    if struck is None:
        return False
    return not struck.seconds or age(world, message) < struck.seconds


def age(world: World, message: Any) -> float:
    """Seconds since it was made."""
    return world.clock.now().timestamp() - float(message.create_time.ToMilliseconds()) / 1000


def check(field: str, message: Any) -> None:
    """The rules that every resource has.

    Raises:
        Refused: One is broken.
    """
    if len(getattr(message, "display_name", "")) > LONGEST_NAME:
        text = f"The display name exceeds the maximum length of {LONGEST_NAME} characters."
        raise invalid(f"{field}.display_name", text)
    if "labels" in message.DESCRIPTOR.fields_by_name:
        _check_labels(f"{field}.labels", dict(message.labels))


def _check_labels(field: str, labels: dict[str, str]) -> None:
    if len(labels) > MOST_LABELS:
        raise invalid(field, f"At most {MOST_LABELS} labels are allowed.")
    for key, value in labels.items():
        if key.startswith(RESERVED):
            raise invalid(field, f"Label keys with the prefix {RESERVED} are reserved.")
        if not LABEL_KEY.fullmatch(key) or not LABEL_VALUE.fullmatch(value):
            text = (
                f"Label {key}={value} is invalid: keys and values may have up to 63 lowercase letters, digits, "
                "underscores and dashes, and keys start with a letter."
            )
            raise invalid(field, text)


def fresh_etag(world: World, message: Any) -> None:
    message.etag = f"AMEw9y{world.identifier(12)}"


def same_etag(given: str, message: Any) -> None:
    """Refuse a change that was made against another state.

    Raises:
        Refused: It was.
    """
    if given and given != message.etag:
        raise Refused("ABORTED", "The etag in the request does not match the current etag of the resource.")


def within(world: World, parent: str, collection: str) -> list[Any]:
    """What a collection holds, the newest first."""
    stem = f"{normal(world, parent)}/{collection}/"
    found = [one for name, one in world.records.items() if name.startswith(stem) and "/" not in name[len(stem) :]]
    return found[::-1]


def answered(world: World, method: Any, request: Any, found: Iterable[Any]) -> Any:
    """The answer to a request for a list: filtered, ordered, one page of it.

    Raises:
        Refused: The filter, the order or the token cannot be read.
    """
    asked = filters.question(getattr(request, "filter", ""))
    rows = [one for one in found if not late(world, one, "lag") and asked(look(one))]
    for key in reversed([part for part in getattr(request, "order_by", "").split(",") if part.strip()]):
        name, _, direction = key.strip().partition(" ")
        rows.sort(key=_key(name), reverse=direction.strip() == "desc")
    return _paged(world, request, method.response(), rows)


def _key(name: str) -> Callable[[Any], str]:
    return lambda one: str(look(one)(name))


def _paged(world: World, request: Any, answer: Any, rows: Sequence[Any]) -> Any:
    field = next(one for one in answer.DESCRIPTOR.fields if one.is_repeated and one.message_type)
    if request.page_size < 0:
        raise invalid("page_size", "must not be negative")
    count = min(request.page_size or MOST, MOST)
    start = 0
    if request.page_token:
        if request.page_token not in world.pages:
            raise Refused("INVALID_ARGUMENT", "The page token is invalid.")
        start = world.pages[request.page_token]
    elif world.domain("empty-page", field.name) is not None:
        count = 0
    getattr(answer, field.name).extend(rows[start : start + count])
    if start + count < len(rows) or count == 0:
        answer.next_page_token = f"page-{world.identifier(12)}"
        world.pages[answer.next_page_token] = start + count
    return answer


def look(message: Any) -> Callable[[str], Any]:
    """How a filter sees a message."""

    def value(path: str) -> Any:
        first, _, rest = path.partition(".")
        if first == "labels":
            return dict(message.labels).get(rest) if rest else list(message.labels)
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", first).lower()
        if name not in message.DESCRIPTOR.fields_by_name:
            if name == re.sub(r"(?<!^)(?=[A-Z])", "_", message.DESCRIPTOR.name).lower():
                return message.name.rpartition("/")[2].partition("@")[0]
            raise Refused("INVALID_ARGUMENT", f"Invalid filter: unknown field {path}.", [("filter", f"unknown {path}")])
        found = getattr(message, name)
        field = message.DESCRIPTOR.fields_by_name[name]
        if rest and field.message_type and not field.is_repeated:
            return look(found)(rest)
        if field.enum_type:
            return field.enum_type.values_by_number[found].name
        return found.ToJsonString() if hasattr(found, "ToJsonString") else found

    return value


def apply(mask: Any, given: Any, message: Any, allowed: frozenset[str]) -> None:
    """Take over the fields of a mask.

    Raises:
        Refused: The mask is empty, or names a field that cannot be changed.
    """
    if not mask.paths:
        raise invalid("update_mask", "Required field is not set.")
    for path in mask.paths:
        if path.partition(".")[0] not in allowed and path not in allowed:
            raise invalid("update_mask", f"The field {path} cannot be updated.")
    mask.MergeMessage(given, message, replace_message_field=True, replace_repeated_field=True)


def artifact(field: str, uri: str) -> None:
    """Refuse what is no place in Cloud Storage.

    Raises:
        Refused: It is none.
    """
    if not re.fullmatch(r"gs://[^/]+(/.*)?", uri):
        raise invalid(field, f"{uri} is not a valid Cloud Storage URI, which begins with gs://.")
