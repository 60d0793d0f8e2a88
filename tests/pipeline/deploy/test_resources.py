"""Each kind of resource: made, found as wanted, changed back after a change by hand, removed, removed again."""

from __future__ import annotations

import base64
import dataclasses
import json

import pytest

from localmaker.images.table import DEFAULT_IMAGE
from pipeline.definition.bundle import Bundle
from pipeline.deploy.engine.planner import apply_plan, destroy, make_plan
from pipeline.deploy.engine.resource import Action
from pipeline.deploy.engine.tags import without_reserved
from pipeline.deploy.resources.alarms import coverage_alarm
from pipeline.deploy.resources.buckets import Bucket
from pipeline.deploy.resources.catalog import Database
from pipeline.deploy.resources.code import Code
from pipeline.deploy.resources.feature_groups import FeatureGroup
from pipeline.deploy.resources.log_groups import LogGroup
from pipeline.deploy.resources.model_package_groups import ModelPackageGroup
from pipeline.deploy.resources.pipelines import Pipeline
from pipeline.deploy.resources.prediction_tables import PREDICTION_COLUMNS, PredictionTable, prediction_tables
from pipeline.deploy.resources.queues import Queue
from pipeline.deploy.resources.roles import Role
from pipeline.deploy.resources.rules import failure_rule, upload_rule
from pipeline.deploy.resources.schedules import training_schedule
from pipeline.deploy.resources.topics import Topic
from pipeline.errors import DeploymentError
from pipeline.settings.environment import load_settings

pytestmark = pytest.mark.xdist_group("deploy")

TAGS = {"project": "p", "environment": "test"}
ACCOUNT = "123456789012"
PIPELINE_ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:pipeline/things-training"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/things"
QUEUE_ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:things-undelivered"
TOPIC_ARN = f"arn:aws:sns:us-east-1:{ACCOUNT}:things-alarms"
RULE_ARN = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/things-failed"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/*"]}],
}
DEFINITION = json.dumps(
    {"Version": "2020-12-01", "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]}
)

SETTINGS = load_settings("local").model_copy(update={"project": "things", "account_id": ACCOUNT})

THINGS = {
    "bucket": Bucket("things-raw", "us-east-1", None, events=True, tags=TAGS),
    "bucket with a key": Bucket("things-kms", "eu-west-1", "alias/things", events=False, tags=TAGS),
    "role": Role("things", "sagemaker.amazonaws.com", ACCOUNT, POLICY, tags=TAGS),
    "feature group": FeatureGroup(
        "things-daily", "day", "event_time", {"day": "String", "event_time": "String"}, ROLE_ARN, None, tags=TAGS
    ),
    "model package group": ModelPackageGroup("things-regression", "a group", tags=TAGS),
    "pipeline": Pipeline("things-training", PIPELINE_ARN, ROLE_ARN, DEFINITION, "things-raw", 3, tags=TAGS),
    "rule": upload_rule(SETTINGS, "training"),
    "schedule": dataclasses.replace(training_schedule(SETTINGS), expression="cron(0 3 1 * ? *)", tags=TAGS),
    "alarm": failure_rule(SETTINGS, ["training"]),
    "coverage alarm": dataclasses.replace(coverage_alarm(SETTINGS, "training"), threshold=0.85, tags=TAGS),
    "queue": Queue("things-undelivered", QUEUE_ARN, (RULE_ARN,), None, tags=TAGS),
    "queue with a key": Queue("things-kms", f"{QUEUE_ARN}-kms", (RULE_ARN,), "alias/things", tags=TAGS),
    "topic": Topic("things-alarms", TOPIC_ARN, ("a@example.com",), None, tags=TAGS),
    "topic with a key": Topic(
        "things-kms", f"arn:aws:sns:us-east-1:{ACCOUNT}:things-kms", (), "alias/things", tags=TAGS
    ),
    "database": Database("things", f"arn:aws:glue:us-east-1:{ACCOUNT}:database/things", "of things", tags=TAGS),
    "log group": LogGroup("/aws/things/ProcessingJobs", 30, tags=TAGS),
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
    "rule": {
        "pattern": {"source": ["other"]},
        "target": {**THINGS["rule"].target, "Id": "other"},
        "tags": {"project": "other"},
    },
    "schedule": {
        "expression": "rate(7 days)",
        "timezone": "Europe/Zurich",
        "target": {**training_schedule(SETTINGS).target, "Input": '{"PipelineName": "other"}'},
        "tags": {"project": "other"},
    },
    "queue": {"senders": (ROLE_ARN,), "kms_key": "alias/other", "tags": {"project": "other"}},
    "queue with a key": {"kms_key": None},
    "coverage alarm": {"threshold": 0.9, "topic": f"{TOPIC_ARN}-other", "tags": {"project": "other"}},
    "topic": {
        "emails": ("a@example.com", "b@example.com"),
        "kms_key": "alias/other",
        "tags": {"project": "other"},
    },
    "database": {"description": "other", "tags": {"project": "other"}},
    "log group": {"retention_days": 7, "tags": {**TAGS, "cost": "other"}},
}


@pytest.mark.parametrize("name", THINGS)
def test_created_as_desired_and_removed_twice(aws, name):
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
def test_another_desired_state_is_found_field_by_field_and_applied(aws, name):
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


def test_a_schedule_that_is_not_set_any_more_rests(aws):
    schedule = THINGS["schedule"]
    off = dataclasses.replace(schedule, expression=None)
    assert make_plan([off], aws).is_empty
    apply_plan(make_plan([schedule], aws), aws)
    try:
        aws.scheduler.delete_schedule(Name=schedule.name, GroupName=schedule.name)  # by hand: the group remains
        assert make_plan([off], aws).is_empty
        apply_plan(make_plan([schedule], aws), aws)
        assert make_plan([schedule], aws).is_empty
        plan = make_plan([off], aws)
        assert [change.action for change in plan.changes] == [Action.UPDATE]
        apply_plan(plan, aws)
        assert make_plan([off], aws).is_empty
        assert [item.field for item in make_plan([schedule], aws).changes[0].differences] == ["state"]
    finally:
        destroy([off], aws, keep_data=False)
    assert schedule.current(aws) is None


def test_an_alarm_that_is_not_set_any_more_tells_nobody(aws):
    alarm = THINGS["coverage alarm"]
    off = dataclasses.replace(alarm, threshold=None)
    assert make_plan([off], aws).is_empty
    apply_plan(make_plan([alarm], aws), aws)
    try:
        plan = make_plan([off], aws)
        assert [(change.action, change.differences[0].field) for change in plan.changes] == [(Action.UPDATE, "enabled")]
        apply_plan(plan, aws)
        assert make_plan([off], aws).is_empty
        assert [item.field for item in make_plan([alarm], aws).changes[0].differences] == ["enabled"]
    finally:
        destroy([off], aws, keep_data=False)
    assert alarm.current(aws) is None


def test_only_our_alarms_may_publish_to_the_topic():
    arn = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:things-training-coverage"
    topic = dataclasses.replace(THINGS["topic"], alarms=(arn,))
    (events, alarms) = topic.policy()["Statement"]
    assert events == THINGS["topic"].policy()["Statement"][0]
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Condition"] == {"ArnEquals": {"aws:SourceArn": [arn]}}


def test_a_schedule_rests_while_its_pipeline_is_missing():
    schedule = THINGS["schedule"]
    pipeline = dataclasses.replace(THINGS["pipeline"], arn=schedule.starts)
    assert schedule.triggers(pipeline)
    assert not schedule.triggers(THINGS["pipeline"])
    assert not dataclasses.replace(schedule, expression=None).triggers(pipeline)


def test_a_bucket_asks_kms_once_in_a_while_and_says_when_somebody_switched_that_off(aws):
    bucket = THINGS["bucket with a key"]
    apply_plan(make_plan([bucket], aws), aws)
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/things"}
    aws.s3.put_bucket_encryption(
        Bucket=bucket.name,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]},
    )
    plan = make_plan([bucket], aws)
    assert [item.field for item in plan.changes[0].differences] == ["encryption"]
    apply_plan(plan, aws)
    (rule,) = aws.s3.get_bucket_encryption(Bucket=bucket.name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule == {"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}
    destroy([bucket], aws, keep_data=False)


def test_tags_of_aws_itself_are_left_out():
    assert without_reserved({"aws:cloudformation:stack-name": "x", "project": "p"}) == {"project": "p"}


@pytest.mark.parametrize("single", [True, False])
def test_what_others_have_set_on_a_bucket_stays(aws, single):
    name = f"things-shared-{single}".lower()
    aws.s3.create_bucket(Bucket=name)
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:uploads"
    aws._new_client("sqs").create_queue(QueueName="uploads")
    aws.s3.put_bucket_notification_configuration(
        Bucket=name,
        NotificationConfiguration={
            "QueueConfigurations": [{"Id": "theirs", "QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    theirs = {
        "Sid": "Theirs",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    # S3 takes a single statement without a list around it, and hands it out as it was put.
    statement = theirs if single else [theirs]
    aws.s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": statement}))
    aws.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "owner", "Value": "them"}]})
    bucket = Bucket(name, "us-east-1", None, events=True, tags=TAGS, existing=True)
    apply_plan(make_plan([bucket], aws), aws)
    assert make_plan([bucket], aws).is_empty
    notifications = aws.s3.get_bucket_notification_configuration(Bucket=name)
    assert [item["Id"] for item in notifications["QueueConfigurations"]] == ["theirs"]
    statements = json.loads(aws.s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]
    assert [statement["Sid"] for statement in statements] == ["Theirs", "DenyPlainHttp"]
    tags = {tag["Key"]: tag["Value"] for tag in aws.s3.get_bucket_tagging(Bucket=name)["TagSet"]}
    assert tags == {"owner": "them", **TAGS}
    destroy([bucket], aws, keep_data=False)
    assert bucket.current(aws) is not None


def test_two_environments_share_a_bucket_of_others(aws):
    aws.s3.create_bucket(Bucket="things-of-all")
    tags = [{"Key": "project", "Value": "theirs"}]
    aws.s3.put_bucket_tagging(Bucket="things-of-all", Tagging={"TagSet": tags})
    first, second = (
        Bucket("things-of-all", "us-east-1", key, events=True, tags={**TAGS, "environment": name}, existing=True)
        for name, key in (("dev", None), ("test", "alias/test"))
    )
    for bucket in (first, second):
        apply_plan(make_plan([bucket], aws), aws)
    assert make_plan([first, second], aws).is_empty
    tags = {tag["Key"]: tag["Value"] for tag in aws.s3.get_bucket_tagging(Bucket="things-of-all")["TagSet"]}
    assert tags == {"project": "theirs", "environment": "dev"}


def test_the_key_of_its_owner_stays(aws):
    aws.s3.create_bucket(Bucket="things-keyed")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/theirs"}}
    aws.s3.put_bucket_encryption(Bucket="things-keyed", ServerSideEncryptionConfiguration={"Rules": [rule]})
    for key in (None, "alias/ours"):
        bucket = Bucket("things-keyed", "us-east-1", key, events=True, tags=TAGS, existing=True)
        apply_plan(make_plan([bucket], aws), aws)
        assert make_plan([bucket], aws).is_empty
    found = aws.s3.get_bucket_encryption(Bucket="things-keyed")["ServerSideEncryptionConfiguration"]["Rules"]
    assert [item["ApplyServerSideEncryptionByDefault"] for item in found] == [
        rule["ApplyServerSideEncryptionByDefault"]
    ]


def test_a_bucket_of_another_region_is_refused(aws):
    where = {"LocationConstraint": "eu-west-1"}
    aws.s3.create_bucket(Bucket="things-in-ireland", CreateBucketConfiguration=where)
    bucket = Bucket("things-in-ireland", "us-east-1", None, events=True, tags=TAGS, existing=True)
    with pytest.raises(DeploymentError, match="is in eu-west-1, and the environment in us-east-1") as named:
        make_plan([bucket], aws)
    assert named.value.hint == "Name a bucket of this region under [buckets]."
    with pytest.raises(DeploymentError) as own:
        make_plan([dataclasses.replace(bucket, existing=False)], aws)
    assert str(own.value.hint).endswith("give each region an environment of its own.")


def test_a_bucket_that_should_exist_and_does_not_is_an_error(aws):
    bucket = Bucket("things-nowhere", "us-east-1", None, events=False, tags=TAGS, existing=True)
    with pytest.raises(DeploymentError, match="settings name bucket things-nowhere"):
        make_plan([bucket], aws)


def test_a_log_group_of_others_is_left_alone(aws):
    group = LogGroup("/aws/theirs/ProcessingJobs", 30, tags=TAGS)
    aws.logs.create_log_group(logGroupName=group.name)
    (change,) = make_plan([group], aws).changes
    assert change.action is Action.KEEP
    assert change.note == "shared in the account and created by somebody else; keeps logs for ever"
    aws.logs.tag_log_group(logGroupName=group.name, tags={"project": "bikeshare", "environment": "dev"})
    aws.logs.put_retention_policy(logGroupName=group.name, retentionInDays=90)
    (change,) = make_plan([group], aws).changes
    assert change.note == "shared in the account and created by bikeshare-dev; keeps logs 90 days"
    destroy([group], aws, keep_data=False)
    assert aws.logs.describe_log_groups(logGroupNamePrefix=group.name)["logGroups"]


def test_a_log_group_with_logs_in_it_stays(aws):
    group = LogGroup("/aws/ours/ProcessingJobs", 30, tags=TAGS)
    apply_plan(make_plan([group], aws), aws)
    aws.logs.create_log_stream(logGroupName=group.name, logStreamName="pipelines-x")
    destroy([group], aws, keep_data=False)
    assert group.current(aws) == group.desired()


SLEEPS = json.dumps(
    {
        "Version": "2020-12-01",
        "Steps": [
            {
                "Name": "Sleep",
                "Type": "Processing",
                "Arguments": {
                    "AppSpecification": {
                        "ImageUri": DEFAULT_IMAGE,
                        "ContainerEntrypoint": ["python", "-uc", "import time; print('up'); time.sleep(300)"],
                    },
                    "ProcessingResources": {
                        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
                    },
                    "RoleArn": ROLE_ARN,
                },
            }
        ],
    }
)


@pytest.mark.parametrize("keep_data", [True, False])
def test_a_running_execution_is_stopped_and_its_logs_are_data(aws, keep_data, eventually):
    name = f"things-running-{keep_data}".lower()
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:pipeline/{name}"
    # The real group: SageMaker knows no other.
    group = LogGroup("/aws/sagemaker/ProcessingJobs", 30, tags=TAGS, pipelines=(name, "things-never-there"))
    things = [Pipeline(name, arn, ROLE_ARN, SLEEPS, "things-raw", 3, tags=TAGS), group]
    apply_plan(make_plan(things, aws), aws)
    aws.logs.create_log_stream(logGroupName=group.name, logStreamName=f"theirs-{keep_data}")
    execution = aws.sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
    identifier = execution.rpartition("/")[2]

    def streams(prefix):
        found = aws.logs.describe_log_streams(logGroupName=group.name, logStreamNamePrefix=prefix)["logStreams"]
        return [stream["logStreamName"] for stream in found]

    eventually(lambda: streams(f"pipelines-{identifier}-"))
    destroy(things, aws, keep_data=keep_data)
    assert things[0].current(aws) is None
    jobs = aws.sagemaker.list_processing_jobs(NameContains=identifier)["ProcessingJobSummaries"]
    assert [job["ProcessingJobStatus"] for job in jobs] == ["Stopped"]
    assert (streams(f"pipelines-{identifier}-") != []) is keep_data
    assert streams("theirs") != []
    destroy(things, aws, keep_data=keep_data)
    aws.logs.delete_log_group(logGroupName=group.name)


def test_logs_of_executions_whose_pipeline_is_gone_are_known_by_their_data(aws):
    aws.s3.create_bucket(Bucket="things-runs")
    aws.s3.put_object(Bucket="things-runs", Key="runs/abc123def456/Train/model.tar.gz", Body=b"x")
    group = LogGroup("/aws/kept/ProcessingJobs", 30, tags=TAGS, pipelines=("things-gone",), runs_bucket="things-runs")
    apply_plan(make_plan([group], aws), aws)
    names = ["pipelines-abc123def456-Train-x/algo-1", "pipelines-ffffffffffff-Train-x/algo-1"]
    for name in names:
        aws.logs.create_log_stream(logGroupName=group.name, logStreamName=name)
    destroy([group], aws, keep_data=True)
    assert len(aws.logs.describe_log_streams(logGroupName=group.name)["logStreams"]) == 2
    destroy([group], aws, keep_data=False)
    left = aws.logs.describe_log_streams(logGroupName=group.name)["logStreams"]
    assert [stream["logStreamName"] for stream in left] == names[1:]
    aws.logs.delete_log_stream(logGroupName=group.name, logStreamName=names[1])
    aws.s3.delete_object(Bucket="things-runs", Key="runs/abc123def456/Train/model.tar.gz")
    destroy([group], aws, keep_data=False)
    assert group.current(aws) is None


def test_a_rule_that_was_given_a_schedule_instead_of_its_pattern_gets_it_back(aws):
    rule = dataclasses.replace(THINGS["rule"], name="things-by-the-clock")
    apply_plan(make_plan([rule], aws), aws)
    aws.events.put_rule(Name=rule.name, EventPattern="", ScheduleExpression="rate(1 day)", State="ENABLED")
    plan = make_plan([rule], aws)
    assert [item.field for item in plan.changes[0].differences] == ["pattern", "schedule"]
    apply_plan(plan, aws)
    assert make_plan([rule], aws).is_empty
    destroy([rule], aws, keep_data=False)


def test_undelivered_events_are_data(aws):
    queue = dataclasses.replace(THINGS["queue"], name="things-kept", arn=f"{QUEUE_ARN}-kept")
    apply_plan(make_plan([queue], aws), aws)
    url = aws.sqs.get_queue_url(QueueName=queue.name)["QueueUrl"]
    aws.sqs.send_message(QueueUrl=url, MessageBody="event")
    destroy([queue], aws, keep_data=True)
    assert queue.current(aws) is not None
    destroy([queue], aws, keep_data=False)
    assert queue.current(aws) is None


def tables_of(environment: str) -> tuple[Database, list]:
    """Return the database of an environment and what is in it."""
    settings = SETTINGS.model_copy(update={"environment": environment})
    name = settings.database_name
    database = Database(name, arn=settings.arn("glue", f"database/{name}"), description="of things", tags=TAGS)
    return database, prediction_tables(settings)


def test_the_tables_have_the_columns_that_are_published_and_need_no_crawler(aws):
    from analysis.runtime.names import PREDICTED

    assert tuple(PREDICTION_COLUMNS) == PREDICTED
    database, made = tables_of("tables")
    apply_plan(make_plan([database, *made], aws), aws)
    folder = f"s3://{made[0].bucket}/predictions/forecast-lagged/"
    found = aws.glue.get_table(DatabaseName=database.name, Name="predictions_forecast_lagged")["Table"]
    assert found["Parameters"]["storage.location.template"] == f"{folder}dt=${{dt}}/"
    assert found["StorageDescriptor"]["Location"] == folder
    assert found["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]
    table = next(thing for thing in made if isinstance(thing, PredictionTable))
    other = dataclasses.replace(table, bucket="other-predictions")
    plan = make_plan([database, other], aws)
    assert [item.field for item in plan.changes[1].differences] == ["location", "parameters"]
    apply_plan(plan, aws)
    assert make_plan([database, other], aws).is_empty
    destroy([database, *made], aws, keep_data=True)
    assert database.current(aws) is None


def test_a_view_is_what_athena_stores_for_one(aws):
    """As Trino's ConnectorViewDefinition, in base64 inside a comment; see prediction_tables.py."""
    database, made = tables_of("views")
    apply_plan(make_plan([database, *made], aws), aws)
    found = aws.glue.get_table(DatabaseName=database.name, Name="predictions_parity_latest")["Table"]
    assert (found["TableType"], found["Parameters"]["presto_view"]) == ("VIRTUAL_VIEW", "true")
    text = found["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    definition = json.loads(base64.b64decode(text, validate=True))
    assert (definition["catalog"], definition["schema"]) == ("awsdatacatalog", database.name)
    kinds = {column["name"]: column["type"] for column in definition["columns"]}
    assert list(kinds) == [column["Name"] for column in found["StorageDescriptor"]["Columns"]]
    assert list(kinds) == ["date", *PREDICTION_COLUMNS, "dt"]
    assert (kinds["prediction"], kinds["actual"], kinds["history_gap"], kinds["dt"]) == (
        "double", "double", "integer", "varchar",
    )  # fmt: skip
    assert f"FROM {database.name}.predictions_parity) WHERE uploaded_at = newest_upload" in definition["originalSql"]
    destroy([database, *made], aws, keep_data=True)


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


def test_environments_that_share_a_bucket_share_the_functions_code(aws):
    """Their jobs' code differs while the functions' does not: neither deployment changes what is the other's."""
    aws.s3.create_bucket(Bucket="things-shared")
    codes = [
        Code(f"code/{digits}", "things-shared", Bundle(digits, b"archive", b"launcher", b"functions"))
        for digits in ("ab" * 32, "cd" * 32)
    ]
    for code in codes:
        apply_plan(make_plan([code], aws), aws)
    assert all(make_plan([code], aws).is_empty for code in codes)


def test_code_is_uploaded_once_and_completed_when_half_there(aws):
    aws.s3.create_bucket(Bucket="things-code")
    code = Code(f"code/{'ab' * 32}", "things-code", Bundle("ab" * 32, b"archive", b"launcher", b"functions"))
    apply_plan(make_plan([code], aws), aws)
    assert make_plan([code], aws).is_empty
    aws.s3.delete_object(Bucket="things-code", Key=f"code/{'ab' * 32}/run.sh")
    plan = make_plan([code], aws)
    assert [change.action for change in plan.changes] == [Action.UPDATE]
    apply_plan(plan, aws)
    assert aws.s3.get_object(Bucket="things-code", Key=f"code/{'ab' * 32}/run.sh")["Body"].read() == b"launcher"


def test_a_feature_can_not_change_its_type(aws):
    group = FeatureGroup(
        "things-typed", "day", "event_time", {"day": "String", "event_time": "String"}, ROLE_ARN, None, tags=TAGS
    )
    apply_plan(make_plan([group], aws), aws)
    other = dataclasses.replace(group, features={"day": "Integral", "event_time": "String"})
    (change,) = make_plan([other], aws).changes
    assert (change.action, "it has feature 'day' of type String" in change.note) == (Action.REPLACE, True)


def test_a_definition_too_large_for_the_call_goes_by_way_of_s3(aws):
    aws.s3.create_bucket(Bucket="things-definitions")
    large = json.dumps(
        {
            "Version": "2020-12-01",
            "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "x" * 120_000}}],
        }
    )
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:pipeline/things-large"
    pipeline = Pipeline("things-large", arn, ROLE_ARN, large, "things-definitions", 3, tags=TAGS)
    apply_plan(make_plan([pipeline], aws), aws)
    assert make_plan([pipeline], aws).is_empty
    aws.s3.head_object(Bucket="things-definitions", Key="definitions/things-large.json")
