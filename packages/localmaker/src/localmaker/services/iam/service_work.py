"""The calls that SageMaker makes under a job's role and the endpoint does not: pull the image, write metrics, etc.

Source: "How to use SageMaker AI execution roles" in the developer guide, which lists them operation by operation.
Downloads, uploads and log lines are not listed: the endpoint makes those calls itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localmaker.services.iam.actions import Location
from localmaker.services.iam.encryption import key_call
from localmaker.services.iam.evaluation import Call

_ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>[^:@]+)"
)
_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_DESCRIBED_NETWORK = ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")
_INTERFACE_ACTIONS = (
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
)


@dataclass(frozen=True)
class ServiceCall:
    """One call that SageMaker makes for a job.

    Attributes:
        refused: why the job fails if its role may not make the call; empty if it continues without.
    """

    call: Call
    refused: str = ""


def service_calls(
    log_group: str, image: str | None, request: Mapping[str, Any], location: Location
) -> Iterator[ServiceCall]:
    """Yield the calls for a job that starts.

    Args:
        log_group: ``/aws/sagemaker/TrainingJobs`` and so on.
        image: URI of the container image, if known.
        request: the Create request.
        location: region and account of the job.
    """
    found = _ECR_IMAGE.match(image or "")
    if found:
        repository = f"arn:aws:ecr:{found['region']}:{found['account']}:repository/{found['name']}"
        cannot_pull = (
            "Cannot pull algorithm container. Either the image does not exist or its permissions are incorrect."
        )
        yield ServiceCall(Call("ecr:GetAuthorizationToken"), cannot_pull)
        yield from (ServiceCall(Call(action, repository), cannot_pull) for action in _PULL)
    yield ServiceCall(Call("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": (log_group,)}))
    group = f"arn:aws:logs:{location.region}:{location.account}:log-group:{log_group}:log-stream:"
    yield from (ServiceCall(Call(f"logs:{name}", group)) for name in ("CreateLogGroup", "DescribeLogStreams"))
    network = _find(request, "VpcConfig")
    if network:
        yield from _network(network, location)
    yield from _keys(request, location)


def _network(network: Mapping[str, Any], location: Location) -> Iterator[ServiceCall]:
    refused = "The execution role may not create network interfaces in the VPC."
    start = f"arn:aws:ec2:{location.region}:{location.account}:"
    # Its id is not known before it is created.
    interface = f"{start}network-interface/*"
    for kind in _DESCRIBED_NETWORK:
        yield ServiceCall(Call(f"ec2:Describe{kind}"), refused)
    for resource in (
        interface,
        *(f"{start}subnet/{one}" for one in network.get("Subnets", [])),
        *(f"{start}security-group/{one}" for one in network.get("SecurityGroupIds", [])),
    ):
        yield ServiceCall(Call("ec2:CreateNetworkInterface", resource), refused)
    for action in _INTERFACE_ACTIONS:
        yield ServiceCall(Call(action, interface), refused)


def _keys(request: Mapping[str, Any], location: Location) -> Iterator[ServiceCall]:
    volume, output = _find(request, "VolumeKmsKeyId"), _find(request, "KmsKeyId")
    if volume:
        refused = "The execution role may not use the key of the storage volume."
        grant = {"kms:grantisforawsresource": "true"}
        yield ServiceCall(key_call("kms:CreateGrant", volume, location, grant), refused)
        yield ServiceCall(key_call("kms:DescribeKey", volume, location), refused)
    if output:
        refused = "The execution role may not use the key of the output."
        actions = ["kms:GenerateDataKey"]
        if ":key/" not in output:
            # "If you use a KMS key ID or an alias …, the execution role must include permissions to call kms:Encrypt".
            actions.append("kms:Encrypt")
        yield from (ServiceCall(key_call(action, output, location), refused) for action in actions)


def _find(value: Any, name: str) -> Any:
    """Return the first value of a name anywhere in a request."""
    if isinstance(value, Mapping):
        if value.get(name):
            return value[name]
        return next((found for one in value.values() if (found := _find(one, name))), None)
    if isinstance(value, list):
        return next((found for one in value if (found := _find(one, name))), None)
    return None
