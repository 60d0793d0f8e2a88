"""Run one statement on Athena and wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from analysis.runtime.aws import aws_call, backoff
from analysis.runtime.errors import AwsCallError

_UNDER_WAY = frozenset({"QUEUED", "RUNNING"})


def run_statement(
    athena: Any,
    statement: str,
    output_uri: str,
    *,
    database: str,
    work_group: str,
    patience_seconds: float,
    pause: Callable[[float], None] = time.sleep,
) -> str:
    """Run `statement` to its end and return the id of the query; what Athena writes of its own goes below `output_uri`.

    Raises AwsCallError with Athena's reason where it fails, and, after stopping it, where it takes longer than
    `patience_seconds`.
    """
    deadline = time.monotonic() + patience_seconds
    with aws_call("Reading the offline store"):
        query: str = athena.start_query_execution(
            QueryString=statement,
            QueryExecutionContext={"Database": database},
            WorkGroup=work_group,
            ResultConfiguration={"OutputLocation": output_uri},
        )["QueryExecutionId"]
    attempt = 0
    while True:
        with aws_call(f"Looking at Athena's query {query}"):
            status = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
        if status["State"] not in _UNDER_WAY:
            break
        if time.monotonic() > deadline:
            with aws_call(f"Stopping Athena's query {query}"):
                athena.stop_query_execution(QueryExecutionId=query)
            raise AwsCallError(
                f"Athena's query {query} was still {status['State']} after {patience_seconds:.0f} seconds, and was "
                "stopped. Start the execution again."
            )
        attempt += 1
        pause(backoff(min(attempt, 5)))
    if status["State"] != "SUCCEEDED":
        raise AwsCallError(
            f"Athena's query {query} {status['State']}: {status.get('StateChangeReason', 'no reason given')}"
        )
    return query
