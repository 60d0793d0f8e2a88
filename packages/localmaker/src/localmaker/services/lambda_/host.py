"""The program of a function's process: run calls of a local function, one after the other.

``python host.py <directory> <calls> <done>``: the numbers are descriptors. Each line from the first is a call, a JSON
object with the function and its event. For it, ``result.json`` is written in the directory, ``{"value": ...}`` or
``{"error": {"type", "message", "stack"}}``, and then a byte to the second. It needs only the standard library of Python
3.8 or later.
"""

import importlib
import importlib.util
import json
import logging
import os
import sys
import time
import traceback
from typing import Any, Dict  # noqa: UP035  any interpreter may run this


class Context:
    """The handler's second argument, with those of Lambda's attributes that mean something here."""

    def __init__(self, call: Dict[str, Any]) -> None:  # noqa: UP006
        self.function_name = call["name"]
        self.invoked_function_arn = call["arn"]
        self.function_version = call["version"]
        self.aws_request_id = call["request_id"]
        self.memory_limit_in_mb = str(call["memory_mb"])
        self.log_group_name = call["log_group"]
        self.log_stream_name = call["log_stream"]
        self._deadline = time.monotonic() + call["timeout_seconds"]

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function is killed."""
        return max(int((self._deadline - time.monotonic()) * 1000), 0)


def set_up_logging(request_id: str, handler: logging.Handler) -> None:
    """Let the handler of the root logger name the request, as Lambda's does."""
    formatter = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t" + request_id + "\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)


def load_module(path: str, root: str) -> Any:
    """Import a function's module as Lambda does: by its dotted name, from the root of its code."""
    sys.path.insert(0, root)
    name = os.path.splitext(os.path.relpath(path, root))[0].replace(os.sep, ".")  # noqa: PTH122  any interpreter may run this
    if "." in name or not os.path.isfile(path):  # noqa: PTH113
        return importlib.import_module(name)
    # The file may have the name of a module of the standard library.
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file: " + path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_modules: Dict[str, Any] = {}  # noqa: UP006


def call_function(call: Dict[str, Any]) -> Any:  # noqa: UP006
    """Import the function, unless an earlier call has done so, and call it."""
    if call["file"] not in _modules:
        _modules[call["file"]] = load_module(call["file"], call["root"])
    return getattr(_modules[call["file"]], call["attribute"])(call["event"], Context(call))


def run(call: Dict[str, Any], directory: str, handler: logging.Handler) -> None:  # noqa: UP006
    """Run a call, and write its result to a directory."""
    set_up_logging(call["request_id"], handler)
    try:
        text = json.dumps({"value": call_function(call)})
    except Exception as error:  # noqa: BLE001  whatever a handler raises is its answer
        print("[ERROR] " + type(error).__name__ + ": " + str(error), file=sys.stderr)
        traceback.print_exc()
        stack = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
        text = json.dumps({"error": {"type": type(error).__name__, "message": str(error), "stack": stack}})
    with open(os.path.join(directory, "result.json"), "w", encoding="utf-8") as file:  # noqa: PTH118, PTH123
        file.write(text)


def main(directory: str, calls: int, done: int) -> None:
    """Run calls until there are no more."""
    # As Lambda does: a function that sets the level sees its messages.
    handler = logging.StreamHandler(sys.stdout)
    logging.getLogger().addHandler(handler)
    for line in os.fdopen(calls, "rb"):
        run(json.loads(line), directory, handler)
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(done, b".")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
