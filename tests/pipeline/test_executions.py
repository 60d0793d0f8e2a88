"""Reading executions: the tree of steps, reasons, and the checks before a start."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.errors import ExecutionError
from pipeline.executions import ExecutionView, StepView, _steps, check_parameters
from pipeline.progress import describe, duration, first_line, seconds

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEFINITION = {
    "Parameters": [{"Name": "InputKey", "Type": "String"}, {"Name": "Seed", "Type": "Integer", "DefaultValue": 1}]
}


def test_unknown_and_missing_parameters_are_named():
    check_parameters("p", DEFINITION, {"InputKey": "x"})
    with pytest.raises(ExecutionError, match="no parameter Sed") as caught:
        check_parameters("p", DEFINITION, {"InputKey": "x", "Sed": "2"})
    assert "InputKey, Seed" in str(caught.value)
    with pytest.raises(ExecutionError, match="needs a value for InputKey"):
        check_parameters("p", DEFINITION, {"Seed": "2"})


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
    first, condition, branch = _steps(declared, found, final=True)
    assert (first.name, first.depth, first.job_name) == ("A", 0, "pipelines-x-A")
    assert condition.reason == "False"
    assert (branch.status, branch.depth) == ("NotRun", 1)
    waiting = list(_steps(declared, {}, final=False))
    assert {step.status for step in waiting} == {"Waiting"}


def test_the_explanation_is_that_of_the_step_that_failed_first():
    steps = (
        StepView("Late", "Processing", "Failed", NOW, NOW + timedelta(seconds=9), "late"),
        StepView("Early", "Processing", "Failed", NOW, NOW + timedelta(seconds=1), "early"),
    )
    assert ExecutionView("arn", "Failed", NOW, NOW, "Step failure", steps).explanation == "Early: early"
    assert ExecutionView("arn", "Failed", NOW, NOW, "whole", ()).explanation == "whole"


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.04, "0.0 s"), (59.94, "59.9 s"), (60.0, "1 min 0 s"), (3725, "62 min 5 s")]
)
def test_durations_are_readable(value, text):
    assert duration(value) == text


def test_seconds_count_from_the_start():
    assert seconds(None, NOW) is None
    assert seconds(NOW, NOW + timedelta(seconds=3)) == 3


def test_states_are_words():
    assert describe(StepView("x", "Training", "Succeeded", cached=True)) == "done (from cache)"
    assert describe(StepView("x", "Training", "NotRun")) == "not run"


def test_long_reasons_are_cut_to_a_line():
    assert first_line("one\ntwo") == "one"
    assert first_line("x" * 500).endswith("…")
    assert len(first_line("x" * 500)) == 160
