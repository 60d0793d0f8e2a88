"""Logs of jobs, as CloudWatch Logs hands them out."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

from pipeline.executions.logs import step_log
from pipeline.executions.view import ExecutionView, StepView


class EmptyPages:
    """A stream of which every second answer is empty, as CloudWatch Logs may answer while there is more."""

    def get_paginator(self, _):
        return SimpleNamespace(paginate=lambda **_: [{"logStreams": [{"logStreamName": "job/algo-1"}]}])

    def get_log_events(self, *, nextToken="f/0", **_):  # noqa: N803 - the API's name
        number = int(nextToken.partition("/")[2])
        events = [{"timestamp": number * 1000, "message": f"line {number}\n"}] if number in {1, 3} else []
        return {"events": events, "nextForwardToken": f"f/{min(number + 1, 4)}"}


def test_an_empty_answer_is_not_the_end():
    step = StepView(name="Train", kind="Training", status="Failed", job_name="job")
    aws = SimpleNamespace(logs=EmptyPages(), endpoint_url=None)
    execution = ExecutionView("arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/abc", "Failed", None)
    assert [line.text for line in step_log(aws, execution, step)] == ["line 1", "line 3"]


class Calls:
    """The log group of a function: two streams, with calls of two executions."""

    LINES = (
        ("one", "START RequestId: 1"),
        ("one", "for arn:…/execution/abc"),
        ("two", "START RequestId: 2"),
        ("one", "first"),
        ("two", "for arn:…/execution/xyz"),
        ("two", "of the other"),
        ("one", "START RequestId: 3"),
        ("one", "for arn:…/execution/xyz"),
    )

    def get_paginator(self, _):
        events = [
            {"logStreamName": stream, "message": f"{text}\n", "timestamp": number}
            for number, (stream, text) in enumerate(self.LINES)
        ]
        return SimpleNamespace(paginate=lambda **_: [{"events": events[:3]}, {"events": events[3:]}])


def test_of_a_function_only_the_calls_of_the_execution_are_shown():
    arn = "arn:aws:lambda:us-east-1:1:function:things-claim"
    step = StepView("ClaimInput", "Lambda", "Succeeded", datetime(2026, 1, 1, tzinfo=UTC), function_arn=arn)
    aws = SimpleNamespace(logs=Calls(), endpoint_url=None)
    execution = ExecutionView("arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/abc", "Failed", None)
    lines = [line.text for line in step_log(aws, execution, step)]
    assert lines == ["START RequestId: 1", "for arn:…/execution/abc", "first"]
