"""Checks of a function's configuration, and what its role must be allowed for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.iam.evaluation import Call

# "Lambda quotas": botocore's model has the larger ones of managed instances.
_LARGEST = {"Timeout": 900, "MemorySize": 10_240}
_ENVIRONMENT_BYTES = 4 << 10
# "Defined runtime environment variables", those that are reserved.
_RESERVED = frozenset(
    {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
    }
)
_NETWORK_INTERFACES = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")
_DEAD_LETTERS = {"sqs": ("SendMessage", "SQS"), "sns": ("Publish", "SNS")}


@dataclass(frozen=True)
class Need:
    """A call that a function's role must be allowed to make before the function is created.

    Attributes:
        service: as Lambda's message names it.
    """

    call: Call
    service: str

    @property
    def action(self) -> str:
        """The name of the action without its service."""
        return self.call.action.partition(":")[2]

    def refusal(self) -> AwsError:
        """Return what Lambda says where the role may not make it."""
        return invalid(f"The provided execution role does not have permissions to call {self.action} on {self.service}")


def invalid(message: str) -> AwsError:
    """Return the error for a parameter that Lambda does not accept."""
    return AwsError("InvalidParameterValueException", message)


def check_configuration(request: Mapping[str, Any]) -> None:
    """Check what CreateFunction and UpdateFunctionConfiguration have in common.

    Raises:
        AwsError: InvalidParameterValueException or ValidationException, in Lambda's words.
    """
    for name, largest in _LARGEST.items():
        if request.get(name, 0) > largest:
            raise AwsError(
                "ValidationException",
                f"1 validation error detected: Value '{request[name]}' at '{name[0].lower()}{name[1:]}' failed to "
                f"satisfy constraint: Member must have value less than or equal to {largest}",
            )
    variables = request.get("Environment", {}).get("Variables", {})
    start = "Lambda was unable to configure your environment variables because the environment variables you have "
    if reserved := sorted(_RESERVED & set(variables)):
        raise invalid(
            f"{start}provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    measured = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode()) > _ENVIRONMENT_BYTES:
        raise invalid(f"{start}provided exceeded the 4KB limit. String measured: {measured}")
    if request.get("Layers"):
        raise invalid("The local endpoint has no layers: put what the function imports into its zip file.")


def role_needs(request: Mapping[str, Any], region: str, account: str) -> Iterator[Need]:
    """Yield what a function's role must be allowed to do for its network and its dead letters."""
    if request.get("VpcConfig", {}).get("SubnetIds"):
        interface = f"arn:aws:ec2:{region}:{account}:network-interface/*"
        for action in _NETWORK_INTERFACES:
            yield Need(Call(f"ec2:{action}", "*" if action.startswith("Describe") else interface), "EC2")
    target = request.get("DeadLetterConfig", {}).get("TargetArn") or ""
    service = target.split(":")[2] if target.count(":") > 4 else ""  # noqa: PLR2004 - the parts of an ARN
    if service in _DEAD_LETTERS:
        action, name = _DEAD_LETTERS[service]
        yield Need(Call(f"{service}:{action}", target), name)
