"""Commands around executions, run as a user runs them, against pipelines of a few steps that need no job."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from unittest import mock

import pytest
from typer.testing import CliRunner

from localmaker.daemon import running_endpoint
from pipeline.aws.clients import Aws
from pipeline.cli import app, main
from pipeline.settings.environment import load_settings

ROLE = "arn:aws:iam::123456789012:role/r"
WHY = "R-squared is 0.5 and has to be\nat least 0.8."
KEY = "raw/training/a b.csv"


def definition(*steps):
    names = ("InputBucket", "InputKey", "InputVersionId", "RunKey")
    parameters = [{"Name": name, "Type": "String", "DefaultValue": "none"} for name in names]
    parameters.append({"Name": "Seed", "Type": "Integer", "DefaultValue": 1})
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": list(steps)})


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """Create a training pipeline that fails, and a scoring pipeline that waits for an answer."""
    with (
        running_endpoint(tmp_path_factory.mktemp("state")) as endpoint,
        mock.patch.dict(os.environ, {**endpoint.environment(), "NO_COLOR": "1", "COLUMNS": "80"}),
    ):
        settings = load_settings("local")
        clients = Aws(settings)
        queue = clients.sqs.create_queue(QueueName="answers")["QueueUrl"]
        fails = {"Name": "Gate", "Type": "Fail", "Arguments": {"ErrorMessage": WHY}}
        waits = {"Name": "Ask", "Type": "Callback", "SqsQueueUrl": queue, "Arguments": {}, "OutputParameters": []}
        for name, step in ((settings.training_pipeline_name, fails), (settings.scoring_pipeline_name, waits)):
            clients.sagemaker.create_pipeline(
                PipelineName=name,
                PipelineDefinition=definition(step),
                RoleArn=ROLE,
                ClientRequestToken=(name + "-" * 32)[:64],
            )
        clients.s3.create_bucket(Bucket=settings.raw_bucket)
        clients.s3.put_bucket_versioning(Bucket=settings.raw_bucket, VersioningConfiguration={"Status": "Enabled"})
        clients.s3.put_object(Bucket=settings.raw_bucket, Key=KEY, Body=b"x")
        clients.s3.put_object(Bucket=settings.raw_bucket, Key="raw/scoring/x.csv", Body=b"x")
        clients.s3.put_object(Bucket=settings.raw_bucket, Key="raw/training/x.txt", Body=b"x")
        yield clients


def run(*arguments):
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done


def bikeshare(*arguments):
    """Run a command as a process; return it with what it wrote to standard output and to standard error."""
    return subprocess.run([sys.executable, "-m", "pipeline", *arguments], capture_output=True, text=True, check=False)


def started(*arguments):
    return json.loads(run("start", KEY, *arguments, "--json").output)["PipelineExecutionArn"]


def test_an_execution_that_fails_ends_with_its_reason(aws):
    done = bikeshare("watch", started().rpartition("/")[2])
    assert done.returncode == 6
    (last,) = done.stderr.splitlines()
    assert last.startswith("error: Execution ")
    assert last.endswith("Gate: R-squared is 0.5 and has to be at least 0.8.")


def test_scripts_read_how_it_ended_and_nothing_else(aws):
    done = bikeshare("watch", started(), "--json")
    assert done.returncode == 6
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["reason"]) == ("Failed", f"Gate: {WHY}")
    assert [(step["name"], step["status"]) for step in answer["steps"]] == [("Gate", "Failed")]
    followed = bikeshare("start", KEY, "--json", "--watch")
    assert json.loads(followed.stdout)["PipelineExecutionArn"].startswith("arn:")
    assert followed.returncode == 6


def test_runs_say_why_they_failed(aws):
    identifier = started().rpartition("/")[2]
    bikeshare("watch", identifier)
    (line,) = [line for line in run("runs").output.splitlines() if identifier in line]
    assert line.endswith("Gate: R-squared is 0.5 and has to be at least 0.8.")
    (found,) = [item for item in json.loads(run("runs", "--json").output) if item["arn"].endswith(identifier)]
    assert found["reason"] == "Gate: R-squared is 0.5 and has to be at least 0.8."
    assert found["pipeline"] == aws.settings.training_pipeline_name
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", found["started"])
    assert not {"ended", "steps"} & set(found), "a list of executions knows neither"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("start", "raw/training/none.csv"), "There is no object s3://"),
        (("start", "raw/training/none.csv"), "/raw/training/none.csv), which starts the pipeline by itself."),
        (("start", "raw/by hand.csv"), "/raw/by hand.csv')."),
        (("start", KEY, "-p", "Sed=1"), "no parameter Sed. Did you mean Seed?"),
        (("start", KEY, "-p", "RunKey="), "RunKey can't be empty."),
        (("start", KEY, "-p", "Seed=1_0"), "Seed has to be a number of type Integer"),
        (("start", "s3://nobodys/raw/training/a.csv"), "no object s3://nobodys/raw/training/a.csv, nor such a bucket"),
        (("start", "s3://nobodys"), "s3://nobodys names no object"),
        (("watch", "raw/training/x.txt"), "raw/training/x.txt starts nothing by itself"),
        (("watch", "raw/training/x.txt"), "that end in .csv, .CSV, .csv.gz or .CSV.GZ do"),
        (("watch", "nosuchone"), "There is no execution nosuchone"),
        (("watch", "raw/training/none.csv"), "There is no object s3://"),
        (("stop", "nosuchone"), "There is no execution nosuchone"),
        (("retry", "nosuchone"), "There is no execution nosuchone"),
        (("logs", "nosuchone"), "There is no execution nosuchone"),
    ],
)
def test_what_is_not_there_is_named(aws, arguments, words):
    done = bikeshare(*arguments)
    assert done.returncode == 6
    assert words in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["watch", "stop", "retry", "logs"])
def test_what_is_not_deployed_is_said_so(aws, monkeypatch, command):
    monkeypatch.setenv("BIKESHARE_PROJECT", "elsewhere")
    done = bikeshare(command)
    assert done.returncode == 6
    assert "elsewhere-bikeshare-local-training and elsewhere-bikeshare-local-scoring are not deployed." in done.stderr
    assert "bikeshare deploy" in done.stderr


def test_a_key_may_be_written_as_a_uri(aws):
    uri = f"s3://{aws.settings.raw_bucket}/{KEY}"
    arn = json.loads(run("start", uri, "--json").output)["PipelineExecutionArn"]
    given = aws.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
    values = {item["Name"]: item["Value"] for item in given}
    assert (values["InputBucket"], values["InputKey"]) == (aws.settings.raw_bucket, KEY)
    assert "Gate" in bikeshare("watch", uri).stdout


def test_a_parameter_is_given_once(aws):
    done = bikeshare("start", KEY, "-p", "Seed=1", "-p", "Seed=2")
    assert done.returncode == 2
    assert "Seed is given twice" in done.stderr


def test_an_upload_is_watched_by_its_key(aws):
    """As its execution is there only after the event has come."""
    version = aws.s3.head_object(Bucket=aws.settings.raw_bucket, Key="raw/scoring/x.csv")["VersionId"]
    watching = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "watch", "raw/scoring/x.csv"],
        stdout=subprocess.PIPE,
        text=True,
    )
    given = {"InputKey": "raw/scoring/x.csv", "InputVersionId": version}
    arn = aws.sagemaker.start_pipeline_execution(
        PipelineName=aws.settings.scoring_pipeline_name,
        PipelineParameters=[{"Name": name, "Value": value} for name, value in given.items()],
        ClientRequestToken="u" * 32,
    )["PipelineExecutionArn"]
    assert "Ask" in watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    rest, _ = watching.communicate(timeout=60)
    identifier = arn.rpartition("/")[2]
    assert f"Execution {identifier} goes on. Stop it with: bikeshare stop {identifier}" in rest
    assert watching.returncode == 130
    assert json.loads(run("stop", "--json").output) == {"PipelineExecutionArn": arn}
    answer_stop(aws)
    stopped = bikeshare("watch", identifier)
    assert stopped.returncode == 6
    assert stopped.stderr.startswith(f"error: Execution {identifier} stopped after ")


def answer_stop(aws):
    """Take the message that a callback step sends when it is to stop, and let it."""
    aws.sagemaker.send_pipeline_execution_step_failure(CallbackToken=asked(aws, "Stopping"), FailureReason="stopped")


def asked(aws, status):
    """Take the next message with a status that a callback step sends; return its token."""
    url = aws.sqs.get_queue_url(QueueName="answers")["QueueUrl"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for message in aws.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            body = json.loads(message["Body"])
            if body["status"] == status:
                return body["token"]
    pytest.fail(f"the callback step never was {status}")


def test_what_was_stopped_goes_on_when_retried(aws):
    arn = json.loads(run("start", "raw/scoring/x.csv", "--json").output)["PipelineExecutionArn"]
    identifier = arn.rpartition("/")[2]
    running = bikeshare("retry", identifier)
    assert (running.returncode, "has not ended: Executing" in running.stderr) == (6, True)
    asked(aws, "Executing")
    run("stop", identifier)
    answer_stop(aws)
    assert bikeshare("watch", identifier).stderr.startswith(f"error: Execution {identifier} stopped after ")
    assert json.loads(run("retry", "--json").output) == {"PipelineExecutionArn": arn}
    aws.sagemaker.send_pipeline_execution_step_success(CallbackToken=asked(aws, "Executing"))
    assert json.loads(bikeshare("watch", identifier, "--json").stdout)["status"] == "Succeeded"
    done = bikeshare("retry", identifier)
    assert (done.returncode, "has already ended: Succeeded" in done.stderr) == (6, True)


def test_what_a_fail_step_has_ended_is_not_retried(aws):
    identifier = started().rpartition("/")[2]
    bikeshare("watch", identifier)
    done = bikeshare("retry", identifier, "--watch")
    assert (done.returncode, "Retrying execution" in done.stderr) == (6, True)


def test_an_execution_is_found_among_hundreds(aws):
    first = started().rpartition("/")[2]
    version = aws.s3.put_object(Bucket=aws.settings.raw_bucket, Key="raw/training/early.csv", Body=b"x")["VersionId"]
    given = {"InputKey": "raw/training/early.csv", "InputVersionId": version}
    values = [given, *({"InputKey": "raw/training/other.csv"} for _ in range(101))]
    for number, parameters in enumerate(values):
        aws.sagemaker.start_pipeline_execution(
            PipelineName=aws.settings.training_pipeline_name,
            PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
            ClientRequestToken=f"hundreds-{number:032}",
        )
    assert first in bikeshare("watch", first).stderr
    assert json.loads(bikeshare("watch", "raw/training/early.csv", "--json").stdout)["status"] == "Failed"


def test_errors_are_one_message_and_an_exit_code(aws, monkeypatch, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    monkeypatch.setattr(sys, "argv", ["bikeshare", "runs"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert "AWS_ENDPOINT_URL: 'nonsense' is not a URL" in capsys.readouterr().err
