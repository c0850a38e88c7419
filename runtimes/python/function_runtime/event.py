"""The first argument of every handler."""

from __future__ import annotations

import sys
from typing import Any

from .body import MISSING, parse_body
from .call import Call
from .cloudevents import content_type_of, is_cloud_event, read_cloud_events
from .publisher import Publisher
from .tracing import Tracer


class Event(dict):
    """Its items are what handlers have seen so far (contract/functions.md 6.3)."""

    __slots__ = ("tracer", "_call", "_publisher")

    def __init__(self, call: Call, tracer: Tracer, publisher: Publisher):
        self["extensions"] = Extensions(call)
        self.tracer = tracer
        self._call = call
        self._publisher = publisher

    @property
    def ceHeaders(self) -> dict:  # noqa: N802
        return self

    def emitCloudEvent(self, type: str, source: str, data: Any, optionalAttributes: dict | None = None):  # noqa: N802, N803
        return self._publisher.emit(type, source, data, optionalAttributes)

    def publishCloudEvent(self, data: Any):  # noqa: N802
        return self._publisher.publish(data)

    def buildResponseCloudEvent(self, event_id: str, event_type: str, event_data: Any) -> dict:  # noqa: N802
        """An answer speaks as the event which it answers. Headers that are absent stay out."""
        print('"buildResponseCloudEvent" is deprecated', file=sys.stderr)
        reply = {"type": event_type, "id": event_id, "data": event_data, "datacontenttype": content_type_of(event_data)}
        for name in ("source", "eventtypeversion", "specversion"):
            value = self._call.header(b"ce-" + name.encode())
            if value is not None:
                reply[name] = value
        return reply


class Extensions(dict):
    """Bottle's request and response, each made when it is asked for."""

    __slots__ = ("_call",)

    def __init__(self, call: Call):
        super().__init__(request=call.request)
        self._call = call

    def __missing__(self, name: str):
        if name == "response":
            return self._call.response
        raise KeyError(name)


def events_of(call: Call, tracer: Tracer, publisher: Publisher) -> list[Event]:
    """One event, unless the request is a batch. Raises BadRequest."""
    content_type = call.header(b"content-type")
    if is_cloud_event(call.headers, content_type):
        events = []
        for items in read_cloud_events(call.headers, content_type, call.body):
            event = Event(call, tracer, publisher)
            event.update(items)
            events.append(event)
        return events
    event = Event(call, tracer, publisher)
    data = parse_body(content_type, call.body)
    if data is not MISSING:
        event["data"] = data
    return [event]
