"""An HTTP server in front of a real one, which passes requests on unless it is told to answer by itself."""

import threading
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

Rule = Callable[[str, bytes], int | None]
"""Is told a request's path and body; answers with the status to give instead of the server's, or None."""

HANG = 0
"""The request is taken, and never answered."""


class HttpFront:
    """Passes every request on to a server at a port of 127.0.0.1.

    Attributes:
        before: asked about each request; with a status, the server does not see it.
        after: asked about each request once the server has done what it asks for; with a status, its answer is lost.
        retry_after: goes with every status of the front's own.
        requests: the paths of what came, in order.
    """

    def __init__(self, server_port: int) -> None:
        self.before: Rule = _pass_on
        self.after: Rule = _pass_on
        self.retry_after = ""
        self.requests: list[str] = []
        self._server_port = server_port
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def pass_everything(self) -> None:
        """Stand aside from now on."""
        self.before = self.after = _pass_on
        self.retry_after = ""

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(front) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                front.requests.append(self.path)
                status = front.before(self.path, body)
                if status is None:
                    answer = self._pass_on(body)
                    status = front.after(self.path, body)
                    if status is None:
                        self._answer(*answer)
                        return
                if status == HANG:
                    front._closing.wait(60)
                    self.close_connection = True
                    return
                self._answer(status, b"the front answers")

            do_POST = do_PATCH = do_GET  # noqa: N815 - the names that http.server calls

            def _pass_on(self, body: bytes) -> tuple[int, bytes]:
                server = HTTPConnection("127.0.0.1", front._server_port, timeout=60)
                server.request(self.command, self.path, body, {"Content-Type": "application/json"})
                answer = server.getresponse()
                content = answer.read()
                server.close()
                return answer.status, content

            def _answer(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                if content == b"the front answers" and front.retry_after:
                    self.send_header("Retry-After", front.retry_after)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Nothing: the tests look at `requests`."""

        return Handler


def _pass_on(_path: str, _body: bytes) -> int | None:
    return None
