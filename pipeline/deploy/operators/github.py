"""The two roles of CI in an AWS account: who may take them on (trust) and what they may do (permissions).

GitHub Actions proves by a short-lived OIDC token which repository, branch or deployment environment a job runs in; no
key is stored anywhere.

- ``plan``, for pull requests: may look, and change nothing.
- ``deploy``, for the GitHub environment that is named as ours: may make, change and remove what the stack has, by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from pipeline.deploy.operators import stack_arns as arns
from pipeline.deploy.permissions.policies import allow, document, key_resource, merged
from pipeline.errors import SettingsError
from pipeline.settings.environment import Settings

Purpose = Literal["plan", "deploy"]

PROVIDER = "token.actions.githubusercontent.com"
#: ``owner/name``, and the same with GitHub's own ids, which nobody else ever gets ("Immutable subject claims", GitHub's
#: OpenID Connect reference): repositories made or renamed since July 2026 name themselves like that.
_REPOSITORY = re.compile(r"[A-Za-z0-9_-]+/[A-Za-z0-9._-]+|[A-Za-z0-9_-]+@\d+/[A-Za-z0-9._-]+@\d+")


def github_trust_policy(settings: Settings, repository: str, purpose: Purpose) -> dict[str, Any]:
    """Who may take the role on: jobs of one repository, and of those only the ones that ``purpose`` is for.

    Args:
        settings: of the environment; its account holds role and identity provider.
        repository: ``owner/name``, or ``owner@id/name@id`` where GitHub's tokens hold the ids.
        purpose: ``plan`` for pull requests, ``deploy`` for the GitHub environment of the settings' name.

    Raises:
        SettingsError: ``repository`` is neither.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise SettingsError(
            f"{repository!r} is not OWNER/NAME, nor OWNER@ID/NAME@ID.",
            hint="Such as --repository example/bikeshare, or example@123456/bikeshare@456789; see docs/deploying.md.",
        )
    subject = "pull_request" if purpose == "plan" else f"environment:{settings.environment}"
    return document(
        [
            {
                "Effect": "Allow",
                "Principal": {"Federated": settings.iam_arn(f"oidc-provider/{PROVIDER}")},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        f"{PROVIDER}:aud": "sts.amazonaws.com",
                        f"{PROVIDER}:sub": f"repo:{repository}:{subject}",
                    }
                },
            }
        ]
    )


def deployer_policy(settings: Settings, purpose: Purpose) -> dict[str, Any]:
    """What the role may do: ``plan`` looks, ``deploy`` also changes; both only at what the stack is made of."""
    return document(merged([*_looking(settings), *(_changing(settings) if purpose == "deploy" else ())]))


def _looking(settings: Settings) -> Iterator[dict[str, Any]]:
    yield allow(
        [
            "s3:GetBucketNotification",
            "s3:GetBucketPolicy",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetEncryptionConfiguration",
            "s3:ListBucket",
        ],
        arns.buckets(settings),
    )
    yield allow(["s3:GetObject"], [f"{settings.bucket_arn(settings.artifacts_bucket)}/code/*"])
    yield allow(
        [
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:ListRoleTags",
        ],
        arns.roles(settings),
    )
    yield allow(["events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"], arns.rules(settings))
    yield allow(["sagemaker:DescribePipeline", "sagemaker:ListTags"], arns.pipelines(settings))
    yield allow(["sagemaker:DescribeFeatureGroup", "sagemaker:ListTags"], [arns.feature_group(settings)])
    yield allow(["sagemaker:DescribeModelPackageGroup", "sagemaker:ListTags"], [arns.model_group(settings)])
    yield allow(["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"], [arns.queue(settings)])
    yield allow(
        ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource"], [arns.topic(settings)]
    )
    yield allow(["glue:GetDatabase"], arns.catalog(settings))
    yield allow(["glue:GetTable"], arns.tables(settings))
    yield allow(["glue:GetTags"], [arns.database(settings)])
    yield allow(["logs:ListTagsForResource"], arns.log_groups(settings))
    # DescribeLogGroups lists, and has no narrower resource in AWS.
    yield allow(["logs:DescribeLogGroups"], [settings.arn("logs", "log-group:*")])


def _changing(settings: Settings) -> Iterator[dict[str, Any]]:
    buckets = arns.buckets(settings)
    yield allow(
        [
            "s3:CreateBucket",
            "s3:DeleteBucket",
            "s3:ListBucketVersions",
            "s3:PutBucketPolicy",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
        ],
        buckets,
    )
    yield allow(["s3:PutBucketNotification"], [settings.bucket_arn(settings.raw_bucket)])
    yield allow(["s3:DeleteObjectVersion"], [f"{bucket}/*" for bucket in buckets])
    artifacts = settings.bucket_arn(settings.artifacts_bucket)
    yield allow(["s3:DeleteObject"], [f"{artifacts}/code/*"])
    yield allow(["s3:GetObject", "s3:PutObject"], [f"{artifacts}/code/*", f"{artifacts}/definitions/*"])
    yield allow(
        [
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
        ],
        arns.roles(settings),
    )
    yield allow(
        ["iam:PassRole"],
        arns.roles(settings),
        Condition={"StringEquals": {"iam:PassedToService": ["events.amazonaws.com", "sagemaker.amazonaws.com"]}},
    )
    yield allow(
        [
            "events:DeleteRule",
            "events:DisableRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:TagResource",
            "events:UntagResource",
        ],
        arns.rules(settings),
    )
    yield from _changing_sagemaker(settings)
    yield from _changing_receivers(settings)
    if settings.kms_key is not None:
        yield from _key(settings)


def _key(settings: Settings) -> Iterator[dict[str, Any]]:
    """What the caller of CreateFeatureGroup needs on the key (``OnlineStoreSecurityConfig`` in the API reference).

    Code and definitions are encrypted with it as well.
    """
    resource, condition = key_resource(settings, settings.kms_key or "")
    yield allow(
        [
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:GenerateDataKey",
            "kms:ListGrants",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
            "kms:RetireGrant",
            "kms:RevokeGrant",
        ],
        [resource],
        **condition,
    )
    # ListAliases is about the account and has no resource level in AWS.
    yield allow(["kms:ListAliases"], ["*"])


def _changing_sagemaker(settings: Settings) -> Iterator[dict[str, Any]]:
    tagging = ["sagemaker:AddTags", "sagemaker:DeleteTags"]
    yield allow(
        [
            *tagging,
            "sagemaker:CreatePipeline",
            "sagemaker:DeletePipeline",
            "sagemaker:ListPipelineExecutions",
            "sagemaker:UpdatePipeline",
        ],
        arns.pipelines(settings),
    )
    # A pipeline with executions that run can't be removed.
    yield allow(["sagemaker:StopPipelineExecution"], arns.executions(settings))
    yield allow(
        [
            *tagging,
            "sagemaker:CreateFeatureGroup",
            "sagemaker:DeleteFeatureGroup",
            "sagemaker:UpdateFeatureGroup",
        ],
        [arns.feature_group(settings)],
    )
    yield allow(
        [*tagging, "sagemaker:CreateModelPackageGroup", "sagemaker:DeleteModelPackageGroup"],
        [arns.model_group(settings)],
    )
    yield allow(["sagemaker:DeleteModelPackage", "sagemaker:ListModelPackages"], [arns.model_versions(settings)])


def _changing_receivers(settings: Settings) -> Iterator[dict[str, Any]]:
    yield allow(
        ["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"],
        [arns.queue(settings)],
    )
    yield allow(
        [
            "sns:CreateTopic",
            "sns:DeleteTopic",
            "sns:SetTopicAttributes",
            "sns:Subscribe",
            "sns:TagResource",
            "sns:UntagResource",
        ],
        [arns.topic(settings)],
    )
    yield from _changing_catalog(settings)
    yield allow(
        [
            "logs:CreateLogGroup",
            "logs:DeleteLogGroup",
            "logs:DeleteLogStream",
            "logs:DescribeLogStreams",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
            "logs:UntagResource",
        ],
        arns.log_groups(settings),
    )


def _changing_catalog(settings: Settings) -> Iterator[dict[str, Any]]:
    yield allow(["glue:CreateDatabase", "glue:UpdateDatabase"], arns.catalog(settings))
    yield allow(["glue:CreateTable", "glue:DeleteTable", "glue:GetTables", "glue:UpdateTable"], arns.tables(settings))
    yield allow(["glue:TagResource"], arns.catalog(settings))
    yield allow(["glue:UntagResource"], [arns.database(settings)])
    # A database goes with its tables and functions; ours has no function.
    functions = settings.arn("glue", f"userDefinedFunction/{settings.database_name}/*")
    yield allow(["glue:DeleteDatabase"], [*arns.tables(settings), functions])
