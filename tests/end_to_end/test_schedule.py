"""A schedule starts the training pipeline without an upload: once for each time, however often Scheduler calls."""

from __future__ import annotations

import time

import pytest

from localmaker.daemon import running_endpoint
from pipeline.aws.clients import Aws
from pipeline.settings.environment import load_settings
from tests.end_to_end.conftest import Deployed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("schedule")]

DUE = "2040-12-01T02:00:00Z"  # 3 o'clock in Zurich
EXIT_PENDING = 2


@pytest.fixture(scope="module")
def scheduled(deployed_state):
    """Deploy the schedule, too, where policies are enforced."""
    with (
        running_endpoint(deployed_state("bike_sharing"), enforce_iam=True) as endpoint,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in endpoint.environment().items():
            patch.setenv(name, value)
        patch.setenv("BIKESHARE_SCHEDULE__EXPRESSION", "cron(0 3 1 * ? *)")
        patch.setenv("BIKESHARE_SCHEDULE__TIMEZONE", "Europe/Zurich")
        settings = load_settings("local")
        environment = Deployed(endpoint, settings, Aws(settings))
        environment.command("deploy")
        yield environment


def test_two_calls_for_one_time_train_once_on_the_history(scheduled, sample_csv):
    assert scheduled.command("drift").returncode == 0
    uploaded = scheduled.run("raw/training/days.csv", sample_csv)
    assert uploaded.status == "Succeeded", uploaded.explanation
    scheduled.history(730)
    scheduled.endpoint.move_clock(DUE, deliveries=2)
    deadline = time.monotonic() + 60
    while len(executions := scheduled.executions()) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    _, arn = executions
    answer = scheduled.aws.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    parameters = {one["Name"]: one["Value"] for one in answer["PipelineParameters"]}
    key = f"schedule/{scheduled.settings.schedule_name}/{DUE}"
    assert parameters == parameters | {
        "InputBucket": scheduled.settings.raw_bucket,
        "InputKey": key,
        "InputVersionId": "schedule",
        "TrainOn": "history",
    }
    done = scheduled.finished(arn)
    assert done.status == "Succeeded", done.explanation
    assert done.steps[0].reason == "first execution for this time of the schedule"
    assert scheduled.executions() == executions
    first, newest = scheduled.model_packages()
    assert newest["CustomerMetadataProperties"]["train-on"] == "history"
    # The same days give the same model, whether they have landed or are remembered.
    figures = [package["ModelCard"]["ModelCardContent"].split("R-squared")[1][:20] for package in (newest, first)]
    assert figures[0] == figures[1]
    (body,) = [body for name, body in scheduled.predictions().items() if key.encode() in body]
    assert body.count(b"\n") == 731


def test_what_cannot_be_started_is_a_dead_letter(scheduled):
    aws, settings = scheduled.aws, scheduled.settings
    aws.iam.delete_role_policy(RoleName=settings.scheduler_role_name, PolicyName="generated")
    aws.iam.put_role_policy(
        RoleName=settings.scheduler_role_name,
        PolicyName="generated",
        PolicyDocument='{"Version": "2012-10-17", "Statement": '
        '[{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}',
    )
    scheduled.endpoint.move_clock("2041-01-01T02:00:00Z")
    url = aws.sqs.get_queue_url(QueueName=settings.dead_letter_queue_name)["QueueUrl"]
    answer = aws.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=20)
    (message,) = answer["Messages"]
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "AccessDeniedException"
    assert message["MessageAttributes"]["SCHEDULED_TIME"]["StringValue"] == "2041-01-01T02:00:00Z"
    assert len(scheduled.executions()) == 2
    scheduled.command("deploy")  # gives the role its policy back


def test_the_schedule_rests_without_its_setting_and_goes_with_the_environment(scheduled):
    name, scheduler = scheduled.settings.schedule_name, scheduled.aws.scheduler
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BIKESHARE_SCHEDULE__EXPRESSION")
        patch.delenv("BIKESHARE_SCHEDULE__TIMEZONE")
        assert scheduled.command("plan", check=False).returncode == EXIT_PENDING
        scheduled.command("deploy")
        assert scheduled.command("drift").returncode == 0
        assert scheduler.get_schedule(Name=name, GroupName=name)["State"] == "DISABLED"
        scheduled.command("destroy", "--yes", "--delete-data")
    assert [one["Name"] for one in scheduler.list_schedule_groups()["ScheduleGroups"]] == ["default"]
    roles = [one["RoleName"] for one in scheduled.aws.iam.list_roles()["Roles"]]
    assert [one for one in roles if one.startswith(scheduled.settings.prefix)] == []
