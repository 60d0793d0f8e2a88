"""A patch of moto: an AWS managed policy is known as soon as a request names it.

- moto: knows none of them, or all if configured so. With all, every change of IAM's state is slow to store.
- IAM: has all of them.
- Replaced: the methods of ``moto.iam.models.IAMBackend`` that take the ARN of a policy.
"""

from __future__ import annotations

import json
from functools import wraps
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend

_AWS_MANAGED = "arn:aws:iam::aws:policy/"
_TAKES_POLICY = (
    "attach_role_policy",
    "attach_user_policy",
    "attach_group_policy",
    "detach_role_policy",
    "detach_user_policy",
    "detach_group_policy",
    "get_policy",
    "get_policy_version",
    "list_policy_versions",
)


def install() -> None:
    """Replace them for the whole process; a second call changes nothing."""
    for name in _TAKES_POLICY:
        method = getattr(IAMBackend, name)
        if not hasattr(method, "__wrapped__"):
            setattr(IAMBackend, name, _loading(method))


def load(backend: IAMBackend, arn: str) -> None:
    """Add an AWS managed policy to a backend; any other ARN changes nothing."""
    if not arn.startswith(_AWS_MANAGED) or arn in backend.managed_policies:
        return
    name = arn.rpartition("/")[2]
    # The parsed data is not kept: it takes 5 MB, and each policy needs it once.
    data = json.loads(aws_managed_policies_data).get(name)
    if data is None:
        return
    policy = AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, data)
    if policy.arn == arn:
        backend.managed_policies[arn] = policy


def _loading(method: Any) -> Any:
    @wraps(method)
    def with_policy(self: IAMBackend, policy_arn: str, *arguments: Any, **more: Any) -> Any:
        load(self, policy_arn)
        return method(self, policy_arn, *arguments, **more)

    return with_policy
