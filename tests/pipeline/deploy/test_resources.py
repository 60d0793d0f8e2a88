"""Each kind of resource: made, found as wanted, changed back after a change by hand, removed, removed again."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pipeline.bundle import Bundle
from pipeline.deploy.buckets import Bucket
from pipeline.deploy.code import Code
from pipeline.deploy.feature_groups import FeatureGroup
from pipeline.deploy.pipelines import Pipeline
from pipeline.deploy.planner import apply_plan, destroy, make_plan
from pipeline.deploy.registry import ModelPackageGroup
from pipeline.deploy.resource import Action
from pipeline.deploy.roles import Role
from pipeline.deploy.rules import UploadRule
from pipeline.errors import DeploymentError

pytestmark = pytest.mark.xdist_group("deploy")

TAGS = {"project": "p", "environment": "test"}
ACCOUNT = "123456789012"
PIPELINE_ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:pipeline/things-training"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/things"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/*"]}],
}
DEFINITION = json.dumps(
    {"Version": "2020-12-01", "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]}
)

THINGS = {
    "bucket": Bucket("things-raw", "us-east-1", None, events=True, tags=TAGS),
    "bucket with a key": Bucket("things-kms", "eu-west-1", "alias/things", events=False, tags=TAGS),
    "role": Role("things", "sagemaker.amazonaws.com", ACCOUNT, POLICY, TAGS),
    "feature group": FeatureGroup(
        "things-daily", "day", "event_time", {"day": "String", "event_time": "String"}, ROLE_ARN, None, TAGS
    ),
    "model package group": ModelPackageGroup("things-regression", "a group", TAGS),
    "pipeline": Pipeline("things-training", PIPELINE_ARN, ROLE_ARN, DEFINITION, "things-raw", 3, TAGS),
    "rule": UploadRule(
        "things-upload", "things-raw", "raw/*.csv", PIPELINE_ARN, ROLE_ARN, {"InputKey": "$.detail.object.key"}, TAGS
    ),
}

CHANGED = {
    "bucket": {"tags": {"project": "other"}},
    "role": {
        "policy": {**POLICY, "Statement": [{**POLICY["Statement"][0], "Effect": "Deny"}]},
        "tags": {"project": "other"},
    },
    "feature group": {"features": {"day": "String", "event_time": "String", "temp": "Fractional"}},
    "model package group": {"tags": {"project": "other"}},
    "pipeline": {"definition": DEFINITION.replace("no", "other"), "max_parallel_steps": 5},
    "rule": {"key_pattern": "other/*.csv", "parameters": {"InputKey": "$.detail.object.etag"}},
}


@pytest.mark.parametrize("name", THINGS)
def test_made_as_wanted_and_removed_twice(aws, name):
    thing = THINGS[name]
    assert thing.current(aws) is None
    plan = make_plan([thing], aws)
    assert [change.action for change in plan.changes] == [Action.CREATE]
    apply_plan(plan, aws)
    assert make_plan([thing], aws).is_empty, make_plan([thing], aws).changes[0].differences
    destroy([thing], aws, keep_data=False)
    assert thing.current(aws) is None
    destroy([thing], aws, keep_data=False)


@pytest.mark.parametrize("name", CHANGED)
def test_another_wish_is_found_field_by_field_and_carried_out(aws, name):
    thing = THINGS[name]
    apply_plan(make_plan([thing], aws), aws)
    try:
        other = dataclasses.replace(thing, **CHANGED[name])
        plan = make_plan([other], aws)
        assert [change.action for change in plan.changes] == [Action.UPDATE]
        assert plan.changes[0].differences
        apply_plan(plan, aws)
        assert make_plan([other], aws).is_empty, make_plan([other], aws).changes[0].differences
    finally:
        destroy([thing], aws, keep_data=False)


def test_what_others_have_set_on_a_bucket_stays(aws):
    aws.s3.create_bucket(Bucket="things-shared")
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:uploads"
    aws._client("sqs").create_queue(QueueName="uploads")
    aws.s3.put_bucket_notification_configuration(
        Bucket="things-shared",
        NotificationConfiguration={
            "QueueConfigurations": [{"Id": "theirs", "QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    theirs = {
        "Sid": "Theirs",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::things-shared/*",
    }
    aws.s3.put_bucket_policy(
        Bucket="things-shared", Policy=json.dumps({"Version": "2012-10-17", "Statement": [theirs]})
    )
    bucket = Bucket("things-shared", "us-east-1", None, events=True, tags=TAGS)
    apply_plan(make_plan([bucket], aws), aws)
    assert make_plan([bucket], aws).is_empty
    notifications = aws.s3.get_bucket_notification_configuration(Bucket="things-shared")
    assert [item["Id"] for item in notifications["QueueConfigurations"]] == ["theirs"]
    statements = json.loads(aws.s3.get_bucket_policy(Bucket="things-shared")["Policy"])["Statement"]
    assert [statement["Sid"] for statement in statements] == ["Theirs", "DenyPlainHttp"]


def test_the_policy_against_plain_http_does_not_lock_the_owner_out(aws):
    bucket = Bucket("things-open", "us-east-1", None, events=False, tags=TAGS)
    apply_plan(make_plan([bucket], aws), aws)
    aws.s3.put_object(Bucket="things-open", Key="k", Body=b"v")
    assert aws.s3.get_object(Bucket="things-open", Key="k")["Body"].read() == b"v"


def test_a_bucket_with_files_is_kept_with_its_data(aws):
    bucket = Bucket("things-full", "us-east-1", None, events=False, tags=TAGS)
    apply_plan(make_plan([bucket], aws), aws)
    for body in (b"1", b"2"):
        aws.s3.put_object(Bucket="things-full", Key="k", Body=body)
    aws.s3.delete_object(Bucket="things-full", Key="k")
    destroy([bucket], aws, keep_data=True)
    assert bucket.current(aws) is not None
    destroy([bucket], aws, keep_data=False)
    assert bucket.current(aws) is None


def test_code_is_uploaded_once_and_completed_when_half_there(aws):
    aws.s3.create_bucket(Bucket="things-code")
    code = Code("things-code", Bundle("ab" * 32, b"archive", b"launcher"))
    apply_plan(make_plan([code], aws), aws)
    assert make_plan([code], aws).is_empty
    aws.s3.delete_object(Bucket="things-code", Key=f"code/{'ab' * 32}/run.sh")
    plan = make_plan([code], aws)
    assert [change.action for change in plan.changes] == [Action.UPDATE]
    apply_plan(plan, aws)
    assert aws.s3.get_object(Bucket="things-code", Key=f"code/{'ab' * 32}/run.sh")["Body"].read() == b"launcher"


def test_a_feature_can_not_change_its_type(aws):
    group = FeatureGroup(
        "things-typed", "day", "event_time", {"day": "String", "event_time": "String"}, ROLE_ARN, None, TAGS
    )
    apply_plan(make_plan([group], aws), aws)
    other = dataclasses.replace(group, features={"day": "Integral", "event_time": "String"})
    with pytest.raises(DeploymentError, match="'day' would have to be removed or change its type"):
        apply_plan(make_plan([other], aws), aws)


def test_a_definition_too_large_for_the_call_goes_by_way_of_s3(aws):
    aws.s3.create_bucket(Bucket="things-definitions")
    large = json.dumps(
        {
            "Version": "2020-12-01",
            "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "x" * 120_000}}],
        }
    )
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:pipeline/things-large"
    pipeline = Pipeline("things-large", arn, ROLE_ARN, large, "things-definitions", 3, TAGS)
    apply_plan(make_plan([pipeline], aws), aws)
    assert make_plan([pipeline], aws).is_empty
    aws.s3.head_object(Bucket="things-definitions", Key="definitions/things-large.json")
