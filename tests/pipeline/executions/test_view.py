"""Reading executions: the tree of steps, reasons, durations, cost."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from pipedef.document.definition import read_definition
from pipeline.executions.costs import Cluster, spent
from pipeline.executions.view import ExecutionView, Plan, StepView, _steps

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LARGE = Cluster("ml.m5.large", 1, 0)
ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p/execution/x"


def test_steps_come_in_the_definitions_order_indented_under_their_condition():
    declared = [
        {"Name": "A", "Type": "Processing", "Arguments": {}},
        {
            "Name": "If",
            "Type": "Condition",
            "Arguments": {"IfSteps": [{"Name": "B", "Type": "Training", "Arguments": {}}], "ElseSteps": []},
        },
    ]
    found = {
        "A": {
            "StepStatus": "Succeeded",
            "StartTime": NOW,
            "EndTime": NOW + timedelta(seconds=2),
            "Metadata": {"ProcessingJob": {"Arn": "arn:aws:sagemaker:r:1:processing-job/pipelines-x-A"}},
        },
        "If": {"StepStatus": "Succeeded", "Metadata": {"Condition": {"Outcome": "False"}}},
    }
    definition = read_definition(json.dumps({"Steps": declared}), "test")
    first, condition, branch = _steps(Plan(definition, {"A": LARGE}), found, final=True)
    assert (first.name, first.depth, first.job_name) == ("A", 0, "pipelines-x-A")
    assert (first.cluster, condition.cluster) == (LARGE, None)
    assert condition.reason == "False"
    assert (branch.status, branch.depth) == ("NotRun", 1)
    waiting = list(_steps(Plan(definition, {}), {}, final=False))
    assert {step.status for step in waiting} == {"Waiting"}


def test_the_explanation_is_that_of_the_step_that_failed_first():
    steps = (
        StepView("Late", "Processing", "Failed", NOW, NOW + timedelta(seconds=9), "late"),
        StepView("Early", "Processing", "Failed", NOW, NOW + timedelta(seconds=1), "early"),
    )
    assert ExecutionView("arn", "Failed", NOW, NOW, "Step failure", steps).explanation == "Early: early"
    assert ExecutionView("arn", "Failed", NOW, NOW, "whole", ()).explanation == "whole"


def test_seconds_count_from_the_start_to_the_end_or_to_now():
    assert StepView("x", "Training").seconds(NOW) is None
    assert StepView("x", "Training", started=NOW).seconds(NOW + HOUR) == 3600
    assert StepView("x", "Training", started=NOW, ended=NOW + HOUR).seconds(NOW + 9 * HOUR) == 3600


def test_the_cost_so_far_is_that_of_the_time_of_each_job():
    hour = spent([(LARGE, 3600)], "us-east-1").dollars
    steps = (
        StepView("Ended", "Processing", "Succeeded", NOW, NOW + HOUR, cluster=LARGE),
        StepView("Running", "Processing", "Executing", NOW + HOUR, cluster=Cluster("ml.m5.large", 2, 0)),
        StepView("Cached", "Processing", "Succeeded", NOW, NOW + HOUR, cached=True, cluster=LARGE),
        StepView("Condition", "Condition", "Succeeded", NOW, NOW + HOUR),
        StepView("Waiting", "Processing", cluster=LARGE),
    )
    execution = ExecutionView(ARN, "Executing", NOW, None, "", steps)
    assert execution.cost(NOW + 2 * HOUR).dollars == pytest.approx(3 * hour)
    assert execution.cost(NOW + 3 * HOUR).dollars == pytest.approx(5 * hour)
    unpriced = ExecutionView(ARN.replace("us-east-1", "mars-north-1"), "Executing", NOW, None, "", steps)
    assert str(unpriced.cost(NOW)).startswith("unknown (no price)")
