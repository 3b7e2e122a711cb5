"""Serves one page, `/metrics`, by itself: for EMF lines that come from elsewhere than the local cloud."""

import errno
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local.failures import CannotListen, PortInUse
from local.prometheus import CONTENT_TYPE, Adapter

PATH = "/metrics"


class Exporter:
    """An HTTP server for an adapter's series.

    Raises
    ------
    PortInUse
        When another process has the port.
    CannotListen
        When the address is not to be had at all.
    """

    def __init__(self, adapter: Adapter, host: str, port: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path.partition("?")[0] == PATH
                body = adapter.text() if found else f"Metrics are at {PATH}.\n".encode()
                self.send_response(200 if found else 404)
                self.send_header("content-type", CONTENT_TYPE if found else "text/plain")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                """Scrapes are not worth a line."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            raise (PortInUse(port, host) if in_use else CannotListen(host, port, error)) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True, name="exporter")

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port = self._server.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}{PATH}"

    def start(self) -> None:
        """Answer in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
