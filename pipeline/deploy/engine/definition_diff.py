"""Compare two definitions as people think of them: parameter by parameter, step by step, argument by argument."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipedef.document.definition import BRANCHES
from pipedef.language.expressions import is_expression

#: Keys that name the items of a list, so that an item that moved is still the same item.
_IDENTITIES = ("Name", "InputName", "OutputName", "ChannelName", "PropertyFileName", "Key", "Id")
#: What a definition consists of, in the order in which it is shown.
_KINDS = ("pipeline", "parameter", "step")
#: Characters shown before the first difference of two long texts.
_CONTEXT = 20
#: A value that is missing, which is not the same as null.
ABSENT: Any = object()


def definition_changes(current: Mapping[str, Any], desired: Mapping[str, Any], longest: int | None = None) -> list[str]:
    """Return a line for each argument that differs, in the desired order; what goes comes last of its kind."""
    before, after = _subjects(current), _subjects(desired)
    subjects = [*after, *(subject for subject in before if subject not in after)]
    return [
        _line(subject, *found, longest)
        for subject in sorted(subjects, key=lambda subject: _KINDS.index(subject.partition(" ")[0]))
        for found in compare("", before.get(subject, ABSENT), after.get(subject, ABSENT))
    ]


def _subjects(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a definition consists of: ``pipeline``, each ``parameter Profile``, each ``step Train``."""
    rest = {key: value for key, value in definition.items() if key not in {"Parameters", "Steps"}}
    parameters = {f"parameter {item['Name']}": _without(item, "Name") for item in definition.get("Parameters", [])}
    return {"pipeline": rest, **parameters, **dict(_steps(definition.get("Steps", [])))}


def _steps(steps: list[dict[str, Any]], under: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each step without the steps inside it; the branch that it is in is one of its fields."""
    for step in steps:
        arguments = step.get("Arguments") or {}
        branch = {"In branch": under} if under else {}
        yield (
            f"step {step['Name']}",
            {**_without(step, "Name", "Arguments"), **branch, **_without(arguments, *BRANCHES)},
        )
        for name in BRANCHES:
            yield from _steps(arguments.get(name, []), f"{step['Name']}.{name}")


def _without(item: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in keys}


def _line(subject: str, argument: str, current: Any, desired: Any, longest: int | None) -> str:
    where = f"{subject}: {argument}" if argument else subject
    if current is ABSENT:
        return f"+ {where}" + (f" = {shortened(readable(desired), longest)}" if argument else "")
    if desired is ABSENT:
        return f"- {where}" + (f" (was {shortened(readable(current), longest)})" if argument else "")
    return f"~ {where}: {both_sides(current, desired, longest)}"


def compare(path: str, current: Any, desired: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, current, desired) of everything below two values that differs."""
    if current == desired:
        return
    ours, theirs = _as_mapping(desired), _as_mapping(current)
    if ours is None or theirs is None:
        yield path, current, desired
        return
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        below = f"{path}.{key}" if path else key
        yield from compare(below, theirs.get(key, ABSENT), ours.get(key, ABSENT))


def _as_mapping(value: Any) -> Mapping[str, Any] | None:
    """Return mappings as they are, lists of named items and command lines by name; None for what is compared whole."""
    if isinstance(value, Mapping):
        return None if is_expression(value) else value
    return (_named_items(value) or _flags(value)) if isinstance(value, list) and value else None


def _named_items(items: list[Any]) -> dict[str, Any] | None:
    for identity in _IDENTITIES:
        if all(isinstance(item, Mapping) and isinstance(item.get(identity), str) for item in items):
            named = {item[identity]: _rest(item, identity) for item in items}
            return named if len(named) == len(items) else None
    return None


def _rest(item: Mapping[str, Any], identity: str) -> Any:
    """Return an item without what names it; of a tag that is its value."""
    rest = _without(item, identity)
    return rest["Value"] if identity == "Key" and rest.keys() == {"Value"} else rest


def _flags(words: list[Any]) -> dict[str, Any] | None:
    """Return ``["--a", x, "--b", y]`` by flag; None for any other list."""
    flags, values = words[::2], words[1::2]
    if len(flags) != len(values) or not all(isinstance(flag, str) and flag.startswith("--") for flag in flags):
        return None
    return dict(zip(flags, values, strict=True)) if len(set(flags)) == len(flags) else None


def readable(value: Any) -> str:
    """Write a value of a definition briefly: pipeline variables as ``{Parameters.InputKey}``."""
    if value is ABSENT:
        return "(nothing)"
    text = _expression(value)
    return f'"{text}"' if text is not None else json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)


def _expression(value: Any) -> str | None:
    if not is_expression(value):
        return None
    (kind, content), *_ = value.items()
    if kind == "Get":
        return f"{{{content}}}"
    if kind == "Std:JsonGet":
        file = str(content.get("PropertyFile", {}).get("Get", "")).removeprefix("Steps.").replace("PropertyFiles.", "")
        return f"{{{file}:{content.get('Path')}}}"
    parts = (part if isinstance(part, str) else _expression(part) or json.dumps(part) for part in content["Values"])
    return str(content.get("On", "")).join(parts)


def both_sides(current: Any, desired: Any, longest: int | None) -> str:
    """Write both sides of an arrow, neither so long that it pushes the other out of sight."""
    return " → ".join(both_shortened(readable(current), readable(desired), longest))


def shortened(text: str, longest: int | None) -> str:
    """Cut a text at its end; None cuts nothing."""
    return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"


def both_shortened(before: str, after: str, longest: int | None) -> tuple[str, str]:
    """Cut two texts so that what differs stays visible: a long common beginning is cut first."""
    if longest is None or max(len(before), len(after)) <= longest:
        return before, after
    pairs = enumerate(zip(before, after, strict=False))
    alike = next((index for index, (one, other) in pairs if one != other), 0) - _CONTEXT
    if alike > 0:
        before, after = f"…{before[alike:]}", f"…{after[alike:]}"
    return shortened(before, longest), shortened(after, longest)
