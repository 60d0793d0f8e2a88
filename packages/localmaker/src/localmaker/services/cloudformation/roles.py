"""Roles: moto's CloudFormation ignores the managed policies that a template attaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localmaker.services.cloudformation.fitting import document
from localmaker.services.cloudformation.kinds import Kind, Made, Properties

_ATTACHED, _INLINE = "ManagedPolicyArns", "Policies"
_OF_UPDATE = ("Description", "MaxSessionDuration")
_CHANGEABLE = {_ATTACHED, _INLINE, "AssumeRolePolicyDocument", *_OF_UPDATE}


@dataclass(frozen=True)
class _Role(Kind):
    """A role with its attached and inline policies."""

    def made(self, client: Any, name: str, properties: Properties) -> Made:
        own = {key: value for key, value in self.named(name, properties).items() if key not in (_ATTACHED, _INLINE)}
        role = client.create_role(**self.parameters(client, self.create, own))["Role"]
        made = Made(role["RoleName"], {"Arn": role["Arn"], "RoleId": role["RoleId"]})
        try:
            _set_policies(client, made.physical_id, {}, properties)
        except Exception:
            # A resource that fails leaves nothing behind.
            self.gone(client, made, properties)
            raise
        return made

    def changed(self, client: Any, before: Made, old: Properties, new: Properties) -> Made | None:
        if {key for key in {*old, *new} if old.get(key) != new.get(key)} - _CHANGEABLE:
            return None
        role = before.physical_id
        trust = document(new["AssumeRolePolicyDocument"])
        client.update_assume_role_policy(RoleName=role, PolicyDocument=trust)
        settings = {key: new[key] for key in _OF_UPDATE if key in new}
        client.update_role(**self.parameters(client, "UpdateRole", {"RoleName": role, **settings}))
        _set_policies(client, role, old, new)
        return before

    def gone(self, client: Any, made: Made, properties: Properties) -> None:
        role = made.physical_id
        for policy in client.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            client.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
        for name in client.list_role_policies(RoleName=role)["PolicyNames"]:
            client.delete_role_policy(RoleName=role, PolicyName=name)
        super().gone(client, made, properties)


def _set_policies(client: Any, role: str, old: Properties, new: Properties) -> None:
    for arn in set(old.get(_ATTACHED, ())) - set(new.get(_ATTACHED, ())):
        client.detach_role_policy(RoleName=role, PolicyArn=arn)
    for arn in new.get(_ATTACHED, ()):
        client.attach_role_policy(RoleName=role, PolicyArn=arn)
    inline = _by_name(new)
    for name in _by_name(old).keys() - inline.keys():
        client.delete_role_policy(RoleName=role, PolicyName=name)
    for name, policy in inline.items():
        client.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document(policy))


def _by_name(properties: Properties) -> Mapping[str, Any]:
    return {one["PolicyName"]: one["PolicyDocument"] for one in properties.get(_INLINE, ())}


KINDS = (
    _Role(
        type="AWS::IAM::Role",
        service="iam",
        create="CreateRole",
        delete="DeleteRole",
        name="RoleName",
        ref="RoleName",
        attributes={"Arn": "Arn", "RoleId": "RoleId"},
        longest_name=64,
    ),
)
