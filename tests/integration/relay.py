"""A TCP relay that counts the round trips of what passes through it."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass


@dataclass
class Relay:
    """`round_trips`: how often the client spoke after the server had, each of which costs one network latency."""

    port: int
    round_trips: int = 0
    connections: int = 0


@contextmanager
def relay(target_port: int) -> Iterator[Relay]:
    """Relay a free port of loopback to `target_port`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        state = Relay(listener.getsockname()[1])

        def serve(client: socket.socket) -> None:
            with client, socket.create_connection(("127.0.0.1", target_port)) as server:
                selector = selectors.DefaultSelector()
                selector.register(client, selectors.EVENT_READ, server)
                selector.register(server, selectors.EVENT_READ, client)
                servers_turn = False
                while True:
                    for key, _ in selector.select():
                        data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                        if not data:
                            return
                        if key.fileobj is client and not servers_turn and data[:1] != b"X":  # X says good-bye
                            state.round_trips += 1
                        servers_turn = key.fileobj is client
                        key.data.sendall(data)

        def accept() -> None:
            with suppress(OSError):  # the listener was closed: the test is over
                while True:
                    client, _ = listener.accept()
                    state.connections += 1
                    threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield state
        listener.shutdown(socket.SHUT_RDWR)
