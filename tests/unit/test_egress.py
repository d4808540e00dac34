"""Sockets for what goes out."""

import gc
import os
import socket

from services.notify.egress import RECEIVE_BUFFER_BYTES, small_socket

INFO = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 9))


def test_a_socket_that_was_forgotten_closes_no_number() -> None:
    # As uvloop leaves one: its number was closed, and is somebody else's by now.
    forgotten = small_socket(INFO)
    number = forgotten.fileno()
    os.close(number)
    os.dup2(2, number)

    del forgotten
    gc.collect()

    assert os.fstat(number)
    os.close(number)


def test_a_socket_that_is_closed_is_closed() -> None:
    closed = small_socket(INFO)

    closed.close()

    assert closed.fileno() == -1


def test_little_is_taken_in_before_it_is_read() -> None:
    made = small_socket(INFO)

    size = made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    made.close()
    assert size <= 2 * RECEIVE_BUFFER_BYTES
