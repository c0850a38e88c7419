"""Threads for handlers that block."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from .call import Call
from .current import CALL

# How long work may wait for a thread that works, before there is one more.
PATIENCE_SECONDS = 0.002


class Work:
    __slots__ = ("future", "call", "function", "args", "result", "error", "abandoned")

    def __init__(self, future: asyncio.Future, call: Call, function: Callable, args: tuple):
        self.future, self.call, self.function, self.args = future, call, function, args
        self.result: Any = None
        self.error: BaseException | None = None
        self.abandoned = False

    def run(self) -> None:
        CALL.set(self.call)
        try:
            self.result = self.function(*self.args)
        except BaseException as error:  # whatever it is, the thread lives on and the caller hears of it
            self.error = error


class Workers:
    """Grows while work waits, up to a limit: quick handlers share few threads, which is what makes them quick.

    A thread whose call was given up, since it took too long, doesn't count: handlers that hang can't starve
    the ones that don't. All public methods belong to the loop's thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: int):
        self._loop = loop
        self._limit = limit
        self._threads = 0
        self._pending = 0  # waiting or running
        self._abandoned = 0
        self._completed = 0
        self._watching = False
        self._queue: SimpleQueue[Work] = SimpleQueue()
        self._done: deque[Work] = deque()
        self._delivering = False

    async def run(self, call: Call, function: Callable, *args: Any) -> Any:
        """The function's result. If the caller is cancelled, the function runs on."""
        work = Work(self._loop.create_future(), call, function, args)
        self._pending += 1
        self._queue.put(work)
        if self._pending > self._threads:
            if self._threads == 0:
                self._start()
            elif not self._watching:
                self._watch()
        try:
            return await work.future
        except asyncio.CancelledError:
            if not work.future.done() or work.future.cancelled():
                work.abandoned = True
                self._abandoned += 1
                if self._pending > self._threads and not self._watching:
                    self._watch()
            raise

    def _watch(self) -> None:
        self._watching = True
        self._loop.call_later(PATIENCE_SECONDS, self._grow, self._completed)

    def _grow(self, completed: int) -> None:
        """Starts threads for all that waits, unless the present ones are getting on with it."""
        self._watching = False
        waiting = self._pending - self._threads
        room = self._limit + self._abandoned - self._threads
        if waiting <= 0 or room <= 0:
            return
        if self._completed == completed:
            for _ in range(min(waiting, room)):
                self._start()
        else:
            self._watch()

    def _start(self) -> None:
        self._threads += 1
        # A daemon: one that hangs must not keep the process from ending.
        threading.Thread(target=self._work, name=f"handler-{self._threads}", daemon=True).start()

    def _work(self) -> None:
        while True:
            work = self._queue.get()
            work.run()
            self._done.append(work)
            # One wake-up of the loop for all that is done until it has woken up.
            if not self._delivering:
                self._delivering = True
                try:
                    self._loop.call_soon_threadsafe(self._deliver)
                except RuntimeError:  # the loop is closed, and with it the server
                    return

    def _deliver(self) -> None:
        self._delivering = False
        done = self._done
        while done:
            work = done.popleft()
            self._pending -= 1
            self._completed += 1
            if work.abandoned:
                self._abandoned -= 1
            if work.future.done():
                continue
            if work.error is None:
                work.future.set_result(work.result)
            elif isinstance(work.error, StopIteration):  # no future takes one
                work.future.set_exception(RuntimeError("StopIteration out of a handler"))
            else:
                work.future.set_exception(work.error)
