"""Least privilege of the Lambda functions: each has a role that may do what its script does, and nothing else."""

from collections.abc import Iterator
from typing import Any

from pipeline.deploy.engine.policy import allow, document
from pipeline.deploy.permissions.execution import bucket_keys, key_resource
from pipeline.deploy.permissions.publishing import measuring, publishing
from pipeline.deploy.permissions.stack_arns import StackArns
from pipeline.settings.contract import CALLED_BY_RULES, Function
from pipeline.settings.environment import Settings

_INTERFACES = (
    "ec2:AssignPrivateIpAddresses CreateNetworkInterface DeleteNetworkInterface DescribeNetworkInterfaces"
    " DescribeSecurityGroups DescribeSubnets DescribeVpcs UnassignPrivateIpAddresses"
)


def function_policy(settings: Settings, function: Function) -> dict[str, Any]:
    """Return what a function may do."""
    statements = {
        Function.CLAIM: claiming,
        Function.SELECT_MODEL: selecting,
        Function.READ_HISTORY: reading_history,
        Function.PUBLISH: publishing,
        Function.SCORE_PREDICTIONS: measuring,
        Function.SWEEP: _sweeping,
        Function.FOLLOW_MODEL: _following,
    }[function]
    reads_data = function in {Function.CLAIM, Function.READ_HISTORY, Function.PUBLISH, Function.SCORE_PREDICTIONS}
    group = settings.arn("logs", f"log-group:/aws/lambda/{settings.function_name(function)}:*")
    return document(
        [
            *statements(settings),
            # Deployment creates the group, with its retention.
            allow("logs:CreateLogStream PutLogEvents", [group]),
            *(_keys(settings) if reads_data or function in CALLED_BY_RULES else ()),
            *(bucket_keys(settings) if reads_data else ()),
            *(interfaces(settings.function_arn(function)) if settings.network.subnets else ()),
        ]
    )


def claiming(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield what ``claim.py`` needs."""
    arns = StackArns(settings)
    yield allow("s3:GetObject GetObjectVersion", [f"{arns.raw}/*"])
    yield allow("s3:ListBucket ListBucketVersions", [arns.raw])
    yield allow("s3:GetObject PutObject", [f"{arns.artifacts}/claims/*"])
    # The metadata of the packed code name its commit.
    yield allow("s3:GetObject", [f"{arns.artifacts}/code/*"])
    # A file of more than 5 GB is copied in parts.
    yield allow("s3:AbortMultipartUpload PutObject", [f"{arns.artifacts}/inputs/*"])
    # Without it S3 answers "forbidden" for an object that is not there.
    yield allow("s3:ListBucket", [arns.artifacts])
    yield allow("sagemaker:DescribePipelineExecution", arns.executions)
    yield allow("sagemaker:DescribeModelPackage ListModelPackages", [arns.model_versions])


def selecting(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield what ``select_model.py`` needs."""
    yield allow("sagemaker:DescribeModelPackage ListModelPackages", [StackArns(settings).model_versions])


def reading_history(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield what ``read_history.py`` needs: Athena reads and writes with the rights of who asks."""
    arns = StackArns(settings)
    yield allow("sagemaker:DescribeFeatureGroup", arns.feature_groups)
    yield allow("athena:GetQueryExecution StartQueryExecution StopQueryExecution", [arns.work_group])
    yield allow("glue:GetDatabase", arns.catalog_to_query)
    yield allow("glue:GetDatabase GetPartition GetPartitions GetTable", arns.offline_tables)
    yield allow("s3:GetObject", [arns.offline_objects])
    yield allow("s3:GetBucketLocation ListBucket ListBucketMultipartUploads", [arns.artifacts])
    written = [f"{arns.artifacts}/runs/*", f"{arns.artifacts}/inputs/no-history/*"]
    # Athena looks at what it has written, and writes large files in parts.
    yield allow("s3:AbortMultipartUpload GetObject ListMultipartUploadParts PutObject", written)


def _sweeping(settings: Settings) -> Iterator[dict[str, Any]]:
    arns = StackArns(settings)
    # ListModels has no resource level in AWS.
    yield allow("sagemaker:ListModels", ["*"])
    yield allow("sagemaker:DeleteModel ListTags", [settings.arn("sagemaker", "model/pipelines-*")])
    yield allow("sagemaker:DescribePipelineExecution", arns.executions)
    # A call that fails in spite of Lambda's own retries is told to the alarm topic.
    yield allow("sns:Publish", [arns.topic])


def _following(settings: Settings) -> Iterator[dict[str, Any]]:
    arns = StackArns(settings)
    yield allow("sagemaker:DescribeModelPackage ListModelPackages UpdateModelPackage", [arns.model_versions])
    yield allow(
        "sagemaker:AddTags CreateModelCard DeleteModelCard DescribeModelCard UpdateModelCard", [arns.model_cards]
    )
    # ListModelCards has no resource level in AWS.
    yield allow("sagemaker:ListModelCards", ["*"])
    # As for the sweep.
    yield allow("sns:Publish", [arns.topic])


def _keys(settings: Settings) -> Iterator[dict[str, Any]]:
    if settings.kms_key is not None:
        resource, condition = key_resource(settings, settings.kms_key)
        yield allow("kms:Decrypt GenerateDataKey", [resource], **condition)


def interfaces(functions: str) -> Iterator[dict[str, Any]]:
    """Yield what Lambda needs to put functions (an ARN) into subnets, and keep the functions themselves from using it.

    Lambda checks these without a resource ("Giving Lambda functions access to resources in an Amazon VPC").
    """
    yield allow(_INTERFACES, ["*"])
    of_function = {"ArnEquals": {"lambda:SourceFunctionArn": functions}}
    yield {**allow(_INTERFACES, ["*"], Condition=of_function), "Effect": "Deny"}
