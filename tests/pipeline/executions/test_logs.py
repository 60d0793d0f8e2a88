"""Logs of jobs, as CloudWatch Logs hands them out."""

from __future__ import annotations

from types import SimpleNamespace

from pipeline.executions.logs import step_log
from pipeline.executions.view import StepView


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
    assert [line.text for line in step_log(aws, step)] == ["line 1", "line 3"]
