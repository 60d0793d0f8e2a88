from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import pytest

from localmaker.daemon import EndpointHandle
from localmaker.http import browsers

PORT = "127.0.0.1:4566"


def is_refused(**headers: str) -> bool:
    return browsers.refusal({f"HTTP_{name.upper()}": value for name, value in headers.items()}) is not None


@pytest.mark.parametrize(
    "host",
    [
        PORT, "127.0.0.1", "localhost", "LocalHost:80", "[::1]:4566", "[::1]", "bucket.localhost:4566",
        "a.b_c.s3.localhost", "s3.amazonaws.com", "b.s3.eu-west-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn",
        "dsql.us-east-1.api.aws", "b.s3.localhost.localstack.cloud:4566",
    ],
)  # fmt: skip
def test_names_of_the_endpoint_are_served(host: str) -> None:
    assert not is_refused(host=host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "bucket.evil.example:4566", "127.0.0.1.evil.example", "localhost.evil.example",
        "evil-localhost", "amazonaws.com.evil.example", "evilamazonaws.com", "127.0.0.1@evil.example",
        "127.0.0.1:4566@evil.example", "evil.example#.localhost", "evil.example/.localhost",
        "evil.example\\.localhost", "localhost:80:90", "127.1", "", "2130706433", "0", "[::]", "[::1",
        "localhost:port", "127.0.0.1, evil.example", "localhost\n", "loc\u0430lhost",
    ],
)  # fmt: skip
def test_every_other_name_is_refused(host: str) -> None:
    assert is_refused(host=host)
    assert is_refused(host=host, sec_fetch_site="same-origin", origin=f"http://{host}")


def test_nothing_else_makes_a_foreign_name_served() -> None:
    for name in ("x_forwarded_host", "forwarded", "authorization", "x_amz_target", "user_agent", "sec_fetch_site"):
        assert is_refused(host="evil.example", **{name: PORT})


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": ""}, {"origin": "http://127.0.0.1:3000"},
        {"origin": "http://localhost:4566"}, {"origin": f"https://{PORT}"}, {"origin": f"http://{PORT}.evil.example"},
        {"origin": "https://b.s3.amazonaws.com"}, {"origin": "chrome-extension://abc"}, {"origin": "file://"},
        {"referer": "https://evil.example/page"}, {"referer": f"http://{PORT}/bucket/uploaded.html"}, {"referer": ""},
        {"referer": "https://b.s3.amazonaws.com/"}, {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"},
    ],
)  # fmt: skip
def test_pages_are_refused(headers: dict[str, str]) -> None:
    assert is_refused(host=PORT, **headers)


def test_a_name_of_aws_is_served_to_no_browser() -> None:
    host = "b.s3.amazonaws.com"
    assert is_refused(host=host, origin=f"http://{host}")
    assert is_refused(host=host, sec_fetch_site="none")


@pytest.mark.parametrize("headers", [{"origin": f"http://{PORT}"}, {"sec_fetch_site": "none"}, {}])
def test_the_address_bar_is_served(headers: dict[str, str]) -> None:
    assert not is_refused(host=PORT, **headers)


def answer(endpoint: EndpointHandle, method: str, path: str, **headers: str) -> tuple[int, Any, bytes]:
    url = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=named)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, response.headers, content


@pytest.mark.parametrize(
    "path", ["/", "/_local/health", "/moto-api/", "/moto-api/reset", "/?Action=CreateUser", "/b/k"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_every_path_and_method_is_refused(endpoint: EndpointHandle, method: str, path: str) -> None:
    for headers in ({"Host": "b.evil.example"}, {"Origin": "https://x.amazonaws.com"}, {"Referer": "http://a.example"}):
        status, answered, content = answer(endpoint, method, path, **headers)
        assert status == 403
        assert method == "HEAD" or b"local AWS endpoint" in content
        assert not [name for name in answered if name.lower().startswith("access-control")]


def test_what_is_served_cannot_act_as_a_page(endpoint: EndpointHandle, unique: str) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    cors = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "ExposeHeaders": ["ETag"]}
    s3.put_bucket_cors(Bucket=unique, CORSConfiguration={"CORSRules": [cors]})
    s3.put_bucket_website(Bucket=unique, WebsiteConfiguration={"IndexDocument": {"Suffix": "page.html"}})
    page = b"<script>fetch('/moto-api/reset', {method: 'POST'})</script>"
    s3.put_object(Bucket=unique, Key="page.html", Body=page, ContentType="text/html", ACL="public-read")
    s3.put_object(Bucket=unique, Key="large.html", Body=page * 5000, ContentType="text/html", ACL="public-read")
    port = urlsplit(endpoint.url).port
    own = f"http://127.0.0.1:{port}"
    for path, headers in [
        (f"/{unique}/page.html", {}),
        (f"/{unique}/large.html", {}),
        (f"/{unique}/page.html", {"Range": "bytes=0-9"}),
        (f"/{unique}/page.html", {"Origin": own}),
        (f"/{unique}/page.html?response-content-type=text/html", {}),
        ("/page.html", {"Host": f"{unique}.localhost:{port}"}),
        ("/", {"Host": f"{unique}.s3-website.localhost:{port}"}),
        (f"/{unique}/missing%3Cscript%3E", {}),
        (f"/{unique}", {}),
        ("/_local/health", {}),
        ("/moto-api/", {}),
    ]:
        for method in ("GET", "HEAD", "OPTIONS"):
            _, answered, _ = answer(endpoint, method, path, **headers)
            assert answered.get_all("Content-Security-Policy") == ["sandbox"], (method, path)
            assert answered.get_all("X-Content-Type-Options") == ["nosniff"]
            assert answered.get_all("Cross-Origin-Resource-Policy") == ["same-origin"]
            assert not [name for name in answered if name.lower().startswith("access-control")], (method, path)
