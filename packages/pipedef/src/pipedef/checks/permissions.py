"""What steps and scripts need to be allowed, against what their role is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pipedef.arns import queue_arn, repository_arn
from pipedef.checks.registry import Deployment, Problem, deployment_check
from pipedef.document.definition import Definition, Step
from pipedef.document.locations import default_location, object_arn, overlap, pattern_of
from pipedef.document.values import follow, leaves
from pipedef.language.expressions import GET, is_expression

_EVERY_JOB = (
    "iam:PassRole",
    "s3:GetObject",
    "s3:PutObject",
    "s3:ListBucket",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
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
    "Tuning": (*_job("HyperParameterTuningJob"), "sagemaker:ListTrainingJobsForHyperParameterTuningJob"),
    "ClarifyCheck": _job("ProcessingJob"),
    "QualityCheck": _job("ProcessingJob"),
    "EndpointConfig": ("sagemaker:CreateEndpointConfig", "sagemaker:DescribeEndpointConfig"),
    "Lambda": ("lambda:InvokeFunction",),
    "Callback": ("sqs:SendMessage",),
    "Lineage": tuple(
        f"sagemaker:{name}" for name in ("CreateAction", "CreateArtifact", "CreateContext", "AddAssociation")
    ),
}
#: Step types that do nothing outside of the pipeline.
_HARMLESS = frozenset({"Condition", "Fail"})
#: Field anywhere in a step's arguments → actions that it brings with it.
FIELD_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "KmsKeyId": ("kms:Decrypt", "kms:GenerateDataKey"),
    "VolumeKmsKeyId": ("kms:CreateGrant", "kms:DescribeKey"),
    "Subnets": (
        "ec2:CreateNetworkInterface",
        "ec2:CreateNetworkInterfacePermission",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    ),
}


def _statements(policy: Mapping[str, Any], effect: str) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of a policy with this effect; a single one needs no list."""
    found = policy.get("Statement") or []
    for statement in [found] if isinstance(found, Mapping) else found:
        if statement.get("Effect") == effect:
            yield statement


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _is_about(statement: Mapping[str, Any], action: str) -> bool:
    """Tell whether a statement's Action names an action, or its NotAction does not."""
    named = _listed(statement.get("Action") or statement.get("NotAction"))
    among = any(fnmatchcase(action.lower(), pattern.lower()) for pattern in named)
    return among if "Action" in statement else not among


def is_allowed(policy: Mapping[str, Any], action: str, resource: str = "*") -> bool:
    """Tell whether a policy allows an action on what fits ``resource``, a pattern of ARNs, and denies it on none.

    A denial with a condition is left out: whether it applies only the call itself decides.
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


@deployment_check("permissions")
def role_is_allowed(definition: Definition, deployment: Deployment) -> Iterator[Problem]:
    """Check that the role is allowed every action that its steps and their scripts take."""
    known = {**STEP_ACTIONS, **definition.project.step_actions}
    for step in definition.steps:
        if step.type not in known and step.type not in _HARMLESS:
            yield Problem(
                f"There is no table of what a step of type {step.type} needs to be allowed.",
                "Add the type to the project's step_actions, and the actions to the role's policy.",
                step=step.name,
                field="Type",
            )
        for actions, field in (
            (known.get(step.type, ()), "Type"),
            (definition.script_actions(step), f"script {step.script}"),
            *((found, f"Arguments…{key}") for key, found in _field_actions(step)),
        ):
            missing = [action for action in actions if not is_allowed(deployment.policy, action)]
            if missing:
                yield _refused(step, field, missing)
        for access in required_access(step, definition, deployment.partition, deployment.region):
            if not is_allowed(deployment.policy, access.action, access.arn):
                yield _refused(step, access.field, [f"{access.action} on {access.shown}"])


def _field_actions(step: Step) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (field, its actions) of the fields of :data:`FIELD_ACTIONS` that the step sets."""
    found: dict[str, set[str]] = {}
    for path, value in leaves(step.arguments, ""):
        for key in {part.partition("[")[0] for part in path.split(".")} & set(FIELD_ACTIONS):
            found.setdefault(key, set()).update([str(value)] if value else [])
    for key, values in sorted(found.items()):
        # Of a key's ARN alone SageMaker can tell that it may be used ("KmsKeyId" of OutputDataConfig, API reference).
        by_another_name = key == "KmsKeyId" and not all(":key/" in value for value in values)
        if values:
            yield key, FIELD_ACTIONS[key] + (("kms:Encrypt",) if by_another_name else ())


def _refused(step: Step, field: str, missing: Iterable[str]) -> Problem:
    return Problem(
        f"The execution role is not allowed {', '.join(missing)}.",
        "Add it to the policy of the execution role.",
        step=step.name,
        field=field,
    )


_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_IMAGES = frozenset({"Image", "ImageUri", "TrainingImage"})
_ROLES = frozenset({"RoleArn", "ExecutionRoleArn"})
_KEYS = frozenset({"KmsKeyId", "VolumeKmsKeyId"})
_KEY_ACTIONS = {"KmsKeyId": "kms:GenerateDataKey", "VolumeKmsKeyId": "kms:CreateGrant"}


@dataclass(frozen=True)
class Access:
    """One action on one resource.

    Attributes:
        action: such as ``s3:GetObject``.
        arn: of the resource, a pattern where parts of it are known only once the pipeline runs.
        shown: the resource as messages name it.
        field: path inside the step.
    """

    action: str
    arn: str
    shown: str
    field: str


def required_access(step: Step, definition: Definition, partition: str, region: str) -> Iterator[Access]:
    """Yield everything that a step's arguments name and that can be known before it runs.

    Args:
        step: of the definition.
        definition: that the step's references lead into.
        partition: of AWS, as ARNs name it.
        region: that the pipeline runs in.
    """
    yield from _objects(step, definition, partition)
    yield from _named(step.arguments, "Arguments")
    function = step.content.get("FunctionArn")
    if isinstance(function, str):
        yield Access("lambda:InvokeFunction", function, function, "FunctionArn")
    queue = queue_arn(step.content.get("SqsQueueUrl"), region)
    if queue is not None:
        yield Access("sqs:SendMessage", queue, queue, "SqsQueueUrl")


def _objects(step: Step, definition: Definition, partition: str) -> Iterator[Access]:
    locations = [("s3:GetObject", path, uri) for _, path, uri in step.inputs()]
    locations += [("s3:PutObject", path, uri) for _, path, uri in step.outputs()]
    locations += [("s3:GetObject", path, uri) for path, uri in _further_inputs(step)]
    for action, path, uri in locations:
        # A parameter has its default unless an execution sets it.
        candidates = (pattern_of(uri, definition), default_location(uri, definition))
        location = next((candidate for candidate in candidates if candidate.startswith("s3:/")), None)
        if location is not None:
            yield Access(action, f"{object_arn(location, partition)}*", location, path)


def _further_inputs(step: Step) -> Iterator[tuple[str, Any]]:
    """Yield the input of a batch transform, and model artefacts, without what another step has written."""
    source = ("TransformInput", "DataSource", "S3DataSource", "S3Uri")
    found = [(f"Arguments.{'.'.join(source)}", follow(step.arguments, *source))]
    found += [(path, uri) for path, uri in _values(step.arguments, "Arguments", frozenset({"ModelDataUrl"}))]
    yield from ((path, uri) for path, uri in found if not (is_expression(uri) and GET in uri))


def _named(arguments: Mapping[str, Any], path: str) -> Iterator[Access]:
    for field, image in _values(arguments, path, _IMAGES):
        repository = repository_arn(image)
        if repository is not None:
            yield from (Access(action, repository, str(image), field) for action in _PULL)
    for field, role in _values(arguments, path, _ROLES):
        if isinstance(role, str):
            yield Access("iam:PassRole", role, role, field)
    for field, key in _values(arguments, path, _KEYS):
        # Which key an alias is of, only KMS knows.
        if isinstance(key, str) and ":key/" in key:
            yield Access(_KEY_ACTIONS[field.rpartition(".")[2]], key, key, field)


def _values(value: Any, path: str, names: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """Yield (path, value) of every member of these names below a value."""
    if isinstance(value, Mapping) and not is_expression(value):
        for key, item in value.items():
            if key in names:
                yield f"{path}.{key}", item
            else:
                yield from _values(item, f"{path}.{key}", names)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _values(item, f"{path}[{index}]", names)
