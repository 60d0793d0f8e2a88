"""What executions cost and how long they take, from ``prices.toml``: an estimate before, and so far while one runs."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
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
        region: whose prices were looked for.
        as_of: date of the prices.
    """

    dollars: float | None
    seconds: int
    jobs: int
    unpriced: tuple[str, ...]
    region: str
    as_of: date

    def __str__(self) -> str:
        minutes = f"about {max(1, round(self.seconds / 60))} min"
        basis = f"estimate, prices as of {self.as_of}"
        if self.dollars is None:
            missing = ", ".join(self.unpriced)
            nowhere = f"no price for {missing} in pipeline/prices.toml for {self.region}"
            return f"{minutes}, {self.jobs} jobs; {nowhere} ({basis})"
        return f"{minutes}, {self.jobs} jobs, about ${self.dollars:.3f} ({basis})"


@dataclass(frozen=True)
class Cluster:
    """What a job runs on."""

    instance_type: str
    instances: int
    volume_gib: int


@dataclass(frozen=True)
class Spent:
    """What jobs have cost.

    Attributes:
        dollars: US dollars; None where an instance type or the region has no price.
        as_of: date of the prices.
    """

    dollars: float | None
    as_of: date

    @property
    def amount(self) -> str:
        """The money alone, for where there is little room."""
        return "unknown, for want of a price" if self.dollars is None else f"about ${self.dollars:.4f}"

    def __str__(self) -> str:
        return f"{self.amount} (prices as of {self.as_of})"


@dataclass(frozen=True)
class _Step:
    name: str
    kind: str
    needs: frozenset[str]
    cluster: Cluster


def estimate(definition: str, region: str) -> Estimate:
    """Estimate one execution with the parameters' defaults.

    Args:
        definition: compiled pipeline.
        region: AWS region whose prices count.
    """
    prices = _prices()
    content = json.loads(definition)
    steps = list(_steps(content["Steps"], _defaults(content), frozenset()))
    jobs = [step for step in steps if step.kind in _CLUSTERS]
    hourly = prices["hourly"].get(region, {})
    unpriced = sorted({step.cluster.instance_type for step in jobs if step.cluster.instance_type not in hourly})
    return Estimate(
        dollars=None
        if unpriced
        else sum(_dollars(step.cluster, prices["seconds"][step.kind]["billed"], region) for step in jobs),
        seconds=_longest_way({step.name: step for step in steps}, prices["seconds"]),
        jobs=len(jobs),
        unpriced=tuple(unpriced),
        region=region,
        as_of=prices["as_of"],
    )


def clusters(definition: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Cluster]:
    """What the job of each step runs on in an execution.

    Args:
        definition: parsed definition of the execution.
        parameters: its values; the others have their defaults.
    """
    values = {**_defaults(definition), **parameters}
    return {
        step.name: step.cluster
        for step in _steps(definition["Steps"], values, frozenset(), every_branch=True)
        if step.kind in _CLUSTERS
    }


def spent(used: Iterable[tuple[Cluster, float]], region: str) -> Spent:
    """What clusters have cost.

    Args:
        used: clusters, each with the seconds that it was there.
        region: AWS region whose prices count.
    """
    prices = _prices()
    hourly = prices["hourly"].get(region, {})
    times = list(used)
    priced = all(cluster.instance_type in hourly for cluster, _ in times)
    total = sum(_dollars(cluster, seconds, region) for cluster, seconds in times) if priced else None
    return Spent(total, prices["as_of"])


@cache
def _prices() -> dict[str, Any]:
    return tomllib.loads(_PRICES_FILE.read_text(encoding="utf-8"))


def _defaults(definition: Mapping[str, Any]) -> dict[str, Any]:
    return {item["Name"]: item.get("DefaultValue") for item in definition.get("Parameters", [])}


def _dollars(cluster: Cluster, seconds: float, region: str) -> float:
    prices = _prices()
    volume = prices["volume_gib_month"].get(region, 0) / _HOURS_A_MONTH * cluster.volume_gib
    hourly: float = prices["hourly"][region][cluster.instance_type]
    return float(seconds / _HOUR * cluster.instances * (hourly + volume))


def _steps(
    steps: list[dict[str, Any]], values: Mapping[str, Any], above: frozenset[str], *, every_branch: bool = False
) -> Iterator[_Step]:
    """Every step, or all but those of else branches; one that stands under a condition waits for it."""
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
            cluster=Cluster(
                instance_type=str(_value(cluster.get("InstanceType"), values)),
                instances=int(_value(cluster.get("InstanceCount"), values) or 1),
                volume_gib=int(_value(cluster.get("VolumeSizeInGB"), values) or 0),
            ),
        )
        for branch in ("IfSteps", *(["ElseSteps"] if every_branch else [])):
            inner = step["Arguments"].get(branch, [])
            yield from _steps(inner, values, above | {step["Name"]}, every_branch=every_branch)


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
