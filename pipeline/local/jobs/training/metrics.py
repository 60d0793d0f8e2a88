"""Metrics that a training job prints, found with the job's own regular expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.local.jobs.records import JobRecord, Metric, now

# Regular expressions come from the request; a bound on the line keeps a slow one from holding up the log.
_MAX_LINE = 10_000


@dataclass
class MetricReader:
    """Looks at each line of a log and remembers the last value of each metric."""

    definitions: Sequence[tuple[str, re.Pattern[str]]]
    _last: dict[str, Metric] = field(default_factory=dict)

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

    def final(self) -> tuple[Metric, ...]:
        """The last value of each metric that occurred."""
        return tuple(self._last.values())
