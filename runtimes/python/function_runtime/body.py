"""The request's body: read up to a limit, and as what its type says."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

MISSING = object()


class BadRequest(Exception):
    """The caller's mistake; its text is the answer."""


class TooLarge(Exception):
    """The body is larger than it may be."""


class Disconnected(Exception):
    """The caller went away before its request was complete."""


async def read_body(headers: dict[bytes, bytes], receive: Callable[[], Awaitable[dict]], limit: int) -> bytes:
    length = headers.get(b"content-length")
    if length is None and b"transfer-encoding" not in headers:
        return b""
    if length is not None and int(length) > limit:
        raise TooLarge
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    if not message.get("more_body"):  # most bodies are one piece
        body = message.get("body", b"")
        if len(body) > limit:
            raise TooLarge
        return body
    body = bytearray(message["body"])
    while message.get("more_body"):
        if len(body) > limit:
            raise TooLarge
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
    if len(body) > limit:
        raise TooLarge
    return bytes(body)


def parse_content_type(text: str) -> tuple[str, str]:
    """The media type in lower case, and the charset of the content."""
    media, _, parameters = text.partition(";")
    charset = "utf-8"
    for parameter in parameters.split(";") if parameters else ():
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"')
    return media.strip().lower(), charset


def parse_body(content_type: str | None, body: bytes) -> Any:
    """What event['data'] is; MISSING where there is none (contract/functions.md 6.3, 6.7).

    A multipart body is left to event['extensions']['request'], which has its forms and files.
    """
    if content_type is None:
        return body if body else MISSING
    if content_type == "application/json":
        media, charset = content_type, "utf-8"
    else:
        media, charset = parse_content_type(content_type)
    if media == "application/json":
        return parse_json(body) if body else None
    if media.startswith("multipart/"):
        return MISSING
    if media.startswith("text/"):
        return _text(body, charset)
    if media == "application/x-www-form-urlencoded":
        return _form(_text(body, charset))
    return body


def parse_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"Invalid JSON in the request's body: {error}") from None


def _text(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset)
    except (LookupError, UnicodeDecodeError) as error:
        raise BadRequest(f"Invalid text in the request's body: {error}") from None


def _form(text: str) -> dict[str, str | list[str]]:
    fields: dict[str, Any] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=10_000)
    except ValueError as error:
        raise BadRequest(f"Invalid form in the request's body: {error}") from None
    for name, value in pairs:
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields
