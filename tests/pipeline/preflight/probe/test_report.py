"""`bikeshare preflight --probe` as a whole: it tells everything, and leaves the account as it was."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from pipeline.preflight.answers import Answer, Verdict
from pipeline.preflight.probe.report import costs, markdown, probe_settings
from pipeline.settings.environment import load_settings

QUESTIONS = [
    "CreatePipeline with the training definition",
    "CreatePipeline with the scoring definition",
    "CreateModelPackage with the model card",
    "a condition on the output of a function",
    "a step that depends on a step of a branch not taken",
    "a parameter whose default is an empty string",
    "an empty string as the value of a parameter",
    "a rule whose JSON path is missing from the event",
    "JsonGet inside Join",
]


@pytest.fixture
def settings(endpoint):
    """Return the same settings for each test: what a probe makes has names of its own, and compiling takes a while."""
    return load_settings("local").model_copy(update={"project": "probing"})


@pytest.fixture
def account(client):
    """Everything that an account holds, of the kinds that a probe makes."""

    def names(service, operation, member, **request):
        return json.dumps(getattr(client(service), operation)(**request).get(member, []), default=str)

    def look():
        logs = client("logs")
        groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
        return {
            "buckets": names("s3", "list_buckets", "Buckets"),
            "functions": names("lambda", "list_functions", "Functions"),
            "groups": {name: logs.describe_log_streams(logGroupName=name)["logStreams"] for name in groups},
            "models": names("sagemaker", "list_model_package_groups", "ModelPackageGroupSummaryList"),
            "packages": names("sagemaker", "list_model_packages", "ModelPackageSummaryList"),
            "pipelines": names("sagemaker", "list_pipelines", "PipelineSummaries"),
            "queues": names("sqs", "list_queues", "QueueUrls"),
            "roles": [role["RoleName"] for role in client("iam").list_roles()["Roles"]],
            "rules": names("events", "list_rules", "Rules"),
        }

    return look


@pytest.mark.slow
def test_everything_is_asked_and_nothing_is_left(command, account):
    before = account()
    result = command("--probe", "--yes")
    assert result.exit_code == 0, result.output
    assert account() == before
    report = result.stdout
    assert re.findall(r"^\*\*(.+)\*\*$", report, re.MULTILINE) == QUESTIONS
    assert "boto3" in report
    assert not re.search(r"\d{12}|arn:", report)
    assert "Succeeded; Ask Succeeded 'R2=0.5', Measure Succeeded" in report


@pytest.mark.slow
def test_what_others_logged_stays(command, account, client):
    logs = client("logs")
    logs.create_log_group(logGroupName="/aws/sagemaker/ProcessingJobs")
    logs.create_log_stream(logGroupName="/aws/sagemaker/ProcessingJobs", logStreamName="pipelines-others-x/algo-1")
    before = account()
    try:
        result = command("--probe", "--yes", "--json")
        assert account() == before
    finally:
        logs.delete_log_group(logGroupName="/aws/sagemaker/ProcessingJobs")
    answer = json.loads(result.stdout)
    assert answer["ok"] is True
    assert [item["about"] for item in answer["answers"]] == QUESTIONS


def test_without_a_yes_nothing_is_made(command, account):
    before = account()
    result = command("--probe")
    assert result.exit_code == 1
    assert "about $0.0" in result.stderr
    assert "removes all of it again" in result.stderr
    assert account() == before


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["Making", "Trying: a rule", "Trying: JsonGet"])
def test_an_interrupt_leaves_nothing(settings, account, moment, monkeypatch):
    monkeypatch.setenv("BIKESHARE_PROJECT", settings.project)
    before = account()
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "preflight", "--probe", "--yes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if line.startswith(moment):
                process.send_signal(signal.SIGINT)
    assert process.returncode in {1, 130}, told
    assert "Removing everything again\n" in told
    assert not [line for line in told if line.startswith("Not removed")]
    assert account() == before


def everything_but(*actions):
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    denied = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [allowed, denied]}


@pytest.mark.slow
def test_what_cannot_be_made_is_an_error_and_the_rest_is_removed(command, account, sign_in):
    sign_in(everything_but("iam:CreateRole"))
    before = account()
    result = command("--probe", "--yes")
    assert result.exit_code != 0
    assert "AccessDenied" in str(result.exception)
    assert account() == before


@pytest.mark.slow
def test_what_cannot_be_removed_is_named_with_the_command(command, client, settings, sign_in):
    sign_in(everything_but("s3:DeleteBucket"))
    result = command("--probe", "--yes")
    assert result.exit_code == 5
    bucket = re.search(r"Not removed; remove it with: aws .*s3api delete-objects --bucket (\S+) ", result.stderr)
    assert bucket is not None, result.stderr
    assert bucket[1].startswith(f"{settings.prefix}-probe-")
    client("s3").delete_bucket(Bucket=bucket[1])


def test_a_probe_has_names_of_its_own():
    settings = load_settings("prod")
    own = probe_settings(settings)
    assert own.prefix.startswith(f"{settings.prefix}-probe-")
    assert own.prefix != probe_settings(settings).prefix
    assert (own.kms_key, own.network.subnets) == (None, ())
    assert settings.account_id in costs(settings)


def test_an_unexpected_answer_is_shown_without_accounts(aws):
    detail = "refused: role arn:aws:iam::123456789012:role/x, bucket b-123456789012"
    text = markdown(aws, [Answer(Verdict.PROBLEM, "q", detail, "Please open an issue")])
    assert "refused: role <arn>, bucket b-<account>" in text
    assert "Please open an issue" in text
