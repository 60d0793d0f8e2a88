"""A model server whose answer does not end."""

import socket
import threading

import pytest

from localmaker.services.sagemaker.jobs.transform import invocations
from localmaker.services.sagemaker.jobs.transform.invocations import InvocationError, ModelServerClient


def test_an_answer_is_not_read_without_bound(monkeypatch, tmp_path):
    monkeypatch.setattr(invocations, "_LONGEST_ANSWER", 2 * 1024**2)
    sent = []

    def answer(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                while sum(sent) < 1 << 28:
                    connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
                    sent.append(0x10000)
            except OSError:
                return

    monkeypatch.chdir(tmp_path)  # the address of a Unix socket is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("server")
        listener.listen()
        server = threading.Thread(target=answer, args=(listener,))
        server.start()
        client = ModelServerClient(listener.getsockname(), None)
        with pytest.raises(InvocationError, match="answered /ping with more than 2 MiB"):
            client.ping()
        server.join()
    assert sum(sent) < 1 << 28
