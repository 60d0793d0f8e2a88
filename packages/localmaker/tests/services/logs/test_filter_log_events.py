"""Which events FilterLogEvents returns, and in which order."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def logs(endpoint, unique):
    """Return a client, with a log group of three streams, two of one job, whose events alternate in time."""
    client = endpoint.client("logs")
    client.create_log_group(logGroupName=unique)
    start = int(time.time() * 1000)
    for number, stream in enumerate(("job/algo-2", "job/algo-1", "other/algo-1")):
        client.create_log_stream(logGroupName=unique, logStreamName=stream)
        events = [{"timestamp": start + number + turn * 10, "message": f"{stream} {turn}"} for turn in (1, 2)]
        client.put_log_events(logGroupName=unique, logStreamName=stream, logEvents=events)
    return client


def messages(client, **request):
    pages = client.get_paginator("filter_log_events").paginate(**request)
    return [[event["message"] for event in page["events"]] for page in pages]


def test_the_streams_of_a_prefix_are_read_in_the_order_of_time(logs, unique):
    ordered = ["job/algo-2 1", "job/algo-1 1", "job/algo-2 2", "job/algo-1 2"]
    assert messages(logs, logGroupName=unique, logStreamNamePrefix="job/") == [ordered]
    assert messages(logs, logGroupName=unique, logStreamNamePrefix="job/", limit=3) == [ordered[:3], ordered[3:]]
    assert messages(logs, logGroupName=unique, logStreamNamePrefix="none") == [[]]
    assert messages(logs, logGroupName=unique, logStreamNames=["other/algo-1"], filterPattern='"algo-1 2"') == [
        ["other/algo-1 2"]
    ]


def test_a_group_may_be_named_by_its_arn(logs, unique):
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{unique}"
    for identifier in (unique, arn, f"{arn}:*"):
        [found] = messages(logs, logGroupIdentifier=identifier, logStreamNamePrefix="other")
        assert found == ["other/algo-1 1", "other/algo-1 2"]


def test_a_prefix_and_names_are_exclusive(logs, unique):
    with pytest.raises(ClientError, match="InvalidParameterException"):
        logs.filter_log_events(logGroupName=unique, logStreamNamePrefix="job", logStreamNames=["job/algo-1"])


def test_a_group_that_is_not_there_is_refused(endpoint, unique):
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        endpoint.client("logs").filter_log_events(logGroupName=unique, logStreamNamePrefix="job")
