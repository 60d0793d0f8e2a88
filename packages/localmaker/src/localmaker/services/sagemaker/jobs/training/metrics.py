"""Metrics that a training job prints, found with the job's own regular expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from localmaker.services.sagemaker.jobs.records import JobRecord, Metric, now

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

# Regular expressions come from the request; a bound on the line keeps a slow one from holding up the log.
_MAX_LINE = 10_000
# Of a job that prints without end the first ones are enough to draw.
_MAX_VALUES = 20_000
_NAMESPACE = "/aws/sagemaker/TrainingJobs"
# What one PutMetricData takes.
_BATCH = 1000


@dataclass
class MetricReader:
    """Looks at each line of a log and remembers the values of each metric."""

    definitions: Sequence[tuple[str, re.Pattern[str]]]
    _last: dict[str, Metric] = field(default_factory=dict)
    _all: list[Metric] = field(default_factory=list)

    @classmethod
    def of(cls, record: JobRecord) -> MetricReader:
        """The reader for a job's metric definitions; none for other kinds of job."""
        definitions: Sequence[Mapping[str, str]] = record.request.get("AlgorithmSpecification", {}).get(
            "MetricDefinitions", []
        )
        return cls([(entry["Name"], re.compile(entry["Regex"])) for entry in definitions])

    def read(self, line: str) -> None:
        """Look at one line. What is captured but is no number is passed over."""
        for name, pattern in self.definitions:
            for match in pattern.finditer(line[:_MAX_LINE]):
                try:
                    value = float(match.group(1))
                except (TypeError, ValueError):
                    continue
                self._last[name] = Metric(name, value, now())
                if len(self._all) < _MAX_VALUES:
                    self._all.append(self._last[name])

    def final(self) -> tuple[Metric, ...]:
        """The last value of each metric that occurred."""
        return tuple(self._last.values())

    def all(self) -> tuple[Metric, ...]:
        """Every value of every metric, in the order in which they occurred."""
        return tuple(self._all)


def publish(cloudwatch: CloudWatchClient, job: str, metrics: Sequence[Metric]) -> None:
    """Give CloudWatch the values as SageMaker does, for who draws them (``TrainingJobAnalytics``)."""
    dimensions = [{"Name": "TrainingJobName", "Value": job}]
    for start in range(0, len(metrics), _BATCH):
        data = [
            {"MetricName": one.name, "Dimensions": dimensions, "Timestamp": one.time, "Value": one.value}
            for one in metrics[start : start + _BATCH]
        ]
        cloudwatch.put_metric_data(Namespace=_NAMESPACE, MetricData=cast("Any", data))
