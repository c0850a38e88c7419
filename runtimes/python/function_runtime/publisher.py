"""Sends events to the cluster's event publisher."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from contextvars import copy_context
from typing import Any

from .cloudevents import new_cloud_event

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
# What a handler that waits for it can afford.
TIMEOUT_SECONDS = 10
# Long enough for a publisher that is being replaced to be found at another address.
RETRY_AFTER_SECONDS = 0.1


class Publisher:
    def __init__(self, address: str | None):
        self._address = address
        self._session = None
        self._lock = threading.Lock()

    def emit(self, kind: str, source: str, data: Any, attributes: dict[str, Any] | None = None):
        """The publisher's response (of requests). In a coroutine it is to be awaited."""
        body = json.dumps(new_cloud_event(kind, source, data, attributes)).encode()
        return self._send(body)

    def publish(self, event: Any):
        print('"publishCloudEvent" is deprecated, use "emitCloudEvent"', file=sys.stderr)
        return self._send(json.dumps(event).encode())

    def _send(self, body: bytes):
        if not self._address:
            raise RuntimeError("send CloudEvent: PUBLISHER_PROXY_ADDRESS is not set, so there is nowhere to send it to")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._post(body)
        # Blocking the loop would block all calls. The trace goes along.
        return loop.run_in_executor(None, copy_context().run, self._post, body)

    def _post(self, body: bytes):
        session, errors = self._client()

        def post():
            return session.post(self._address, data=body, headers={"Content-Type": CONTENT_TYPE}, timeout=TIMEOUT_SECONDS)

        try:
            return post()
        except errors.ReadTimeout:
            raise
        except errors.ConnectionError:
            # The same event, with the same id, should the first one have arrived after all.
            time.sleep(RETRY_AFTER_SECONDS)
            return post()

    def _client(self):
        import requests  # on demand: most Functions emit nothing, and all would wait for it

        with self._lock:
            if self._session is None:
                self._session = requests.Session()
        return self._session, requests.exceptions
