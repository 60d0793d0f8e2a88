"""The exported object: the content of model.json as plain Python data.

A dictionary of ``dict``, ``list``, ``str``, ``int``, ``float``, ``bool`` and ``None``, and nothing else. So its pickle
names no class and no function, needs no library to be read, and reads the same with every version of numpy and
scikit-learn. docs/exports.md describes each key.
"""

from __future__ import annotations

import json
from typing import Any

from analysis.model.artefact import LinearModel, model_from_json
from analysis.runtime.errors import ModelError
from scripts.lib.errors import ExportRefusedError

Document = dict[str, Any]

_MOST_VALUES = 100_000
"""A model of all 29 columns has about 1,100. A pickle of a few bytes can refer to one list so often, or to itself, that
it unfolds without end."""


def document_of(model: LinearModel, source: str, archive_sha256: str | None) -> Document:
    """The exported object.

    Args:
        model: to export.
        source: where it comes from, as a person would write it.
        archive_sha256: of its model.tar.gz; None for a model that was never packed.
    """
    document: Document = json.loads(model.to_json())
    return {**document, "export": {"source": source, "archive_sha256": archive_sha256}}


def model_of(document: object, source: str) -> LinearModel:
    """The model that an exported object holds.

    Args:
        document: as loaded; may be anything that the allow-list lets through.
        source: file name for messages.

    Raises:
        ExportRefusedError: it is no exported model, or unfolds to more than any model has.
    """
    if not isinstance(document, dict):
        raise ExportRefusedError(f"{source} holds a {type(document).__name__}, not an exported model.", _MAKE_ANEW)
    _check_size(document, source)
    try:
        # Floats survive the way through JSON bit for bit, and all checks of model.json apply.
        return model_from_json(json.dumps(document, allow_nan=False), source=source)
    except (ModelError, ValueError, TypeError, RecursionError) as error:
        raise ExportRefusedError(f"{source} holds no exported model: {error}", _MAKE_ANEW) from error


_MAKE_ANEW = "Write it anew: python scripts/export_model.py --help"


def _check_size(document: Document, source: str) -> None:
    waiting: list[object] = [document]
    seen = 0
    while waiting:
        value = waiting.pop()
        seen += 1
        inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        if seen + len(waiting) + len(inner) > _MOST_VALUES:
            raise ExportRefusedError(f"{source} unfolds to more than {_MOST_VALUES:,} values.", _MAKE_ANEW)
        waiting.extend(inner)
