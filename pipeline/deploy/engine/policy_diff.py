"""Two policies compared by what they grant: action, resource, principal, condition, however they are written down."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

_READ = frozenset({"Sid", "Effect", "Principal", "Action", "Resource", "Condition"})


@dataclass(frozen=True)
class Grant:
    """One action on one resource; ``action`` or ``resource`` hold several where they are shown together."""

    effect: str
    principal: str
    action: str
    resource: str
    condition: str

    def __str__(self) -> str:
        parts = [self.effect, self.action]
        parts += [f"by {self.principal}"] if self.principal else []
        parts += [f"on {self.resource}"] if self.resource else []
        parts += [f"if {self.condition}"] if self.condition else []
        return " ".join(parts)


def statements_of(value: Any) -> list[Mapping[str, Any]] | None:
    """The statements of a policy, or of a list of statements; None for what is neither. No policy has none."""
    if value is None:
        return []
    found = value.get("Statement") if isinstance(value, Mapping) else value
    if isinstance(found, Mapping):
        found = [found]
    if not isinstance(found, list) or not all(isinstance(item, Mapping) and "Effect" in item for item in found):
        return None
    return found


def policy_changes(current: Any, desired: Any) -> list[str]:
    """Lines with what is not granted any more (``-``) and what is granted in addition (``+``)."""
    before, after = (set(_grants(statements_of(value) or [])) for value in (current, desired))
    return [
        *(f"- {grant}" for grant in _together(before - after)),
        *(f"+ {grant}" for grant in _together(after - before)),
    ] or ["the same grants, written in another way"]


def _grants(statements: Iterable[Mapping[str, Any]]) -> Iterator[Grant]:
    for statement in statements:
        # What is said of everything but … is shown as it is written.
        rest = {key: value for key, value in statement.items() if key not in _READ}
        everybody_but = {key: value for key, value in rest.items() if key == "NotPrincipal"}
        principal = _text(statement.get("Principal")) or _text(everybody_but)
        rest = {key: value for key, value in rest.items() if key not in everybody_but}
        condition = _text(statement.get("Condition"))
        actions = _listed(statement.get("Action"))
        for action in actions or [_text(rest)]:
            for resource in _listed(statement.get("Resource")) or [_text(rest) if actions else ""]:
                yield Grant(str(statement["Effect"]), principal, action, resource, condition)


def _together(grants: Iterable[Grant]) -> list[Grant]:
    """Actions on the same resource as one, then resources of the same actions."""
    return _joined(_joined(grants, "action"), "resource")


def _joined(grants: Iterable[Grant], member: str) -> list[Grant]:
    groups: dict[Grant, list[str]] = defaultdict(list)
    for grant in grants:
        groups[replace(grant, **{member: ""})].append(getattr(grant, member))
    found = [replace(grant, **{member: ", ".join(sorted(values))}) for grant, values in groups.items()]
    return sorted(found, key=str)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value or []]


def _text(value: Any) -> str:
    return "" if not value else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
