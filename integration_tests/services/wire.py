"""The wire to a server: counts a client's round trips, makes them take their time, and can be cut at any moment."""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self


class Wire:
    """Passes every connection on to a server at a port of 127.0.0.1.

    Args:
        server_port: where the server listens.
        delay_seconds: how long a round trip takes longer, as on a network.
        cut: told what a client sends; answers whether its connection is to be cut, before the server has seen it or
            after the server has answered. The client sees neither an answer nor a reason.
        answer: told what a client sends; what it answers is sent back in the server's place, and the connection ended.
    """

    def __init__(
        self,
        server_port: int,
        *,
        delay_seconds: float = 0.0,
        cut: Callable[[bytes], Literal["before", "after"] | None] = lambda data: None,
        answer: Callable[[bytes], bytes | None] = lambda data: None,
    ) -> None:
        self.round_trips = 0
        self._server_port = server_port
        self._delay_seconds = delay_seconds
        self._cut = cut
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self._server_port)) as server:
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        is_asking = is_cut = False
        while True:
            readable, _, _ = select.select([client, server], [], [])
            if client in readable:
                if not (data := client.recv(1 << 16)):
                    return
                if not is_asking:  # more of the same question needs no round trip of its own
                    is_asking = True
                    self.round_trips += 1
                    time.sleep(self._delay_seconds)
                cut = self._cut(data)
                if cut == "before":
                    return
                if (answer := self._answer(data)) is not None:
                    client.sendall(answer)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(1 << 16):  # the rest of the question: a reset could overtake the answer
                        pass
                    return
                is_cut = is_cut or cut == "after"
                server.sendall(data)
            if server in readable:
                if not (data := server.recv(1 << 16)) or is_cut:
                    return
                is_asking = False
                client.sendall(data)
