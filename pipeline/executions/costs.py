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
from pipeline.settings.contract import JobStep

_PRICES_FILE = Path(__file__).with_name("prices.toml")
_HOUR = 3600
_HOURS_PER_MONTH = 730
#: The step whose end means that an analyst has the predictions.
_PUBLISHING = str(JobStep.PUBLISH_PREDICTIONS)
#: Step type → where its arguments say what it runs on. Each is a job, and takes minutes to start.
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


@dataclass(frozen=True, order=True)
class Chain:
    """The longest chain of steps that wait for each other, from the start of an execution to the end of a step."""

    seconds: int = 0
    job_starts: int = 0

    def __str__(self) -> str:
        starts = f"{self.job_starts} job start{'' if self.job_starts == 1 else 's'}"
        return f"about {max(1, round(self.seconds / 60))} min ({starts})"


@dataclass(frozen=True)
class Estimate(Cost):
    """One successful execution with nothing cached. Steps that do not wait for each other run at the same time."""

    whole: Chain  #: To the end of the last step.
    predictions: Chain | None  #: To the step that publishes predictions; None where there is none.
    jobs: int
    unpriced: tuple[str, ...]  #: Instance types without a price in this region.
    region: str  #: Whose prices were looked up.

    def __str__(self) -> str:
        if self.dollars is None:
            missing = ", ".join(self.unpriced)
            cost = f"; no price for {missing} in {self.region} in pipeline/executions/prices.toml"
        else:
            cost = f", about ${self.dollars:.3f}"
        published = "" if self.predictions is None else f"predictions after {self.predictions}; "
        end = self.whole if self.predictions is None else str(self.whole).partition(" (")[0]
        return f"{published}ends after {end}, {self.jobs} jobs{cost} (estimate, prices as of {self.as_of})"


def estimate(definition: str, region: str) -> Estimate:
    """Estimate one execution of a compiled pipeline with the parameters' defaults, at the prices of a region."""
    prices = _prices()
    parsed = read_definition(definition, "the pipeline")
    running_on = clusters(parsed, {})
    steps = _steps_taken(parsed)
    ends = _ends(steps, parsed.upstream, prices["seconds"])
    used = [
        (running_on[step.name], prices["seconds"][step.type]["billed"]) for step in steps if step.name in running_on
    ]
    hourly = prices["hourly"].get(region, {})
    return Estimate(
        dollars=_dollars(used, region),
        whole=max(ends.values(), default=Chain()),
        predictions=ends.get(_PUBLISHING),
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


def _steps_taken(definition: Definition) -> list[Step]:
    """Return the steps of an execution that succeeds.

    A condition on the way to the predictions takes the branch that leads to them, and any other takes none: what it
    guards is another way to end, such as taking over what was registered before. Without predictions, every condition
    takes its IfSteps.
    """
    if _PUBLISHING not in definition.step_named:
        return [step for step in definition.steps if all(guard.branch == "IfSteps" for guard in step.guards)]
    on_the_way = {_PUBLISHING, *definition.all_upstream(_PUBLISHING)}
    taken = {guard for name in on_the_way for guard in definition.step_named[name].guards}
    return [step for step in definition.steps if taken.issuperset(step.guards)]


def _ends(
    steps: Iterable[Step], upstream: Mapping[str, frozenset[str]], seconds: Mapping[str, Mapping[str, int]]
) -> dict[str, Chain]:
    """Return the longest chain that leads to the end of each step, of equally long ones that with most job starts."""
    types = {step.name: step.type for step in steps}
    ends: dict[str, Chain] = {}
    for name in TopologicalSorter({name: upstream[name] & types.keys() for name in types}).static_order():
        took = seconds.get(types[name], seconds["other"])
        begin = max((ends[need] for need in upstream[name] & types.keys()), default=Chain())
        starts = begin.job_starts + (types[name] in _CLUSTERS)
        ends[name] = Chain(begin.seconds + took["waiting"] + took["billed"], starts)
    return ends
