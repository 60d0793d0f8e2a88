"""IAM roles with one inline policy each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine.resource import Difference, Removal, State
from pipeline.deploy.engine.tags import surplus, tag_list, tag_map

_POLICY_NAME = "generated"


@dataclass(frozen=True)
class Role:
    """One role.

    Attributes:
        name: of the role.
        service: principal that assumes it, such as ``sagemaker.amazonaws.com``.
        source_account: only this account's resources may have the service assume it (confused deputy).
        policy: what it may do.
        tags: name → value.
    """

    name: str
    service: str
    source_account: str
    policy: Mapping[str, Any]
    tags: Mapping[str, str]
    kind: str = "role"

    def desired(self) -> State:
        """Trust, policy, no other policy, tags."""
        return {
            "trust": self._trust(),
            "policy": dict(self.policy),
            "other policies": [],
            "tags": dict(self.tags),
        }

    def _trust(self) -> dict[str, Any]:
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": self.service},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"aws:SourceAccount": self.source_account}},
                }
            ],
        }

    def current(self, aws: Aws) -> State | None:
        """The role as it is; None where it does not exist."""
        answer = unless_missing(lambda: aws.iam.get_role(RoleName=self.name))
        if answer is None:
            return None
        policy = unless_missing(lambda: aws.iam.get_role_policy(RoleName=self.name, PolicyName=_POLICY_NAME))
        tags = aws.iam.list_role_tags(RoleName=self.name)["Tags"]
        return {
            "trust": answer["Role"].get("AssumeRolePolicyDocument"),
            "policy": policy["PolicyDocument"] if policy else None,
            "other policies": self._other_policies(aws),
            "tags": tag_map(tags),
        }

    def _other_policies(self, aws: Aws) -> list[str]:
        """Names of inline policies and ARNs of attached ones that this project did not give the role."""
        inline = aws.iam.get_paginator("list_role_policies").paginate(RoleName=self.name)
        attached = aws.iam.get_paginator("list_attached_role_policies").paginate(RoleName=self.name)
        return sorted(
            [name for page in inline for name in page["PolicyNames"] if name != _POLICY_NAME]
            + [policy["PolicyArn"] for page in attached for policy in page["AttachedPolicies"]]
        )

    def _remove_policies(self, aws: Aws, names: list[str]) -> None:
        for name in names:
            if name.startswith("arn:"):
                aws.iam.detach_role_policy(RoleName=self.name, PolicyArn=name)
            else:
                aws.iam.delete_role_policy(RoleName=self.name, PolicyName=name)

    def create(self, aws: Aws) -> None:
        """Make the role and set every field."""
        aws.iam.create_role(
            RoleName=self.name, AssumeRolePolicyDocument=json.dumps(self._trust()), Tags=tag_list(self.tags)
        )
        self._put_policy(aws)

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        """Set the fields named."""
        if "trust" in differences:
            aws.iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=json.dumps(self._trust()))
        if "policy" in differences:
            self._put_policy(aws)
        if "other policies" in differences:
            self._remove_policies(aws, differences["other policies"].current)
        if "tags" in differences:
            unwanted = surplus(self.tags, differences["tags"])
            if unwanted:
                aws.iam.untag_role(RoleName=self.name, TagKeys=unwanted)
            aws.iam.tag_role(RoleName=self.name, Tags=tag_list(self.tags))

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:  # noqa: ARG002
        """Remove every policy, then the role."""
        if unless_missing(lambda: aws.iam.get_role(RoleName=self.name)) is None:
            return Removal.ABSENT
        own = unless_missing(lambda: aws.iam.get_role_policy(RoleName=self.name, PolicyName=_POLICY_NAME))
        self._remove_policies(aws, [*self._other_policies(aws), *([_POLICY_NAME] if own else [])])
        aws.iam.delete_role(RoleName=self.name)
        return Removal.REMOVED

    def _put_policy(self, aws: Aws) -> None:
        aws.iam.put_role_policy(
            RoleName=self.name, PolicyName=_POLICY_NAME, PolicyDocument=json.dumps(dict(self.policy))
        )
