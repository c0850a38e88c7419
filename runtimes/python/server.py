"""Runs one Python Function behind HTTP. Settings come from the environment, see README.md."""

import os
import sys

# The server's own packages come from the image: what a Function brings along must not replace them.
_USERS = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
sys.path[:] = [entry for entry in sys.path if entry not in _USERS]

import httptools  # noqa: E402, F401
import uvicorn  # noqa: E402, F401
import uvloop  # noqa: E402, F401

# From here on a Function's own version wins: its bottle and prometheus_client are the server's, too.
sys.path[:0] = _USERS

from function_runtime.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(os.environ))
