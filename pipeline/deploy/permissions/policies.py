"""Least privilege, generated from the settings and the compiled definitions.

A permission is there because a step of a definition needs it: its type, the script that it runs, the network that it
runs in. ``Resource: "*"`` stands only where AWS has no resource level; each such line says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.deploy.permissions.needs import Needs
from pipeline.settings.contract import Flow
from pipeline.settings.environment import Settings

_JOB_ACTIONS = {
    "Processing": ("processing-job", ("CreateProcessingJob", "DescribeProcessingJob", "StopProcessingJob", "AddTags")),
    "Training": ("training-job", ("CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob", "AddTags")),
    "Transform": ("transform-job", ("CreateTransformJob", "DescribeTransformJob", "StopTransformJob", "AddTags")),
    "Tuning": (
        "hyper-parameter-tuning-job",
        (
            *("CreateHyperParameterTuningJob", "DescribeHyperParameterTuningJob", "StopHyperParameterTuningJob"),
            "AddTags",
        ),
    ),
    "Model": ("model", ("CreateModel", "DescribeModel", "AddTags")),
}
#: Steps that check data or a model do it in a processing job.
_JOBS_OF = {"ClarifyCheck": "Processing", "QualityCheck": "Processing"}
_LOGS_OF = {
    "Processing": "ProcessingJobs",
    "Training": "TrainingJobs",
    "Transform": "TransformJobs",
    "Tuning": "TrainingJobs",
}
_RUNS_A_CONTAINER = frozenset(_LOGS_OF)


def allow(actions: Iterable[str], resources: Iterable[str], **more: Any) -> dict[str, Any]:
    """One statement; actions and resources sorted, so that the same grant is always the same text."""
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": sorted(resources), **more}


def merged(statements: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Statements on the same resources, under the same condition, as one: an inline policy of a role has its limit."""
    together: dict[str, dict[str, Any]] = {}
    for statement in statements:
        rest = {key: value for key, value in statement.items() if key != "Action"}
        same = together.setdefault(json.dumps(rest, sort_keys=True), {**statement, "Action": []})
        same["Action"] = sorted({*same["Action"], *statement["Action"]})
    return list(together.values())


def document(statements: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": [dict(statement) for statement in statements]}


def execution_policy(settings: Settings, definitions: Mapping[Flow, str]) -> dict[str, Any]:
    """What the pipelines and their jobs may do.

    Args:
        settings: of the environment; name buckets, groups and keys.
        definitions: compiled definitions that run under the role.

    Returns:
        IAM policy document.
    """
    needs = Needs.of(definitions.values(), settings.region)
    return document(
        [
            *_data(settings, needs),
            *_steps(settings, needs),
            *_scripts_of_ours(settings, needs, definitions),
            *_called(settings, needs),
            *(_containers(settings, needs) if _kinds(needs) & _RUNS_A_CONTAINER else []),
            *(_experiments(settings, definitions) if needs.experiments else []),
            *(_key(settings) if settings.kms_key is not None else []),
            *_keys_of_buckets(settings),
            *(_network(settings) if settings.network.subnets else []),
        ]
    )


def _data(settings: Settings, needs: Needs) -> Iterator[dict[str, Any]]:
    raw = settings.bucket_arn(settings.raw_bucket)
    yield allow(["s3:GetObject"], [f"{raw}/*"])
    # What is published is never read again.
    places = {place for place in needs.places if place.bucket != settings.predictions_bucket}
    written = {f"{settings.bucket_arn(place.bucket)}/{place.keys}" for place in needs.places if place.written}
    read = {f"{settings.bucket_arn(place.bucket)}/{place.keys}" for place in places}
    if read:
        yield allow(["s3:GetObject"], read)
    if written:
        yield allow(["s3:PutObject"], written)
    # Without it S3 says that an object is forbidden, where it is gone.
    yield allow(["s3:ListBucket"], {raw, *(settings.bucket_arn(place.bucket) for place in places)})


def _kinds(needs: Needs) -> frozenset[str]:
    """Kinds of jobs and models that steps make."""
    return frozenset(_JOBS_OF.get(step_type, step_type) for step_type in needs.step_types)


def _steps(settings: Settings, needs: Needs) -> Iterator[dict[str, Any]]:
    # Job names are made by SageMaker Pipelines: pipelines-<execution id>-<step>-<suffix>.
    for step_type, (kind, actions) in _JOB_ACTIONS.items():
        if step_type in _kinds(needs):
            yield allow(
                [f"sagemaker:{action}" for action in actions], [settings.arn("sagemaker", f"{kind}/pipelines-*")]
            )
    if _kinds(needs) & {*_RUNS_A_CONTAINER, "Model"}:
        yield allow(
            ["iam:PassRole"],
            [settings.role_arn(settings.execution_role_name)],
            Condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        )
    if "RegisterModel" in needs.step_types:
        group = settings.model_package_group_name
        versions = settings.arn("sagemaker", f"model-package/{group}/*")
        yield allow(
            ["sagemaker:CreateModelPackage"], [versions, settings.arn("sagemaker", f"model-package-group/{group}")]
        )
        yield allow(["sagemaker:DescribeModelPackage"], [versions])


def _scripts_of_ours(settings: Settings, needs: Needs, definitions: Mapping[Flow, str]) -> Iterator[dict[str, Any]]:
    if "claim.py" in needs.scripts:
        # The claim asks whether the execution that holds a file is still at work.
        names = [settings.pipeline_name(flow) for flow in definitions]
        yield allow(
            ["sagemaker:DescribePipelineExecution"], [f"{settings.pipeline_arn(name)}/execution/*" for name in names]
        )
    if "ingest_features.py" in needs.scripts:
        yield allow(
            ["sagemaker:PutRecord", "sagemaker:BatchWriteRecord"],
            [settings.arn("sagemaker", f"feature-group/{settings.feature_group_name}")],
        )
    # Scoring takes the newest approved version, evaluation compares with it.
    if needs.scripts & {"select_model.py", "evaluate.py"}:
        group = settings.model_package_group_name
        yield allow(
            ["sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages"],
            [settings.arn("sagemaker", f"model-package/{group}/*")],
        )


def _called(settings: Settings, needs: Needs) -> Iterator[dict[str, Any]]:
    """What steps hand over to: functions, queues; and what they make under a name of their own."""
    if needs.functions:
        yield allow(["lambda:InvokeFunction"], needs.functions)
    if needs.queues:
        yield allow(["sqs:SendMessage"], needs.queues)
    if "EndpointConfig" in needs.step_types:
        names = needs.endpoint_configurations or {"pipelines-*"}
        yield allow(
            ["sagemaker:AddTags", "sagemaker:CreateEndpointConfig", "sagemaker:DescribeEndpointConfig"],
            [settings.arn("sagemaker", f"endpoint-config/{name}") for name in names],
        )


def _containers(settings: Settings, needs: Needs) -> Iterator[dict[str, Any]]:
    """What every job's machine does: pull the image, write logs and metrics."""
    groups = {_LOGS_OF[kind] for kind in _kinds(needs) & _RUNS_A_CONTAINER}
    yield allow(
        ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        [settings.arn("logs", f"log-group:/aws/sagemaker/{group}:*") for group in groups],
    )
    # PutMetricData and GetAuthorizationToken have no resource level in AWS.
    yield allow(
        ["cloudwatch:PutMetricData"], ["*"], Condition={"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}}
    )
    yield allow(["ecr:GetAuthorizationToken"], ["*"])
    if needs.repositories:
        yield allow(
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            needs.repositories,
        )


def _experiments(settings: Settings, definitions: Mapping[Flow, str]) -> Iterator[dict[str, Any]]:
    """Pipelines keeps each execution as a trial of an experiment that is named as the pipeline."""
    experiments = [settings.arn("sagemaker", f"experiment/{settings.pipeline_name(flow)}") for flow in definitions]
    yield allow(["sagemaker:AddTags", "sagemaker:CreateExperiment", "sagemaker:DescribeExperiment"], experiments)
    trials, components = (settings.arn("sagemaker", f"{kind}/*") for kind in _TRIALS)
    yield allow(["sagemaker:AddTags", "sagemaker:AssociateTrialComponent", "sagemaker:DescribeTrial"], [trials])
    yield allow(["sagemaker:CreateTrial"], [trials, *experiments])
    yield allow(
        [
            "sagemaker:AddTags",
            "sagemaker:AssociateTrialComponent",
            "sagemaker:CreateTrialComponent",
            "sagemaker:DescribeTrialComponent",
            "sagemaker:UpdateTrialComponent",
        ],
        [components],
    )


# Their names hold execution and job ids.
_TRIALS = ("experiment-trial", "experiment-trial-component")


def _key(settings: Settings) -> Iterator[dict[str, Any]]:
    resource, condition = key_resource(settings, settings.kms_key or "")
    # A job whose output key is not given as the key's ARN encrypts with it as well (OutputDataConfig, API reference).
    encrypt = [] if condition == {} and settings.kms_key == resource else ["kms:Encrypt"]
    yield allow(["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", *encrypt], [resource], **condition)
    # Volumes are encrypted by way of a grant, which only an AWS service may be given.
    operators = {**condition.get("Condition", {}), "Bool": {"kms:GrantIsForAWSResource": "true"}}
    yield allow(["kms:CreateGrant"], [resource], Condition=operators)


def _keys_of_buckets(settings: Settings) -> Iterator[dict[str, Any]]:
    for key in settings.buckets.kms_keys:
        resource, condition = key_resource(settings, key)
        yield allow(["kms:Decrypt", "kms:GenerateDataKey"], [resource], **condition)


def key_resource(settings: Settings, key: str) -> tuple[str, dict[str, Any]]:
    """ARN for a policy, and the condition that it needs.

    IAM knows no alias as the resource of a cryptographic call: there the resource is every key of the account and the
    condition says which alias it has to have.
    """
    if key.startswith("arn:") and ":key/" in key:
        return key, {}
    if not key.startswith("arn:") and not key.startswith("alias/"):
        return settings.arn("kms", f"key/{key}"), {}
    alias = key[key.index("alias/") :]
    return settings.arn("kms", "key/*"), {"Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}}}


def _network(settings: Settings) -> Iterator[dict[str, Any]]:
    # EC2's describe calls have no resource level; creating interfaces is tied to the configured subnets.
    yield allow(
        [
            "ec2:DescribeDhcpOptions",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        ],
        ["*"],
    )
    interfaces = settings.arn("ec2", "network-interface/*")
    yield allow(
        ["ec2:CreateNetworkInterface"],
        [
            interfaces,
            *(settings.arn("ec2", f"subnet/{subnet}") for subnet in settings.network.subnets),
            *(settings.arn("ec2", f"security-group/{group}") for group in settings.network.security_groups),
        ],
    )
    yield allow(
        [
            "ec2:CreateNetworkInterfacePermission",
            "ec2:DeleteNetworkInterface",
            "ec2:DeleteNetworkInterfacePermission",
        ],
        [interfaces],
    )


def events_policy(settings: Settings, flows: Iterable[Flow]) -> dict[str, Any]:
    """What EventBridge may do: start the pipelines, nothing else."""
    return document(
        [
            allow(
                ["sagemaker:StartPipelineExecution"],
                [settings.pipeline_arn(settings.pipeline_name(flow)) for flow in flows],
            )
        ]
    )
