"""Metrics that a training job prints, found with the regular expressions of its request and of its image."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from localmaker.errors import LocalmakerError
from localmaker.images.table import find_image
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.records import JobRecord, Metric, now
from localmaker.services.sagemaker.jobs.training import script_mode

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

Watch = Callable[[Metric], None]

# The regular expressions come from the request; a limit on the line keeps a slow one from blocking the log.
_MAX_LINE = 10_000
# Of a job that prints without end, the first values are enough for a chart.
_MAX_VALUES = 20_000
_NAMESPACE = "/aws/sagemaker/TrainingJobs"
# The limit of PutMetricData.
_BATCH = 1000


@dataclass
class MetricReader:
    """Searches each line of a log and keeps the values of each metric.

    Attributes:
        definitions: names, and where their values are; without a name, the line says it in the groups ``channel`` and
            ``metric``, and the value in ``value``.
        watch: receives each value.
    """

    definitions: Sequence[tuple[str | None, re.Pattern[str]]]
    watch: Watch = field(default=lambda _value: None)
    _last: dict[str, Metric] = field(default_factory=dict)
    _all: list[Metric] = field(default_factory=list)

    @classmethod
    def of(cls, record: JobRecord, state_dir: Path, watch: Watch) -> MetricReader:
        """Return the reader for a job's metric definitions and those of its image's own algorithm.

        Args:
            record: of the job.
            state_dir: of the endpoint, for the user's own table of images.
            watch: receives each value.
        """
        algorithm: Mapping[str, Any] = record.request.get("AlgorithmSpecification", {})
        definitions: Sequence[Mapping[str, str]] = algorithm.get("MetricDefinitions", [])
        own = _own_metrics(record, state_dir)
        asked = [(entry["Name"], re.compile(entry["Regex"])) for entry in definitions]
        return cls([*asked, *([] if own is None else [(None, own)])], watch)

    def read(self, line: str) -> None:
        """Search one line. Captured text that is not a number is skipped."""
        found: set[str] = set()
        for name, pattern in self.definitions:
            before = frozenset(found)
            for match in pattern.finditer(line[:_MAX_LINE]):
                known = f"{match['channel']}:{match['metric']}" if name is None else name
                # A request may name what its algorithm reports by itself.
                if known in before:
                    continue
                found.add(known)
                try:
                    value = float(match["value"] if name is None else match.group(1))
                except (TypeError, ValueError):
                    continue
                self._last[known] = Metric(known, value, now())
                if len(self._all) < _MAX_VALUES:
                    self._all.append(self._last[known])
                self.watch(self._last[known])

    def final(self) -> tuple[Metric, ...]:
        """Return the last value of each metric that occurred."""
        return tuple(self._last.values())

    def all(self) -> tuple[Metric, ...]:
        """Return every value of every metric, in the order in which they occurred."""
        return tuple(self._all)


def _own_metrics(record: JobRecord, state_dir: Path) -> re.Pattern[str] | None:
    """Return how the image's own algorithm reports metrics, if it is what the job runs."""
    request = record.request
    algorithm: Mapping[str, Any] = request.get("AlgorithmSpecification", {})
    if record.kind is not JobKind.TRAINING or script_mode.entry_point(algorithm):
        return None
    if script_mode.find_sources(request.get("HyperParameters", {}), request.get("Environment", {})) is not None:
        return None
    try:
        return find_image(algorithm.get("TrainingImage", ""), state_dir).metrics
    except LocalmakerError:  # the job fails for it, later
        return None


def publish(cloudwatch: CloudWatchClient, job: str, metrics: Sequence[Metric]) -> None:
    """Send the values to CloudWatch as SageMaker does, for charts (``TrainingJobAnalytics``)."""
    data = data_of(job, metrics)
    for start in range(0, len(data), _BATCH):
        cloudwatch.put_metric_data(Namespace=_NAMESPACE, MetricData=cast("Any", data[start : start + _BATCH]))


def data_of(job: str, metrics: Sequence[Metric]) -> list[dict[str, Any]]:
    """Return what is sent of a job's values: statistics of each second, which is CloudWatch's shortest period."""
    seconds: dict[tuple[str, datetime], list[Metric]] = {}
    for one in metrics:
        seconds.setdefault((one.name, one.time.replace(microsecond=0)), []).append(one)
    return [
        {
            "MetricName": name,
            "Dimensions": [{"Name": "TrainingJobName", "Value": job}],
            "Timestamp": found[0].time,
            "StatisticValues": _statistics([one.value for one in found]),
        }
        for (name, _), found in seconds.items()
    ]


def _statistics(values: Sequence[float]) -> dict[str, float]:
    return {"SampleCount": len(values), "Sum": sum(values), "Minimum": min(values), "Maximum": max(values)}
