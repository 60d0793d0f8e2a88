"""IAM policy documents: written, and two of them compared by what they grant, however they are written."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

EVENTBRIDGE = {"Service": "events.amazonaws.com"}
CLOUDWATCH = {"Service": "cloudwatch.amazonaws.com"}
_READ = frozenset({"Sid", "Effect", "Principal", "Action", "Resource", "Condition"})


def document(statements: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": [dict(statement) for statement in statements]}


def allow(actions: str, resources: Iterable[str], **more: Any) -> dict[str, Any]:
    """Return one statement; actions and resources sorted, so that the same grant is always the same text.

    ``actions`` are those of one service, such as ``s3:GetObject PutObject``.
    """
    service, _, names = actions.partition(":")
    allowed = sorted(f"{service}:{name}" for name in names.split())
    return {"Effect": "Allow", "Action": allowed, "Resource": sorted(resources), **more}


def allow_principal(principal: Mapping[str, str], action: str, **more: Any) -> dict[str, Any]:
    """Return one statement of a trust policy, or of a policy that belongs to a resource."""
    return {"Effect": "Allow", "Principal": dict(principal), "Action": action, **more}


def merged(statements: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Join statements on the same resources, under the same condition: a role's inline policies have a size limit."""
    together: dict[str, dict[str, Any]] = {}
    for statement in statements:
        rest = {key: value for key, value in statement.items() if key != "Action"}
        same = together.setdefault(json.dumps(rest, sort_keys=True), {**statement, "Action": []})
        same["Action"] = sorted({*same["Action"], *statement["Action"]})
    return list(together.values())


@dataclass(frozen=True)
class Grant:
    """One action on one resource; ``action`` or ``resource`` hold several where they are shown together."""

    effect: str
    principal: str
    action: str
    resource: str
    condition: str

    def __str__(self) -> str:
        rest = {"by": self.principal, "on": self.resource, "if": self.condition}
        return " ".join([self.effect, self.action, *(f"{word} {value}" for word, value in rest.items() if value)])


def statements_of(value: Any) -> list[Mapping[str, Any]] | None:
    """Return the statements of a policy or of a list of statements; None for what is neither. No policy has none."""
    if value is None:
        return []
    found = value.get("Statement") if isinstance(value, Mapping) else value
    # A single statement may come without a list around it.
    found = [found] if isinstance(found, Mapping) else found
    if not isinstance(found, list) or not all(isinstance(item, Mapping) and "Effect" in item for item in found):
        return None
    return found


def policy_changes(current: Any, desired: Any) -> list[str]:
    """Return lines with what is no longer granted (``-``) and what is granted in addition (``+``)."""
    before, after = (set(_grants(statements_of(value) or [])) for value in (current, desired))
    return [
        *(f"- {grant}" for grant in _together(before - after)),
        *(f"+ {grant}" for grant in _together(after - before)),
    ] or ["the same grants, written differently"]


def _grants(statements: Iterable[Mapping[str, Any]]) -> Iterator[Grant]:
    for statement in statements:
        # NotAction, NotResource and NotPrincipal are shown as they are written.
        excluded = {key: value for key, value in statement.items() if key == "NotPrincipal"}
        principal = _text(statement.get("Principal")) or _text(excluded)
        rest = _text({key: value for key, value in statement.items() if key not in _READ | excluded.keys()})
        condition = _text(statement.get("Condition"))
        actions = _listed(statement.get("Action"))
        for action in actions or [rest]:
            for resource in _listed(statement.get("Resource")) or [rest if actions else ""]:
                yield Grant(str(statement["Effect"]), principal, action, resource, condition)


def _together(grants: Iterable[Grant]) -> list[Grant]:
    """Join actions on the same resource, then resources of the same actions."""
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
