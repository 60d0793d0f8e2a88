"""ARNs behind image URIs and queue URLs."""

from __future__ import annotations

import re
from typing import Any

_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
_IMAGE = re.compile(r"(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([a-z0-9._/-]+?)(?:[:@].*)?")
_QUEUE_URL = re.compile(r"https?://[^/]+/(\d{12})/([A-Za-z0-9_-]+(?:\.fifo)?)")


def partition_of(region: str) -> str:
    """Return the partition of AWS that a region belongs to."""
    for prefix, partition in _PARTITIONS.items():
        if region.startswith(prefix):
            return partition
    return "aws"


def repository_arn(image: Any) -> str | None:
    """Return the ARN of the repository that an ECR image is in; None for any other image."""
    match = _IMAGE.fullmatch(image) if isinstance(image, str) else None
    if match is None:
        return None
    account, region, name = match.groups()
    return f"arn:{partition_of(region)}:ecr:{region}:{account}:repository/{name}"


def queue_arn(url: Any, region: str) -> str | None:
    """Return the ARN of a queue by its URL; None for any other URL."""
    match = _QUEUE_URL.fullmatch(url) if isinstance(url, str) else None
    return f"arn:{partition_of(region)}:sqs:{region}:{match[1]}:{match[2]}" if match else None
