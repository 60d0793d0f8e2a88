"""JSON text, read so that nothing after it has to reckon with what no JSON parser of a service takes."""

from __future__ import annotations

import json
from typing import Any

from pipedef.errors import DefinitionError

#: Levels of objects and lists. A definition of SageMaker's has about fifteen; the checks walk down them one by one.
MOST_LEVELS = 200
HINT = "It has to be the JSON text that CreatePipeline takes."


def parse_json(text: str, source: str) -> Any:
    """The value that a text holds.

    Raises:
        DefinitionError: it is no JSON, gives a member twice, has half a character in it, or is nested without end.
    """
    try:
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_no_number)
    except RecursionError as error:
        raise _too_deep(source) from error
    except ValueError as error:
        raise DefinitionError(f"{source} is no JSON: {error}", hint=HINT) from error
    if _levels(value) > MOST_LEVELS:
        raise _too_deep(source)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start : error.start + 1]
        raise DefinitionError(
            f"{source} is no JSON: {half.encode('ascii', 'backslashreplace').decode()} is half a character.", hint=HINT
        ) from error
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has two members named {twice!a}, of which one would count")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON's")


def _levels(value: Any) -> int:
    """How deep objects and lists stand in each other."""
    count, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        count += 1
        level = [item for outer in level for item in (outer.values() if isinstance(outer, dict) else outer)]
    return count


def _too_deep(source: str) -> DefinitionError:
    return DefinitionError(
        f"{source} has objects and lists in more than {MOST_LEVELS} levels of each other.",
        hint=HINT,
    )
