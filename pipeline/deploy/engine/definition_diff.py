"""Compare two definitions as people think of them: parameter by parameter, step by step, argument by argument."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: Keys that name the items of a list, so that an item that moved is still the same item.
_IDENTITIES = ("Name", "InputName", "OutputName", "ChannelName", "PropertyFileName", "Key", "Id")
_BRANCHES = ("IfSteps", "ElseSteps")
#: Characters shown before the first difference of two long texts.
_CONTEXT = 20


class _Absent:
    """Stands where there is nothing, which is not the same as null."""

    def __repr__(self) -> str:
        return "(nothing)"


ABSENT = _Absent()


@dataclass(frozen=True)
class DefinitionChange:
    """One argument that differs.

    Attributes:
        subject: ``step Train``, ``parameter Profile`` or ``pipeline``.
        argument: path inside it, such as ``ResourceConfig.VolumeSizeInGB``; empty where the whole came or went.
        current: as it is; :data:`ABSENT` for what is new.
        desired: as it should be; :data:`ABSENT` for what goes.
    """

    subject: str
    argument: str
    current: Any
    desired: Any

    def __str__(self) -> str:
        return self.shown(None)

    def shown(self, longest: int | None) -> str:
        """Return one line, with values cut to a length."""
        where = f"{self.subject}: {self.argument}" if self.argument else self.subject
        if self.current is ABSENT:
            return f"+ {where}" + (f" = {shortened(readable(self.desired), longest)}" if self.argument else "")
        if self.desired is ABSENT:
            return f"- {where}" + (f" (was {shortened(readable(self.current), longest)})" if self.argument else "")
        before, after = both_shortened(readable(self.current), readable(self.desired), longest)
        return f"~ {where}: {before} → {after}"


def definition_changes(current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[DefinitionChange]:
    """Return what differs, in the order of the desired definition; what goes comes last of its kind."""
    rest_current = {key: value for key, value in current.items() if key not in {"Parameters", "Steps"}}
    rest_desired = {key: value for key, value in desired.items() if key not in {"Parameters", "Steps"}}
    return [
        *(DefinitionChange("pipeline", *found) for found in compare("", rest_current, rest_desired)),
        *_subjects("parameter", _by_name(current.get("Parameters", [])), _by_name(desired.get("Parameters", []))),
        *_subjects("step", dict(_flat(current.get("Steps", []))), dict(_flat(desired.get("Steps", [])))),
    ]


def _by_name(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {item["Name"]: {key: value for key, value in item.items() if key != "Name"} for item in items}


def _flat(steps: list[dict[str, Any]], under: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each step without the steps inside it; the branch that it is in is one of its fields."""
    for step in steps:
        arguments = step.get("Arguments") or {}
        own = {key: value for key, value in arguments.items() if key not in _BRANCHES}
        rest = {key: value for key, value in step.items() if key not in {"Name", "Arguments"}}
        yield step["Name"], {**rest, **({"In branch": under} if under else {}), **own}
        for branch in _BRANCHES:
            yield from _flat(arguments.get(branch, []), f"{step['Name']}.{branch}")


def _subjects(kind: str, current: Mapping[str, Any], desired: Mapping[str, Any]) -> Iterator[DefinitionChange]:
    for name, wanted in desired.items():
        changes = compare("", current[name], wanted) if name in current else [("", ABSENT, wanted)]
        yield from (DefinitionChange(f"{kind} {name}", *found) for found in changes)
    for name in [name for name in current if name not in desired]:
        yield DefinitionChange(f"{kind} {name}", "", current[name], ABSENT)


def compare(path: str, current: Any, desired: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, current, desired) of everything below two values that differs."""
    if current == desired:
        return
    mine, theirs = _as_mapping(desired), _as_mapping(current)
    if mine is None or theirs is None:
        yield path, current, desired
        return
    for key in [*mine, *(key for key in theirs if key not in mine)]:
        below = f"{path}.{key}" if path else key
        yield from compare(below, theirs.get(key, ABSENT), mine.get(key, ABSENT))


def _as_mapping(value: Any) -> Mapping[str, Any] | None:
    """Return mappings as they are, lists of named items and command lines by name; None for what is compared whole."""
    if isinstance(value, Mapping):
        return None if _is_expression(value) else value
    return (_named_items(value) or _flags(value)) if isinstance(value, list) and value else None


def _named_items(items: list[Any]) -> dict[str, Any] | None:
    for identity in _IDENTITIES:
        if all(isinstance(item, Mapping) and isinstance(item.get(identity), str) for item in items):
            named = {item[identity]: _rest(item, identity) for item in items}
            return named if len(named) == len(items) else None
    return None


def _rest(item: Mapping[str, Any], identity: str) -> Any:
    """Return an item without what names it; of a tag that is its value."""
    rest = {key: value for key, value in item.items() if key != identity}
    return rest["Value"] if identity == "Key" and rest.keys() == {"Value"} else rest


def _flags(words: list[Any]) -> dict[str, Any] | None:
    """Return ``["--a", x, "--b", y]`` by flag; None for a list that is no such command line."""
    flags, values = words[::2], words[1::2]
    if len(flags) != len(values) or not all(isinstance(flag, str) and flag.startswith("--") for flag in flags):
        return None
    return dict(zip(flags, values, strict=True)) if len(set(flags)) == len(flags) else None


def _is_expression(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)) in {"Get", "Std:Join", "Std:JsonGet"}


def readable(value: Any) -> str:
    """Write a value of a definition briefly: pipeline variables as ``{Parameters.InputKey}``."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    text = _expression(value)
    return f'"{text}"' if text is not None else json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)


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


def _expression(value: Any) -> str | None:
    if not isinstance(value, Mapping) or not _is_expression(value):
        return None
    (kind, content), *_ = value.items()
    if kind == "Get":
        return f"{{{content}}}"
    if kind == "Std:JsonGet":
        file = str(content.get("PropertyFile", {}).get("Get", "")).removeprefix("Steps.").replace("PropertyFiles.", "")
        return f"{{{file}:{content.get('Path')}}}"
    parts = (part if isinstance(part, str) else _expression(part) or json.dumps(part) for part in content["Values"])
    return str(content.get("On", "")).join(parts)
