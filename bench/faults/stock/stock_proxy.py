"""A TCP proxy between trainer and judge, so that the judge can be "away" for one trainer alone."""

from __future__ import annotations

import contextlib
import socket
import threading


class Proxy:
    """Passes bytes on, or refuses connections while it is down."""

    def __init__(self, host: str, port: int) -> None:
        self._judge, self._open = (host, port), set[socket.socket]()
        self._port = 0
        self.up()

    @property
    def url(self) -> str:
        """Return where the trainer finds the judge, without a path."""
        return f"http://127.0.0.1:{self._port}"

    def up(self) -> None:
        """Listen, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=256)
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def down(self) -> None:
        """Stop listening and cut every connection."""
        # A close alone leaves the threads that wait in accept and recv, and with them the connections.
        for one in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = listener.accept()[0]
                try:
                    far = socket.create_connection(self._judge, timeout=10)
                except OSError:
                    near.close()
                    continue
                far.settimeout(None)
                self._open |= {near, far}
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open -= {source, sink}
