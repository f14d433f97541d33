"""The emulator on a port of this machine."""

import contextlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from scrapersky_local.places_emulator.service import Emulator

MAX_BODY_BYTES: Final = 1024 * 1024


@contextlib.contextmanager
def serve(emulator: Emulator) -> Iterator[str]:
    """Serve it while the block runs. The address is of both services."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            text = self.headers.get("Content-Length") or "0"
            length = int(text) if text.isascii() and text.isdigit() else MAX_BODY_BYTES + 1
            if length > MAX_BODY_BYTES:  # what it holds is not read, so nothing after it can be either
                self.close_connection = True
                length = 0
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = emulator.answer(self.command, self.path, headers, self.rfile.read(length))
            content = reply.raw if reply.raw is not None else json.dumps(reply.body).encode()
            if reply.delay:
                time.sleep(reply.delay)
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged: `received` says what came."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that went before its answer came is no error of this server's; anything else is told."""
            if not isinstance(sys.exception(), ConnectionError):
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="places-emulator", daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
