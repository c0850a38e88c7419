"""Loads the user's module, and says why it can't be."""

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping

from .logs import log_error

KUBERNETES_TERMINATION_LOG = "/dev/termination-log"
_MAX_BYTES = 1024
_SHORTEST_SECRET = 8


def load_handler(directory: str, module: str, handler: str) -> Callable:
    """Whatever the module raises is the caller's to handle."""
    directory = os.path.abspath(directory)
    if directory not in sys.path:
        sys.path.insert(0, directory)
    loaded = importlib.import_module(module)
    function = getattr(loaded, handler, None)
    if not callable(function):
        found = "has no" if function is None else f"has a {type(function).__name__}, no"
        raise AttributeError(f"module {module} {found} function {handler}; define it")
    return function


def report_load_failure(error: BaseException, directory: str, module: str, termination_log: str | None,
                        env: Mapping[str, str]) -> None:
    """The log gets all of it; the termination message, which ends up in the pod's status, one line."""
    print(f"User function could not be loaded from {directory}:", file=sys.stderr)
    log_error(error)
    message = describe_load_failure(error, os.path.abspath(directory), module, env)
    try:
        # r+ writes the file which the kubelet mounted and creates none elsewhere.
        with open(termination_log or KUBERNETES_TERMINATION_LOG, "w" if termination_log else "r+") as log:
            log.write(message)
    except FileNotFoundError:
        if termination_log:
            raise
    except OSError as cause:
        print(f"write termination message: {cause}", file=sys.stderr)


def describe_load_failure(error: BaseException, directory: str, module: str, env: Mapping[str, str]) -> str:
    """One line, `handler.py:3: SyntaxError: invalid syntax`, with file and line where they are known."""
    text = getattr(error, "msg", None) if isinstance(error, SyntaxError) else str(error)
    text = (text or "").split("\n")[0].replace(directory + "/", "")
    line = f"{_place(error, directory, module)}: {type(error).__name__}: {_mask(text, env)}"
    return line.encode()[:_MAX_BYTES - 1].decode(errors="ignore") + "\n"


def _place(error: BaseException, directory: str, module: str) -> str:
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    for file, number in reversed(places):
        if file.startswith(directory + os.sep):
            return f"{os.path.relpath(file, directory)}:{number}"
    return f"{module.replace('.', '/')}.py"


def _mask(text: str, env: Mapping[str, str]) -> str:
    """A message such as "cannot log in with hunter22" would put a Secret's value into the pod's status."""
    secrets = [(name, value) for name, value in env.items() if len(value) >= _SHORTEST_SECRET]
    for name, value in sorted(secrets, key=lambda secret: -len(secret[1])):
        text = text.replace(value, f"${name}")
    return text
