"""`bikeshare preflight` as a whole, on good and bad accounts."""

from __future__ import annotations

import json

import pytest

from tests.pipeline.preflight.conftest import NOTHING

pytestmark = pytest.mark.slow

KEY_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"},
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "*",
        },
    ],
}


@pytest.fixture
def more(vpc, client):
    """Settings with a network and a key that are as they should be."""
    vpc.s3()
    vpc.interface("sagemaker.api")
    vpc.interface("sagemaker.featurestore-runtime")
    vpc.interface("monitoring")
    vpc.interface("athena")
    key = client("kms").create_key(Policy=json.dumps(KEY_POLICY))["KeyMetadata"]["Arn"]
    return f'kms_key = "{key}"\n[network]\nsubnets = ["{vpc.subnet}"]\nsecurity_groups = ["{vpc.group}"]\n'


def test_a_good_account_read_with_the_permissions_that_are_printed(command, more, sign_in):
    printed = [
        command("--permissions", "--purpose", purpose, more=more, name="trust-policy")
        for purpose in ("preflight", "deploy")
    ]
    statements = [statement for result in printed for statement in json.loads(result.output)["Statement"]]
    sign_in({"Version": "2012-10-17", "Statement": statements})
    result = command(more=more)
    assert result.exit_code == 0, result.output
    assert "could not tell" not in "\n".join(result.output.splitlines()[:-1])
    assert result.output.splitlines()[-1].endswith(" ok, 0 problem, 0 could not tell")
    areas = {line.split()[1] for line in result.output.splitlines()[:-1]}
    assert areas == {"definitions", "quota", "network", "key", "name", "operator"}


def test_a_bad_account_names_every_problem(command, more, settings, client):
    client("sqs").create_queue(QueueName=settings.dead_letter_queue_name)
    result = command("--json", more=more + '[instances]\ntraining = "ml.p4d.24xlarge"\n')
    assert result.exit_code == 5, result.output
    answer = json.loads(result.output)
    problems = {item["about"]: item["fix"] for item in answer["answers"] if item["verdict"] == "problem"}
    assert set(problems) == {"ml.p4d.24xlarge for training job usage", f"queue {settings.dead_letter_queue_name}"}
    assert all(problems.values())
    assert answer["ok"] is False


def test_who_may_read_nothing_gets_an_answer_to_every_question(command, more, settings, sign_in):
    sign_in(NOTHING)
    result = command("--json", more=more)
    answers = json.loads(result.output)["answers"]
    assert {item["area"] for item in answers} == {"definitions", "quota", "network", "key", "name", "operator"}
    unread = [item for item in answers if item["verdict"] == "could not tell"]
    assert {"quota", "network", "key", "name", "operator"} == {item["area"] for item in unread}
    network = next(item for item in unread if item["area"] == "network")
    assert network["detail"] in {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}
    assert "ec2:DescribeSubnets" in network["fix"]


def test_another_accounts_credentials_are_refused(settings, monkeypatch):
    from pipeline.aws.clients import Aws
    from pipeline.errors import DeploymentError
    from pipeline.preflight.questions import preflight

    with pytest.raises(DeploymentError, match="belong to account"):
        preflight(Aws(settings.model_copy(update={"account_id": "1" * 12})))
