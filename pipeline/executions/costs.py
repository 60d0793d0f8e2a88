"""What executions cost and how long they take, from ``prices.toml``: an estimate before, and so far while one runs."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from pipedef.document.definition import Definition, Step, read_definition

_PRICES_FILE = Path(__file__).with_name("prices.toml")
_HOUR = 3600
_HOURS_PER_MONTH = 730
_CLUSTERS = {
    "Processing": ("ProcessingResources", "ClusterConfig"),
    "Training": ("ResourceConfig",),
    "Transform": ("TransformResources",),
}


@dataclass(frozen=True)
class Cluster:
    """What a job runs on."""

    instance_type: str
    instances: int
    volume_gib: int


@dataclass(frozen=True)
class Cost:
    """What jobs cost."""

    dollars: float | None  #: US dollars; None where an instance type or the region has no price.
    as_of: date  #: Date of the prices.

    @property
    def amount(self) -> str:
        """The amount alone, for where there is little room."""
        return "unknown (no price)" if self.dollars is None else f"about ${self.dollars:.4f}"

    def __str__(self) -> str:
        return f"{self.amount} (prices as of {self.as_of})"


@dataclass(frozen=True)
class Estimate(Cost):
    """One successful execution with nothing cached."""

    seconds: int  #: From start to end; steps that do not wait for each other run at the same time.
    jobs: int
    unpriced: tuple[str, ...]  #: Instance types without a price in this region.
    region: str  #: Whose prices were looked up.

    def __str__(self) -> str:
        if self.dollars is None:
            missing = ", ".join(self.unpriced)
            cost = f"; no price for {missing} in {self.region} in pipeline/executions/prices.toml"
        else:
            cost = f", about ${self.dollars:.3f}"
        minutes = max(1, round(self.seconds / 60))
        return f"about {minutes} min, {self.jobs} jobs{cost} (estimate, prices as of {self.as_of})"


def estimate(definition: str, region: str) -> Estimate:
    """Estimate one execution of a compiled pipeline with the parameters' defaults, at the prices of a region."""
    prices = _prices()
    parsed = read_definition(definition, "the pipeline")
    running_on = clusters(parsed, {})
    steps = [step for step in parsed.steps if all(guard.branch == "IfSteps" for guard in step.guards)]
    used = [
        (running_on[step.name], prices["seconds"][step.type]["billed"]) for step in steps if step.name in running_on
    ]
    hourly = prices["hourly"].get(region, {})
    return Estimate(
        dollars=_dollars(used, region),
        seconds=_duration(steps, parsed.upstream, prices["seconds"]),
        jobs=len(used),
        unpriced=tuple(sorted({cluster.instance_type for cluster, _ in used} - hourly.keys())),
        region=region,
        as_of=prices["as_of"],
    )


def clusters(definition: Definition, parameters: Mapping[str, Any]) -> dict[str, Cluster]:
    """Return what each step's job runs on in an execution with these parameters, the others having their defaults."""
    values = {**{item["Name"]: item.get("DefaultValue") for item in definition.parameters}, **parameters}

    def value(item: Any) -> Any:
        is_reference = isinstance(item, Mapping) and "Get" in item
        return values.get(str(item["Get"]).removeprefix("Parameters.")) if is_reference else item

    found = {}
    for step in definition.steps_of_type(*_CLUSTERS):
        arguments = step.arguments
        for key in _CLUSTERS[step.type]:
            arguments = arguments.get(key, {})
        found[step.name] = Cluster(
            instance_type=str(value(arguments.get("InstanceType"))),
            instances=int(value(arguments.get("InstanceCount")) or 1),
            volume_gib=int(value(arguments.get("VolumeSizeInGB")) or 0),
        )
    return found


def spent(used: Iterable[tuple[Cluster, float]], region: str) -> Cost:
    """Return the cost of clusters, each with the seconds that it was there, at the prices of a region."""
    return Cost(_dollars(list(used), region), _prices()["as_of"])


@cache
def _prices() -> dict[str, Any]:
    return tomllib.loads(_PRICES_FILE.read_text(encoding="utf-8"))


def _dollars(used: Iterable[tuple[Cluster, float]], region: str) -> float | None:
    prices = _prices()
    hourly = prices["hourly"].get(region, {})
    gib_hour = prices["volume_gib_month"].get(region, 0) / _HOURS_PER_MONTH
    total = 0.0
    for cluster, seconds in used:
        if cluster.instance_type not in hourly:
            return None
        hour = hourly[cluster.instance_type] + gib_hour * cluster.volume_gib
        total += seconds / _HOUR * cluster.instances * hour
    return total


def _duration(
    steps: Iterable[Step], upstream: Mapping[str, frozenset[str]], seconds: Mapping[str, Mapping[str, int]]
) -> int:
    """Return the seconds of the longest chain of steps that wait for each other."""
    types = {step.name: step.type for step in steps}
    ends: dict[str, int] = {}
    for name in TopologicalSorter({name: upstream[name] & types.keys() for name in types}).static_order():
        took = seconds.get(types[name], seconds["other"])
        begin = max((ends[need] for need in upstream[name] & types.keys()), default=0)
        ends[name] = begin + took["waiting"] + took["billed"]
    return max(ends.values(), default=0)
