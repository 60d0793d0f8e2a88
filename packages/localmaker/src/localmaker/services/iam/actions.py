"""The IAM actions and resources that an operation needs.

::

    required_calls("s3", "HeadObject", {"Bucket": "raw", "Key": "day.csv"}, caller)
    # [Call("s3:GetObject", "arn:aws:s3:::raw/day.csv")]

The table is ``actions.toml``. An operation of a service that is not in it needs ``service:Operation`` on ``*``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jmespath

from localmaker.services.iam.evaluation import Call

_TABLE = Path(__file__).with_name("actions.toml")
_EXPRESSION = re.compile(r"\{([^{}]*)\}")
_TAGS = ("Tags", "tags")
_QUEUE_URL = "QueueUrl"


@dataclass(frozen=True)
class Location:
    """Region and account of a call."""

    region: str
    account: str


@dataclass(frozen=True)
class Service:
    """One section of the table."""

    prefix: str
    arn: str = ""
    default: tuple[str, ...] = ("*",)
    tag: str = ""
    passes: tuple[str, ...] = ()
    passed_to: str = ""
    operations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def required(self, operation: str, request: Mapping[str, Any], location: Location) -> list[tuple[str, str]]:
        """Return the actions and resource patterns that an operation needs, without those for tags and roles."""
        variants = [name for name in self.operations if name.partition("?")[0] == operation and "?" in name]
        chosen = next((name for name in variants if request.get(name.partition("?")[2])), operation)
        rows = list(self.operations.get(chosen, ()))
        if chosen not in self.operations:
            rows = [f"{self.prefix}:{operation} {self._default(request, location)}"]
        for name, more in self.operations.items():
            base, _, parameter = name.partition("+")
            if base == operation and parameter and request.get(parameter):
                rows += more
        return [(action, resource) for action, _, resource in (row.partition(" ") for row in rows)]

    def _default(self, request: Mapping[str, Any], location: Location) -> str:
        return next((one for one in self.default if list(_resources(one, request, location, self.arn))), "*")


def required_calls(service: str, operation: str, request: Mapping[str, Any], location: Location) -> list[Call]:
    """Return the calls that an operation needs permission for.

    Args:
        service: botocore's name.
        operation: as the service model spells it.
        request: its parameters in botocore's terms, as far as known.
        location: region and account of the call.
    """
    known = table().get(service) or Service(prefix=service)
    request = _completed(request)
    calls = [
        Call(action, resource)
        for action, pattern in known.required(operation, request, location)
        for resource in _resources(pattern, request, location, known.arn)
    ]
    if known.tag and any(request.get(name) for name in _TAGS) and not operation.startswith(("Tag", "AddTags")):
        calls += [Call(known.tag, resource) for resource in dict.fromkeys(call.resource for call in calls)]
    passed = {"iam:passedtoservice": (known.passed_to,)}
    roles = [role for path in known.passes for role in _values(path, request)]
    calls += [Call("iam:PassRole", role, passed) for role in dict.fromkeys(roles)]
    return [call for index, call in enumerate(calls) if call not in calls[:index]]


@cache
def table() -> Mapping[str, Service]:
    """Return the services of ``actions.toml``."""
    sections = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return {
        name: Service(
            prefix=section.get("prefix", name),
            arn=section.get("arn", ""),
            default=tuple(section.get("default", ["*"])),
            tag=section.get("tag", ""),
            passes=tuple(section.get("passes", [])),
            passed_to=section.get("passed_to", ""),
            operations={operation: tuple(rows) for operation, rows in section.get("operations", {}).items()},
        )
        for name, section in sections.items()
    }


def _completed(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request with the names of resources that are part of other parameters."""
    found = dict(request)
    if _QUEUE_URL in found:
        found.setdefault("QueueName", str(found[_QUEUE_URL]).rstrip("/").rpartition("/")[2])
    source = found.get("CopySource")
    if source is not None:
        found["CopySource"] = (
            f"{source['Bucket']}/{source['Key']}"
            if isinstance(source, Mapping)
            else unquote(str(source).partition("?versionId=")[0]).lstrip("/")
        )
    return found


def _resources(pattern: str, request: Mapping[str, Any], location: Location, start: str) -> Iterator[str]:
    """Yield the resources that a pattern stands for; none if the request lacks one of its parameters."""
    paths = _EXPRESSION.findall(pattern)
    for values in product(*(_values(path, request) for path in paths)):
        if values and values[-1].startswith("arn:") and pattern.endswith("}") and "{Key}" not in pattern:
            yield values[-1]
            continue
        filled = iter(values)
        text = _EXPRESSION.sub(lambda _: next(filled), pattern)  # noqa: B023 - used before the next round
        prefix = "" if text == "*" or text.startswith("arn:") else start
        yield f"{prefix.format(region=location.region, account=location.account)}{text}"


def _values(path: str, request: Mapping[str, Any]) -> list[str]:
    found = _compiled(path).search(request)
    values = found if isinstance(found, list) else [found]
    return [str(value) for value in values if value not in (None, "")]


@lru_cache(maxsize=256)
def _compiled(path: str) -> Any:
    return jmespath.compile(path)
