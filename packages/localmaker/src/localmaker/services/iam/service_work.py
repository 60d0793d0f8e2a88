"""What SageMaker does for a job with the job's role and nothing here does: pull the image, write metrics, and so on.

Source: "How to use SageMaker AI execution roles" in the developer guide, which lists it operation by operation.
Downloads, uploads and log lines are not in here: the endpoint makes those calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localmaker.services.iam.actions import Place
from localmaker.services.iam.encryption import key_call
from localmaker.services.iam.evaluation import Call

_ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>[^:@]+)"
)
_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_LOOK_AT_NETWORK = ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")
_INTERFACE_ACTIONS = (
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
)


@dataclass(frozen=True)
class Work:
    """One action of SageMaker's.

    Attributes:
        refused: why the job fails where the role may not; empty where it goes on without.
    """

    call: Call
    refused: str = ""


def work_for_job(log_group: str, image: str | None, request: Mapping[str, Any], place: Place) -> Iterator[Work]:
    """What a job needs that starts.

    Args:
        log_group: ``/aws/sagemaker/TrainingJobs`` and so on.
        image: URI of the container image, if it is known.
        request: the Create request.
        place: region and account of the job.
    """
    found = _ECR_IMAGE.match(image or "")
    if found:
        repository = f"arn:aws:ecr:{found['region']}:{found['account']}:repository/{found['name']}"
        cannot_pull = (
            "Cannot pull algorithm container. Either the image does not exist or its permissions are incorrect."
        )
        yield Work(Call("ecr:GetAuthorizationToken"), cannot_pull)
        yield from (Work(Call(action, repository), cannot_pull) for action in _PULL)
    yield Work(Call("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": (log_group,)}))
    group = f"arn:aws:logs:{place.region}:{place.account}:log-group:{log_group}:log-stream:"
    yield from (Work(Call(f"logs:{name}", group)) for name in ("CreateLogGroup", "DescribeLogStreams"))
    network = _find(request, "VpcConfig")
    if network:
        yield from _network(network, place)
    yield from _keys(request, place)


def _network(network: Mapping[str, Any], place: Place) -> Iterator[Work]:
    refused = "The execution role may not make network interfaces in the VPC."
    start = f"arn:aws:ec2:{place.region}:{place.account}:"
    # Its id is not known before it is made.
    interface = f"{start}network-interface/*"
    for kind in _LOOK_AT_NETWORK:
        yield Work(Call(f"ec2:Describe{kind}"), refused)
    for resource in (
        interface,
        *(f"{start}subnet/{one}" for one in network.get("Subnets", [])),
        *(f"{start}security-group/{one}" for one in network.get("SecurityGroupIds", [])),
    ):
        yield Work(Call("ec2:CreateNetworkInterface", resource), refused)
    for action in _INTERFACE_ACTIONS:
        yield Work(Call(action, interface), refused)


def _keys(request: Mapping[str, Any], place: Place) -> Iterator[Work]:
    volume, output = _find(request, "VolumeKmsKeyId"), _find(request, "KmsKeyId")
    if volume:
        refused = "The execution role may not use the key of the storage volume."
        grant = {"kms:grantisforawsresource": "true"}
        yield Work(key_call("kms:CreateGrant", volume, place, grant), refused)
        yield Work(key_call("kms:DescribeKey", volume, place), refused)
    if output:
        refused = "The execution role may not use the key of the output."
        actions = ["kms:GenerateDataKey"]
        if ":key/" not in output:
            # "If you use a KMS key ID or an alias …, the execution role must include permissions to call kms:Encrypt".
            actions.append("kms:Encrypt")
        yield from (Work(key_call(action, output, place), refused) for action in actions)


def _find(value: Any, name: str) -> Any:
    """The first value of that name anywhere in a request."""
    if isinstance(value, Mapping):
        if value.get(name):
            return value[name]
        return next((found for one in value.values() if (found := _find(one, name))), None)
    if isinstance(value, list):
        return next((found for one in value if (found := _find(one, name))), None)
    return None
