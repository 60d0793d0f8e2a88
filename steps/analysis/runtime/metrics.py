"""Metrics for CloudWatch: what PutMetricData takes, and putting it without failing the step that has done its work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from analysis.runtime.errors import AwsCallError

MOST_DATA = 1000
"""Metrics that one call of PutMetricData takes ("CloudWatch service quotas")."""
_LONGEST_COMPLAINT = 300

Datum = dict[str, Any]


def datum(name: str, value: float, dimensions: Iterable[dict[str, str]], unit: str = "None") -> Datum:
    """Return one metric of PutMetricData."""
    return {"MetricName": name, "Dimensions": [*dimensions], "Value": value, "Unit": unit}


def in_calls(data: Sequence[Datum]) -> Iterator[Sequence[Datum]]:
    """Yield metrics as many a call as one takes."""
    for start in range(0, len(data), MOST_DATA):
        yield data[start : start + MOST_DATA]


def pipeline_of(execution_arn: str) -> str:
    """Return the pipeline's name from the ARN of an execution."""
    return execution_arn.rpartition(":pipeline/")[2].partition("/")[0]


def put_metrics(namespace: str, calls: Iterable[Sequence[Datum]], step: str, done: str) -> str:
    """Put metrics, without much patience; return what went wrong, as an end of the reason that `watch` shows.

    done: what there is nevertheless.
    """
    # Imported here because steps that put none use this module, too, and boto3 takes a tenth of a second.
    import boto3

    from analysis.runtime.aws import aws_call, client_settings

    try:
        create: Any = boto3.client
        cloudwatch = create("cloudwatch", **client_settings(attempts=3, connect_timeout=3, read_timeout=10))
        for data in calls:
            with aws_call(f"Putting metrics into {namespace}"):
                cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    except AwsCallError as error:
        print(f"{step}: warning: {error} {done}")
        return f"; without metrics: {error}"[:_LONGEST_COMPLAINT]
    return ""
