"""A real Git server on loopback: ``git http-backend`` over HTTP, with the password that GitHub would ask for.

Source: https://git-scm.com/docs/git-http-backend.
"""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_AUTHOR = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
}


def git(folder: Path, *arguments: str, **environment: str) -> str:
    """Run git in a folder, without this machine's configuration; return what it prints."""
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env={**os.environ, **_AUTHOR, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@dataclass
class GitServer:
    """Bare repositories of a folder, served at a URL; who is let in, and who may push, can change while it runs."""

    folder: Path
    url: str = ""
    #: User and password; None lets everybody in.
    credentials: tuple[str, str] | None = None
    allows_push: bool = True
    #: Method, path and status of each request.
    requests: list[tuple[str, str, int]] = field(default_factory=list)

    def create(self, name: str, *, branch: str = "main") -> str:
        """Create an empty repository that takes pushes; return its URL."""
        git(self.folder, "init", "--quiet", "--bare", f"--initial-branch={branch}", f"{name}.git")
        git(self.folder / f"{name}.git", "config", "http.receivepack", "true")
        return f"{self.url}/{name}.git"

    def commit(self, name: str, files: dict[str, str], message: str = "Change", *, branch: str = "main") -> str:
        """Commit files to a repository's branch as a colleague's push would; return the commit's id."""
        work = self.folder / f"{name}.work"
        if not work.exists():
            git(self.folder, "init", "--quiet", f"--initial-branch={branch}", str(work))
            git(work, "remote", "add", "origin", str(self.folder / f"{name}.git"))
        git(work, "fetch", "--quiet", "origin")
        if git(work, "ls-remote", "origin", branch):
            git(work, "checkout", "--quiet", "-B", branch, f"origin/{branch}")
        for path, text in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_text(text, encoding="utf-8")
        git(work, "add", "--all")
        git(work, "commit", "--quiet", "--message", message)
        git(work, "push", "--quiet", "origin", f"HEAD:{branch}")
        return git(work, "rev-parse", "HEAD")


@contextmanager
def git_server(folder: Path, credentials: tuple[str, str] | None = None) -> Iterator[GitServer]:
    """Serve the bare repositories of a folder until the block ends."""
    server = GitServer(folder, credentials=credentials)
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_of": server}))
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_of: GitServer

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        """Keep the test's output free of requests; `requests` has them."""

    def _serve(self) -> None:
        body = self._body()
        pushes = "git-receive-pack" in self.path
        if not self._let_in():
            self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"Unauthorized")
        elif pushes and not self.server_of.allows_push:
            self._answer(403, {}, b"Write access to repository not granted.")
        else:
            self._run_backend(body)

    def _let_in(self) -> bool:
        if self.server_of.credentials is None:
            return True
        expected = base64.b64encode(":".join(self.server_of.credentials).encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _run_backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(self.server_of.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": self.server_of.credentials[0] if self.server_of.credentials else "anybody",
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env={**os.environ, **_AUTHOR, **variables},
            capture_output=True,
            check=True,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self._answer(int(headers.pop("Status", "200").split()[0]), headers, content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.server_of.requests.append((self.command, self.path, status))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
