"""What steps and scripts need to be allowed, in one table, against what their role is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from pipedef.checks.registry import Deployment, Problem, deployment_check
from pipedef.document.definition import Definition, Step
from pipedef.document.locations import overlap
from pipedef.document.role_resources import needed as resources_needed
from pipedef.document.values import leaves

_EVERY_JOB = (
    *("iam:PassRole", "s3:GetObject", "s3:PutObject", "s3:ListBucket"),
    *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
    *("cloudwatch:PutMetricData", "ecr:GetAuthorizationToken"),
)


def _job(kind: str) -> tuple[str, ...]:
    return (*(f"sagemaker:{verb}{kind}" for verb in ("Create", "Describe", "Stop")), "sagemaker:AddTags", *_EVERY_JOB)


#: Step type → actions that SageMaker Pipelines and the job itself take with the role ("SageMaker roles" and
#: "IAM access management for Pipelines" in the developer guide).
STEP_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "Processing": _job("ProcessingJob"),
    "Training": _job("TrainingJob"),
    "Transform": _job("TransformJob"),
    "Model": ("sagemaker:CreateModel", "sagemaker:DescribeModel", "iam:PassRole"),
    "RegisterModel": ("sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage"),
    "Tuning": _job("HyperParameterTuningJob"),
    "ClarifyCheck": _job("ProcessingJob"),
    "QualityCheck": _job("ProcessingJob"),
    "EndpointConfig": ("sagemaker:CreateEndpointConfig", "sagemaker:DescribeEndpointConfig"),
    "Lambda": ("lambda:InvokeFunction",),
    "Callback": ("sqs:SendMessage",),
}
#: Step types that do nothing outside of the pipeline.
_HARMLESS = frozenset({"Condition", "Fail"})
_ALWAYS = ""
_REGISTRY_READ = ("sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages")
#: Script → flag that makes it do so, or always → actions that it takes itself through boto3.
SCRIPT_ACTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "claim.py": {_ALWAYS: ("s3:GetObject", "s3:PutObject", "sagemaker:DescribePipelineExecution")},
    "evaluate.py": {"--model-package-group-name": ("s3:GetObject", *_REGISTRY_READ)},
    "ingest_features.py": {_ALWAYS: ("sagemaker:BatchWriteRecord", "sagemaker:PutRecord")},
    "publish.py": {_ALWAYS: ("s3:PutObject",)},
    "select_model.py": {_ALWAYS: _REGISTRY_READ},
}
#: Field anywhere in a step's arguments → actions that it brings with it.
FIELD_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "KmsKeyId": ("kms:Decrypt", "kms:GenerateDataKey"),
    "VolumeKmsKeyId": ("kms:CreateGrant", "kms:DescribeKey"),
    "Subnets": (
        *("ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface"),
        *("ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups"),
        *("ec2:DescribeSubnets", "ec2:DescribeVpcs"),
    ),
}


def script_actions(step: Step) -> tuple[str, ...]:
    """Actions that the step's script takes with the arguments that it is given."""
    found = SCRIPT_ACTIONS.get(step.script or "", {})
    return tuple(action for flag, actions in found.items() if flag == _ALWAYS or step.flag(flag) for action in actions)


def _statements(policy: Mapping[str, Any], effect: str) -> Iterator[Mapping[str, Any]]:
    """Those of a policy that allow or deny something; one that stands alone needs no list."""
    found = policy.get("Statement") or []
    for statement in [found] if isinstance(found, Mapping) else found:
        if statement.get("Effect") == effect:
            yield statement


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _is_about(statement: Mapping[str, Any], action: str) -> bool:
    """Whether an action is among a statement's, or not among those that it leaves out."""
    named = _listed(statement.get("Action") or statement.get("NotAction"))
    among = any(fnmatchcase(action.lower(), pattern.lower()) for pattern in named)
    return among if "Action" in statement else not among


def is_allowed(policy: Mapping[str, Any], action: str, resource: str = "*") -> bool:
    """Whether a policy allows an action on something that fits ``resource``, a pattern of ARNs, and denies it on none.

    A denial under a condition may be one or not, which only the call itself decides.
    """
    for statement in _statements(policy, "Deny"):
        covered = any(fnmatchcase(resource, pattern) for pattern in _listed(statement.get("Resource")))
        if "Condition" not in statement and covered and _is_about(statement, action):
            return False
    return any(
        _is_about(statement, action)
        and any(overlap(resource, pattern) for pattern in _listed(statement.get("Resource")))
        for statement in _statements(policy, "Allow")
    )


@deployment_check("permissions", "the role is allowed every action that its steps and their scripts take")
def role_is_allowed(definition: Definition, deployment: Deployment) -> Iterator[Problem]:
    for step in definition.steps:
        if step.type not in STEP_ACTIONS and step.type not in _HARMLESS:
            yield Problem(
                f"Nobody knows what a step of type {step.type} needs: the role is allowed nothing for it.",
                "Add it to STEP_ACTIONS in pipedef/checks/permissions.py, and to the role's policy.",
                step=step.name,
                field="Type",
            )
        for needed, field in (
            (STEP_ACTIONS.get(step.type, ()), "Type"),
            (script_actions(step), f"script {step.script}"),
            *((actions, f"Arguments…{key}") for key, actions in _brought(step)),
        ):
            missing = [action for action in needed if not is_allowed(deployment.policy, action)]
            if missing:
                yield _refused(step, field, missing)
        for one in resources_needed(step, definition, deployment.partition, deployment.region):
            if not is_allowed(deployment.policy, one.action, one.arn):
                yield _refused(step, one.field, [f"{one.action} on {one.shown}"])


def _brought(step: Step) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Fields of :data:`FIELD_ACTIONS` that the step sets, and their actions."""
    found: dict[str, set[str]] = {}
    for path, value in leaves(step.arguments, ""):
        for key in {part.partition("[")[0] for part in path.split(".")} & set(FIELD_ACTIONS):
            found.setdefault(key, set()).update([str(value)] if value else [])
    for key, values in sorted(found.items()):
        # Of a key's ARN alone SageMaker can tell that it may be used ("KmsKeyId" of OutputDataConfig, API reference).
        by_another_name = key == "KmsKeyId" and not all(":key/" in value for value in values)
        if values:
            yield key, (*FIELD_ACTIONS[key], *(("kms:Encrypt",) if by_another_name else ()))


def _refused(step: Step, field: str, missing: Iterable[str]) -> Problem:
    return Problem(
        f"The execution role is not allowed {', '.join(missing)}.",
        "Add it to execution_policy in pipeline/deploy/permissions/policies.py.",
        step=step.name,
        field=field,
    )
