"""A real server on a real socket, for one app."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI


@contextmanager
def listening(app: FastAPI, buffer_bytes: int | None = None) -> Iterator[str]:
    """Serve an app on a free port, and give its address; the kernel's buffers may be set small."""
    with socket.socket() as door:
        if buffer_bytes is not None:
            small(door, buffer_bytes)
        door.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
        thread = threading.Thread(target=server.run, args=([door],))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the app did not start"
                time.sleep(0.01)
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def small(end: socket.socket, buffer_bytes: int) -> None:
    """Let the kernel hold no more than about this much for either direction."""
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        end.setsockopt(socket.SOL_SOCKET, option, buffer_bytes)
