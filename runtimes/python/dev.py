#!/usr/bin/env python3
"""Runs the Function of a folder on this machine, as the cluster would, and anew whenever a file changes.

    python3 dev.py FOLDER [--port 8080] [--handler main] [--module handler]

Settings of the Function, as FUNC_TIMEOUT, are taken from the environment.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

POLL_SECONDS = 0.2
# What a call that runs has to end in, before the server is ended nevertheless.
GRACE_SECONDS = 5
_SERVER = Path(__file__).resolve().parent / "server.py"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--handler", default="main")
    parser.add_argument("--module", default="handler")
    options = parser.parse_args()
    folder = options.folder.resolve()
    if not folder.is_dir():
        parser.error(f"{folder} is no folder")
    env = {
        "FUNC_NAME": folder.name, "SERVICE_NAMESPACE": "local", "FUNC_RUNTIME": f"python{sys.version_info[0]}{sys.version_info[1]}",
        "FUNC_DRAIN_SECONDS": "0", **os.environ,
        "MOD_NAME": options.module, "FUNC_HANDLER": options.handler, "FUNC_PORT": str(options.port),
        "FUNCTION_PATH": str(folder), "PYTHONPATH": os.pathsep.join((str(folder / "site-packages"), str(folder))),
        # Else a file that is changed twice within a second would be taken for the same.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stop.append(number))
    while True:
        seen = snapshot(folder)
        server = subprocess.Popen([sys.executable, str(_SERVER)], env=env, start_new_session=True)
        ended = False
        while not stop and snapshot(folder) == seen:
            if not ended and server.poll() is not None:
                ended = True
                print(f"The server ended with {server.returncode}; change a file of {folder} to start it again.", flush=True)
            time.sleep(POLL_SECONDS)
        server.terminate()
        try:
            code = server.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            code = server.wait()
        if stop:
            return code
        print("A file changed; starting again.", flush=True)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Time and size of all files but hidden ones and bytecode."""
    found = {}
    for directory, directories, files in os.walk(folder):
        directories[:] = [name for name in directories if name != "__pycache__" and not name.startswith(".")]
        for file in files:
            if file.startswith("."):
                continue
            path = os.path.join(directory, file)
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            found[path] = (status.st_mtime_ns, status.st_size)
    return found


if __name__ == "__main__":
    sys.exit(main())
