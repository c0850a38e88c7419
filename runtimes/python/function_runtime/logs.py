"""What the server and user code write: plain as it is, or a JSON object a line."""

from __future__ import annotations

import io
import json
import logging
import sys
import traceback
from datetime import datetime, timezone
from typing import TextIO

from .current import CALL
from .tracing import current_context


def set_up_logs(log_format: str | None) -> None:
    """Nothing is held back: a line is there when it was written, whatever happens next."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, write_through=True)
    if log_format == "json":
        handler = _JSONHandler(sys.stderr)
        logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
        sys.stdout, sys.stderr = JSONStream(sys.stdout, "info"), JSONStream(sys.stderr, "error")


def log_error(error: BaseException) -> None:
    """With its stack and the id of the trace that it happened in."""
    text = "".join(traceback.format_exception(error)).rstrip("\n")
    if not isinstance(sys.stderr, JSONStream):
        context = current_context()
        if context is not None:
            text += f"\n    trace_id: {context.trace_id_hex}"
    if isinstance(sys.stderr, JSONStream):
        sys.stderr.line(text)
    else:
        print(text, file=sys.stderr)


class JSONStream(io.TextIOBase):
    """Makes an object of each line that is written to it."""

    def __init__(self, target: TextIO, level: str):
        self._target, self._level, self._rest = target, level, ""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._target.fileno()

    @property
    def encoding(self) -> str:
        return "utf-8"

    @property
    def buffer(self):
        return self._target.buffer

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self.line(line)
        return len(text)

    def line(self, text: str) -> None:
        self._target.write(as_json(self._level, text))


class _JSONHandler(logging.Handler):
    def __init__(self, target: TextIO):
        super().__init__()
        self._target = target
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        level = {"WARNING": "warn", "CRITICAL": "error"}.get(record.levelname, record.levelname.lower())
        self._target.write(as_json(level, self.format(record)))


def as_json(level: str, message: str) -> str:
    entry = {
        "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level, "message": message,
    }
    context = current_context() if CALL.get() is not None else None
    if context is not None:
        entry["trace_id"], entry["span_id"] = context.trace_id_hex, context.span_id_hex
    return json.dumps(entry) + "\n"
