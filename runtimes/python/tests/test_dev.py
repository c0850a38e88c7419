"""The local run."""

import http.client
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests.running import ROOT, free_port, until


class LocalRun(unittest.TestCase):
    def test_takes_a_change_and_survives_a_mistake(self):
        folder, port = tempfile.TemporaryDirectory(), free_port()
        self.addCleanup(folder.cleanup)
        handler = Path(folder.name) / "handler.py"
        handler.write_text("def main(event, context):\n    return 'first'\n")
        output = open(Path(folder.name) / ".output", "w")
        self.addCleanup(output.close)
        dev = subprocess.Popen([sys.executable, str(ROOT / "dev.py"), folder.name, "--port", str(port)],
                               stdout=output, stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]})
        self.addCleanup(lambda: dev.poll() is None and (dev.terminate(), dev.wait()))

        def answers(text: str) -> bool:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/")
                return connection.getresponse().read().decode() == text
            except OSError:
                return False
            finally:
                connection.close()

        until(lambda: answers("first"), "the first answer")
        handler.write_text("def main(event, context)\n    return 'broken'\n")
        until(lambda: "change a file of" in Path(output.name).read_text(), "the mistake to be said")
        handler.write_text("async def main(event, context):\n    return 'second'\n")
        until(lambda: answers("second"), "the second answer")
        dev.terminate()
        self.assertEqual(dev.wait(10), 0)
