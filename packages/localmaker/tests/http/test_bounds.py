from __future__ import annotations

import gzip
import http.client
import io
import json
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from localmaker.daemon import EndpointHandle
from localmaker.errors import AwsError
from localmaker.http import bounds
from localmaker.http.bounds import Memory, Reserve
from localmaker.ports import CredentialScope

SQS = CredentialScope("key", "us-east-1", "sqs")
MIB = b" " * (1 << 20)


def environ(body: bytes, **values: str) -> dict[str, Any]:
    length = {} if "HTTP_TRANSFER_ENCODING" in values else {"CONTENT_LENGTH": str(len(body))}
    return {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "wsgi.input": io.BytesIO(body), **length, **values}


def with_body(environ: dict[str, Any], scope: CredentialScope | None, reserve: Reserve = int) -> dict[str, Any]:
    return bounds.with_body(environ, scope, reserve)


def unzipped(environ: dict[str, Any], scope: CredentialScope | None, reserve: Reserve = int) -> dict[str, Any]:
    return bounds.unzipped(environ, scope, reserve)


@pytest.mark.parametrize("framing", [{}, {"HTTP_TRANSFER_ENCODING": "chunked"}])
def test_a_document_is_read(framing: dict[str, str]) -> None:
    changed = with_body(environ(b"{}", **framing), SQS)
    assert (changed["wsgi.input"].read(), changed["CONTENT_LENGTH"]) == (b"{}", "2")
    assert "HTTP_TRANSFER_ENCODING" not in changed


@pytest.mark.parametrize("framing", [{}, {"HTTP_TRANSFER_ENCODING": "chunked"}])
@pytest.mark.parametrize(
    ("scope", "headers", "expected"),
    [
        (SQS, {}, ("RequestEntityTooLargeException", 413)),
        (None, {"HTTP_X_AMZ_TARGET": "AmazonSQS.SendMessage"}, ("RequestEntityTooLargeException", 413)),
        (None, {"QUERY_STRING": "delete", "PATH_INFO": "/bucket"}, ("MaxMessageLengthExceeded", 400)),
    ],
)
def test_a_large_document_is_refused(
    scope: CredentialScope | None, headers: dict[str, str], expected: tuple[str, int], framing: dict[str, str]
) -> None:
    with pytest.raises(AwsError) as refused:
        with_body(environ(b"x" * (bounds.DOCUMENT_BYTES + 1), **headers, **framing), scope)
    assert (refused.value.code, refused.value.status) == expected


def test_the_limit_is_that_of_the_service() -> None:
    body = b"x" * (bounds.DOCUMENT_BYTES + 1)
    assert with_body(environ(body), SQS._replace(signing_name="lambda"))["CONTENT_LENGTH"] == str(len(body))


def test_a_compressed_document_is_bounded_by_its_content() -> None:
    small = unzipped(environ(gzip.compress(b"{}"), HTTP_CONTENT_ENCODING="gzip"), SQS)
    assert (small["wsgi.input"].read(), "HTTP_CONTENT_ENCODING" in small) == (b"{}", False)
    bomb = gzip.compress(b"\0" * (bounds.DOCUMENT_BYTES + 1))
    for body, message in [
        (bomb, "RequestEntityTooLargeException"),
        (b"x", "MalformedHttp"),
        (gzip.compress(b"{}")[:-3], "not complete"),
    ]:
        with pytest.raises(AwsError, match=message):
            unzipped(environ(body, HTTP_CONTENT_ENCODING="gzip"), SQS)


@pytest.mark.parametrize("framing", [{}, {"HTTP_TRANSFER_ENCODING": "chunked"}, {"HTTP_CONTENT_ENCODING": "gzip"}])
def test_bodies_share_the_memory(framing: dict[str, str]) -> None:
    memory, read = Memory(3 << 20), unzipped if "HTTP_CONTENT_ENCODING" in framing else with_body
    body = gzip.compress(MIB) if read is unzipped else MIB
    with ExitStack() as stack:
        for _ in range(3):
            read(environ(body, **framing), SQS, stack.enter_context(memory.share()))
        with memory.share() as reserve, pytest.raises(AwsError) as refused:
            read(environ(gzip.compress(MIB * 2) if read is unzipped else MIB * 2, **framing), SQS, reserve)
        assert (refused.value.code, refused.value.status) == ("ServiceUnavailable", 503)
        with memory.share() as reserve:
            with_body(environ(b" " * (1 << 16)), SQS, reserve)
    with memory.share() as reserve:
        with_body(environ(MIB * 3), SQS, reserve)


def test_unfinished_bodies_are_bounded_together(endpoint: EndpointHandle) -> None:
    """A client that sends almost all of its bodies, until the endpoint takes no more of them."""
    url = urlsplit(endpoint.url)
    process = psutil.Process(endpoint.running.pid)
    before = process.memory_info().rss
    head = (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000000\r\nAuthorization: AWS4-HMAC-SHA256 "
        b"Credential=local/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00\r\n\r\n"
    )
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection((url.hostname, url.port), 30)) for _ in range(5)]
        for client in clients:
            with suppress(ConnectionError):
                client.sendall(head + MIB * 66)
        refused, _, _ = select.select(clients, [], [], 30)
        assert [client.recv(12) for client in refused] == [b"HTTP/1.1 503"] * len(refused) != []
        assert process.memory_info().rss - before < 340 << 20
        assert endpoint.client("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_an_object_is_streamed_up_to_its_own_limit() -> None:
    upload = environ(b"", REQUEST_METHOD="PUT", PATH_INFO="/bucket/key", CONTENT_LENGTH=str(bounds.OBJECT_BYTES))
    assert with_body(upload, None) is upload
    with pytest.raises(AwsError, match="EntityTooLarge"):
        with_body({**upload, "CONTENT_LENGTH": str(bounds.OBJECT_BYTES + 1)}, None)


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("target", ["SageMaker.ListModels", "AmazonSQS.SendMessage"])
def test_a_gibibyte_of_json_is_refused_unread(endpoint: EndpointHandle, target: str, is_chunked: bool) -> None:
    url = urlsplit(endpoint.url)
    process = psutil.Process(endpoint.running.pid)
    before = process.memory_info().rss
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    connection.putrequest("POST", "/")
    for name, value in (
        {**headers, "Transfer-Encoding": "chunked"}.items()
        if is_chunked
        else {**headers, "Content-Length": str(1 << 30)}.items()
    ):
        connection.putheader(name, value)
    connection.endheaders()
    sent = 0
    try:
        for piece in _pieces(is_chunked):
            connection.send(piece)
            sent += 1
    except ConnectionError:
        assert sent > 0  # the endpoint has answered and looks no further
    response = connection.getresponse()
    assert response.status == 413
    assert json.loads(response.read())["__type"] == "RequestEntityTooLargeException"
    assert process.memory_info().rss - before < 64 << 20
    connection.close()


def _pieces(is_chunked: bool) -> Iterator[bytes]:
    piece = b"%x\r\n%b\r\n" % (len(MIB), MIB) if is_chunked else MIB
    for _ in range(1024):
        yield piece
