"""fetch_data.py against a web server on loopback."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.demo.sample import write_sample


class Web:
    """What the server answers: path → content; and by how many bytes each answer breaks off too early."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.lost = 0

    def put(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return self.url + path


@pytest.fixture
def web(monkeypatch) -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = state.files.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write((content or b"")[: len(content or b"") - state.lost])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Web(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


@pytest.mark.parametrize("packed", [True, False])
def test_the_table_is_put_in_place_with_its_checksum(web, real_csv, call_program, tmp_path, packed: bool) -> None:
    table = real_csv.read_bytes()
    url = web.put("/data", zipped(day_csv=table, hour_csv=b"x") if packed else table)
    done = call_program("fetch_data.py", "--url", url, "--output", "data/day.csv")
    assert done.code == 0, done.err
    assert "730 days, 2018-01-01 to 2019-12-31" in done.out
    assert (tmp_path / "data" / "day.csv").read_bytes() == table
    digest = hashlib.sha256(table).hexdigest()
    assert (tmp_path / "data" / "day.csv.sha256").read_text() == f"{digest}  day.csv\n"
    assert call_program("fetch_data.py", "--url", url, "--sha256", digest.upper()).code == 0


def test_the_table_of_another_data_set(web, real_wine, call_program, tmp_path) -> None:
    table = real_wine.read_bytes()
    url = web.put("/wine", zipped(**{"winequality-red_csv": table, "winequality-white_csv": b"x"}))
    done = call_program("fetch_data.py", "--dataset", "red_wine", "--url", url)
    assert done.code == 0, done.err
    assert done.out.startswith("winequality-red.csv: 1,599 wines, 9,012 points\n")
    assert (tmp_path / "winequality-red.csv").read_bytes() == table
    done = call_program(
        "fetch_data.py", "--dataset", "red_wine", "--url", web.put("/data", b"\n".join(table.splitlines()[:99]))
    )
    assert (done.code, done.out) == (1, "")
    assert "it has 98 wines, " in done.err
    assert "the published one has 1,599 wines with 9,012 points" in done.err


def test_what_is_not_the_table_is_refused_and_nothing_written(web, call_program, tmp_path) -> None:
    sample = write_sample(tmp_path / "sample.csv").read_bytes()
    (tmp_path / "sample.csv").unlink()
    damaged = bytearray(zipped(day_csv=sample))
    damaged[60:90] = bytes(30)
    (tmp_path / "day.csv").write_text("mine")
    for content, says in (
        (sample, "This is not the published table: it has 730 days"),
        (sample.replace(b",1,", b",9,", 1), "day.csv: line"),
        (b"<html>busy</html>", "day.csv: line 1"),
        (b"", "the file is empty"),
        (zipped(hour_csv=b"x"), "holds 0 files named day.csv"),
        (bytes(damaged), "is damaged"),
        (zipped(day_csv=bytes(17_000_000)), "too large to be the table"),
        (bytes(17_000_000), "more than 16,777,216 bytes"),
    ):
        done = call_program("fetch_data.py", "--url", web.put("/data", content))
        assert (done.code, done.out) == (1, ""), done
        assert says in done.err
        assert "Traceback" not in done.err
    assert [path.name for path in tmp_path.iterdir() if path.name != "message-file"] == ["day.csv"]
    assert (tmp_path / "day.csv").read_text() == "mine"


def test_downloads_that_fail_are_named(web, call_program) -> None:
    url = web.put("/data", b"0123456789")
    for arguments, says in (
        (("--url", web.url + "/absent"), "HTTP Error 404"),
        (("--url", "http://127.0.0.1:9/data"), "can't be downloaded"),
        (("--url", "file:///etc/passwd"), "is not an http or https address"),
        (("--url", "day.csv"), "is not an http or https address"),
        (("--url", url, "--sha256", "0" * 64), "has SHA-256 84d898"),
    ):
        done = call_program("fetch_data.py", *arguments)
        assert done.code == 1
        assert says in done.err
    web.lost = 4
    done = call_program("fetch_data.py", "--url", url)
    assert (done.code, done.out) == (1, "")
    assert "broke off after 6 of 10 bytes" in done.err
