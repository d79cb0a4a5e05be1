"""A web server of one folder that answers requests for parts of files, in a process of its own.

GDAL may hold Python's lock while it waits for an answer, so the server cannot be a thread of the test.
"""

import contextlib
import re
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Ranges(SimpleHTTPRequestHandler):
    """Answers ``Range: bytes=FIRST-LAST`` with that part; writes a line "METHOD path bytes" per answer to stdout."""

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        first = int(wanted[1]) if wanted else 0
        last = min(int(wanted[2]) if wanted and wanted[2] else len(content), len(content) - 1)
        part = content[first : last + 1]
        self.send_response(206 if wanted else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.end_headers()
        self.wfile.write(part)
        print("GET", self.path, len(part), flush=True)  # noqa: T201

    def log_message(self, *_):
        """Keeps quiet."""


class Served:
    """A folder on the web."""

    def __init__(self, process):
        self._process = process
        self.address = f"http://127.0.0.1:{process.stdout.readline().strip()}"

    def sent(self):
        """Ends the server; bytes that it sent, by path."""
        self._process.terminate()
        total = {}
        lines = self._process.communicate()[0].split("\n")[:-1]  # the last one may be cut off
        for _, path, size in map(str.split, lines):
            total[path] = total.get(path, 0) + int(size)
        return total


@contextlib.contextmanager
def serving(folder):
    """The files of ``folder`` at ``.address``."""
    with subprocess.Popen([sys.executable, __file__, folder], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Served(process)
        finally:
            process.kill()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Ranges, directory=sys.argv[1]))
    print(server.server_port, flush=True)  # noqa: T201
    server.serve_forever()
