"""Metrics that a training job prints, found with the regular expressions of its request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from localmaker.services.sagemaker.jobs.metric_definitions import metric_definitions
from localmaker.services.sagemaker.jobs.records import JobRecord, Metric, now

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

# The regular expressions come from the request; a limit on the line keeps a slow one from blocking the log.
_MAX_LINE = 10_000
# Of a job that prints without end, the first values are enough for a chart.
_MAX_VALUES = 20_000
_NAMESPACE = "/aws/sagemaker/TrainingJobs"
# The limit of PutMetricData.
_BATCH = 1000


@dataclass
class MetricReader:
    """Searches each line of a log and keeps the values of each metric."""

    definitions: Sequence[tuple[str, re.Pattern[str]]]
    _last: dict[str, Metric] = field(default_factory=dict)
    _all: list[Metric] = field(default_factory=list)

    @classmethod
    def of(cls, record: JobRecord) -> MetricReader:
        """Return the reader for a job's metric definitions; other kinds of job have none."""
        definitions = metric_definitions(record.request, record.request.get("HyperParameters", {}))
        return cls([(entry["Name"], re.compile(entry["Regex"])) for entry in definitions])

    def read(self, line: str) -> None:
        """Search one line. Captured text that is not a number is skipped."""
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
        """Return the last value of each metric that occurred."""
        return tuple(self._last.values())

    def all(self) -> tuple[Metric, ...]:
        """Return every value of every metric, in the order in which they occurred."""
        return tuple(self._all)


def publish(cloudwatch: CloudWatchClient, job: str, metrics: Sequence[Metric]) -> None:
    """Send the values to CloudWatch as SageMaker does, for charts (``TrainingJobAnalytics``)."""
    dimensions = [{"Name": "TrainingJobName", "Value": job}]
    for start in range(0, len(metrics), _BATCH):
        data = [
            {"MetricName": one.name, "Dimensions": dimensions, "Timestamp": one.time, "Value": one.value}
            for one in metrics[start : start + _BATCH]
        ]
        cloudwatch.put_metric_data(Namespace=_NAMESPACE, MetricData=cast("Any", data))
