"""Serves one model to a transform job. Run as a program inside the job's sandbox; standard library only.

Stands in for the image's nginx, gunicorn and serving toolkit: ``GET /ping`` and ``POST /invocations`` over HTTP, with
the functions of the user's program: ``model_fn``, and ``input_fn``, ``predict_fn``, ``output_fn`` or one
``transform_fn`` for the three. Functions that the program lacks are the toolkit's defaults, for ``text/csv`` and
``application/json``. Each worker is a process with its own model and answers one request at a time, as a gunicorn
worker does: it takes a connection only when it is idle and ends it with the answer, so that no request waits for a busy
worker while another one is free. A worker accepts connections when its model is loaded, so a client needs no polling:
it waits for its answer to the first ping.

The listening socket is inherited (``--listen-fd``), so no port has to be agreed on.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

Answer = tuple[bytes, str]


@dataclass(frozen=True)
class Arguments:
    """The command line."""

    listen_fd: int
    workers: int
    model_dir: str
    program: Path


class UnsupportedTypeError(ValueError):
    """A default handler was asked for a media type that it does not know."""


def default_input_fn(body: bytes, content_type: str) -> Any:
    """Rows of numbers as the toolkit reads them."""
    import numpy

    if content_type == "text/csv":
        return numpy.genfromtxt(io.StringIO(body.decode()), dtype=None, delimiter=",", encoding="utf-8")
    if content_type == "application/json":
        return numpy.array(json.loads(body))
    raise UnsupportedTypeError(f"content type {content_type!r}: the program needs an input_fn for it")


def default_predict_fn(data: Any, model: Any) -> Any:
    """What the model's ``predict`` says."""
    return model.predict(data)


def default_output_fn(prediction: Any, accept: str) -> Answer:
    """Predictions as the toolkit writes them."""
    rows = prediction.tolist() if hasattr(prediction, "tolist") else prediction
    if accept == "application/json":
        return json.dumps(rows).encode(), accept
    if accept in ("text/csv", "*/*"):
        cells = [row if isinstance(row, (list, tuple)) else [row] for row in rows]
        return "\n".join(",".join(map(str, row)) for row in cells).encode(), "text/csv"
    raise UnsupportedTypeError(f"accept {accept!r}: the program needs an output_fn for it")


def load_program(path: Path) -> Any:
    """Import the user's program as a module, with its folder first on the path."""
    sys.path.insert(0, str(path.parent))
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        raise ImportError(f"{path} is not a Python program")
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    return module


class Model:
    """The loaded model and the functions around it."""

    def __init__(self, module: Any, model_dir: str) -> None:
        if not hasattr(module, "model_fn"):
            raise NotImplementedError("Please provide a model_fn implementation.")
        self._model = module.model_fn(model_dir)
        self._input: Callable[[bytes, str], Any] = getattr(module, "input_fn", default_input_fn)
        self._predict: Callable[[Any, Any], Any] = getattr(module, "predict_fn", default_predict_fn)
        self._output: Callable[[Any, str], Any] = getattr(module, "output_fn", default_output_fn)
        self._whole: Callable[[Any, bytes, str, str], Any] | None = getattr(module, "transform_fn", None)

    def answer(self, body: bytes, content_type: str, accept: str) -> Answer:
        """The response to one request. What the user's functions raise is the caller's."""
        if self._whole is not None:
            return as_answer(self._whole(self._model, body, content_type, accept), accept)
        prediction = self._predict(self._input(body, content_type), self._model)
        return as_answer(self._output(prediction, accept), accept)


def as_answer(result: Any, accept: str) -> Answer:
    """The forms that ``output_fn`` may answer in: a body, (body, content type), or a Flask/werkzeug response."""
    if hasattr(result, "get_data"):
        return result.get_data(), result.content_type
    body, content_type = result if isinstance(result, tuple) else (result, accept)
    return (bytes(body) if isinstance(body, (bytes, bytearray)) else str(body).encode()), str(content_type)


def make_handler(model: Model) -> type[BaseHTTPRequestHandler]:
    """The request handler class of a model."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one write an answer, so that the answer is not held back by Nagle's algorithm

        def do_GET(self) -> None:
            self._send(200 if self.path == "/ping" else 404, b"", "text/plain")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path != "/invocations":
                self._send(404, b"", "text/plain")
                return
            try:
                answer = model.answer(body, self.headers.get("Content-Type", ""), self.headers.get("Accept", "*/*"))
            except UnsupportedTypeError as error:
                self._send(415, str(error).encode(), "text/plain")
            except Exception as error:  # noqa: BLE001 - whatever the user's code raises is a 500, as in the container
                traceback.print_exc()
                self._send(500, f"{type(error).__name__}: {error}".encode(), "text/plain")
            else:
                self._send(200, *answer)

        def _send(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")  # a kept connection would keep the worker from all others
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            if args[0:1] != ("GET /ping HTTP/1.1",):
                print(format % args, flush=True)

    return Handler


def serve(arguments: Arguments) -> None:
    """Load the model and answer requests until killed."""
    listener = socket.socket(fileno=arguments.listen_fd)
    handler = make_handler(Model(load_program(arguments.program), arguments.model_dir))
    server = HTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_address = listener.getsockname()
    server.serve_forever(poll_interval=3600)


def serve_with_workers(arguments: Arguments) -> int:
    """One process a worker. The end of any of them is the end of all. Returns the exit status."""
    workers: set[int] = set()
    for _ in range(arguments.workers):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                serve(arguments)
            except BaseException:  # noqa: BLE001 - a forked process must not return into its parent's code
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        workers.add(pid)
    os.close(arguments.listen_fd)
    ended, status = os.wait()
    for pid in workers - {ended}:
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(status) or 1


def main() -> int:
    """Serve as the command line says. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Serve a model on an inherited listening socket.")
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--model-dir", required=True)
    parser.add_argument("--program", type=Path, required=True)
    arguments = Arguments(**vars(parser.parse_args()))
    if arguments.workers > 1:
        return serve_with_workers(arguments)
    serve(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
