"""Permissions of those who work with an environment: CI, which plans, deploys and removes it, and people, who use it.

GitHub Actions proves by a short-lived OIDC token which repository, branch or deployment environment a job runs in; no
key is stored anywhere. CI has three roles in an AWS account:

- ``plan``, for pull requests and for the comparison of main with the account (drift), only reads.
- ``deploy``, for the GitHub environment of the same name as ours, creates and changes the stack's resources. Roles it
  can change only below the permissions boundary, and not free them of it; without a boundary, it can change none.
- ``destroy``, for the GitHub environment ``<name>-destroy``, removes them, and data.
"""

import re
from collections.abc import Iterator
from typing import Any, Literal

from pipeline.deploy.engine.policy import allow, allow_principal, document, merged
from pipeline.deploy.offline_store import OFFLINE_DATABASE
from pipeline.deploy.permissions.execution import bucket_keys, key_resource, machines, own_key, passing
from pipeline.deploy.permissions.functions import interfaces
from pipeline.deploy.permissions.publishing import putting_metrics
from pipeline.deploy.permissions.stack_arns import StackArns
from pipeline.errors import SettingsError
from pipeline.settings.contract import CALLED_BY_RULES, CARD_FOLDER, RAW_FOLDER
from pipeline.settings.environment import Settings

Purpose = Literal["plan", "deploy", "destroy"]

PROVIDER = "token.actions.githubusercontent.com"
#: ``owner/name``, and the same with GitHub's own ids, which are never given out again ("Immutable subject claims",
#: GitHub's OpenID Connect reference): tokens of repositories created or renamed since July 2026 use that form.
_REPOSITORY = re.compile(r"[A-Za-z0-9_-]+/[A-Za-z0-9._-]+|[A-Za-z0-9_-]+@\d+/[A-Za-z0-9._-]+@\d+")


def github_trust_policy(settings: Settings, repository: str, purpose: Purpose) -> dict[str, Any]:
    """Return who may assume a role of CI: jobs of one repository, and of those only the ones for its purpose.

    Those of ``plan`` are for pull requests and main, the others for the GitHub environments ``<name>`` and
    ``<name>-destroy``.

    Raises:
        SettingsError: ``repository`` is neither.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise SettingsError(
            f"{repository!r} is not OWNER/NAME, nor OWNER@ID/NAME@ID.",
            hint="Such as --repository example/project, or example@123456/project@456789; see docs/deploying.md.",
        )
    subject: str | list[str] = f"repo:{repository}:environment:{settings.environment}"
    if purpose == "plan":
        subject = [f"repo:{repository}:pull_request", f"repo:{repository}:ref:refs/heads/main"]
    elif purpose == "destroy":
        subject = f"{subject}-destroy"
    of_token = {f"{PROVIDER}:aud": "sts.amazonaws.com", f"{PROVIDER}:sub": subject}
    provider = {"Federated": settings.iam_arn(f"oidc-provider/{PROVIDER}")}
    statement = allow_principal(provider, "sts:AssumeRoleWithWebIdentity", Condition={"StringEquals": of_token})
    return document([statement])


def deployer_policy(settings: Settings, purpose: Purpose) -> dict[str, Any]:
    """Return what a role of CI may do, on the stack's resources only."""
    arns = StackArns(settings)
    if purpose == "destroy":
        return document(merged(_removing(settings, arns)))
    return document(merged([*_reading(settings, arns), *(_changing(settings, arns) if purpose == "deploy" else ())]))


def boundary_policy(settings: Settings) -> dict[str, Any]:
    """Return a permissions boundary: whatever else a role of the environment is given, it may do no more than this.

    That is what all of them do together, by patterns: a managed policy has 6,144 characters at most.
    """
    arns = StackArns(settings)
    objects = [f"{bucket}/*" for bucket in arns.buckets]
    made = [settings.arn("sagemaker", f"{kind}/pipelines-*") for kind in ("model", "processing-job", "t*-job")]
    patterns = (arns.feature_group_pattern, arns.pipeline_pattern)
    own = [*patterns, arns.model_cards, arns.model_group, arns.model_versions]
    functions = settings.arn("lambda", f"function:{settings.prefix}-*")
    groups = [
        settings.arn("logs", f"log-group:{name}:*") for name in ("/aws/sagemaker/*", f"/aws/lambda/{settings.prefix}-*")
    ]
    allowed = [
        allow("s3:GetBucketAcl GetBucketLocation ListBucket*", arns.buckets),
        allow("s3:AbortMultipartUpload GetObject GetObjectVersion ListMultipartUploadParts PutObject*", objects),
        allow("glue:Get* UpdateTable", [*arns.catalog_to_query, settings.arn("glue", f"*/{OFFLINE_DATABASE}*")]),
        allow("athena:*QueryExecution", [arns.work_group]),
        allow(
            "s3:DeleteObject", [f"{arns.predictions}/{folder}/*" for folder in ("manifests", "predictions", "reports")]
        ),
        allow("sagemaker:AddTags Create* DeleteModel Describe* ListTags Stop*", made),
        allow(
            "sagemaker:*ModelCard AddTags BatchWriteRecord CreateModelPackage Describe* List* PutRecord"
            " StartPipelineExecution UpdateModelPackage",
            own,
        ),
        allow("sagemaker:ListModel*s", ["*"]),  # no resource level in AWS, as below; of models and cards
        passing(settings),
        allow("lambda:InvokeFunction", [functions]),
        allow("logs:CreateLogGroup CreateLogStream DescribeLogStreams PutLogEvents", groups),
        allow("sns:Publish", [arns.topic]),
        allow("sqs:SendMessage", [arns.queue]),
        # Of the Git repository that a notebook is connected to.
        allow(
            "secretsmanager:GetSecretValue",
            [settings.arn("secretsmanager", f"secret:AmazonSageMaker-{settings.prefix}-github-*")],
        ),
        putting_metrics(settings),
        # AWS's own images are in accounts of AWS.
        *machines([f"arn:{settings.partition}:ecr:{settings.region}:*:repository/sagemaker-*"]),
        *own_key(settings),
        *bucket_keys(settings),
    ]
    if settings.network.subnets:
        given = "ec2:CreateNetworkInterfacePermission DeleteNetworkInterfacePermission"
        allowed += [allow(given, [settings.arn("ec2", "network-interface/*")]), allow("ec2:DescribeDhcpOptions", ["*"])]
        allowed += interfaces(functions)
    return document(merged(allowed))


def _reading(settings: Settings, arns: StackArns) -> Iterator[dict[str, Any]]:
    yield allow(
        "s3:GetBucketNotification GetBucketPolicy GetBucketPublicAccessBlock GetBucketTagging GetBucketVersioning"
        " GetEncryptionConfiguration GetLifecycleConfiguration ListBucket",
        arns.buckets,
    )
    if settings.retention.raw_lock:
        yield allow("s3:GetBucketObjectLockConfiguration", [arns.raw])
    yield allow("s3:GetObject", arns.put)
    yield allow("iam:GetRole GetRolePolicy ListAttachedRolePolicies ListRolePolicies ListRoleTags", arns.roles)
    yield allow("events:DescribeRule ListTagsForResource ListTargetsByRule", arns.rules)
    yield allow("scheduler:GetSchedule GetScheduleGroup ListTagsForResource", [arns.schedules])
    yield allow("sagemaker:DescribePipeline ListTags", [arns.pipeline_pattern])
    yield allow("sagemaker:DescribeFeatureGroup ListTags", [arns.feature_group_pattern])
    yield allow("sagemaker:DescribeModelPackageGroup ListTags", [arns.model_group])
    # Plans and drift say which version is in use.
    yield allow("sagemaker:DescribeModelPackage ListModelPackages", [arns.model_versions])
    yield allow("sqs:GetQueueAttributes GetQueueUrl ListQueueTags", [arns.queue])
    yield allow("sns:GetTopicAttributes ListSubscriptionsByTopic ListTagsForResource", [arns.topic])
    yield allow("cloudwatch:DescribeAlarms ListTagsForResource", arns.coverage_alarms)
    yield allow("lambda:GetFunctionConfiguration GetPolicy ListTags", arns.functions)
    yield allow("glue:GetDatabase", arns.catalog)
    yield allow("glue:GetTable", arns.tables)
    yield allow("glue:GetTags", [arns.database])
    yield allow("logs:ListTagsForResource", arns.log_group_patterns)
    # DescribeLogGroups lists, and has no narrower resource in AWS.
    yield allow("logs:DescribeLogGroups", [settings.arn("logs", "log-group:*")])


def _changing(settings: Settings, arns: StackArns) -> Iterator[dict[str, Any]]:
    yield allow(
        "s3:CreateBucket PutBucketPolicy PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning"
        " PutEncryptionConfiguration PutLifecycleConfiguration",
        arns.buckets,
    )
    yield allow("s3:PutBucketNotification", [arns.raw])
    if settings.retention.raw_lock:
        yield allow("s3:PutBucketObjectLockConfiguration", [arns.raw])
    yield allow("s3:PutObject", arns.put)
    yield allow("s3:GetObject PutObject", [f"{arns.artifacts}/definitions/*"])
    # Nor by a bucket's own policy, which it may write.
    removing = "s3:BypassGovernanceRetention DeleteBucket DeleteObject DeleteObjectVersion"
    for never in (removing, "iam:DeleteRolePermissionsBoundary"):
        yield {**allow(never, ["*"]), "Effect": "Deny"}
    if settings.boundary_arn:
        below = {"StringEquals": {"iam:PermissionsBoundary": settings.boundary_arn}}
        yield allow(
            "iam:CreateRole DeleteRolePolicy DetachRolePolicy PutRolePermissionsBoundary PutRolePolicy",
            arns.roles,
            Condition=below,
        )
        # UpdateAssumeRolePolicy knows no such condition: a changed trust takes an administrator.
        yield allow("iam:TagRole UntagRole", arns.roles)
    services = [f"{service}.amazonaws.com" for service in ("events", "lambda", "sagemaker", "scheduler")]
    yield allow("iam:PassRole", arns.roles, Condition={"StringEquals": {"iam:PassedToService": services}})
    # Rules rest while the pipeline that they start is missing; PutRule disables them all the same.
    yield allow("events:DisableRule PutRule PutTargets RemoveTargets TagResource UntagResource", arns.rules)
    yield allow(
        "scheduler:CreateSchedule CreateScheduleGroup TagResource UntagResource UpdateSchedule", [arns.schedules]
    )
    yield allow("sagemaker:AddTags CreatePipeline DeleteTags UpdatePipeline", [arns.pipeline_pattern])
    yield allow("sagemaker:AddTags CreateFeatureGroup DeleteTags UpdateFeatureGroup", [arns.feature_group_pattern])
    if settings.features.offline_store:
        # The Feature Store makes database and table with the permissions of whoever creates the group.
        yield allow("glue:CreateDatabase CreateTable GetDatabase GetTable", arns.offline_tables)
    yield allow("sagemaker:AddTags CreateModelPackageGroup DeleteTags", [arns.model_group])
    yield allow(
        "lambda:CreateFunction GetFunction RemovePermission TagResource UntagResource UpdateFunctionCode"
        " UpdateFunctionConfiguration",
        arns.functions,
    )
    of_rule = {"StringEquals": {"lambda:Principal": "events.amazonaws.com"}}
    yield allow("lambda:AddPermission", [settings.function_arn(one) for one in CALLED_BY_RULES], Condition=of_rule)
    if settings.network.subnets:
        # Lambda asks these of whoever puts a function into a VPC; they have no resource level in AWS.
        yield allow("ec2:DescribeSecurityGroups DescribeSubnets DescribeVpcs", ["*"])
    yield allow("sqs:CreateQueue SetQueueAttributes TagQueue UntagQueue", [arns.queue])
    yield allow("sns:CreateTopic SetTopicAttributes Subscribe TagResource UntagResource", [arns.topic])
    yield allow("cloudwatch:PutMetricAlarm TagResource UntagResource", arns.coverage_alarms)
    yield allow("glue:CreateDatabase TagResource UpdateDatabase", arns.catalog)
    yield allow("glue:UntagResource", [arns.database])
    yield allow("glue:CreateTable UpdateTable", arns.tables)
    yield allow("logs:CreateLogGroup PutRetentionPolicy TagResource UntagResource", arns.log_group_patterns)
    if settings.kms_key is not None:
        # What the caller of CreateFeatureGroup needs (``OnlineStoreSecurityConfig`` in the API reference). Code and
        # definitions are encrypted with the key as well.
        resource, condition = key_resource(settings, settings.kms_key)
        yield allow(
            "kms:CreateGrant Decrypt DescribeKey Encrypt GenerateDataKey ListGrants ReEncryptFrom ReEncryptTo"
            " RetireGrant RevokeGrant",
            [resource],
            **condition,
        )
        # ListAliases is about the account and has no resource level in AWS.
        yield allow("kms:ListAliases", ["*"])


def _removing(settings: Settings, arns: StackArns) -> Iterator[dict[str, Any]]:
    yield allow("s3:DeleteBucket ListBucket ListBucketVersions", arns.buckets)
    yield allow("s3:DeleteObjectVersion", [f"{bucket}/*" for bucket in arns.buckets])
    yield allow("s3:DeleteObject GetObject", arns.put)
    buckets = settings.buckets
    theirs = [settings.bucket_arn(name) for name in (buckets.raw, buckets.artifacts, buckets.predictions) if name]
    if theirs:
        yield allow("s3:GetLifecycleConfiguration PutLifecycleConfiguration", theirs)
    if settings.retention.raw_lock:
        yield allow("s3:GetBucketObjectLockConfiguration", [arns.raw])
    yield allow(
        "iam:DeleteRole DeleteRolePolicy GetRole GetRolePolicy ListAttachedRolePolicies ListRolePolicies", arns.roles
    )
    # What somebody has attached since the last deployment goes as well.
    yield allow("iam:DetachRolePolicy", arns.roles)
    yield allow("events:DeleteRule DescribeRule DisableRule ListTargetsByRule RemoveTargets", arns.rules)
    yield allow("scheduler:DeleteSchedule DeleteScheduleGroup GetScheduleGroup", [arns.schedules])
    yield allow("sagemaker:DeletePipeline DescribePipeline ListPipelineExecutions", arns.pipelines)
    # A pipeline with running executions can't be removed.
    yield allow("sagemaker:StopPipelineExecution", arns.executions)
    yield allow("sagemaker:DeleteFeatureGroup DescribeFeatureGroup", arns.feature_groups)
    if settings.features.offline_store:
        every = settings.arn("glue", f"table/{OFFLINE_DATABASE}/*")
        yield allow("glue:GetTables", [*arns.offline_catalog, every])
        yield allow("glue:DeleteTable", arns.offline_tables)
    yield allow("sagemaker:DeleteModelPackageGroup DescribeModelPackageGroup", [arns.model_group])
    yield allow("sagemaker:DeleteModelPackage ListModelPackages", [arns.model_versions])
    yield allow("sagemaker:DeleteModelCard", [arns.model_cards])
    # ListModelCards has no resource level in AWS.
    yield allow("sagemaker:ListModelCards", ["*"])
    yield allow("lambda:DeleteFunction GetFunctionConfiguration", arns.functions)
    yield allow("sqs:DeleteQueue GetQueueAttributes GetQueueUrl", [arns.queue])
    yield allow("sns:DeleteTopic GetTopicAttributes", [arns.topic])
    yield allow("cloudwatch:DeleteAlarms DescribeAlarms", arns.coverage_alarms)
    yield allow("glue:GetDatabase", arns.catalog)
    yield allow("glue:DeleteTable GetTable GetTables", arns.tables)
    # A database is removed with its tables and functions; ours has no function.
    functions = settings.arn("glue", f"userDefinedFunction/{settings.database_name}/*")
    yield allow("glue:DeleteDatabase", [*arns.tables, functions])
    yield allow("logs:DeleteLogGroup DescribeLogStreams ListTagsForResource", arns.log_groups)
    yield allow("logs:DeleteLogStream", arns.job_logs)
    # DescribeLogGroups lists, and has no narrower resource in AWS.
    yield allow("logs:DescribeLogGroups", [settings.arn("logs", "log-group:*")])


def preflight_policy(settings: Settings) -> dict[str, Any]:
    """Return what the command ``preflight`` reads: what planning does, and the account around the stack."""
    arns = StackArns(settings)
    used = [key for key in (settings.kms_key, *settings.buckets.kms_keys) if key is not None]
    keys = [allow("kms:DescribeKey GetKeyPolicy", [key_resource(settings, key)[0]]) for key in used]
    around = [
        allow("iam:GetRole SimulatePrincipalPolicy", [settings.iam_arn("role/*"), settings.iam_arn("user/*")]),
        *([allow("iam:GetPolicy", [settings.boundary_arn])] if settings.boundary_arn else []),
        # Neither service has a resource level for what is read of it.
        allow(
            "ec2:DescribeRouteTables DescribeSecurityGroups DescribeSubnets DescribeVpcEndpoints DescribeVpcs", ["*"]
        ),
        allow("servicequotas:GetServiceQuota ListAWSDefaultServiceQuotas ListServiceQuotas", ["*"]),
    ]
    return document(merged([*_reading(settings, arns), *keys, *around]))


def operator_policy(settings: Settings) -> dict[str, Any]:
    """Return what people need to upload files and to use the commands other than those that deploy."""
    return document(merged(_operating(settings, StackArns(settings))))


def _operating(settings: Settings, arns: StackArns) -> Iterator[dict[str, Any]]:
    yield allow("s3:GetObject PutObject", [f"{arns.raw}/{RAW_FOLDER}*"])
    # Without it S3 answers "forbidden" for an object that does not exist.
    yield allow("s3:ListBucket", [arns.raw, arns.predictions])
    yield allow("s3:GetObject", [f"{arns.artifacts}/models/*", f"{arns.predictions}/*"])
    yield allow("sagemaker:DescribePipeline ListPipelineExecutions StartPipelineExecution", arns.pipelines)
    yield allow(
        "sagemaker:DescribePipelineDefinitionForExecution DescribePipelineExecution ListPipelineExecutionSteps"
        " ListPipelineParametersForExecution RetryPipelineExecution StopPipelineExecution",
        arns.executions,
    )
    # Which job wrote the report.
    yield allow("sagemaker:DescribeProcessingJob", [settings.arn("sagemaker", "processing-job/pipelines-*")])
    yield allow("logs:DescribeLogStreams GetLogEvents", arns.job_logs)
    yield allow("logs:FilterLogEvents", arns.step_logs)
    # An event that was not delivered is looked at, replayed and deleted.
    yield allow("sqs:DeleteMessage GetQueueUrl ReceiveMessage", [arns.queue])
    yield allow(
        "sagemaker:DeleteModelPackage DescribeModelPackage ListModelPackages UpdateModelPackage", [arns.model_versions]
    )
    # The card of a version that is too new to have one is made by whoever asks for it as a PDF.
    making = "AddTags CreateModelCard CreateModelCardExportJob DescribeModelCard DescribeModelCardExportJob"
    yield allow(f"sagemaker:{making} UpdateModelCard", [arns.model_cards])
    # AWS writes an exported card with the rights of whoever exports it.
    yield allow("s3:GetObject PutObject", [f"{arns.artifacts}/{CARD_FOLDER}/*"])
    if settings.kms_key is not None:
        resource, condition = key_resource(settings, settings.kms_key)
        yield allow("kms:Decrypt GenerateDataKey", [resource], **condition)
    yield from bucket_keys(settings)
