"""Serve a SavedModel as AWS's TensorFlow containers do: the predict method of TensorFlow Serving's REST API.

A module for the model server, which runs in the sandbox of a transform job, in the image's environment. Not here:
programs of the user's (``input_handler``, ``output_handler``), other methods, ``b64`` values, several models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

DEFAULT_CONTENT_TYPE = DEFAULT_ACCEPT = "application/json"
_JSON = ("application/json", "application/jsonlines", "application/jsons")
_BAD_REQUEST, _UNSUPPORTED = 400, 415


@dataclass(frozen=True)
class Response:
    """What the model server takes as the response of a web framework."""

    content: Mapping[str, Any]
    status_code: int = 200
    content_type: str = "application/json"

    def get_data(self) -> bytes:
        """Return the body."""
        return json.dumps(self.content).encode()


def model_fn(model_dir: str) -> Any:
    """Load the SavedModel of the highest version; its folder's name is the version.

    Raises:
        RuntimeError: there is none, or a program of the user's would have to answer requests.
    """
    if Path(model_dir, "code", "inference.py").exists():
        raise RuntimeError(
            "the model has a program code/inference.py for TensorFlow's serving container (input_handler, "
            "output_handler or handler); the local endpoint serves SavedModels without one"
        )
    found = [path.parent for path in Path(model_dir).rglob("saved_model.pb") if path.parent.name.isdigit()]
    if not found:
        raise RuntimeError(f"no SavedModel bundle found: there is no <version>/saved_model.pb in {model_dir}")
    return tf.saved_model.load(str(max(found, key=lambda folder: int(folder.name))))


def transform_fn(model: Any, body: str | bytes, content_type: str, accept: str) -> Response:  # noqa: ARG001 - JSON, always
    """Answer one request with ``predictions``, one for each row, or with ``outputs``."""
    text, kind = body.decode() if isinstance(body, bytes) else body, content_type.partition(";")[0].strip()
    if kind != "text/csv" and kind not in _JSON:
        return Response({"error": f"Unsupported Media Type: {content_type or 'Unknown'}"}, _UNSUPPORTED)
    try:
        return Response(_predict(model, _from_csv(text) if kind == "text/csv" else _from_json(text)))
    except Exception as error:  # noqa: BLE001 - whatever the model or the body is wrong with, as in the container
        return Response({"error": f"{type(error).__name__}: {error}"}, _BAD_REQUEST)


def _from_csv(text: str) -> Mapping[str, Any]:
    """Return the rows; a value that is no number is text, and a row of one column is that value."""
    rows = [[_value(part) for part in line.split(",")] for line in text.splitlines() if line.strip()]
    return {"instances": [row if len(row) > 1 else row[0] for row in rows]}


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text.strip().strip('"')


def _from_json(text: str) -> Mapping[str, Any]:
    """Return what TensorFlow Serving takes, from that, a list of rows, one row, or one of either on each line."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        return {"instances": [json.loads(line) for line in text.splitlines() if line.strip()]}
    if isinstance(content, dict) and content.keys() & {"instances", "inputs"}:
        return content
    rows = isinstance(content, list) and bool(content) and isinstance(content[0], list)
    return {"instances": content if rows else [content]}


def _predict(model: Any, request: Mapping[str, Any]) -> Mapping[str, Any]:
    signature = model.signatures[request.get("signature_name", "serving_default")]
    wanted = signature.structured_input_signature[1]
    by_row = "instances" in request
    given = _columns(request["instances"], wanted) if by_row else request["inputs"]
    if not (isinstance(given, dict) and given.keys() == wanted.keys()):
        given = {next(iter(wanted)): given}
    found = signature(**{name: tf.constant(given[name], dtype=spec.dtype) for name, spec in wanted.items()})
    outputs = {name: _plain(tensor) for name, tensor in found.items()}
    if not by_row:
        return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}
    if len(outputs) == 1:
        return {"predictions": next(iter(outputs.values()))}
    return {"predictions": [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]}


def _columns(rows: list[Any], wanted: Mapping[str, Any]) -> Any:
    """Return rows that name their values as one list for each name, others as they are."""
    if rows and isinstance(rows[0], dict):
        return {name: [row[name] for row in rows] for name in wanted}
    return rows


def _plain(tensor: Any) -> Any:
    values = tensor.numpy()
    return values.astype(str).tolist() if tensor.dtype == tf.string else values.tolist()
