"""Strict JSON: what a service's parser refuses is refused here, so that no check has to expect it."""

from __future__ import annotations

import json
from typing import Any

from pipedef.errors import DefinitionError

#: Nested objects and lists. A definition has about fifteen levels; the checks recurse into them.
MAX_LEVELS = 200
HINT = "Give the JSON text that CreatePipeline takes."


def parse_json(text: str, source: str) -> Any:
    """Parse a text.

    Raises:
        DefinitionError: it is not JSON, gives a member twice, has an unpaired surrogate, or is nested too deeply.
    """
    try:
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise _too_deep(source) from error
    except ValueError as error:
        raise DefinitionError(f"{source} is not JSON: {error}", hint=HINT) from error
    if _levels(value) > MAX_LEVELS:
        raise _too_deep(source)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start : error.start + 1]
        raise DefinitionError(
            f"{source} is not JSON: {half.encode('ascii', 'backslashreplace').decode()} is an unpaired surrogate.",
            hint=HINT,
        ) from error
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has two members named {twice!a}")
    return found


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number in JSON")


def _levels(value: Any) -> int:
    """Return how deeply objects and lists are nested."""
    count, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        count += 1
        level = [item for outer in level for item in (outer.values() if isinstance(outer, dict) else outer)]
    return count


def _too_deep(source: str) -> DefinitionError:
    return DefinitionError(
        f"{source} is nested more than {MAX_LEVELS} levels deep.",
        hint=HINT,
    )
