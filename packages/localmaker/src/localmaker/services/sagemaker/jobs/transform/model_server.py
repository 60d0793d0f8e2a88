"""Serve one model to a transform job. Runs as a program inside the job's sandbox; standard library only.

Stands in for the scikit-learn image's nginx, gunicorn and serving toolkit (sagemaker-containers): ``GET /ping``,
``GET /execution-parameters`` and ``POST /invocations`` over HTTP, with the functions of the user's program:
``model_fn``, and ``input_fn``, ``predict_fn``, ``output_fn`` or one ``transform_fn`` for the three, and
``execution_parameters_fn`` if it has one. Functions that the program lacks have the image's defaults, for ``text/csv``,
``application/json`` and ``application/x-npy``, or those of another image's module (``--defaults``, with functions
``default_input_fn`` and so on). As in the image, bodies of the first two are passed as text, all others as bytes, and
an exception of any function gives status 500. That module may be the program itself: then the image's own algorithm
serves the model, and says which types a request has by default (``DEFAULT_CONTENT_TYPE``, ``DEFAULT_ACCEPT``).

Each worker is a process with its own model and answers one request at a time, as a gunicorn worker does: it accepts a
connection only when it is idle and closes it with the answer, so that no request waits for a busy worker while another
one is idle. A worker accepts connections once its model is loaded, so a client need not poll: it waits for the answer
to its first ping.

The listening socket is inherited (``--listen-fd``), so no port number has to be agreed on.
"""

from __future__ import annotations

import argparse
import csv
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

_JSON, _CSV, _NPY = "application/json", "text/csv", "application/x-npy"
_TEXT_TYPES = (_JSON, _CSV)
_DEFAULT_ACCEPT_VARIABLE = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"

Body = str | bytes


@dataclass(frozen=True)
class Arguments:
    """The command line."""

    listen_fd: int
    workers: int
    model_dir: str
    program: Path
    defaults: Path | None


@dataclass(frozen=True)
class Answer:
    """A response."""

    body: bytes
    content_type: str
    status: int = 200


def default_input_fn(body: Body, content_type: str) -> Any:
    """Parse numbers as the image does: 32 bits wide, and without dimensions of one element."""
    import numpy

    if content_type == _CSV:
        rows = list(csv.reader(io.StringIO(str(body)), strict=True))
        return numpy.array(rows).squeeze().astype(numpy.float32)
    if content_type == _JSON:
        return numpy.array(json.loads(body)).astype(numpy.float32)
    if content_type == _NPY:
        # The image allows pickles in an NPY body; whoever sends one has the rights of the model already.
        return numpy.load(io.BytesIO(body if isinstance(body, bytes) else body.encode()), allow_pickle=True)
    raise ValueError(f"Content type {content_type} is not supported by this framework: the program needs an input_fn.")


def default_predict_fn(data: Any, model: Any) -> Any:
    """Return the result of the model's ``predict``."""
    return model.predict(data)


def default_output_fn(prediction: Any, accept: str) -> tuple[Body, str]:
    """Format predictions as the image does."""
    import numpy

    if accept == _JSON:
        return json.dumps(prediction, default=lambda value: value.tolist()), accept
    if accept == _CSV:
        rows = numpy.array(prediction)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n", strict=True).writerows(rows.reshape(-1, 1) if rows.ndim == 1 else rows)
        return text.getvalue(), accept
    if accept == _NPY:
        packed = io.BytesIO()
        numpy.save(packed, prediction)
        return packed.getvalue(), accept
    raise ValueError(f"Content type {accept} is not supported by this framework: the program needs an output_fn.")


def load_program(path: Path) -> Any:
    """Import the user's program as a module, with its folder first on the path."""
    sys.path.insert(0, str(path.parent))
    return load_module(path, path.stem)


def load_module(path: Path, name: str) -> Any:
    """Import a file as a module of this name."""
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise ImportError(f"{path} is not a Python program")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


class Model:
    """The loaded model and the program's functions."""

    def __init__(self, module: Any, model_dir: str, defaults: Any = None) -> None:
        if not hasattr(module, "model_fn"):
            raise NotImplementedError("Please provide a model_fn implementation.")
        self._whole: Callable[[Any, Body, str, str], Any] | None = getattr(module, "transform_fn", None)
        if self._whole is not None and any(hasattr(module, f"{step}_fn") for step in ("input", "predict", "output")):
            raise ValueError("Cannot use transform_fn implementation with input_fn, predict_fn, and/or output_fn")
        self._input: Callable[[Body, str], Any] = _function("input_fn", module, defaults)
        self._predict: Callable[[Any, Any], Any] = _function("predict_fn", module, defaults)
        self._output: Callable[[Any, str], Any] = _function("output_fn", module, defaults)
        self._parameters: Callable[[], Any] | None = getattr(module, "execution_parameters_fn", None)
        self._model = module.model_fn(model_dir)

    def answer(self, body: bytes, content_type: str, accept: str) -> Answer:
        """Return the response to one request. Exceptions of the user's functions are passed on."""
        content = body.decode(errors="replace") if content_type in _TEXT_TYPES else body
        if self._whole is not None:
            return as_answer(self._whole(self._model, content, content_type, accept))
        prediction = self._predict(self._input(content, content_type), self._model)
        return as_answer(self._output(prediction, accept))

    def execution_parameters(self) -> Answer:
        """Return the model's execution parameters; 404 where the program has none."""
        return Answer(b"", "text/plain", 404) if self._parameters is None else as_answer(self._parameters())


def _function(name: str, module: Any, defaults: Any) -> Any:
    """Return a function of the program, of the image's own module, or of this one."""
    default = f"default_{name}"
    return getattr(module, name, None) or getattr(defaults, default, None) or globals()[default]


def as_answer(result: Any) -> Answer:
    """Convert the result of a function: any response that Flask accepts, or (body, content type).

    Raises:
        TypeError: it is neither.
    """
    if hasattr(result, "get_data"):
        return Answer(result.get_data(), result.content_type, result.status_code)
    body, content_type = result if isinstance(result, tuple) else (result, None)
    if isinstance(body, (dict, list)) and content_type is None:
        return Answer(json.dumps(body).encode(), _JSON)
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, (bytes, bytearray)):
        raise TypeError(f"a response must be text or bytes, alone or with its content type, not {type(body).__name__}")
    return Answer(bytes(body), str(content_type or "text/html"))


def make_handler(model: Model, algorithm: Any = None) -> type[BaseHTTPRequestHandler]:
    """Return the request handler class of a model, and of the image's own algorithm if that serves it."""
    default_type = getattr(algorithm, "DEFAULT_CONTENT_TYPE", _JSON)
    default_accept = os.environ.get(_DEFAULT_ACCEPT_VARIABLE, getattr(algorithm, "DEFAULT_ACCEPT", _JSON))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one write for each answer, so that Nagle's algorithm does not delay it

        def do_GET(self) -> None:
            if self.path == "/execution-parameters":
                self._send_result(model.execution_parameters)
            else:
                self._send(Answer(b"", "text/plain", 200 if self.path == "/ping" else 404))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path != "/invocations":
                self._send(Answer(b"", "text/plain", 404))
                return
            content_type = self.headers.get("Content-Type") or default_type
            accept = self.headers.get("Accept") or "*/*"
            self._send_result(
                lambda: model.answer(body, content_type, default_accept if accept == "*/*" else accept),
            )

        def _send_result(self, ask: Callable[[], Answer]) -> None:
            try:
                answer = ask()
            except Exception as error:  # noqa: BLE001 - any exception of the user's code is a 500, as in the container
                traceback.print_exc()
                answer = Answer(f"{type(error).__name__}: {error}".encode(), "text/plain", 500)
            self._send(answer)

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.send_header("Connection", "close")  # a kept connection would block the worker for all others
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            if not str(args[0]).startswith("GET "):
                # In one write, as several workers share one log.
                sys.stdout.write(f"{format % args}\n")
                sys.stdout.flush()

    return Handler


def serve(arguments: Arguments) -> None:
    """Load the model and answer requests until killed."""
    listener = socket.socket(fileno=arguments.listen_fd)  # a Unix socket
    # By a name that no module of the user's has, and without its folder on the path.
    defaults = None if arguments.defaults is None else load_module(arguments.defaults, "_defaults_of_the_image")
    own = arguments.program == arguments.defaults
    module = defaults if own else load_program(arguments.program)
    handler = make_handler(Model(module, arguments.model_dir, defaults), defaults if own else None)
    server = HTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.serve_forever(poll_interval=3600)


def serve_with_workers(arguments: Arguments) -> int:
    """Serve with one process for each worker; when one ends, all end. Return the exit status."""
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
    """Serve as the command line says; return the exit status."""
    parser = argparse.ArgumentParser(description="Serve a model on an inherited listening socket.")
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--model-dir", required=True)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--defaults", type=Path)
    arguments = Arguments(**vars(parser.parse_args()))
    if arguments.workers > 1:
        return serve_with_workers(arguments)
    serve(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
