"""An upload that nobody could be told of is replayed from the dead-letter queue, as the page on operations says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
KEY = "raw/training/nobody was told.csv"


def replay(deployed, bucket: str, key: str, version: str):
    """Run the page's command with the values of an event, and wait for the end of what it starts."""
    (command,) = re.findall(r'^bikeshare (start "s3://BUCKET/KEY".*)$', PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    values = {"BUCKET": bucket, "KEY": key, "VERSION_ID": version}
    words = [re.sub("|".join(values), lambda name: values[name[0]], word) for word in shlex.split(command)]
    return deployed.finished(deployed.command(*words).stdout.strip())


def test_an_undelivered_upload_is_replayed_and_counts_once(deployed, sample_csv, eventually):
    aws, settings = deployed.aws, deployed.settings
    aws.sagemaker.delete_pipeline(PipelineName=settings.training_pipeline_name, ClientRequestToken="t" * 32)
    version = deployed.put(KEY, sample_csv)
    queue = aws.sqs.get_queue_url(QueueName=settings.dead_letter_queue_name)["QueueUrl"]
    (message,) = eventually(
        lambda: aws.sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"], WaitTimeSeconds=5).get(
            "Messages"
        )
    )
    assert message["MessageAttributes"]["RULE_ARN"]["StringValue"] == settings.rule_arn(settings.rule_name("training"))
    detail = json.loads(message["Body"])["detail"]
    told = detail["bucket"]["name"], detail["object"]["key"], detail["object"]["version-id"]
    assert told == (settings.raw_bucket, KEY, version)

    deployed.command("deploy")
    first, again = replay(deployed, *told), replay(deployed, *told)
    assert [first.status, again.status] == ["Succeeded", "Succeeded"]
    done = [[step.name for step in one.steps if step.status == "Succeeded"] for one in (first, again)]
    assert ["Preprocess" in steps for steps in done] == [True, False]
    assert len(deployed.predictions()) == 1
    assert len(deployed.model_packages()) == 1
