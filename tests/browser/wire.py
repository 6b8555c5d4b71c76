"""A wire between the console and its service, which can be cut and mended."""

import socket
import threading
from contextlib import suppress

from tests.serving_process import free_port

PIECE = 1 << 16


class Wire:
    """Passes on whatever comes to an address of its own to another port of this machine. url: its own."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._port = free_port()
        self._sockets: list[socket.socket] = []
        self._door: socket.socket | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def mend(self) -> None:
        """Take calls."""
        self._door = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._take, args=(self._door,), daemon=True).start()

    def cut(self) -> None:
        """Take no call any more and break off those under way."""
        doors = [self._door] if self._door else []
        for one in (*doors, *self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._door, self._sockets = None, []

    def _take(self, door: socket.socket) -> None:
        with suppress(OSError):
            while True:
                caller, _ = door.accept()
                service = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [caller, service]
                for ends in ((caller, service), (service, caller)):
                    threading.Thread(target=_pass_on, args=ends, daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while piece := one.recv(PIECE):
            other.sendall(piece)
        other.shutdown(socket.SHUT_WR)
