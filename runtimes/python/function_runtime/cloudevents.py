"""CloudEvents over HTTP (CloudEvents 1.0, HTTP protocol binding): no package of the distribution does it."""

import base64
import binascii
import json
import re
import uuid
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote

from .body import MISSING, BadRequest, parse_body, parse_content_type, parse_json

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
VERSIONS = ("1.0", "0.3")
REQUIRED = ("id", "type", "source")
# RFC 3339, section 5.6.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_ATTRIBUTE = re.compile(r"[a-z0-9]+")
# What a handler's event does not have of an event's attributes (contract/functions.md 6.3).
_NOT_SHOWN = frozenset(("datacontenttype", "data", "data_base64", "datacontentencoding"))


def is_cloud_event(headers: dict[bytes, bytes], content_type: str | None) -> bool:
    if b"ce-specversion" in headers or (b"ce-type" in headers and b"ce-source" in headers):
        return True
    return content_type is not None and content_type.lstrip().lower().startswith("application/cloudevents")


def read_cloud_events(headers: dict[bytes, bytes], content_type: str | None, body: bytes) -> list[dict[str, Any]]:
    """The items that the handler's event has of each event of a request: one event, unless it is a batch."""
    media = parse_content_type(content_type)[0] if content_type else ""
    if media == BATCH:
        batch = parse_json(body)
        if not isinstance(batch, list):
            raise _malformed(f"the body of {BATCH} has to be a JSON array")
        return [_structured(event, f" in event {number} of the batch") for number, event in enumerate(batch, 1)]
    if media == STRUCTURED:
        return [_structured(parse_json(body), "")]
    if media.startswith("application/cloudevents"):
        raise _malformed(f"the format {media} is not supported; use {STRUCTURED} or {BATCH}")
    attributes = {
        name[3:].decode("latin-1"): unquote(value.decode("latin-1"))
        for name, value in headers.items() if name.startswith(b"ce-")
    }
    attributes.pop("datacontenttype", None)  # the Content-Type header is
    return [_items(attributes, parse_body(content_type, body), "")]


def new_cloud_event(kind: str, source: str, data: Any, attributes: dict[str, Any] | None) -> dict[str, Any]:
    """A structured event. Attributes win over what is made up."""
    for name, value in (("type", kind), ("source", source)):
        if not isinstance(value, str) or not value:
            raise TypeError(f"emitCloudEvent: {name} has to be a string which is not empty")
    event = {
        "id": str(uuid.uuid4()),
        "time": _now(),
        "type": kind,
        "source": source,
        "specversion": "1.0",
        "datacontenttype": content_type_of(data),
        **(attributes or {}),
    }
    for name in event:
        if not _ATTRIBUTE.fullmatch(name):
            raise TypeError(f"emitCloudEvent: attribute {name!r} has to consist of lower-case letters and digits")
    if isinstance(data, (bytes, bytearray)):
        event["data_base64"] = base64.b64encode(data).decode()
    elif data is not None:
        event["data"] = data
    return {name: value for name, value in event.items() if value is not None}


def content_type_of(data: Any) -> str | None:
    if isinstance(data, str):
        return "text/plain"
    if isinstance(data, (bytes, bytearray)):
        return "application/octet-stream"
    return None if data is None else "application/json"


def _structured(event: Any, place: str) -> dict[str, Any]:
    if not isinstance(event, dict):
        raise _malformed(f"it has to be a JSON object{place}")
    data = event.get("data", MISSING)
    if "data_base64" in event:
        if data is not MISSING:
            raise _malformed(f"it has both data and data_base64{place}")
        try:
            data = base64.b64decode(event["data_base64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise _malformed(f"data_base64: {error}{place}") from None
    attributes = {name: value for name, value in event.items() if name not in ("data", "data_base64")}
    for name in (*REQUIRED, "specversion", "time"):
        if attributes.get(name) is not None and not isinstance(attributes[name], str):
            raise _malformed(f"{name} has to be a string{place}")
    if isinstance(data, str) and _is_json(attributes.get("datacontenttype")) and event.get("specversion") == "0.3":
        data = _json_or_text(data)
    return _items(attributes, data, place)


def _items(attributes: dict[str, Any], data: Any, place: str) -> dict[str, Any]:
    for name in REQUIRED:
        if not attributes.get(name):
            raise _malformed(f"{name} is missing or empty; id, type and source are required{place}")
    # Senders have left the version out, and got through.
    version = attributes.setdefault("specversion", "1.0")
    if version not in VERSIONS:
        raise _malformed(f"specversion {json.dumps(version)} is not supported; use {' or '.join(VERSIONS)}{place}")
    time = attributes.setdefault("time", _now())
    if not _TIME.fullmatch(time):
        raise _malformed(f"time {json.dumps(time)} is not as 2006-01-02T15:04:05Z{place}")
    items = {f"ce-{name}": value for name, value in attributes.items() if name not in _NOT_SHOWN}
    if data is not MISSING:
        items["data"] = data
    return items


def _is_json(content_type: Any) -> bool:
    return content_type is None or str(content_type).partition(";")[0].strip().lower().endswith("json")


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _malformed(reason: str) -> BadRequest:
    return BadRequest(f"Invalid CloudEvent: {reason}")


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
