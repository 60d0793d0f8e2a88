"""Seeded HTTP requests: valid ones of many services, mutated ones, and bytes that are no HTTP."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

import botocore.session
from botocore.exceptions import BotoCoreError
from botocore.serialize import create_serializer

SERVICES = (
    "s3", "s3", "s3", "sqs", "sns", "iam", "sts", "events", "scheduler", "logs", "cloudwatch", "sagemaker",
    "sagemaker", "sagemaker-featurestore-runtime", "lambda", "dynamodb", "kms", "glue", "secretsmanager", "ssm",
    "stepfunctions", "ecr", "cloudformation",
)  # fmt: skip
# They start programs, send to the network, or wait.
_LEFT_OUT = {"Invoke", "InvokeAsync", "InvokeWithResponseStream", "StartExecution", "StartSyncExecution", "Subscribe"}
_DEPTH = 4
_ARN = "arn:aws:{}:us-east-1:123456789012:{}/fuzz"
_TEXTS = (
    "fuzz", "fuzz-1", "fuzz-2", "a", "", "x" * 300, "Default", "ümlaut-日本", "a b", "../..", "%00", "*", "$LATEST",
    "0", "true", "s3://fuzz/key", _ARN.format("iam", "role"), _ARN.format("sagemaker", "pipeline"),
    _ARN.format("sns", "topic"), "arn:aws:s3:::fuzz", "arn:", "arn:aws", "http://127.0.0.1:1/fuzz", "{}", "[]",
    '{"Version": "2012-10-17", "Statement": []}', '{"source": ["fuzz"]}', "rate(1 minute)", "<a/>", "a=b&c=d",
    "1970-01-01T00:00:00Z", "'\"`;--", "key/with/slash",
)  # fmt: skip
_ODD = (
    None, True, False, 0, -1, 1, 1.5, 2**31, 2**63, 2**70, 1e300, "", "x", [], {}, [[]], {"a": 1}, [None], {"": ""},
    "\ud800", "\x00", "\x7f\x01", "9" * 5000,
)  # fmt: skip
_BODIES = (
    b"{", b"{{{", b"[]", b'"x"', b"null", b"1", b"\xff\xfe", b"{}{}", b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\\ud800"}',
    b"\x00", b"[" * 50_000, b'{"a":' * 50_000, b"<a>", b"<a><b></a>", b"<?xml version='1.0'?>",
    b"<CreateBucketConfiguration/>", b"<Delete/>", b"Action=", b"Action=ListRoles&Version=2010-05-08",
    b"Action=%ff&a=%", b"&&&===", b'{"' + b"k" * 70_000 + b'": 1}',
)  # fmt: skip
_TARGETS = (
    "?", "?acl", "?uploads", "?uploadId=x", "?partNumber=x&uploadId=y", "?versions", "?list-type=2&max-keys=x", "/",
    "//", "/a/b/c", "?Action=Nothing", "?Action=ListRoles&MaxItems=x", "?tagging", "?lifecycle", "?policy",
    "?notification", "?X-Amz-Credential=x", "?select&select-type=2", "/%E4%BD%A0",
    "?X-Amz-Credential=a%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Expires=x&X-Amz-Date=y",
)  # fmt: skip
_LINES = (
    b"GET", b"GET /", b"GET / HTTP/9.9", b"GET / HTTP/0.9", b"GET / HTTP/1.1 x", b"GET  / HTTP/1.1",
    b" GET / HTTP/1.1", b"GET\t/ HTTP/1.1", b"get / HTTP/1.1", b"G\x00T / HTTP/1.1", b"GET /\xff HTTP/1.1",
    b"GET /%zz HTTP/1.1", b"GET /%00 HTTP/1.1", b"GET /%ff HTTP/1.1", b"GET /a#b HTTP/1.1", b"GET * HTTP/1.1",
    b"OPTIONS * HTTP/1.1", b"CONNECT a:1 HTTP/1.1", b"TRACE / HTTP/1.1", b"BREW / HTTP/1.1",
    b"GET http://evil.example/ HTTP/1.1", b"GET http://127.0.0.1/ HTTP/1.1", b"GET //// HTTP/1.1", b"GET ? HTTP/1.1",
    b"\x16\x03\x01\x02", b"GET /" + b"a" * 20_000 + b" HTTP/1.1", b"PRI * HTTP/2.0", b"",
    b"GET /?a=%0d%0aX:y&response-content-type=a%0d%0aX:y HTTP/1.1",
    b"GET /fuzz/key?response-content-type=a%0d%0aX:y HTTP/1.1", b"GET /fuzz?versioning&versioning&acl HTTP/1.1",
)  # fmt: skip
_FIELDS = (
    b"Content-Length: -1", b"Content-Length: x", b"Content-Length: 1e3", b"Content-Length: +5",
    b"Content-Length: 0x10", b"Content-Length:", b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 5, 5",
    b"Content-Length: 99999999999999999999", b"Content-Length: 999999999",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: gzip",
    b"Transfer-Encoding: chunked, gzip", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked", b"Host: a\r\nHost: b", b"Host:",
    b"Host: evil.example", b"Name : value", b": value", b"no-colon", b" folded: x", b"A: b\r\n folded", b"A: \x00",
    b"A: b\rc", b"A: b\nC: d", b"\xff: a", b"A" * 70_000 + b": b", b"A: " + b"b" * 70_000, b"Expect: nothing",
    b"Expect: 100-continue", b"Connection: close", b"Connection: upgrade\r\nUpgrade: websocket", b"Range: bytes=9-1",
    b"Range: bytes=-", b"Range: x", b"If-Match: \"", b"If-Modified-Since: never", b"Content-MD5: x",
    b"Content-Type: multipart/form-data; boundary=", b"Content-Type: multipart/form-data", b"Content-Encoding: gzip",
    b"x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD", b"x-amz-decoded-content-length: x",
    b"x-amz-decoded-content-length: -5", b"x-amz-copy-source: /", b"x-amz-copy-source: %ff",
    b"x-amz-sdk-checksum-algorithm: none", b"x-amz-checksum-crc32: x", b"x-amz-meta-a_b: \xe4",
    b"x-amz-tagging: %ff=&&", b"x-amz-acl: x", b"x-amz-target: .", b"x-amz-target: SageMaker.",
    b"x-amz-target: SageMaker.\xff", b"x-amz-date: x", b"authorization: AWS4-HMAC-SHA256",
    b"authorization: Credential=a/20260101/../x/aws4_request", b"authorization: Basic eA==",
    b"x-amz-security-token: x", b"Cookie: a=b; c", b"\r\n".join(b"X-%d: y" % number for number in range(300)),
)  # fmt: skip
_CHUNKS = (
    b"0\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n", b"x\r\n", b"-1\r\n", b"ffffffffffffffff\r\n", b"5\r\n{}\r\n0\r\n\r\n",
    b"2\r\n{}0\r\n\r\n", b"2\r\n{}\r\n", b"", b"2;a=b\r\n{}\r\n0\r\nTrailer: x\r\n\r\n",
    b"2\r\n{}\r\n0\r\n" + b"T: x\r\n" * 5000, b"2\n{}\n0\n\n", b"0x2\r\n{}\r\n0\r\n\r\n",
)  # fmt: skip


@dataclass
class Request:
    """A request before it is put into bytes."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def raw(self) -> bytes:
        """Return it as it is sent."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode("utf-8", "replace") + self.body


@cache
def _model(service: str) -> Any:
    return botocore.session.Session().get_service_model(service)


def requests(seed: int, count: int) -> Iterator[tuple[bytes, bool]]:
    """Yield requests, and whether each is well-formed HTTP, so that its connection can be used again."""
    draw = random.Random(seed)
    for _ in range(count):
        yield _one(draw)


def _one(draw: random.Random) -> tuple[bytes, bool]:
    request = _valid(draw)
    kind = draw.random()
    if kind < 0.3:
        return request.raw(), True
    if kind < 0.65:
        draw.choice((_odd_json, _odd_body, _odd_target, _odd_headers))(draw, request)
        return request.raw(), True
    return draw.choice((_odd_line, _odd_field, _odd_chunks, _odd_bytes, _cut))(draw, request), False


def _valid(draw: random.Random) -> Request:
    service = draw.choice(SERVICES)
    model = _model(service)
    operation = model.operation_model(draw.choice([name for name in model.operation_names if name not in _LEFT_OUT]))
    shape = operation.input_shape
    parameters = _value(draw, shape, "", 0) if shape is not None else {}
    serializer = create_serializer(model.protocol, include_validation=False)
    try:
        written = serializer.serialize_to_request(parameters, operation)
    except (BotoCoreError, TypeError, ValueError, AttributeError, KeyError):  # botocore does not send everything
        return _valid(draw)
    body = written["body"]
    if isinstance(body, dict):
        body = urlencode(body).encode()
    elif isinstance(body, str):
        body = body.encode("utf-8", "replace")
    query = written["query_string"]
    target = quote(written["url_path"], safe="/?=&%-._~") or "/"
    if query:
        target += ("&" if "?" in target else "?") + (query if isinstance(query, str) else urlencode(query, doseq=True))
    scope = f"fuzz/20260101/us-east-1/{model.signing_name}/aws4_request"
    headers = {
        "Host": "127.0.0.1",
        **{name: str(value).replace("\r", "").replace("\n", "") for name, value in written["headers"].items()},
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00",
    }
    return Request(written["method"], target, list(headers.items()), body or b"")


def _value(draw: random.Random, shape: Any, name: str, depth: int) -> Any:
    kind = shape.type_name
    if kind == "structure":
        often = 0.3 / (depth + 1)
        wanted = [one for one in shape.members if one in shape.required_members or draw.random() < often]
        if depth > _DEPTH:
            wanted = []
        return {one: _value(draw, shape.members[one], one, depth + 1) for one in wanted}
    if kind == "list":
        return [_value(draw, shape.member, name, depth + 1) for _ in range(draw.choice((0, 1, 1, 2)))]
    if kind == "map":
        return {draw.choice(_TEXTS): _value(draw, shape.value, name, depth + 1) for _ in range(draw.choice((0, 1, 2)))}
    return _scalar(draw, shape, name)


_INTEGERS = (0, 1, 5, 100, -1, 2**31 - 1)
_SCALARS: dict[str, tuple[Any, ...]] = {
    "integer": _INTEGERS,
    "long": _INTEGERS,
    "float": (0.0, 0.5, -1.0, 1e10),
    "double": (0.0, 0.5, -1.0, 1e10),
    "boolean": (True, False),
    "timestamp": (datetime(2026, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
    "blob": (b"", b"x", b"\xff\x00", b"{}", b"x" * 5000),
}


def _scalar(draw: random.Random, shape: Any, name: str) -> Any:
    if "Wait" in name:
        return 0
    if shape.type_name in _SCALARS:
        return draw.choice(_SCALARS[shape.type_name])
    if shape.enum:
        return draw.choice(shape.enum)
    if name in ("Bucket", "Key") or draw.random() < 0.5:
        return draw.choice(("fuzz", "fuzz-1", "fuzz-2"))
    return draw.choice(_TEXTS)


def _odd_json(draw: random.Random, request: Request) -> None:
    try:
        document = json.loads(request.body)
    except ValueError:
        return _odd_body(draw, request)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            places.append((value, key))
            if isinstance(item, (dict, list)):
                walk(item)

    if isinstance(document, (dict, list)):
        walk(document)
    for holder, key in draw.sample(places, min(len(places), draw.choice((1, 1, 2)))):
        holder[key] = draw.choice(_ODD)
    if not places:
        document = draw.choice(_ODD)
    request.body = json.dumps(document).encode()
    return None


def _odd_body(draw: random.Random, request: Request) -> None:
    request.body = draw.choice(_BODIES)


def _odd_target(draw: random.Random, request: Request) -> None:
    request.target = request.target.partition("?")[0] + draw.choice(_TARGETS)
    if draw.random() < 0.3:
        request.method = draw.choice(("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"))


def _odd_headers(draw: random.Random, request: Request) -> None:
    place = draw.randrange(1, len(request.headers))
    name, value = request.headers[place]
    request.headers[place] = draw.choice(
        [
            (name, draw.choice(("", "x", value[: len(value) // 2], value * 2, "ü"))),
            ("X-Other", value),
            ("Referer-Not", "x"),
        ]
    )


def _odd_line(draw: random.Random, request: Request) -> bytes:
    _, _, rest = request.raw().partition(b"\r\n")
    return draw.choice(_LINES) + b"\r\n" + rest


def _odd_field(draw: random.Random, request: Request) -> bytes:
    line, _, rest = request.raw().partition(b"\r\n")
    field = draw.choice(_FIELDS)
    head, _, body = rest.partition(b"\r\n\r\n")
    name = field.partition(b":")[0].lower()
    kept = [one for one in head.split(b"\r\n") if draw.random() < 0.1 or one.partition(b":")[0].lower() != name]
    if name == b"transfer-encoding" or draw.random() < 0.3:
        kept = [one for one in kept if not one.lower().startswith(b"content-length")]
    return b"\r\n".join([line, *kept, field, b"", b""]) + body


def _odd_chunks(draw: random.Random, request: Request) -> bytes:
    head = request.raw().partition(b"\r\n\r\n")[0]
    lines = [one for one in head.split(b"\r\n") if not one.lower().startswith(b"content-length")]
    return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b""]) + draw.choice(_CHUNKS)


def _odd_bytes(draw: random.Random, request: Request) -> bytes:
    raw = bytearray(request.raw())
    for _ in range(draw.choice((1, 2, 8))):
        place = draw.randrange(len(raw))
        change: Callable[[], None] = draw.choice(
            (
                lambda at=place: raw.__setitem__(at, draw.randrange(256)),
                lambda at=place: raw.__delitem__(slice(at, at + draw.randrange(1, 20))),
                lambda at=place: raw.insert(at, draw.randrange(256)),
            )
        )
        change()
        if not raw:
            return b"\r\n"
    return bytes(raw)


def _cut(draw: random.Random, request: Request) -> bytes:
    raw = request.raw()
    return raw[: draw.randrange(1, len(raw))]
