"""What one execution of a definition costs and how long it takes: an estimate from ``prices.toml``."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

_PRICES_FILE = Path(__file__).with_name("prices.toml")
_HOUR = 3600
_HOURS_A_MONTH = 730
_REFERENCE = re.compile(r"Steps\.([A-Za-z0-9-]+)")
_CLUSTERS = {
    "Processing": ("ProcessingResources", "ClusterConfig"),
    "Training": ("ResourceConfig",),
    "Transform": ("TransformResources",),
}


@dataclass(frozen=True)
class Estimate:
    """One execution that goes the way of success, with nothing cached.

    Attributes:
        dollars: US dollars; None where an instance type or the region has no price.
        seconds: from start to end, steps that do not wait for each other at the same time.
        jobs: how many jobs run.
        unpriced: instance types without a price in this region.
        as_of: date of the prices.
    """

    dollars: float | None
    seconds: int
    jobs: int
    unpriced: tuple[str, ...]
    as_of: date

    def __str__(self) -> str:
        minutes = f"about {max(1, round(self.seconds / 60))} min"
        basis = f"estimate, prices as of {self.as_of}"
        if self.dollars is None:
            missing = ", ".join(self.unpriced)
            return f"{minutes}, {self.jobs} jobs; no price for {missing} in pipeline/deploy/prices.toml ({basis})"
        return f"{minutes}, {self.jobs} jobs, about ${self.dollars:.3f} ({basis})"


@dataclass(frozen=True)
class _Step:
    name: str
    kind: str
    needs: frozenset[str]
    instance_type: str
    instances: int
    volume_gib: int


def estimate(definition: str, region: str) -> Estimate:
    """Estimate one execution with the parameters' defaults.

    Args:
        definition: compiled pipeline.
        region: AWS region whose prices count.
    """
    prices = _prices()
    content = json.loads(definition)
    defaults = {item["Name"]: item.get("DefaultValue") for item in content.get("Parameters", [])}
    steps = list(_steps(content["Steps"], defaults, frozenset()))
    jobs = [step for step in steps if step.kind in _CLUSTERS]
    hourly = prices["hourly"].get(region, {})
    unpriced = sorted({step.instance_type for step in jobs if step.instance_type not in hourly})
    return Estimate(
        dollars=None if unpriced else sum(_dollars(step, prices, region) for step in jobs),
        seconds=_longest_way({step.name: step for step in steps}, prices["seconds"]),
        jobs=len(jobs),
        unpriced=tuple(unpriced),
        as_of=prices["as_of"],
    )


@cache
def _prices() -> dict[str, Any]:
    return tomllib.loads(_PRICES_FILE.read_text(encoding="utf-8"))


def _dollars(step: _Step, prices: Mapping[str, Any], region: str) -> float:
    hours = prices["seconds"][step.kind]["billed"] / _HOUR * step.instances
    volume = prices["volume_gib_month"].get(region, 0) / _HOURS_A_MONTH * step.volume_gib
    hourly: float = prices["hourly"][region][step.instance_type]
    return float(hours * (hourly + volume))


def _steps(steps: list[dict[str, Any]], defaults: Mapping[str, Any], above: frozenset[str]) -> Iterator[_Step]:
    """Every step but those of else branches; one that stands under a condition waits for it."""
    for step in steps:
        arguments = {key: value for key, value in step["Arguments"].items() if key not in {"IfSteps", "ElseSteps"}}
        text = json.dumps([arguments, step.get("DependsOn", [])])
        named = {str(name) for name in step.get("DependsOn", [])}
        needs = (frozenset(_REFERENCE.findall(text)) | named | above) - {step["Name"]}
        cluster: Any = arguments
        for key in _CLUSTERS.get(step["Type"], ()):
            cluster = cluster.get(key, {})
        yield _Step(
            name=step["Name"],
            kind=step["Type"],
            needs=needs,
            instance_type=str(_value(cluster.get("InstanceType"), defaults)),
            instances=int(_value(cluster.get("InstanceCount"), defaults) or 1),
            volume_gib=int(_value(cluster.get("VolumeSizeInGB"), defaults) or 0),
        )
        yield from _steps(step["Arguments"].get("IfSteps", []), defaults, above | {step["Name"]})


def _value(value: Any, defaults: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping) and "Get" in value:
        return defaults.get(str(value["Get"]).removeprefix("Parameters."))
    return value


def _longest_way(steps: Mapping[str, _Step], seconds: Mapping[str, Mapping[str, int]]) -> int:
    ends: dict[str, int] = {}

    def end(name: str) -> int:
        if name not in ends:
            step = steps[name]
            took = seconds.get(step.kind, seconds["other"])
            begin = max((end(need) for need in step.needs if need in steps), default=0)
            ends[name] = begin + took["waiting"] + took["billed"]
        return ends[name]

    return max((end(name) for name in steps), default=0)
