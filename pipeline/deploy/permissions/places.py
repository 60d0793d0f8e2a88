"""S3 locations that a compiled definition names: what its steps read and write, as far as it is known beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_SCHEME = "s3://"
#: Members of a request below which a job writes; a script does what it likes with what it is told.
_WRITTEN = ("Output", "Checkpoint", "DataCapture", "ContainerArguments")
_TOLD = "ContainerArguments"


@dataclass(frozen=True, order=True)
class Place:
    """Objects of a bucket.

    Attributes:
        bucket: its name.
        keys: pattern of the keys, such as ``runs/*``.
        written: whether something is written there, and not only read.
    """

    bucket: str
    keys: str
    written: bool


def places_of(steps: Iterable[Mapping[str, Any]]) -> frozenset[Place]:
    """Every place that the arguments of steps name."""
    return frozenset(place for step in steps for place in _places(step.get("Arguments"), ()))


def _places(value: Any, path: tuple[str, ...]) -> Iterator[Place]:
    text = _beginning(value)
    if text is not None:
        # Where a variable comes first, or in the bucket's name, nobody knows which bucket it is.
        if text.startswith(_SCHEME) and (isinstance(value, str) or "/" in text.removeprefix(_SCHEME)):
            yield _place(text, path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            # The steps of a condition's branches are steps themselves.
            if key not in {"IfSteps", "ElseSteps"}:
                yield from _places(item, (*path, key))
    elif isinstance(value, list):
        for item in value:
            yield from _places(item, path)


def _beginning(value: Any) -> str | None:
    """A text, or what is known of the beginning of a joined one; None for what is no text."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping) or "Std:Join" not in value:
        return None
    body = value["Std:Join"]
    pieces = body.get("Values") if isinstance(body, Mapping) else None
    if not isinstance(body, Mapping) or not isinstance(pieces, list):
        return None
    text, between = "", str(body.get("On", ""))
    for piece in pieces:
        if not isinstance(piece, str):
            return text
        text += f"{piece}{between}"
    return text.removesuffix(between)


def _place(uri: str, path: tuple[str, ...]) -> Place:
    bucket, _, key = uri.removeprefix(_SCHEME).partition("/")
    folder, slash, _ = key.partition("/")
    # A URI is what keys begin with; scripts are told folders.
    keys = f"{folder}/*" if slash or (key and _TOLD in path) else f"{key}*"
    return Place(bucket, keys, any(part in word for word in path for part in _WRITTEN))
