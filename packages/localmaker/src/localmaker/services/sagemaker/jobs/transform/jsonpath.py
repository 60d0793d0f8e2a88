"""The JSONPath operators that batch transform supports, and no others.

===================== ==============================================================================================
``$``                 the root; every path begins with it
``.name``             a child
``.*``, ``[*]``       all children, as a list
``['a','b']``         a child; several: an object of them. A dot may precede the bracket
``[0]``, ``[0,-1]``   an element, negative from the end; several: a list of them
``[2:5]``             a slice; mixes with indexes: ``[0,5:]``. As SageMaker's guide describes it, the end is included
                      ("0:2 specifies the first three columns"), which differs from Python and from other JSONPaths
===================== ==============================================================================================

Source: Amazon SageMaker developer guide, "Associate Prediction Results with Input Records", Supported JSONPath
Operators.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from localmaker.errors import LocalmakerError

_NAME = re.compile(r"\.([A-Za-z_][\w-]*)")
_WILDCARD = re.compile(r"\.\*|\[\s*\*\s*\]")
_NAMES = re.compile(r"\[\s*('[^']*'(?:\s*,\s*'[^']*')*)\s*\]")
_INDEXES = re.compile(r"\[\s*(-?\d*\s*:?\s*-?\d*(?:\s*,\s*-?\d*\s*:?\s*-?\d*)*)\s*\]")
_INDEX = re.compile(r"(-?\d+)")
_SLICE = re.compile(r"(-?\d+)?\s*:\s*(-?\d+)?")

_Step = Callable[[Any], Any]


class JsonPathError(LocalmakerError):
    """A path uses an unknown operator, or a value does not have what the path asks for."""


@dataclass(frozen=True)
class JsonPath:
    """A parsed path.

    Attributes:
        text: the path as written.
        steps: the functions of its operators.
    """

    text: str
    steps: Sequence[_Step]

    @property
    def is_root(self) -> bool:
        """The path selects everything."""
        return not self.steps

    def select(self, value: Any) -> Any:
        """Return what the path selects.

        Raises:
            JsonPathError: the value has no such child or element.
        """
        try:
            for step in self.steps:
                value = step(value)
        except (KeyError, IndexError, TypeError) as error:
            raise JsonPathError(f'the path "{self.text}" does not fit the record: {error}') from error
        return value


def parse(text: str) -> JsonPath:
    """Parse a path.

    Raises:
        JsonPathError: it has an operator that batch transform does not support.
    """
    if not text.startswith("$"):
        raise JsonPathError(f'the path "{text}" does not begin with "$"')
    steps: list[_Step] = []
    position = 1
    while position < len(text):
        step, position = _parse_step(text, position)
        steps.append(step)
    return JsonPath(text, tuple(steps))


def _parse_step(text: str, position: int) -> tuple[_Step, int]:
    if text.startswith(".[", position):
        position += 1
    if match := _WILDCARD.match(text, position):
        return _children, match.end()
    if match := _NAME.match(text, position):
        return _child(match[1]), match.end()
    if match := _NAMES.match(text, position):
        names = re.findall(r"'([^']*)'", match[1])
        return (_child(names[0]) if len(names) == 1 else _some_children(names)), match.end()
    if match := _INDEXES.match(text, position):
        parts = [part.strip() for part in match[1].split(",")]
        if all(_INDEX.fullmatch(part) or _SLICE.fullmatch(part) for part in parts):
            return _elements(parts), match.end()
    raise JsonPathError(
        f'the path "{text}" has an unknown operator at "{text[position:]}"; batch transform supports '
        "$, .name, *, ['name'], [number] and [start:end]"
    )


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value
    raise TypeError("* needs an object or a list")


def _child(name: str) -> _Step:
    def step(value: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError(f"{name!r} needs an object; columns of CSV have numbers, like $[0]")
        if name not in value:
            raise KeyError(name)
        return value[name]

    return step


def _some_children(names: Sequence[str]) -> _Step:
    return lambda value: {name: _child(name)(value) for name in names}


def _elements(parts: Sequence[str]) -> _Step:
    def step(value: Any) -> Any:
        if not isinstance(value, list):
            raise TypeError(f"[{','.join(parts)}] needs a list")
        if len(parts) == 1 and _INDEX.fullmatch(parts[0]):
            return _element(value, int(parts[0]))
        chosen: list[Any] = []
        for part in parts:
            if _INDEX.fullmatch(part):
                chosen.append(_element(value, int(part)))
            else:
                chosen += _slice(value, part)
        return chosen

    return step


def _element(value: list[Any], index: int) -> Any:
    if not -len(value) <= index < len(value):
        raise IndexError(f"there is no element {index} among {len(value)}")
    return value[index]


def _slice(value: list[Any], part: str) -> list[Any]:
    start, end = (int(number) if number.strip() else None for number in part.split(":"))
    # The end is inclusive, so -1 is the last element and means no end.
    return value[start : None if end in (None, -1) else end + 1]
