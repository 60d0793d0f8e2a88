"""The policies of roles, users and groups in moto's IAM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend, iam_backends

from localmaker.services.iam import managed_policies
from localmaker.services.iam.evaluation import Policy

_PARTITION = "aws"
#: What IAM calls the boundary in the messages of its refusals.
BOUNDARY = "permissions boundary"


@dataclass(frozen=True)
class Identity:
    """The policies of a principal.

    Attributes:
        policies: attached and inline, those of a user's groups included.
        boundaries: name → policies that must allow a call too; empty if there is no boundary.
    """

    policies: Sequence[Policy]
    boundaries: Mapping[str, Sequence[Policy]] = field(default_factory=dict)


def is_role(arn: str) -> bool:
    """Return whether an ARN is that of a role."""
    return arn.startswith("arn:aws:iam::") and ":role/" in arn


def identity_of(arn: str) -> Identity | None:
    """Return the policies of a role, user or group; None if it does not exist.

    Args:
        arn: ``arn:aws:iam::<account>:role/<path><name>``, and ``user/`` or ``group/``.
    """
    found = _entity(arn)
    if found is None:
        return None
    backend, kind, entity = found
    policies = list(_policies(kind, entity))
    if kind == "user":
        policies += [one for group in backend.get_groups_for_user(entity.name) for one in _policies("group", group)]
    boundary = getattr(entity, "permissions_boundary_arn", None)
    return Identity(policies, {BOUNDARY: _managed(backend, boundary)} if boundary else {})


def _entity(arn: str) -> tuple[IAMBackend, str, Any] | None:
    if not arn.startswith("arn:aws:iam::"):
        return None
    account, (kind, _, path) = arn.split(":")[4], arn.split(":", 5)[5].partition("/")
    backend = iam_backends[account][_PARTITION]
    try:
        return backend, kind, _ENTITIES[kind](backend, path.rpartition("/")[2])
    except (KeyError, NotFoundException):
        return None


def unique_id(arn: str) -> str | None:
    """Return the identifier that IAM gave a role, user or group (``AROA…``, ``AIDA…``); None if it does not exist."""
    found = _entity(arn)
    return None if found is None else str(found[2].id)


def trust_policy_of(role_arn: str) -> Policy | None:
    """Return the trust policy of a role; None if the role does not exist."""
    backend = iam_backends[role_arn.split(":")[4]][_PARTITION]
    try:
        role = backend.get_role(role_arn.rpartition("/")[2])
    except NotFoundException:
        return None
    return parsed(f"trust of {role.name}", role.assume_role_policy_document)


def boundary_of(role_arn: str) -> str | None:
    """Return the ARN of a role's permissions boundary; None without one, and for a role that does not exist."""
    try:
        role = iam_backends[role_arn.split(":")[4]][_PARTITION].get_role(role_arn.rpartition("/")[2])
    except NotFoundException:
        return None
    return role.permissions_boundary_arn or None


@lru_cache(maxsize=512)
def parsed(source: str, text: str) -> Policy:
    """Parse a policy document; the result is cached."""
    return Policy.parse(source, text)


_ENTITIES = {"role": IAMBackend.get_role, "user": IAMBackend.get_user, "group": IAMBackend.get_group}


def _policies(kind: str, entity: Any) -> Iterator[Policy]:
    # The names are those that the policy simulator gives them.
    for name, text in entity.policies.items():
        yield parsed(f"{kind}_{entity.name}_{name}", text)
    for policy in entity.managed_policies.values():
        yield parsed(policy.name, _default_text(policy))


def _managed(backend: IAMBackend, arn: str) -> list[Policy]:
    managed_policies.load(backend, arn)
    policy = backend.managed_policies.get(arn)
    return [parsed(policy.name, _default_text(policy))] if policy else []


def _default_text(policy: Any) -> str:
    text: str = next(one.document for one in policy.versions if one.is_default)
    return text
