"""Least privilege, generated from the settings and the compiled definition.

``Resource: "*"`` stands only where AWS has no resource level; each such line says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.settings import Settings

_JOB_ACTIONS = {
    "Processing": ("processing-job", ("CreateProcessingJob", "DescribeProcessingJob", "StopProcessingJob", "AddTags")),
    "Training": ("training-job", ("CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob", "AddTags")),
    "Transform": ("transform-job", ("CreateTransformJob", "DescribeTransformJob", "StopTransformJob", "AddTags")),
    "Model": ("model", ("CreateModel", "DescribeModel", "AddTags")),
}


def _allow(actions: Iterable[str], resources: Iterable[str], **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": sorted(resources), **more}


def _document(statements: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [dict(statement) for statement in statements]}


def steps_of(definition: str) -> list[dict[str, Any]]:
    """All steps of a compiled definition, those inside conditions included."""

    def walk(steps: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for step in steps:
            yield step
            if step["Type"] == "Condition":
                yield from walk(step["Arguments"].get("IfSteps", []))
                yield from walk(step["Arguments"].get("ElseSteps", []))

    return list(walk(json.loads(definition)["Steps"]))


def execution_policy(settings: Settings, definitions: Iterable[str]) -> dict[str, Any]:
    """What the pipelines and their jobs may do.

    Args:
        settings: of the environment; name buckets, groups and keys.
        definitions: compiled definitions that run under the role.

    Returns:
        IAM policy document.
    """
    step_types = {step["Type"] for definition in definitions for step in steps_of(definition)}
    account = f"{settings.region}:{settings.account_id}"
    sagemaker = f"arn:aws:sagemaker:{account}"
    raw, artifacts, predictions = (
        f"arn:aws:s3:::{bucket}"
        for bucket in (settings.raw_bucket, settings.artifacts_bucket, settings.predictions_bucket)
    )
    statements = [
        _allow(["s3:GetObject"], [f"{raw}/*"]),
        _allow(["s3:GetObject", "s3:PutObject"], [f"{artifacts}/*", f"{predictions}/*"]),
        _allow(["s3:GetBucketLocation", "s3:ListBucket"], [raw, artifacts, predictions]),
        # Job names are made by SageMaker Pipelines: pipelines-<execution id>-<step>-<suffix>.
        *(
            _allow([f"sagemaker:{action}" for action in actions], [f"{sagemaker}:{kind}/pipelines-*"])
            for step_type, (kind, actions) in _JOB_ACTIONS.items()
            if step_type in step_types
        ),
        _allow(
            ["iam:PassRole"],
            [settings.role_arn(settings.execution_role_name)],
            Condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
        # The claim asks whether the execution that holds a file is still at work.
        _allow(
            ["sagemaker:DescribePipelineExecution"],
            [f"{settings.pipeline_arn(settings.training_pipeline_name)}/execution/*"],
        ),
        _allow(
            ["sagemaker:PutRecord", "sagemaker:BatchWriteRecord"],
            [f"{sagemaker}:feature-group/{settings.feature_group_name}"],
        ),
        _allow(
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            [f"arn:aws:logs:{account}:log-group:/aws/sagemaker/*"],
        ),
        # PutMetricData and GetAuthorizationToken have no resource level in AWS.
        _allow(
            ["cloudwatch:PutMetricData"], ["*"], Condition={"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}}
        ),
        _allow(["ecr:GetAuthorizationToken"], ["*"]),
        _allow(
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            [f"arn:aws:ecr:{settings.region}:*:repository/sagemaker-scikit-learn"],
        ),
    ]
    if "RegisterModel" in step_types:
        group = settings.model_package_group_name
        statements.append(
            _allow(
                ["sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage", "sagemaker:AddTags"],
                [f"{sagemaker}:model-package/{group}/*", f"{sagemaker}:model-package-group/{group}"],
            )
        )
    if settings.kms_key is not None:
        statements.append(
            _allow(["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"], [_key_arn(settings)])
        )
    if settings.network.subnets:
        # EC2's describe calls have no resource level; creating interfaces is tied to the configured subnets.
        statements += [
            _allow(
                [
                    "ec2:DescribeDhcpOptions",
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                ],
                ["*"],
            ),
            _allow(
                ["ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface"],
                [
                    f"arn:aws:ec2:{account}:network-interface/*",
                    *(f"arn:aws:ec2:{account}:subnet/{subnet}" for subnet in settings.network.subnets),
                    *(f"arn:aws:ec2:{account}:security-group/{group}" for group in settings.network.security_groups),
                ],
            ),
        ]
    return _document(statements)


def _key_arn(settings: Settings) -> str:
    key = settings.kms_key or ""
    if key.startswith("arn:"):
        return key
    path = key if key.startswith("alias/") else f"key/{key}"
    return f"arn:aws:kms:{settings.region}:{settings.account_id}:{path}"


def events_policy(settings: Settings) -> dict[str, Any]:
    """What EventBridge may do: start the training pipeline, nothing else."""
    return _document(
        [_allow(["sagemaker:StartPipelineExecution"], [settings.pipeline_arn(settings.training_pipeline_name)])]
    )
