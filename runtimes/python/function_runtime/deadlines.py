"""Ends calls that take too long."""

import asyncio

from .call import Call


class Deadlines:
    """One timer for all calls: they all have the same time, so that the first one is due first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float):
        self._loop = loop
        self._seconds = seconds
        self._due: dict[Call, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self, call: Call) -> None:
        self._due[call] = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._expire)

    def end(self, call: Call) -> None:
        self._due.pop(call, None)

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        for call, due in list(self._due.items()):
            if due > now:
                self._timer = self._loop.call_later(due - now, self._expire)
                return
            del self._due[call]
            call.expire()
