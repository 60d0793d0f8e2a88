"""The policies of roles, users and groups in moto's IAM."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.exceptions import NotFoundException
from moto.iam.models import AWSManagedPolicy, IAMBackend, iam_backends

from localmaker.services.iam.evaluation import Policy

_PARTITION = "aws"
_AWS_MANAGED = "arn:aws:iam::aws:policy/"
#: What IAM calls the boundary in the messages of its refusals.
BOUNDARY = "permissions boundary"
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


@dataclass(frozen=True)
class Identity:
    """The policies of a principal.

    Attributes:
        policies: attached and inline, those of a user's groups included.
        boundaries: name → policies that must allow a call too; empty if there is no boundary.
    """

    policies: Sequence[Policy]
    boundaries: Mapping[str, Sequence[Policy]] = field(default_factory=dict)


def identity_of(arn: str) -> Identity | None:
    """Return the policies of a role, user or group; None if it does not exist.

    Args:
        arn: ``arn:aws:iam::<account>:role/<path><name>``, and ``user/`` or ``group/``.
    """
    account, (kind, _, path) = arn.split(":")[4], arn.split(":", 5)[5].partition("/")
    name = path.rpartition("/")[2]
    backend = iam_backends[account][_PARTITION]
    try:
        entity = _ENTITIES[kind](backend, name)
    except (KeyError, NotFoundException):
        return None
    policies = list(_policies(kind, entity))
    if kind == "user":
        policies += [one for group in backend.get_groups_for_user(name) for one in _policies("group", group)]
    boundary = getattr(entity, "permissions_boundary_arn", None)
    return Identity(policies, {BOUNDARY: _managed(backend, boundary)} if boundary else {})


def trust_policy_of(role_arn: str) -> Policy | None:
    """Return the trust policy of a role; None if the role does not exist."""
    backend = iam_backends[role_arn.split(":")[4]][_PARTITION]
    try:
        role = backend.get_role(role_arn.rpartition("/")[2])
    except NotFoundException:
        return None
    return parsed(f"trust of {role.name}", role.assume_role_policy_document)


@lru_cache(maxsize=512)
def parsed(source: str, text: str) -> Policy:
    """Parse a policy document; the result is cached."""
    return Policy.parse(source, text)


def load_managed_policies_when_named() -> None:
    """Let moto know a policy of AWS's own from the moment that somebody names it, for the whole process.

    moto would know all of them or none. All of them make every change of IAM's state slow to store.
    """
    for name in _TAKES_POLICY:
        method = getattr(IAMBackend, name)
        if not hasattr(method, "__wrapped__"):
            setattr(IAMBackend, name, _loading(method))


def _loading(method: Any) -> Any:
    @wraps(method)
    def with_policy(self: IAMBackend, policy_arn: str, *arguments: Any, **more: Any) -> Any:
        _load(self, policy_arn)
        return method(self, policy_arn, *arguments, **more)

    return with_policy


def _load(backend: IAMBackend, arn: str) -> None:
    if not arn.startswith(_AWS_MANAGED) or arn in backend.managed_policies:
        return
    name = arn.rpartition("/")[2]
    # Not kept: it is 5 MB, and needed once for each policy.
    data = json.loads(aws_managed_policies_data).get(name)
    if data is None:
        return
    policy = AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, data)
    if policy.arn == arn:
        backend.managed_policies[arn] = policy


_ENTITIES = {"role": IAMBackend.get_role, "user": IAMBackend.get_user, "group": IAMBackend.get_group}


def _policies(kind: str, entity: Any) -> Iterator[Policy]:
    # The names are those that the policy simulator gives them.
    for name, text in entity.policies.items():
        yield parsed(f"{kind}_{entity.name}_{name}", text)
    for policy in entity.managed_policies.values():
        yield parsed(policy.name, _default_text(policy))


def _managed(backend: IAMBackend, arn: str) -> list[Policy]:
    _load(backend, arn)
    policy = backend.managed_policies.get(arn)
    return [parsed(policy.name, _default_text(policy))] if policy else []


def _default_text(policy: Any) -> str:
    text: str = next(one.document for one in policy.versions if one.is_default)
    return text
