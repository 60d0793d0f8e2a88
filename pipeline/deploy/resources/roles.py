"""IAM roles with one inline policy each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.policy import allow_principal, document
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State

_POLICY_NAME = "generated"


@dataclass(frozen=True)
class Role(Resource):
    """One role."""

    kind = "role"
    tag_api = tags.ROLES
    service: str  #: Principal that assumes it, such as ``sagemaker.amazonaws.com``.
    source_account: str  #: Only this account's resources may have the service assume it (confused deputy).
    policy: Mapping[str, Any]
    source_arns: tuple[str, ...] = ()  #: Patterns of the resources for which the service may assume it.
    boundary: str | None = None  #: ARN of its permissions boundary; None leaves whatever it has.

    def _desired(self) -> State:
        capped = {"boundary": self.boundary} if self.boundary else {}
        return {"trust": self._trust(), **capped, "policy": dict(self.policy), "other policies": []}

    def _trust(self) -> dict[str, Any]:
        condition: dict[str, Any] = {"StringEquals": {"aws:SourceAccount": self.source_account}}
        if self.source_arns:
            # Not every feature names its resource ("Cross-service confused deputy prevention" in SageMaker's developer
            # guide lists jobs and pipelines, but no feature groups); the account has to be there in any case.
            condition["ArnLikeIfExists"] = {"aws:SourceArn": list(self.source_arns)}
        return document([allow_principal({"Service": self.service}, "sts:AssumeRole", Condition=condition)])

    def _describe(self, aws: Aws) -> Any:
        return aws.iam.get_role(RoleName=self.name)["Role"]

    def _state(self, aws: Aws, found: Any) -> State:
        return {
            "trust": found.get("AssumeRolePolicyDocument"),
            "boundary": found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            "policy": self._own_policy(aws),
            "other policies": self._other_policies(aws),
        }

    def _own_policy(self, aws: Aws) -> Any:
        answer = unless_missing(lambda: aws.iam.get_role_policy(RoleName=self.name, PolicyName=_POLICY_NAME))
        return answer["PolicyDocument"] if answer else None

    def _other_policies(self, aws: Aws) -> list[str]:
        """Return names of inline policies and ARNs of attached ones that this project did not give the role."""
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
        """Create the role, then give it its policy."""
        trust = json.dumps(self._trust())
        capped: Any = {"PermissionsBoundary": self.boundary} if self.boundary else {}
        aws.iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=trust, Tags=tags.tag_list(self.tags), **capped)
        self._put_policy(aws)

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        if "trust" in differences:
            aws.iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=json.dumps(self._trust()))
        if "boundary" in differences:  # before the policy, which CI may change only below the boundary
            aws.iam.put_role_permissions_boundary(RoleName=self.name, PermissionsBoundary=str(self.boundary))
        if "policy" in differences:
            self._put_policy(aws)
        if "other policies" in differences:
            self._remove_policies(aws, differences["other policies"].current)

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        own = [_POLICY_NAME] if self._own_policy(aws) else []
        self._remove_policies(aws, [*self._other_policies(aws), *own])
        aws.iam.delete_role(RoleName=self.name)
        return Removal.REMOVED

    def _put_policy(self, aws: Aws) -> None:
        policy = json.dumps(dict(self.policy))
        aws.iam.put_role_policy(RoleName=self.name, PolicyName=_POLICY_NAME, PolicyDocument=policy)
