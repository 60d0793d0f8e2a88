"""The kinds of requests that :mod:`benchmarks.endpoint_requests` sends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: Returns the client of a service.
Clients = Callable[[str], Any]

_BUCKET = "requests"
_LISTED = 100
_NAMED = 20
_LARGE = 4
_LARGE_BYTES = 8 << 20
_ROLE = "arn:aws:iam::123456789012:role/requests"
_TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
_ACCOUNT = "123456789012"
_RECORD_FEATURES = 12


@dataclass(frozen=True)
class Kind:
    """One kind of request.

    Attributes:
        call: makes the n-th request through boto3 clients.
        moto: whether moto's server supports it as well.
        share: fraction of the usual number of requests; below 1 for slow kinds.
    """

    name: str
    call: Callable[[Clients, int], object]
    moto: bool = True
    share: float = 1.0


def _queue(client: Clients) -> str:
    return f"{client('sqs').meta.endpoint_url}/{_ACCOUNT}/q"


def _small(client: Clients, number: int) -> object:
    return client("s3").put_object(Bucket=_BUCKET, Key=f"k{number}", Body=b"x" * 1024)


def _large(client: Clients, number: int) -> object:
    return client("s3").put_object(Bucket=_BUCKET, Key=f"large{number % _LARGE}", Body=bytes(_LARGE_BYTES))


def _get_large(client: Clients, number: int) -> object:
    return client("s3").get_object(Bucket=_BUCKET, Key=f"large{number % _LARGE}")


def _update_pipeline(client: Clients, number: int) -> object:
    step = {"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": str(number)}}
    return client("sagemaker").update_pipeline(PipelineName="p", PipelineDefinition=_definition(step))


def _definition(step: dict[str, Any]) -> str:
    return json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [step]})


def _put_policy(client: Clients, number: int) -> object:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{number}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return client("iam").put_role_policy(RoleName="requests", PolicyName="p", PolicyDocument=document)


def _describe_group(client: Clients, _number: int) -> object:
    return client("sagemaker").describe_feature_group(FeatureGroupName="g")


def _csv(client: Clients, number: int) -> object:
    return client("s3").put_object(
        Bucket=_BUCKET, Key=f"csv/{number}", Body=b"a,b,c\n" * 20_000, ContentType="text/csv"
    )


def _log(client: Clients, number: int) -> object:
    events = [{"timestamp": int(time.time() * 1000), "message": f"line {number}"}]
    return client("logs").put_log_events(logGroupName="g", logStreamName=f"s{number % _NAMED}", logEvents=events)


def _event(client: Clients, number: int) -> object:
    entry = {"Source": "requests", "DetailType": "measured", "Detail": json.dumps({"number": number})}
    return client("events").put_events(Entries=[entry])


def _put_record(client: Clients, number: int) -> object:
    values = {"id": str(number), "at": "1", **{f"f{n}": str(number / 7) for n in range(_RECORD_FEATURES)}}
    record = [{"FeatureName": name, "ValueAsString": value} for name, value in values.items()]
    return client("sagemaker-featurestore-runtime").put_record(FeatureGroupName="g", Record=record)


def _get_record(client: Clients, number: int) -> object:
    store = client("sagemaker-featurestore-runtime")
    return store.get_record(FeatureGroupName="g", RecordIdentifierValueAsString=str(number))


KINDS = (
    Kind("S3 PutObject 1 KiB", _small),
    Kind("S3 PutObject 120 kB", _csv),
    Kind("S3 PutObject 8 MiB", _large, share=0.1),
    Kind("S3 GetObject 1 KiB", lambda client, n: client("s3").get_object(Bucket=_BUCKET, Key=f"k{n % _NAMED}")),
    Kind("S3 GetObject 8 MiB", _get_large, share=0.1),
    Kind("S3 HeadObject", lambda client, n: client("s3").head_object(Bucket=_BUCKET, Key=f"k{n % _NAMED}")),
    Kind(
        "S3 CopyObject",
        lambda client, n: client("s3").copy_object(
            Bucket=_BUCKET, Key=f"copy{n}", CopySource={"Bucket": _BUCKET, "Key": f"k{n % _NAMED}"}
        ),
    ),
    Kind("S3 DeleteObject", lambda client, n: client("s3").delete_object(Bucket=_BUCKET, Key=f"copy{n}")),
    Kind(
        f"S3 ListObjectsV2 of {_LISTED}",
        lambda client, n: client("s3").list_objects_v2(Bucket=f"{_BUCKET}-listed", StartAfter=f"a{n}"),
    ),
    Kind(
        "SQS SendMessage",
        lambda client, n: client("sqs").send_message(QueueUrl=_queue(client), MessageBody=f"message {n}"),
    ),
    Kind("SQS ReceiveMessage", lambda client, _: client("sqs").receive_message(QueueUrl=_queue(client))),
    Kind(
        "SNS Publish",
        lambda client, n: client("sns").publish(TopicArn=f"arn:aws:sns:us-east-1:{_ACCOUNT}:t", Message=f"message {n}"),
    ),
    Kind("EventBridge PutEvents", _event),
    Kind("Logs PutLogEvents", _log),
    Kind("STS GetCallerIdentity", lambda client, _: client("sts").get_caller_identity()),
    Kind("IAM GetRole", lambda client, _: client("iam").get_role(RoleName="requests")),
    Kind("IAM PutRolePolicy", _put_policy),
    Kind("SageMaker UpdatePipeline", _update_pipeline, share=0.2),
    Kind("SageMaker DescribePipeline", lambda client, _: client("sagemaker").describe_pipeline(PipelineName="p")),
    Kind("SageMaker ListPipelines", lambda client, _: client("sagemaker").list_pipelines()),
    Kind("SageMaker DescribeModel", lambda client, n: client("sagemaker").describe_model(ModelName=f"m{n % _NAMED}")),
    Kind("SageMaker ListModels", lambda client, _: client("sagemaker").list_models()),
    Kind(
        "SageMaker ListModelPackages",
        lambda client, _: client("sagemaker").list_model_packages(ModelPackageGroupName="packages"),
    ),
    Kind(
        "SageMaker DescribeModelPackage",
        lambda client, n: client("sagemaker").describe_model_package(
            ModelPackageName=f"arn:aws:sagemaker:us-east-1:{_ACCOUNT}:model-package/packages/{1 + n % _NAMED}"
        ),
    ),
    Kind("SageMaker ListTrainingJobs", lambda client, _: client("sagemaker").list_training_jobs()),
    Kind(
        "SageMaker ListTags",
        lambda client, n: client("sagemaker").list_tags(
            ResourceArn=f"arn:aws:sagemaker:us-east-1:{_ACCOUNT}:model/m{n % _NAMED}"
        ),
    ),
    Kind("SageMaker DescribeFeatureGroup", _describe_group, moto=False),
    Kind("Feature Store PutRecord", _put_record, moto=False),
    Kind("Feature Store GetRecord", _get_record, moto=False),
)


def set_up(client: Clients, *, moto: bool) -> None:
    """Create what the requests need; the first request to a service also makes moto load it.

    Args:
        moto: whether the server is moto's, which fails on feature groups without an offline store.
    """
    for bucket in (_BUCKET, f"{_BUCKET}-listed"):
        client("s3").create_bucket(Bucket=bucket)
    for number in range(_LISTED):
        client("s3").put_object(Bucket=f"{_BUCKET}-listed", Key=f"key-{number}", Body=b"")
    for number in range(_NAMED):
        _small(client, number)
    for number in range(_LARGE):
        _large(client, number)
    client("sqs").create_queue(QueueName="q")
    client("sns").create_topic(Name="t")
    client("events").put_rule(Name="r", EventPattern=json.dumps({"source": ["somebody else"]}))
    client("logs").create_log_group(logGroupName="g")
    client("iam").create_role(RoleName="requests", AssumeRolePolicyDocument=_TRUST)
    sagemaker = client("sagemaker")
    step = {"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}
    sagemaker.create_pipeline(
        PipelineName="p", PipelineDefinition=_definition(step), ClientRequestToken="p" * 32, RoleArn=_ROLE
    )
    sagemaker.create_model_package_group(ModelPackageGroupName="packages")
    for number in range(_NAMED):
        client("logs").create_log_stream(logGroupName="g", logStreamName=f"s{number}")
        sagemaker.create_model(ModelName=f"m{number}", PrimaryContainer={"Image": "i"}, ExecutionRoleArn=_ROLE)
        sagemaker.create_model_package(ModelPackageGroupName="packages")
    if moto:
        return
    numbers = [{"FeatureName": f"f{n}", "FeatureType": "Fractional"} for n in range(_RECORD_FEATURES)]
    sagemaker.create_feature_group(
        FeatureGroupName="g",
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=[
            {"FeatureName": "id", "FeatureType": "String"},
            {"FeatureName": "at", "FeatureType": "Fractional"},
            *numbers,
        ],
        OnlineStoreConfig={"EnableOnlineStore": True},
        RoleArn=_ROLE,
    )
