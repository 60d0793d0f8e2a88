"""The call that the schedule makes, and who may make it."""

from __future__ import annotations

import json
import re

import pytest

from analysis.runtime.upload import scheduled_claim
from localmaker.services.events.universal import arguments_of, operation_of
from pipeline.deploy.permissions.execution import scheduler_policy
from pipeline.deploy.resources.schedules import training_schedule
from pipeline.settings.contract import SCHEDULED_VERSION
from pipeline.settings.environment import environment_names, load_settings

TIME = "2026-12-01T03:00:00Z"


@pytest.mark.parametrize("environment", environment_names())
def test_the_call_is_one_that_sagemaker_takes_and_the_claim_understands(environment: str) -> None:
    settings = load_settings(environment)
    schedule = training_schedule(settings)
    text = schedule.target["Input"].replace("<aws.scheduler.scheduled-time>", TIME)
    call = arguments_of(operation_of(schedule.target["Arn"]), text)
    assert call["PipelineName"] == settings.training_pipeline_name
    assert re.fullmatch(r"[\w:-]{32,128}", call["ClientRequestToken"], re.ASCII)
    parameters = {one["Name"]: one["Value"] for one in call["PipelineParameters"]}
    assert parameters == {
        "InputBucket": settings.raw_bucket,
        "InputKey": f"schedule/{settings.schedule_name}/{TIME}",
        "InputVersionId": SCHEDULED_VERSION,
        "TrainOn": "history",
    }
    claim = scheduled_claim(parameters["InputBucket"], parameters["InputKey"])
    assert (claim.schedule, claim.version_id) == (settings.schedule_name, SCHEDULED_VERSION)
    assert claim.uploaded_at == "2026-12-01T03:00:00.000Z"


def test_the_longest_names_fit_into_the_token() -> None:
    settings = load_settings("local").model_copy(update={"project": "p" * 12, "environment": "e" * 10})
    assert len(settings.prefix) == 33
    token = json.loads(training_schedule(settings).target["Input"])["ClientRequestToken"]
    assert len(token.replace("<aws.scheduler.scheduled-time>", TIME)) <= 128


def test_its_role_may_start_the_one_pipeline_and_fill_the_one_queue() -> None:
    settings = load_settings("local")
    allowed = {action: one["Resource"] for one in scheduler_policy(settings)["Statement"] for action in one["Action"]}
    assert allowed == {
        "sagemaker:StartPipelineExecution": [settings.pipeline_arn(settings.training_pipeline_name)],
        "sqs:SendMessage": [settings.arn("sqs", settings.dead_letter_queue_name)],
    }
