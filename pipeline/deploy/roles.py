"""IAM roles with one inline policy each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws import Aws
from pipeline.deploy.resource import Difference, State
from pipeline.missing import unless_missing

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
        """Trust, policy, tags."""
        return {"trust": self._trust(), "policy": dict(self.policy), "tags": dict(self.tags)}

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
            "tags": {tag["Key"]: tag["Value"] for tag in tags},
        }

    def create(self, aws: Aws) -> None:
        """Make the role and set every field."""
        aws.iam.create_role(
            RoleName=self.name, AssumeRolePolicyDocument=json.dumps(self._trust()), Tags=self._tag_list()
        )
        self._put_policy(aws)

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        """Set the fields named."""
        if "trust" in differences:
            aws.iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=json.dumps(self._trust()))
        if "policy" in differences:
            self._put_policy(aws)
        if "tags" in differences:
            surplus = set(differences["tags"].current or {}) - set(self.tags)
            if surplus:
                aws.iam.untag_role(RoleName=self.name, TagKeys=sorted(surplus))
            aws.iam.tag_role(RoleName=self.name, Tags=self._tag_list())

    def delete(self, aws: Aws, *, keep_data: bool) -> bool:  # noqa: ARG002
        """Remove inline policies, then the role."""
        names = unless_missing(lambda: aws.iam.list_role_policies(RoleName=self.name)["PolicyNames"])
        if names is None:
            return False
        for policy_name in names:
            aws.iam.delete_role_policy(RoleName=self.name, PolicyName=policy_name)
        aws.iam.delete_role(RoleName=self.name)
        return True

    def _tag_list(self) -> Any:
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def _put_policy(self, aws: Aws) -> None:
        aws.iam.put_role_policy(
            RoleName=self.name, PolicyName=_POLICY_NAME, PolicyDocument=json.dumps(dict(self.policy))
        )
