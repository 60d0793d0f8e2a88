"""What an event does when it comes twice, together with others, late, or for a file that has changed or gone."""

from __future__ import annotations

import json
import time

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("trigger")]


def executions_for(deployed, key):
    """Return the executions whose InputKey is ``key``, oldest first."""
    found = []
    for arn in deployed.executions():
        parameters = deployed.aws.sagemaker.list_pipeline_parameters_for_execution(
            PipelineExecutionArn=arn, MaxResults=100
        )["PipelineParameters"]
        if {item["Name"]: item["Value"] for item in parameters}["InputKey"] == key:
            found.append(arn)
    return found


def wait_for_executions(deployed, key, count):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = executions_for(deployed, key)
        if len(found) >= count:
            return [deployed.finished(arn) for arn in found]
        time.sleep(0.1)
    pytest.fail(f"{count} executions for {key} were expected, {len(found)} started")


def worked(execution):
    """Whether an execution did the work, or ended after its claim."""
    return any(step.name == "Preprocess" and step.status == "Succeeded" for step in execution.steps)


@pytest.fixture(scope="module")
def twice(deployed, sample_csv):
    """Two files at once, each with its event delivered three times at the same moment."""
    keys = ["raw/training/north.csv", "raw/training/south.csv"]
    for number, key in enumerate(keys):
        version = deployed.put(key, sample_csv + b"\n" * number)
        deployed.send_event(key, version)
        deployed.send_event(key, version)
    return {key: wait_for_executions(deployed, key, 3) for key in keys}


def test_of_executions_for_the_same_file_one_does_the_work_and_none_fails(twice):
    for key, executions in twice.items():
        assert [execution.status for execution in executions] == ["Succeeded"] * 3, key
        assert len([execution for execution in executions if worked(execution)]) == 1, key


def test_each_file_has_one_prediction_file_and_one_registered_version(deployed, twice):
    assert len(deployed.predictions()) == 2
    assert len(deployed.model_packages()) == 2


def test_a_late_event_changes_nothing(deployed, twice, sample_csv):
    before, packages = deployed.predictions(), deployed.model_packages()
    key = "raw/training/north.csv"
    version = deployed.aws.s3.head_object(Bucket=deployed.settings.raw_bucket, Key=key)["VersionId"]
    deployed.send_event(key, version)
    late = wait_for_executions(deployed, key, 4)[-1]
    assert (late.status, worked(late)) == ("Succeeded", False)
    assert deployed.predictions() == before
    assert deployed.model_packages() == packages


def test_an_event_for_an_older_version_is_left_to_the_newer_one(deployed, twice, sample_csv):
    before = deployed.predictions()
    key = "raw/training/north.csv"
    deployed.send_event(key, "0" * 32)
    outdated = wait_for_executions(deployed, key, 5)[-1]
    assert (outdated.status, worked(outdated)) == ("Succeeded", False)
    assert deployed.predictions() == before


def test_an_event_for_a_file_that_is_gone_ends_quietly(deployed, twice):
    before = deployed.predictions()
    key = "raw/training/gone.csv"
    deployed.send_event(key, "0" * 32)
    (gone,) = wait_for_executions(deployed, key, 1)
    assert (gone.status, worked(gone)) == ("Succeeded", False)
    assert deployed.predictions() == before


def test_a_file_replaced_while_it_is_processed_is_read_as_it_was_claimed(deployed, twice, sample_csv):
    key = "raw/training/changing.csv"
    arn = deployed.started(key, deployed.put(key, sample_csv + b"\n" * 7))
    deadline = time.monotonic() + 60
    while not _is_pinned(deployed, key) and time.monotonic() < deadline:
        time.sleep(0.02)
    replaced = deployed.put(key, b"this is no table\n")
    first = deployed.finished(arn)
    assert first.status == "Succeeded", first.explanation
    assert worked(first)
    # The newest upload wins: what was made of the older one is not published.
    (publish,) = [step for step in first.steps if step.name == "PublishPredictions"]
    assert f"replaced by version {replaced}" in publish.reason
    assert not [name for name in deployed.predictions() if "changing" in name]
    second = deployed.finished(deployed.started(key, replaced))
    assert second.status == "Failed"
    assert "changing.csv" in second.explanation


def _is_pinned(deployed, key):
    bucket = deployed.settings.artifacts_bucket
    claims = [name for name in deployed.keys(bucket, "inputs/") if name.endswith("claim.json")]
    return any(json.loads(deployed.read(bucket, name))["key"] == key for name in claims)


def test_a_failed_file_is_processed_when_its_event_comes_again(deployed, twice):
    key = "raw/training/changing.csv"
    version = deployed.aws.s3.head_object(Bucket=deployed.settings.raw_bucket, Key=key)["VersionId"]
    deployed.send_event(key, version)
    again = wait_for_executions(deployed, key, 3)[-1]
    # The claim of the failed execution is taken over; the file is as bad as before.
    assert again.status == "Failed"
    assert [step.status for step in again.steps if step.name == "Preprocess"] == ["Failed"]
