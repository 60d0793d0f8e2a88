"""Where a credential comes from, and that a try of it leaves no trace."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import pytest

from pipeline.errors import DeploymentError, InputFileError
from pipeline.source_control.credential import (
    Credential,
    credential_from_file,
    credential_from_variable,
    credential_of,
    try_credential,
)
from tests.pipeline.source_control.conftest import PASSWORD, USER

RIGHT, WRONG = Credential(USER, PASSWORD), Credential(USER, "wr0ng-and-secret")


def test_a_token_and_json_are_read():
    assert credential_of(" token \n", "x") == Credential("x-access-token", "token")
    assert credential_of('{"username": "ada", "password": "p"}', "x") == Credential("ada", "p")


@pytest.mark.parametrize(
    "text", ["", "two words", "two\nlines", '{"username": "ada"}', "{broken-s3cret", '{"username": 1, "password": "p"}']
)
def test_what_is_no_credential_is_refused_and_not_repeated(text):
    with pytest.raises(InputFileError, match="neither a token nor JSON") as error:
        credential_of(text, "the file")
    assert "s3cret" not in str(error.value)


def test_repr_shows_nothing():
    assert repr(RIGHT) == "Credential()"


def test_a_file_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "token"
    path.write_text("token")
    path.chmod(0o644)
    with pytest.raises(InputFileError, match="read by others"):
        credential_from_file(path)
    path.chmod(0o600)
    assert credential_from_file(path).password == "token"
    with pytest.raises(InputFileError, match="can't be read"):
        credential_from_file(tmp_path / "missing")


def test_a_variable_is_not_passed_on(monkeypatch):
    monkeypatch.setenv("GIT_TOKEN_OF_A_TEST", "token")
    assert credential_from_variable("GIT_TOKEN_OF_A_TEST").password == "token"
    with pytest.raises(InputFileError, match="no environment variable"):
        credential_from_variable("GIT_TOKEN_OF_A_TEST")


def test_a_credential_that_the_server_takes(locked):
    assert try_credential(f"{locked.url}/work.git", "main", RIGHT) is None


def test_a_server_that_asks_for_none_is_told(server):
    assert "not tried" in str(try_credential(f"{server.url}/work.git", "main", WRONG))


def test_a_wrong_credential_and_a_missing_branch_are_refused(locked):
    with pytest.raises(DeploymentError, match="Authentication failed") as error:
        try_credential(f"{locked.url}/work.git", "main", WRONG)
    assert WRONG.password not in str(error.value)
    with pytest.raises(DeploymentError, match="no branch other"):
        try_credential(f"{locked.url}/work.git", "other", RIGHT)


def test_no_server(tmp_path):
    with pytest.raises(DeploymentError, match="did not take the credential"):
        try_credential("http://127.0.0.1:9/work.git", "main", RIGHT)


def test_a_server_that_the_right_one_leads_to_does_not_get_the_credential(locked):
    port = locked.url.rpartition(":")[2]

    class Redirect(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{port}{self.path}")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirect) as first:
        threading.Thread(target=first.serve_forever).start()
        try:
            with pytest.raises(DeploymentError, match="did not take the credential"):
                try_credential(f"http://127.0.0.1:{first.server_port}/work.git", "main", RIGHT)
        finally:
            first.shutdown()
    assert locked.requests
    assert {status for _, _, status in locked.requests} == {401}


class Watch:
    """Looks through command lines and environments of all processes while a block runs."""

    def __init__(self, *texts: str) -> None:
        self.texts, self.found, self.looked = [text.encode() for text in texts], [], 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.is_set():
            for folder in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        content = (folder / name).read_bytes()
                    except OSError:
                        continue
                    self.looked += 1
                    if any(text in content for text in self.texts):
                        self.found.append((folder.name, name))


def test_no_process_shows_the_credential_while_it_is_tried(locked):
    with Watch(PASSWORD) as watch:
        try_credential(f"{locked.url}/work.git", "main", RIGHT)
    assert watch.looked
    assert watch.found == []
